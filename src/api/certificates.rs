//! Certificates: the ledger, enrolment and revocation.

use axum::extract::{Path, Query, State};
use axum::response::Json;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, House, Refused, Search};
use crate::enrollment::{self, Enrolled, Grant, Refused as Why, Request};
use crate::principal::Principal;
use crate::store::Certificate;
use crate::time::{self, Timestamp};

/// A line of the ledger as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CertificateView {
    pub(crate) serial: String,
    /// The account's name, or the house's own for what it keeps for itself.
    pub(crate) account: String,
    pub(crate) profile: String,
    /// `intended`, `active`, `expired` or `revoked`.
    pub(crate) state: &'static str,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) reason: Option<String>,
    pub(crate) revoked_at: Option<Timestamp>,
}

impl CertificateView {
    pub(crate) fn of(line: &Certificate, now: Timestamp) -> Self {
        use crate::store::CertificateState::Revoked;
        let expired = line.state != Revoked && line.not_after <= now;
        Self {
            serial: line.serial.clone(),
            account: line.name.clone(),
            profile: line.profile.clone(),
            state: if expired { "expired" } else { line.state.as_str() },
            not_before: line.not_before,
            not_after: line.not_after,
            created_at: line.created_at,
            reason: line.reason.clone(),
            revoked_at: line.revoked_at,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Enroll {
    profile: Option<String>,
    names: Vec<String>,
    csr: Option<String>,
    p12: bool,
    legacy: bool,
}

/// Which certificate a token is for: a client's when nothing is said.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Draw {
    profile: Option<String>,
    names: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Revoke {
    reason: Option<String>,
}

/// How many certificates a list shows when nothing is said, and at most.
const LIST: i64 = 1_000;
const MOST: i64 = 10_000;

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/certificates", get(list))
        .route("/api/v1/certificates/{serial}", get(show))
        .route("/api/v1/certificates/{serial}/revoke", post(revoke))
        .route("/api/v1/mail-certificates/{whose}", get(for_mail))
        .route("/api/v1/accounts/{account}/certificates", post(enroll))
        .route("/api/v1/accounts/{account}/tokens", post(token))
}

async fn list(State(house): State<House>, Query(search): Query<Search>) -> Answer<Vec<CertificateView>> {
    let now = time::now();
    let (wanted, limit) = (search.filter(&house, now)?, search.limit.unwrap_or(LIST).clamp(1, MOST));
    let after = match search.after.as_str() {
        "" => None,
        serial => Some(find(&house, serial).await?),
    };
    let lines = house.enrollment.search(wanted, after, limit, now).await?;
    Ok(Json(lines.iter().map(|line| CertificateView::of(line, now)).collect()))
}

async fn find(house: &House, serial: &str) -> Result<Certificate, Refused> {
    let line = house.enrollment.show(serial).await?;
    line.ok_or_else(|| Refused::NotFound(format!("there is no certificate {serial}")))
}

async fn show(State(house): State<House>, Path(serial): Path<String>) -> Answer<Value> {
    let line = find(&house, &serial).await?;
    let mut view = json!(CertificateView::of(&line, time::now()));
    view["certificate"] = json!(line.der.as_deref().and_then(enrollment::to_pem));
    Ok(Json(view))
}

/// The certificate by which mail to a person is encrypted; the person is named as an account or by mail address.
async fn for_mail(State(house): State<House>, Path(whose): Path<String>) -> Answer<Value> {
    let found = house.enrollment.mail_certificate(&whose, time::now()).await?;
    let found = found.ok_or_else(|| {
        Refused::NotFound(format!("{whose} has no certificate for encrypting mail in force"))
    })?;
    Ok(Json(json!({
        "account": found.account.name,
        "mail": found.account.mail,
        "serial": found.serial,
        "not_after": found.not_after,
        "certificate": enrollment::to_pem(&found.der),
    })))
}

async fn enroll(
    State(house): State<House>,
    Path(account): Path<String>,
    Json(asked): Json<Enroll>,
) -> Answer<Value> {
    let request = match asked.csr {
        Some(csr) => Request::Csr(csr.into_bytes()),
        None => Request::MakeKey { p12_password: None, legacy: asked.legacy },
    };
    let grant = Grant::of(asked.profile.as_deref(), asked.names)?;
    let mut new = house.enrollment.enroll(&Principal::Host, &account, grant, request, time::now()).await?;
    new.p12 = new.p12.filter(|_| asked.p12 || asked.legacy);
    enrolled(&house, new).await
}

async fn token(
    State(house): State<House>,
    Path(account): Path<String>,
    drawn: Option<Json<Draw>>,
) -> Answer<Value> {
    let Json(Draw { profile, names }) = drawn.unwrap_or_default();
    let grant = Grant::of(profile.as_deref(), names)?;
    let drawn = house.enrollment.token(&Principal::Host, &account, grant, time::now()).await?;
    Ok(Json(json!({
        "account": account,
        "profile": drawn.grant.profile().name(),
        "names": drawn.grant.names(),
        "id": drawn.id,
        "token": drawn.secret.as_str(),
        "expires_at": drawn.until,
    })))
}

async fn revoke(
    State(house): State<House>,
    Path(serial): Path<String>,
    Json(asked): Json<Revoke>,
) -> Answer<Value> {
    let reason = asked.reason.as_deref().unwrap_or("unspecified");
    let ended = house.enrollment.revoke(&Principal::Host, &serial, reason, time::now()).await?;
    Ok(Json(json!({ "serial": serial, "state": "revoked", "reason": reason, "sessions_ended": ended })))
}

/// A new certificate with all that belongs to it.
pub(super) async fn enrolled(house: &House, new: Enrolled) -> Answer<Value> {
    let line = house.enrollment.show(&new.serial).await?;
    let line =
        line.ok_or_else(|| Refused::Failed(format!("certificate {} is not in the ledger", new.serial)))?;
    let mut view = json!(CertificateView::of(&line, time::now()));
    view["not_after"] = json!(new.not_after);
    view["certificate"] = json!(new.certificate_pem);
    view["chain"] = json!(new.chain_pem);
    view["root"] = json!(house.enrollment.root_pem());
    if let Some(key) = &new.key_pem {
        view["key"] = json!(key.as_str());
    }
    if let Some((file, password)) = &new.p12 {
        view["p12"] = json!(STANDARD.encode(file));
        view["p12_password"] = json!(password.as_str());
    }
    Ok(Json(view))
}

impl From<Why> for Refused {
    fn from(refused: Why) -> Self {
        let sentence = refused.to_string();
        match refused {
            Why::Waiting(wait) => Refused::Waiting(wait),
            Why::NoAccount(_) | Why::NoCertificate(_) | Why::NotPending(_) => Refused::NotFound(sentence),
            Why::Request(_)
            | Why::Password(_)
            | Why::Word(_)
            | Why::Grant { .. }
            | Why::BringKey(_)
            | Why::Message(_) => Refused::BadRequest(sentence),
            Why::Failed(_) => Refused::Failed(sentence),
            _ => Refused::Forbidden(sentence),
        }
    }
}
