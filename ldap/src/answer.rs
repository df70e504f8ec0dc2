//! Answers: messages of a server, taken apart no further than to know what they are (RFC 4511 §4.1.1).

use std::ops::Range;

use crate::ber::{self, ENUMERATED, Elements, INTEGER, OCTETS, SEQUENCE};
use crate::{diagnostic, guard};

/// One message, well-formed to its last byte.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whose answer it is; 0 is nobody's (§4.4).
    pub(crate) id: u32,
    /// The tag of its operation, which says what it is.
    pub(crate) operation: u8,
    bytes: Vec<u8>,
    body: Range<usize>,
    controls: Range<usize>,
}

pub(crate) const BIND: u8 = 0x61;
pub(crate) const ENTRY: u8 = 0x64;
pub(crate) const SEARCH_DONE: u8 = 0x65;
pub(crate) const MODIFY: u8 = 0x67;
pub(crate) const REFERENCE: u8 = 0x73;
pub(crate) const EXTENDED: u8 = 0x78;
pub(crate) const INTERMEDIATE: u8 = 0x79;
const CONTROLS: u8 = 0xa0;

/// How an operation ended (§4.1.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Result code of RFC 4511 appendix A.
    pub(crate) code: u32,
    /// The server's words, as they came.
    pub(crate) text: String,
}

impl Answer {
    /// Reads what the guard let through; nothing if it is no message of LDAP.
    pub(crate) fn read(bytes: Vec<u8>) -> Option<Self> {
        let mut parts = Elements::of(&bytes).enter(SEQUENCE)?;
        let id = u32::try_from(parts.number(INTEGER)?).ok()?;
        let (operation, body) = parts.next()?;
        let controls = parts.value(CONTROLS).map_or(0..0, |controls| ber::place(&bytes, controls));
        let body = ber::place(&bytes, body);
        Some(Self { id, operation, bytes, body, controls })
    }

    /// Whether no other follows it to the same question: it is not one of the many that a search may have (§4.5.2, §4.13).
    pub(crate) fn ends(&self) -> bool {
        !matches!(self.operation, ENTRY | REFERENCE | INTERMEDIATE)
    }

    pub(crate) fn body(&self) -> Elements<'_> {
        Elements::of(&self.bytes[self.body.clone()])
    }

    /// The bytes of the message, and where its body is in them.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Range<usize>) {
        (self.bytes, self.body)
    }

    /// What stands in the value of the control with this name; nothing where it is not readable.
    pub(crate) fn control(&self, name: &str) -> Option<Elements<'_>> {
        let mut control = self.controls().find_map(|control| named(control, name))?;
        let _critical = control.value(ber::BOOLEAN);
        guard::inside(control.value(OCTETS)?)
    }

    pub(crate) fn has_control(&self, name: &str) -> bool {
        self.controls().any(|control| named(control, name).is_some())
    }

    fn controls(&self) -> Elements<'_> {
        Elements::of(&self.bytes[self.controls.clone()])
    }

    /// How the operation ended, if this is a result.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let mut parts = self.body();
        let code = u32::try_from(parts.number(ENUMERATED)?).ok()?;
        let _matched = parts.value(OCTETS)?;
        Some(Outcome { code, text: String::from_utf8_lossy(parts.value(OCTETS)?).into_owned() })
    }

    /// Why the server ends the connection, if it says so by itself (§4.4.1).
    pub(crate) fn farewell(&self) -> Option<String> {
        let outcome = self.outcome().filter(|_| self.id == 0 && self.operation == EXTENDED)?;
        let (code, text) = (outcome.code, diagnostic::clean(&outcome.text));
        Some(format!("the server takes leave (result {code}: {text})"))
    }
}

/// What follows the name of a control (§4.1.11), if it is this one.
fn named<'a>((tag, content): (u8, &'a [u8]), name: &str) -> Option<Elements<'a>> {
    let mut parts = Elements::of(content);
    (tag == SEQUENCE && parts.value(OCTETS)? == name.as_bytes()).then_some(parts)
}

