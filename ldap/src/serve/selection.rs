//! Which attributes an answer carries (RFC 4511 §4.5.1.8).

use super::schema::Attribute;

/// What the client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    wanted: u64,
    /// Names without values.
    pub(super) types_only: bool,
}

impl Attribute {
    pub(super) fn bit(self) -> u64 {
        1 << (self as u32)
    }
}

impl Selection {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>, types_only: bool) -> Self {
        let all = |operational: bool| {
            let attributes = Attribute::ALL.into_iter();
            let those = attributes.filter(|attribute| attribute.definition().operational == operational);
            those.fold(0, |bits, attribute| bits | attribute.bit())
        };
        let mut named = false;
        let mut wanted = 0;
        for name in names {
            named = true;
            wanted |= match name {
                "*" => all(false),
                // RFC 3673
                "+" => all(true),
                // "1.1" asks for none, and what nobody knows is none.
                name => Attribute::described(name).map_or(0, Attribute::bit),
            };
        }
        Self { wanted: if named { wanted } else { all(false) }, types_only }
    }

    pub(super) fn wants(&self, attribute: Attribute) -> bool {
        self.wanted & attribute.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stars_and_numbers_select() {
        let wants = |names: &[&str], attribute| Selection::new(names.iter().copied(), false).wants(attribute);
        assert!(wants(&[], Attribute::Mail) && !wants(&[], Attribute::EntryUuid));
        assert!(wants(&["*"], Attribute::Mail) && !wants(&["*"], Attribute::EntryUuid));
        assert!(!wants(&["+"], Attribute::Mail) && wants(&["+"], Attribute::EntryUuid));
        assert!(wants(&["*", "+"], Attribute::Mail) && wants(&["*", "entryUUID"], Attribute::EntryUuid));
        assert!(!wants(&["1.1"], Attribute::Mail) && wants(&["1.1", "MAIL"], Attribute::Mail));
        assert!(wants(&["0.9.2342.19200300.100.1.3"], Attribute::Mail));
        assert!(wants(&["usercertificate;BINARY"], Attribute::UserCertificate));
        assert!(!wants(&["cn;lang-de", "nonsense"], Attribute::Cn));
    }
}
