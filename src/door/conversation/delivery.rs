//! The delivering half of a conversation: from rows and what was handed over to packets for the client.

use std::collections::{HashSet, VecDeque};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Conversation, Done, ENOUGH, PAGE, complain};
use crate::broker::{Handed, properties};
use crate::chat::{Next, Page, Reader, Settled};
use crate::mqtt::{Outgoing, Properties, Reason, Sent};
use crate::store::StoreError;

/// The rows that went to a client, as many as may matter.
#[derive(Default)]
pub(super) struct Lately {
    rows: HashSet<i64>,
    order: VecDeque<i64>,
}

/// More than any client may have in flight.
const LATELY: usize = 4096;

impl Lately {
    fn contains(&self, row: i64) -> bool {
        self.rows.contains(&row)
    }

    fn insert(&mut self, row: i64) {
        if self.rows.insert(row) {
            self.order.push_back(row);
        }
        while self.order.len() > LATELY {
            self.order.pop_front().iter().for_each(|row| _ = self.rows.remove(row));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Conversation<S> {
    /// Hands on what was handed over, then fetches what is owed.
    pub(super) fn deliver(&mut self) {
        let Some(guest) = &self.guest else { return };
        if !self.more || self.machine.is_over() {
            return;
        }
        let session = guest.attached.session.clone();
        while self.machine.window() > 0 && self.machine.output().len() < ENOUGH {
            let Some(thing) = session.take_handed() else { break };
            self.pass(&thing);
        }
        let room = self.machine.window().min(PAGE);
        if self.fetching || room == 0 || self.machine.output().len() >= ENOUGH {
            return;
        }
        (self.fetching, self.more) = (true, false);
        let (chat, place) = (self.hall.chat.clone(), self.place);
        self.work.push(Box::pin(async move { Done::Fetched(chat.next(&session, place, room).await) }));
    }

    pub(super) fn fetched(&mut self, fetched: Result<Page, StoreError>) {
        self.fetching = false;
        let page = match fetched {
            Ok(page) => page,
            Err(error) => {
                complain(&error);
                // Nobody would ring again for what could not be read: the client comes back for it.
                return self.machine.disconnect(Reason::UnspecifiedError, None);
            }
        };
        self.more |= page.full;
        self.place = page.reader;
        let mut untaken = Vec::new();
        let mut page = page.next.into_iter();
        while let Some(next) = page.next() {
            if self.sent.contains(next.delivery.seq) {
                continue;
            }
            match self.send(&next) {
                Sent::Awaiting(id) => {
                    self.sent.insert(next.delivery.seq);
                    self.owed.insert(id, next.settled());
                }
                Sent::Fire => {
                    self.sent.insert(next.delivery.seq);
                    self.unheard.push(next.settled());
                }
                Sent::TooLarge => untaken.push(next.settled()),
                Sent::WindowFull => {
                    // Read again from here once there is room; what was only told of must be told again.
                    self.place = Reader { cursor: next.delivery.seq - 1 };
                    self.more = true;
                    let rest = std::iter::once(next).chain(page).map(|next| next.delivery.seq);
                    if let Some(guest) = &self.guest {
                        guest.attached.session.tell(rest);
                    }
                    break;
                }
            }
        }
        // To the protocol a packet that the client cannot read counts as sent; the inbox keeps it for other devices.
        untaken.iter_mut().for_each(|one: &mut Settled| one.in_inbox = false);
        self.settle(untaken);
        if std::mem::take(&mut self.anew) {
            self.read_anew();
        }
    }

    /// A wider subscription may select what a narrower one skipped: everything is looked at again.
    pub(super) fn read_anew(&mut self) {
        self.anew = self.fetching;
        self.place = Reader::default();
        self.more = true;
    }

    fn send(&mut self, next: &Next) -> Sent {
        let message = &next.delivery.message;
        let carried = properties::from_row(message.properties.as_deref());
        let said = next.said();
        let mut user: Vec<(&str, &str)> = pairs(&carried);
        user.extend(said.iter().flatten().map(|(name, value)| (*name, value.as_str())));
        let outgoing = Outgoing {
            qos: next.qos,
            subscription_ids: &next.identifiers,
            ..outgoing(&next.topic, &message.payload, &carried, &user)
        };
        self.machine.publish(&outgoing)
    }

    /// Passes on what is owed to nobody: what does not fit is dropped.
    fn pass(&mut self, thing: &Handed) {
        let user = pairs(&thing.properties);
        let outgoing = Outgoing {
            qos: thing.qos,
            retain: thing.retain,
            subscription_ids: &thing.identifiers,
            ..outgoing(&thing.topic, &thing.payload, &thing.properties, &user)
        };
        self.machine.publish(&outgoing);
    }
}

fn pairs(properties: &Properties) -> Vec<(&str, &str)> {
    properties.user_properties.iter().map(|(name, value)| (&**name, &**value)).collect()
}

fn outgoing<'a>(
    topic: &'a str,
    payload: &'a [u8],
    carried: &'a Properties,
    user: &'a [(&'a str, &'a str)],
) -> Outgoing<'a> {
    Outgoing {
        topic,
        payload,
        content_type: carried.content_type.as_deref(),
        response_topic: carried.response_topic.as_ref().map(|topic| topic.as_str()),
        correlation_data: carried.correlation_data.as_deref(),
        payload_format: carried.payload_format,
        message_expiry: carried.message_expiry,
        user_properties: user,
        ..Outgoing::default()
    }
}
