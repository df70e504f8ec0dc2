//! The rules: who may decide about whose certificates, for which names, on which keys. Plain functions of values.

use super::{Grant, Refused};
use crate::id::AccountId;
use crate::principal::Principal;
use crate::store::Account;

/// What somebody wants to do.
pub(super) enum Act<'a> {
    /// Give the account a certificate, or a token for one.
    Certify(&'a Account, &'a Grant),
    /// The same, where it was granted before: by a token, or by the certificate that is to be renewed.
    Granted(&'a Account),
    /// Agree to a request that waits, or not.
    Approve,
    /// Take back a certificate of the account; `None` is the house itself.
    TakeBack(Option<AccountId>),
}

/// The one rule of all fronts. Admins, the host and the house itself decide about everybody; people about their own
/// certificates as persons, and about whatever was granted to them; guests about none. Whoever may not act gets no
/// certificate, but may lose one.
pub(super) fn authorize(who: &Principal, act: Act<'_>) -> Result<(), Refused> {
    let owner = match &act {
        Act::Certify(account, _) | Act::Granted(account) => Some(account.id),
        Act::Approve => None,
        Act::TakeBack(account) => *account,
    };
    let personal = !matches!(&act, Act::Certify(_, grant) if !grant.is_personal());
    match who {
        Principal::Admin(_) | Principal::Host | Principal::System => {}
        Principal::Account(actor) if owner == Some(actor.id) && personal => {}
        Principal::Account(_) | Principal::Guest => return Err(Refused::NotAllowed(who.to_string())),
    }
    match act {
        Act::Certify(account, _) | Act::Granted(account) => may_act(account),
        Act::Approve | Act::TakeBack(_) => Ok(()),
    }
}

pub(super) fn may_act(account: &Account) -> Result<(), Refused> {
    match account.disabled() {
        Some(why) => Err(Refused::Disabled { name: account.name.clone(), why: why.to_owned() }),
        None => Ok(()),
    }
}

/// One key, one owner; and a key that was given up is not trusted again.
pub(super) fn key_is_free(
    used: &[(Option<AccountId>, bool)],
    account: Option<AccountId>,
) -> Result<(), Refused> {
    if used.iter().any(|(owner, _)| *owner != account) {
        return Err(Refused::KeyTaken);
    }
    if used.iter().any(|(_, revoked)| *revoked) { Err(Refused::KeyRevoked) } else { Ok(()) }
}
