//! Assertions: a filter as it travels (RFC 4511 §4.5.1.7), read and not yet judged.

use ldap3::asn1::{PL, StructureTag, TagClass};

/// What an entry shall be. Names of attributes and values are as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Equal(String, Vec<u8>),
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    Present(String),
    Like(String, Pieces),
    Extensible(Extensible),
}

/// What stands between the asterisks of a filter: at least one piece, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pieces {
    pub(crate) start: Option<Vec<u8>>,
    pub(crate) within: Vec<Vec<u8>>,
    pub(crate) end: Option<Vec<u8>>,
}

/// A value compared by a rule that the filter names; of one attribute or of all, with those of the entry's name or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extensible {
    pub(crate) rule: Option<String>,
    pub(crate) attribute: Option<String>,
    pub(crate) value: Vec<u8>,
    pub(crate) dn: bool,
}

impl Filter {
    /// Reads a filter; nothing if it is not one. It descends once for each level, which the guard has counted.
    pub(crate) fn read(tag: StructureTag) -> Option<Self> {
        let tag = tag.match_class(TagClass::Context)?;
        let id = tag.id;
        if id == 7 {
            return Some(Self::Present(text(tag)?));
        }
        let mut parts = tag.expect_constructed()?;
        if id == 2 {
            let only = parts.pop().filter(|_| parts.is_empty())?;
            return Some(Self::Not(Box::new(Self::read(only)?)));
        }
        if let 0 | 1 = id {
            let parts = parts.into_iter().map(Self::read).collect::<Option<Vec<_>>>()?;
            return Some(if id == 0 { Self::All(parts) } else { Self::Any(parts) });
        }
        if id == 9 {
            return Extensible::read(parts).map(Self::Extensible);
        }
        let [attribute, value] = <[_; 2]>::try_from(parts).ok()?;
        let attribute = text(attribute)?;
        Some(match id {
            // Everybody's idea of "about" is their own; ours is equality.
            3 | 8 => Self::Equal(attribute, value.expect_primitive()?),
            4 => Self::Like(attribute, Pieces::read(value.expect_constructed()?)?),
            5 => Self::AtLeast(attribute, value.expect_primitive()?),
            6 => Self::AtMost(attribute, value.expect_primitive()?),
            _ => return None,
        })
    }

    /// How many comparisons it asks for, each piece counted, and how many levels it has.
    pub(crate) fn size(&self) -> (usize, usize) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().map(Self::size).fold((1, 1), |sum, part| (sum.0 + part.0, sum.1.max(part.1 + 1)))
            }
            Self::Not(part) => {
                let (count, levels) = part.size();
                (count + 1, levels + 1)
            }
            Self::Like(_, pieces) => (pieces.within.len() + 2, 1),
            // Every attribute is compared.
            Self::Extensible(Extensible { attribute: None, .. }) => (10, 1),
            _ => (1, 1),
        }
    }
}

impl Pieces {
    /// `initial` only first, `final` only last (RFC 4511 §4.5.1.7.2).
    fn read(tags: Vec<StructureTag>) -> Option<Self> {
        let mut pieces = Self::default();
        let last = tags.len().checked_sub(1)?;
        for (place, tag) in tags.into_iter().enumerate() {
            let tag = tag.match_class(TagClass::Context)?;
            let (id, PL::P(bytes)) = (tag.id, tag.payload) else { return None };
            match id {
                0 if place == 0 => pieces.start = Some(bytes),
                1 => pieces.within.push(bytes),
                2 if place == last => pieces.end = Some(bytes),
                _ => return None,
            }
        }
        Some(pieces)
    }
}

impl Extensible {
    fn read(parts: Vec<StructureTag>) -> Option<Self> {
        let (mut rule, mut attribute, mut value, mut dn) = (None, None, None, false);
        for part in parts {
            let part = part.match_class(TagClass::Context)?;
            match part.id {
                1 => rule = Some(text(part)?),
                2 => attribute = Some(text(part)?),
                3 => value = Some(part.expect_primitive()?),
                4 => dn = part.expect_primitive()?.first().is_some_and(|byte| *byte != 0),
                _ => return None,
            }
        }
        Some(Self { rule, attribute, value: value?, dn })
    }
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(tag.expect_primitive()?).ok()
}
