//! Who is at the door: from what a client shows at CONNECT to a principal with its session, or the reason why not.
//!
//! A certificate names its account by directory id; a user name, if given, must agree. Without a certificate a name
//! and a password are checked against the directory; or the client signs a challenge with a registered key. Each CONNECT
//! asks the ledger and the state of the account. The client learns no more than a reason code; why exactly is in the
//! audit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use zeroize::Zeroizing;

use super::challenge::{METHOD, Proof};
use super::hall::Hall;
use super::limits::{Crowded, Place};
use crate::audit::Deed;
use crate::broker::{Attached, Bell, Hello, Live};
use crate::directory::{Directory, NOBODYS, PublicKey, SignIn};
use crate::enrollment::{Presented, StatusRefused};
use crate::id::{AccountId, random};
use crate::journal::JournalError;
use crate::mqtt::{Connect, Reason, Will};
use crate::principal::Principal;
use crate::store::{Account, Key, KeyId};
use crate::time::{self, Timestamp};

/// Longer client ids are refused.
const CLIENT_ID_MAX: usize = 256;

/// What the door itself knows of a client.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) door: &'static str,
    pub(crate) address: Option<SocketAddr>,
    /// The certificate shown in the handshake, chain and key already proven.
    pub(crate) certificate: Option<Presented>,
    pub(crate) allow_anonymous: bool,
}

/// A client that was let in.
pub(crate) struct Greeted {
    pub(crate) who: Principal,
    pub(crate) attached: Attached,
    /// The client id, where the house chose it.
    pub(crate) assigned: Option<String>,
    /// Seconds the session outlives the connection, where that is less than what was asked for.
    pub(crate) session_expiry: Option<u32>,
    /// When the certificate that was shown is best renewed.
    pub(crate) renew: Option<(Timestamp, Timestamp)>,
    /// What is to be published when the connection is lost.
    pub(crate) will: Option<Box<Will>>,
    /// Among the connections of its account.
    pub(crate) place: Place,
}

/// Why a client was not let in: what it hears, and what the audit says.
pub(super) struct Turned {
    pub(super) reason: Reason,
    pub(super) why: String,
}

/// Whether the client is to be challenged before it is judged.
pub(crate) fn wants_challenge(connect: &Connect) -> bool {
    connect.authentication.as_ref().is_some_and(|wanted| wanted.method == METHOD)
}

/// Lets a client in, or says why not; `proof` is its answer if it was challenged.
pub(crate) async fn judge(
    hall: &Hall,
    visitor: &Visitor,
    connect: &Connect,
    proof: Option<&Proof>,
    bell: Arc<Bell>,
) -> Result<Greeted, Reason> {
    let now = time::now();
    match admit(hall, visitor, connect, proof, bell, now).await {
        Ok(greeted) => Ok(greeted),
        Err(turned) => {
            let subject = subject(hall, visitor, connect, proof);
            note(hall, visitor, subject, turned.reason.code(), &turned.why, now).await;
            Err(turned.reason)
        }
    }
}

/// Hears a client that proves itself anew while it is connected: it must be who it was (MQTT 5.0 section 4.12.1).
pub(crate) async fn judge_again(
    hall: &Hall,
    visitor: &Visitor,
    who: &Principal,
    attached: &Attached,
    proof: &Proof,
) -> Result<(), Reason> {
    let now = time::now();
    match prove_again(hall, visitor, who, attached, proof, now).await {
        Ok(()) => Ok(()),
        Err(turned) => {
            let subject = match who {
                Principal::Account(actor) => actor.name.to_string(),
                who => who.to_string(),
            };
            note(hall, visitor, subject, turned.reason.code(), &turned.why, now).await;
            Err(turned.reason)
        }
    }
}

async fn admit(
    hall: &Hall,
    visitor: &Visitor,
    connect: &Connect,
    proof: Option<&Proof>,
    bell: Arc<Bell>,
    now: Timestamp,
) -> Result<Greeted, Turned> {
    if connect.client_id.len() > CLIENT_ID_MAX {
        return Err(turned(Reason::ClientIdentifierNotValid, "a client id longer than 256 bytes"));
    }
    hall.gate.may_connect(visitor.address, time::monotonic()).map_err(crowded)?;
    let (who, key) = identify(hall, visitor, connect, proof, now).await?;
    let assigned =
        connect.client_id.is_empty().then(|| format!("auto-{}", crate::audit::to_hex(&random::<8>())));
    let client_id: Arc<str> = assigned.as_deref().unwrap_or(&connect.client_id).into();
    let account = who.account().unwrap_or(AccountId::GUEST);
    let takes_over = hall.broker.is_taken(account, &client_id);
    let place = hall.gate.enter(account, takes_over, time::monotonic()).map_err(crowded)?;
    let live = Live {
        serial: visitor.certificate.as_ref().map(|shown| shown.serial.clone()),
        key,
        address: visitor.address,
        version: connect.version,
        door: visitor.door,
        since: now,
        bell,
    };
    let expiry = connect.session_expiry.min(hall.broker.config().longest_expiry());
    let hello = Hello {
        account,
        client_id,
        clean_start: connect.clean_start,
        expiry,
        will: connect.will.clone(),
        live,
    };
    let attached = hall.broker.attach(hello, now).await.map_err(|error| match error {
        JournalError::Full => turned(Reason::QuotaExceeded, "the disk is full"),
        error => turned(Reason::ServerUnavailable, error),
    })?;
    // Revoked, removed or disabled between the question and the session's beginning: nobody would have ended it.
    if let Err(late) = still_good(hall, visitor, &who, key, now).await {
        let _ = hall.broker.detach(&attached, None, now).await;
        return Err(late);
    }
    let session_expiry = (expiry < connect.session_expiry).then_some(expiry);
    let will = connect.will.clone().map(Box::new);
    let renew = visitor.certificate.as_ref().map(|shown| shown.renewal);
    Ok(Greeted { who, attached, assigned, session_expiry, renew, will, place })
}

