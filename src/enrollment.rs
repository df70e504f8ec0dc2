//! Enrollment: how a device comes to a certificate of this house, and how it loses it.
//!
//! Every front (console, self-service, API, command line, token, renewal) ends in the same two functions: [`authorize`]
//! decides, `certify` does. Names come from the directory and the profile, never from the request; a serial is in the ledger
//! and in the audit before the key signs; what is taken back is in the ledger before anybody hears of it. In between,
//! where the operator wants it so, an admin is waited for (`approval`). Keys and certificates themselves are the craft
//! of `ca`.

mod approval;
mod authority;
mod certify;
mod config;
mod crl;
mod front;
mod grant;
mod ground;
mod issuers;
mod keys;
mod ledger;
mod log;
mod mail;
mod material;
mod ocsp;
mod own;
mod published;
mod refused;
mod reminder;
mod revoke;
mod roll;
mod rules;
mod safe;
mod said;
mod self_service;
mod shards;
mod signer;
mod status;
#[cfg(test)]
mod tests;
mod token;
mod transcript;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chancery_ca as ca;
use serde_json::json;
use tokio::sync::{Mutex, Notify};

pub(crate) use approval::Wait;
pub(crate) use config::{Config, Pkcs11};
pub(crate) use crl::CrlInfo;
pub(crate) use front::{Shown, public_router, router};
pub(crate) use grant::Grant;
pub(crate) use keys::{Ceremony, Founded, Founding, RootKey, Step};
pub(crate) use log::check_proof;
pub(crate) use material::{Enrolled, Request};
pub(crate) use own::ServerCertificate;
pub(crate) use published::to_pem;
pub(crate) use refused::{Failure, Refused};
pub(crate) use roll::{Adopted, RollView};
pub(crate) use said::read;
pub(crate) use signer::{Config as SignerConfig, Signer, accounts};
pub(crate) use status::{Presented, StatusRefused};
pub(crate) use token::Brought;

use crate::audit::Deed;
use crate::broker::Broker;
use crate::chat::Chat;
use crate::directory::Directory;
use crate::principal::Principal;
use crate::store::{Account, Store};
use crate::time::Timestamp;
use authority::{Authority, Order};
use certify::Certify;
use ground::Ground;
use ledger::canonical;
use material::{Chain, Material};
use rules::{Act, authorize};

/// Cheap handle on the authority, its ledger and its lists.
#[derive(Clone)]
pub(crate) struct Enrollment {
    store: Store,
    broker: Broker,
    chat: Chat,
    directory: Directory,
    authority: Arc<Authority>,
    revoked: Arc<status::Index>,
    lists: Arc<crl::Lists>,
    shards: Arc<shards::Shards>,
    mint: Arc<token::Mint>,
    log: Arc<log::Log>,
    desk: Arc<ocsp::Desk>,
    transactions: Arc<front::Transactions>,
    nonces: Arc<front::Nonces>,
    /// One issuing CA is made at a time.
    rolling: Arc<Mutex<()>>,
    /// Rung when it is another one's turn.
    turned: Arc<Notify>,
    /// Rung when it may be another certificate that mail is encrypted for.
    changed: Arc<Notify>,
    cfg: Arc<Config>,
    state: Arc<Path>,
    http_base: Arc<str>,
}

/// Where the authority's files are and how others reach what it publishes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The state folder.
    pub(crate) state: &'a Path,
    /// The base of the URLs in certificates, such as `http://pki.corp.example`.
    pub(crate) http_base: &'a str,
    /// The folder in which systemd puts the service's credentials.
    pub(crate) credentials: Option<&'a Path>,
}

/// What somebody wants, through whichever front: judged by [`Enrollment::decide`].
struct Asked {
    deed: &'static str,
    /// The protocol it came by, for the audit.
    front: &'static str,
    grant: Grant,
    /// A request that could not be read is a refusal like any other, and audited like any other.
    material: Result<Material, Refused>,
    ground: Ground,
}

impl Enrollment {
    /// Makes root and issuing CA under `STATE/authority`, their keys sealed; or has the issuing CA certified by a root
    /// that is elsewhere, in two steps; or takes over the certificates of the one whose keys the signer holds. Refuses
    /// where there is one.
    pub(crate) async fn found(
        cfg: &Config,
        domain: &str,
        place: Place<'_>,
        founding: Founding,
        now: Timestamp,
    ) -> Result<Founded, Failure> {
        Authority::found(cfg, domain, place, founding, now).await
    }

