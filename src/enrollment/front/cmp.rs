//! CMP over HTTP (RFC 9810 in the profile of RFC 9483, RFC 9811): one message in, one message out.
//!
//! Whoever comes proves himself first: by a MAC under the secret of a one-time token, which the message names, or by a
//! signature with a certificate of this house. Then it is read what he wants, which ends in the same decisions as any
//! other front, and the answer is protected as the request was.

mod poll;
mod proof;
mod transaction;

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use ca::cmp::{
    Answer, Body, CertId, Confirmation, Enrolment, FailureInfo, Grant, Information, Objection, Order,
    Protection, Question, Request, Responder, Signer, Withdrawal,
};
use chancery_ca as ca;

use crate::enrollment::material::Material;
use crate::enrollment::own::Own;
use crate::enrollment::{Enrollment, Failure, Refused, StatusRefused};
use crate::id::random;
use crate::principal::Principal;
use crate::time::{self, Timestamp};
use proof::Known;
pub(in crate::enrollment) use transaction::Transactions;

/// What the craft reads of a message, and a little more, so that the craft says what is wrong.
const BODY: usize = 20 * 1024;
const KIND: &str = "application/pkixcmp";
const FRONT: &str = "cmp";
/// How far a client's clock may be from ours.
const SKEW: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn routes() -> Router<Enrollment> {
    Router::new()
        .route("/.well-known/cmp", post(plain))
        .route("/.well-known/cmp/p/{profile}", post(profiled))
        .layer(DefaultBodyLimit::max(BODY))
}

async fn plain(
    State(enrollment): State<Enrollment>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    posted(&enrollment, &headers, body, None).await
}

/// The profile by its name in the path (RFC 9811 §3.4).
async fn profiled(
    State(enrollment): State<Enrollment>,
    Path(profile): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    posted(&enrollment, &headers, body, Some(profile)).await
}

