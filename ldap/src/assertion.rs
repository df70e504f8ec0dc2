//! Assertions: a filter as it travels (RFC 4511 §4.5.1.7), read or written, and not yet judged.

use crate::ber::{self, Elements, OCTETS, text};

/// What an entry shall be. Names of attributes and values are as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Equal(String, Vec<u8>),
    /// Equal in a way that everybody understands differently; ours is equality.
    About(String, Vec<u8>),
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
    /// Whoever has any value of this attribute.
    pub(crate) fn present(attribute: &str) -> Self {
        Self::Present(attribute.to_owned())
    }

    /// Whoever has just this value. It is a value and never part of a filter, whatever is in it.
    pub(crate) fn equal(attribute: &str, value: impl Into<Vec<u8>>) -> Self {
        Self::Equal(attribute.to_owned(), value.into())
    }

    /// Those of them that pass another filter too.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::All(vec![self, other])
    }

    /// Reads a filter from its tag and content; nothing if it is not one. It descends once for each level, which whoever
    /// calls has bounded.
    pub(crate) fn read((tag, content): (u8, &[u8])) -> Option<Self> {
        let mut parts = Elements::of(content);
        Some(match tag {
            ALL => Self::All(parts.map(Self::read).collect::<Option<_>>()?),
            ANY => Self::Any(parts.map(Self::read).collect::<Option<_>>()?),
            NOT => {
                let only = Self::read(parts.next()?)?;
                Self::Not(parts.is_empty().then(|| Box::new(only))?)
            }
            PRESENT => Self::Present(text(content)?),
            EXTENSIBLE => Self::Extensible(Extensible::read(parts)?),
            LIKE => {
                let (attribute, pieces) = (parts.text()?, parts.enter(ber::SEQUENCE)?);
                Self::Like(attribute, parts.is_empty().then(|| Pieces::read(pieces))??)
            }
            EQUAL | AT_LEAST | AT_MOST | ABOUT => {
                let (attribute, value) = (parts.text()?, parts.value(OCTETS)?.to_vec());
                parts.is_empty().then_some(())?;
                match tag {
                    EQUAL => Self::Equal(attribute, value),
                    AT_LEAST => Self::AtLeast(attribute, value),
                    AT_MOST => Self::AtMost(attribute, value),
                    _ => Self::About(attribute, value),
                }
            }
            _ => return None,
        })
    }

    /// Writes it as it travels.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let compare = |out: &mut Vec<u8>, tag, attribute: &str, value: &[u8]| {
            ber::wrap(out, tag, |out| {
                ber::put(out, OCTETS, attribute.as_bytes());
                ber::put(out, OCTETS, value);
            });
        };
        match self {
            Self::All(parts) => ber::wrap(out, ALL, |out| parts.iter().for_each(|part| part.write(out))),
            Self::Any(parts) => ber::wrap(out, ANY, |out| parts.iter().for_each(|part| part.write(out))),
            Self::Not(part) => ber::wrap(out, NOT, |out| part.write(out)),
            Self::Equal(attribute, value) => compare(out, EQUAL, attribute, value),
            Self::About(attribute, value) => compare(out, ABOUT, attribute, value),
            Self::AtLeast(attribute, value) => compare(out, AT_LEAST, attribute, value),
            Self::AtMost(attribute, value) => compare(out, AT_MOST, attribute, value),
            Self::Present(attribute) => ber::put(out, PRESENT, attribute.as_bytes()),
            Self::Like(attribute, pieces) => ber::wrap(out, LIKE, |out| {
                ber::put(out, OCTETS, attribute.as_bytes());
                ber::wrap(out, ber::SEQUENCE, |out| pieces.write(out));
            }),
            Self::Extensible(extensible) => ber::wrap(out, EXTENSIBLE, |out| extensible.write(out)),
        }
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
    fn read(parts: Elements<'_>) -> Option<Self> {
        let mut pieces = Self::default();
        let last = parts.count().checked_sub(1)?;
        for (place, (tag, bytes)) in parts.enumerate() {
            match tag {
                START if place == 0 => pieces.start = Some(bytes.to_vec()),
                WITHIN => pieces.within.push(bytes.to_vec()),
                END if place == last => pieces.end = Some(bytes.to_vec()),
                _ => return None,
            }
        }
        Some(pieces)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let Self { start, within, end } = self;
        start.iter().for_each(|piece| ber::put(out, START, piece));
        within.iter().for_each(|piece| ber::put(out, WITHIN, piece));
        end.iter().for_each(|piece| ber::put(out, END, piece));
    }
}

impl Extensible {
    fn read(parts: Elements<'_>) -> Option<Self> {
        let (mut rule, mut attribute, mut value, mut dn) = (None, None, None, false);
        for (tag, content) in parts {
            match tag {
                RULE => rule = Some(text(content)?),
                ATTRIBUTE => attribute = Some(text(content)?),
                VALUE => value = Some(content.to_vec()),
                OF_DN => dn = content.first().is_some_and(|byte| *byte != 0),
                _ => return None,
            }
        }
        Some(Self { rule, attribute, value: value?, dn })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.rule.iter().for_each(|rule| ber::put(out, RULE, rule.as_bytes()));
        self.attribute.iter().for_each(|attribute| ber::put(out, ATTRIBUTE, attribute.as_bytes()));
        ber::put(out, VALUE, &self.value);
        if self.dn {
            ber::put(out, OF_DN, &[0xff]);
        }
    }
}

const ALL: u8 = 0xa0;
const ANY: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUAL: u8 = 0xa3;
const LIKE: u8 = 0xa4;
const AT_LEAST: u8 = 0xa5;
const AT_MOST: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const ABOUT: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

const START: u8 = 0x80;
const WITHIN: u8 = 0x81;
const END: u8 = 0x82;

const RULE: u8 = 0x81;
const ATTRIBUTE: u8 = 0x82;
const VALUE: u8 = 0x83;
const OF_DN: u8 = 0x84;
