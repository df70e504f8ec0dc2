//! Envelopes: what must leave the house.

use std::str::FromStr;

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, post};

use super::{Answer, House, Refused};
use crate::id::EnvelopeId;
use crate::outbox::{Refused as Why, Shown};
use crate::principal::Principal;
use crate::time;

/// How many of the newest envelopes a list shows.
const LIST: i64 = 1000;

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/outbox", get(list))
        .route("/api/v1/outbox/{id}", get(show))
        .route("/api/v1/outbox/{id}/retry", post(retry))
        .route("/api/v1/outbox/{id}/cancel", post(cancel))
}

async fn list(State(house): State<House>) -> Answer<Vec<Shown>> {
    Ok(Json(house.outbox.list(LIST).await?))
}

async fn show(State(house): State<House>, Path(id): Path<String>) -> Answer<Shown> {
    house.outbox.show(parse(&id)?).await?.map(Json).ok_or_else(|| unknown(&id))
}

async fn retry(State(house): State<House>, Path(id): Path<String>) -> Answer<Shown> {
    Ok(Json(house.outbox.retry(&Principal::Host, parse(&id)?, time::now()).await?))
}

async fn cancel(State(house): State<House>, Path(id): Path<String>) -> Answer<Shown> {
    Ok(Json(house.outbox.cancel(&Principal::Host, parse(&id)?, time::now()).await?))
}

fn parse(id: &str) -> Result<EnvelopeId, Refused> {
    EnvelopeId::from_str(id).map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Refused {
    Refused::NotFound(format!("there is no envelope {id}"))
}

impl From<Why> for Refused {
    fn from(refused: Why) -> Self {
        let sentence = refused.to_string();
        match refused {
            Why::NotFound(_) => Refused::NotFound(sentence),
            Why::UnderWay(_) | Why::Ended { .. } | Why::Another { .. } => Refused::Forbidden(sentence),
            Why::Store(_) => Refused::Failed(sentence),
        }
    }
}
