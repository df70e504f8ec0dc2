//! Enrollment: how a device comes to a certificate of this house, and how it loses it.
//!
//! Every front (console, API, command line, token, renewal) ends in the same two functions: [`authorize`] decides,
//! `certify` does. Names come from the directory and the profile, never from the request; a serial is in the ledger
//! and in the audit before the key signs; what is taken back is in the ledger before anybody hears of it. Keys and
//! certificates themselves are the craft of `ca`.

mod authority;
mod config;
mod crl;
mod ground;
mod material;
mod published;
mod refused;
mod rules;
mod safe;
mod said;
mod server;
mod status;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chancery_ca as ca;
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub(crate) use config::Config;
pub(crate) use crl::CrlInfo;
pub(crate) use material::{Enrolled, Request};
pub(crate) use published::to_pem;
pub(crate) use refused::{Failure, Refused};
pub(crate) use said::read;
pub(crate) use server::ServerCertificate;
pub(crate) use status::{Presented, StatusRefused};

use crate::audit::Deed;
use crate::broker::Broker;
use crate::directory::Directory;
use crate::id::AccountId;
use crate::mqtt::Reason;
use crate::principal::Principal;
use crate::secret;
use crate::store::{Account, Certificate, CertificateState, NewCertificate, Store, StoreError, Token, Tx};
use crate::time::Timestamp;
use authority::{Authority, Order};
use ground::Ground;
use material::{Chain, Material};
use rules::{Act, authorize, key_is_free, may_act, subject};

/// Cheap handle on the authority, its ledger and its lists.
#[derive(Clone)]
pub(crate) struct Enrollment {
    store: Store,
    broker: Broker,
    directory: Directory,
    authority: Arc<Authority>,
    revoked: Arc<status::Index>,
    lists: Arc<crl::Lists>,
    cfg: Arc<Config>,
    state: Arc<Path>,
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

/// A certificate that was decided on.
struct Certify {
    deed: &'static str,
    /// `None` is the house itself.
    account: Option<AccountId>,
    name: String,
    order: Order,
    /// Further facts for the audit.
    facts: serde_json::Value,
    ground: Ground,
}

impl Enrollment {
    /// Makes root and issuing CA under `STATE/authority`, their keys sealed; refuses where there is one.
    pub(crate) fn found(
        state: &Path,
        cfg: &Config,
        domain: &str,
        http_base: &str,
        credentials: Option<&Path>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        Authority::found(state, cfg, domain, http_base, credentials, now)
    }

    /// Opens the authority, reads what was revoked and signs a first list.
    pub(crate) async fn open(
        store: Store,
        broker: Broker,
        directory: Directory,
        cfg: Config,
        place: Place<'_>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let authority = Arc::new(Authority::open(place.state, &cfg, place.http_base, place.credentials)?);
        authority.life(cfg.client_validity.0, now)?; // A wrong clock shows at start.
        let revoked = Arc::new(status::Index::load(&store, now).await?);
        let lists = Arc::new(crl::Lists::open(store.clone(), authority.clone(), now).await?);
        Ok(Self {
            store,
            broker,
            directory,
            authority,
            revoked,
            lists,
            cfg: Arc::new(cfg),
            state: place.state.into(),
        })
    }

    /// Certifies a key for an account: what console, API and command line do.
    pub(crate) async fn enroll(
        &self,
        who: &Principal,
        account: &str,
        request: Request,
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let material = Material::of(request)?;
        let account = self.account(account)?;
        self.issue(who, "certificate.enroll", &account, material, Ground::Standing, now).await
    }

    /// Certifies the key of whoever brings a token, for the account that the token names.
    pub(crate) async fn enroll_with_token(
        &self,
        token: &str,
        csr: &[u8],
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let material = Material::requested(csr)?;
        let hash = secret::digest(token);
        let allowed = self.store.read(move |view| view.token(&hash, now)).await?.ok_or(Refused::DeadToken)?;
        let account = self.directory.by_id(allowed.account).ok_or(Refused::Gone)?;
        let who = Directory::principal(&account);
        self.issue(&who, "certificate.enroll", &account, material, Ground::Token(hash), now).await
    }

    /// Gives a new certificate to whoever shows a good one. The old one stays good until it ends.
    pub(crate) async fn renew(
        &self,
        presented: &Presented,
        csr: &[u8],
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let material = Material::requested(csr)?;
        let account = self.directory.by_id(presented.account).ok_or(Refused::Gone)?;
        let who = Directory::principal(&account);
        let ground = Ground::Certificate(presented.clone());
        self.issue(&who, "certificate.renew", &account, material, ground, now).await
    }

