//! Approval: for profiles that the operator named, a request that was decided on waits until an admin agrees.
//!
//! Nothing is signed meanwhile, and nothing but the public key is kept. A request is known by what it asks for: account,
//! profile, names and key. So the same request, sent again through whichever front, finds itself and in the end its
//! certificate; the token that entitled it is used up and bound to it. When an admin agrees, everything is decided
//! again, for the account may be gone by then.

use std::sync::Arc;
use std::time::Duration;

use chancery_ca as ca;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::issuers::Issuer;
use super::rules::{Act, authorize, key_is_free};
use super::{Asked, Certify, Enrollment, Failure, Grant, Ground, Material, Refused, StatusRefused};
use crate::audit::{Deed, to_hex};
use crate::directory::Directory;
use crate::id::AccountId;
use crate::principal::Principal;
use crate::store::{CertificateState, Entitled, Pending, PendingState, StoreError, Tx};
use crate::time::Timestamp;

/// What whoever asked hears of a request that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) id: String,
    /// When asking again makes sense.
    pub(crate) retry: Duration,
    /// When it is forgotten.
    pub(crate) until: Timestamp,
}

impl Enrollment {
    /// Hands out what was approved, and lays by what nobody has seen yet.
    pub(super) async fn approved(
        &self,
        who: &Principal,
        front: &'static str,
        grant: &Grant,
        certify: Certify,
        material: &Material,
        now: Timestamp,
    ) -> Result<(ca::Issued, Arc<Issuer>), Refused> {
        let (Material::Requested(_), Some(account)) = (material, certify.account) else {
            return Err(Refused::BringKey(grant.profile()));
        };
        let key = certify.order.key.spki_der();
        let new = Pending {
            id: id(account, grant, key),
            account,
            name: certify.name.clone(),
            profile: grant.profile().name().into(),
            names: grant.names().to_vec(),
            spki: key.to_vec(),
            front: front.into(),
            entitled: certify.ground.entitles(),
            state: PendingState::Waiting,
            created_at: now,
            expires_at: now.after(self.cfg.approval_ttl.0),
        };
        let deed = Deed::new(who, "certificate.wait", &new.name).with(json!({
            "request": new.id, "profile": new.profile, "until": new.expires_at, "asked": certify.facts,
        }));
        let ground = certify.ground;
        let lay_by = move |tx: &mut Tx| -> Result<Pending, Refused> {
            if let Some(before) = tx.pending(&new.id, now)? {
                ground.stands(tx, now)?;
                return Ok(before);
            }
            ground.holds(tx, now)?;
            key_is_free(&tx.key_used_by(&Sha256::digest(&new.spki).into())?, Some(account))?;
            if tx.count_pending(Some(account), now)? >= OF_ONE || tx.count_pending(None, now)? >= OF_ALL {
                return Err(Refused::Crowded);
            }
            tx.put_pending(&new)?;
            tx.remember(deed, now)?;
            Ok(new)
        };
        let pending = self.store.write(lay_by).await?;
        let issued = self.collect(&pending, now).await?;
        // It was signed when an admin agreed, and it may be another's turn by now.
        let issuer = self.authority.issuers().of(&ca::Certificate::parse(&issued.der)?).cloned();
        Ok((issued, issuer.ok_or(StatusRefused::Unknown)?))
    }

    /// What has become of a request.
    pub(super) async fn collect(&self, pending: &Pending, now: Timestamp) -> Result<ca::Issued, Refused> {
        let wait = || Wait {
            id: pending.id.clone(),
            retry: (now.since(pending.created_at) / 4).clamp(SOONEST, LATEST),
            until: pending.expires_at,
        };
        let serial = match &pending.state {
            PendingState::Waiting => return Err(Refused::Waiting(wait())),
            PendingState::Denied => return Err(Refused::Denied),
            PendingState::Approved(serial) => serial,
        };
        match self.show(serial).await? {
            Some(line) if line.state == CertificateState::Revoked => Err(StatusRefused::Revoked.into()),
            Some(line) => match line.der.as_deref() {
                Some(der) => {
                    Ok(ca::Issued::of(&ca::Certificate::parse(der)?, serial.parse().map_err(Refused::Word)?))
                }
                // It is being signed.
                None => Err(Refused::Waiting(wait())),
            },
            None => Err(StatusRefused::Unknown.into()),
        }
    }

