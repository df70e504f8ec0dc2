//! Answers in pages (RFC 2696), without anything being kept between two of them.
//!
//! A cookie says after whom the next page begins, and how many entries came before. It holds at another connection,
//! and in a later snapshot. Whoever makes one up gets what they may read anyway.

use crate::ber::{INTEGER, OCTETS, SEQUENCE};
use crate::guard;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) size: usize,
    /// Where it begins; nothing if the cookie is none of ours.
    pub(super) position: Option<Position>,
}

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Entries of earlier pages.
    pub(super) sent: u32,
    /// How many of the entries above all people have been looked at.
    pub(super) fixed: u8,
    /// The folded uid of the last person who was sent.
    pub(super) after: String,
}

impl Page {
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let mut parts = guard::inside(value)?.enter(SEQUENCE)?;
        let size = parts.number(INTEGER).filter(|size| *size <= 0x7fff_ffff)?;
        let position = Position::read(parts.value(OCTETS)?);
        parts.is_empty().then_some(())?;
        Some(Self { size: usize::try_from(size).ok()?, position })
    }

    /// What an answer without pages is: one that begins at the beginning.
    pub(super) fn whole(size: usize) -> Self {
        Self { size, position: Some(Position::default()) }
    }
}

impl Position {
    fn read(cookie: &[u8]) -> Option<Self> {
        if cookie.is_empty() {
            return Some(Self::default());
        }
        let (sent, rest) = cookie.split_first_chunk()?;
        let (fixed, after) = rest.split_first()?;
        let after = String::from_utf8(after.to_vec()).ok()?;
        Some(Self { sent: u32::from_be_bytes(*sent), fixed: *fixed, after })
    }

    pub(super) fn cookie(&self) -> Vec<u8> {
        [&self.sent.to_be_bytes(), &[self.fixed][..], self.after.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cookie_is_read_back(sent in any::<u32>(), fixed in any::<u8>(), after in any::<String>()) {
            let position = Position { sent, fixed, after };
            prop_assert_eq!(Position::read(&position.cookie()), Some(position));
        }

        #[test]
        fn any_bytes_are_a_cookie_or_are_not(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (Position::read(&bytes), Page::read(&bytes));
        }
    }
}
