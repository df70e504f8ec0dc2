//! A session's queue: what waits to be sent to its client, and what its client has not acknowledged.
//!
//! Two things stand in it. *Parcels* pass through: they are held in memory while a connection is there and owed to
//! nobody. *Dues* are owed: they lie in the journal, come back after a crash, and leave only when the client has
//! acknowledged them. Of a due only the place is always in memory; its body is, while there are not too many.

use std::collections::VecDeque;
use std::sync::Arc;

use super::memory::Load;
use super::parcel::{Identifiers, Parcel, number_at_or_after, packet_id};
use crate::journal::{Fate, Kept, Message};
use crate::mqtt::Qos;
use crate::time::Timestamp;

/// Bodies of one session's dues in memory, in bytes; the others are read when their turn comes.
const WARM: usize = 256 * 1024;
/// Bytes of memory for a due without its body, and for where that is.
const PLACE: usize = size_of::<Due>() + 64;

/// How much one session may have waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    /// Messages that are owed.
    pub(crate) messages: usize,
    /// Bytes that are owed.
    pub(crate) bytes: u64,
    /// Bytes that wait in memory for a slow client.
    pub(crate) passing: usize,
}

#[derive(Default)]
pub(super) struct Queue {
    parcels: VecDeque<Parcel>,
    passing: usize,
    overflown: bool,
    dues: VecDeque<Due>,
    /// The first due that was not sent on this connection.
    cursor: usize,
    /// The next number.
    next: u64,
    owed: u64,
    warm: usize,
    /// Dues in memory; parcels count for themselves.
    held: Load,
}

/// Something owed.
pub(super) struct Due {
    pub(super) number: u64,
    pub(super) kept: Arc<Kept>,
    pub(super) message: Option<Arc<Message>>,
    /// Bytes of topic and payload.
    pub(super) size: u32,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) stage: Stage,
    /// It may have reached the client on an earlier connection.
    pub(super) again: bool,
    pub(super) identifiers: Identifiers,
    pub(super) expires_at: Option<Timestamp>,
}

/// How far a due has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    Sent,
    /// QoS 2: the client has it, and is yet to hear that it may forget the identifier.
    Released,
}

/// A due on its way out.
pub(crate) struct Sending {
    pub(crate) number: u64,
    pub(crate) id: u16,
    pub(crate) message: Arc<Message>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) again: bool,
    pub(crate) identifiers: Identifiers,
    /// Seconds left, where the publisher set a limit.
    pub(crate) expiry: Option<u32>,
}

/// What is to be done next for the client.
pub(crate) enum Step {
    Send(Sending),
    /// A PUBREL that a resumed session still owes.
    Release(u16),
    /// Its time is over: it is not sent any more.
    Expired(u64),
    /// It must be read from the journal first, and these after it.
    Cold(Vec<(u64, Arc<Kept>)>),
    /// Nothing now.
    Nothing,
}

/// What came of pushing a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The connection knows that there is something.
    Behind,
    /// It is the first: the connection must be woken.
    First,
    /// There was no room, and nothing of less worth to drop.
    Overflow,
}

