//! What must leave the house, and how far it got.

use crate::{Choice, Chrome, EnvelopeState, Page, Paging, paging};

/// `GET /outbox?state=&page=`; a row's buttons post to `/outbox/{id}/retry` and `…/cancel`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "outbox.html")]
pub struct Outbox {
    /// The surroundings.
    pub chrome: Chrome,
    /// The states to filter by.
    pub states: Vec<Choice>,
    /// The envelopes on this page.
    pub rows: Vec<EnvelopeRow>,
    /// Which page this is.
    pub paging: Paging,
}

/// One recipient's trip.
#[derive(Clone, Debug, Default)]
pub struct EnvelopeRow {
    /// The envelope's id.
    pub id: String,
    /// For whom.
    pub account: String,
    /// By which way, such as `mail alice@corp.example`.
    pub route: String,
    /// Where it is.
    pub state: EnvelopeState,
    /// How often it was tried.
    pub attempts: u64,
    /// When it was put there, RFC 3339.
    pub created_at: String,
    /// When it is tried next, RFC 3339; empty when its trip is over.
    pub next_at: String,
    /// The last answer of the other side; empty before the first try.
    pub answer: String,
}

impl EnvelopeRow {
    fn open(&self) -> bool {
        matches!(self.state, EnvelopeState::Waiting | EnvelopeState::Deferred | EnvelopeState::Claimed)
    }

    fn retriable(&self) -> bool {
        matches!(self.state, EnvelopeState::Waiting | EnvelopeState::Deferred | EnvelopeState::Bounced)
    }
}

impl Outbox {
    fn base(&self) -> String {
        let state = self.states.iter().find(|choice| choice.chosen).map_or("", |choice| &choice.value);
        paging::base("/outbox", &[("state", state)])
    }

    fn filtered(&self) -> bool {
        self.states.iter().any(|choice| choice.chosen && !choice.value.is_empty())
    }
}
