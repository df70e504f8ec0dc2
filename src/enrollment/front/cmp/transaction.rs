//! Transactions: what a client that is still to confirm was given, for ten minutes.
//!
//! They are in memory. After a restart a confirmation is answered with an error, and the certificate stands; a request
//! that is sent once more is stopped by its token, which the store knows to be used.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chancery_ca::cmp::{FailureInfo, Objection};
use zeroize::Zeroizing;

use super::Known;
use crate::id::AccountId;
use crate::time::Timestamp;

/// The open ones, and those that ended lately, so that none is begun twice.
#[derive(Default)]
pub(in crate::enrollment) struct Transactions {
    open: Mutex<HashMap<Vec<u8>, Transaction>>,
    /// One signer of answers is made at a time.
    pub(super) signer: tokio::sync::Mutex<()>,
}

struct Transaction {
    began: Timestamp,
    /// What is to be confirmed; nothing once it is over.
    issued: Option<Issued>,
}

struct Issued {
    serial: String,
    /// Ours, which the confirmation repeats.
    nonce: [u8; 16],
    /// Of a token that is used up by now, so that the confirmation can be proven.
    secret: Option<(AccountId, Zeroizing<String>)>,
}

impl Transactions {
    /// `false` when there is, or was lately, one of this name.
    pub(super) fn begin(&self, name: &[u8], now: Timestamp) -> bool {
        let mut open = self.lock();
        if open.len() >= MOST {
            open.retain(|_, one| now.since(one.began) < LIFE);
        }
        if open.len() >= MOST || open.get(name).is_some_and(|one| now.since(one.began) < LIFE) {
            return false;
        }
        open.insert(name.to_vec(), Transaction { began: now, issued: None });
        true
    }

    /// A certificate was issued, and the client is to confirm it.
    pub(super) fn issued(&self, name: &[u8], known: &Known, serial: &str, nonce: [u8; 16], now: Timestamp) {
        let secret = known.account().zip(known.secret().map(|secret| Zeroizing::new(secret.to_owned())));
        let issued = Some(Issued { serial: serial.to_owned(), nonce, secret });
        // One that waited for an admin may have been forgotten meanwhile.
        self.lock().insert(name.to_vec(), Transaction { began: now, issued });
    }

    /// The secret under which an open transaction is held, and whose it is.
    pub(super) fn secret(&self, name: &[u8], now: Timestamp) -> Option<(AccountId, Zeroizing<String>)> {
        let open = self.lock();
        let one = open.get(name).filter(|one| now.since(one.began) < LIFE)?;
        one.issued.as_ref()?.secret.clone()
    }

    /// The serial that is to be confirmed, if the message answers ours (RFC 9810 §5.1.1).
    pub(super) fn awaited(
        &self,
        name: &[u8],
        nonce: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<String, Objection> {
        let open = self.lock();
        let one =
            open.get(name).filter(|one| now.since(one.began) < LIFE).and_then(|one| one.issued.as_ref());
        let Some(issued) = one else {
            return Err(Objection::new(
                FailureInfo::BadRequest,
                "nothing of this transaction is to be confirmed",
            ));
        };
        if nonce != Some(&issued.nonce) {
            return Err(Objection::new(
                FailureInfo::BadRecipientNonce,
                "the message does not answer the last one",
            ));
        }
        Ok(issued.serial.clone())
    }

    /// It is over; its name is kept for a while.
    pub(super) fn end(&self, name: &[u8]) {
        if let Some(one) = self.lock().get_mut(name) {
            one.issued = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Transaction>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a client may take, and how long a transaction's name is not used again.
const LIFE: Duration = Duration::from_secs(10 * 60);
/// How many are held at a time; further ones are refused until some are over.
const MOST: usize = 10_000;