impl Queue {
    pub(super) fn starting_at(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    // --- parcels ---

    /// Puts a parcel behind the others. Where there is no room the oldest of QoS 0 go first.
    ///
    /// After an overflow the connection is to end; what comes until it has ended is not kept.
    pub(super) fn push(&mut self, parcel: Parcel, limits: &QueueLimits, dropped: &mut usize) -> Pushed {
        if self.overflown {
            return Pushed::Behind;
        }
        let first = self.parcels.is_empty();
        self.passing += parcel.run.bytes();
        self.parcels.push_back(parcel);
        while self.passing > limits.passing {
            let Some(at) = self.parcels.iter().position(|old| old.delivered_qos() == Qos::AtMostOnce) else {
                self.overflown = true;
                _ = self.take_parcels();
                return Pushed::Overflow;
            };
            if let Some(gone) = self.parcels.remove(at) {
                self.passing -= gone.run.bytes();
                *dropped += gone.run.bodies.len() - gone.sent;
            }
        }
        if first { Pushed::First } else { Pushed::Behind }
    }

    /// Takes all parcels.
    pub(super) fn take_parcels(&mut self) -> VecDeque<Parcel> {
        self.passing = 0;
        std::mem::take(&mut self.parcels)
    }

    // --- dues ---

    /// Whether so much more may be owed.
    pub(super) fn has_room(&self, messages: usize, bytes: usize, limits: &QueueLimits) -> bool {
        self.dues.len() + messages <= limits.messages && self.owed + bytes as u64 <= limits.bytes
    }

    /// Owes one more; gives its number. The body stays in memory only for a client that is there.
    pub(super) fn owe(&mut self, mut due: Due, live: bool) -> u64 {
        due.number = self.next;
        self.next += 1;
        if !live || self.warm + due.size as usize > WARM {
            due.message = None;
        }
        self.count(&due);
        self.dues.push_back(due);
        self.next - 1
    }

    /// Takes up what the journal had.
    pub(super) fn found(&mut self, due: Due) {
        self.next = self.next.max(due.number + 1);
        self.count(&due);
        self.dues.push_back(due);
    }

    /// A new connection: everything that is owed is to be sent (again), in its order.
    pub(super) fn resume(&mut self) {
        (self.cursor, self.overflown) = (0, false);
        for due in &mut self.dues {
            if due.stage == Stage::Sent {
                (due.stage, due.again) = (Stage::Waiting, true);
            }
        }
    }

    /// The next thing to send; `room` is false when only a PUBREL may go.
    pub(super) fn next(&mut self, room: bool, now: Timestamp) -> Step {
        while let Some(due) = self.dues.get_mut(self.cursor) {
            let fate = due.kept.fate();
            match (due.stage, fate) {
                (Stage::Released, _) => {
                    self.cursor += 1;
                    return Step::Release(packet_id(due.number));
                }
                (_, Fate::Failed) => {
                    let number = due.number;
                    self.remove(number);
                }
                // Nothing is delivered before it is on disk, and nothing overtakes.
                (_, Fate::Pending) => return Step::Nothing,
                (Stage::Sent, Fate::Kept) => self.cursor += 1,
                (Stage::Waiting, Fate::Kept) => {
                    // A started second counts.
                    let left = due.expires_at.map(|at| at.since(now).as_millis().div_ceil(1000) as u64);
                    // Half sent is sent: only what never went out can expire (MQTT 5.0 section 3.3.2.3.3).
                    if left == Some(0) && !due.again {
                        return Step::Expired(due.number);
                    }
                    return if room { self.send(left) } else { Step::Nothing };
                }
            }
        }
        Step::Nothing
    }

    fn send(&mut self, left: Option<u64>) -> Step {
        let Some(due) = self.dues.get_mut(self.cursor) else { return Step::Nothing };
        let Some(message) = due.message.take() else { return Step::Cold(self.cold()) };
        let size = due.size as usize;
        self.warm = self.warm.saturating_sub(size);
        self.held.less(size);
        due.stage = Stage::Sent;
        self.cursor += 1;
        Step::Send(Sending {
            number: due.number,
            id: packet_id(due.number),
            message,
            qos: due.qos,
            retain: due.retain,
            again: due.again,
            identifiers: due.identifiers.clone(),
            expiry: left.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        })
    }

    /// What is to be read from the journal next.
    fn cold(&self) -> Vec<(u64, Arc<Kept>)> {
        let mut bytes = 0;
        self.dues
            .iter()
            .skip(self.cursor)
            .take_while(|due| due.message.is_none() && due.kept.fate() == Fate::Kept)
            .take_while(|due| {
                let fits = bytes == 0 || bytes + due.size as usize <= WARM;
                bytes += due.size as usize;
                fits
            })
            .map(|due| (due.number, due.kept.clone()))
            .collect()
    }

    /// A body was read.
    pub(super) fn warm(&mut self, number: u64, message: Message) {
        if let Some(due) =
            self.find(number).filter(|due| due.stage == Stage::Waiting && due.message.is_none())
        {
            due.message = Some(Arc::new(message));
            let size = due.size as usize;
            self.warm += size;
            self.held.more(size);
        }
    }

    /// What was taken for sending could not go now.
    pub(super) fn put_back(&mut self, sending: Sending) {
        let Some(at) = self.position(sending.number) else { return };
        self.cursor = self.cursor.min(at);
        if let Some(due) = self.dues.get_mut(at) {
            (due.stage, due.message) = (Stage::Waiting, Some(sending.message));
            let size = due.size as usize;
            self.warm += size;
            self.held.more(size);
        }
    }

    /// The number in flight under a packet identifier.
    pub(super) fn number_of(&self, id: u16) -> Option<u64> {
        let (first, last) = (self.dues.front()?.number, self.dues.back()?.number);
        let mut number = number_at_or_after(first, id);
        while number <= last {
            let in_flight = |due: &Due| matches!(due.stage, Stage::Sent | Stage::Released);
            if self.position(number).and_then(|at| self.dues.get(at)).is_some_and(in_flight) {
                return Some(number);
            }
            number += number_at_or_after(number + 1, id) - number;
        }
        None
    }

    /// QoS 2: the client has it.
    pub(super) fn release(&mut self, number: u64) {
        if let Some(due) = self.find(number) {
            due.stage = Stage::Released;
        }
    }

    /// It is owed no more; `false` when it was not.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let Some(at) = self.position(number) else { return false };
        // Clients acknowledge in order, so it nearly always is the first.
        let Some(due) = self.dues.remove(at) else { return false };
        if at < self.cursor {
            self.cursor -= 1;
        }
        self.owed = self.owed.saturating_sub(u64::from(due.size));
        let warm = if due.message.is_some() { due.size as usize } else { 0 };
        self.warm = self.warm.saturating_sub(warm);
        self.held.less(PLACE + warm);
        if self.dues.is_empty() {
            self.dues = VecDeque::new();
        }
        true
    }

