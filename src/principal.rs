//! Who acts: every deed names a [`Principal`], fixed at the door and never by a payload.

use std::fmt;
use std::sync::Arc;

use crate::id::AccountId;

/// The name under which the house itself writes to people; no account may have it.
pub(crate) const HOUSE: &str = "chancery";

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// A person, signed in on one client installation.
    Account(Actor),
    /// A client without credentials, on a loopback door that allows it.
    Guest,
    /// Somebody who governs the house from the console, by name.
    Admin(Arc<str>),
    /// Root or the service account on this host, over the control socket.
    Host,
    /// The house itself: timers, sync, sweeps.
    System,
}

/// A person at the door: the account as it stood when the connection was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Actor {
    /// The directory's id.
    pub(crate) id: AccountId,
    /// The name on the wire and in topics.
    pub(crate) name: Arc<str>,
    /// Names of the directory groups the account is in.
    pub(crate) groups: Arc<[String]>,
}

impl Principal {
    /// Whose sessions and inbox these are; `None` for those who have none.
    pub(crate) fn account(&self) -> Option<AccountId> {
        match self {
            Principal::Account(actor) => Some(actor.id),
            Principal::Guest => Some(AccountId::GUEST),
            Principal::Admin(_) | Principal::Host | Principal::System => None,
        }
    }
}

impl fmt::Display for Principal {
    /// As the audit writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::Account(actor) => write!(f, "account:{}", actor.name),
            Principal::Guest => f.write_str("guest"),
            Principal::Admin(name) => write!(f, "admin:{name}"),
            Principal::Host => f.write_str("host"),
            Principal::System => f.write_str("system"),
        }
    }
}
