//! Other domains.

use crate::{Chrome, Page, Verdict};

/// `GET /peers`; the form posts `domain` to `/peers/add`, a row's button to `/peers/{domain}/check`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "peers.html")]
pub struct Peers {
    /// The surroundings.
    pub chrome: Chrome,
    /// Every peer.
    pub rows: Vec<PeerRow>,
    /// The domain as last typed, shown again after a refusal.
    pub draft: String,
    /// Why it was refused; empty at first.
    pub problem: String,
}

/// One peer in a list.
#[derive(Clone, Debug, Default)]
pub struct PeerRow {
    /// The other domain.
    pub domain: String,
    /// What its last check found.
    pub verdict: Verdict,
    /// When that was, RFC 3339; empty for never.
    pub checked_at: String,
}
