//! The lists of what was taken back: one of each issuing CA, signed anew with each revocation and every six hours, and the
//! root's, which is empty and signed twice a year.
//!
//! The house itself does not depend on them, it asks its ledger; they are for everybody else. Certificates name a part of
//! such a list (`shards`); the whole is for those of former times, and for whoever wants to know of all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use chancery_ca as ca;
use serde::Serialize;
use tokio::sync::Mutex;

use super::Failure;
use super::authority::{Authority, List, aside};
use super::issuers::{Issuer, Issuers};
use super::status::Index;
use crate::store::{Store, StoreError, Tx};
use crate::time::Timestamp;

/// What the console and the command line show of the current list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CrlInfo {
    pub(crate) number: u64,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
    /// How many certificates it holds.
    #[serde(rename = "entries")]
    pub(crate) count: usize,
}

/// All lists, as they are now.
pub(super) struct Lists {
    store: Store,
    authority: Arc<Authority>,
    revoked: Arc<Index>,
    current: ArcSwap<Signed>,
    root: ArcSwapOption<Vec<u8>>,
    /// One list is signed at a time, so that the number on show never goes back.
    publishing: Mutex<()>,
    /// How many times the ledger changed what belongs on the list.
    changes: AtomicU64,
    /// The number of the list that subscribers were told last.
    told: AtomicU64,
}

/// What was signed together, under one number.
struct Signed {
    /// The current issuing CA's.
    first: Published,
    former: Vec<Published>,
    /// Every change up to this one is in it.
    covers: u64,
}

#[derive(Clone)]
struct Published {
    /// The issuing CA's key identifier.
    issuer: String,
    der: Arc<Vec<u8>>,
    info: CrlInfo,
}

impl Signed {
    fn all(&self) -> impl Iterator<Item = &Published> {
        std::iter::once(&self.first).chain(&self.former)
    }

    fn of(&self, issuer: &str) -> Option<&Published> {
        self.all().find(|one| one.issuer == issuer)
    }
}

impl Lists {
    /// Signs the first list of this run. While the signer is away, the last one of the run before is shown instead, and
    /// another is tried for as soon as lists are looked at.
    pub(super) async fn open(
        store: Store,
        authority: Arc<Authority>,
        revoked: Arc<Index>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let root = authority.root_crl()?.map(Arc::new);
        let issuers = authority.issuers();
        let first = match publish(&store, &authority, &revoked, &issuers, None, 1, now).await {
            Ok(signed) => signed,
            Err(error) => {
                let Some(last) = last(&authority, &issuers)? else { return Err(error) };
                tracing::error!(%error, "no CRL could be signed; the last one is shown until one can");
                last
            }
        };
        let current = ArcSwap::from_pointee(first);
        let lists = Self {
            store,
            authority,
            revoked,
            current,
            root: ArcSwapOption::new(root),
            publishing: Mutex::default(),
            changes: AtomicU64::new(1),
            told: AtomicU64::new(0),
        };
        lists.renew_root_if_due(now).await;
        Ok(lists)
    }

    /// The ledger has committed a revocation: the list follows. Whoever waited while another call signed a list that
    /// holds his change as well is served by that one.
    pub(super) async fn follow(&self, now: Timestamp) -> Result<(), Failure> {
        let mine = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        let _one = self.publishing.lock().await;
        if self.current.load().covers >= mine {
            return Ok(());
        }
        self.renew(&self.authority.issuers(), now).await
    }

    /// Puts another issuing CA in force, once its list is on show: whoever has its first certificate finds the list.
    /// Should none be signed, it is tried again.
    pub(super) async fn welcome(&self, new: Arc<Issuer>, now: Timestamp) -> Result<(), Failure> {
        self.changes.fetch_add(1, Ordering::AcqRel);
        let _one = self.publishing.lock().await;
        let signed = self.renew(&self.authority.issuers().with(new.clone()), now).await;
        self.authority.install(new);
        signed
    }

