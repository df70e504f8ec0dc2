//! Live and durable sessions.

use crate::{Chrome, Page, Paging, SessionState, paging};

/// `GET /sessions?q=&topic=&page=`; a row's button posts to `/sessions/{session}/kick`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "sessions.html")]
pub struct Sessions {
    /// The surroundings.
    pub chrome: Chrome,
    /// The account or client id searched for; empty lists all.
    pub search: String,
    /// The topic of which those are listed that would get a message; empty lists all.
    pub topic: String,
    /// The sessions on this page.
    pub rows: Vec<SessionRow>,
    /// Which page this is.
    pub paging: Paging,
}

/// One session in a list.
#[derive(Clone, Debug, Default)]
pub struct SessionRow {
    /// The session's id.
    pub session: String,
    /// Whose it is.
    pub account: String,
    /// The client id that the device chose.
    pub client_id: String,
    /// Whether a client is connected.
    pub state: SessionState,
    /// Protocol and door, such as "MQTT 5 · mqtts".
    pub protocol: String,
    /// The peer's address, or empty.
    pub address: String,
    /// The certificate it showed, by serial number, or empty.
    pub serial: String,
    /// The key it signed with, or empty. With neither it came by a password or a token.
    pub key: String,
    /// Messages that wait for it.
    pub queued: u64,
    /// Since when it is in this state, RFC 3339.
    pub since: String,
}

impl SessionRow {
    /// Only a live session has a connection, a proof, and something to kick.
    pub(crate) fn live(&self) -> bool {
        self.state == SessionState::Live
    }
}

impl Sessions {
    fn is_whole(&self) -> bool {
        self.search.is_empty() && self.topic.is_empty()
    }

    fn base(&self) -> String {
        paging::base("/sessions", &[("q", &self.search), ("topic", &self.topic)])
    }
}