    /// Drops what never reached the disk.
    pub(super) fn forget_failed(&mut self) {
        let failed: Vec<u64> =
            self.dues.iter().filter(|due| due.kept.fate() == Fate::Failed).map(|due| due.number).collect();
        failed.into_iter().for_each(|number| _ = self.remove(number));
    }

    /// Nobody reads here for now: bodies need not stay in memory.
    pub(super) fn rest(&mut self) {
        _ = self.take_parcels();
        for due in &mut self.dues {
            due.message = None;
        }
        self.held.less(std::mem::take(&mut self.warm));
    }

    /// How many messages are owed.
    pub(super) fn len(&self) -> usize {
        self.dues.len()
    }

    /// How many bytes of them.
    pub(super) fn bytes(&self) -> u64 {
        self.owed
    }

    /// How many of them went out on this connection.
    pub(super) fn in_flight(&self) -> usize {
        self.cursor
    }

    /// The number after the last.
    pub(super) fn next_number(&self) -> u64 {
        self.next
    }

    pub(super) fn get(&self, number: u64) -> Option<&Due> {
        self.dues.get(self.position(number)?)
    }

    fn find(&mut self, number: u64) -> Option<&mut Due> {
        let at = self.position(number)?;
        self.dues.get_mut(at)
    }

    fn position(&self, number: u64) -> Option<usize> {
        self.dues.binary_search_by_key(&number, |due| due.number).ok()
    }

    fn count(&mut self, due: &Due) {
        self.owed += u64::from(due.size);
        let warm = if due.message.is_some() { due.size as usize } else { 0 };
        self.warm += warm;
        self.held.more(PLACE + warm);
    }
}
