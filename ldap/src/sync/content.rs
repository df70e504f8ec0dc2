//! What a server says of its content (RFC 4533 §2), read without trusting its form.

use ldap3::asn1::{PL, StructureTag, TagClass};
use ldap3::controls::{Control, RawControl};
use uuid::Uuid;

use crate::guard;

/// What an entry's control says of it (§2.3).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EntryState {
    pub(super) state: State,
    pub(super) id: Uuid,
    pub(super) cookie: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Present,
    AddedOrModified,
    Deleted,
}

/// An intermediate message (§2.5).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Info {
    NewCookie(Vec<u8>),
    /// The deletions of the refresh are told; `done` ends the refresh.
    Deletes {
        cookie: Option<Vec<u8>>,
        done: bool,
    },
    /// Whoever was there all along is told; `done` ends the refresh.
    Presents {
        cookie: Option<Vec<u8>>,
        done: bool,
    },
    Ids {
        cookie: Option<Vec<u8>>,
        deleted: bool,
        ids: Vec<Uuid>,
    },
}

impl EntryState {
    /// The state among the controls of an entry; nothing if it is missing or not readable.
    pub(super) fn among(controls: &[Control]) -> Option<Self> {
        let mut parts = value(controls, SYNC_STATE)?.expect_constructed()?.into_iter();
        let state = match parts.next()?.expect_primitive()?[..] {
            [0] => State::Present,
            [1 | 2] => State::AddedOrModified,
            [3] => State::Deleted,
            _ => return None,
        };
        let id = id(parts.next()?)?;
        let cookie = parts.next().and_then(StructureTag::expect_primitive);
        Some(Self { state, id, cookie })
    }
}

impl Info {
    /// Reads an IntermediateResponse (RFC 4511 §4.13); nothing if it is about something else.
    pub(super) fn read(response: StructureTag) -> Option<Self> {
        let parts = response.expect_constructed()?;
        let part =
            |id| parts.iter().find(|part| part.id == id).cloned().and_then(StructureTag::expect_primitive);
        if part(0)? != SYNC_INFO.as_bytes() {
            return None;
        }
        let value = guard::parse(&part(1)?)?;
        let choice = value.id;
        let parts = match (choice, value.payload) {
            (0, PL::P(cookie)) => return Some(Self::NewCookie(cookie)),
            (_, PL::C(parts)) => parts,
            _ => return None,
        };
        let (mut cookie, mut flag, mut ids) = (None, None, Vec::new());
        for part in parts.into_iter().filter(|part| part.class == TagClass::Universal) {
            match part.id {
                BOOLEAN => flag = Some(part.expect_primitive()? != [0]),
                OCTETS => cookie = Some(part.expect_primitive()?),
                SET => ids = part.expect_constructed()?.into_iter().map(id).collect::<Option<_>>()?,
                _ => return None,
            }
        }
        Some(match choice {
            1 => Self::Deletes { cookie, done: flag.unwrap_or(true) },
            2 => Self::Presents { cookie, done: flag.unwrap_or(true) },
            3 => Self::Ids { cookie, deleted: flag.unwrap_or(false), ids },
            _ => return None,
        })
    }
}

/// Asks for the content and then for every change of it (§2.2): refreshAndPersist, critical, so that a server which
/// does not know it says so.
pub(super) fn request(cookie: Option<&[u8]>) -> RawControl {
    let mut content = vec![0x0a, 1, 3];
    if let Some(cookie) = cookie {
        content.extend(element(0x04, cookie));
    }
    RawControl { ctype: super::SYNC_REQUEST.to_owned(), crit: true, val: Some(element(0x30, &content)) }
}

/// One element of BER with a definite length (X.690 §8.1).
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let short = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut bytes = vec![tag];
    match short {
        [] => bytes.push(0),
        [one] if *one < 0x80 => bytes.push(*one),
        several => {
            // At most eight bytes say a length.
            bytes.push(0x80 | several.len() as u8);
            bytes.extend(several);
        }
    }
    bytes.extend(content);
    bytes
}

/// The value of the control with this name, read.
pub(super) fn value(controls: &[Control], name: &str) -> Option<StructureTag> {
    let Control(_, control) = controls.iter().find(|Control(_, control)| control.ctype == name)?;
    guard::parse(control.val.as_deref()?)
}

const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
const SYNC_INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";
const BOOLEAN: u64 = 1;
const OCTETS: u64 = 4;
const SET: u64 = 17;

fn id(tag: StructureTag) -> Option<Uuid> {
    Uuid::from_slice(&tag.expect_primitive()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn control(value: Vec<u8>) -> Vec<Control> {
        vec![Control(None, RawControl { ctype: SYNC_STATE.to_owned(), crit: false, val: Some(value) })]
    }

    fn info(value: &[u8]) -> Option<Info> {
        let parts = [element(0x80, SYNC_INFO.as_bytes()), element(0x81, value)].concat();
        Info::read(guard::parse(&element(0x79, &parts)).unwrap())
    }

    #[test]
    fn states_and_messages_are_read() {
        let id = Uuid::from_u128(7);
        let state = [vec![0x0a, 1, 3], element(4, id.as_bytes()), element(4, b"c")].concat();
        let expected = EntryState { state: State::Deleted, id, cookie: Some(b"c".to_vec()) };
        assert_eq!(EntryState::among(&control(element(0x30, &state))), Some(expected));

        assert_eq!(info(&element(0x80, b"c")), Some(Info::NewCookie(b"c".to_vec())));
        assert_eq!(info(&element(0xa1, &[])), Some(Info::Deletes { cookie: None, done: true }));
        assert_eq!(info(&element(0xa2, &[1, 1, 0])), Some(Info::Presents { cookie: None, done: false }));
        let set = [vec![1, 1, 0xff], element(0x31, &element(4, id.as_bytes()))].concat();
        assert_eq!(
            info(&element(0xa3, &set)),
            Some(Info::Ids { cookie: None, deleted: true, ids: vec![id] })
        );
        assert_eq!(info(&element(0xa3, &element(0x31, &element(4, b"short")))), None);
    }

    #[test]
    fn lengths_of_every_size_are_written_as_they_are_read() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            assert_eq!(guard::parse(&element(4, &content)).unwrap().expect_primitive(), Some(content));
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_form_are_read_or_not_and_never_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            tag in any::<u8>(),
        ) {
            let _ = EntryState::among(&control(bytes.clone()));
            let _ = EntryState::among(&control(element(0x30, &bytes)));
            let _ = info(&element(tag, &bytes));
        }
    }
}
