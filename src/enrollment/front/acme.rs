//! ACME (RFC 8555), for programs that renew by themselves: certbot, lego and their like.
//!
//! Nobody is known by a domain here: a client's account is bound to a one-time token (§7.3.4), and may from then on order
//! what the token granted, again and again, as long as its owner may act. So every authorization is valid from the
//! beginning, and no challenge is needed. Renewal information (RFC 9773) says when.

mod accounts;
mod nonces;
mod orders;
mod revocation;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, OriginalUri, Path, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, LINK, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use ca::acme::{Directory, Jws, Key, Meta, Problem, ProblemType};
use chancery_ca as ca;
use serde::Serialize;

use crate::enrollment::{Enrollment, Failure, Refused};
use crate::principal::Principal;
use crate::store::AcmeAccount;
use crate::time::{self, Timestamp};
pub(in crate::enrollment) use nonces::Nonces;

/// What the craft reads, and a little more, so that the craft says what is wrong.
const BODY: usize = 40 * 1024;
const FRONT: &str = "acme";

pub(super) fn routes() -> Router<Enrollment> {
    Router::new()
        .route("/acme/directory", get(directory))
        .route("/acme/new-nonce", get(nonce))
        .route("/acme/renewal-info/{id}", get(renewal_info))
        .route("/acme/new-account", signed(|_| Wish::NewAccount))
        .route("/acme/new-order", signed(|_| Wish::NewOrder))
        .route("/acme/revoke-cert", signed(|_| Wish::Revoke))
        .route("/acme/key-change", signed(|_| Wish::KeyChange))
        .route("/acme/account/{id}", signed(Wish::Account))
        .route("/acme/account/{id}/orders", signed(Wish::Orders))
        .route("/acme/order/{id}", signed(Wish::Order))
        .route("/acme/order/{id}/finalize", signed(Wish::Finalize))
        .route("/acme/authorization/{id}", signed(Wish::Authorization))
        .route("/acme/challenge/{id}", signed(Wish::Challenge))
        .route("/acme/certificate/{id}", signed(Wish::Certificate))
        .layer(DefaultBodyLimit::max(BODY))
}

/// What a signed request is for, by its path.
enum Wish {
    NewAccount,
    Account(String),
    Orders(String),
    KeyChange,
    NewOrder,
    Order(String),
    Authorization(String),
    Challenge(String),
    Finalize(String),
    Certificate(String),
    Revoke,
}

/// A request whose form, nonce and URL are right; who signed it is still to be found out.
struct Asked {
    /// Such as `https://mq.corp.example:8443/acme`.
    base: String,
    jws: Jws,
    now: Timestamp,
}

/// What is answered.
struct Reply {
    status: StatusCode,
    location: Option<String>,
    /// When asking again makes sense.
    retry: Option<Duration>,
    body: Said,
}

enum Said {
    Json(Vec<u8>),
    Pem(String),
    Nothing,
}

/// Why not; what `authorize` and its like refused is audited where it was refused.
enum No {
    Problem(Problem),
    Refused(Refused),
}

async fn directory(headers: HeaderMap) -> Result<Response, Response> {
    let base = base(&headers).map_err(|problem| said(&problem))?;
    let at = |place: &str| format!("{base}/{place}");
    let directory = Directory {
        new_nonce: at("new-nonce"),
        new_account: at("new-account"),
        new_order: at("new-order"),
        revoke_cert: at("revoke-cert"),
        key_change: at("key-change"),
        renewal_info: Some(at("renewal-info")),
        meta: Meta { external_account_required: true, ..Meta::default() },
    };
    Ok(axum::Json(directory).into_response())
}

/// GET and HEAD (§7.2).
async fn nonce(State(enrollment): State<Enrollment>, headers: HeaderMap) -> Response {
    finished(&enrollment, &headers, StatusCode::NO_CONTENT.into_response())
}

async fn renewal_info(State(enrollment): State<Enrollment>, Path(id): Path<String>) -> Response {
    match enrollment.acme_renewal_info(&id, time::now()).await {
        Ok(info) => ([(RETRY_AFTER, "21600")], axum::Json(info)).into_response(),
        Err(no) => said(&no.into_problem()),
    }
}

