//! Other domains: which are allowed, and what DNSSEC says of each.

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, House, Refused};
use crate::peer::{Checked, Domain, Refused as Why, Shown};
use crate::principal::Principal;
use crate::time;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    domain: String,
}

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/peers", get(list).post(add))
        .route("/api/v1/peers/{domain}", get(show).delete(remove))
        .route("/api/v1/peers/{domain}/check", post(check))
}

async fn list(State(house): State<House>) -> Answer<Vec<Shown>> {
    Ok(Json(house.peers.list().await?))
}

async fn show(State(house): State<House>, Path(domain): Path<String>) -> Answer<Shown> {
    let domain = parse(&domain)?;
    let shown = house.peers.show(&domain).await?;
    shown.map(Json).ok_or_else(|| Refused::NotFound(format!("{domain} is not among the peers")))
}

async fn add(State(house): State<House>, Json(new): Json<Add>) -> Answer<Shown> {
    Ok(Json(house.peers.add(&Principal::Host, &parse(&new.domain)?, time::now()).await?))
}

async fn remove(State(house): State<House>, Path(domain): Path<String>) -> Answer<Value> {
    let domain = parse(&domain)?;
    house.peers.remove(&Principal::Host, &domain, time::now()).await?;
    Ok(Json(json!({ "domain": domain, "removed": true })))
}

async fn check(State(house): State<House>, Path(domain): Path<String>) -> Answer<Checked> {
    Ok(Json(house.peers.check(&parse(&domain)?, time::now()).await))
}

fn parse(domain: &str) -> Result<Domain, Refused> {
    domain.parse().map_err(|why| Refused::BadRequest(format!("{domain:?} is no domain name: {why}")))
}

impl From<Why> for Refused {
    fn from(refused: Why) -> Self {
        let sentence = refused.to_string();
        match refused {
            Why::NotFound(_) => Refused::NotFound(sentence),
            Why::Exists(_) => Refused::Forbidden(sentence),
            Why::Store(_) => Refused::Failed(sentence),
        }
    }
}
