//! The lists of what was taken back: the issuing CA's, signed anew with each revocation and every six hours, and the
//! root's, which is empty and signed twice a year.
//!
//! The house itself does not depend on them, it asks its ledger; they are for everybody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::Serialize;
use tokio::sync::Mutex;

use super::Failure;
use super::authority::{Authority, aside};
use super::status::Index;
use crate::store::{Store, StoreError};
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

/// Both lists, as they are now.
pub(super) struct Lists {
    store: Store,
    authority: Arc<Authority>,
    revoked: Arc<Index>,
    current: ArcSwap<Published>,
    root: ArcSwapOption<Vec<u8>>,
    /// One list is signed at a time, so that the number on show never goes back.
    publishing: Mutex<()>,
    /// How many times the ledger changed what belongs on the list.
    changes: AtomicU64,
    /// The number of the list that subscribers were told last.
    told: AtomicU64,
}

struct Published {
    der: Arc<Vec<u8>>,
    info: CrlInfo,
    /// Every change up to this one is in it.
    covers: u64,
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
        let (first, changes) = match publish(&store, &authority, &revoked, 0, now).await {
            Ok(signed) => (signed, 0),
            Err(error) => {
                let Some(last) = last(&authority)? else { return Err(error) };
                tracing::error!(%error, "no CRL could be signed; the last one is shown until one can");
                (last, 1)
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
            changes: AtomicU64::new(changes),
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
        self.renew(now).await
    }

    /// Signs what has become old.
    pub(super) async fn renew_if_due(&self, now: Timestamp) -> Result<(), Failure> {
        let _one = self.publishing.lock().await;
        let (signed, fresh) =
            (self.current.load().info.this_update, self.current.load().covers >= self.changes());
        // A list from the future is what a clock leaves behind that was wrong and has been set right.
        if fresh && signed <= now && now.since(signed) < EVERY {
            return Ok(());
        }
        self.renew_root_if_due(now).await;
        self.renew(now).await
    }

    /// The issuing CA's list in DER.
    pub(super) fn der(&self) -> Arc<Vec<u8>> {
        self.current.load().der.clone()
    }

    /// The list, once for each that was signed.
    pub(super) fn untold(&self) -> Option<Arc<Vec<u8>>> {
        let current = self.current.load();
        (self.told.swap(current.info.number, Ordering::AcqRel) != current.info.number)
            .then(|| current.der.clone())
    }

    pub(super) fn info(&self) -> CrlInfo {
        self.current.load().info
    }

    /// Shows a list of the root that was brought in, unless it is older than the one on show.
    pub(super) fn adopt_root(&self, pem: &str) -> Result<CrlInfo, Failure> {
        let der = of_root(pem, self.authority.public().root())?;
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

    async fn renew(&self, now: Timestamp) -> Result<(), Failure> {
        let covers = self.changes();
        let signed = publish(&self.store, &self.authority, &self.revoked, covers, now).await?;
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

/// Takes the next number, then reads what belongs on the list and signs it. One list is made at a time, so that one
/// with a higher number was read later.
async fn publish(
    store: &Store,
    authority: &Authority,
    revoked: &Arc<Index>,
    covers: u64,
    now: Timestamp,
) -> Result<Published, Failure> {
    let take = move |tx: &mut crate::store::Tx| -> Result<_, StoreError> {
        let number = tx.mark(NUMBER)?.unwrap_or(0) + 1;
        tx.set_mark(NUMBER, number).map(|()| number)
    };
    let number = u64::try_from(store.write(take).await?).unwrap_or(1);
    // A serial stays on at least one list that is signed after the certificate's end (RFC 5280 §3.3).
    let (revoked, since) = (revoked.clone(), now.before(LIFE));
    let lines = aside(move || revoked.list(since)).await??;
    let info = CrlInfo { number, this_update: now, next_update: now.after(LIFE), count: lines.len() };
    let der = authority.sign_crl(lines, number, now, info.next_update).await?;
    Ok(Published { der: Arc::new(der), info, covers })
}

/// The list that was signed last, where it is kept.
fn last(authority: &Authority) -> Result<Option<Published>, Failure> {
    let Some(der) = authority.last_crl()? else { return Ok(None) };
    let Some(info) = info(&der) else { return Ok(None) };
    Ok(Some(Published { der: Arc::new(der), info, covers: 0 }))
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