/// A handler of signed requests, which come by POST alone (§6.3).
fn signed(wish: fn(String) -> Wish) -> MethodRouter<Enrollment> {
    post(
        async move |State(enrollment): State<Enrollment>,
                    OriginalUri(uri): OriginalUri,
                    id: Option<Path<String>>,
                    headers: HeaderMap,
                    body: Result<Bytes, BytesRejection>| {
            let wish = wish(id.map(|Path(id)| id).unwrap_or_default());
            let response = answered(&enrollment, &headers, uri.path(), body, wish).await;
            finished(&enrollment, &headers, response)
        },
    )
    .fallback(async |State(enrollment): State<Enrollment>, headers: HeaderMap| {
        let problem = Problem::malformed("this is asked for by a signed POST").with_status(405);
        enrollment.turned_away(&Principal::Guest, FRONT, problem.to_string(), time::now()).await;
        let response = ([(ALLOW, "POST")], said(&problem)).into_response();
        finished(&enrollment, &headers, response)
    })
}

/// The four gates, the wish; what is refused before anything was decided is audited here.
async fn answered(
    enrollment: &Enrollment,
    headers: &HeaderMap,
    path: &str,
    body: Result<Bytes, BytesRejection>,
    wish: Wish,
) -> Response {
    let now = time::now();
    let done = match asked(enrollment, headers, path, body, now) {
        Ok(asked) => enrollment.acme(&asked, wish).await,
        Err(problem) => Err(No::Problem(problem)),
    };
    let no = match done {
        Ok(reply) => return reply.into_response(),
        Err(no) => no,
    };
    if let No::Problem(problem) = &no {
        enrollment.turned_away(&Principal::Guest, FRONT, problem.to_string(), now).await;
    }
    said(&no.into_problem())
}

/// The gates of §6: kind, form, nonce, URL.
fn asked(
    enrollment: &Enrollment,
    headers: &HeaderMap,
    path: &str,
    body: Result<Bytes, BytesRejection>,
    now: Timestamp,
) -> Result<Asked, Problem> {
    if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != "application/jose+json") {
        return Err(Problem::malformed("send Content-Type: application/jose+json").with_status(415));
    }
    let longer = |_| Problem::malformed("the message is longer than is read").with_status(413);
    let (base, jws) = (base(headers)?, Jws::parse(&body.map_err(longer)?)?);
    if !enrollment.nonces.use_up(jws.nonce()) {
        return Err(Problem::new(ProblemType::BadNonce, "this nonce is unknown, used or too old"));
    }
    jws.check_url(&format!("{}{}", base.trim_end_matches("/acme"), path))?;
    Ok(Asked { base, jws, now })
}

/// The house's own URL is the one by which the client came: it knows no other.
fn base(headers: &HeaderMap) -> Result<String, Problem> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let sound = (1..=260).contains(&host.len())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
    if sound {
        Ok(format!("https://{host}/acme"))
    } else {
        Err(Problem::malformed("the request names no host"))
    }
}

impl Enrollment {
    async fn acme(&self, asked: &Asked, wish: Wish) -> Result<Reply, No> {
        match wish {
            Wish::NewAccount => self.acme_new_account(asked).await,
            Wish::Revoke => self.acme_revoke(asked).await,
            Wish::Account(id) => self.acme_account(asked, &self.client_named(asked, &id).await?).await,
            Wish::Orders(id) => self.acme_orders(asked, &self.client_named(asked, &id).await?).await,
            Wish::KeyChange => self.acme_key_change(asked, &self.client(asked).await?).await,
            Wish::NewOrder => self.acme_new_order(asked, &self.client(asked).await?).await,
            Wish::Order(id) => self.acme_order(asked, &self.client(asked).await?, &id).await,
            Wish::Authorization(id) => self.acme_authorization(asked, &self.client(asked).await?, &id).await,
            Wish::Challenge(id) => self.acme_challenge(asked, &self.client(asked).await?, &id).await,
            Wish::Finalize(id) => self.acme_finalize(asked, &self.client(asked).await?, &id).await,
            Wish::Certificate(id) => self.acme_certificate(asked, &self.client(asked).await?, &id).await,
        }
    }