    /// Signs what has become old.
    pub(super) async fn renew_if_due(&self, now: Timestamp) -> Result<(), Failure> {
        let _one = self.publishing.lock().await;
        let (signed, fresh) =
            (self.current.load().first.info.this_update, self.current.load().covers >= self.changes());
        if fresh && is_fresh(signed, now) {
            return Ok(());
        }
        self.renew_root_if_due(now).await;
        self.renew(&self.authority.issuers(), now).await
    }

    /// The current issuing CA's list in DER.
    pub(super) fn der(&self) -> Arc<Vec<u8>> {
        self.current.load().first.der.clone()
    }

    /// The list of one issuing CA, by its key identifier.
    pub(super) fn of(&self, issuer: &str) -> Option<Arc<Vec<u8>>> {
        self.current.load().of(issuer).map(|one| one.der.clone())
    }

    /// The lists, once for each time that they were signed.
    pub(super) fn untold(&self) -> Option<Vec<Arc<Vec<u8>>>> {
        let current = self.current.load();
        let number = current.first.info.number;
        (self.told.swap(number, Ordering::AcqRel) != number)
            .then(|| current.all().map(|one| one.der.clone()).collect())
    }

    pub(super) fn info(&self) -> CrlInfo {
        self.current.load().first.info
    }

    /// Shows a list of the root that was brought in, unless it is older than the one on show.
    pub(super) fn adopt_root(&self, pem: &str) -> Result<CrlInfo, Failure> {
        let der = of_root(pem, self.authority.current().root())?;
        let known = self.root.load_full().and_then(|known| info(&known));
        let new = info(&der).filter(|new| known.is_none_or(|known| known.number < new.number));
        let new = new.ok_or(Failure::OldList)?;
        self.authority.keep_root_crl(&der)?;
        self.root.store(Some(Arc::new(der)));
        Ok(new)
    }

    /// The root's list in DER, if the house has it.
    pub(super) fn root_der(&self) -> Option<Arc<Vec<u8>>> {
        self.root.load_full()
    }

    async fn renew(&self, issuers: &Issuers, now: Timestamp) -> Result<(), Failure> {
        let (covers, known) = (self.changes(), self.current.load_full());
        let Self { store, authority, revoked, .. } = self;
        let signed = publish(store, authority, revoked, issuers, Some(&known), covers, now).await?;
        self.current.store(Arc::new(signed));
        Ok(())
    }

    fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Only third parties that check the issuing CA itself miss this list, so trouble with it stops nothing.
    async fn renew_root_if_due(&self, now: Timestamp) {
        let known = self.root.load_full();
        let Some(number) = root_due(known.as_ref().map(|der| der.as_slice()), now) else { return };
        match self.authority.renew_root_crl(number, now, now.after(ROOT_LIFE)).await {
            Ok(Some(der)) => self.root.store(Some(Arc::new(der))),
            Ok(None) => tracing::warn!(
                "the root's list ends soon and its key is not in this house: sign the next one where it is \
                 (`chancery ca root FOLDER --crl`) and bring it in (`chancery ca adopt FILE`)"
            ),
            Err(error) => tracing::error!(%error, "the root's CRL could not be renewed"),
        }
    }
}

/// Takes the next number, then reads what belongs on the lists and signs them. It is done by one at a time, so that what
/// has a higher number was read later. Should a former issuing CA not be able to sign, its list of before stays on show,
/// and all of it is done again soon.
async fn publish(
    store: &Store,
    authority: &Authority,
    revoked: &Arc<Index>,
    issuers: &Issuers,
    known: Option<&Signed>,
    covers: u64,
    now: Timestamp,
) -> Result<Signed, Failure> {
    let number = next_number(store).await?;
    let sign = async |issuer: &Arc<Issuer>| sign(authority, issuer, revoked, number, now).await;
    let first = sign(issuers.current()).await?;
    let (mut former, mut covers) = (Vec::new(), covers);
    for issuer in issuers.former() {
        match sign(issuer).await {
            Ok(signed) => former.push(signed),
            Err(error) => {
                tracing::error!(issuer = issuer.issuer_name(), %error, "a former issuing CA could not sign its list");
                former.extend(known.and_then(|known| known.of(issuer.key_id())).cloned());
                covers = 0;
            }
        }
    }
    Ok(Signed { first, former, covers })
}

