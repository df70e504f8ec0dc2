//! Sessions: live ones and those that wait for their client.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Json;
use axum::routing::get;
use serde::{Deserialize, Serialize};

use super::{Answer, House, Refused};
use crate::audit::Deed;
use crate::broker::Session;
use crate::mqtt::{Reason, TopicFilter, TopicName, Version};
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
    /// Messages that it is owed: rows of chat, and messages on plain topics.
    pub(crate) queued: i64,
    /// Those on plain topics among them, their bytes, and how many are sent and not acknowledged.
    pub(crate) owed: usize,
    pub(crate) owed_bytes: u64,
    pub(crate) in_flight: usize,
    /// Seconds it outlives its connection; null means for ever.
    pub(crate) expiry_s: Option<u32>,
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
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    /// The client's own number for it (MQTT 5.0 section 3.8.2.1.2).
    pub(crate) identifier: Option<u32>,
}

impl SessionView {
    /// Every session, by account and client id.
    pub(crate) async fn all(house: &House) -> Result<Vec<SessionView>, StoreError> {
        Self::of(house, house.broker.all()).await
    }

    /// The sessions that would get a message on this topic now, each with the subscriptions that select it.
    pub(crate) async fn hearing(house: &House, topic: &TopicName) -> Result<Vec<SessionView>, StoreError> {
        let mut views = Self::of(house, house.chat.audience(topic)).await?;
        for view in &mut views {
            view.subscriptions
                .retain(|one| TopicFilter::parse(&one.filter).is_ok_and(|filter| filter.matches(topic)));
        }
        Ok(views)
    }

    async fn of(house: &House, sessions: Vec<Arc<Session>>) -> Result<Vec<SessionView>, StoreError> {
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

/// What `GET /api/v1/sessions` may be asked.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    topic: Option<String>,
}

async fn list(State(house): State<House>, Query(asked): Query<Asked>) -> Answer<Vec<SessionView>> {
    let Some(topic) = asked.topic else { return Ok(Json(SessionView::all(&house).await?)) };
    let topic = TopicName::parse(&topic).map_err(|_| {
        Refused::BadRequest(format!("{topic:?} is no topic name: it has no wildcards and is not empty"))
    })?;
    Ok(Json(SessionView::hearing(&house, &topic).await?))
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
    let (owed_bytes, in_flight) = session.owed_bytes_and_in_flight();
    let owed = session.owed();
    SessionView {
        session: session.id.to_string(),
        account,
        client_id: session.client_id.to_string(),
        state: if door.is_some() { "live" } else { "waiting" },
        queued: queued + owed as i64,
        owed,
        owed_bytes,
        in_flight,
        expiry_s: Some(session.expiry()).filter(|seconds| *seconds != u32::MAX),
        door,
        protocol,
        address: address.map(|address| address.to_string()),
        since,
        serial,
        key,
        subscriptions: session
            .subscriptions()
            .iter()
            .map(|one| SubscriptionView {
                filter: one.filter.to_string(),
                qos: one.qos as u8,
                no_local: one.no_local,
                retain_as_published: one.retain_as_published,
                identifier: one.identifier,
            })
            .collect(),
    }
}