async fn identify(
    hall: &Hall,
    visitor: &Visitor,
    connect: &Connect,
    proof: Option<&Proof>,
    now: Timestamp,
) -> Result<(Principal, Option<KeyId>), Turned> {
    if let Some(proof) = proof {
        let (who, key) = by_signature(hall, visitor, proof, &connect.client_id, now).await?;
        agree(&who, connect.username.as_deref())?;
        return Ok((who, Some(key)));
    }
    if connect.authentication.is_some() {
        return Err(turned(
            Reason::BadAuthenticationMethod,
            "an authentication method that is not spoken here",
        ));
    }
    let who = match (&visitor.certificate, &connect.username) {
        (Some(shown), named) => {
            let who = by_certificate(hall, shown, now).await?;
            agree(&who, named.as_deref()).map(|()| who)
        }
        (None, Some(name)) => by_password(hall, visitor, name, connect.password.as_ref()).await,
        (None, None) if visitor.allow_anonymous => Ok(Principal::Guest),
        (None, None) => Err(turned(Reason::NotAuthorized, "neither a certificate nor a name and password")),
    };
    Ok((who?, None))
}

/// Asks who holds the key that signed the challenge. A certificate shown beside it must be the same account's.
async fn by_signature(
    hall: &Hall,
    visitor: &Visitor,
    proof: &Proof,
    client_id: &str,
    now: Timestamp,
) -> Result<(Principal, KeyId), Turned> {
    let named = match proof.key() {
        Some(id) => key(hall, id).await?,
        None => None,
    };
    let spki = named.as_ref().map_or(NOBODYS, |key| &key.spki);
    let holds = PublicKey::from_spki(spki).is_ok_and(|public| proof.holds(&public, &hall.domain, client_id));
    let key = named.ok_or_else(|| turned(Reason::NotAuthorized, "no such key"))?;
    let account = hall.directory.by_id(key.account);
    let account = account.ok_or_else(|| turned(Reason::NotAuthorized, "the key's account is gone"))?;
    if !holds {
        return Err(turned(Reason::NotAuthorized, format!("not signed by {}'s key", account.name)));
    }
    if let Some(shown) = &visitor.certificate
        && by_certificate(hall, shown, now).await?.account() != Some(account.id)
    {
        return Err(turned(
            Reason::NotAuthorized,
            format!("the key is {}'s, the certificate not", account.name),
        ));
    }
    Ok((enabled(&account)?, key.id))
}

async fn key(hall: &Hall, id: KeyId) -> Result<Option<Key>, Turned> {
    hall.directory.key(id).await.map_err(|error| turned(Reason::ServerUnavailable, error))
}

async fn prove_again(
    hall: &Hall,
    visitor: &Visitor,
    who: &Principal,
    attached: &Attached,
    proof: &Proof,
    now: Timestamp,
) -> Result<(), Turned> {
    let session = &attached.session;
    let (proven, key) = by_signature(hall, visitor, proof, &session.client_id, now).await?;
    if proven.account() != who.account() {
        return Err(turned(Reason::NotAuthorized, format!("now it is {proven}")));
    }
    session.proved_by(attached, key);
    still_good(hall, visitor, who, Some(key), now).await
}

/// Asks the ledger and the directory about a certificate that was shown.
pub(super) async fn by_certificate(
    hall: &Hall,
    shown: &Presented,
    now: Timestamp,
) -> Result<Principal, Turned> {
    hall.enrollment.status(shown, now).await.map_err(status_refused)?;
    let account = hall
        .directory
        .by_id(shown.account)
        .ok_or_else(|| turned(Reason::NotAuthorized, "the certificate's account is not in the directory"))?;
    enabled(&account)
}

/// A user name, where there is one, must be that of whoever was proven.
pub(super) fn agree(who: &Principal, named: Option<&str>) -> Result<(), Turned> {
    match (who, named) {
        (Principal::Account(actor), Some(name)) if name.to_lowercase() != *actor.name => {
            Err(turned(Reason::BadUserNameOrPassword, format!("another user name than {}", actor.name)))
        }
        _ => Ok(()),
    }
}

