//! OCSP: what the ledger says about a certificate, signed for others (RFC 6960).
//!
//! Answers without a nonce are kept until half their life is over or the certificate is taken back, so that most of
//! them cost a look into memory; with a nonce each is signed anew. The key is a delegated one of the house, made when
//! it is first needed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use ca::{OcspRefusal, OcspRequest, OcspStatus};
use chancery_ca as ca;
use tokio::sync::Mutex;

use super::issuers::{self, Issuer};
use super::own::Own;
use super::{Enrollment, Failure};
use crate::store::CertificateState;
use crate::time::Timestamp;

/// The responders of the moment, and what they signed.
#[derive(Default)]
pub(super) struct Desk {
    /// By the number of the issuing CA that each answers for.
    responders: RwLock<HashMap<u32, Arc<ca::Responder>>>,
    /// One signer is made at a time.
    making: Mutex<()>,
    kept: RwLock<HashMap<ca::CertId, Kept>>,
}

#[derive(Clone)]
struct Kept {
    answer: Answer,
    fresh_until: Timestamp,
}

/// A signed answer, and when there is news at the latest.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) der: Bytes,
    pub(crate) next_update: Timestamp,
}

impl Desk {
    /// What was said about these certificates is said no more.
    pub(super) fn forget(&self, serials: &[String]) {
        let gone = |id: &ca::CertId| id.serial().is_some_and(|serial| serials.contains(&serial.to_string()));
        self.kept.write().unwrap_or_else(PoisonError::into_inner).retain(|id, _| !gone(id));
    }

    fn responder(&self, issuer: &Issuer) -> Option<Arc<ca::Responder>> {
        self.responders.read().unwrap_or_else(PoisonError::into_inner).get(&issuer.number).cloned()
    }

    fn seat(&self, issuer: &Issuer, responder: Arc<ca::Responder>) {
        self.responders.write().unwrap_or_else(PoisonError::into_inner).insert(issuer.number, responder);
    }

    fn kept(&self, id: &ca::CertId, now: Timestamp) -> Option<Answer> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(id).filter(|one| now < one.fresh_until).map(|one| one.answer.clone())
    }

    fn keep(&self, id: ca::CertId, answer: &Answer, now: Timestamp) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(id, Kept { answer: answer.clone(), fresh_until: now.after(LIFE / 2) });
    }
}

impl Enrollment {
    /// Answers a request in DER, or refuses it in OCSP's own words.
    pub(crate) async fn ocsp(&self, request: &OcspRequest, now: Timestamp) -> Result<Answer, OcspRefusal> {
        if let ([id], None) = (request.certificates(), request.nonce())
            && let Some(answer) = self.desk.kept(id, now)
        {
            return Ok(answer);
        }
        self.sign_ocsp(request.certificates(), request.nonce(), now).await.map_err(|error| {
            tracing::error!(%error, "an OCSP request could not be answered");
            OcspRefusal::InternalError
        })
    }

    /// What is shown beside a certificate, so that nobody needs to ask.
    pub(super) async fn staple(&self, shown: &ca::Certificate, now: Timestamp) -> Result<Vec<u8>, Failure> {
        let serial = shown.serial.ok_or_else(|| Failure::Ledger(shown.serial_hex.clone()))?;
        let issuers = self.authority.issuers();
        let issuer = issuers.of(shown).unwrap_or(issuers.current());
        let id = ca::CertId::of(issuer.issuing(), serial)?;
        Ok(self.sign_ocsp(&[id], None, now).await?.der.to_vec())
    }

