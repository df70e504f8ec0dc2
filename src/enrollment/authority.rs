//! The authority: what signs for the house, in one of two places. Either the keys are in this process, or a signer holds
//! them behind a socket, in a process without network; the house does not notice which.
//!
//! Certificates are always at hand, so that everything but signing goes on when the signer is away. There may be several
//! issuing CAs at a time (`issuers.rs`); every order says which one is to sign it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use chancery_ca as ca;

use super::issuers::{self, Issuer, Issuers};
use super::keys::{self, Founded, Founding, Keys, Rolled};
use super::signer::{Answered, Client, Hello, Trouble};
use super::{Config, Failure, Place, crl, safe};
use crate::time::Timestamp;

/// A certificate as it is to be signed.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) key: ca::PublicKey,
    pub(super) subject: ca::Subject,
    pub(super) profile: ca::Profile,
    pub(super) validity: Duration,
    /// Who signs it.
    pub(super) issuer: Arc<Issuer>,
}

/// A list of what was taken back, as it is to be signed.
pub(super) struct List {
    /// Whose it is.
    pub(super) issuer: Arc<Issuer>,
    /// Which part of it; all of it without one.
    pub(super) shard: Option<ca::Shard>,
    pub(super) revoked: Vec<ca::Revoked>,
    pub(super) number: u64,
    pub(super) now: Timestamp,
    pub(super) next_update: Timestamp,
}

/// The authority of this house.
pub(super) struct Authority {
    issuers: ArcSwap<Issuers>,
    hand: Hand,
    /// `STATE/authority`.
    folder: PathBuf,
}

/// Who signs.
enum Hand {
    Keys(Keys),
    Signer(Client),
}

impl Authority {
    /// Makes an authority, or takes over the certificates of the one that the signer holds, into `STATE/authority`: all of
    /// it or nothing; refuses where there is one.
    pub(super) async fn found(
        cfg: &Config,
        domain: &str,
        place: Place<'_>,
        founding: Founding,
        now: Timestamp,
    ) -> Result<Founded, Failure> {
        match (&cfg.signer, founding) {
            (None, founding) => keys::found(cfg, domain, place, founding, now),
            (Some(socket), Founding::OwnRoot) => {
                adopt(place.state, Client::meet(socket).await?).map(|()| Founded::Whole)
            }
            (Some(_), _) => Err(Failure::AtTheSigner),
        }
    }

    /// Opens the authority. A signer that is away is no reason to stay closed; one that speaks for another authority is.
    pub(super) async fn open(cfg: &Config, place: Place<'_>) -> Result<Self, Failure> {
        let folder = keys::folder(place.state);
        if !folder.exists() {
            return Err(Failure::NotFounded(folder));
        }
        let issuers = Issuers::read(&folder)?;
        let Some(socket) = &cfg.signer else {
            let hand = Hand::Keys(Keys::open(cfg, place, &issuers)?);
            return Ok(Self { issuers: ArcSwap::from_pointee(issuers), hand, folder });
        };
        if keys::issuing_key(&folder).exists() {
            tracing::warn!(
                folder = %folder.display(),
                "the CA's key lies here although a signer is to hold it: move it to the signer's state folder"
            );
        }
        let client = Client::new(socket, issuers.current().root());
        let met = client.hello().await;
        let own = Self { issuers: ArcSwap::from_pointee(issuers), hand: Hand::Signer(client), folder };
        match met {
            Ok(hello) => {
                tell_of_other_urls(&hello.base, place.http_base);
                if let Some(new) = own.learn(&hello)? {
                    own.install(new);
                }
            }
            Err(Failure::Signer(away @ Trouble::Away { .. })) => {
                tracing::error!(error = %away, "no certificate can be issued for now")
            }
            Err(why) => return Err(why),
        }
        Ok(own)
    }

    /// Every issuing CA, as of now.
    pub(super) fn issuers(&self) -> Arc<Issuers> {
        self.issuers.load_full()
    }

    /// The one that signs.
    pub(super) fn current(&self) -> Arc<Issuer> {
        self.issuers.load().current().clone()
    }

