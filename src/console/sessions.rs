//! Sessions: live ones and those that wait for their client.

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::routing::{get, post};
use chancery_admin_ui::confirm::Confirm;
use chancery_admin_ui::sessions::{SessionRow, Sessions};
use chancery_admin_ui::{Nav, SessionState};
use serde::Deserialize;

use super::Console;
use super::account::Confirmation;
use super::flash::{Done, done};
use super::guard::Admin;
use super::page::{Answer, path, show, window};
use crate::api::{Refused, SessionView};
use crate::mqtt::TopicName;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/sessions", get(list)).route("/sessions/{session}/kick", post(kick))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    topic: String,
    page: Option<u32>,
}

async fn list(State(console): State<Console>, admin: Admin, Query(asked): Query<Asked>) -> Answer {
    let words = asked.q.trim().to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&words);
    // What is no topic name reaches nobody.
    let mut found = match TopicName::parse(&asked.topic) {
        Ok(topic) => SessionView::hearing(&console.house, &topic).await?,
        Err(_) if !asked.topic.is_empty() => Vec::new(),
        Err(_) => SessionView::all(&console.house).await?,
    };
    found.retain(|session| holds(&session.account) || holds(&session.client_id));
    let (range, paging) = window(asked.page, found.len());
    show(&Sessions {
        chrome: admin.chrome(Nav::Sessions, &[&["session", "list"]]),
        search: asked.q.trim().into(),
        topic: asked.topic,
        rows: found.get(range).unwrap_or_default().iter().map(session_row).collect(),
        paging,
    })
}

async fn kick(
    State(console): State<Console>,
    admin: Admin,
    Path(id): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Answer {
    let unknown = || Refused::NotFound(format!("there is no session {id}"));
    let all = SessionView::all(&console.house).await?;
    let session =
        all.into_iter().find(|session| session.session.eq_ignore_ascii_case(&id)).ok_or_else(unknown)?;
    if !sent.is_given() {
        return show(&question(&admin, &session));
    }
    let ended = SessionView::kick(&console.house, &admin.who, &id).await?.ok_or_else(unknown)?;
    let what = if ended { Done::Kicked } else { Done::NotConnected };
    Ok(done("/sessions", what, &session.client_id))
}

fn question(admin: &Admin, session: &SessionView) -> Confirm {
    Confirm {
        chrome: admin.chrome(Nav::Sessions, &[&["session", "kick", &session.session]]),
        question: format!("Disconnect {} of {}?", session.client_id, session.account),
        consequences: vec![
            "The connection is closed at once; the client is told that an admin did it.".into(),
            format!("Its queue stays ({} messages), and the client may come back at once.", session.queued),
            format!("To shut {} out, disable the account or revoke the certificate.", session.account),
        ],
        action: path(&["sessions", &session.session, "kick"]),
        fields: Vec::new(),
        button: "Disconnect".into(),
        back: "/sessions".into(),
    }
}

/// A session as lists show it.
pub(super) fn session_row(session: &SessionView) -> SessionRow {
    let protocol = match (session.protocol, session.door) {
        (Some(version), Some(door)) => format!("MQTT {version} · {door}"),
        _ => String::new(),
    };
    SessionRow {
        session: session.session.clone(),
        account: session.account.clone(),
        client_id: session.client_id.clone(),
        state: if session.door.is_some() { SessionState::Live } else { SessionState::Away },
        protocol,
        address: session.address.clone().unwrap_or_default(),
        serial: session.serial.clone().unwrap_or_default(),
        key: session.key.clone().unwrap_or_default(),
        queued: session.queued.unsigned_abs(),
        since: session.since.to_string(),
    }
}