    /// Opens the authority, reads what was revoked and signs a first list.
    pub(crate) async fn open(
        store: Store,
        broker: Broker,
        chat: Chat,
        directory: Directory,
        cfg: Config,
        place: Place<'_>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let authority = Arc::new(Authority::open(&cfg, place).await?);
        let client = cfg.validity(ca::Profile::Client);
        authority.life(&authority.current(), client, now)?; // A wrong clock shows at start.
        roll::catch_up(&store, &authority.current(), now).await?;
        log::catch_up(&store).await?;
        store.write(|tx| tx.reopen_pending(None)).await?;
        said::catch_up(&store).await?;
        let revoked = Arc::new(status::Index::load(&store, now.before(crl::LIFE)).await?);
        let lists = Arc::new(crl::Lists::open(store.clone(), authority.clone(), revoked.clone(), now).await?);
        let shards = shards::Shards::new(store.clone(), authority.clone(), revoked.clone());
        let enrollment = Self {
            store,
            broker,
            directory,
            authority,
            revoked,
            lists,
            shards: Arc::new(shards),
            mint: Arc::new(token::Mint::open(place.state)?),
            log: Arc::new(log::Log::open(place.state, chat.domain())?),
            chat,
            desk: Arc::default(),
            transactions: Arc::default(),
            nonces: Arc::default(),
            rolling: Arc::default(),
            turned: Arc::default(),
            changed: Arc::default(),
            cfg: Arc::new(cfg),
            state: place.state.into(),
            http_base: place.http_base.into(),
        };
        enrollment.tell(now);
        Ok(enrollment)
    }

    /// Certifies a key for an account: what console, API and command line do.
    pub(crate) async fn enroll(
        &self,
        who: &Principal,
        account: &str,
        grant: Grant,
        request: Request,
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let (account, material) = (self.account(account)?, Material::of(request));
        let asked =
            Asked { deed: "certificate.enroll", front: "house", grant, material, ground: Ground::Standing };
        self.issue(who, &account, asked, now).await
    }

    /// Certifies the key of whoever brings a token, as the token grants it. Who says for which profile is held to it.
    pub(crate) async fn enroll_with_token(
        &self,
        front: &'static str,
        brought: Brought<'_>,
        profile: Option<&str>,
        csr: &[u8],
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let alive = self.alive(brought, now).await;
        let alive = self.audited(&Principal::Guest, "certificate.enroll", "token", alive, now).await?;
        self.by_token(front, &alive, profile, Material::requested(csr), now).await
    }

    /// The same with a key that the house makes; the request says for which names.
    async fn make_with_token(
        &self,
        front: &'static str,
        brought: Brought<'_>,
        profile: Option<&str>,
        csr: &[u8],
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let alive = self.alive(brought, now).await;
        let alive = self.audited(&Principal::Guest, "certificate.enroll", "token", alive, now).await?;
        self.by_token(front, &alive, profile, Material::made_for(csr), now).await
    }

    /// Gives a new certificate of the same kind to whoever shows a good one. The old one stays good until it ends.
    pub(crate) async fn renew(
        &self,
        front: &'static str,
        presented: &Presented,
        profile: Option<&str>,
        csr: &[u8],
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        self.by_certificate(front, presented, profile, Material::requested(csr), now).await
    }

    async fn by_token(
        &self,
        front: &'static str,
        alive: &token::Alive,
        profile: Option<&str>,
        material: Result<Material, Refused>,
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let account = self.directory.by_id(alive.allows.account).ok_or(Refused::Gone);
        let account = self.audited(&Principal::Guest, "certificate.enroll", "token", account, now).await?;
        let grant = Grant::of_token(&alive.allows)?;
        let material = grant.is(profile).and(material);
        let ground = Ground::Token(alive.hash);
        let asked = Asked { deed: "certificate.enroll", front, grant, material, ground };
        self.issue(&Directory::principal(&account), &account, asked, now).await
    }

    async fn by_certificate(
        &self,
        front: &'static str,
        presented: &Presented,
        profile: Option<&str>,
        material: Result<Material, Refused>,
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let account = self.directory.by_id(presented.account).ok_or(Refused::Gone);
        let account =
            self.audited(&Principal::Guest, "certificate.renew", "certificate", account, now).await?;
        let grant = self.granted_before(presented).await?;
        let material = grant.is(profile).and(material);
        let ground = Ground::Certificate(presented.clone());
        let asked = Asked { deed: "certificate.renew", front, grant, material, ground };
        self.issue(&Directory::principal(&account), &account, asked, now).await
    }