    /// All that wait, the oldest first.
    pub(crate) async fn pending(&self, now: Timestamp) -> Result<Vec<Pending>, StoreError> {
        self.store.read(move |view| view.all_pending(now)).await
    }

    /// An admin agrees: decided once more, and signed. Says which serial it has. It is brought to its end even when the
    /// admin hangs up in between: what is half approved would wait for nobody.
    pub(crate) async fn approve(&self, who: &Principal, id: &str, now: Timestamp) -> Result<String, Refused> {
        let (own, actor, wanted) = (self.clone(), who.clone(), id.to_owned());
        let done = tokio::spawn(async move { own.agree(&actor, &wanted, now).await }).await;
        let done = done.unwrap_or_else(|_| Err(Failure::Stopped.into()));
        self.audited(who, "certificate.approve", id, done, now).await
    }

    async fn agree(&self, who: &Principal, id: &str, now: Timestamp) -> Result<String, Refused> {
        authorize(who, Act::Approve)?;
        let pending = self.waiting(id, now).await?;
        let account = self.directory.by_id(pending.account).ok_or(Refused::Gone)?;
        // What an admin asked for is asked for by the one who agrees; the rest by the account itself, as before.
        let asks = match pending.entitled {
            Entitled::Admin => who.clone(),
            _ => Directory::principal(&account),
        };
        let key = ca::PublicKey::from_spki(&pending.spki).map_err(Refused::Request)?;
        let asked = Asked {
            deed: "certificate.approve",
            front: "approval",
            grant: Grant::of(Some(&pending.profile), pending.names.clone())?,
            material: Ok(Material::Proven(key)),
            ground: Ground::Pending(pending),
        };
        let (certify, _) = self.decide(&asks, &account, asked)?;
        Ok(self.certify(who, certify, now).await?.serial.to_string())
    }

    /// An admin does not agree; whoever asks again hears so.
    pub(crate) async fn deny(&self, who: &Principal, id: &str, now: Timestamp) -> Result<(), Refused> {
        let done = async {
            authorize(who, Act::Approve)?;
            let pending = self.waiting(id, now).await?;
            let deed = Deed::new(who, "certificate.deny", &pending.name)
                .with(json!({ "request": pending.id, "profile": pending.profile }));
            let deny = move |tx: &mut Tx| -> Result<(), Refused> {
                match tx.deny_pending(&pending.id, now)? {
                    true => Ok(tx.remember(deed, now)?),
                    false => Err(Refused::NotPending(pending.id)),
                }
            };
            self.store.write(deny).await
        };
        self.audited(who, "certificate.deny", id, done.await, now).await
    }

    async fn waiting(&self, id: &str, now: Timestamp) -> Result<Pending, Refused> {
        let wanted = id.to_owned();
        let found = self.store.read(move |view| view.pending(&wanted, now)).await?;
        let waiting = found.filter(|found| found.state == PendingState::Waiting);
        waiting.ok_or_else(|| Refused::NotPending(id.into()))
    }
}

/// What is asked for, in 32 digits; each part with its length before it, so that no two requests read the same.
fn id(account: AccountId, grant: &Grant, key: &[u8]) -> String {
    let mut sum = Sha256::new();
    let names = grant.names().iter().map(String::as_bytes);
    for part in [&account.to_bytes()[..], grant.profile().name().as_bytes(), key].into_iter().chain(names) {
        sum.update((part.len() as u64).to_be_bytes());
        sum.update(part);
    }
    to_hex(&sum.finalize()[..16])
}

/// How many requests of one account may wait, and how many in all.
const OF_ONE: i64 = 10;
const OF_ALL: i64 = 1000;
/// Whoever has waited for long may wait a little longer before asking again.
const SOONEST: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(300);
