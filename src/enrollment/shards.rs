//! The shards: the list of each issuing CA once more, in parts, of which a certificate names the one that it would be on.
//!
//! A shard is signed when somebody asks for it, and kept. Whoever asks after a revocation gets a list that holds it; a
//! shard to which nothing happened is not signed again before it is old. So however often is asked, and whoever asks, each
//! is signed once for each change, and never twice at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chancery_ca as ca;

use super::authority::{Authority, List, aside};
use super::issuers::Issuer;
use super::status::Index;
use super::{Failure, crl};
use crate::store::Store;
use crate::time::Timestamp;

/// Every shard that was asked for, as it was signed last.
pub(super) struct Shards {
    store: Store,
    authority: Arc<Authority>,
    revoked: Arc<Index>,
    /// By the number of the issuing CA.
    shelf: Mutex<HashMap<u32, HashMap<ca::Shard, Arc<Slot>>>>,
}

type Slot = tokio::sync::Mutex<Kept>;

/// What there is of one shard.
#[derive(Default)]
struct Kept {
    last: Option<Signed>,
    failed: Option<Failed>,
}

struct Signed {
    der: Bytes,
    this_update: Timestamp,
    next_update: Timestamp,
    /// How many revocations it knows of; `None` for one of a run before.
    knows: Option<usize>,
}

/// An attempt that came to nothing.
#[derive(Clone, Copy)]
struct Failed {
    at: Timestamp,
    /// How many revocations there were.
    of: usize,
}

impl Shards {
    pub(super) fn new(store: Store, authority: Arc<Authority>, revoked: Arc<Index>) -> Self {
        Self { store, authority, revoked, shelf: Mutex::default() }
    }

    /// A shard of an issuing CA, in DER. While none can be signed, the last one is shown until it ends.
    pub(super) async fn of(
        self: &Arc<Self>,
        issuer: &Arc<Issuer>,
        shard: ca::Shard,
        now: Timestamp,
    ) -> Result<Bytes, Failure> {
        let mut kept = self.slot(issuer.number, shard).lock_owned().await;
        if kept.is_due(self.revoked.count(issuer.number, shard), now) {
            let (own, issuer) = (self.clone(), issuer.clone());
            // Brought to its end even when whoever asked hangs up: he could have it signed again and again.
            let renewal = async move {
                own.renew(&mut kept, issuer, shard, now).await;
                kept
            };
            kept = tokio::spawn(renewal).await.map_err(|_| Failure::Stopped)?;
        }
        let stands = kept.last.as_ref().filter(|last| now <= last.next_update);
        stands.map(|last| last.der.clone()).ok_or(Failure::NoList)
    }

    /// Nobody asks for those of a retired issuing CA any more.
    pub(super) fn forget(&self, issuer: u32) {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).remove(&issuer);
    }

    fn slot(&self, issuer: u32, shard: ca::Shard) -> Arc<Slot> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.entry(issuer).or_default().entry(shard).or_default().clone()
    }

    async fn renew(&self, kept: &mut Kept, issuer: Arc<Issuer>, shard: ca::Shard, now: Timestamp) {
        let of = self.revoked.count(issuer.number, shard);
        match self.sign(issuer.clone(), shard, now).await {
            Ok(signed) => *kept = Kept { last: Some(signed), failed: None },
            Err(error) => {
                tracing::error!(issuer = issuer.issuer_name(), %shard, %error, "a shard of the CRL could not be signed");
                kept.failed = Some(Failed { at: now, of });
                if kept.last.is_none() {
                    kept.last = self.before(&issuer, shard);
                }
            }
        }
    }

    /// Takes a number first and reads what belongs on it then, so that what has a higher number was read later.
    async fn sign(&self, issuer: Arc<Issuer>, shard: ca::Shard, now: Timestamp) -> Result<Signed, Failure> {
        let number = crl::next_number(&self.store).await?;
        let (revoked, signer, since) = (self.revoked.clone(), issuer.number, now.before(crl::LIFE));
        let (knows, lines) = aside(move || revoked.shard(signer, shard, since)).await??;
        let next_update = now.after(crl::LIFE);
        let list = List { issuer, shard: Some(shard), revoked: lines, number, now, next_update };
        let der = self.authority.sign_crl(list).await?.into();
        tracing::debug!(%shard, number, "a shard of the CRL was signed");
        Ok(Signed { der, this_update: now, next_update, knows: Some(knows) })
    }

    /// The one that a run before has signed last, where it is kept.
    fn before(&self, issuer: &Issuer, shard: ca::Shard) -> Option<Signed> {
        let der = self.authority.last_crl(issuer, Some(shard)).unwrap_or_else(|error| {
            tracing::error!(%shard, %error, "the last list of a shard cannot be read");
            None
        })?;
        let crl::CrlInfo { this_update, next_update, .. } = crl::info(&der)?;
        Some(Signed { der: der.into(), this_update, next_update, knows: None })
    }
}

impl Kept {
    /// Whether it is to be signed, with so many revocations.
    fn is_due(&self, count: usize, now: Timestamp) -> bool {
        let is_good = |last: &Signed| last.knows == Some(count) && crl::is_fresh(last.this_update, now);
        let is_recent =
            |failed: Failed| failed.of == count && failed.at <= now && now.since(failed.at) < RETRY;
        !self.last.as_ref().is_some_and(is_good) && !self.failed.is_some_and(is_recent)
    }
}

/// How soon it is tried again: later than a signer that says nothing is given up, so that those who waited meanwhile have
/// that answer as well.
const RETRY: Duration = Duration::from_secs(15);
