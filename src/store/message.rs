//! Messages, and the two kinds of reference to them: an account's inbox and a durable session's queue.

use bytes::Bytes;
use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;

use super::envelope::SWEPT;
use super::fixed::StillWaiting;
use super::kept::{Kept, statement};
use super::schema::{inbox, message, queue};
use super::{StoreError, Tx, View, bad_row, id16};
use crate::id::{AccountId, MessageId, SessionId};
use crate::time::Timestamp;

/// What a message is, and so what its address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To one account; the address is its name.
    Direct,
    /// To a room; the address is the room's name.
    Room,
    /// News for the author of a message; the address is that message's id.
    Receipt,
    /// On a plain topic; the address is the topic.
    Topic,
}

/// A message about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    pub(crate) kind: Kind,
    pub(crate) author: AccountId,
    pub(crate) sender: String,
    pub(crate) address: String,
    pub(crate) payload: Bytes,
    /// MQTT 5 properties as JSON; `None` when there are none.
    pub(crate) properties: Option<String>,
}

/// A stored message: its order of commit and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) seq: i64,
    pub(crate) id: MessageId,
}

/// A message on its way to a session.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) seq: i64,
    pub(crate) id: MessageId,
    pub(crate) message: NewMessage,
    pub(crate) at: Timestamp,
    /// The queue's quality of service; `None` when the row came from the inbox.
    pub(crate) qos: Option<u8>,
}

/// What one look gave.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Delivery>,
    /// Whether there may be more behind them.
    pub(crate) full: bool,
}

/// A look that has read this many bytes stops.
const ENOUGH: usize = 256 * 1024;

/// The states of an inbox row, in the order a message may pass through them.
pub(super) mod fate {
    pub(crate) const STORED: i32 = 0;
    pub(crate) const MAILED: i32 = 1;
    pub(crate) const DELIVERED: i32 = 2;
    pub(crate) const READ: i32 = 3;
}

type Columns = (i64, Vec<u8>, i32, Vec<u8>, String, String, Vec<u8>, Option<String>, i64);
macro_rules! columns {
    () => {
        (
            message::seq,
            message::id,
            message::kind,
            message::author,
            message::sender,
            message::address,
            message::payload,
            message::properties,
            message::at,
        )
    };
}

impl Tx {
    /// Stores a body once and gives it its place in the order of commit.
    pub(crate) fn append_message(&mut self, new: &NewMessage, now: Timestamp) -> Result<Placed, StoreError> {
        let placed = Placed { seq: self.next_seq, id: MessageId::following(self.last_message, now) };
        diesel::insert_into(message::table)
            .values((
                message::seq.eq(placed.seq),
                message::id.eq(&placed.id.to_bytes()[..]),
                message::kind.eq(new.kind as i32),
                message::author.eq(&new.author.to_bytes()[..]),
                message::sender.eq(&new.sender),
                message::address.eq(&new.address),
                message::payload.eq(&new.payload[..]),
                message::properties.eq(&new.properties),
                message::at.eq(now.micros()),
            ))
            .execute(&mut self.view.conn)?;
        (self.next_seq, self.last_message) = (placed.seq + 1, placed.id);
        Ok(placed)
    }