    /// The client that signed the request, by the URL of its account (§6.2).
    async fn client(&self, asked: &Asked) -> Result<AcmeAccount, No> {
        let Key::Known(kid) = asked.jws.key() else {
            return Err(Problem::malformed("name the account in `kid`").into());
        };
        let unknown = || Problem::new(ProblemType::AccountDoesNotExist, "there is no such account");
        let id = kid.strip_prefix(&format!("{}/account/", asked.base)).ok_or_else(unknown)?.to_owned();
        let client = self.store.read(move |view| view.acme_account(&id)).await?.ok_or_else(unknown)?;
        asked.jws.verify(&ca::acme::Jwk::parse(client.key.as_bytes())?)?;
        if client.deactivated {
            return Err(Problem::new(ProblemType::Unauthorized, "the account was deactivated").into());
        }
        Ok(client)
    }

    /// The same, and it is the one that the path names.
    async fn client_named(&self, asked: &Asked, id: &str) -> Result<AcmeAccount, No> {
        let client = self.client(asked).await?;
        if client.id == id { Ok(client) } else { Err(No::missing("account")) }
    }
}

impl Asked {
    fn at(&self, kind: &str, id: &str) -> String {
        format!("{}/{kind}/{id}", self.base)
    }

    /// What a client asks for that was found to be the signer.
    fn payload(&self, client: &AcmeAccount) -> Result<ca::acme::Payload<'_>, No> {
        Ok(self.jws.verify(&ca::acme::Jwk::parse(client.key.as_bytes())?)?)
    }
}

impl Reply {
    fn json(status: StatusCode, location: Option<String>, body: &impl Serialize) -> Result<Self, No> {
        let body = serde_json::to_vec(body);
        let body =
            body.map_err(|_| Problem::new(ProblemType::ServerInternal, "the answer cannot be written"))?;
        Ok(Self { status, location, retry: None, body: Said::Json(body) })
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Said::Json(body) => (self.status, [(CONTENT_TYPE, "application/json")], body).into_response(),
            Said::Pem(body) => {
                (self.status, [(CONTENT_TYPE, "application/pem-certificate-chain")], body).into_response()
            }
            Said::Nothing => self.status.into_response(),
        };
        if let Some(location) = self.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            response.headers_mut().insert(LOCATION, location);
        }
        if let Some(retry) = self.retry {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry.as_secs()));
        }
        response
    }
}

/// With a nonce for the next request and the way back to the directory, as every answer has (§6.5, §7.1).
fn finished(enrollment: &Enrollment, headers: &HeaderMap, mut response: Response) -> Response {
    let all = response.headers_mut();
    if let Some(nonce) = enrollment.nonces.draw().and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
        all.insert(HeaderName::from_static("replay-nonce"), nonce);
    }
    let index = base(headers).ok().map(|base| format!("<{base}/directory>;rel=\"index\""));
    if let Some(index) = index.and_then(|index| HeaderValue::try_from(index).ok()) {
        all.insert(LINK, index);
    }
    all.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn said(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(problem).unwrap_or_default();
    (status, [(CONTENT_TYPE, Problem::CONTENT_TYPE)], Body::from(body)).into_response()
}

impl No {
    fn missing(what: &str) -> Self {
        Problem::malformed(format!("there is no such {what}")).with_status(404).into()
    }

    fn into_problem(self) -> Problem {
        let refused = match self {
            No::Problem(problem) => return problem,
            No::Refused(refused) => refused,
        };
        let kind = match &refused {
            Refused::DeadToken
            | Refused::NotAllowed(_)
            | Refused::NoAccount(_)
            | Refused::Gone
            | Refused::Disabled { .. }
            | Refused::Denied
            | Refused::Status(_) => ProblemType::Unauthorized,
            Refused::Crowded => ProblemType::RateLimited,
            Refused::NoCertificate(_) | Refused::Password(_) | Refused::Word(_) | Refused::Message(_) => {
                ProblemType::Malformed
            }
            Refused::AlreadyRevoked(_) => ProblemType::AlreadyRevoked,
            Refused::Failed(_) | Refused::ClockBack { .. } => ProblemType::ServerInternal,
            _ => ProblemType::BadCsr,
        };
        Problem::new(kind, super::told(&refused, FRONT))
    }
}

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        No::Problem(problem)
    }
}

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        No::Refused(refused)
    }
}

impl From<crate::store::StoreError> for No {
    fn from(error: crate::store::StoreError) -> Self {
        No::Refused(Failure::from(error).into())
    }
}
