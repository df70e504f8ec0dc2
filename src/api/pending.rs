//! Requests that wait for an admin.

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, House};
use crate::audit::to_hex;
use crate::principal::Principal;
use crate::store::Pending;
use crate::time::{self, Timestamp};

/// A request as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PendingView {
    pub(crate) request: String,
    pub(crate) account: String,
    pub(crate) profile: String,
    /// Besides those of the directory.
    pub(crate) names: Vec<String>,
    /// The protocol it came by.
    pub(crate) front: String,
    /// SHA-256 of the public key (SubjectPublicKeyInfo).
    pub(crate) key: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl PendingView {
    pub(crate) fn of(pending: &Pending) -> Self {
        Self {
            request: pending.id.clone(),
            account: pending.name.clone(),
            profile: pending.profile.clone(),
            names: pending.names.clone(),
            front: pending.front.clone(),
            key: to_hex(&Sha256::digest(&pending.spki)),
            created_at: pending.created_at,
            expires_at: pending.expires_at,
        }
    }
}

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/pending", get(list))
        .route("/api/v1/pending/{request}/approve", post(approve))
        .route("/api/v1/pending/{request}/deny", post(deny))
}

async fn list(State(house): State<House>) -> Answer<Vec<PendingView>> {
    let pending = house.enrollment.pending(time::now()).await?;
    Ok(Json(pending.iter().map(PendingView::of).collect()))
}

async fn approve(State(house): State<House>, Path(request): Path<String>) -> Answer<Value> {
    let serial = house.enrollment.approve(&Principal::Host, &request, time::now()).await?;
    Ok(Json(json!({ "request": request, "state": "approved", "serial": serial })))
}

async fn deny(State(house): State<House>, Path(request): Path<String>) -> Answer<Value> {
    house.enrollment.deny(&Principal::Host, &request, time::now()).await?;
    Ok(Json(json!({ "request": request, "state": "denied" })))
}
