//! Who sent a message: proven before anything else in it is read.

use ca::cmp::{FailureInfo, Objection, Protection, Request};
use chancery_ca as ca;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::objection;
use crate::directory::Directory;
use crate::enrollment::authority::aside;
use crate::enrollment::token::Alive;
use crate::enrollment::{Enrollment, Presented, Refused};
use crate::id::AccountId;
use crate::principal::Principal;
use crate::time::Timestamp;

/// A MAC may take 100,000 rounds; so many are computed at a time, and others wait in line.
static ROUNDS: Semaphore = Semaphore::const_new(2);

/// A sender.
pub(super) enum Known {
    /// Who holds a token that is alive.
    Token { alive: Alive, secret: Zeroizing<String> },
    /// Who began this transaction with a token, which is used up since.
    Again { account: AccountId, secret: Zeroizing<String> },
    /// Who holds a certificate that stands.
    Holder(Presented),
    /// Who proves nothing; he may ask what everybody may know.
    Nobody,
}

impl Known {
    /// Under which the answer is protected.
    pub(super) fn secret(&self) -> Option<&str> {
        match self {
            Known::Token { secret, .. } | Known::Again { secret, .. } => Some(secret),
            Known::Holder(_) | Known::Nobody => None,
        }
    }

    pub(super) fn account(&self) -> Option<AccountId> {
        match self {
            Known::Token { alive, .. } => Some(alive.allows.account),
            Known::Again { account, .. } => Some(*account),
            Known::Holder(presented) => Some(presented.account),
            Known::Nobody => None,
        }
    }
}

impl Enrollment {
    /// Proves a message by its MAC or its signature.
    pub(super) async fn sender(&self, request: &Request, now: Timestamp) -> Result<Known, Objection> {
        match request.protection() {
            Protection::None => match request.body() {
                Ok(ca::cmp::Body::Ask(_)) => Ok(Known::Nobody),
                _ => Err(Objection::new(
                    FailureInfo::WrongIntegrity,
                    "protect the message: by the secret of a one-time token (-ref, -secret), or by a certificate of this house",
                )),
            },
            Protection::Mac(_) => self.prove_secret(request, now).await,
            Protection::Signature(_) => self.prove_holder(request, now).await,
        }
    }

    pub(super) fn principal_of(&self, known: &Known) -> Principal {
        let account = known.account().and_then(|id| self.directory.by_id(id));
        account.map_or(Principal::Guest, |account| Directory::principal(&account))
    }

    async fn prove_secret(&self, request: &Request, now: Timestamp) -> Result<Known, Objection> {
        let header = request.header();
        if let Some((account, secret)) = self.transactions.secret(&header.transaction, now) {
            return match mac(request, &secret).await {
                true => Ok(Known::Again { account, secret }),
                false => Err(wrong()),
            };
        }
        let id = header.key_id.as_deref().and_then(|id| std::str::from_utf8(id).ok()).unwrap_or_default();
        let (alive, secret) = self.named(id, now).await.map_err(|refused| objection(&refused))?;
        if mac(request, &secret).await {
            return Ok(Known::Token { alive, secret });
        }
        self.miss(alive.hash).await.map_err(|refused| objection(&refused))?;
        Err(wrong())
    }

    async fn prove_holder(&self, request: &Request, now: Timestamp) -> Result<Known, Objection> {
        let stranger = || {
            Objection::new(FailureInfo::SignerNotTrusted, "the signer's certificate is none of this house")
        };
        let signer = request.signer().ok_or_else(stranger)?;
        if !request.verify_signature(&signer) {
            return Err(Objection::new(FailureInfo::BadMessageCheck, "the signature is not the signer's"));
        }
        let judged = async {
            let presented = self.holder(&signer).await?;
            self.status(&presented, now).await.map(|()| presented)
        };
        judged.await.map(Known::Holder).map_err(|refused| objection(&Refused::from(refused)))
    }
}

async fn mac(request: &Request, secret: &Zeroizing<String>) -> bool {
    let Ok(_turn) = ROUNDS.acquire().await else { return false };
    let (request, secret) = (request.clone(), secret.clone());
    aside(move || request.verify_mac(secret.as_bytes())).await.unwrap_or(false)
}

fn wrong() -> Objection {
    Objection::new(FailureInfo::BadMessageCheck, "the secret is not that of this token, or the token is dead")
}
