//! What a server says of its content (RFC 4533 §2), read without trusting its form.

use uuid::Uuid;

use crate::answer::Answer;
use crate::ber::{self, BOOLEAN, ENUMERATED, Elements, OCTETS, SEQUENCE, SET};
use crate::guard;
use crate::request::Control;

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
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let mut parts = answer.control(SYNC_STATE)?.enter(SEQUENCE)?;
        let state = match parts.value(ENUMERATED)? {
            [0] => State::Present,
            [1 | 2] => State::AddedOrModified,
            [3] => State::Deleted,
            _ => return None,
        };
        let id = Uuid::from_slice(parts.value(OCTETS)?).ok()?;
        Some(Self { state, id, cookie: parts.value(OCTETS).map(<[u8]>::to_vec) })
    }
}

impl Info {
    /// Reads an IntermediateResponse (RFC 4511 §4.13); nothing if it is about something else.
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        let mut parts = answer.body();
        if parts.value(0x80)? != SYNC_INFO.as_bytes() {
            return None;
        }
        let (choice, content) = guard::inside(parts.value(0x81)?)?.next()?;
        if choice == 0x80 {
            return Some(Self::NewCookie(content.to_vec()));
        }
        let mut parts = Elements::of(content);
        let cookie = parts.value(OCTETS).map(<[u8]>::to_vec);
        let flag = parts.value(BOOLEAN).map(|flag| flag != [0]);
        Some(match choice {
            0xa1 => Self::Deletes { cookie, done: flag.unwrap_or(true) },
            0xa2 => Self::Presents { cookie, done: flag.unwrap_or(true) },
            0xa3 => {
                let id = |(tag, id)| Uuid::from_slice(id).ok().filter(|_| tag == OCTETS);
                let ids = parts.enter(SET)?.map(id).collect::<Option<_>>()?;
                Self::Ids { cookie, deleted: flag.unwrap_or(false), ids }
            }
            _ => return None,
        })
    }
}

/// Asks for the content and then for every change of it (§2.2): refreshAndPersist, critical, so that a server which
/// does not know it says so.
pub(super) fn request(cookie: Option<&[u8]>) -> Control {
    let mut value = Vec::new();
    ber::wrap(&mut value, SEQUENCE, |out| {
        ber::number(out, ENUMERATED, 3);
        cookie.iter().for_each(|cookie| ber::put(out, OCTETS, cookie));
    });
    Control { name: super::SYNC_REQUEST, critical: true, value: Some(value) }
}

const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
const SYNC_INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::answer::{ENTRY, INTERMEDIATE};

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        ber::put(&mut out, tag, content);
        out
    }

    /// An entry whose control holds this.
    fn state(value: &[u8]) -> Option<EntryState> {
        EntryState::of(&Answer::of(ENTRY, b"").with_control(SYNC_STATE, value))
    }

    fn info(value: &[u8]) -> Option<Info> {
        let parts = [element(0x80, SYNC_INFO.as_bytes()), element(0x81, value)].concat();
        Info::read(&Answer::of(INTERMEDIATE, &parts))
    }

    #[test]
    fn states_and_messages_are_read() {
        let id = Uuid::from_u128(7);
        let deleted = [vec![0x0a, 1, 3], element(4, id.as_bytes()), element(4, b"c")].concat();
        let expected = EntryState { state: State::Deleted, id, cookie: Some(b"c".to_vec()) };
        assert_eq!(state(&element(0x30, &deleted)), Some(expected));

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

    proptest! {
        #[test]
        fn bytes_of_any_form_are_read_or_not_and_never_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            tag in any::<u8>(),
        ) {
            let _ = (state(&bytes), state(&element(0x30, &bytes)), info(&element(tag, &bytes)), info(&bytes));
        }
    }
}