async fn sign(
    authority: &Authority,
    issuer: &Arc<Issuer>,
    revoked: &Arc<Index>,
    number: u64,
    now: Timestamp,
) -> Result<Published, Failure> {
    // A serial stays on at least one list that is signed after the certificate's end (RFC 5280 §3.3).
    let (revoked, signer, since) = (revoked.clone(), issuer.number, now.before(LIFE));
    let lines = aside(move || revoked.list(signer, since)).await??;
    let next_update = now.after(LIFE);
    let info = CrlInfo { number, this_update: now, next_update, count: lines.len() };
    let list = List { issuer: issuer.clone(), shard: None, revoked: lines, number, now, next_update };
    let der = authority.sign_crl(list).await?;
    Ok(Published { issuer: issuer.key_id().to_owned(), der: Arc::new(der), info })
}

/// The number of the next list, whole or of a shard: no two have the same.
pub(super) async fn next_number(store: &Store) -> Result<u64, StoreError> {
    let take = |tx: &mut Tx| -> Result<_, StoreError> {
        let number = tx.mark(NUMBER)?.unwrap_or(0) + 1;
        tx.set_mark(NUMBER, number).map(|()| number)
    };
    Ok(u64::try_from(store.write(take).await?).unwrap_or(1))
}

/// Whether a list need not be signed again, as far as time goes. One from the future is what a clock leaves behind that was
/// wrong and has been set right.
pub(super) fn is_fresh(this_update: Timestamp, now: Timestamp) -> bool {
    this_update <= now && now.since(this_update) < EVERY
}

/// The lists that were signed last, where they are kept.
fn last(authority: &Authority, issuers: &Issuers) -> Result<Option<Signed>, Failure> {
    let kept = |issuer: &Issuer| -> Result<Option<Published>, Failure> {
        let der = authority.last_crl(issuer, None)?;
        let found = der.and_then(|der| info(&der).map(|info| (Arc::new(der), info)));
        Ok(found.map(|(der, info)| Published { issuer: issuer.key_id().to_owned(), der, info }))
    };
    let Some(first) = kept(issuers.current())? else { return Ok(None) };
    let former = issuers.former().iter().filter_map(|issuer| kept(issuer).transpose());
    Ok(Some(Signed { first, former: former.collect::<Result<_, _>>()?, covers: 0 }))
}

/// The number of the root's next list, if it is time for one.
pub(super) fn root_due(known: Option<&[u8]>, now: Timestamp) -> Option<u64> {
    let known = known.and_then(info);
    let fresh = known.is_some_and(|known| known.next_update > now.after(ROOT_DUE));
    (!fresh).then(|| known.map_or(1, |known| known.number + 1))
}

/// A list in PEM, if the root has signed it.
pub(super) fn of_root(pem: &str, root: &ca::Certificate) -> Result<Vec<u8>, Failure> {
    let list = ca::crl_from_pem(pem).filter(|list| root.has_signed_list(list).unwrap_or(false));
    list.filter(|list| info(list).is_some()).ok_or(Failure::ForeignList)
}

/// What a signed list says of itself.
pub(super) fn info(der: &[u8]) -> Option<CrlInfo> {
    let (_, crl) = x509_parser::parse_x509_crl(der).ok()?;
    Some(CrlInfo {
        number: crl.crl_number().and_then(|number| u64::try_from(number).ok())?,
        this_update: crl.last_update().to_datetime().into(),
        next_update: crl.next_update()?.to_datetime().into(),
        count: crl.iter_revoked_certificates().count(),
    })
}

const NUMBER: &str = "crl";
const HOUR: Duration = Duration::from_secs(60 * 60);
/// How long a list is good.
pub(super) const LIFE: Duration = HOUR.saturating_mul(24);
/// How often it is signed anew although nothing changed.
const EVERY: Duration = HOUR.saturating_mul(6);
/// How long a list of the root is good.
pub(super) const ROOT_LIFE: Duration = HOUR.saturating_mul(24 * 365);
/// How long before its end it is signed anew.
const ROOT_DUE: Duration = HOUR.saturating_mul(24 * 180);
