//! What SQLite knows of durable sessions: only their queues of chat. The sessions themselves are in the journal.

use std::collections::HashSet;

use diesel::prelude::*;

use super::schema::queue;
use super::{StoreError, Tx, id16};
use crate::id::SessionId;

impl Tx {
    /// A session is over: its queue is gone.
    pub(crate) fn drop_queue(&mut self, of: SessionId) -> Result<(), StoreError> {
        diesel::delete(queue::table.filter(queue::session.eq(of.to_bytes().to_vec())))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Drops what is left of sessions that are over, after a crash in between.
    pub(crate) fn keep_queues_of(&mut self, known: &[SessionId]) -> Result<(), StoreError> {
        let known: HashSet<SessionId> = known.iter().copied().collect();
        let held: Vec<Vec<u8>> = queue::table.select(queue::session).distinct().load(&mut self.view.conn)?;
        for id in held {
            let id = SessionId::from_bytes(id16(id)?);
            if !known.contains(&id) {
                self.drop_queue(id)?;
            }
        }
        Ok(())
    }
}