    /// Authorize, take the names from directory and grant, hold the request against them, wait for an admin where one has
    /// to agree, certify, hand out. A refusal is audited as well.
    async fn issue(
        &self,
        who: &Principal,
        account: &Account,
        asked: Asked,
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let (deed, front, grant) = (asked.deed, asked.front, asked.grant.clone());
        let outcome = match self.decide(who, account, asked) {
            Ok((certify, material)) => {
                let issued = match self.cfg.approval(grant.profile()) {
                    true => self.approved(who, front, &grant, certify, &material, now).await,
                    false => {
                        let issuer = certify.order.issuer.clone();
                        self.certify(who, certify, now).await.map(|issued| (issued, issuer))
                    }
                };
                issued.map(|(issued, issuer)| (issued, issuer, material))
            }
            Err(refused) => Err(refused),
        };
        let (issued, issuer, material) = self.audited(who, deed, &account.name, outcome, now).await?;
        tracing::info!(account.id = %account.id, certificate.serial = %issued.serial, "a certificate was issued");
        let der = issuer.chain_der().into_iter().map(<[u8]>::to_vec).collect();
        let chain = Chain { issuing_pem: issuer.chain_pem(), der };
        material.pack(issued, chain, account.name.clone()).await
    }

    /// The one decision of all fronts.
    fn decide(
        &self,
        who: &Principal,
        account: &Account,
        asked: Asked,
    ) -> Result<(Certify, Material), Refused> {
        let Asked { deed, front, grant, material, ground } = asked;
        authorize(
            who,
            match &ground {
                ground if ground.was_granted() => Act::Granted(account),
                _ => Act::Certify(account, &grant),
            },
        )?;
        let (material, subject, profile) = (material?, grant.subject(account), grant.profile());
        material.check_names(&subject)?;
        profile.check_key(material.key()).map_err(Refused::Request)?;
        let (issuer, validity) = (self.authority.current(), self.cfg.validity(profile));
        issuer.check_subject(&subject, profile)?;
        let order = Order { key: material.key().clone(), subject, profile, validity, issuer };
        let facts = json!({
            "front": front, "key": material.origin(), "ground": ground.words(), "names": grant.names(),
        });
        let name = account.name.clone();
        Ok((Certify { deed, account: Some(account.id), name, order, facts, ground }, material))
    }

    /// What a certificate that somebody shows was granted as.
    async fn granted_before(&self, presented: &Presented) -> Result<Grant, Refused> {
        let line = self.show(&presented.serial).await?.ok_or(StatusRefused::Unknown)?;
        match line.der.as_deref() {
            Some(der) => Grant::again(&ca::Certificate::parse(der)?, &line.profile),
            // A crash between signing and noting it: what was signed is not known here, but the profile is.
            None => Grant::of(Some(&line.profile), Vec::new()),
        }
    }

    /// Remembers who was told no. That somebody waits was remembered with the request; what broke goes to the log of
    /// whoever handles it.
    async fn audited<T>(
        &self,
        who: &Principal,
        deed: &'static str,
        subject: &str,
        outcome: Result<T, Refused>,
        now: Timestamp,
    ) -> Result<T, Refused> {
        if let Err(refused) = &outcome
            && !matches!(refused, Refused::Failed(_) | Refused::Waiting(_))
        {
            let entry = Deed::new(who, deed, subject).with(json!({ "refused": refused.to_string() }));
            if let Err(error) = self.store.write(move |tx| tx.remember(entry, now)).await {
                tracing::error!(%error, "a refusal could not be audited");
            }
        }
        outcome
    }

    /// Whether the signer answers; `None` where the house has the keys itself.
    pub(crate) async fn signer_answers(&self) -> Option<Result<(), Failure>> {
        self.authority.signer_answers().await
    }

    fn account(&self, name: &str) -> Result<Arc<Account>, Refused> {
        self.directory.find(name).ok_or_else(|| Refused::NoAccount(name.into()))
    }
}

impl fmt::Debug for Enrollment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrollment").field("issuer", &self.issuer_id()).finish_non_exhaustive()
    }
}
