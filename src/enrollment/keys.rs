//! The keys: the one place that touches the CA's key. It founds, opens and signs; what may be signed was decided and
//! written down before anything comes here.
//!
//! The keys lie under `STATE/authority`, sealed with a passphrase, and are opened once; the issuing CA's may be in a
//! PKCS#11 token instead. `STATE` is the house's own, or that of the signer, whose process has no network.

mod addresses;
mod ceremony;
mod chest;
mod founding;

use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use chancery_ca as ca;

use super::authority::{List, Order, aside};
use super::issuers::{self, Issuer, Issuers};
use super::{Config, Failure, Place, safe};
use crate::time::Timestamp;
pub(crate) use ceremony::{Ceremony, RootKey, Step};
use chest::Chest;
pub(super) use founding::found;
pub(crate) use founding::{Founded, Founding};

/// The opened keys.
pub(super) struct Keys {
    /// Every issuing CA that signs anything, by its key identifier.
    signing: RwLock<HashMap<String, Arc<ca::Authority>>>,
    bench: Arc<Bench>,
}

/// What keys are made and opened with.
struct Bench {
    chest: Chest,
    folder: PathBuf,
    urls: ca::Urls,
    kind: ca::KeyKind,
}

/// What came of the wish for another issuing CA.
pub(super) enum Rolled {
    /// It can sign, and will as soon as it is made the current one.
    Made(Arc<Issuer>),
    /// The root is elsewhere, and is to answer the request in this file.
    Asked(PathBuf),
}

impl Keys {
    /// Opens the keys of these issuing CAs.
    pub(super) fn open(cfg: &Config, place: Place<'_>, issuers: &Issuers) -> Result<Self, Failure> {
        let folder = folder(place.state);
        let chest = Chest::at(&folder, cfg, place.credentials)?;
        let shards =
            addresses::noted(&folder, base(place.http_base))?.iter().map(|base| shards(base)).collect();
        let urls = ca::Urls { shards, ..urls(place.http_base) };
        let bench = Bench { chest, folder, urls, kind: cfg.curve.into() };
        let mut signing = HashMap::new();
        for issuer in issuers.all() {
            let key = bench.chest.open(&issuers::name(ISSUING, issuer.number))?;
            let unusable = |why| Failure::Unusable { path: bench.folder.clone(), why };
            let ca = bench.authority(&issuer.chain_pem(), key).map_err(unusable)?;
            signing.insert(issuer.key_id().to_owned(), Arc::new(ca));
        }
        Ok(Self { signing: RwLock::new(signing), bench: Arc::new(bench) })
    }

    /// Signs a certificate whose serial is in the ledger.
    pub(super) async fn sign(
        &self,
        order: Order,
        serial: ca::Serial,
        now: Timestamp,
    ) -> Result<ca::Issued, Failure> {
        let ca = self.of(&order.issuer)?;
        let at_hand = ca.is_at_hand();
        let sign = move || {
            ca.issue(&order.key, &order.subject, order.profile, Some(order.validity), serial, now.to_offset())
        };
        let signed = if at_hand { sign() } else { aside(sign).await? };
        signed.map_err(|why| self.bench.chest.explain(why))
    }

    /// Signs an issuing CA's list of what was taken back, or a shard of it.
    pub(super) async fn sign_crl(&self, list: List) -> Result<Vec<u8>, Failure> {
        let ca = self.of(&list.issuer)?;
        let sign = move || {
            let List { shard, revoked, number, .. } = list;
            let (now, next) = (list.now.to_offset(), list.next_update.to_offset());
            match shard {
                Some(shard) => ca.shard_crl(shard, &revoked, number, now, next),
                None => ca.crl(&revoked, number, now, next),
            }
        };
        aside(sign).await?.map_err(|why| self.bench.chest.explain(why))
    }

    /// Makes the issuing CA that is to follow this one: a new key, and its certificate where the root's key is here.
    /// Otherwise there is a request, the same each time until it is answered.
    pub(super) async fn roll(&self, from: &Arc<Issuer>, now: Timestamp) -> Result<Rolled, Failure> {
        let (bench, from) = (self.bench.clone(), from.clone());
        match aside(move || bench.follow(&from, now)).await?? {
            Followed::Certified(number, ca) => Ok(Rolled::Made(self.take(number, ca))),
            Followed::Asked(request) => Ok(Rolled::Asked(request)),
        }
    }

    /// Takes the certificate with which a root elsewhere has answered.
    pub(super) async fn adopt(&self, from: &Arc<Issuer>, pem: String) -> Result<Arc<Issuer>, Failure> {
        let (bench, number) = (self.bench.clone(), from.number + 1);
        Ok(self.take(number, aside(move || bench.answered(number, &pem)).await??))
    }

    /// Throws away what is left of an issuing CA whose last certificate has ended. A key in a token stays there.
    pub(super) fn retire(&self, issuer: &Issuer) -> Result<(), Failure> {
        self.signing.write().unwrap_or_else(PoisonError::into_inner).remove(issuer.key_id());
        // The certificate first: without it, the rest is nothing that counts.
        for kind in ["pem", "key", "csr"] {
            safe::remove(&self.bench.folder.join(issuers::file(issuer.number, kind)))?;
        }
        Ok(())
    }

