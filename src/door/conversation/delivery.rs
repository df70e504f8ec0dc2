//! The delivering half of a conversation: from the session's queue and the store's rows to packets for the client.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::hearing::complain;
use super::{Conversation, Done};
use crate::broker::{Parcel, Retain, Sending, Step, properties};
use crate::chat::{Next, Page, Reader, Settled};
use crate::journal::{JournalError, Message};
use crate::metrics::{Dropped, METRICS, Traffic};
use crate::mqtt::{Connection, Outgoing, Properties, Qos, Reason, Sent};
use crate::store::StoreError;
use crate::time::{self, Timestamp};

/// No more is put into the output while it holds this much.
pub(super) const ENOUGH: usize = 256 * 1024;
/// How many rows are read for a client at once.
const PAGE: usize = 256;
/// The rows that went to a client lately; more than any client may have in flight.
const LATELY: usize = 4096;

/// Where the conversation is in what it delivers.
#[derive(Default)]
pub(super) struct Delivery {
    /// The session's queue was rung for.
    pub(super) parcels_wait: bool,
    /// There may be rows to fetch; it stays so while the client has no room for them.
    pub(super) rows_wait: bool,
    /// Taken from the queue and not sent yet.
    parcels: VecDeque<Parcel>,
    /// Bodies are being read from the journal.
    reading: bool,
    fetching: bool,
    /// What is being fetched was asked for before a subscription changed.
    anew: bool,
    place: Reader,
    /// Only for those who read chat.
    rows: Option<Box<Rows>>,
}

/// Rows of chat on their way.
#[derive(Default)]
struct Rows {
    /// By packet identifier: deliveries that the client has not acknowledged.
    owed: HashMap<u16, Settled>,
    /// The last rows that went to this client: they are not sent twice on one line.
    sent: HashSet<i64>,
    order: VecDeque<i64>,
    /// Deliveries with QoS 0 after which the client has not been heard yet.
    unheard: Vec<Settled>,
}

impl Rows {
    fn note(&mut self, row: i64) {
        if self.sent.insert(row) {
            self.order.push_back(row);
        }
        while self.order.len() > LATELY {
            self.order.pop_front().iter().for_each(|row| _ = self.sent.remove(row));
        }
    }
}

impl Delivery {
    /// The row that went out under this identifier, now that the client has it.
    pub(super) fn taken(&mut self, id: u16) -> Option<Settled> {
        self.rows.as_mut()?.owed.remove(&id)
    }

