//! What waits for a session's client: parcels that pass through, and dues until they are acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Session, expires_at, size};
use crate::broker::bell::Bell;
use crate::broker::numbers::Numbers;
use crate::broker::parcel::{Identifiers, Parcel};
use crate::broker::queue::{Due, Pushed, QueueLimits, Sending, Stage, Step};
use crate::journal::{Kept, Message, Owed};
use crate::metrics::{Dropped, Limit, METRICS};
use crate::mqtt::{Qos, Reason};
use crate::time::Timestamp;

/// How many rows of chat a passing connection is told of before the oldest goes.
const TOLD: usize = 1000;

impl Session {
    // --- what passes through ---

    /// Hands a parcel to the live connection. Gives the bell where it must be rung; a client that is too slow for
    /// what it cannot miss is ended.
    pub(crate) fn push(&self, parcel: Parcel, limits: &QueueLimits) -> Option<Arc<Bell>> {
        let mut state = self.state();
        let bell = state.live.as_ref()?.bell.clone();
        let mut dropped = 0;
        let pushed = state.queue.push(parcel, limits, &mut dropped);
        drop(state);
        METRICS.drop(Dropped::Slow, dropped as u64);
        match pushed {
            Pushed::Behind => None,
            Pushed::First => Some(bell),
            Pushed::Overflow => {
                METRICS.hit(Limit::Queue);
                bell.end(Reason::QuotaExceeded);
                None
            }
        }
    }

    /// Hands over one thing and rings.
    pub(crate) fn hand(&self, parcel: Parcel, limits: &QueueLimits) {
        self.push(parcel, limits).iter().for_each(|bell| bell.ring());
    }

    /// Takes the parcels that wait.
    pub(crate) fn take_parcels(&self) -> VecDeque<Parcel> {
        self.state().queue.take_parcels()
    }

    /// Tells a passing session of rows in its account's inbox: it is to see them even when another device is quicker
    /// to acknowledge them. A durable session has them in its queue.
    pub(crate) fn tell(&self, rows: impl IntoIterator<Item = i64>) {
        let mut state = self.state();
        if state.live.is_none() || state.durable {
            return;
        }
        state.told.extend(rows);
        while state.told.len() > TOLD {
            state.told.pop_front();
        }
    }

    /// Takes what it was told, in the order of telling.
    pub(crate) fn take_told(&self) -> VecDeque<i64> {
        std::mem::take(&mut self.state().told)
    }

    /// Wakes the live connection to look at the store.
    pub(crate) fn ring_rows(&self) {
        let bell = self.state().live.as_ref().map(|live| live.bell.clone());
        bell.iter().for_each(|bell| bell.ring_rows());
    }

    /// Wakes the live connection to look at its queue.
    pub(crate) fn ring(&self) {
        let bell = self.state().live.as_ref().map(|live| live.bell.clone());
        bell.iter().for_each(|bell| bell.ring());
    }

    // --- what is owed ---

    /// Whether the queue has room for so much more.
    pub(crate) fn has_room(&self, messages: usize, bytes: usize, limits: &QueueLimits) -> bool {
        self.state().queue.has_room(messages, bytes, limits)
    }

    /// Owes a message that is on its way to the disk.
    pub(crate) fn owe(
        &self,
        message: &Arc<Message>,
        kept: &Arc<Kept>,
        qos: Qos,
        retain: bool,
        identifiers: &Identifiers,
    ) -> Owed {
        let mut state = self.state();
        let live = state.live.is_some();
        let due = Due {
            number: 0,
            kept: kept.clone(),
            message: Some(message.clone()),
            size: size(message),
            qos,
            retain,
            stage: Stage::Waiting,
            again: false,
            identifiers: identifiers.clone(),
            expires_at: expires_at(message),
        };
        let number = state.queue.owe(due, live);
        let identifiers = identifiers.iter().flat_map(|all| all.iter().copied()).collect();
        Owed { session: self.id, number, qos, retain, identifiers, released: false }
    }

    /// What is to be sent next of what is owed.
    pub(crate) fn next(&self, room: bool, now: Timestamp) -> Step {
        self.state().queue.next(room, now)
    }

    /// It could not be sent now.
    pub(crate) fn put_back(&self, sending: Sending) {
        self.state().queue.put_back(sending);
    }

    /// Bodies that were read from the journal.
    pub(crate) fn warm(&self, read: Vec<(u64, Message)>) {
        let mut state = self.state();
        read.into_iter().for_each(|(number, message)| state.queue.warm(number, message));
    }

    /// Drops what never reached the disk.
    pub(crate) fn forget_failed(&self) {
        self.state().queue.forget_failed();
    }

    /// QoS 2: the client has what went out under this identifier. Gives its number.
    pub(in crate::broker) fn release(&self, id: u16) -> Option<u64> {
        let mut state = self.state();
        let number = state.queue.number_of(id)?;
        state.queue.release(number);
        Some(number)
    }

    /// What went out under this identifier is owed no more. Gives its number.
    pub(in crate::broker) fn settle(&self, id: u16) -> Option<u64> {
        let mut state = self.state();
        let number = state.queue.number_of(id)?;
        state.queue.remove(number).then_some(number)
    }

    /// Takes a due out by number.
    pub(in crate::broker) fn remove(&self, number: u64) -> bool {
        self.state().queue.remove(number)
    }

    /// How many messages on plain topics it is owed.
    pub(crate) fn owed(&self) -> usize {
        self.state().queue.len()
    }

    /// Bytes of them, and how many are on their way to the client.
    pub(crate) fn owed_bytes_and_in_flight(&self) -> (u64, usize) {
        let state = self.state();
        (state.queue.bytes(), if state.live.is_some() { state.queue.in_flight() } else { 0 })
    }

    /// Adds what there is of it to what there is of all.
    pub(in crate::broker) fn add_to(&self, all: &mut Numbers) {
        let state = self.state();
        let live = state.live.is_some();
        all.live += usize::from(live);
        all.waiting += usize::from(!live);
        all.durable += usize::from(state.durable);
        all.subscriptions += state.subscriptions.len();
        all.shared += state.subscriptions.iter().filter(|one| one.filter.group().is_some()).count();
        all.owed += state.queue.len();
        all.owed_bytes += state.queue.bytes();
        all.in_flight += if live { state.queue.in_flight() } else { 0 };
    }

    /// A due as the journal would write it again; `None` when it is owed no more.
    pub(in crate::broker) fn owed_now(&self, number: u64) -> Option<(Owed, Arc<Kept>)> {
        let state = self.state();
        let due = state.queue.get(number)?;
        let owed = Owed {
            session: self.id,
            number,
            qos: due.qos,
            retain: due.retain,
            identifiers: due.identifiers.iter().flat_map(|all| all.iter().copied()).collect(),
            released: due.stage == Stage::Released,
        };
        Some((owed, due.kept.clone()))
    }

    /// Notes or forgets the identifier of a QoS 2 message that came.
    pub(crate) fn note_received(&self, id: u16, there: bool) {
        let mut state = self.state();
        state.received.retain(|&old| old != id);
        if there {
            state.received.push(id);
        }
    }

    /// Identifiers of QoS 2 messages that came and were not released.
    pub(crate) fn received(&self) -> Vec<u16> {
        self.state().received.clone()
    }
}
