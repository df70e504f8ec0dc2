//! The keys: the one file that touches the CA's key. It founds, opens and signs; what may be signed was decided and
//! written down before anything comes here.
//!
//! The keys lie under `STATE/authority`, sealed with a passphrase, and are opened once. `STATE` is the house's own, or
//! that of the signer, whose process has no network.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chancery_ca as ca;

use super::authority::{Order, aside};
use super::{Config, Failure, Place, safe};
use crate::secret::{self, NoSecret, SecretSource};
use crate::time::Timestamp;

/// The opened keys.
pub(super) struct Keys {
    ca: Arc<ca::Authority>,
    urls: ca::Urls,
    folder: PathBuf,
    passphrase: PathBuf,
}

impl Keys {
    /// Makes root and issuing CA in `STATE/authority`, all of it or nothing; refuses where there is one.
    pub(super) fn found(cfg: &Config, domain: &str, place: Place<'_>, now: Timestamp) -> Result<(), Failure> {
        let Place { state, http_base, credentials } = place;
        let (folder, draft) = (folder(state), state.join("authority.new"));
        if folder.exists() {
            return Err(Failure::Founded(folder));
        }
        safe::make_folder(&draft)?;
        if cfg.passphrase.is_none() {
            safe::put(&draft.join(PASSPHRASE), format!("{}\n", *secret::one_time()).as_bytes())?;
        }
        let passphrase =
            secret::read_secret(&passphrase_path(&draft, cfg.passphrase.as_ref(), credentials)?)?;
        let name = cfg.organization.clone().unwrap_or_else(|| domain.to_owned());
        let organization = ca::Organization { name, domain: domain.to_owned() };
        let founded =
            ca::Authority::found(&organization, &urls(http_base), cfg.curve.into(), now.to_offset())?;
        safe::put(&draft.join(ROOT_CERTIFICATE), founded.root_cert_pem.as_bytes())?;
        safe::put(&draft.join(ROOT_KEY), founded.root_key.seal(&passphrase)?.as_bytes())?;
        safe::put(&draft.join(ROOT_CRL), &founded.root_crl)?;
        safe::put(&draft.join(ISSUING_CERTIFICATE), founded.issuing_cert_pem.as_bytes())?;
        safe::put(&draft.join(ISSUING_KEY), founded.issuing_key.seal(&passphrase)?.as_bytes())?;
        safe::place_folder(&draft, &folder)
    }

    /// Opens the issuing CA's key.
    pub(super) fn open(cfg: &Config, place: Place<'_>) -> Result<Self, Failure> {
        let Place { state, http_base, credentials } = place;
        let folder = folder(state);
        if !folder.exists() {
            return Err(Failure::NotFounded(folder));
        }
        let passphrase = passphrase_path(&folder, cfg.passphrase.as_ref(), credentials)?;
        let key = open_key(&folder.join(ISSUING_KEY), &passphrase)?;
        let (issuing, root) =
            (text(&folder.join(ISSUING_CERTIFICATE))?, text(&folder.join(ROOT_CERTIFICATE))?);
        let urls = urls(http_base);
        let ca = ca::Authority::open(&issuing, key, &root, urls.clone())
            .map_err(|why| Failure::Unusable { path: folder.clone(), why })?;
        Ok(Self { ca: Arc::new(ca), urls, folder, passphrase })
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
        Ok(if self.ca.is_at_hand() { sign()? } else { aside(sign).await?? })
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
        Ok(aside(move || ca.crl(&revoked, number, now.to_offset(), next_update.to_offset())).await??)
    }

    /// Signs and keeps a new, empty list of the root, whose key is opened for this alone; `None` when that key was
    /// taken out of the house, as it should be.
    pub(super) async fn renew_root_crl(
        &self,
        number: u64,
        now: Timestamp,
        next_update: Timestamp,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let (folder, passphrase, urls) = (self.folder.clone(), self.passphrase.clone(), self.urls.clone());
        let renew = move || -> Result<Option<Vec<u8>>, Failure> {
            if !folder.join(ROOT_KEY).exists() {
                return Ok(None);
            }
            let key = open_key(&folder.join(ROOT_KEY), &passphrase)?;
            let certificate = text(&folder.join(ROOT_CERTIFICATE))?;
            let root = ca::Authority::open(&certificate, key, &certificate, urls)?;
            let crl = root.crl(&[], number, now.to_offset(), next_update.to_offset())?;
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

fn passphrase_path(
    folder: &Path,
    configured: Option<&SecretSource>,
    credentials: Option<&Path>,
) -> Result<PathBuf, NoSecret> {
    configured.map_or_else(|| Ok(folder.join(PASSPHRASE)), |source| source.path(credentials))
}

fn open_key(path: &Path, passphrase: &Path) -> Result<ca::KeyPair, Failure> {
    let sealed = text(path)?;
    ca::KeyPair::open(&sealed, &secret::read_secret(passphrase)?).map_err(|why| match why {
        ca::Failure::Passphrase => Failure::Passphrase { key: path.into(), passphrase: passphrase.into() },
        why => Failure::Unusable { path: path.into(), why },
    })
}

pub(super) fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|why| Failure::file(path, why))
}

pub(super) const ROOT_CERTIFICATE: &str = "root.pem";
const ROOT_KEY: &str = "root.key";
pub(super) const ROOT_CRL: &str = "root.crl";
pub(super) const ISSUING_CERTIFICATE: &str = "issuing.pem";
pub(super) const ISSUING_KEY: &str = "issuing.key";
const PASSPHRASE: &str = "passphrase";
