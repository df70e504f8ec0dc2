//! What time makes of old rows: messages past their retention, tokens, links and browsers that are over.

use diesel::dsl::min;
use diesel::prelude::*;

use super::fixed::StillWaiting;
use super::schema::{
    acme_order, console_link, console_session, envelope, inbox, mark, message, origin, pending, queue,
    self_service_session, token,
};
use super::{StoreError, Tx, View};
use crate::time::Timestamp;

/// How many messages go at once, so that the writer is never held for long.
const BATCH: i64 = 2000;
/// How many of them one statement names.
const CHUNK: usize = 500;

impl Tx {
    /// Deletes messages written before `before`, with what inboxes say of them; `true` when there may be more. Only the
    /// first rows in order of commit are looked at, so that this costs the same however much is kept.
    pub(crate) fn expire_messages(&mut self, before: Timestamp) -> Result<bool, StoreError> {
        let conn = &mut self.view.conn;
        let first: Vec<(i64, i64)> =
            message::table.order(message::seq).limit(BATCH).select((message::seq, message::at)).load(conn)?;
        // A row dated by a wrong clock stands for itself alone.
        let old: Vec<i64> =
            first.iter().filter(|(_, at)| *at < before.micros()).map(|(seq, _)| *seq).collect();
        for some in old.chunks(CHUNK) {
            diesel::delete(inbox::table.filter(inbox::message.eq_any(some))).execute(conn)?;
            diesel::delete(message::table.filter(message::seq.eq_any(some))).execute(conn)?;
        }
        Ok(old.len() as i64 == BATCH)
    }

    /// Takes out of the queues what has expired: it is delivered no more, and only counted.
    pub(crate) fn forget_expired(&mut self) -> Result<(), StoreError> {
        let conn = &mut self.view.conn;
        let oldest: Option<i64> = message::table.select(min(message::seq)).first(conn)?;
        let gone = queue::table.filter(queue::message.lt(oldest.unwrap_or(i64::MAX)));
        diesel::delete(gone).execute(conn)?;
        Ok(())
    }

    /// Deletes what has ended long ago.
    pub(crate) fn forget_ended(&mut self, before: Timestamp) -> Result<(), StoreError> {
        let (conn, before) = (&mut self.view.conn, before.micros());
        diesel::delete(origin::table.filter(origin::at.lt(before))).execute(conn)?;
        diesel::delete(token::table.filter(token::expires_at.lt(before))).execute(conn)?;
        diesel::delete(pending::table.filter(pending::expires_at.lt(before))).execute(conn)?;
        diesel::delete(acme_order::table.filter(acme_order::expires_at.lt(before))).execute(conn)?;
        diesel::delete(console_link::table.filter(console_link::expires_at.lt(before))).execute(conn)?;
        diesel::delete(console_session::table.filter(console_session::seen_at.lt(before))).execute(conn)?;
        let proved = self_service_session::proved_at;
        diesel::delete(self_service_session::table.filter(proved.lt(before))).execute(conn)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AccountId;
    use crate::store::{Kind, NewMessage, Store};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// A message written while the clock was wrong once took every earlier one with it.
    #[tokio::test]
    async fn what_is_old_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db"), 1).unwrap();
        let kept = store
            .write(|tx| -> Result<_, StoreError> {
                for written in [1_000, 2_000, 10, 3_000] {
                    let message = NewMessage {
                        kind: Kind::Direct,
                        author: AccountId::GUEST,
                        sender: "alice".into(),
                        address: "bob".into(),
                        payload: written.to_string().into(),
                        properties: None,
                    };
                    let placed = tx.append_message(&message, at(written))?;
                    tx.put_in_inbox(placed.seq, AccountId::GUEST)?;
                }
                assert!(!tx.expire_messages(at(1_500))?);
                tx.forget_expired()?;
                Ok(tx.inbox_after(AccountId::GUEST, 0, 10)?.rows)
            })
            .await
            .unwrap();
        let kept: Vec<_> = kept.iter().map(|row| &row.message.payload[..]).collect();
        assert_eq!(kept, [b"2000", b"3000"]);
    }
}
