//! Requests, read from their bytes (RFC 4511 §4).

use std::fmt;

use ldap3::asn1::{PL, StructureTag, TagClass, parse_tag, parse_uint};
use zeroize::Zeroizing;

use super::answer::Kind;
use super::oid;
use super::paging::Page;
use crate::assertion::Filter;
use crate::guard;

/// Never shown: it may hold a password.
pub(super) struct Message {
    pub(super) id: u32,
    pub(super) operation: Operation,
    /// A critical control that nobody knows here.
    pub(super) unknown_control: bool,
    pub(super) page: Option<Page>,
}

pub(super) enum Operation {
    Bind {
        version: u64,
        name: String,
        how: Authentication,
    },
    Unbind,
    Abandon(u32),
    Search(Search),
    Compare {
        name: String,
        attribute: String,
        value: Vec<u8>,
    },
    /// What would change something, and how its answer is called.
    Write(Kind),
    Extended {
        name: String,
        has_value: bool,
    },
}

pub(super) enum Authentication {
    Password(Zeroizing<Vec<u8>>),
    Sasl { mechanism: String, credentials: Option<Zeroizing<Vec<u8>>> },
    Unknown,
}

pub(super) struct Search {
    pub(super) base: String,
    pub(super) scope: Scope,
    pub(super) size_limit: u32,
    pub(super) time_limit: u32,
    pub(super) types_only: bool,
    pub(super) filter: Filter,
    pub(super) attributes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Base,
    One,
    Whole,
}

/// Levels of a message. Each level of a filter is one, and above it are two.
const DEEPEST: usize = 72;
const MOST_CONTROLS: usize = 16;

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({})", self.id)
    }
}

impl Message {
    /// Reads a message that has the length it announces; nothing if it is none of a client's.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        guard::check(bytes, DEEPEST).ok()?;
        let (_, message) = parse_tag(bytes).ok()?;
        let mut parts = constructed(message, TagClass::Universal, 16)?.into_iter();
        let id = number(parts.next()?, 2).filter(|id| (1..=0x7fff_ffff).contains(id))?;
        let operation = Operation::read(parts.next()?)?;
        let mut message = Self { id: u32::try_from(id).ok()?, operation, unknown_control: false, page: None };
        if let Some(controls) = parts.next() {
            let controls = constructed(controls, TagClass::Context, 0)?;
            if controls.len() > MOST_CONTROLS {
                return None;
            }
            controls.into_iter().try_for_each(|control| message.add(control))?;
        }
        parts.next().is_none().then_some(message)
    }

    /// Control (RFC 4511 §4.1.11).
    fn add(&mut self, control: StructureTag) -> Option<()> {
        let mut parts = constructed(control, TagClass::Universal, 16)?.into_iter().peekable();
        let name = text(parts.next()?)?;
        let critical = parts.next_if(|part| part.id == 1).map(boolean);
        let critical = critical.unwrap_or(Some(false))?;
        let value = parts.next().map(octets);
        let searches = matches!(self.operation, Operation::Search(_));
        match name.as_str() {
            oid::PAGED_RESULTS if searches => self.page = Some(Page::read(&value??)?),
            oid::MANAGE_DSA_IT => {}
            // Criticality says nothing where there is no answer (RFC 4511 §4.1.11).
            _ if matches!(self.operation, Operation::Unbind | Operation::Abandon(_)) => {}
            _ => self.unknown_control |= critical,
        }
        parts.next().is_none().then_some(())
    }
}

impl Operation {
    /// The message that ends it. The first two are never asked: they have none.
    pub(super) fn answered_by(&self) -> Kind {
        match self {
            Self::Unbind | Self::Abandon(_) | Self::Extended { .. } => Kind::Extended,
            Self::Bind { .. } => Kind::Bind,
            Self::Search(_) => Kind::SearchDone,
            Self::Compare { .. } => Kind::Compare,
            Self::Write(kind) => *kind,
        }
    }