    async fn sign_ocsp(
        &self,
        ids: &[ca::CertId],
        nonce: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        let responder = self.responder_for(ids, now).await?;
        let mut known = Vec::with_capacity(ids.len());
        for id in ids {
            let status =
                if responder.is_about(id) { self.ocsp_status(id, now).await? } else { OcspStatus::Unknown };
            known.push((id.clone(), status));
        }
        let next_update = now.after(LIFE);
        let (this, next) = (now.to_offset(), next_update.to_offset());
        let der = responder.answer(&known, nonce, this, next, this)?;
        let answer = Answer { der: der.into(), next_update };
        if let ([(id, status)], None) = (&known[..], nonce)
            && *status != OcspStatus::Unknown
        {
            self.desk.keep(id.clone(), &answer, now);
            // A revocation that came between the look and the keeping is heard of here, or forgets what was kept.
            if *status == OcspStatus::Good
                && id.serial().is_some_and(|serial| self.is_revoked(&serial.to_string()))
            {
                self.desk.forget(&[id.serial().map(|serial| serial.to_string()).unwrap_or_default()]);
            }
        }
        Ok(answer)
    }

    /// What the ledger says. A certificate that was only intended counts as issued: after a crash nobody knows.
    async fn ocsp_status(&self, id: &ca::CertId, now: Timestamp) -> Result<OcspStatus, Failure> {
        let Some(serial) = id.serial() else { return Ok(OcspStatus::Unknown) };
        let serial = serial.to_string();
        if let Some(gone) = self.revoked.gone(&serial) {
            return Ok(OcspStatus::Revoked { at: gone.at.to_offset(), reason: gone.reason });
        }
        if self.revoked.stands(&serial, now) {
            return Ok(OcspStatus::Good);
        }
        let asked = serial.clone();
        let Some(line) = self.store.read(move |view| view.certificate(&asked)).await? else {
            return Ok(OcspStatus::Unknown);
        };
        Ok(match (line.state, line.revoked_at) {
            (CertificateState::Revoked, at) => OcspStatus::Revoked {
                at: at.unwrap_or(line.created_at).to_offset(),
                reason: line.reason.as_deref().and_then(|word| word.parse().ok()).unwrap_or_default(),
            },
            _ => {
                self.revoked.note(&serial, line.account, line.not_after);
                OcspStatus::Good
            }
        })
    }

    /// Who answers a request: whoever answers for the issuing CA of the first certificate that is one of ours. An answer
    /// has one signer, and each issuing CA lends that right for itself (RFC 6960 §4.2.2.2); about the others, and what is
    /// nobody's, it says that they are unknown.
    async fn responder_for(&self, ids: &[ca::CertId], now: Timestamp) -> Result<Arc<ca::Responder>, Failure> {
        let issuers = self.authority.issuers();
        for id in ids {
            for issuer in issuers.all() {
                if id.is_of(issuer.issuing())? {
                    return self.responder(issuer, now).await;
                }
            }
        }
        self.responder(issuers.current(), now).await
    }

    /// The responder of an issuing CA, with a signer that has at least a third of its life left.
    pub(super) async fn responder(
        &self,
        issuer: &Arc<Issuer>,
        now: Timestamp,
    ) -> Result<Arc<ca::Responder>, Failure> {
        let subject = ca::Subject { common_name: SIGNER.into(), ..ca::Subject::default() };
        let serves = |one: &Arc<ca::Responder>| self.still_serves(one.signer(), &subject, issuer, now);
        if let Some(responder) = self.desk.responder(issuer).filter(serves) {
            return Ok(responder);
        }
        let _one = self.desk.making.lock().await;
        if let Some(responder) = self.desk.responder(issuer).filter(serves) {
            return Ok(responder);
        }
        let name = issuers::name("ocsp", issuer.number);
        let Own { certificate, key } =
            self.own(&name, ca::Profile::OcspSigner, subject.clone(), issuer, now).await?;
        let responder = Arc::new(ca::Responder::open(issuer.issuing(), certificate, key)?);
        self.desk.seat(issuer, responder.clone());
        Ok(responder)
    }
}

const SIGNER: &str = "OCSP signer";
/// How long an answer is good.
const LIFE: Duration = Duration::from_secs(60 * 60);
/// How many answers are kept, of about 900 bytes; beyond it the memory begins anew.
const MOST: usize = 50_000;