async fn posted(
    enrollment: &Enrollment,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    profile: Option<String>,
) -> Response {
    let sound =
        headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(KIND.as_bytes()));
    let body = match (sound, body) {
        (true, Ok(body)) => body,
        (true, Err(_)) => {
            return away(enrollment, StatusCode::PAYLOAD_TOO_LARGE, "a message of at most 16 kB is read")
                .await;
        }
        (false, _) => {
            return away(
                enrollment,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send Content-Type: application/pkixcmp",
            )
            .await;
        }
    };
    match enrollment.cmp(&body, profile, time::now()).await {
        Ok(reply) => ([(CONTENT_TYPE, KIND)], reply).into_response(),
        Err(failure) => {
            tracing::error!(front = FRONT, error = %failure, "a message could not be answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What is no message is refused by HTTP (RFC 9811 §3.1), and audited as a refusal too.
async fn away(enrollment: &Enrollment, status: StatusCode, why: &'static str) -> Response {
    enrollment.turned_away(&Principal::Guest, FRONT, why, time::now()).await;
    (status, format!("{why}\n")).into_response()
}

/// What is answered, with what the answer borrows from.
enum Decision {
    Issued(Order, Vec<u8>),
    /// An admin has to agree; the client polls.
    Waiting(Order),
    Later(Order, Duration),
    Declined(Order, Objection),
    Withdrawn(Result<(), Objection>),
    Confirmed,
    Told(Vec<Question>),
}

impl Enrollment {
    /// One exchange: read the envelope, prove the sender, read the body, decide, answer as it came.
    async fn cmp(&self, bytes: &[u8], profile: Option<String>, now: Timestamp) -> Result<Vec<u8>, Failure> {
        let nonce = random::<16>();
        let issuer = self.authority.current();
        let request = match Request::parse(bytes) {
            Ok(request) => request,
            Err(rejected) => {
                self.turned_away(&Principal::Guest, FRONT, rejected.objection.text.clone(), now).await;
                let responder = Responder { authority: issuer.issuing(), signer: None };
                return Ok(responder.reject(&rejected, nonce, now.to_offset())?);
            }
        };
        let (known, decision) = match self.sender(&request, now).await {
            Ok(known) => {
                let decision = match timely(&request, now) {
                    Ok(()) => self.answer(&request, &known, profile, nonce, now).await,
                    Err(objection) => Err(objection),
                };
                (Some(known), decision)
            }
            Err(objection) => (None, Err(objection)),
        };
        // What was refused before anything was decided is audited here, the rest where it was decided.
        if let Err(objection) = &decision {
            let who = known.as_ref().map_or(Principal::Guest, |known| self.principal_of(known));
            self.turned_away(&who, FRONT, objection.text.clone(), now).await;
        }
        self.reply(&request, known.as_ref(), decision, nonce, now).await
    }

    async fn answer(
        &self,
        request: &Request,
        known: &Known,
        profile: Option<String>,
        nonce: [u8; 16],
        now: Timestamp,
    ) -> Result<Decision, Objection> {
        match request.body()? {
            Body::Enrol(enrolment) => {
                let profile = profile.or_else(|| request.header().profile.clone());
                Ok(self.enrol(request, known, *enrolment, profile, nonce, now).await)
            }
            Body::Withdraw(withdrawal) => {
                Ok(Decision::Withdrawn(self.withdraw(known, &withdrawal, now).await))
            }
            Body::Confirm(confirmation) => self.confirm(request, &confirmation, now).await,
            Body::Ask(questions) => Ok(Decision::Told(questions)),
            Body::Poll(number) => self.polled(request, known, number, nonce, now).await,
            Body::Error(_) => {
                self.transactions.end(&request.header().transaction);
                Ok(Decision::Confirmed)
            }
        }
    }

    /// ir, cr, kur, p10cr.
    async fn enrol(
        &self,
        request: &Request,
        known: &Known,
        enrolment: Enrolment,
        profile: Option<String>,
        nonce: [u8; 16],
        now: Timestamp,
    ) -> Decision {
        let transaction = &request.header().transaction;
        if !self.transactions.begin(transaction, now) {
            let again = Objection::new(FailureInfo::TransactionIdInUse, "this transaction was begun before");
            self.turned_away(&self.principal_of(known), FRONT, again.text.clone(), now).await;
            return Decision::Declined(enrolment.order, again);
        }
        let (profile, material) = (profile.as_deref(), Material::Requested(enrolment.csr.clone()));
        let material = self.replaces(known, &enrolment).await.map(|()| material);
        let enrolled = match known {
            Known::Token { alive, .. } => self.by_token(FRONT, alive, profile, material, now).await,
            Known::Holder(presented) => self.by_certificate(FRONT, presented, profile, material, now).await,
            Known::Nobody | Known::Again { .. } => Err(Refused::DeadToken),
        };
        let enrolled = enrolled.map(|enrolled| (enrolled.serial, enrolled.certificate));
        match enrolled {
            Err(Refused::Waiting(wait)) => {
                self.transactions.end(transaction);
                match self.await_poll(&wait.id, request, enrolment.order).await {
                    Ok(()) => Decision::Waiting(enrolment.order),
                    Err(error) => Decision::Declined(enrolment.order, objection(&error.into())),
                }
            }
            enrolled => self.handed_out(request, known, enrolment.order, enrolled, nonce, now),
        }
    }

    /// What becomes of an order, and whether its client is to confirm.
    fn handed_out(
        &self,
        request: &Request,
        known: &Known,
        order: Order,
        enrolled: Result<(String, Vec<u8>), Refused>,
        nonce: [u8; 16],
        now: Timestamp,
    ) -> Decision {
        let transaction = &request.header().transaction;
        match enrolled {
            Ok((serial, certificate)) => {
                if request.header().implicit_confirm {
                    self.transactions.end(transaction);
                } else {
                    self.transactions.issued(transaction, known, &serial, nonce, now);
                }
                Decision::Issued(order, certificate)
            }
            Err(refused) => {
                self.transactions.end(transaction);
                Decision::Declined(order, objection(&refused))
            }
        }
    }

    /// A key update by signature is about the signer's certificate and no other (RFC 9483 §4.1.3); by a token, about one
    /// of the same account's.
    async fn replaces(&self, known: &Known, enrolment: &Enrolment) -> Result<(), Refused> {
        let Some(old) = &enrolment.replaces else { return Ok(()) };
        let serial = old.serial().filter(|_| self.is_ours(old));
        let serial = serial.map(|serial| serial.to_string()).unwrap_or_default();
        if let Known::Holder(presented) = known {
            let same = serial == presented.serial;
            return if same { Ok(()) } else { Err(StatusRefused::WrongAccount.into()) };
        }
        let own = self.show(&serial).await?.is_some_and(|line| line.account == known.account());
        if own { Ok(()) } else { Err(Refused::NoCertificate(serial)) }
    }

    /// rr: of one's own certificates, by a token or with one of them.
    async fn withdraw(&self, known: &Known, wanted: &Withdrawal, now: Timestamp) -> Result<(), Objection> {
        let who = self.principal_of(known);
        let ours = self.is_ours(&wanted.certificate);
        let Some(serial) = wanted.certificate.serial().filter(|_| ours).map(|serial| serial.to_string())
        else {
            let why = "there is no such certificate in the ledger";
            self.turned_away(&who, FRONT, why, now).await;
            return Err(Objection::new(FailureInfo::BadCertId, why));
        };
        let done = async {
            let line = self.show(&serial).await?;
            let own = line.is_some_and(|line| line.account == known.account());
            if let (Known::Token { alive, .. }, true) = (known, own) {
                self.spend(alive, now).await?;
            }
            self.revoke(&who, &serial, wanted.reason.name(), now).await
        };
        done.await.map(drop).map_err(|refused| objection(&refused))
    }

    /// certConf: the client has its certificate; one that it will not have is taken back (RFC 9810 §5.3.18).
    async fn confirm(
        &self,
        request: &Request,
        confirmation: &Confirmation,
        now: Timestamp,
    ) -> Result<Decision, Objection> {
        let header = request.header();
        let serial = self.transactions.awaited(&header.transaction, header.repeated_nonce.as_deref(), now)?;
        let line = self.show(&serial).await.map_err(|error| objection(&error.into()))?;
        let der = line.as_ref().and_then(|line| line.der.as_deref()).unwrap_or_default();
        if !ca::Certificate::parse(der).is_ok_and(|certificate| confirmation.is_of(&certificate)) {
            return Err(Objection::new(
                FailureInfo::BadCertId,
                "it is not the certificate of this transaction",
            ));
        }
        self.transactions.end(&header.transaction);
        if !confirmation.accepted {
            let done =
                self.revoke(&Principal::System, &serial, ca::Reason::CessationOfOperation.name(), now).await;
            done.map_err(|refused| objection(&refused))?;
        }
        Ok(Decision::Confirmed)
    }

    async fn reply(
        &self,
        request: &Request,
        known: Option<&Known>,
        decision: Result<Decision, Objection>,
        nonce: [u8; 16],
        now: Timestamp,
    ) -> Result<Vec<u8>, Failure> {
        let issuers = self.authority.issuers();
        let issuer = issuers.current();
        let chain = issuer.chain_der();
        let own = match request.protection() {
            Protection::Signature(_) => Some(self.cmp_signer(now).await?),
            Protection::Mac(_) | Protection::None => None,
        };
        let signer =
            own.as_ref().map(|own| Signer { certificate: &own.certificate, key: &own.key, chain: &chain });
        let responder = Responder { authority: issuer.issuing(), signer };
        let (certificate, above);
        let answer = match decision {
            Ok(Decision::Issued(order, issued)) => {
                certificate = issued;
                // An admin may have agreed before it was another's turn to sign.
                let read = ca::Certificate::parse(&certificate)?;
                above = issuers.of(&read).unwrap_or(issuer).chain_der();
                let by_secret = matches!(request.protection(), Protection::Mac(_));
                Answer::Issued(Grant {
                    order,
                    certificate: &certificate,
                    chain: &above,
                    anchor: above.last().copied().filter(|_| by_secret),
                    implicit_confirm: request.header().implicit_confirm,
                })
            }
            Ok(Decision::Waiting(order)) => Answer::Waiting(order),
            Ok(Decision::Later(order, wait)) => {
                Answer::Later(order, u32::try_from(wait.as_secs()).unwrap_or(u32::MAX))
            }
            Ok(Decision::Declined(order, objection)) => Answer::Declined(order, objection),
            Ok(Decision::Withdrawn(Ok(()))) => Answer::Withdrawn,
            Ok(Decision::Withdrawn(Err(objection))) => Answer::NotWithdrawn(objection),
            Ok(Decision::Confirmed) => Answer::Confirmed,
            Ok(Decision::Told(questions)) => {
                let all = self.authorities_der();
                let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
                Answer::Told(questions.iter().filter_map(|question| tell(question, &all)).collect())
            }
            Err(objection) => Answer::Error(objection),
        };
        let secret = known.and_then(Known::secret);
        Ok(responder.reply(request, secret.map(str::as_bytes), &answer, nonce, now.to_offset())?)
    }

    /// Who signs answers to signed requests; not the CA's key, which would sign what a stranger has a say in.
    async fn cmp_signer(&self, now: Timestamp) -> Result<Own, Failure> {
        let subject = ca::Subject { common_name: "CMP signer".into(), ..ca::Subject::default() };
        let _one = self.transactions.signer.lock().await;
        self.own("cmp", ca::Profile::CmpSigner, subject, &self.authority.current(), now).await
    }

    /// Whether a certificate is named as one of this house.
    fn is_ours(&self, named: &CertId) -> bool {
        self.authority.issuers().all().any(|issuer| named.is_of(issuer.issuing()))
    }
}

/// A clock that is a day wrong makes certificates that its owner will not use, or a message that waited for its hour.
fn timely(request: &Request, now: Timestamp) -> Result<(), Objection> {
    let apart = request.header().time.map(|theirs| (theirs - now.to_offset()).unsigned_abs());
    if apart.is_none_or(|apart| apart < SKEW) {
        return Ok(());
    }
    Err(Objection::new(
        FailureInfo::BadTime,
        "the message's time is more than a day away from ours: set the clock",
    ))
}

fn tell(question: &Question, chain: &[&[u8]]) -> Option<Information> {
    match question {
        Question::CaCerts => Information::ca_certs(chain).ok(),
        Question::SignKeyPairTypes => Information::sign_key_pair_types().ok(),
        other => Information::nothing(other),
    }
}

/// A refusal in the words of PKIFailureInfo (RFC 9810 §5.2.3).
fn objection(refused: &Refused) -> Objection {
    let info = match refused {
        Refused::Request(refusal) => return refusal.clone().into(),
        Refused::ForeignName { .. }
        | Refused::Names(_)
        | Refused::Grant { .. }
        | Refused::OtherProfile { .. } => FailureInfo::BadCertTemplate,
        Refused::KeyTaken | Refused::KeyRevoked => FailureInfo::BadCertTemplate,
        Refused::DeadToken => FailureInfo::BadMessageCheck,
        Refused::Status(StatusRefused::Revoked) | Refused::AlreadyRevoked(_) => FailureInfo::CertRevoked,
        Refused::Status(_) => FailureInfo::SignerNotTrusted,
        Refused::NoCertificate(_) => FailureInfo::BadCertId,
        Refused::NotAllowed(_)
        | Refused::NoAccount(_)
        | Refused::Gone
        | Refused::Disabled { .. }
        | Refused::Denied => FailureInfo::NotAuthorized,
        Refused::Crowded | Refused::ClockBack { .. } => FailureInfo::SystemUnavail,
        Refused::Failed(_) | Refused::Brought(_) => FailureInfo::SystemFailure,
        Refused::Password(_)
        | Refused::Word(_)
        | Refused::Message(_)
        | Refused::BringKey(_)
        | Refused::NotPending(_)
        | Refused::Waiting(_) => FailureInfo::BadRequest,
    };
    Objection::new(info, super::told(refused, FRONT))
}
