//! The signer: the CA's key in a process of its own, which has no network and trusts nobody.
//!
//! Whoever takes over the daemon can ask for certificates, as the daemon can, but has not the key: the signer makes each
//! certificate itself from its typed parts, under its own profiles, clock, limits and book, and signs nothing else but
//! lists. Both sides of the socket are here: [`Signer`] with what it judges by, and [`Client`], the daemon's hand.

mod book;
mod client;
mod config;
mod judge;
mod service;
#[cfg(test)]
mod tests;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use chancery_ca as ca;
use serde::{Deserialize, Serialize};

pub(super) use client::{Answered, Client};
pub(crate) use config::Config;
pub(crate) use service::accounts;
pub(super) use wire::Hello;

use super::authority::{List, Order};
use super::issuers::{Issuer, Issuers};
use super::keys::{self, Founded, Founding, Keys, Rolled};
use super::{Failure, Place, crl};
use crate::time::{self, Timestamp};
use book::{Book, Line};
use judge::Judge;
use wire::{Answer, Crl, Der, Issue, Request, Shard};

/// The one that signs, on its side of the socket.
pub(crate) struct Signer {
    keys: Keys,
    issuers: ArcSwap<Issuers>,
    /// One issuing CA is made at a time.
    rolling: tokio::sync::Mutex<()>,
    base: String,
    judge: Mutex<Judge>,
    book: Book,
}

/// Why the signer does not do what it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Refusal {
    #[error("it speaks version {own} of this language and was asked in another: run both from one release")]
    Version { own: u32 },
    #[error("what it was sent is no request: {0}")]
    Request(String),
    #[error("the serial {serial} was used before")]
    Serial { serial: String },
    #[error(
        "it issues {most} certificates in {seconds} s and not one more: wait, or raise [signer] issued_per_…"
    )]
    Often { most: u64, seconds: u64 },
    #[error("it is {own} by its clock and {theirs} by the one of who asks: set the clocks")]
    Clock { own: Timestamp, theirs: Timestamp },
    #[error("the profile {profile} is not among [signer] profiles")]
    Profile { profile: String },
    #[error(
        "{seconds} s are longer than [authority.profile.{profile}] allows: start both with one configuration"
    )]
    Validity { profile: String, seconds: u64 },
    #[error("a list until {until} is good for too long")]
    List { until: Timestamp },
    #[error("it has no issuing CA {key_id}")]
    Issuer { key_id: String },
    #[error("{why}")]
    Roll { why: String },
}

/// Why the daemon has no answer of the signer, or not the one it wanted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(
        "the signer at {socket} cannot be reached ({why}): is it running? (systemctl status chancery-signer)"
    )]
    Away { socket: PathBuf, why: String },
    #[error("the signer at {socket} refuses: {why}")]
    Refused { socket: PathBuf, why: Refusal },
    #[error("the signer at {socket} failed: {why}. Its log says more")]
    Failed { socket: PathBuf, why: String },
    #[error(
        "the signer at {socket} holds the key of another authority than this house's, and was asked for nothing: start \
         the right one"
    )]
    Other { socket: PathBuf },
    #[error("the signer at {socket} answered something that was not asked for")]
    Answer { socket: PathBuf },
}

/// What becomes an answer that is not the one wanted.
enum No {
    Refused(Refusal),
    Failed(Failure),
}

impl Signer {
    /// Makes root and issuing CA in the signer's own state folder; refuses where there is one.
    pub(crate) fn found(
        authority: &super::Config,
        domain: &str,
        place: Place<'_>,
        founding: Founding,
        now: Timestamp,
    ) -> Result<Founded, Failure> {
        keys::found(authority, domain, place, founding, now)
    }

    /// Whether an authority was founded in a state folder.
    pub(crate) fn exists(state: &Path) -> bool {
        keys::folder(state).exists()
    }

    /// Opens key and book.
    pub(crate) fn open(authority: &super::Config, rules: &Config, place: Place<'_>) -> Result<Self, Failure> {
        let issuers = Issuers::read(&keys::folder(place.state))?;
        let keys = Keys::open(authority, place, &issuers)?;
        let mut judge = Judge::new(rules, authority);
        let book = Book::open(&place.state.join(BOOK), |line| {
            let serial: ca::Serial = line.serial.parse().map_err(|why: ca::Refusal| why.to_string())?;
            judge.remember(serial, line.at);
            Ok(())
        })?;
        Ok(Self {
            keys,
            issuers: ArcSwap::from_pointee(issuers),
            rolling: tokio::sync::Mutex::default(),
            base: place.http_base.to_owned(),
            judge: Mutex::new(judge),
            book,
        })
    }

    /// Does what is asked, or says why not; every no goes to the log.
    async fn answer(&self, request: Request, now: Timestamp) -> Answer {
        let answer = match request {
            Request::Hello { version } => self.hello(version, now).await,
            Request::Issue(asked) => self.issue(*asked, now).await,
            Request::Crl(asked) => self.list(asked, now).await,
            Request::Roll { from, now: theirs } => self.roll(&from, theirs, now).await,
            Request::Adopt { pem } => self.adopt(pem, now).await,
        };
        answer.unwrap_or_else(|no| match no {
            No::Refused(refusal) => refused(refusal),
            No::Failed(error) => {
                tracing::error!(%error, "what was asked for could not be signed");
                Answer::Failed(error.to_string())
            }
        })
    }

    async fn hello(&self, version: u32, now: Timestamp) -> Result<Answer, No> {
        if version != wire::VERSION {
            return Err(Refusal::Version { own: wire::VERSION }.into());
        }
        self.introduce(now).await
    }