    fn read(tag: StructureTag) -> Option<Self> {
        let tag = tag.match_class(TagClass::Application)?;
        match (tag.id, tag.payload) {
            (0, PL::C(parts)) => Self::bind(parts),
            (2, PL::P(nothing)) => nothing.is_empty().then_some(Self::Unbind),
            (3, PL::C(parts)) => Search::read(parts).map(Self::Search),
            (6, PL::C(_)) => Some(Self::Write(Kind::Modify)),
            (8, PL::C(_)) => Some(Self::Write(Kind::Add)),
            (10, PL::P(_)) => Some(Self::Write(Kind::Delete)),
            (12, PL::C(_)) => Some(Self::Write(Kind::ModifyDn)),
            (14, PL::C(parts)) => Self::compare(parts),
            (16, PL::P(id)) => Some(Self::Abandon(u32::try_from(unsigned(&id)?).ok()?)),
            (23, PL::C(parts)) => Self::extended(parts),
            _ => None,
        }
    }

    fn bind(parts: Vec<StructureTag>) -> Option<Self> {
        let [version, name, how] = <[_; 3]>::try_from(parts).ok()?;
        let how = how.match_class(TagClass::Context)?;
        let how = match (how.id, how.payload) {
            // The parser's only copy of the password is moved here.
            (0, PL::P(password)) => Authentication::Password(Zeroizing::new(password)),
            (3, PL::C(parts)) => {
                let mut parts = parts.into_iter();
                let mechanism = text(parts.next()?)?;
                let credentials = parts.next().map(|part| octets(part).map(Zeroizing::new).ok_or(()));
                let credentials = credentials.transpose().ok()?;
                Authentication::Sasl { mechanism, credentials }
            }
            _ => Authentication::Unknown,
        };
        Some(Self::Bind { version: number(version, 2)?, name: text(name)?, how })
    }

    fn compare(parts: Vec<StructureTag>) -> Option<Self> {
        let [name, assertion] = <[_; 2]>::try_from(parts).ok()?;
        let [attribute, value] = <[_; 2]>::try_from(constructed(assertion, TagClass::Universal, 16)?).ok()?;
        Some(Self::Compare { name: text(name)?, attribute: text(attribute)?, value: octets(value)? })
    }

    fn extended(parts: Vec<StructureTag>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let name = parts.next()?.match_class(TagClass::Context)?.match_id(0)?;
        let name = String::from_utf8(name.expect_primitive()?).ok()?;
        Some(Self::Extended { name, has_value: parts.next().is_some() })
    }
}

impl Search {
    fn read(parts: Vec<StructureTag>) -> Option<Self> {
        let [base, scope, aliases, size, time, types, filter, attributes] = <[_; 8]>::try_from(parts).ok()?;
        let scope = match number(scope, 10)? {
            0 => Scope::Base,
            1 => Scope::One,
            2 => Scope::Whole,
            _ => return None,
        };
        // There are no aliases to follow or not.
        number(aliases, 10).filter(|how| *how <= 3)?;
        let limit = |tag| number(tag, 2).filter(|limit| *limit <= 0x7fff_ffff).map(|limit| limit as u32);
        let attributes = constructed(attributes, TagClass::Universal, 16)?;
        Some(Self {
            base: text(base)?,
            scope,
            size_limit: limit(size)?,
            time_limit: limit(time)?,
            types_only: boolean(types)?,
            filter: Filter::read(filter)?,
            attributes: attributes.into_iter().map(text).collect::<Option<_>>()?,
        })
    }
}

pub(super) fn constructed(tag: StructureTag, class: TagClass, id: u64) -> Option<Vec<StructureTag>> {
    tag.match_class(class)?.match_id(id)?.expect_constructed()
}

pub(super) fn octets(tag: StructureTag) -> Option<Vec<u8>> {
    tag.match_class(TagClass::Universal)?.match_id(4)?.expect_primitive()
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(octets(tag)?).ok()
}

/// A non-negative INTEGER or ENUMERATED.
pub(super) fn number(tag: StructureTag, id: u64) -> Option<u64> {
    unsigned(&tag.match_class(TagClass::Universal)?.match_id(id)?.expect_primitive()?)
}

fn unsigned(bytes: &[u8]) -> Option<u64> {
    let positive = (1..=8).contains(&bytes.len()) && bytes[0] < 0x80;
    positive.then(|| parse_uint(bytes).ok().map(|(_, value)| value))?
}

fn boolean(tag: StructureTag) -> Option<bool> {
    let bytes = tag.match_class(TagClass::Universal)?.match_id(1)?.expect_primitive()?;
    (bytes.len() == 1).then(|| bytes[0] != 0)
}
