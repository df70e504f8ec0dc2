//! The outbox: what must leave the house, and how far it got.

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::routing::{get, post};
use chancery_admin_ui::confirm::Confirm;
use chancery_admin_ui::outbox::{EnvelopeRow, Outbox};
use chancery_admin_ui::{EnvelopeState, Nav};
use serde::Deserialize;

use super::Console;
use super::account::Confirmation;
use super::certificates::choices;
use super::flash::{Done, done};
use super::guard::Admin;
use super::page::{Answer, moment, path, show, window};
use crate::api::Refused;
use crate::id::EnvelopeId;
use crate::outbox::Shown;
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/outbox", get(list))
        .route("/outbox/{id}/retry", post(retry))
        .route("/outbox/{id}/cancel", post(cancel))
}

/// How many of the newest envelopes are looked at.
const NEWEST: i64 = 1000;

/// States as the outbox writes them, with the words that the person reads and the badge.
const STATES: [(&str, &str, EnvelopeState); 6] = [
    ("waiting", "Waiting", EnvelopeState::Waiting),
    ("sending", "Under way", EnvelopeState::Claimed),
    ("deferred", "Deferred", EnvelopeState::Deferred),
    ("delivered", "Delivered", EnvelopeState::Delivered),
    ("bounced", "Bounced", EnvelopeState::Bounced),
    ("cancelled", "Cancelled", EnvelopeState::Cancelled),
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    state: String,
    page: Option<u32>,
}

async fn list(State(console): State<Console>, admin: Admin, Query(asked): Query<Asked>) -> Answer {
    let mut found = console.house.outbox.list(NEWEST).await?;
    found.retain(|envelope| asked.state.is_empty() || envelope.state == asked.state);
    let (range, paging) = window(asked.page, found.len());
    show(&Outbox {
        chrome: admin.chrome(Nav::Outbox, &[&["outbox", "list"]]),
        states: choices("Every state", STATES.iter().map(|(value, label, _)| (*value, *label)), &asked.state),
        rows: found.get(range).unwrap_or_default().iter().map(row).collect(),
        paging,
    })
}

async fn retry(State(console): State<Console>, admin: Admin, Path(id): Path<String>) -> Answer {
    console.house.outbox.retry(&admin.who, parse(&id)?, time::now()).await?;
    Ok(done("/outbox", Done::EnvelopeHurried, &id))
}

async fn cancel(
    State(console): State<Console>,
    admin: Admin,
    Path(id): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Answer {
    let key = parse(&id)?;
    if sent.is_given() {
        console.house.outbox.cancel(&admin.who, key, time::now()).await?;
        return Ok(done("/outbox", Done::EnvelopeCancelled, &id));
    }
    let envelope = console.house.outbox.show(key).await?.ok_or_else(|| unknown(&id))?;
    show(&Confirm {
        chrome: admin.chrome(Nav::Outbox, &[&["outbox", "cancel", &id]]),
        question: format!("Cancel the notice to {}?", envelope.account),
        consequences: vec![
            "No mail tells of the messages of this envelope.".into(),
            "The messages themselves stay, and wait for a device of the account.".into(),
        ],
        action: path(&["outbox", &id, "cancel"]),
        fields: Vec::new(),
        button: "Cancel the envelope".into(),
        back: "/outbox".into(),
    })
}

fn parse(id: &str) -> Result<EnvelopeId, Refused> {
    id.parse().map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Refused {
    Refused::NotFound(format!("there is no envelope {id}"))
}

fn row(envelope: &Shown) -> EnvelopeRow {
    let state = STATES.iter().find(|(value, ..)| *value == envelope.state);
    EnvelopeRow {
        id: envelope.id.to_string(),
        account: envelope.account.clone(),
        route: format!("{} {}", envelope.route, envelope.recipient),
        state: state.map(|(.., badge)| *badge).unwrap_or_default(),
        attempts: u64::from(envelope.attempts.unsigned_abs()),
        created_at: envelope.created_at.to_string(),
        next_at: moment(envelope.next_at),
        answer: envelope.detail.clone().unwrap_or_default(),
    }
}
