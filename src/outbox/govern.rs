//! What whoever governs the house sees of the outbox, and may do about it.

use serde::Serialize;
use serde_json::json;

use super::Outbox;
use crate::audit::Deed;
use crate::id::EnvelopeId;
use crate::principal::Principal;
use crate::store::{Envelope, EnvelopeState, StoreError, Tx};
use crate::time::Timestamp;

/// An envelope as the API, the console and the command line show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) id: EnvelopeId,
    /// The account's name; its id when the account was removed.
    pub(crate) account: String,
    pub(crate) recipient: String,
    pub(crate) route: String,
    pub(crate) state: &'static str,
    /// How many messages the last try told of.
    pub(crate) waiting: i64,
    pub(crate) attempts: i32,
    /// When it is tried next; `None` at an end.
    pub(crate) next_at: Option<Timestamp>,
    /// When it came to its end.
    pub(crate) ended_at: Option<Timestamp>,
    /// What the other side said, or why there was no mail.
    pub(crate) detail: Option<String>,
    pub(crate) created_at: Timestamp,
}

/// Why an envelope was left as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("there is no envelope {0}")]
    NotFound(EnvelopeId),
    #[error("envelope {0} is being tried this moment: look again when it has settled")]
    UnderWay(EnvelopeId),
    #[error("envelope {id} has come to its end: it is {state}")]
    Ended { id: EnvelopeId, state: &'static str },
    #[error("envelope {other} for the same account is on its way and tells of the same messages")]
    Another { other: EnvelopeId },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Outbox {
    /// The newest envelopes first.
    pub(crate) async fn list(&self, limit: i64) -> Result<Vec<Shown>, StoreError> {
        let envelopes = self.store.read(move |view| view.envelopes(limit)).await?;
        Ok(envelopes.into_iter().map(|envelope| self.shown(envelope)).collect())
    }

    /// One envelope.
    pub(crate) async fn show(&self, id: EnvelopeId) -> Result<Option<Shown>, StoreError> {
        let envelope = self.store.read(move |view| view.envelope(id)).await?;
        Ok(envelope.map(|envelope| self.shown(envelope)))
    }

    /// Brings the next try forward to now; a bounced envelope gets one more chance.
    pub(crate) async fn retry(
        &self,
        who: &Principal,
        id: EnvelopeId,
        now: Timestamp,
    ) -> Result<Shown, Refused> {
        let deed = Deed::new(who, "outbox.retry", id.to_string());
        let detail = format!("to be tried at once, by {who}");
        let unit = move |tx: &mut Tx| {
            let envelope = resting(tx, id)?;
            if let Some(other) = tx.open_envelope(envelope.account)?.filter(|other| *other != id) {
                return Err(Refused::Another { other });
            }
            redirect(tx, &envelope, EnvelopeState::Waiting, &detail, deed, now)
        };
        let envelope = self.store.write(unit).await?;
        Ok(self.shown(envelope))
    }

    /// Ends an envelope without a mail. The messages wait on for the account's devices.
    pub(crate) async fn cancel(
        &self,
        who: &Principal,
        id: EnvelopeId,
        now: Timestamp,
    ) -> Result<Shown, Refused> {
        let deed = Deed::new(who, "outbox.cancel", id.to_string());
        let detail = format!("cancelled by {who}");
        let unit = move |tx: &mut Tx| {
            let envelope = resting(tx, id)?;
            if envelope.state == EnvelopeState::Bounced {
                return Err(Refused::Ended { id, state: envelope.state.as_str() });
            }
            redirect(tx, &envelope, EnvelopeState::Cancelled, &detail, deed, now)
        };
        let envelope = self.store.write(unit).await?;
        Ok(self.shown(envelope))
    }

    fn shown(&self, envelope: Envelope) -> Shown {
        let account = self.directory.by_id(envelope.account);
        let (next_at, ended_at) = match has_ended(envelope.state) {
            true => (None, Some(envelope.next_at)),
            false => (Some(envelope.next_at), None),
        };
        Shown {
            id: envelope.id,
            account: account.map_or_else(|| envelope.account.to_string(), |account| account.name.clone()),
            recipient: envelope.recipient,
            route: envelope.route,
            state: envelope.state.as_str(),
            waiting: envelope.waiting,
            attempts: envelope.attempts,
            next_at,
            ended_at,
            detail: envelope.detail,
            created_at: envelope.created_at,
        }
    }
}

/// The envelope, if it is one that may be moved: waiting, deferred or bounced.
fn resting(tx: &mut Tx, id: EnvelopeId) -> Result<Envelope, Refused> {
    let envelope = tx.envelope(id)?.ok_or(Refused::NotFound(id))?;
    match envelope.state {
        EnvelopeState::Waiting | EnvelopeState::Deferred | EnvelopeState::Bounced => Ok(envelope),
        EnvelopeState::Sending => Err(Refused::UnderWay(id)),
        state @ (EnvelopeState::Delivered | EnvelopeState::Cancelled) => {
            Err(Refused::Ended { id, state: state.as_str() })
        }
    }
}

fn redirect(
    tx: &mut Tx,
    envelope: &Envelope,
    to: EnvelopeState,
    detail: &str,
    deed: Deed,
    now: Timestamp,
) -> Result<Envelope, Refused> {
    let id = envelope.id;
    if !tx.redirect_envelope(id, to, detail, now)? {
        return Err(Refused::UnderWay(id));
    }
    tx.remember(deed.with(json!({ "was": envelope.state.as_str() })), now)?;
    tx.envelope(id)?.ok_or(Refused::NotFound(id))
}

fn has_ended(state: EnvelopeState) -> bool {
    matches!(state, EnvelopeState::Delivered | EnvelopeState::Bounced | EnvelopeState::Cancelled)
}