    fn rows(&mut self) -> &mut Rows {
        self.rows.get_or_insert_default()
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Conversation<S> {
    /// The client was heard again: what it was sent with QoS 0 has reached it.
    pub(super) fn heard_again(&mut self) {
        let unheard = self.delivery.rows.as_mut().map(|rows| std::mem::take(&mut rows.unheard));
        self.settle(unheard.unwrap_or_default());
    }

    /// Sends what waits, as far as the client has room.
    pub(super) fn deliver(&mut self) {
        if self.guest.is_none() || self.machine.is_over() || self.machine.output().len() >= ENOUGH {
            return;
        }
        if self.is_durable() || self.delivery.parcels_wait || !self.delivery.parcels.is_empty() {
            self.send_what_waits();
        }
        self.fetch_rows();
    }

    fn send_what_waits(&mut self) {
        let now = time::now();
        let mut sent = Traffic::default();
        self.send_parcels(now, &mut sent);
        self.send_dues(now, &mut sent);
        METRICS.sent.add(&sent);
    }

    // --- what passes through ---

    fn send_parcels(&mut self, now: Timestamp, sent: &mut Traffic) {
        let Some(guest) = &self.guest else { return };
        loop {
            if self.delivery.parcels.is_empty() {
                if !std::mem::take(&mut self.delivery.parcels_wait) {
                    return;
                }
                self.delivery.parcels = guest.attached.session.take_parcels();
            }
            while let Some(parcel) = self.delivery.parcels.front_mut() {
                if !send_parcel(&mut self.machine, parcel, now, sent) {
                    return;
                }
                self.delivery.parcels.pop_front();
            }
            self.delivery.parcels = VecDeque::new();
        }
    }

    // --- what is owed ---

    fn send_dues(&mut self, now: Timestamp, sent: &mut Traffic) {
        let Some(guest) = self.guest.as_ref().filter(|guest| guest.durable) else { return };
        let session = &guest.attached.session;
        while self.machine.output().len() < ENOUGH {
            match session.next(self.machine.window() > 0, now) {
                Step::Send(due) => match send_due(&mut self.machine, &due) {
                    Sent::WindowFull => return session.put_back(due),
                    // To the protocol it counts as delivered (MQTT 5.0 section 3.1.2.11.4).
                    Sent::TooLarge => {
                        METRICS.drop(Dropped::TooLarge, 1);
                        self.hall.broker.discard(session, due.number);
                    }
                    Sent::Awaiting(_) | Sent::Fire => {
                        sent.add(due.qos as u8, due.message.topic.as_str().len() + due.message.payload.len());
                    }
                },
                Step::Release(id) => self.machine.pubrel(id),
                Step::Expired(number) => {
                    METRICS.drop(Dropped::Expired, 1);
                    self.hall.broker.discard(session, number);
                }
                Step::Cold(places) => {
                    if self.delivery.reading {
                        return;
                    }
                    self.delivery.reading = true;
                    let journal = self.hall.broker.journal().clone();
                    let read = tokio::task::spawn_blocking(move || {
                        places.into_iter().map(|(number, kept)| Ok((number, journal.read(&kept)?))).collect()
                    });
                    let errand = async move { Done::Read(read.await.unwrap_or(Err(JournalError::Closed))) };
                    return self.send_on(errand);
                }
                Step::Nothing => return,
            }
        }
    }

    /// Bodies have been read from the journal.
    pub(super) fn warmed(&mut self, read: Result<Vec<(u64, Message)>, JournalError>) {
        self.delivery.reading = false;
        match (read, &self.guest) {
            (Ok(read), Some(guest)) => guest.attached.session.warm(read),
            (Err(error), _) => {
                tracing::error!(%error, "messages that are owed could not be read");
                self.machine.disconnect(Reason::UnspecifiedError, None);
            }
            (Ok(_), None) => {}
        }
    }

    // --- rows of chat ---

    fn fetch_rows(&mut self) {
        let Some(guest) = &self.guest else { return };
        let room = self.machine.window().min(PAGE);
        if !self.delivery.rows_wait || self.delivery.fetching || room == 0 {
            return;
        }
        (self.delivery.fetching, self.delivery.rows_wait) = (true, false);
        let session = guest.attached.session.clone();
        if !session.is_durable() && !session.wants_chat() {
            self.delivery.fetching = false;
            return;
        }
        let (chat, place) = (self.hall.chat.clone(), self.delivery.place);
        self.send_on(async move { Done::Fetched(chat.next(&session, place, room).await) });
    }

    pub(super) fn fetched(&mut self, fetched: Result<Page, StoreError>) {
        self.delivery.fetching = false;
        let page = match fetched {
            Ok(page) => page,
            Err(error) => {
                complain(&error);
                // Nobody would ring again for what could not be read: the client comes back for it.
                return self.machine.disconnect(Reason::UnspecifiedError, None);
            }
        };
        self.delivery.rows_wait |= page.full;
        self.delivery.place = page.reader;
        let (mut untaken, mut sent) = (Vec::new(), Traffic::default());
        let mut page = page.next.into_iter();
        while let Some(next) = page.next() {
            let row = next.delivery.seq;
            if self.delivery.rows.as_ref().is_some_and(|rows| rows.sent.contains(&row)) {
                continue;
            }
            let outcome = self.send_row(&next);
            if let Sent::Awaiting(_) | Sent::Fire = outcome {
                let qos = next.qos.min(Qos::AtLeastOnce);
                sent.add(qos as u8, next.topic.len() + next.delivery.message.payload.len());
            }
            match outcome {
                Sent::Awaiting(id) => {
                    self.delivery.rows().note(row);
                    self.delivery.rows().owed.insert(id, next.settled());
                }
                Sent::Fire => {
                    self.delivery.rows().note(row);
                    self.delivery.rows().unheard.push(next.settled());
                }
                Sent::TooLarge => {
                    METRICS.drop(Dropped::TooLarge, 1);
                    untaken.push(next.settled());
                }
                Sent::WindowFull => {
                    // Read again from here once there is room; what was only told of must be told again.
                    self.delivery.place = Reader { cursor: row - 1 };
                    self.delivery.rows_wait = true;
                    let rest = std::iter::once(next).chain(page).map(|next| next.delivery.seq);
                    if let Some(guest) = &self.guest {
                        guest.attached.session.tell(rest);
                    }
                    break;
                }
            }
        }
        METRICS.sent.add(&sent);
        // To the protocol a packet that the client cannot read counts as sent; the inbox keeps it for other devices.
        untaken.iter_mut().for_each(|one: &mut Settled| one.in_inbox = false);
        self.settle(untaken);
        if std::mem::take(&mut self.delivery.anew) {
            self.read_anew();
        }
    }

    /// A wider subscription may select what a narrower one skipped: everything is looked at again.
    pub(super) fn read_anew(&mut self) {
        self.delivery.anew = self.delivery.fetching;
        self.delivery.place = Reader::default();
        self.delivery.rows_wait = true;
    }

    fn send_row(&mut self, next: &Next) -> Sent {
        let message = &next.delivery.message;
        let carried = properties::from_row(message.properties.as_deref());
        let said = next.said();
        let said: Vec<(&str, &str)> =
            said.iter().flatten().map(|(name, value)| (*name, value.as_str())).collect();
        self.machine.publish(&Outgoing {
            topic: &next.topic,
            payload: &message.payload,
            qos: next.qos.min(Qos::AtLeastOnce),
            properties: Some(&carried),
            said: &said,
            subscription_ids: next.identifiers.as_deref().unwrap_or_default(),
            ..Outgoing::default()
        })
    }
}

/// Sends what is left of a parcel; `false` when the client has no room for more now.
fn send_parcel(machine: &mut Connection, parcel: &mut Parcel, now: Timestamp, sent: &mut Traffic) -> bool {
    let (qos, run) = (parcel.delivered_qos(), parcel.run.clone());
    for body in run.bodies.iter().skip(parcel.sent) {
        if machine.output().len() >= ENOUGH {
            return false;
        }
        let left = left(body.properties.as_deref(), run.at, now);
        let retain = match parcel.retain {
            Retain::Cleared => false,
            Retain::AsPublished => body.retain,
            Retain::Set => true,
        };
        let outgoing = Outgoing {
            topic: run.topic.as_str(),
            payload: &body.payload,
            qos,
            retain,
            properties: body.properties.as_deref(),
            message_expiry: left,
            subscription_ids: parcel.identifiers.as_deref().unwrap_or_default(),
            ..Outgoing::default()
        };
        match left {
            Some(0) => METRICS.drop(Dropped::Expired, 1),
            _ => match machine.publish(&outgoing) {
                Sent::WindowFull => return false,
                Sent::TooLarge => METRICS.drop(Dropped::TooLarge, 1),
                Sent::Awaiting(_) | Sent::Fire => {
                    sent.add(qos as u8, run.topic.as_str().len() + body.payload.len())
                }
            },
        }
        parcel.sent += 1;
    }
    true
}

fn send_due(machine: &mut Connection, due: &Sending) -> Sent {
    machine.publish(&Outgoing {
        id: Some(due.id),
        topic: due.message.topic.as_str(),
        payload: &due.message.payload,
        qos: due.qos,
        retain: due.retain,
        dup: due.again,
        properties: due.message.properties.as_deref(),
        message_expiry: due.expiry,
        subscription_ids: due.identifiers.as_deref().unwrap_or_default(),
        ..Outgoing::default()
    })
}

/// Seconds that a message has left, where its publisher set a limit ([MQTT-3.3.2-6]).
fn left(carried: Option<&Properties>, came: Timestamp, now: Timestamp) -> Option<u32> {
    let limit = Duration::from_secs(carried?.message_expiry?.into());
    let left = limit.saturating_sub(now.since(came));
    // A started second counts, so that what was just sent does not lose one.
    Some(u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX))
}
