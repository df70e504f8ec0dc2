//! The log of certificates: how large it is, and proofs of what is in it. Whoever has a certificate may ask.

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::get;
use serde_json::{Value, json};

use super::{Answer, House, Refused};

/// For everybody at the https door, and for the host.
pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/log", get(show))
        .route("/api/v1/log/proof/{serial}", get(prove))
        .route("/api/v1/log/growth/{from}", get(growth))
}

/// Reads everything, so for the host alone.
pub(super) fn host_routes() -> axum::Router<House> {
    axum::Router::new().route("/api/v1/log/check", get(check))
}

async fn show(State(house): State<House>) -> Answer<Value> {
    let checkpoint = house.enrollment.checkpoint().await.map_err(|why| Refused::Failed(why.to_string()))?;
    Ok(Json(json!({ "log": house.enrollment.log_key(), "checkpoint": checkpoint })))
}

async fn prove(State(house): State<House>, Path(serial): Path<String>) -> Answer<Value> {
    Ok(Json(json!(house.enrollment.prove(&serial).await?)))
}

async fn growth(State(house): State<House>, Path(from): Path<u64>) -> Answer<Value> {
    let (hashes, checkpoint) = house.enrollment.prove_growth(from).await?;
    Ok(Json(json!({ "from": from, "hashes": hashes, "checkpoint": checkpoint })))
}

async fn check(State(house): State<House>) -> Answer<Value> {
    let checked = house.enrollment.check_log().await.map_err(|why| Refused::Failed(why.to_string()))?;
    Ok(Json(json!(checked)))
}
