//! The house's own affairs: the authority, the directory's servers, the audit, the way in for an admin.

use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, House, Refused};
use crate::audit::{Deed, Entry, Verified};
use crate::directory::{Explanation, Preview, SyncError, ldap};
use crate::enrollment::{Adopted, RollView};
use crate::principal::Principal;
use crate::secret;
use crate::store::{Store, StoreError, Tx};
use crate::time::{self, Timestamp};

/// How long a one-time console link may wait.
const LINK: std::time::Duration = std::time::Duration::from_secs(15 * 60);
/// Entries of one page of the audit, at most.
const PAGE: i64 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    before: Option<i64>,
    limit: Option<i64>,
}

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/ca", get(authority))
        .route("/api/v1/ca/crl", get(crl))
        .route("/api/v1/ca/roll", post(roll))
        .route("/api/v1/ca/adopt", post(adopt))
        .route("/api/v1/directory/test", get(test_directory))
        .route("/api/v1/directory/sync", post(sync_directory))
        .route("/api/v1/directory/preview", post(preview))
        .route("/api/v1/directory/explain/{account}", get(explain))
        .route("/api/v1/directory/held", get(held))
        .route("/api/v1/directory/held/{change}/release", post(release))
        .route("/api/v1/audit", get(audit))
        .route("/api/v1/audit/verify", get(verify_audit))
        .route("/api/v1/audit/clock", post(accept_clock))
        .route("/api/v1/admin/link", post(link))
}

async fn authority(State(house): State<House>) -> Json<Value> {
    let authority = &house.enrollment;
    Json(json!({
        "issuer": authority.issuer_name(),
        "key_id": authority.issuer_id(),
        "not_after": authority.not_after(),
        "root": authority.root_pem(),
        "chain": authority.chain_pem(),
        "issuers": authority.issuers(),
        "crl": authority.crl_info(),
    }))
}

/// What a root that is elsewhere has signed, in PEM.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Brought {
    pem: String,
}

async fn roll(State(house): State<House>) -> Answer<RollView> {
    Ok(Json(house.enrollment.roll(&Principal::Host, time::now()).await?))
}

async fn adopt(State(house): State<House>, Json(brought): Json<Brought>) -> Answer<Adopted> {
    Ok(Json(house.enrollment.adopt(&Principal::Host, &brought.pem, time::now()).await?))
}

async fn crl(State(house): State<House>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/pkix-crl")], house.enrollment.crl().to_vec())
}

async fn test_directory(State(house): State<House>) -> Answer<Value> {
    let Some(ldap) = house.directory.ldap() else {
        return Ok(Json(json!({ "kind": "builtin", "ok": true, "accounts": house.directory.count() })));
    };
    Ok(Json(json!(ldap.check_each().await)))
}

async fn sync_directory(State(house): State<House>) -> Answer<Value> {
    sync(&house, None).await
}

/// What a sync would do; with the `[directory.ldap]` that is brought where one is, as it would stand in the file.
async fn preview(State(house): State<House>, other: Option<Json<ldap::Config>>) -> Answer<Preview> {
    let (credentials, name_servers) = (house.facts.credentials.as_deref(), &house.facts.name_servers);
    let connector = |Json(config): Json<ldap::Config>| match config.problems() {
        problems if !problems.is_empty() => Err(Refused::BadRequest(problems.join("; "))),
        _ => config
            .connector(credentials, name_servers)
            .map_err(|error| Refused::BadRequest(format!("{error:#}"))),
    };
    let other = other.map(connector).transpose()?;
    match house.directory.preview(other, time::now()).await {
        Some(Ok(preview)) => Ok(Json(preview)),
        Some(Err(error)) => Err(Refused::Failed(error.to_string())),
        None => Err(Refused::Forbidden(BUILT_IN.into())),
    }
}

/// Why somebody may act or may not.
async fn explain(State(house): State<House>, Path(account): Path<String>) -> Json<Explanation> {
    Json(house.directory.explain(&account, time::now()).await)
}

/// The change that waits for an admin: an empty object when none does.
async fn held(State(house): State<House>) -> Json<Value> {
    let held = house.directory.ldap().and_then(|ldap| ldap.held());
    Json(held.map_or_else(|| json!({}), |held| json!(*held)))
}

async fn release(State(house): State<House>, Path(change): Path<String>) -> Answer<Value> {
    sync(&house, Some(&change)).await
}

async fn sync(house: &House, release: Option<&str>) -> Answer<Value> {
    let (who, now) = (Principal::Host, time::now());
    let report = match house.directory.sync(&who, release, now).await {
        Some(Ok(report)) => report,
        Some(Err(held @ SyncError::Held(_))) => return Err(Refused::Forbidden(held.to_string())),
        Some(Err(error)) => return Err(Refused::Failed(error.to_string())),
        None => {
            return Err(Refused::Forbidden(BUILT_IN.into()));
        }
    };
    house.enrollment.part_with_leavers(&who, now).await?;
    Ok(Json(json!(report)))
}

async fn audit(State(house): State<House>, Query(page): Query<Page>) -> Answer<Vec<Entry>> {
    let limit = page.limit.unwrap_or(100).clamp(1, PAGE);
    Ok(Json(house.store.read(move |view| view.audit_entries(page.before, limit)).await?))
}

async fn verify_audit(State(house): State<House>) -> Answer<Verified> {
    Ok(Json(house.store.read(|view| view.verify_audit()).await?))
}

/// From now on, what was remembered with later times counts as written by a wrong clock.
async fn accept_clock(State(house): State<House>) -> Answer<Value> {
    let now = time::now();
    let accept = move |tx: &mut Tx| -> Result<Option<Timestamp>, StoreError> {
        let latest = tx.latest_deed()?;
        let deed = Deed::new(&Principal::Host, "audit.accept-clock", now.to_string());
        tx.accept_clock(deed.with(json!({ "latest": latest })), now)?;
        Ok(latest)
    };
    let latest = house.store.write(accept).await?;
    Ok(Json(json!({ "now": now, "latest": latest })))
}

async fn link(State(house): State<House>) -> Answer<Value> {
    let now = time::now();
    let (link, expires_at) =
        console_link(&house.store, &house.facts.console_url, &Principal::Host, now).await?;
    Ok(Json(json!({ "link": link, "expires_at": expires_at })))
}

/// A fresh one-time link to the console at `url`.
pub(crate) async fn console_link(
    store: &Store,
    url: &str,
    who: &Principal,
    now: Timestamp,
) -> Result<(String, Timestamp), StoreError> {
    let secret = secret::one_time();
    let (hash, until) = (secret::digest(&secret), now.after(LINK));
    let deed = Deed::new(who, "admin.link", "console");
    store
        .write(move |tx| -> Result<(), StoreError> {
            tx.put_console_link(&hash, until)?;
            tx.remember(deed, now)
        })
        .await?;
    Ok((format!("{url}/link/{}", secret.as_str()), until))
}

const BUILT_IN: &str = "the directory is built in: there is nothing to sync";