    /// Makes the issuing CA that is to follow the current one, or a request for it. It signs nothing before it is
    /// installed.
    pub(super) async fn roll(&self, now: Timestamp) -> Result<Rolled, Failure> {
        let issuers = self.issuers();
        if issuers.are_full() {
            return Err(Failure::ManyIssuers);
        }
        match &self.hand {
            Hand::Keys(keys) => keys.roll(issuers.current(), now).await,
            Hand::Signer(client) => match client.roll(issuers.current(), now).await? {
                Answered::Hello(hello) => self.learned(&hello),
                Answered::Asked(request) => Ok(Rolled::Asked(request)),
            },
        }
    }

    /// Takes the certificate with which a root elsewhere has answered such a request.
    pub(super) async fn adopt(&self, pem: &str) -> Result<Arc<Issuer>, Failure> {
        let made = match &self.hand {
            Hand::Keys(keys) => Rolled::Made(keys.adopt(self.issuers().current(), pem.to_owned()).await?),
            Hand::Signer(client) => self.learned(&client.adopt(pem).await?)?,
        };
        match made {
            Rolled::Made(new) => Ok(new),
            Rolled::Asked(request) => Err(Failure::NotAsked(request)),
        }
    }

    /// Makes it the one that signs.
    pub(super) fn install(&self, new: Arc<Issuer>) {
        self.issuers.store(Arc::new(self.issuers.load().with(new)));
    }

    /// Forgets a former one.
    pub(super) fn retire(&self, issuer: &Issuer) -> Result<(), Failure> {
        self.issuers.store(Arc::new(self.issuers.load().without(issuer.number)));
        match &self.hand {
            Hand::Keys(keys) => keys.retire(issuer),
            // The signer keeps its key until the CA's own end, whatever is said to it.
            Hand::Signer(_) => {
                for shard in ca::Shard::all().map(Some).chain([None]) {
                    safe::remove(&self.list_file(issuer, shard))?;
                }
                safe::remove(&self.folder.join(issuers::file(issuer.number, "pem")))
            }
        }
    }

    fn learned(&self, hello: &Hello) -> Result<Rolled, Failure> {
        let new = self.learn(hello)?.map(Rolled::Made);
        new.ok_or_else(|| {
            Failure::NotAsked(self.folder.join(issuers::file(self.current().number + 1, "csr")))
        })
    }

    /// Keeps the certificate of the issuing CA that a signer signs with, if it is not known here.
    fn learn(&self, hello: &Hello) -> Result<Option<Arc<Issuer>>, Failure> {
        let (chain, issuers) = (hello.chain()?, self.issuers());
        if issuers.by_key_id(chain.key_id()).is_some() {
            return Ok(None);
        }
        let number = issuers.current().number + 1;
        safe::put(&self.folder.join(issuers::file(number, "pem")), chain.chain_pem().as_bytes())?;
        Ok(Some(Issuer::new(number, chain)))
    }

    /// First and last second of a certificate signed now: what the ledger says before anything is signed.
    pub(super) fn life(
        &self,
        issuer: &Issuer,
        validity: Duration,
        now: Timestamp,
    ) -> Result<(Timestamp, Timestamp), Failure> {
        let (issuing, now) = (issuer.issuing(), now.to_offset());
        if !issuing.is_valid_at(now) {
            let (from, until) = (issuing.not_before.into(), issuing.not_after.into());
            return Err(Failure::Clock { now: now.into(), from, until });
        }
        // Certificates count whole seconds, and begin a little earlier for clocks that lag.
        let second = now.replace_nanosecond(0).unwrap_or(now);
        let last = second.checked_add(time::Duration::try_from(validity).unwrap_or(time::Duration::MAX));
        let not_after = last.map_or(issuing.not_after, |last| last.min(issuing.not_after));
        Ok(((second - LAG).max(issuing.not_before).into(), not_after.into()))
    }

    /// Signs a certificate whose serial is in the ledger.
    pub(super) async fn sign(
        &self,
        order: Order,
        serial: ca::Serial,
        now: Timestamp,
    ) -> Result<ca::Issued, Failure> {
        match &self.hand {
            Hand::Keys(keys) => keys.sign(order, serial, now).await,
            Hand::Signer(client) => client.issue(order, serial, now).await,
        }
    }