    async fn introduce(&self, now: Timestamp) -> Result<Answer, No> {
        let issuers = self.issuers.load_full();
        let chain = issuers.current();
        Ok(Answer::Hello(Box::new(Hello {
            issuing: Der(chain.issuing().der().to_vec()),
            root: Der(chain.root().der().to_vec()),
            root_crl: self.root_crl(now).await?.map(Der),
            base: self.base.clone(),
        })))
    }

    /// Another issuing CA signs from now on, unless it does so already for one who asks twice.
    async fn roll(&self, from: &str, theirs: Timestamp, now: Timestamp) -> Result<Answer, No> {
        let _one = self.rolling.lock().await;
        self.judge().same_time(theirs, now)?;
        self.forget_ended(now)?;
        let issuers = self.issuers.load_full();
        if issuers.current().key_id() == from {
            if issuers.are_full() {
                return Err(Failure::ManyIssuers.into());
            }
            match self.keys.roll(issuers.current(), theirs).await? {
                Rolled::Made(new) => self.install(&new),
                Rolled::Asked(request) => return Ok(Answer::Asked(request)),
            }
        }
        self.introduce(now).await
    }

    /// The certificate of an issuing CA that was asked for.
    async fn adopt(&self, pem: String, now: Timestamp) -> Result<Answer, No> {
        let _one = self.rolling.lock().await;
        let new = self.keys.adopt(self.issuers.load().current(), pem).await?;
        self.install(&new);
        self.introduce(now).await
    }

    fn install(&self, new: &Arc<Issuer>) {
        tracing::info!(issuer = new.issuer_name(), "another issuing CA signs from now on");
        self.issuers.store(Arc::new(self.issuers.load().with(new.clone())));
    }

    /// Nothing that the daemon says makes the signer throw a key away, only the end of the CA whose key it is.
    fn forget_ended(&self, now: Timestamp) -> Result<(), Failure> {
        for former in self.issuers.load_full().former() {
            if Timestamp::from(former.issuing().not_after) < now {
                self.keys.retire(former)?;
                self.issuers.store(Arc::new(self.issuers.load().without(former.number)));
            }
        }
        Ok(())
    }

    fn issuer(&self, key_id: &str) -> Result<Arc<Issuer>, Refusal> {
        let issuers = self.issuers.load();
        let found = issuers.by_key_id(key_id).cloned();
        found.ok_or_else(|| Refusal::Issuer { key_id: key_id.to_owned() })
    }

    /// Judge, sign, enter in the book, and only then answer.
    async fn issue(&self, asked: Issue, now: Timestamp) -> Result<Answer, No> {
        let key = ca::PublicKey::from_spki(&asked.spki.0);
        let key = key.map_err(|why| Refusal::Request(why.to_string()))?;
        let issuer = self.issuer(&asked.issuer)?;
        self.judge().may_issue(&asked, now)?;

        let Issue { subject, profile, validity, serial, now: theirs, .. } = asked;
        let order = Order { key, subject, profile, validity, issuer };
        let issued = self.keys.sign(order, serial, theirs).await?;

        let (serial, profile, fingerprint) = (serial.to_string(), profile.to_string(), issued.fingerprint);
        let line = Line { serial, profile, at: now, fingerprint };
        self.book.enter(&line).await.map_err(|why| Failure::file(Path::new(BOOK), why))?;
        tracing::debug!(certificate.serial = line.serial, profile = line.profile, "a certificate was issued");
        Ok(Answer::Certificate(Der(issued.der)))
    }

    async fn list(&self, asked: Crl, now: Timestamp) -> Result<Answer, No> {
        self.judge().may_list(&asked, now)?;
        let revoked = asked.revoked.into_iter().map(Into::into).collect();
        let (issuer, shard) = (self.issuer(&asked.issuer)?, asked.shard.map(|Shard(shard)| shard));
        let Crl { number, now, next_update, .. } = asked;
        let list = List { issuer, shard, revoked, number, now, next_update };
        let der = self.keys.sign_crl(list).await?;
        tracing::info!(number, "a CRL was signed");
        Ok(Answer::List(Der(der)))
    }

    /// The root's list as it lies in the state folder, signed anew in time where the root's key is there too.
    async fn root_crl(&self, now: Timestamp) -> Result<Option<Vec<u8>>, Failure> {
        let known = self.keys.root_crl()?;
        let Some(number) = crl::root_due(known.as_deref(), now) else { return Ok(known) };
        let renewed = self.keys.renew_root_crl(number, now, now.after(crl::ROOT_LIFE)).await?;
        Ok(renewed.or(known))
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(refusal: Refusal) -> Answer {
    tracing::warn!(why = %refusal, "the signer refuses");
    Answer::Refused(refusal)
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        No::Refused(refusal)
    }
}

impl From<Failure> for No {
    fn from(failure: Failure) -> Self {
        match failure {
            // The names, the key or the length do not fit the profile, or a line its list: whoever asked is at fault.
            Failure::Signing(
                why @ (ca::Failure::Name { .. }
                | ca::Failure::Incomplete { .. }
                | ca::Failure::Key(_)
                | ca::Failure::Shard(_)
                | ca::Failure::Validity(_)),
            ) => No::Refused(Refusal::Request(why.to_string())),
            failure if failure.is_refusal() => No::Refused(Refusal::Roll { why: failure.to_string() }),
            failure => No::Failed(failure),
        }
    }
}

const BOOK: &str = "book";
