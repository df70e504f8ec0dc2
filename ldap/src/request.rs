//! Requests: what is asked of a server, as it travels (RFC 4511 §4).

use zeroize::Zeroizing;

use crate::assertion::Filter;
use crate::ber::{self, BOOLEAN, ENUMERATED, INTEGER, OCTETS, SEQUENCE, SET};

/// What else is asked of the server (§4.1.11).
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(crate) name: &'static str,
    /// Whether the server shall refuse what it does not know.
    pub(crate) critical: bool,
    pub(crate) value: Option<Vec<u8>>,
}

/// How far below the base (§4.5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Base,
    One,
    Whole,
}

/// A search (§4.5.1). Aliases are not followed.
pub(crate) struct Question<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    /// The most entries; 0 is any number.
    pub(crate) most: u32,
    pub(crate) filter: &'a Filter,
    pub(crate) attributes: &'a [String],
}

/// One change of an entry's attribute, value by value (§4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Modification<'a> {
    Add(&'static str, Vec<&'a [u8]>),
    Delete(&'static str, Vec<&'a [u8]>),
}

/// A message, wiped when it was sent: it may hold a password.
pub(crate) type Message = Zeroizing<Vec<u8>>;

/// Room for what surrounds names and values, so that a message with a password does not grow out of its place and leave
/// a copy behind.
const ROOM: usize = 1024;

/// The message with this operation.
pub(crate) fn message(id: u32, controls: &[Control], operation: impl FnOnce(&mut Vec<u8>)) -> Message {
    let mut out = Zeroizing::new(Vec::with_capacity(ROOM));
    ber::wrap(&mut out, SEQUENCE, |out| {
        ber::number(out, INTEGER, id);
        operation(out);
        if !controls.is_empty() {
            ber::wrap(out, 0xa0, |out| controls.iter().for_each(|control| control.write(out)));
        }
    });
    out
}

/// Signs the connection in by name and password (§4.2).
pub(crate) fn bind(out: &mut Vec<u8>, dn: &str, password: &str) {
    out.reserve(ROOM + dn.len() + password.len());
    start_bind(out, dn, |out| ber::put(out, 0x80, password.as_bytes()));
}

/// Signs it in by a mechanism of SASL, with what that has to say (§4.2).
pub(crate) fn bind_by(out: &mut Vec<u8>, mechanism: &str, said: &[u8]) {
    start_bind(out, "", |out| {
        ber::wrap(out, 0xa3, |out| {
            ber::put(out, OCTETS, mechanism.as_bytes());
            ber::put(out, OCTETS, said);
        });
    });
}

fn start_bind(out: &mut Vec<u8>, dn: &str, how: impl FnOnce(&mut Vec<u8>)) {
    ber::wrap(out, 0x60, |out| {
        ber::number(out, INTEGER, 3);
        ber::put(out, OCTETS, dn.as_bytes());
        how(out);
    });
}

/// Takes leave (§4.3).
pub(crate) fn unbind(out: &mut Vec<u8>) {
    ber::put(out, 0x42, b"");
}

/// The answers to this question are no longer wanted (§4.11).
pub(crate) fn abandon(out: &mut Vec<u8>, id: u32) {
    ber::number(out, 0x50, id);
}

/// Asks for TLS (§4.14.1).
pub(crate) fn start_tls(out: &mut Vec<u8>) {
    ber::wrap(out, 0x77, |out| ber::put(out, 0x80, b"1.3.6.1.4.1.1466.20037"));
}

/// Changes an entry.
pub(crate) fn modify(out: &mut Vec<u8>, dn: &str, changes: &[Modification<'_>]) {
    ber::wrap(out, 0x66, |out| {
        ber::put(out, OCTETS, dn.as_bytes());
        ber::wrap(out, SEQUENCE, |out| changes.iter().for_each(|change| change.write(out)));
    });
}

impl Control {
    fn write(&self, out: &mut Vec<u8>) {
        ber::wrap(out, SEQUENCE, |out| {
            ber::put(out, OCTETS, self.name.as_bytes());
            if self.critical {
                ber::put(out, BOOLEAN, &[0xff]);
            }
            if let Some(value) = &self.value {
                ber::put(out, OCTETS, value);
            }
        });
    }
}

impl Question<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let scope = match self.scope {
            Scope::Base => 0,
            Scope::One => 1,
            Scope::Whole => 2,
        };
        ber::wrap(out, 0x63, |out| {
            ber::put(out, OCTETS, self.base.as_bytes());
            ber::number(out, ENUMERATED, scope);
            ber::number(out, ENUMERATED, 0);
            ber::number(out, INTEGER, self.most);
            ber::number(out, INTEGER, 0);
            ber::put(out, BOOLEAN, &[0]);
            self.filter.write(out);
            ber::wrap(out, SEQUENCE, |out| {
                self.attributes.iter().for_each(|name| ber::put(out, OCTETS, name.as_bytes()));
            });
        });
    }
}

impl Modification<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let (operation, attribute, values) = match self {
            Self::Add(attribute, values) => (0, attribute, values),
            Self::Delete(attribute, values) => (1, attribute, values),
        };
        ber::wrap(out, SEQUENCE, |out| {
            ber::number(out, ENUMERATED, operation);
            ber::wrap(out, SEQUENCE, |out| {
                ber::put(out, OCTETS, attribute.as_bytes());
                ber::wrap(out, SET, |out| values.iter().for_each(|value| ber::put(out, OCTETS, value)));
            });
        });
    }
}
