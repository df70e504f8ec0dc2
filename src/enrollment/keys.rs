//! The keys: the one place that touches the CA's key. It founds, opens and signs; what may be signed was decided and
//! written down before anything comes here.
//!
//! The keys lie under `STATE/authority`, sealed with a passphrase, and are opened once; the issuing CA's may be in a
//! PKCS#11 token instead. `STATE` is the house's own, or that of the signer, whose process has no network.

mod ceremony;
mod chest;
mod founding;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chancery_ca as ca;

use super::authority::{Order, aside};
use super::{Config, Failure, Place, safe};
use crate::time::Timestamp;
pub(crate) use ceremony::{Ceremony, RootKey, Step};
use chest::Chest;
pub(super) use founding::found;
pub(crate) use founding::{Founded, Founding};

/// The opened keys.
pub(super) struct Keys {
    ca: Arc<ca::Authority>,
    chest: Arc<Chest>,
    folder: PathBuf,
}

impl Keys {
    /// Opens the issuing CA's key.
    pub(super) fn open(cfg: &Config, place: Place<'_>) -> Result<Self, Failure> {
        let Place { state, http_base, credentials } = place;
        let folder = folder(state);
        if !folder.exists() {
            return Err(Failure::NotFounded(folder));
        }
        let chest = Arc::new(Chest::at(&folder, cfg, credentials)?);
        let key = chest.open(ISSUING)?;
        let (issuing, root) =
            (safe::text(&folder.join(ISSUING_CERTIFICATE))?, safe::text(&folder.join(ROOT_CERTIFICATE))?);
        let ca = ca::Authority::open(&issuing, key, &root, urls(http_base))
            .map_err(|why| Failure::Unusable { path: folder.clone(), why })?;
        Ok(Self { ca: Arc::new(ca), chest, folder })
    }

    /// Signs a certificate whose serial is in the ledger.
    pub(super) async fn sign(
        &self,
        order: Order,
        serial: ca::Serial,
        now: Timestamp,
    ) -> Result<ca::Issued, Failure> {
        let ca = self.ca.clone();
        let sign = move || {
            ca.issue(&order.key, &order.subject, order.profile, Some(order.validity), serial, now.to_offset())
        };
        let signed = if self.ca.is_at_hand() { sign() } else { aside(sign).await? };
        signed.map_err(|why| self.chest.explain(why))
    }

    /// Signs the list of what was taken back.
    pub(super) async fn sign_crl(
        &self,
        revoked: Vec<ca::Revoked>,
        number: u64,
        now: Timestamp,
        next_update: Timestamp,
    ) -> Result<Vec<u8>, Failure> {
        let ca = self.ca.clone();
        let sign = move || ca.crl(&revoked, number, now.to_offset(), next_update.to_offset());
        aside(sign).await?.map_err(|why| self.chest.explain(why))
    }

    /// Signs and keeps a new, empty list of the root, whose key is opened for this alone; `None` when that key was
    /// taken out of the house, as it should be.
    pub(super) async fn renew_root_crl(
        &self,
        number: u64,
        now: Timestamp,
        next_update: Timestamp,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let (chest, folder) = (self.chest.clone(), self.folder.clone());
        let renew = move || -> Result<Option<Vec<u8>>, Failure> {
            if !chest.holds(ROOT) {
                return Ok(None);
            }
            let root = ca::Root::open(&safe::text(&folder.join(ROOT_CERTIFICATE))?, chest.open(ROOT)?)?;
            let crl = root.crl(number, now.to_offset(), next_update.to_offset())?;
            safe::put(&folder.join(ROOT_CRL), &crl)?;
            Ok(Some(crl))
        };
        aside(renew).await?
    }

    /// The root's list as it was last signed.
    pub(super) fn root_crl(&self) -> Result<Option<Vec<u8>>, Failure> {
        safe::get(&self.folder.join(ROOT_CRL))
    }

    /// The certificates.
    pub(super) fn chain(&self) -> &ca::Chain {
        &self.ca
    }
}

/// Where an authority is kept.
pub(super) fn folder(state: &Path) -> PathBuf {
    state.join("authority")
}

fn urls(http_base: &str) -> ca::Urls {
    let base = http_base.trim_end_matches('/');
    ca::Urls {
        crl: format!("{base}/crl/{{issuer}}.crl"),
        issuer: format!("{base}/ca/{{issuer}}.cer"),
        ocsp: Some(format!("{base}/ocsp")),
    }
}

/// Where the issuing CA's key lies, if it lies in a file.
pub(super) fn issuing_key(folder: &Path) -> PathBuf {
    folder.join(format!("{ISSUING}.key"))
}

pub(super) const ROOT_CERTIFICATE: &str = "root.pem";
pub(super) const ROOT_CRL: &str = "root.crl";
pub(super) const ISSUING_CERTIFICATE: &str = "issuing.pem";
/// What the keys are called.
const ROOT: &str = "root";
const ISSUING: &str = "issuing";
