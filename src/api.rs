//! The REST API: the operations of the house as JSON, for the command line over the control socket, and the little
//! that devices may do over HTTPS. The console shows the same operations to people.
//!
//! Errors are `{"error": sentence, "code": …}` with 400 wrong request, 404 not found, 409 refused, 500 failure. A
//! request for a certificate that an admin has to agree to is answered by 202.

mod accounts;
mod certificates;
mod devices;
mod keys;
mod log;
pub(crate) mod metrics;
mod outbox;
mod peers;
mod pending;
mod photos;
mod rooms;
mod search;
mod sessions;
mod status;
mod system;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Json, Response};
use serde_json::json;

pub(crate) use keys::KeyView;
pub(crate) use pending::PendingView;
pub(crate) use photos::photo;
pub(crate) use search::Search;
pub(crate) use sessions::SessionView;
pub(crate) use status::{Check, Status, Verdict, status};
pub(crate) use system::console_link;

use crate::broker::Broker;
use crate::chat::{Chat, RoomRefused};
use crate::directory::Directory;
use crate::enrollment::{Enrollment, Wait};
use crate::outbox::Outbox;
use crate::peer::Peers;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// Every part that can be asked to do something; cheap to clone.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) broker: Broker,
    pub(crate) directory: Directory,
    pub(crate) chat: Chat,
    pub(crate) enrollment: Enrollment,
    pub(crate) outbox: Outbox,
    pub(crate) peers: Peers,
    pub(crate) metrics_token: metrics::Token,
    pub(crate) facts: Arc<Facts>,
}

/// What does not change while the house runs.
pub(crate) struct Facts {
    pub(crate) domain: String,
    pub(crate) started: Timestamp,
    /// Where each door listens.
    pub(crate) doors: BTreeMap<&'static str, SocketAddr>,
    /// The path of MQTT at the door `wss`.
    pub(crate) websocket_path: String,
    /// Where people reach the console.
    pub(crate) console_url: String,
    /// Where systemd puts the service's credentials.
    pub(crate) credentials: Option<PathBuf>,
    /// Who is asked for names; nobody means the system's name servers.
    pub(crate) name_servers: Vec<SocketAddr>,
    /// Groups of the directory whose members are admins.
    pub(crate) admin_groups: Vec<String>,
}

impl Facts {
    /// The host by which people reach the house.
    pub(crate) fn host(&self) -> &str {
        let address = self.console_url.trim_start_matches("https://");
        address.rsplit_once(':').map_or(address, |(host, _)| host)
    }

    /// The port of a door that is open.
    pub(crate) fn port(&self, door: &str) -> Option<u16> {
        self.doors.get(door).map(SocketAddr::port)
    }
}

/// The whole API, for a caller that the door has proven to be the host.
pub(crate) fn host_router(house: House) -> Router {
    Router::new()
        .merge(status::routes())
        .merge(accounts::routes())
        .merge(photos::routes())
        .merge(certificates::routes())
        .merge(pending::routes())
        .merge(keys::routes())
        .merge(log::routes())
        .merge(log::host_routes())
        .merge(rooms::routes())
        .merge(sessions::routes())
        .merge(outbox::routes())
        .merge(peers::routes())
        .merge(system::routes())
        .fallback(|| async { Refused::NotFound("there is no such operation".into()) })
        .with_state(house)
}

/// What devices, probes and Prometheus may ask over HTTPS.
pub(crate) fn device_router(house: House) -> Router {
    devices::routes().merge(log::routes()).merge(metrics::routes()).with_state(house)
}

/// What everybody may read over plain HTTP.
pub(crate) fn public_router(house: House) -> Router {
    devices::public_routes().with_state(house)
}

/// An operation that was not done.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The request makes no sense.
    BadRequest(String),
    NotFound(String),
    /// A rule forbids it; nothing changed.
    Forbidden(String),
    /// Something broke.
    Failed(String),
    /// A request for a certificate waits for an admin.
    Waiting(Wait),
}

/// What handlers give.
type Answer<T> = Result<Json<T>, Refused>;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code, error) = match self {
            Refused::Waiting(wait) => return waits(wait),
            Refused::BadRequest(error) => (StatusCode::BAD_REQUEST, "bad_request", error),
            Refused::NotFound(error) => (StatusCode::NOT_FOUND, "not_found", error),
            Refused::Forbidden(error) => (StatusCode::CONFLICT, "refused", error),
            Refused::Failed(error) => {
                tracing::error!(error, "an operation failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "failed", error)
            }
        };
        (status, Json(json!({ "error": error, "code": code }))).into_response()
    }
}

/// No error: the same request sent again gets the certificate, as with EST (RFC 7030 §4.2.3).
fn waits(wait: Wait) -> Response {
    let retry = [(RETRY_AFTER, wait.retry.as_secs().to_string())];
    let body = json!({ "request": wait.id, "state": "waiting", "expires_at": wait.until });
    (StatusCode::ACCEPTED, retry, Json(body)).into_response()
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused::Failed(error.to_string())
    }
}

impl From<crate::directory::Refused> for Refused {
    fn from(refused: crate::directory::Refused) -> Self {
        use crate::directory::Refused as Why;
        let sentence = refused.to_string();
        match refused {
            Why::NotFound(_) => Refused::NotFound(sentence),
            Why::Exists(_) | Why::ReadOnly(_) => Refused::Forbidden(sentence),
            Why::BadName(_) | Why::ShortPassword(_) | Why::BadMail(_) => Refused::BadRequest(sentence),
            Why::Store(_) | Why::Hash(_) => Refused::Failed(sentence),
        }
    }
}

impl From<RoomRefused> for Refused {
    fn from(refused: RoomRefused) -> Self {
        let sentence = refused.to_string();
        match refused {
            RoomRefused::NotFound(_) | RoomRefused::NoAccount(_) => Refused::NotFound(sentence),
            RoomRefused::Exists(_)
            | RoomRefused::MemberAlready { .. }
            | RoomRefused::ByGroup { .. }
            | RoomRefused::NoMember { .. } => Refused::Forbidden(sentence),
            RoomRefused::BadName(_) | RoomRefused::BadGroup(_) => Refused::BadRequest(sentence),
            RoomRefused::Store(_) => Refused::Failed(sentence),
        }
    }
}