    /// Owes the message to an account until one of its devices acknowledges it.
    pub(crate) fn put_in_inbox(&mut self, seq: i64, account: AccountId) -> Result<(), StoreError> {
        diesel::insert_into(inbox::table)
            .values((
                inbox::message.eq(seq),
                inbox::account.eq(&account.to_bytes()[..]),
                inbox::fate.eq(fate::STORED),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Owes the message to one durable session. A session that matched twice is owed it once.
    pub(crate) fn put_in_queue(&mut self, session: SessionId, seq: i64, qos: u8) -> Result<(), StoreError> {
        diesel::insert_into(queue::table)
            .values((
                queue::session.eq(&session.to_bytes()[..]),
                queue::message.eq(seq),
                queue::qos.eq(i32::from(qos)),
            ))
            .on_conflict_do_nothing()
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// One of the account's devices acknowledged it; `false` when one did before, or it was never sent to them.
    pub(crate) fn mark_delivered(&mut self, seq: i64, account: AccountId) -> Result<bool, StoreError> {
        self.mark_inbox(seq, account, fate::DELIVERED)
    }

    /// Its reader called it read; `false` when that was said before, or it was never sent to them.
    pub(crate) fn mark_read(&mut self, seq: i64, account: AccountId) -> Result<bool, StoreError> {
        self.mark_inbox(seq, account, fate::READ)
    }

    /// A fate only follows an earlier one.
    fn mark_inbox(&mut self, seq: i64, account: AccountId, fate: i32) -> Result<bool, StoreError> {
        let (account, fate) = (account.to_bytes(), i64::from(fate));
        let values = [fate.into(), seq.into(), account[..].into(), fate.into()];
        Ok(Kept(Mark, &values).run(&mut self.view.conn)? > 0)
    }

    /// The session acknowledged it.
    pub(crate) fn take_from_queue(&mut self, session: SessionId, seq: i64) -> Result<(), StoreError> {
        let row = queue::table
            .filter(queue::session.eq(session.to_bytes().to_vec()))
            .filter(queue::message.eq(seq));
        diesel::delete(row).execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Where the order of commit and the ids go on, read from the file.
    pub(super) fn recall_last_message(&mut self) -> Result<(), StoreError> {
        let last: Option<(i64, Vec<u8>)> = message::table
            .select((message::seq, message::id))
            .order(message::seq.desc())
            .first(&mut self.view.conn)
            .optional()?;
        // Where every message has expired, the order goes on after what the outbox has seen of it.
        let seen = self.view.mark(SWEPT)?.unwrap_or(0);
        (self.next_seq, self.last_message) = match last {
            Some((seq, id)) => (seq.max(seen) + 1, MessageId::from_bytes(id16(id)?)),
            None => (seen + 1, MessageId::from_bytes([0; 16])),
        };
        Ok(())
    }
}

statement!(Mark, "UPDATE inbox SET fate = ? WHERE message = ? AND account = ? AND fate < ?");

impl View {
    /// What the account waits for, after `after`, oldest first.
    pub(crate) fn inbox_after(
        &mut self,
        account: AccountId,
        after: i64,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let rows = inbox::table
            .inner_join(message::table)
            .filter(inbox::account.eq(account.to_bytes().to_vec()))
            .filter(StillWaiting)
            .filter(inbox::message.gt(after))
            .order(inbox::message)
            .limit(limit as i64)
            .select(columns!())
            .load_iter::<Columns, DefaultLoadingMode>(&mut self.conn)?;
        gather(rows.map(|row| delivery(row?, None)), limit)
    }

    /// One row of an account's inbox, whatever became of it.
    pub(crate) fn inbox_row(&mut self, account: AccountId, seq: i64) -> Result<Option<Delivery>, StoreError> {
        let row: Option<Columns> = inbox::table
            .inner_join(message::table)
            .filter(inbox::message.eq(seq))
            .filter(inbox::account.eq(account.to_bytes().to_vec()))
            .select(columns!())
            .first(&mut self.conn)
            .optional()?;
        row.map(|row| delivery(row, None)).transpose()
    }

    /// What the session has not acknowledged, after `after`, oldest first.
    pub(crate) fn queue_after(
        &mut self,
        session: SessionId,
        after: i64,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let rows = queue::table
            .inner_join(message::table)
            .filter(queue::session.eq(session.to_bytes().to_vec()))
            .filter(queue::message.gt(after))
            .order(queue::message)
            .limit(limit as i64)
            .select((columns!(), queue::qos))
            .load_iter::<(Columns, i32), DefaultLoadingMode>(&mut self.conn)?;
        let read = |(row, qos): (Columns, i32)| delivery(row, Some(qos.clamp(0, 2) as u8));
        gather(rows.map(|row| read(row?)), limit)
    }

    /// Addresses alone of what the account waits for, after `after`, oldest first: enough to match filters.
    pub(crate) fn waiting_after(
        &mut self,
        account: AccountId,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, NewMessage)>, StoreError> {
        let rows: Vec<(i64, i32, Vec<u8>, String, String)> = inbox::table
            .inner_join(message::table)
            .filter(inbox::account.eq(account.to_bytes().to_vec()))
            .filter(StillWaiting)
            .filter(inbox::message.gt(after))
            .order(inbox::message)
            .limit(limit as i64)
            .select((message::seq, message::kind, message::author, message::sender, message::address))
            .load(&mut self.conn)?;
        rows.into_iter()
            .map(|(seq, kind, author, sender, address)| {
                let (kind, author) = (parse_kind(kind)?, AccountId::from_bytes(id16(author)?));
                Ok((
                    seq,
                    NewMessage { kind, author, sender, address, payload: Bytes::new(), properties: None },
                ))
            })
            .collect()
    }

    /// How many messages an account waits for.
    pub(crate) fn waiting(&mut self, account: AccountId) -> Result<i64, StoreError> {
        Ok(inbox::table
            .filter(inbox::account.eq(account.to_bytes().to_vec()))
            .filter(StillWaiting)
            .count()
            .get_result(&mut self.conn)?)
    }

    /// How many messages a session has not acknowledged.
    pub(crate) fn queued(&mut self, session: SessionId) -> Result<i64, StoreError> {
        Ok(queue::table
            .filter(queue::session.eq(session.to_bytes().to_vec()))
            .count()
            .get_result(&mut self.conn)?)
    }

    /// The message that `account` was sent under this id, with its author; `None` when it was not for them.
    pub(crate) fn message_for(
        &mut self,
        id: MessageId,
        account: AccountId,
    ) -> Result<Option<(i64, AccountId)>, StoreError> {
        let row: Option<(i64, Vec<u8>)> = message::table
            .inner_join(inbox::table)
            .filter(message::id.eq(id.to_bytes().to_vec()))
            .filter(inbox::account.eq(account.to_bytes().to_vec()))
            .select((message::seq, message::author))
            .first(&mut self.conn)
            .optional()?;
        row.map(|(seq, author)| Ok((seq, AccountId::from_bytes(id16(author)?)))).transpose()
    }
}

/// Takes rows until there are enough of them, or enough bytes: the next look goes on behind them.
fn gather(
    rows: impl Iterator<Item = Result<Delivery, StoreError>>,
    limit: usize,
) -> Result<Rows, StoreError> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let row = row?;
        bytes += row.message.payload.len();
        taken.push(row);
        if bytes > ENOUGH {
            return Ok(Rows { rows: taken, full: true });
        }
    }
    let full = taken.len() == limit;
    Ok(Rows { rows: taken, full })
}

fn delivery(row: Columns, qos: Option<u8>) -> Result<Delivery, StoreError> {
    let (seq, id, kind, author, sender, address, payload, properties, at) = row;
    let (kind, author) = (parse_kind(kind)?, AccountId::from_bytes(id16(author)?));
    let message = NewMessage { kind, author, sender, address, payload: payload.into(), properties };
    Ok(Delivery { seq, id: MessageId::from_bytes(id16(id)?), message, at: Timestamp::from_micros(at), qos })
}

fn parse_kind(kind: i32) -> Result<Kind, StoreError> {
    match kind {
        0 => Ok(Kind::Direct),
        1 => Ok(Kind::Room),
        2 => Ok(Kind::Receipt),
        3 => Ok(Kind::Topic),
        other => Err(bad_row(format!("a message of kind {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn a_look_ends_with_enough_bytes_and_the_next_goes_on_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db"), 1).unwrap();
        let now = Timestamp::from_micros(1_000_000);
        let (first, second) = store
            .write(move |tx| -> Result<_, StoreError> {
                for _ in 0..3 {
                    let message = NewMessage {
                        kind: Kind::Direct,
                        author: AccountId::GUEST,
                        sender: "alice".into(),
                        address: "bob".into(),
                        payload: vec![b'x'; 200 * 1024].into(),
                        properties: None,
                    };
                    let placed = tx.append_message(&message, now)?;
                    tx.put_in_inbox(placed.seq, AccountId::GUEST)?;
                }
                let first = tx.inbox_after(AccountId::GUEST, 0, 10)?;
                let after = first.rows.last().map_or(0, |row| row.seq);
                Ok((first, tx.inbox_after(AccountId::GUEST, after, 10)?))
            })
            .await
            .unwrap();
        assert_eq!((first.rows.len(), first.full), (2, true));
        assert_eq!((second.rows.len(), second.full), (1, false));
    }
}
