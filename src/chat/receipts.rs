//! Receipts: the author learns what became of a message.
//!
//! They go to the author's sessions that subscribed to `receipt/…`: into the queues of the durable ones, in the same
//! unit of work as the news itself, and by hand to the others.

use super::{Chat, Refusal};
use crate::broker::{Body, Broker, Parcel, Retain};
use crate::id::{AccountId, MessageId};
use crate::mqtt::TopicName;
use crate::principal::Principal;
use crate::store::{Kind, NewMessage, StoreError, Tx};
use crate::time::Timestamp;

/// A device of the addressee has it.
pub(crate) const DELIVERED: &str = "delivered";
/// The addressee has read it.
pub(crate) const READ: &str = "read";
/// The addressee was told of it by mail.
pub(crate) const MAILED: &str = "mailed";

/// News of one message for its author.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) id: MessageId,
    pub(crate) author: AccountId,
    pub(crate) word: String,
}

impl Chat {
    /// Somebody says that they read a message which was sent to them.
    pub(super) async fn read(&self, who: &Principal, id: MessageId, now: Timestamp) -> Result<(), Refusal> {
        let reader = who.account().ok_or(Refusal::NotAllowed)?;
        let found = self.store.read(move |view| view.message_for(id, reader)).await?;
        let (seq, author) = found.ok_or(Refusal::NoSuchAddress)?;
        let broker = self.broker.clone();
        let receipt = Receipt { id, author, word: READ.to_owned() };
        let news = self
            .store
            .write(move |tx| -> Result<_, StoreError> {
                let changed = tx.mark_read(seq, reader)?;
                if changed {
                    queue(tx, &broker, &receipt, now)?;
                }
                Ok(changed.then_some(receipt))
            })
            .await?;
        news.iter().for_each(|receipt| hand(&self.broker, receipt, now));
        Ok(())
    }

    /// The outbox tells what became of messages outside the house.
    pub(crate) fn tell(&self, receipts: &[Receipt], now: Timestamp) {
        receipts.iter().for_each(|receipt| hand(&self.broker, receipt, now));
    }

    /// The durable half of [`Chat::tell`], for the outbox's own unit of work.
    pub(crate) fn queue_receipt(
        &self,
        tx: &mut Tx,
        receipt: &Receipt,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        queue(tx, &self.broker, receipt, now)
    }
}

/// Owes the news to the author's durable sessions that asked for it.
pub(super) fn queue(
    tx: &mut Tx,
    broker: &Broker,
    receipt: &Receipt,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(topic) = topic(receipt.id) else { return Ok(()) };
    let sessions = broker.of(receipt.author);
    let asked: Vec<_> = sessions
        .iter()
        .filter(|session| session.is_durable())
        .filter_map(|session| Some((session.id, session.matching(&topic)?.qos as u8)))
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let message = NewMessage {
        kind: Kind::Receipt,
        author: receipt.author,
        sender: String::new(),
        address: receipt.id.to_string(),
        payload: receipt.word.clone().into(),
        properties: None,
    };
    let placed = tx.append_message(&message, now)?;
    asked.iter().try_for_each(|(session, qos)| tx.put_in_queue(*session, placed.seq, *qos))
}

/// After the commit: hands the news to live sessions without a queue and rings the others.
pub(super) fn hand(broker: &Broker, receipt: &Receipt, now: Timestamp) {
    let sessions = broker.of(receipt.author);
    if sessions.is_empty() {
        return;
    }
    let Some(topic) = topic(receipt.id) else { return };
    for session in sessions {
        match session.matching(&topic) {
            Some(_) if session.is_durable() => session.ring_rows(),
            Some(matched) => {
                let body = Body { payload: receipt.word.clone().into(), properties: None, retain: false };
                let parcel = Parcel::passing(topic.clone(), matched.qos, now, body, Retain::Cleared);
                session.hand(Parcel { identifiers: matched.identifiers, ..parcel }, broker.limits());
            }
            None => {}
        }
    }
}

fn topic(id: MessageId) -> Option<TopicName> {
    TopicName::parse(&format!("receipt/{id}")).ok()
}
