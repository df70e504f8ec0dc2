//! Records: what is said to the journal, encoded where it is said.
//!
//! A frame is `length u32, CRC-32 u32, kind u8, body`; length and checksum cover kind and body. Frames do not know
//! where they will stand, so callers encode them side by side and the one writer only strings them together.

use std::sync::Arc;

use super::facts::{KeptSubscription, KeptWill, Message, Owed, SessionState};
use super::kept::Kept;
use super::wire::{put_bytes, put_message, put_number};
use crate::id::SessionId;
use crate::mqtt::TopicName;
use crate::time::Timestamp;

/// Bytes before the kind of a frame.
pub(super) const FRAME: usize = 8;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Message = 1,
    Taken = 2,
    Released = 3,
    Received = 4,
    Freed = 5,
    Session = 6,
    Attached = 7,
    Ended = 8,
    Dropped = 9,
    Subscribed = 10,
    Unsubscribed = 11,
    Will = 12,
    Cleared = 13,
}

impl Kind {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Message,
            2 => Self::Taken,
            3 => Self::Released,
            4 => Self::Received,
            5 => Self::Freed,
            6 => Self::Session,
            7 => Self::Attached,
            8 => Self::Ended,
            9 => Self::Dropped,
            10 => Self::Subscribed,
            11 => Self::Unsubscribed,
            12 => Self::Will,
            13 => Self::Cleared,
            _ => return None,
        })
    }
}

/// Where a fact was first written: the number of the segment above the offset in it. A copy keeps its original's, so
/// of two that concern one thing the younger is known whatever their order on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(pub(super) u64);

impl Stamp {
    pub(super) fn of(segment: u32, at: u32) -> Self {
        Self(u64::from(segment) << 32 | u64::from(at))
    }
}

/// Records in the order of the calls, written together or not at all.
#[derive(Default)]
pub(crate) struct Records {
    pub(super) bytes: Vec<u8>,
    /// Messages, with the offset and length of their frames in `bytes`.
    pub(super) messages: Vec<(Arc<Kept>, u32, u32)>,
    /// Sessions whose full state stands in `bytes` (where), or that were dropped (`None`).
    pub(super) sessions: Vec<(SessionId, Option<(u32, u32)>)>,
    /// Messages that are on disk already: they take no new room and lose nothing if this fails.
    pub(super) copies: bool,
}

impl Records {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A message, once, with all who are owed it. `retained`: it is its topic's retained message from now on.
    /// `received`: it came with QoS 2 under this identifier, which is now in use.
    pub(crate) fn message(
        &mut self,
        message: &Message,
        owed: &[Owed],
        retained: bool,
        received: Option<(SessionId, u16)>,
        kept: &Arc<Kept>,
    ) {
        self.bytes.reserve(128 + 32 * owed.len() + message.payload.len());
        self.place(kept, |out| {
            put_head(out, owed, retained, received, None);
            put_message(out, message);
        });
    }

    /// A message again, with those who are still owed it; `stamp` when it is still its topic's retained message.
    pub(super) fn copy(&mut self, encoded: &[u8], owed: &[Owed], stamp: Option<Stamp>, kept: &Arc<Kept>) {
        self.copies = true;
        self.place(kept, |out| {
            put_head(out, owed, stamp.is_some(), None, stamp);
            out.extend_from_slice(encoded);
        });
    }

    /// Acknowledged for good.
    pub(crate) fn taken(&mut self, session: SessionId, numbers: &[u64]) {
        self.frame(Kind::Taken, |out| {
            out.extend_from_slice(&session.to_bytes());
            put_number(out, numbers.len() as u64);
            numbers.iter().for_each(|&number| put_number(out, number));
        });
    }

    /// PUBREC came: the receiver has it, and only the identifier is still in use.
    pub(crate) fn released(&mut self, session: SessionId, number: u64) {
        self.about(Kind::Released, session, |out| put_number(out, number));
    }

    /// An inbound QoS 2 identifier is in use.
    pub(crate) fn received(&mut self, session: SessionId, id: u16) {
        self.about(Kind::Received, session, |out| out.extend_from_slice(&id.to_le_bytes()));
    }

    /// An inbound QoS 2 identifier is free again.
    pub(crate) fn freed(&mut self, session: SessionId, id: u16) {
        self.about(Kind::Freed, session, |out| out.extend_from_slice(&id.to_le_bytes()));
    }

    /// The full state of a session: replaces what was said of it before, but for its queue. A session exists by this.
    pub(crate) fn session(&mut self, state: &SessionState) {
        self.state(state, None);
    }

    /// The same, asked for when the log ended at `since`: what was said from there on is younger.
    pub(super) fn state(&mut self, state: &SessionState, since: Option<Stamp>) {
        let place = self.about(Kind::Session, state.id, |out| {
            put_stamp(out, since);
            put_state(out, state);
        });
        self.sessions.push((state.id, Some(place)));
    }

    /// A connection took it up.
    pub(crate) fn attached(&mut self, session: SessionId, expiry: u32) {
        self.about(Kind::Attached, session, |out| out.extend_from_slice(&expiry.to_le_bytes()));
    }

    /// Its connection ended.
    pub(crate) fn ended(&mut self, session: SessionId, expiry: u32, at: Timestamp) {
        self.about(Kind::Ended, session, |out| {
            out.extend_from_slice(&expiry.to_le_bytes());
            put_time(out, at);
        });
    }

    /// It is gone with its queue, for good.
    pub(crate) fn dropped(&mut self, session: SessionId) {
        self.about(Kind::Dropped, session, |_| ());
        self.sessions.push((session, None));
    }

