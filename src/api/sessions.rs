//! Sessions: live ones and those that wait for their client.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::get;
use serde::Serialize;

use super::{Answer, House, Refused};
use crate::audit::Deed;
use crate::broker::Session;
use crate::mqtt::{Reason, Version};
use crate::principal::Principal;
use crate::store::StoreError;
use crate::time::{self, Timestamp};

/// A session as lists show one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SessionView {
    pub(crate) session: String,
    pub(crate) account: String,
    pub(crate) client_id: String,
    /// `live` or `waiting`.
    pub(crate) state: &'static str,
    /// Messages in its queue.
    pub(crate) queued: i64,
    pub(crate) door: Option<&'static str>,
    pub(crate) protocol: Option<&'static str>,
    pub(crate) address: Option<String>,
    /// When its connection began, or ended.
    pub(crate) since: Timestamp,
    /// The certificate it showed.
    pub(crate) serial: Option<String>,
    /// The registered key it signed with.
    pub(crate) key: Option<String>,
    pub(crate) subscriptions: Vec<SubscriptionView>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SubscriptionView {
    pub(crate) filter: String,
    pub(crate) qos: u8,
}

impl SessionView {
    /// Every session, by account and client id.
    pub(crate) async fn all(house: &House) -> Result<Vec<SessionView>, StoreError> {
        let sessions = house.broker.all();
        let ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
        let queued = house
            .store
            .read(move |view| ids.into_iter().map(|id| view.queued(id)).collect::<Result<Vec<_>, _>>())
            .await?;
        let mut views: Vec<_> =
            sessions.iter().zip(queued).map(|(session, queued)| view(house, session, queued)).collect();
        views.sort_by(|a, b| (&a.account, &a.client_id).cmp(&(&b.account, &b.client_id)));
        Ok(views)
    }

    /// Ends a live session with "administrative action"; `None` when there is no such session.
    pub(crate) async fn kick(house: &House, who: &Principal, id: &str) -> Result<Option<bool>, StoreError> {
        let Some(session) = find(house, id) else { return Ok(None) };
        let account = house.directory.by_id(session.account).map(|account| account.name.clone());
        let facts = serde_json::json!({ "account": account, "client_id": &*session.client_id });
        let (deed, now) = (Deed::new(who, "session.kick", id).with(facts), time::now());
        house.store.write(move |tx| tx.remember(deed, now)).await?;
        Ok(Some(session.end(Reason::AdministrativeAction)))
    }
}

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/sessions", get(list))
        .route("/api/v1/sessions/{id}", get(show).delete(kick))
}

async fn list(State(house): State<House>) -> Answer<Vec<SessionView>> {
    Ok(Json(SessionView::all(&house).await?))
}

async fn show(State(house): State<House>, Path(id): Path<String>) -> Answer<SessionView> {
    let session = find(&house, &id).ok_or_else(|| unknown(&id))?;
    let of = session.id;
    let queued = house.store.read(move |view| view.queued(of)).await?;
    Ok(Json(view(&house, &session, queued)))
}

async fn kick(State(house): State<House>, Path(id): Path<String>) -> Answer<serde_json::Value> {
    let ended = SessionView::kick(&house, &Principal::Host, &id).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(serde_json::json!({ "session": id, "ended": ended })))
}

fn find(house: &House, id: &str) -> Option<Arc<Session>> {
    house.broker.all().into_iter().find(|session| session.id.to_string().eq_ignore_ascii_case(id))
}

fn unknown(id: &str) -> Refused {
    Refused::NotFound(format!("there is no session {id}"))
}

fn view(house: &House, session: &Session, queued: i64) -> SessionView {
    let account =
        house.directory.by_id(session.account).map_or_else(|| "guest".into(), |account| account.name.clone());
    let live = session.live(|live| {
        let protocol = match live.version {
            Version::V3 => "3.1.1",
            Version::V5 => "5.0",
        };
        let key = live.key.map(|id| id.to_string());
        (live.door, protocol, live.address, live.serial.clone(), key, live.since)
    });
    let (door, protocol, address, serial, key, since) = match live {
        Some((door, protocol, address, serial, key, since)) => {
            (Some(door), Some(protocol), address, serial, key, since)
        }
        None => (None, None, None, None, None, session.ended_at().unwrap_or(session.created_at)),
    };
    SessionView {
        session: session.id.to_string(),
        account,
        client_id: session.client_id.to_string(),
        state: if door.is_some() { "live" } else { "waiting" },
        queued: queued + session.owed() as i64,
        door,
        protocol,
        address: address.map(|address| address.to_string()),
        since,
        serial,
        key,
        subscriptions: session
            .subscriptions()
            .iter()
            .map(|one| SubscriptionView { filter: one.filter.to_string(), qos: one.qos as u8 })
            .collect(),
    }
}
