//! Matching: whether an entry in our hands passes a filter, judged by ourselves.
//!
//! Servers know the schema and we do not, so values are compared as most attributes of people are: whatever their case,
//! and as numbers where both sides are numbers. What cannot be judged in that way is refused when the filter is read.

use memchr::memmem;

use crate::assertion::{Extensible, Filter, Pieces};
use crate::entry::Entry;
use crate::filter;
use crate::folding::{self, Place};

impl Filter {
    /// Reads a filter of RFC 4515; the error says what of it cannot be judged here.
    pub(crate) fn to_be_judged(text: &str) -> Result<Self, String> {
        Some(filter::parse(text)?)
            .filter(Self::can_be_judged)
            .ok_or_else(|| format!("\"{text}\" uses a rule that only a server can judge; of those with a number, 1.2.840.113556.1.4.803 and .804 are known here"))
    }

    fn can_be_judged(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().all(Self::can_be_judged),
            Self::Not(part) => part.can_be_judged(),
            Self::Extensible(extensible) => Bits::read(extensible).is_some(),
            _ => true,
        }
    }

    /// Whether the entry passes. An attribute that it lacks matches nothing.
    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        let any = |attribute: &str, judge: &dyn Fn(&[u8]) -> bool| entry.values(attribute).any(judge);
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(entry)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(entry)),
            Self::Not(part) => !part.matches(entry),
            Self::Present(attribute) => entry.values(attribute).next().is_some(),
            Self::Equal(attribute, wanted) | Self::About(attribute, wanted) => {
                any(attribute, &|value| compare(value, wanted).is_eq())
            }
            Self::AtLeast(attribute, least) => any(attribute, &|value| compare(value, least).is_ge()),
            Self::AtMost(attribute, most) => any(attribute, &|value| compare(value, most).is_le()),
            Self::Like(attribute, pieces) => {
                let Some(pieces) = folded_pieces(pieces) else { return false };
                any(attribute, &|value| pieces.are_in(&folded(value)))
            }
            Self::Extensible(extensible) => Bits::read(extensible).is_some_and(|bits| {
                any(&bits.attribute, &|value| number(value).is_some_and(|value| bits.are_in(value)))
            }),
        }
    }

    /// Every attribute that it looks at.
    pub(crate) fn attributes(&self) -> Vec<String> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::attributes).collect(),
            Self::Not(part) => part.attributes(),
            Self::Equal(attribute, _)
            | Self::About(attribute, _)
            | Self::AtLeast(attribute, _)
            | Self::AtMost(attribute, _)
            | Self::Present(attribute)
            | Self::Like(attribute, _) => vec![attribute.clone()],
            Self::Extensible(extensible) => extensible.attribute.iter().cloned().collect(),
        }
    }
}

/// All of these bits, or one of them (MS-ADTS §3.1.1.3.4.4).
struct Bits {
    attribute: String,
    bits: i64,
    all: bool,
}

impl Bits {
    fn read(extensible: &Extensible) -> Option<Self> {
        let all = match extensible.rule.as_deref()? {
            "1.2.840.113556.1.4.803" => true,
            "1.2.840.113556.1.4.804" => false,
            _ => return None,
        };
        Some(Self { attribute: extensible.attribute.clone()?, bits: number(&extensible.value)?, all })
    }

    fn are_in(&self, value: i64) -> bool {
        if self.all { value & self.bits == self.bits } else { value & self.bits != 0 }
    }
}

/// Pieces of text, folded; nothing where one is not text.
pub(crate) fn folded_pieces(pieces: &Pieces) -> Option<Pieces> {
    let fold = |bytes: &Vec<u8>, place| {
        std::str::from_utf8(bytes).ok().map(|text| folding::piece(text, place).into_bytes())
    };
    Some(Pieces {
        start: pieces.start.as_ref().map(|piece| fold(piece, Place::Start).ok_or(())).transpose().ok()?,
        within: pieces.within.iter().map(|piece| fold(piece, Place::Within)).collect::<Option<_>>()?,
        end: pieces.end.as_ref().map(|piece| fold(piece, Place::End).ok_or(())).transpose().ok()?,
    })
}

impl Pieces {
    /// Whether a value has all of them, one after the other. Both are folded.
    pub(crate) fn are_in(&self, value: &[u8]) -> bool {
        let Some(mut rest) = value.strip_prefix(self.start.as_deref().unwrap_or_default()) else {
            return false;
        };
        for piece in &self.within {
            let Some(at) = memmem::find(rest, piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(self.end.as_deref().unwrap_or_default())
    }
}

fn compare(one: &[u8], other: &[u8]) -> std::cmp::Ordering {
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => folded(one).cmp(&folded(other)),
    }
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn folded(value: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(value) {
        Ok(text) => folding::value(text).into_bytes(),
        Err(_) => value.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, expected: bool) {
        let entry = Entry::of(
            "uid=alice",
            &[
                ("uid", b"Alice"),
                ("employeeType", b"Contractor"),
                ("employeeType", b"on leave"),
                ("userAccountControl", b"514"),
                ("photo", b"\xff\xfe"),
                ("note", b"a*b(c)"),
            ],
        );
        assert_eq!(Filter::to_be_judged(filter).unwrap().matches(&entry), expected, "{filter}");
    }

    #[test]
    fn an_entry_is_judged_as_a_server_would() {
        check("(uid=alice)", true);
        check("(uid=bob)", false);
        check("(employeeType=ON LEAVE)", true);
        check("(!(employeeType=on leave))", false);
        check("(&(uid=alice)(employeeType=contractor))", true);
        check("(&(uid=alice)(employeeType=staff))", false);
        check("(|(uid=bob)(photo=*))", true);
        check("(!(mail=*))", true);
        check("(userAccountControl>=600)", false);
        check("(userAccountControl<=514)", true);
        check("(userAccountControl:1.2.840.113556.1.4.803:=2)", true);
        check("(userAccountControl:1.2.840.113556.1.4.803:=3)", false);
        check("(userAccountControl:1.2.840.113556.1.4.804:=3)", true);
        check("(note=a\\2ab\\28c\\29)", true);
        check("(&)", true);
        check("(|)", false);
    }

    #[test]
    fn asterisks_stand_for_anything_between() {
        check("(uid=al*)", true);
        check("(uid=*ice)", true);
        check("(uid=a*i*e)", true);
        check("(uid=*l*c*)", true);
        check("(uid=al*lice)", false);
        check("(employeeType=*leave*)", true);
        check("(uid=*z*)", false);
    }

    #[test]
    fn what_only_a_server_can_judge_is_refused() {
        let chain = Filter::to_be_judged("(memberOf:1.2.840.113556.1.4.1941:=cn=ops)").unwrap_err();
        assert!(chain.contains("only a server"), "{chain}");
        assert!(Filter::to_be_judged("(uid=a").unwrap_err().contains("never closed"));
        let filter = Filter::to_be_judged("(|(a=1)(!(&(b=*)(c=x*)(d>=1)(e<=2))))").unwrap();
        assert_eq!(filter.attributes(), ["a", "b", "c", "d", "e"]);
    }
}
