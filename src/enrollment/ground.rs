//! What entitles a request besides the one who brings it.

use super::{Presented, Refused, status};
use crate::store::Tx;
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
    /// A client of ACME, by its id, that was bound to a token.
    Client(String),
}

impl Ground {
    /// For the audit.
    pub(super) fn words(&self) -> String {
        match self {
            Ground::Standing => "standing".into(),
            Ground::Token(_) => "token".into(),
            Ground::Certificate(shown) => format!("certificate {}", shown.serial),
            Ground::Client(id) => format!("client {id}"),
        }
    }

    /// Judges it, and uses a token up.
    pub(super) fn holds(&self, tx: &mut Tx, now: Timestamp) -> Result<(), Refused> {
        match self {
            Ground::Standing => Ok(()),
            Ground::Token(hash) if tx.use_token(hash, now)? => Ok(()),
            Ground::Token(_) => Err(Refused::DeadToken),
            Ground::Client(id) => match tx.acme_account(id)? {
                Some(client) if !client.deactivated => Ok(()),
                _ => Err(Refused::DeadToken),
            },
            Ground::Certificate(shown) => {
                Ok(status::judge(tx.certificate(&shown.serial)?.as_ref(), shown, now)?)
            }
        }
    }
}
