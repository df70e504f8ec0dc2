//! What devices may ask over HTTPS — enrol with a one-time token, renew with their certificate — and what everybody
//! may read over HTTP: CRL and CA certificates.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::certificates::enrolled;
use super::{Answer, House, Refused};
use crate::enrollment::{Brought, Shown};
use crate::principal::Principal;
use crate::time;

/// A certificate request is small; a larger one is not read (spec: 16 kB before any decoding).
const REQUEST: usize = 16 * 1024;
const FRONT: &str = "api";

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/enroll", post(enroll))
        .route("/api/v1/renew", post(renew))
        .layer(DefaultBodyLimit::max(REQUEST))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
}

pub(super) fn public_routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/crl/{file}", get(crl))
        .route("/crl/{issuer}/{file}", get(shard))
        .route("/ca/{file}", get(ca))
}

/// `POST /api/v1/enroll` with `Authorization: Bearer TOKEN` and a PKCS#10 request (PEM or DER) as the body.
async fn enroll(
    State(house): State<House>,
    headers: HeaderMap,
    csr: Result<Bytes, BytesRejection>,
) -> Answer<Value> {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(token) = token else {
        let why = "send the token as `Authorization: Bearer TOKEN`";
        return Err(Refused::BadRequest(turned_away(&house, why).await));
    };
    let csr = read(&house, csr).await?;
    enrolled(
        &house,
        house.enrollment.enroll_with_token(FRONT, Brought::Secret(token), None, &csr, time::now()).await?,
    )
    .await
}

/// `POST /api/v1/renew` over mutual TLS, with a PKCS#10 request as the body.
async fn renew(
    State(house): State<House>,
    Extension(Shown(shown)): Extension<Shown>,
    csr: Result<Bytes, BytesRejection>,
) -> Answer<Value> {
    let Some(presented) = shown else {
        let why = "show the certificate that is to be renewed";
        return Err(Refused::Forbidden(turned_away(&house, why).await));
    };
    let csr = read(&house, csr).await?;
    enrolled(&house, house.enrollment.renew(FRONT, &presented, None, &csr, time::now()).await?).await
}

async fn read(house: &House, csr: Result<Bytes, BytesRejection>) -> Result<Bytes, Refused> {
    match csr {
        Ok(csr) => Ok(csr),
        Err(_) => Err(Refused::BadRequest(turned_away(house, "a request of at most 16 kB is read").await)),
    }
}

/// Audits why somebody was not even asked what he wants, and gives it back for the answer.
async fn turned_away(house: &House, why: &str) -> String {
    house.enrollment.turned_away(&Principal::Guest, FRONT, why, time::now()).await;
    why.to_owned()
}

async fn ready(State(house): State<House>) -> Result<&'static str, StatusCode> {
    let now = time::now();
    let writes = house.store.write(move |tx| tx.set_mark("ready.checked", now.micros())).await;
    writes.map(|()| "ok\n").map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

async fn crl(State(house): State<House>, Path(file): Path<String>) -> Response {
    match file.strip_suffix(".crl").and_then(|issuer| house.enrollment.crl_of(issuer)) {
        Some(crl) => list(crl.to_vec()),
        None => missing(),
    }
}

async fn shard(State(house): State<House>, Path((issuer, file)): Path<(String, String)>) -> Response {
    let Some(shard) = file.strip_suffix(".crl") else { return missing() };
    match house.enrollment.crl_of_shard(&issuer, shard, time::now()).await {
        Ok(Some(crl)) => list(crl),
        Ok(None) => missing(),
        Err(why) => {
            let told = Json(json!({ "error": why.to_string(), "code": "unavailable" }));
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "15")], told).into_response()
        }
    }
}

fn list(der: impl Into<Bytes>) -> Response {
    let headers = [(CONTENT_TYPE, "application/pkix-crl"), (CACHE_CONTROL, "max-age=60")];
    (headers, der.into()).into_response()
}

async fn ca(State(house): State<House>, Path(file): Path<String>) -> Response {
    match file.strip_suffix(".cer").and_then(|issuer| house.enrollment.certificate_of(issuer)) {
        Some(der) => ([(CONTENT_TYPE, "application/pkix-cert")], der).into_response(),
        None => missing(),
    }
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "there is no such file", "code": "not_found" })))
        .into_response()
}
