//! What time makes of old rows: messages past their retention, tokens, links and browsers that are over.

use diesel::prelude::*;

use super::fixed::StillWaiting;
use super::schema::{console_link, console_session, envelope, inbox, mark, message, origin, queue, token};
use super::{StoreError, Tx, View};
use crate::time::Timestamp;

/// How many messages go at once, so that the writer is never held for long.
const BATCH: i64 = 2000;

impl Tx {
    /// Deletes the oldest messages written before `before`, with every reference to them; `true` when there may be
    /// more. Somebody who still waited for one sees it expire.
    pub(crate) fn expire_messages(&mut self, before: Timestamp) -> Result<bool, StoreError> {
        let conn = &mut self.view.conn;
        let seqs: Vec<i64> = message::table
            .filter(message::at.lt(before.micros()))
            .order(message::seq)
            .limit(BATCH)
            .select(message::seq)
            .load(conn)?;
        let Some(&last) = seqs.last() else { return Ok(false) };
        diesel::delete(queue::table.filter(queue::message.le(last))).execute(conn)?;
        diesel::delete(inbox::table.filter(inbox::message.le(last))).execute(conn)?;
        diesel::delete(message::table.filter(message::seq.le(last))).execute(conn)?;
        Ok(seqs.len() as i64 == BATCH)
    }

    /// Deletes what has ended long ago.
    pub(crate) fn forget_ended(&mut self, before: Timestamp) -> Result<(), StoreError> {
        let (conn, before) = (&mut self.view.conn, before.micros());
        diesel::delete(origin::table.filter(origin::at.lt(before))).execute(conn)?;
        diesel::delete(token::table.filter(token::expires_at.lt(before))).execute(conn)?;
        diesel::delete(console_link::table.filter(console_link::expires_at.lt(before))).execute(conn)?;
        diesel::delete(console_session::table.filter(console_session::seen_at.lt(before))).execute(conn)?;
        let over = envelope::state.eq_any(["delivered", "bounced", "cancelled"]);
        diesel::delete(envelope::table.filter(over).filter(envelope::next_at.lt(before))).execute(conn)?;
        Ok(())
    }

    /// Keeps a single value under a name.
    pub(crate) fn set_mark(&mut self, name: &str, value: i64) -> Result<(), StoreError> {
        diesel::insert_into(mark::table)
            .values((mark::name.eq(name), mark::value.eq(value)))
            .on_conflict(mark::name)
            .do_update()
            .set(mark::value.eq(value))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}

impl View {
    /// A single value kept under a name.
    pub(crate) fn mark(&mut self, name: &str) -> Result<Option<i64>, StoreError> {
        Ok(mark::table.find(name).select(mark::value).first(&mut self.conn).optional()?)
    }

    /// How many inbox rows wait in the whole house.
    pub(crate) fn all_waiting(&mut self) -> Result<i64, StoreError> {
        Ok(inbox::table.filter(StillWaiting).count().get_result(&mut self.conn)?)
    }
}
