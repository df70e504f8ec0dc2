//! A filter made ready for many entries: attributes looked up, values prepared, what is Undefined settled.
//!
//! Whether an item is Undefined (RFC 4511 §4.5.1.7) depends on the filter and never on the entry: an unknown attribute,
//! a value that its rule does not have. An entry is sent only where the whole is True. So Undefined counts as false
//! below an even number of negations and as true below an odd one, and two values are enough afterwards.

use memchr::memmem::Finder;

use super::schema::{Attribute, Rule};
use crate::assertion::{Extensible, Filter, Pieces};

/// Judged as it stands; no third value is left.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Constant(bool),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Item(Item),
}

/// One comparison with the values of one attribute.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) attribute: Attribute,
    /// Whether the parts of the entry's name count as values.
    pub(super) dn: bool,
    pub(super) how: How,
}

#[derive(Clone, Debug)]
pub(super) enum How {
    Present,
    /// The prepared value, and the same between two [`SEPARATOR`]s, to be found among many.
    Equal(Vec<u8>, Box<Finder<'static>>),
    /// The prepared pieces, and the longest of them; bare where it is all that is asked for.
    Like {
        pieces: Pieces,
        longest: Box<Finder<'static>>,
        bare: bool,
    },
    AtLeast(Vec<u8>),
    AtMost(Vec<u8>),
}

/// Stands between values, and in none: UTF-8 has no such byte.
pub(super) const SEPARATOR: u8 = 0xff;

impl Test {
    /// `served` tells which attributes there are.
    pub(super) fn new(filter: &Filter, served: &dyn Fn(Attribute) -> bool) -> Self {
        Self::read(filter, served, false)
    }

    fn read(filter: &Filter, served: &dyn Fn(Attribute) -> bool, undefined: bool) -> Self {
        let known = |name: &str| Attribute::described(name).filter(|attribute| served(*attribute));
        let item = |name: &str, how: &dyn Fn(Rule) -> Option<How>| {
            let item = known(name).and_then(|attribute| Item::new(attribute, false, how));
            item.map_or(Self::Constant(undefined), Self::Item)
        };
        let many = |parts: &[Filter]| {
            parts.iter().map(|part| Self::read(part, served, undefined)).collect::<Vec<_>>()
        };
        match filter {
            Filter::All(parts) => Self::all(many(parts)),
            Filter::Any(parts) => Self::any(many(parts)),
            Filter::Not(part) => match Self::read(part, served, !undefined) {
                Self::Constant(value) => Self::Constant(!value),
                other => Self::Not(Box::new(other)),
            },
            Filter::Present(name) => item(name, &|_| Some(How::Present)),
            Filter::Equal(name, value) | Filter::About(name, value) => {
                item(name, &|rule| How::equal(rule, value))
            }
            Filter::Like(name, pieces) => item(name, &|rule| How::like(rule, pieces)),
            Filter::AtLeast(name, value) => {
                item(name, &|rule| rule.has_order().then(|| rule.prepare(value).map(How::AtLeast))?)
            }
            Filter::AtMost(name, value) => {
                item(name, &|rule| rule.has_order().then(|| rule.prepare(value).map(How::AtMost))?)
            }
            Filter::Extensible(extensible) => Self::extensible(extensible, served, undefined),
        }
    }

    /// Equality by the rule that is named; of all attributes that have this rule where none is named.
    fn extensible(extensible: &Extensible, served: &dyn Fn(Attribute) -> bool, undefined: bool) -> Self {
        let Extensible { rule, attribute, value, dn } = extensible;
        let named = attribute.as_ref().map(|name| Attribute::described(name));
        if rule.is_none() && named.is_none() {
            return Self::Constant(undefined);
        }
        let meant = |candidate: &Attribute| {
            served(*candidate)
                && named.is_none_or(|named| named == Some(*candidate))
                && rule.as_ref().is_none_or(|rule| candidate.definition().rule.is_called(rule))
        };
        let items = Attribute::ALL.into_iter().filter(meant);
        let items = items.filter_map(|attribute| Item::new(attribute, *dn, &|rule| How::equal(rule, value)));
        match items.map(Self::Item).collect::<Vec<_>>() {
            none if none.is_empty() => Self::Constant(undefined),
            items => Self::any(items),
        }
    }

    fn all(mut parts: Vec<Self>) -> Self {
        if parts.iter().any(|part| matches!(part, Self::Constant(false))) {
            return Self::Constant(false);
        }
        parts.retain(|part| !matches!(part, Self::Constant(true)));
        if parts.is_empty() { Self::Constant(true) } else { Self::All(parts) }
    }

    fn any(mut parts: Vec<Self>) -> Self {
        if parts.iter().any(|part| matches!(part, Self::Constant(true))) {
            return Self::Constant(true);
        }
        parts.retain(|part| !matches!(part, Self::Constant(false)));
        if parts.is_empty() { Self::Constant(false) } else { Self::Any(parts) }
    }

    /// How many comparisons each entry costs.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Constant(_) => 1,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::cost).sum::<usize>().max(1),
            Self::Not(part) => part.cost(),
            Self::Item(_) => 1,
        }
    }
}

impl Item {
    /// Nothing where the attribute's rule cannot judge it.
    pub(super) fn new(attribute: Attribute, dn: bool, how: &dyn Fn(Rule) -> Option<How>) -> Option<Self> {
        how(attribute.definition().rule).map(|how| Self { attribute, dn, how })
    }
}

impl How {
    pub(super) fn equal(rule: Rule, value: &[u8]) -> Option<Self> {
        let value = rule.prepare(value)?;
        let needle = [&[SEPARATOR], value.as_slice(), &[SEPARATOR]].concat();
        Some(Self::Equal(value, Box::new(Finder::new(&needle).into_owned())))
    }

    fn like(rule: Rule, pieces: &Pieces) -> Option<Self> {
        let pieces = rule.prepare_pieces(pieces)?;
        let start = pieces.start.iter().map(|piece| [&[SEPARATOR], piece.as_slice()].concat());
        let end = pieces.end.iter().map(|piece| [piece.as_slice(), &[SEPARATOR]].concat());
        let all: Vec<_> = start.chain(pieces.within.iter().cloned()).chain(end).collect();
        let longest = all.iter().max_by_key(|piece| piece.len())?;
        let longest = Box::new(Finder::new(longest).into_owned());
        Some(Self::Like { bare: all.len() == 1, pieces, longest })
    }

    /// Whether one prepared value passes.
    pub(super) fn accepts(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Equal(wanted, _) => value == wanted,
            Self::Like { pieces, .. } => pieces.are_in(value),
            Self::AtLeast(least) => value >= least.as_slice(),
            Self::AtMost(most) => value <= most.as_slice(),
        }
    }
}
