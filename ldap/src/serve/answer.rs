//! Answers: results and the messages that carry them (RFC 4511 §4.1.9).

use super::oid;
use crate::ber::{self, ENUMERATED, INTEGER, OCTETS, SEQUENCE};

/// The result codes that are given here (RFC 4511 appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Success = 0,
    ProtocolError = 2,
    TimeLimitExceeded = 3,
    SizeLimitExceeded = 4,
    CompareFalse = 5,
    CompareTrue = 6,
    AuthMethodNotSupported = 7,
    AdminLimitExceeded = 11,
    UnavailableCriticalExtension = 12,
    NoSuchAttribute = 16,
    UndefinedAttributeType = 17,
    InappropriateMatching = 18,
    InvalidAttributeSyntax = 21,
    NoSuchObject = 32,
    InvalidDnSyntax = 34,
    InappropriateAuthentication = 48,
    InvalidCredentials = 49,
    InsufficientAccessRights = 50,
    Busy = 51,
    Unavailable = 52,
    UnwillingToPerform = 53,
}

/// The messages that end an operation, by their tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bind = 0x61,
    SearchDone = 0x65,
    Modify = 0x67,
    Add = 0x69,
    Delete = 0x6b,
    ModifyDn = 0x6d,
    Compare = 0x6f,
    Extended = 0x78,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: Code,
    /// The nearest entry there is, where the one that was named is not.
    pub(super) matched: String,
    pub(super) text: &'static str,
    /// The value that Who am I? asks for.
    pub(super) value: Option<String>,
    /// The cookie of a page; empty on the last one.
    pub(super) cookie: Option<Vec<u8>>,
}

impl Outcome {
    pub(super) fn new(code: Code, text: &'static str) -> Self {
        Self { code, text, matched: String::new(), value: None, cookie: None }
    }

    /// Writes it as the message that ends operation `id`.
    pub(super) fn write(&self, out: &mut Vec<u8>, id: u32, kind: Kind) {
        ber::wrap(out, SEQUENCE, |out| {
            ber::number(out, INTEGER, id);
            ber::wrap(out, kind as u8, |out| {
                self.write_result(out);
                if let Some(value) = &self.value {
                    // responseValue (RFC 4511 §4.12)
                    ber::put(out, 0x8b, value.as_bytes());
                }
            });
            if let Some(cookie) = &self.cookie {
                write_page(out, cookie);
            }
        });
    }

    fn write_result(&self, out: &mut Vec<u8>) {
        ber::number(out, ENUMERATED, self.code as u32);
        ber::put(out, OCTETS, self.matched.as_bytes());
        ber::put(out, OCTETS, self.text.as_bytes());
    }
}

/// Controls with one, that of RFC 2696. How many there are in all is not known before they are found: 0.
fn write_page(out: &mut Vec<u8>, cookie: &[u8]) {
    let mut value = Vec::with_capacity(cookie.len() + 16);
    ber::wrap(&mut value, SEQUENCE, |out| {
        ber::number(out, INTEGER, 0);
        ber::put(out, OCTETS, cookie);
    });
    ber::wrap(out, 0xa0, |out| {
        ber::wrap(out, SEQUENCE, |out| {
            ber::put(out, OCTETS, oid::PAGED_RESULTS.as_bytes());
            ber::put(out, OCTETS, &value);
        });
    });
}

/// Writes the Notice of Disconnection, the last message of a connection.
pub(super) fn write_notice(out: &mut Vec<u8>, code: Code, text: &'static str) {
    ber::wrap(out, SEQUENCE, |out| {
        ber::number(out, INTEGER, 0);
        ber::wrap(out, Kind::Extended as u8, |out| {
            Outcome::new(code, text).write_result(out);
            ber::put(out, 0x8a, oid::NOTICE_OF_DISCONNECTION.as_bytes());
        });
    });
}