    fn of(&self, issuer: &Issuer) -> Result<Arc<ca::Authority>, Failure> {
        let signing = self.signing.read().unwrap_or_else(PoisonError::into_inner);
        signing.get(issuer.key_id()).cloned().ok_or_else(|| Failure::Retired(issuer.issuer_name().to_owned()))
    }

    fn take(&self, number: u32, ca: Arc<ca::Authority>) -> Arc<Issuer> {
        let issuer = Issuer::new(number, ca.as_ref().deref().clone());
        let mut signing = self.signing.write().unwrap_or_else(PoisonError::into_inner);
        signing.insert(issuer.key_id().to_owned(), ca);
        issuer
    }

    /// Signs and keeps a new, empty list of the root, whose key is opened for this alone; `None` when that key was
    /// taken out of the house, as it should be.
    pub(super) async fn renew_root_crl(
        &self,
        number: u64,
        now: Timestamp,
        next_update: Timestamp,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let bench = self.bench.clone();
        let renew = move || -> Result<Option<Vec<u8>>, Failure> {
            let Some(root) = bench.root()? else { return Ok(None) };
            let crl = root.crl(number, now.to_offset(), next_update.to_offset())?;
            safe::put(&bench.folder.join(ROOT_CRL), &crl)?;
            Ok(Some(crl))
        };
        aside(renew).await?
    }

    /// The root's list as it was last signed.
    pub(super) fn root_crl(&self) -> Result<Option<Vec<u8>>, Failure> {
        safe::get(&self.bench.folder.join(ROOT_CRL))
    }
}

enum Followed {
    Certified(u32, Arc<ca::Authority>),
    Asked(PathBuf),
}

impl Bench {
    fn follow(&self, from: &Issuer, now: Timestamp) -> Result<Followed, Failure> {
        let number = from.number + 1;
        let request = self.folder.join(issuers::file(number, "csr"));
        if request.exists() {
            return Ok(Followed::Asked(request));
        }
        let key = self.chest.make(&issuers::name(ISSUING, number), self.kind)?;
        let Some(root) = self.root()? else {
            let asked = ca::Organization::of(from.issuing())?.request(&key)?;
            safe::put(&request, asked.as_bytes())?;
            return Ok(Followed::Asked(request));
        };
        let issuing = root.certify(&key.public_key()?, number, &self.urls, now.to_offset())?;
        self.keep(number, &issuing.to_pem(), key).map(|ca| Followed::Certified(number, ca))
    }

    fn answered(&self, number: u32, pem: &str) -> Result<Arc<ca::Authority>, Failure> {
        let request = self.folder.join(issuers::file(number, "csr"));
        if !request.exists() {
            return Err(Failure::NotAsked(request));
        }
        self.keep(number, pem, self.chest.open(&issuers::name(ISSUING, number))?)
    }

    /// From here on it counts, also after a restart.
    fn keep(&self, number: u32, pem: &str, key: ca::AuthorityKey) -> Result<Arc<ca::Authority>, Failure> {
        let ca = self.authority(pem, key).map_err(Failure::Brought)?;
        safe::put(&self.folder.join(issuers::file(number, "pem")), pem.as_bytes())?;
        Ok(Arc::new(ca))
    }

    fn authority(&self, pem: &str, key: ca::AuthorityKey) -> Result<ca::Authority, ca::Failure> {
        let root = safe::text(&self.folder.join(ROOT_CERTIFICATE));
        let root = root.map_err(|_| ca::Failure::Authority("the root's certificate cannot be read"))?;
        ca::Authority::open(pem, key, &root, self.urls.clone())
    }

    /// The root, if its key was not taken out of the house, as it should be.
    fn root(&self) -> Result<Option<ca::Root>, Failure> {
        if !self.chest.holds(ROOT) {
            return Ok(None);
        }
        let certificate = safe::text(&self.folder.join(ROOT_CERTIFICATE))?;
        Ok(Some(ca::Root::open(&certificate, self.chest.open(ROOT)?)?))
    }
}

/// Where an authority is kept.
pub(super) fn folder(state: &Path) -> PathBuf {
    state.join("authority")
}

fn urls(http_base: &str) -> ca::Urls {
    let base = base(http_base);
    ca::Urls {
        crl: format!("{base}/crl/{{issuer}}.crl"),
        shards: vec![shards(base)],
        issuer: format!("{base}/ca/{{issuer}}.cer"),
        ocsp: Some(format!("{base}/ocsp")),
    }
}

fn shards(base: &str) -> String {
    format!("{base}/crl/{{issuer}}/{{shard}}.crl")
}

fn base(http_base: &str) -> &str {
    http_base.trim_end_matches('/')
}

/// Where the issuing CA's key lies, if it lies in a file.
pub(super) fn issuing_key(folder: &Path) -> PathBuf {
    folder.join(format!("{ISSUING}.key"))
}

pub(super) const ROOT_CERTIFICATE: &str = "root.pem";
pub(super) const ROOT_CRL: &str = "root.crl";
const ISSUING_CERTIFICATE: &str = "issuing.pem";
/// What the keys are called.
const ROOT: &str = "root";
pub(super) const ISSUING: &str = "issuing";