    /// Draws a one-time token with which a device enrolls for the account; of it only the hash is kept.
    pub(crate) async fn token(
        &self,
        who: &Principal,
        account: &str,
        now: Timestamp,
    ) -> Result<(Zeroizing<String>, Timestamp), Refused> {
        let account = self.account(account)?;
        let outcome = authorize(who, Act::Certify(&account));
        self.audited(who, "certificate.token", &account.name, outcome, now).await?;

        let (token, until) = (secret::one_time(), now.after(self.cfg.token_ttl.0));
        let hash = secret::digest(&token);
        let allows = Token { account: account.id, profile: ca::Profile::Client.name().into() };
        let deed = Deed::new(who, "certificate.token", &account.name).with(json!({ "until": until }));
        let keep =
            move |tx: &mut Tx| tx.put_token(&hash, &allows, until).and_then(|()| tx.remember(deed, now));
        self.store.write(keep).await?;
        Ok((token, until))
    }

    /// Takes a certificate back: ledger and audit in one unit of work, then the handshakes, the live sessions and the
    /// list. Says how many sessions ended.
    pub(crate) async fn revoke(
        &self,
        who: &Principal,
        serial: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<usize, Refused> {
        let serial = canonical(serial)?;
        let reason: ca::Reason = reason.parse().map_err(Refused::Word)?;
        let line = self.show(&serial).await?.ok_or_else(|| Refused::NoCertificate(serial.clone()))?;
        let outcome = authorize(who, Act::TakeBack(line.account));
        self.audited(who, "certificate.revoke", &serial, outcome, now).await?;

        let actor = who.clone();
        let take_back = move |tx: &mut Tx| match take_back(tx, &actor, &line, reason, now)? {
            true => Ok(vec![line.serial]),
            false => Err(Refused::AlreadyRevoked(line.serial)),
        };
        let gone = self.store.write(take_back).await?;
        Ok(self.cut_off(&gone, now).await)
    }

    /// Takes back whatever still stands of an account: somebody leaves. Says how many sessions ended.
    pub(crate) async fn revoke_account(
        &self,
        who: &Principal,
        account: AccountId,
        reason: &str,
        now: Timestamp,
    ) -> Result<usize, Refused> {
        let reason: ca::Reason = reason.parse().map_err(Refused::Word)?;
        let outcome = authorize(who, Act::TakeBack(Some(account)));
        self.audited(who, "certificate.revoke", &account.to_string(), outcome, now).await?;

        let actor = who.clone();
        let take_all_back = move |tx: &mut Tx| -> Result<Vec<String>, StoreError> {
            let mut gone = Vec::new();
            for line in tx.certificates(Some(account), i64::MAX)? {
                if line.not_after > now && take_back(tx, &actor, &line, reason, now)? {
                    gone.push(line.serial);
                }
            }
            Ok(gone)
        };
        let gone = self.store.write(take_all_back).await?;
        Ok(if gone.is_empty() { 0 } else { self.cut_off(&gone, now).await })
    }

    /// The newest lines of the ledger; of one account when given.
    pub(crate) async fn list(
        &self,
        account: Option<AccountId>,
        limit: i64,
    ) -> Result<Vec<Certificate>, StoreError> {
        self.store.read(move |view| view.certificates(account, limit)).await
    }

    /// One line of the ledger; the serial in either case, with or without colons.
    pub(crate) async fn show(&self, serial: &str) -> Result<Option<Certificate>, StoreError> {
        let Ok(serial) = canonical(serial) else { return Ok(None) };
        self.store.read(move |view| view.certificate(&serial)).await
    }

    /// Authorize, take the names from the directory, hold the request against them, certify, hand out. A refusal is
    /// audited as well.
    async fn issue(
        &self,
        who: &Principal,
        deed: &'static str,
        account: &Account,
        material: Material,
        ground: Ground,
        now: Timestamp,
    ) -> Result<Enrolled, Refused> {
        let decide = || -> Result<Certify, Refused> {
            authorize(who, Act::Certify(account))?;
            let subject = subject(account);
            material.check_names(&subject)?;
            let (key, profile) = (material.key().clone(), ca::Profile::Client);
            let order = Order { key, subject, profile, validity: self.cfg.client_validity.0 };
            let facts = json!({ "key": material.origin(), "ground": ground.words() });
            Ok(Certify { deed, account: Some(account.id), name: account.name.clone(), order, facts, ground })
        };
        let outcome = match decide() {
            Ok(certify) => self.certify(who, certify, now).await,
            Err(refused) => Err(refused),
        };
        let issued = self.audited(who, deed, &account.name, outcome, now).await?;
        tracing::info!(account.id = %account.id, certificate.serial = %issued.serial, "a certificate was issued");
        let chain = Chain { issuing_pem: self.chain_pem(), der: self.chain_der() };
        material.pack(issued, chain, account.name.clone()).await
    }

    /// Accounts for a serial and audits the intent, signs, and notes what was signed. A crash in between leaves an
    /// intended line, which counts as issued and can be revoked.
    async fn certify(
        &self,
        who: &Principal,
        certify: Certify,
        now: Timestamp,
    ) -> Result<ca::Issued, Refused> {
        let Certify { deed, account, name, order, facts, ground } = certify;
        let (not_before, not_after) = self.authority.life(order.validity, now)?;
        let serial = ca::Serial::random()?;
        let (line, profile) = (serial.to_string(), order.profile.name());
        let spki = Sha256::digest(order.key.spki_der()).into();
        let new = NewCertificate {
            serial: line.clone(),
            account,
            name: name.clone(),
            profile,
            spki,
            not_before,
            not_after,
        };
        let intent = Deed::new(who, deed, &name).with(json!({
            "serial": line, "profile": profile, "not_after": not_after, "request": facts,
        }));
        let intend = move |tx: &mut Tx| -> Result<(), Refused> {
            ground.holds(tx, now)?;
            key_is_free(&tx.key_used_by(&new.spki)?, account)?;
            tx.intend_certificate(&new, now)?;
            Ok(tx.remember(intent, now)?)
        };
        self.store.write(intend).await?;
        // Whoever was disabled meanwhile is refused here; whoever is disabled later is revoked with this line.
        if let Some(id) = account {
            may_act(&*self.directory.by_id(id).ok_or(Refused::Gone)?)?;
        }

        let issued = self.authority.sign(order, serial, now).await?;

        let der = issued.der.clone();
        let signed = Deed::new(who, "certificate.issue", &name)
            .with(json!({ "serial": line, "fingerprint": issued.fingerprint }));
        let note =
            move |tx: &mut Tx| tx.activate_certificate(&line, &der).and_then(|()| tx.remember(signed, now));
        self.store.write(note).await?;
        Ok(issued)
    }

    /// The ledger has committed. Handshakes first, so that nobody who is cut off comes back; then the sessions, whose
    /// end must not wait for a signature; then the list, for the others.
    async fn cut_off(&self, serials: &[String], now: Timestamp) -> usize {
        self.revoked.add(serials);
        let shown = |serial: &Option<String>| serial.as_ref().is_some_and(|serial| serials.contains(serial));
        let ended = self.broker.end(Reason::AdministrativeAction, |session| {
            session.live(|live| shown(&live.serial)).unwrap_or(false)
        });
        tracing::info!(certificates = serials.len(), sessions = ended, "certificates were revoked");
        if let Err(error) = self.lists.follow(now).await {
            tracing::error!(%error, "the CRL could not follow a revocation; it is tried again");
        }
        ended
    }

    /// Remembers who was told no; what broke goes to the log of whoever handles it.
    async fn audited<T>(
        &self,
        who: &Principal,
        deed: &'static str,
        subject: &str,
        outcome: Result<T, Refused>,
        now: Timestamp,
    ) -> Result<T, Refused> {
        if let Err(refused) = &outcome
            && !matches!(refused, Refused::Failed(_))
        {
            let entry = Deed::new(who, deed, subject).with(json!({ "refused": refused.to_string() }));
            if let Err(error) = self.store.write(move |tx| tx.remember(entry, now)).await {
                tracing::error!(%error, "a refusal could not be audited");
            }
        }
        outcome
    }

    fn account(&self, name: &str) -> Result<Arc<Account>, Refused> {
        self.directory.find(name).ok_or_else(|| Refused::NoAccount(name.into()))
    }
}

/// `false` when it was revoked before.
fn take_back(
    tx: &mut Tx,
    who: &Principal,
    line: &Certificate,
    reason: ca::Reason,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if line.state == CertificateState::Revoked || !tx.revoke_certificate(&line.serial, reason.name(), now)? {
        return Ok(false);
    }
    let facts = json!({ "serial": line.serial, "reason": reason.name(), "account": line.name });
    tx.remember(Deed::new(who, "certificate.revoke", &line.serial).with(facts), now)?;
    Ok(true)
}

/// A serial as the ledger writes it.
fn canonical(serial: &str) -> Result<String, Refused> {
    serial
        .parse::<ca::Serial>()
        .map(|parsed| parsed.to_string())
        .map_err(|_| Refused::NoCertificate(serial.into()))
}

impl fmt::Debug for Enrollment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrollment").field("issuer", &self.issuer_id()).finish_non_exhaustive()
    }
}
