//! What entitles a request besides the one who brings it.

use super::{Presented, Refused, status};
use crate::store::{AcmeAccount, Entitled, Pending, Tx};
use crate::time::Timestamp;

/// Judged in the unit of work that accounts for the serial, so that no token serves twice and no certificate renews
/// itself after its revocation.
pub(super) enum Ground {
    /// Nothing: the one who asks is entitled already.
    Standing,
    /// A one-time token, by its hash.
    Token([u8; 32]),
    /// A certificate of the same account.
    Certificate(Presented),
    /// The same, but named by its owner and not shown.
    Named(Presented),
    /// A client of ACME, by its id, that was bound to a token.
    Client(String),
    /// A request that waited, on what entitled it then.
    Pending(Pending),
}

impl Ground {
    /// For the audit.
    pub(super) fn words(&self) -> String {
        match self {
            Ground::Standing => "standing".into(),
            Ground::Token(_) => "token".into(),
            Ground::Certificate(shown) => format!("certificate {}", shown.serial),
            Ground::Named(named) => format!("certificate {}, not shown", named.serial),
            Ground::Client(id) => format!("client {id}"),
            Ground::Pending(pending) => format!("request {}", pending.id),
        }
    }

    /// Whether somebody else decided before that the account may have this.
    pub(super) fn was_granted(&self) -> bool {
        match self {
            Ground::Standing | Ground::Named(_) => false,
            Ground::Pending(pending) => pending.entitled != Entitled::Admin,
            Ground::Token(_) | Ground::Certificate(_) | Ground::Client(_) => true,
        }
    }

    /// What of it is kept while the request waits.
    pub(super) fn entitles(&self) -> Entitled {
        match self {
            Ground::Standing | Ground::Named(_) => Entitled::Admin,
            Ground::Token(hash) => Entitled::Token(*hash),
            Ground::Certificate(shown) => Entitled::Certificate(shown.serial.clone()),
            Ground::Client(id) => Entitled::Client(id.clone()),
            Ground::Pending(pending) => pending.entitled.clone(),
        }
    }

    /// Judges it, and uses a token up.
    pub(super) fn holds(&self, tx: &mut Tx, now: Timestamp) -> Result<(), Refused> {
        match self {
            Ground::Token(hash) if !tx.use_token(hash, now)? => Err(Refused::DeadToken),
            ground => ground.stands(tx, now),
        }
    }

    /// Judges it; a token was judged where it was brought.
    pub(super) fn stands(&self, tx: &mut Tx, now: Timestamp) -> Result<(), Refused> {
        match self {
            Ground::Standing | Ground::Token(_) => Ok(()),
            Ground::Certificate(shown) | Ground::Named(shown) => {
                Ok(status::judge(tx.certificate(&shown.serial)?.as_ref(), shown.account, now)?)
            }
            Ground::Client(id) => is_active(tx.acme_account(id)?),
            Ground::Pending(pending) => match &pending.entitled {
                Entitled::Admin | Entitled::Token(_) => Ok(()),
                Entitled::Certificate(serial) => {
                    Ok(status::judge(tx.certificate(serial)?.as_ref(), pending.account, now)?)
                }
                Entitled::Client(id) => is_active(tx.acme_account(id)?),
            },
        }
    }

    /// A serial was accounted for: a request that waited is over, once.
    pub(super) fn settle(&self, tx: &mut Tx, serial: &str, now: Timestamp) -> Result<(), Refused> {
        match self {
            Ground::Pending(pending) if !tx.approve_pending(&pending.id, serial, now)? => {
                Err(Refused::NotPending(pending.id.clone()))
            }
            _ => Ok(()),
        }
    }
}

fn is_active(client: Option<AcmeAccount>) -> Result<(), Refused> {
    match client {
        Some(client) if !client.deactivated => Ok(()),
        _ => Err(Refused::DeadToken),
    }
}