async fn by_password(
    hall: &Hall,
    visitor: &Visitor,
    name: &str,
    password: Option<&Zeroizing<Vec<u8>>>,
) -> Result<Principal, Turned> {
    let refuse = |why: &str| turned(Reason::BadUserNameOrPassword, why);
    let text = |bytes: &Zeroizing<Vec<u8>>| {
        std::str::from_utf8(bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
    };
    // An empty password would be an anonymous bind to many directories (RFC 4513 §5.1.2).
    let password =
        password.and_then(text).filter(|text| !text.is_empty()).ok_or_else(|| refuse("no password"))?;
    sign_in(hall, visitor, name, password).await
}

/// Asks the directory whether this is their password.
pub(super) async fn sign_in(
    hall: &Hall,
    visitor: &Visitor,
    name: &str,
    password: Zeroizing<String>,
) -> Result<Principal, Turned> {
    let refuse = |why: &str| turned(Reason::BadUserNameOrPassword, why);
    let from = visitor.address.map(|address| address.ip());
    match hall.directory.sign_in(name, password, from).await {
        SignIn::Accepted(account) => enabled(&account),
        SignIn::WrongPassword => Err(refuse("wrong password")),
        SignIn::Unknown => Err(refuse("no such account")),
        SignIn::Disabled(why) => Err(turned(Reason::BadUserNameOrPassword, why)),
        SignIn::Unavailable(why) => Err(turned(Reason::ServerUnavailable, why)),
        SignIn::Throttled(_) => Err(turned(Reason::ConnectionRateExceeded, "too many wrong passwords")),
    }
}

/// Asks again about whoever was let in.
pub(super) async fn still_good(
    hall: &Hall,
    visitor: &Visitor,
    who: &Principal,
    signed_by: Option<KeyId>,
    now: Timestamp,
) -> Result<(), Turned> {
    if let Some(id) = signed_by
        && key(hall, id).await?.is_none()
    {
        return Err(turned(Reason::NotAuthorized, "the key was removed"));
    }
    if let Some(shown) = &visitor.certificate {
        hall.enrollment.status(shown, now).await.map_err(status_refused)?;
    }
    match who {
        Principal::Account(actor) => match hall.directory.by_id(actor.id) {
            Some(account) => enabled(&account).map(drop),
            None => Err(turned(Reason::NotAuthorized, "the account is gone")),
        },
        _ => Ok(()),
    }
}

fn enabled(account: &Account) -> Result<Principal, Turned> {
    match account.disabled() {
        Some(why) => Err(turned(Reason::NotAuthorized, why)),
        None => Ok(Directory::principal(account)),
    }
}

fn status_refused(why: StatusRefused) -> Turned {
    let reason = match why {
        StatusRefused::Unanswered(_) => Reason::ServerUnavailable,
        _ => Reason::NotAuthorized,
    };
    turned(reason, why)
}

pub(super) fn crowded(why: Crowded) -> Turned {
    turned(why.reason(), why)
}

pub(super) fn turned(reason: Reason, why: impl ToString) -> Turned {
    Turned { reason, why: why.to_string() }
}

/// Writes a refusal into the audit, with the code by which the client hears of it. A crowd of strangers must not fill
/// the disk, so only so many a second are written one by one; the log counts the rest.
pub(super) async fn note(
    hall: &Hall,
    visitor: &Visitor,
    subject: String,
    reason: u8,
    why: &str,
    now: Timestamp,
) {
    let address = visitor.address.map(|address| address.ip().to_string()).unwrap_or_default();
    tracing::info!(door = visitor.door, reason, why, "a client was refused");
    if !may_write(now) {
        return;
    }
    let deed = Deed::new(&Principal::System, "session.refuse", subject).with(serde_json::json!({
        "door": visitor.door, "address": address, "reason": reason, "why": why,
    }));
    if let Err(error) = hall.store.write(move |tx| tx.remember(deed, now)).await {
        tracing::error!(%error, "a refusal could not be audited");
    }
}

/// Whom a refused CONNECT names: an account, a certificate or a key.
fn subject(hall: &Hall, visitor: &Visitor, connect: &Connect, proof: Option<&Proof>) -> String {
    // A name that nobody has may be a password typed into the wrong field.
    let account = connect.username.as_deref().and_then(|name| hall.directory.find(name));
    let known = account.map(|account| account.name.clone());
    let certificate = || Some(visitor.certificate.as_ref()?.serial.clone());
    let key = || proof?.key().map(|id| id.to_string());
    let named = known.or_else(certificate).or_else(key);
    let stranger = connect.username.is_some() || connect.authentication.is_some();
    named.unwrap_or_else(|| if stranger { "unknown" } else { "guest" }.into())
}

fn may_write(now: Timestamp) -> bool {
    const EACH_SECOND: u32 = 10;
    static SECOND: AtomicI64 = AtomicI64::new(0);
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let second = now.micros() / 1_000_000;
    if SECOND.swap(second, Ordering::Relaxed) != second {
        WRITTEN.store(0, Ordering::Relaxed);
    }
    WRITTEN.fetch_add(1, Ordering::Relaxed) < EACH_SECOND
}