    /// Whether the signer answers; `None` where the keys are here.
    pub(super) async fn signer_answers(&self) -> Option<Result<(), Failure>> {
        match &self.hand {
            Hand::Keys(_) => None,
            Hand::Signer(client) => Some(client.hello().await.map(drop)),
        }
    }

    /// Signs an issuing CA's list of what was taken back, or a shard of it.
    pub(super) async fn sign_crl(&self, list: List) -> Result<Vec<u8>, Failure> {
        match &self.hand {
            Hand::Keys(keys) => keys.sign_crl(list).await,
            Hand::Signer(client) => {
                let path = self.list_file(&list.issuer, list.shard);
                let der = client.crl(list).await?;
                safe::put(&path, &der)?;
                Ok(der)
            }
        }
    }

    /// The list that was signed last, for a start at which the signer is away.
    pub(super) fn last_crl(
        &self,
        issuer: &Issuer,
        shard: Option<ca::Shard>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        match &self.hand {
            Hand::Keys(_) => Ok(None),
            Hand::Signer(_) => safe::get(&self.list_file(issuer, shard)),
        }
    }

    /// Where it is kept.
    fn list_file(&self, issuer: &Issuer, shard: Option<ca::Shard>) -> PathBuf {
        let kind = shard.map_or_else(|| LIST.to_owned(), |shard| format!("{shard}.{LIST}"));
        self.folder.join(issuers::file(issuer.number, &kind))
    }

    /// A new, empty list of the root; `None` when there is none, because the root's key was taken away, as it should be.
    pub(super) async fn renew_root_crl(
        &self,
        number: u64,
        now: Timestamp,
        next_update: Timestamp,
    ) -> Result<Option<Vec<u8>>, Failure> {
        match &self.hand {
            Hand::Keys(keys) => keys.renew_root_crl(number, now, next_update).await,
            // The signer renews it by itself; here it is only fetched, and may be the one that is known.
            Hand::Signer(client) => {
                let fetched = client.hello().await?.root_crl();
                let fetched = fetched.filter(|der| crl::info(der).is_some_and(|info| info.number >= number));
                if let Some(der) = &fetched {
                    safe::put(&self.folder.join(keys::ROOT_CRL), der)?;
                }
                Ok(fetched)
            }
        }
    }

    /// Keeps a list of the root that was brought in.
    pub(super) fn keep_root_crl(&self, der: &[u8]) -> Result<(), Failure> {
        safe::put(&self.folder.join(keys::ROOT_CRL), der)
    }

    /// The root's list as it was last signed.
    pub(super) fn root_crl(&self) -> Result<Option<Vec<u8>>, Failure> {
        safe::get(&self.folder.join(keys::ROOT_CRL))
    }
}

/// Keeps what the signer shows: from now on, only a signer of this authority is taken for ours.
fn adopt(state: &Path, hello: Hello) -> Result<(), Failure> {
    let (folder, draft) = (keys::folder(state), state.join("authority.new"));
    if folder.exists() {
        return Err(Failure::Founded(folder));
    }
    let chain = hello.chain()?;
    safe::make_folder(&draft)?;
    safe::put(&draft.join(keys::ROOT_CERTIFICATE), chain.root_pem().as_bytes())?;
    safe::put(&draft.join(issuers::file(1, "pem")), chain.chain_pem().as_bytes())?;
    if let Some(crl) = hello.root_crl() {
        safe::put(&draft.join(keys::ROOT_CRL), &crl)?;
    }
    safe::place_folder(&draft, &folder)
}

fn tell_of_other_urls(signer: &str, house: &str) {
    if signer != house {
        tracing::warn!(
            signer,
            house,
            "the signer's certificates send others elsewhere for the CRL than where it is: both read [authority] public_url"
        );
    }
}

/// Runs arithmetic where it keeps no connection waiting.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::Stopped)
}

/// The kind of file that holds an issuing CA's last list.
const LIST: &str = "crl";
/// How far a clock may lag: certificates begin so much earlier.
pub(super) const LAG: Duration = Duration::from_secs(5 * 60);