    /// It has this subscription, which replaces one with the same filter.
    pub(crate) fn subscribed(&mut self, session: SessionId, subscription: &KeptSubscription) {
        self.about(Kind::Subscribed, session, |out| put_subscription(out, subscription));
    }

    /// It has no subscription with this filter.
    pub(crate) fn unsubscribed(&mut self, session: SessionId, filter: &str) {
        self.about(Kind::Unsubscribed, session, |out| put_bytes(out, filter.as_bytes()));
    }

    /// Its will, or that it has none.
    pub(crate) fn will(&mut self, session: SessionId, will: Option<&KeptWill>) {
        self.about(Kind::Will, session, |out| put_will(out, will));
    }

    /// A topic has no retained message any more.
    pub(crate) fn cleared(&mut self, topic: &TopicName) {
        self.cleared_up_to(topic, None);
    }

    /// The retained message with this stamp, and any before it, is no more.
    pub(super) fn cleared_up_to(&mut self, topic: &TopicName, stamp: Option<Stamp>) {
        self.frame(Kind::Cleared, |out| {
            put_stamp(out, stamp);
            out.extend_from_slice(topic.as_str().as_bytes());
        });
    }

    fn place(&mut self, kept: &Arc<Kept>, body: impl FnOnce(&mut Vec<u8>)) {
        let (at, length) = self.frame(Kind::Message, body);
        self.messages.push((kept.clone(), at, length));
    }

    fn about(&mut self, kind: Kind, session: SessionId, body: impl FnOnce(&mut Vec<u8>)) -> (u32, u32) {
        self.frame(kind, |out| {
            out.extend_from_slice(&session.to_bytes());
            body(out);
        })
    }

    /// Writes a frame; tells its offset and length.
    fn frame(&mut self, kind: Kind, body: impl FnOnce(&mut Vec<u8>)) -> (u32, u32) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; FRAME]);
        self.bytes.push(kind as u8);
        body(&mut self.bytes);
        if let Some((head, said)) =
            self.bytes.get_mut(at..).and_then(|frame| frame.split_at_mut_checked(FRAME))
        {
            let checksum = crc32fast::hash(said);
            head.copy_from_slice(&(u64::from(checksum) << 32 | said.len() as u64).to_le_bytes());
        }
        (at as u32, (self.bytes.len() - at) as u32)
    }
}

pub(super) const RETAINED: u8 = 0x01;
pub(super) const RECEIVED: u8 = 0x02;

/// What stands before the message: flags, identifier received, stamp, references.
fn put_head(
    out: &mut Vec<u8>,
    owed: &[Owed],
    retained: bool,
    received: Option<(SessionId, u16)>,
    stamp: Option<Stamp>,
) {
    out.push(if retained { RETAINED } else { 0 } | if received.is_some() { RECEIVED } else { 0 });
    if let Some((session, id)) = received {
        out.extend_from_slice(&session.to_bytes());
        out.extend_from_slice(&id.to_le_bytes());
    }
    if retained {
        put_stamp(out, stamp);
    }
    put_number(out, owed.len() as u64);
    owed.iter().for_each(|owed| put_owed(out, owed));
}

/// Zero stands for the record's own place, which is not known before it is written.
fn put_stamp(out: &mut Vec<u8>, stamp: Option<Stamp>) {
    out.extend_from_slice(&stamp.map_or(0, |Stamp(stamp)| stamp).to_le_bytes());
}

pub(super) const AS_PUBLISHED: u8 = 0x04;
pub(super) const WAS_RELEASED: u8 = 0x08;

fn put_owed(out: &mut Vec<u8>, owed: &Owed) {
    out.extend_from_slice(&owed.session.to_bytes());
    put_number(out, owed.number);
    let retain = if owed.retain { AS_PUBLISHED } else { 0 };
    out.push(owed.qos as u8 | retain | if owed.released { WAS_RELEASED } else { 0 });
    put_number(out, owed.identifiers.len() as u64);
    owed.identifiers.iter().for_each(|&identifier| put_number(out, identifier.into()));
}

fn put_state(out: &mut Vec<u8>, state: &SessionState) {
    out.extend_from_slice(&state.account.to_bytes());
    put_bytes(out, state.client_id.as_bytes());
    out.extend_from_slice(&state.expiry.to_le_bytes());
    put_time(out, state.created_at);
    out.push(state.ended_at.is_some().into());
    if let Some(at) = state.ended_at {
        put_time(out, at);
    }
    put_number(out, state.next);
    put_number(out, state.received.len() as u64);
    state.received.iter().for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
    put_number(out, state.subscriptions.len() as u64);
    state.subscriptions.iter().for_each(|subscription| put_subscription(out, subscription));
    put_will(out, state.will.as_ref());
}

fn put_time(out: &mut Vec<u8>, at: Timestamp) {
    out.extend_from_slice(&at.micros().to_le_bytes());
}

pub(super) const NO_LOCAL: u8 = 0x04;
pub(super) const KEEPS_RETAIN: u8 = 0x08;

fn put_subscription(out: &mut Vec<u8>, subscription: &KeptSubscription) {
    let no_local = if subscription.no_local { NO_LOCAL } else { 0 };
    let retain = if subscription.retain_as_published { KEEPS_RETAIN } else { 0 };
    out.push(subscription.qos as u8 | no_local | retain);
    // No identifier is 0 (MQTT 5.0 section 3.8.2.1.2), so that stands for none.
    put_number(out, subscription.identifier.unwrap_or_default().into());
    put_bytes(out, subscription.filter.as_bytes());
}

fn put_will(out: &mut Vec<u8>, will: Option<&KeptWill>) {
    out.push(will.is_some().into());
    if let Some(will) = will {
        out.push(will.retain.into());
        out.extend_from_slice(&will.delay.to_le_bytes());
        put_message(out, &will.message);
    }
}
