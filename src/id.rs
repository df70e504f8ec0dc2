//! Which: the identifiers of the house, all 128 bits wide and made without coordination (ULID).
//!
//! Each noun has its own type, so an account cannot be passed where a message is meant. An [`AccountId`] is the
//! directory's own id of a person (RFC 4530 `entryUUID`, or a fresh ULID in the built-in directory); certificates
//! name it as `urn:uuid:…`, which survives renaming and forbids handing a leaver's name to somebody new.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use ulid::Ulid;
use uuid::Uuid;

use crate::time::Timestamp;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(Ulid);

        impl $name {
            /// A fresh id for something that begins at `now`.
            pub(crate) fn new(now: Timestamp) -> Self {
                Self(fresh(now))
            }

            /// From the sixteen bytes that rows keep.
            pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Ulid::from_bytes(bytes))
            }

            /// The sixteen bytes that rows keep.
            pub(crate) fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; ulid::ULID_LEN];
                f.write_str(self.0.array_to_str(&mut text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Ulid::from_string(text).map(Self).map_err(|_| NotAnId)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
    };
}

id!(
    /// A person, by the directory's own id.
    AccountId
);
id!(
    /// A chat message.
    MessageId
);
id!(
    /// One MQTT session's state.
    SessionId
);
id!(
    /// One recipient's trip out of the house.
    EnvelopeId
);

/// The text is not a ULID (26 characters of Crockford base 32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: 26 characters 0-9 A-Z expected")]
pub(crate) struct NotAnId;

impl AccountId {
    /// The principal `guest`: a client without credentials on a loopback door that allows it.
    pub(crate) const GUEST: AccountId = AccountId(Ulid::nil());

    /// The house itself, as the author of what it writes to people.
    pub(crate) const HOUSE: AccountId = AccountId(Ulid(1));

    /// The same id as a certificate writes it (RFC 4122 §3, `urn:uuid:…`).
    pub(crate) fn to_urn(self) -> String {
        format!("urn:uuid:{}", Uuid::from_bytes(self.to_bytes()))
    }
}

impl From<Uuid> for AccountId {
    fn from(id: Uuid) -> Self {
        Self::from_bytes(*id.as_bytes())
    }
}

impl MessageId {
    /// The next id in commit order: later than `last` even when the wall clock stood still or went back.
    pub(crate) fn following(last: MessageId, now: Timestamp) -> Self {
        if now.millis() > last.0.timestamp_ms() {
            return Self::new(now);
        }
        Self(last.0.increment().unwrap_or_else(|_| fresh(now)))
    }
}

/// Random bytes of the operating system, for ids and secrets.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The kernel's generator does not fail on any supported system once it has started; a house without
    // randomness must not go on.
    assert!(getrandom::fill(&mut bytes).is_ok(), "the operating system gives no random bytes");
    bytes
}

fn fresh(now: Timestamp) -> Ulid {
    Ulid::from_parts(now.millis(), u128::from_le_bytes(random()) >> 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_grow_even_when_the_clock_goes_back() {
        let (late, early) = (Timestamp::from_micros(2_000_000), Timestamp::from_micros(1_000_000));
        let first = MessageId::new(late);
        let second = MessageId::following(first, early);
        let third = MessageId::following(second, late);
        assert!(first < second && second < third);
    }

    #[test]
    fn an_account_is_written_in_certificates_as_a_uuid_urn() {
        let uuid = Uuid::from_u128(0x0192_aaaa_bbbb_7ccc_8ddd_eeee_ffff_0001);
        assert_eq!(AccountId::from(uuid).to_urn(), format!("urn:uuid:{uuid}"));
    }
}