#[cfg(test)]
impl Answer {
    /// An answer for tests of its readers.
    pub(crate) fn of(operation: u8, body: &[u8]) -> Self {
        let mut bytes = Vec::new();
        ber::wrap(&mut bytes, SEQUENCE, |out| {
            ber::number(out, INTEGER, 1);
            ber::put(out, operation, body);
        });
        Self::read(bytes).expect("an answer")
    }

    pub(crate) fn with_control(self, name: &str, value: &[u8]) -> Self {
        let mut bytes = Vec::new();
        ber::wrap(&mut bytes, SEQUENCE, |out| {
            ber::number(out, INTEGER, self.id);
            ber::put(out, self.operation, &self.bytes[self.body.clone()]);
            ber::wrap(out, CONTROLS, |out| {
                ber::wrap(out, SEQUENCE, |out| {
                    ber::put(out, OCTETS, name.as_bytes());
                    ber::put(out, OCTETS, value);
                });
            });
        });
        Self::read(bytes).expect("an answer")
    }

    pub(crate) fn of_entry(dn: &str, attributes: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        ber::put(&mut body, OCTETS, dn.as_bytes());
        ber::wrap(&mut body, SEQUENCE, |out| {
            for (name, value) in attributes {
                ber::wrap(out, SEQUENCE, |out| {
                    ber::put(out, OCTETS, name.as_bytes());
                    ber::wrap(out, ber::SET, |out| ber::put(out, OCTETS, value));
                });
            }
        });
        Self::of(ENTRY, &body)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BUSY: &[u8] = b"\x0a\x01\x33\x04\x00\x04\x04busy";

    #[test]
    fn a_result_says_how_it_ended_and_what_its_controls_hold() {
        let answer = Answer::of(SEARCH_DONE, BUSY).with_control("1.2.3", b"\x02\x01\x05");
        assert_eq!((answer.id, answer.operation), (1, SEARCH_DONE));
        assert_eq!(answer.outcome(), Some(Outcome { code: 51, text: "busy".to_owned() }));
        assert_eq!(answer.control("1.2.3").unwrap().number(INTEGER), Some(5));
        assert!(answer.control("1.2").is_none() && answer.farewell().is_none());
        let bare =
            Answer::read(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00".to_vec()).unwrap();
        assert!(bare.control("1.2.3").is_none() && bare.outcome() == Some(Outcome::default()));
    }

    #[test]
    fn words_that_are_not_in_utf_8_spoil_no_result() {
        let answer = Answer::of(SEARCH_DONE, b"\x0a\x01\x00\x04\x00\x04\x03\xfcbe");
        assert_eq!(answer.outcome(), Some(Outcome { code: 0, text: "\u{fffd}be".to_owned() }));
    }

    #[test]
    fn a_value_that_is_not_well_formed_is_none() {
        let answer = Answer::of(SEARCH_DONE, BUSY).with_control("1.2.3", b"\x02\x09\x05");
        assert!(answer.control("1.2.3").is_none() && answer.has_control("1.2.3"));
    }

    #[test]
    fn a_server_that_takes_leave_is_heard() {
        let answer = Answer { id: 0, ..Answer::of(EXTENDED, BUSY) };
        assert_eq!(answer.farewell().unwrap(), "the server takes leave (result 51: busy)");
    }

    proptest! {
        #[test]
        fn whatever_the_guard_lets_through_is_an_answer_or_none(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut framed = Vec::new();
            ber::put(&mut framed, SEQUENCE, &bytes);
            if ber::check(&framed, 16).is_ok() && let Some(answer) = Answer::read(framed) {
                let _ = (answer.outcome(), answer.farewell(), answer.control("1.2.3"), answer.body().count());
            }
        }

        #[test]
        fn a_body_of_any_form_is_read_or_not(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let answer = Answer::of(SEARCH_DONE, &body).with_control("1.2.3", &body);
            let _ = (answer.outcome(), answer.control("1.2.3"));
        }
    }
}
