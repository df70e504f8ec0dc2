//! Requests, read from their bytes (RFC 4511 §4).

use std::fmt;

use zeroize::Zeroizing;

use super::answer::Kind;
use super::oid;
use super::paging::Page;
use crate::assertion::Filter;
use crate::ber::{self, BOOLEAN, ENUMERATED, Elements, INTEGER, OCTETS, SEQUENCE};
use crate::request::Scope;

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
        let mut parts = Elements::checked(bytes, DEEPEST)?.enter(SEQUENCE)?;
        let id = parts.number(INTEGER).filter(|id| (1..=0x7fff_ffff).contains(id))?;
        let operation = Operation::read(parts.next()?)?;
        let mut message = Self { id: u32::try_from(id).ok()?, operation, unknown_control: false, page: None };
        if !parts.is_empty() {
            let controls = parts.enter(0xa0)?;
            if controls.count() > MOST_CONTROLS {
                return None;
            }
            for (tag, control) in controls {
                message.add(Elements::of(control)).filter(|()| tag == SEQUENCE)?;
            }
        }
        parts.is_empty().then_some(message)
    }

    /// Control (RFC 4511 §4.1.11).
    fn add(&mut self, mut parts: Elements<'_>) -> Option<()> {
        let name = parts.text()?;
        let critical = parts.value(BOOLEAN).map_or(Some(false), boolean)?;
        let value = parts.value(OCTETS);
        let searches = matches!(self.operation, Operation::Search(_));
        match name.as_str() {
            oid::PAGED_RESULTS if searches => self.page = Some(Page::read(value?)?),
            oid::MANAGE_DSA_IT => {}
            // Criticality says nothing where there is no answer (RFC 4511 §4.1.11).
            _ if matches!(self.operation, Operation::Unbind | Operation::Abandon(_)) => {}
            _ => self.unknown_control |= critical,
        }
        parts.is_empty().then_some(())
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

    fn read((tag, content): (u8, &[u8])) -> Option<Self> {
        let parts = Elements::of(content);
        match tag {
            0x60 => Self::bind(parts),
            0x42 => parts.is_empty().then_some(Self::Unbind),
            0x63 => Search::read(parts).map(Self::Search),
            0x66 => Some(Self::Write(Kind::Modify)),
            0x68 => Some(Self::Write(Kind::Add)),
            0x4a => Some(Self::Write(Kind::Delete)),
            0x6c => Some(Self::Write(Kind::ModifyDn)),
            0x6e => Self::compare(parts),
            0x50 => Some(Self::Abandon(u32::try_from(ber::unsigned(content)?).ok()?)),
            0x77 => Self::extended(parts),
            _ => None,
        }
    }

    fn bind(mut parts: Elements<'_>) -> Option<Self> {
        let (version, name) = (parts.number(INTEGER)?, parts.text()?);
        let how = match parts.next()? {
            (0x80, password) => Authentication::Password(Zeroizing::new(password.to_vec())),
            (0xa3, sasl) => {
                let mut parts = Elements::of(sasl);
                let (mechanism, credentials) = (parts.text()?, parts.value(OCTETS));
                let credentials = credentials.map(|credentials| Zeroizing::new(credentials.to_vec()));
                parts.is_empty().then_some(Authentication::Sasl { mechanism, credentials })?
            }
            (tag, _) if tag & 0xc0 == 0x80 => Authentication::Unknown,
            _ => return None,
        };
        parts.is_empty().then_some(Self::Bind { version, name, how })
    }

    fn compare(mut parts: Elements<'_>) -> Option<Self> {
        let (name, mut assertion) = (parts.text()?, parts.enter(SEQUENCE)?);
        let (attribute, value) = (assertion.text()?, assertion.value(OCTETS)?.to_vec());
        (parts.is_empty() && assertion.is_empty()).then_some(Self::Compare { name, attribute, value })
    }

    fn extended(mut parts: Elements<'_>) -> Option<Self> {
        let name = ber::text(parts.value(0x80)?)?;
        Some(Self::Extended { name, has_value: !parts.is_empty() })
    }
}

impl Search {
    fn read(mut parts: Elements<'_>) -> Option<Self> {
        let base = parts.text()?;
        let scope = match parts.number(ENUMERATED)? {
            0 => Scope::Base,
            1 => Scope::One,
            2 => Scope::Whole,
            _ => return None,
        };
        // There are no aliases to follow or not.
        parts.number(ENUMERATED).filter(|how| *how <= 3)?;
        let mut limit =
            || parts.number(INTEGER).filter(|limit| *limit <= 0x7fff_ffff).map(|limit| limit as u32);
        let (size_limit, time_limit) = (limit()?, limit()?);
        let types_only = boolean(parts.value(BOOLEAN)?)?;
        let filter = Filter::read(parts.next()?)?;
        let name = |(tag, name)| ber::text(name).filter(|_| tag == OCTETS);
        let attributes = parts.enter(SEQUENCE)?.map(name).collect::<Option<_>>()?;
        parts.is_empty().then_some(Self {
            base,
            scope,
            size_limit,
            time_limit,
            types_only,
            filter,
            attributes,
        })
    }
}

fn boolean(bytes: &[u8]) -> Option<bool> {
    (bytes.len() == 1).then(|| bytes[0] != 0)
}
