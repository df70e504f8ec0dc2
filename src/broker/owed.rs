//! What sessions are owed: how it is written, and how it leaves.

use tokio::sync::oneshot;

use super::session::Session;
use super::{Broker, Committing};
use crate::journal::{Journal, JournalError, Records};
use crate::time::Timestamp;

impl Broker {
    /// Writes records and answers when they are on disk.
    pub(crate) async fn commit(&self, records: Records) -> Result<(), JournalError> {
        self.committing(records).await.unwrap_or(Err(JournalError::Closed))
    }

    fn committing(&self, records: Records) -> Committing {
        let (tell, told) = oneshot::channel();
        self.0.journal.append(records, move |done| _ = tell.send(done));
        told
    }

    /// The journal itself, for what must do something the moment a commit is over.
    pub(crate) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// Gives back room in the journal. Blocks.
    pub(crate) fn sweep(&self, now: Timestamp) -> Result<bool, JournalError> {
        let over = self.retained().expired(now);
        over.iter().for_each(|topic| self.clear_retained(topic));
        self.0.journal.sweep(self)
    }

    /// The client acknowledged what went out under this identifier.
    pub(crate) fn settle(&self, session: &Session, ids: &[u16]) {
        let numbers: Vec<u64> = ids.iter().filter_map(|&id| session.settle(id)).collect();
        if !numbers.is_empty() {
            let mut records = Records::new();
            records.taken(session.id, &numbers);
            self.0.journal.note(records);
        }
    }

    /// QoS 2: the client has what went out under these identifiers. PUBREL may go once the journal has that, or the
    /// client could be sent the same again under the same identifier after it forgot it.
    pub(crate) fn release(&self, session: &Session, ids: &[u16]) -> Committing {
        let mut records = Records::new();
        ids.iter()
            .filter_map(|&id| session.release(id))
            .for_each(|number| records.released(session.id, number));
        self.committing(records)
    }

    /// QoS 2: the client forgets these identifiers of messages that it sent. PUBCOMP may go once the journal has
    /// that, or a new message could be taken for a repetition.
    pub(crate) fn free(&self, session: &Session, ids: &[u16]) -> Committing {
        let mut records = Records::new();
        for &id in ids {
            session.note_received(id, false);
            records.freed(session.id, id);
        }
        self.committing(records)
    }

    /// QoS 2: messages came under these identifiers, and must not be taken again.
    pub(crate) async fn note_received(&self, session: &Session, ids: &[u16]) -> Result<(), JournalError> {
        if ids.is_empty() || !session.is_durable() {
            return Ok(());
        }
        let mut records = Records::new();
        for &id in ids {
            session.note_received(id, true);
            records.received(session.id, id);
        }
        self.commit(records).await
    }

    /// A due is of no more use, or cannot be sent to this client.
    pub(crate) fn discard(&self, session: &Session, number: u64) {
        if session.remove(number) {
            let mut records = Records::new();
            records.taken(session.id, &[number]);
            self.0.journal.note(records);
        }
    }
}
