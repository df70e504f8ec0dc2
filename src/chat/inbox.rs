//! The inbox and the queue, read: what a session gets next, and what its client's acknowledgement settles.
//!
//! Live and late delivery are the same: a session reads rows after its cursor whenever its bell rings. A durable
//! session reads its own queue; a passing one reads its account's inbox. A message read with QoS 0 cannot be
//! acknowledged; it counts as taken once the client has been heard again after it, so that a dead line loses nothing.

use std::collections::HashSet;
use std::sync::Arc;

use super::Chat;
use super::receipts::{self, Receipt};
use crate::broker::{Identifiers, Matched, Session};
use crate::dialect::plain;
use crate::id::{AccountId, MessageId};
use crate::mqtt::{Qos, TopicName};
use crate::store::{Delivery, Kind, Rows, StoreError, View};
use crate::time::Timestamp;

/// Where a connection is in what it reads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reader {
    /// The last row looked at, in order of commit.
    pub(crate) cursor: i64,
}

/// What one look at inbox or queue gave.
#[derive(Debug)]
pub(crate) struct Page {
    /// May be fewer rows than were looked at: a passing session did not ask for everything.
    pub(crate) next: Vec<Next>,
    /// Where the reader is after it.
    pub(crate) reader: Reader,
    /// Whether there may be more at once.
    pub(crate) full: bool,
}

/// Something to deliver, as the session's account sees it.
#[derive(Clone, Debug)]
pub(crate) struct Next {
    pub(crate) topic: String,
    pub(crate) delivery: Delivery,
    pub(crate) qos: Qos,
    pub(crate) identifiers: Identifiers,
}

/// A row that a client took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    pub(crate) seq: i64,
    pub(crate) id: MessageId,
    pub(crate) author: AccountId,
    /// Whether an inbox row ends its waiting with it.
    pub(crate) in_inbox: bool,
}

/// What the house itself says of a chat message, as MQTT 5 user properties.
pub(crate) fn said_by_the_house(id: MessageId, sender: &str, at: Timestamp) -> [(&'static str, String); 3] {
    [("id", id.to_string()), ("from", sender.to_owned()), ("time", at.to_string())]
}

impl Next {
    /// See [`said_by_the_house`]; nothing for what is no chat.
    pub(crate) fn said(&self) -> Option<[(&'static str, String); 3]> {
        let Delivery { id, message, at, .. } = &self.delivery;
        matches!(message.kind, Kind::Direct | Kind::Room)
            .then(|| said_by_the_house(*id, &message.sender, *at))
    }

    /// What to settle when the client has taken it.
    pub(crate) fn settled(&self) -> Settled {
        let Delivery { seq, id, message, .. } = &self.delivery;
        let in_inbox = matches!(message.kind, Kind::Direct | Kind::Room);
        Settled { seq: *seq, id: *id, author: message.author, in_inbox }
    }
}

impl Chat {
    /// The next rows for a session; at most `limit` are looked at.
    pub(crate) async fn next(
        &self,
        session: &Arc<Session>,
        reader: Reader,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let (id, after) = (session.id, reader.cursor);
        let Rows { rows, full } = match session.is_durable() {
            true => self.store.read(move |view| view.queue_after(id, after, limit)).await?,
            false if session.wants_chat() => self.passing(session, after, limit).await?,
            false => Rows { rows: Vec::new(), full: false },
        };
        let cursor = rows.last().map_or(after, |row| row.seq.max(after));
        let next = rows.into_iter().filter_map(|row| as_seen(session, row)).collect();
        Ok(Page { next, reader: Reader { cursor }, full })
    }

    /// What the account waits for, and what came while the session was there: another device may have acknowledged
    /// that in the meantime, and it is for all of them.
    async fn passing(&self, session: &Arc<Session>, after: i64, limit: usize) -> Result<Rows, StoreError> {
        let (account, told) = (session.account, session.take_told());
        let look = move |view: &mut View| {
            let mut found = view.inbox_after(account, after, limit)?;
            let reached = found.rows.last().filter(|_| found.full).map_or(i64::MAX, |row| row.seq);
            let (due, later): (Vec<i64>, Vec<i64>) = told.into_iter().partition(|seq| *seq <= reached);
            let waiting: HashSet<i64> = found.rows.iter().map(|row| row.seq).collect();
            for seq in due.into_iter().filter(|seq| !waiting.contains(seq)) {
                found.rows.extend(view.inbox_row(account, seq)?);
            }
            found.rows.sort_by_key(|row| row.seq);
            Ok((found, later))
        };
        let (found, later) = self.store.read(look).await?;
        session.tell(later);
        Ok(found)
    }

    /// What a client took is owed no more; authors hear of it.
    pub(crate) async fn settle(
        &self,
        session: &Arc<Session>,
        taken: Vec<Settled>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, account, durable) = (session.id, session.account, session.is_durable());
        let broker = self.broker.clone();
        let news = self
            .store
            .write(move |tx| -> Result<Vec<Receipt>, StoreError> {
                let mut news = Vec::new();
                for one in taken {
                    if durable {
                        tx.take_from_queue(id, one.seq)?;
                    }
                    if one.in_inbox && tx.mark_delivered(one.seq, account)? && one.author != account {
                        let receipt =
                            Receipt { id: one.id, author: one.author, word: receipts::DELIVERED.to_owned() };
                        receipts::queue(tx, &broker, &receipt, now)?;
                        news.push(receipt);
                    }
                }
                Ok(news)
            })
            .await?;
        news.iter().for_each(|receipt| receipts::hand(&self.broker, receipt, now));
        Ok(())
    }
}

/// A row as the session's account sees it; `None` when a passing session did not ask for it.
fn as_seen(session: &Session, delivery: Delivery) -> Option<Next> {
    let topic = plain::topic_for(&delivery.message, session.account);
    let asked = TopicName::parse(&topic).ok().and_then(|name| session.matching(&name));
    let (qos, identifiers) = match (delivery.qos, asked) {
        // What is in the queue is owed, also after the subscription has gone (MQTT 5 §3.10.4).
        (Some(qos), asked) => {
            (Qos::from_byte(qos).unwrap_or_default(), asked.and_then(|matched| matched.identifiers))
        }
        (None, Some(Matched { qos, identifiers, .. })) => (qos, identifiers),
        (None, None) => return None,
    };
    Some(Next { topic, delivery, qos, identifiers })
}
