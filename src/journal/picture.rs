//! What still stands after all that was said: the picture that a start draws from the log.
//!
//! Copies made by a sweep may stand behind what ended the original, so the order on disk does not decide alone: what
//! was taken once stays taken, a session that was dropped stays dropped, and of two retained messages of a topic the
//! one that was first written later wins. Bodies stay on disk, but for those of retained messages.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::facts::{Found, FoundOwed, FoundSession, KeptSubscription, Message, Owed, SessionState};
use super::kept::{Kept, Place};
use super::record::Stamp;
use super::said::{MessageSaid, Said};
use super::wire::{self, Reader};
use crate::id::SessionId;
use crate::mqtt::TopicName;

#[derive(Default)]
pub(super) struct Picture {
    sessions: HashMap<SessionId, Life>,
    dropped: HashSet<SessionId>,
    /// The youngest that was said of each topic: a retained message, or that it has none.
    retained: HashMap<TopicName, (Stamp, Option<(Message, Arc<Kept>)>)>,
    homes: HashMap<SessionId, Place>,
}

/// One session, as far as the log has told.
#[derive(Default)]
struct Life {
    /// Its full state, once that was said.
    known: Option<Known>,
    queue: BTreeMap<u64, FoundOwed>,
    taken: Ranges,
    released: BTreeSet<u64>,
    next: u64,
}

struct Known {
    state: SessionState,
    subscriptions: BTreeMap<String, KeptSubscription>,
    received: BTreeSet<u16>,
}

impl Picture {
    /// Takes in one record; `None` if it cannot be read.
    pub(super) fn hear(&mut self, said: Said<'_>, place: impl FnOnce() -> Place) -> Option<()> {
        match said {
            Said::Message(said) => self.message(said, place())?,
            Said::Cleared(topic, stamp) => self.retain(topic, stamp, None),
            Said::Session(state) => {
                if let Some(life) = self.life(state.id) {
                    life.next = life.next.max(state.next);
                    self.homes.insert(state.id, place());
                    self.knows(*state);
                }
            }
            Said::Dropped(session) => {
                self.sessions.remove(&session);
                self.homes.remove(&session);
                self.dropped.insert(session);
            }
            Said::Taken(session, numbers) => {
                if let Some(life) = self.life(session) {
                    numbers.into_iter().for_each(|number| life.take(number));
                }
            }
            Said::Released(session, number) => {
                if let Some(life) = self.life(session) {
                    life.release(number);
                }
            }
            said => self.detail(said),
        }
        Some(())
    }

    fn message(&mut self, said: MessageSaid<'_>, place: Place) -> Option<()> {
        let outline = Reader(said.encoded).outline()?;
        let kept = Kept::found(place);
        if let Some(stamp) = said.retained {
            let whole = Bytes::copy_from_slice(said.encoded);
            let message = wire::message(&whole, &whole)?;
            self.retain(message.topic.clone(), stamp, Some((message, kept.clone())));
        }
        if let Some((session, id)) = said.received {
            self.known(session, |known| {
                known.received.insert(id);
            });
        }
        for owed in said.owed {
            if let Some(life) = self.life(owed.session) {
                let (size, expires_at) = (outline.size(), outline.expires_at());
                life.owe(FoundOwed { owed, kept: kept.clone(), size, expires_at });
            }
        }
        Some(())
    }

    fn retain(&mut self, topic: TopicName, stamp: Stamp, message: Option<(Message, Arc<Kept>)>) {
        let youngest = self.retained.entry(topic).or_insert((stamp, None));
        // Of equal stamps the later wins: a copy replaces its message, a clearing ends it.
        if stamp >= youngest.0 {
            *youngest = (stamp, message);
        }
    }

    /// A session unless it was dropped.
    fn life(&mut self, session: SessionId) -> Option<&mut Life> {
        (!self.dropped.contains(&session)).then(|| self.sessions.entry(session).or_default())
    }

    /// Replaces what was known of a session before.
    fn knows(&mut self, mut state: SessionState) {
        let subscriptions = std::mem::take(&mut state.subscriptions).into_iter();
        let subscriptions = subscriptions.map(|one| (one.filter.clone(), one)).collect();
        let received = std::mem::take(&mut state.received).into_iter().collect();
        if let Some(life) = self.life(state.id) {
            life.known = Some(Known { state, subscriptions, received });
        }
    }

    /// What changes a session that is known. Of one that is not, the full state is still to come and says it too.
    fn known(&mut self, session: SessionId, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.sessions.get_mut(&session).and_then(|life| life.known.as_mut()) {
            change(known);
        }
    }

    fn detail(&mut self, said: Said<'_>) {
        match said {
            Said::Received(session, id) => self.known(session, |known| {
                known.received.insert(id);
            }),
            Said::Freed(session, id) => self.known(session, |known| {
                known.received.remove(&id);
            }),
            Said::Attached(session, expiry) => self.known(session, |known| {
                (known.state.expiry, known.state.ended_at) = (expiry, None);
            }),
            Said::Ended(session, expiry, at) => self.known(session, |known| {
                (known.state.expiry, known.state.ended_at) = (expiry, Some(at));
            }),
            Said::Subscribed(session, one) => self.known(session, |known| {
                known.subscriptions.insert(one.filter.clone(), one);
            }),
            Said::Unsubscribed(session, filter) => self.known(session, |known| {
                known.subscriptions.remove(filter);
            }),
            Said::Will(session, will) => self.known(session, |known| known.state.will = will),
            _ => {}
        }
    }

    /// What stands at the end, and where the sessions are at home.
    pub(super) fn into_found(self) -> (Found, HashMap<SessionId, Place>) {
        let mut homes = self.homes;
        let sessions: Vec<FoundSession> = self.sessions.into_values().filter_map(Life::into_found).collect();
        let retained = self.retained.into_values().filter_map(|(_, message)| message).collect();
        homes.retain(|session, _| !self.dropped.contains(session));
        (Found { sessions, retained }, homes)
    }
}

impl Life {
    fn owe(&mut self, mut found: FoundOwed) {
        let number = found.owed.number;
        self.next = self.next.max(number.saturating_add(1));
        if self.taken.contains(number) {
            return;
        }
        found.owed.released |= self.released.contains(&number);
        if found.owed.released {
            self.released.insert(number);
        }
        self.queue.insert(number, found);
    }

    fn take(&mut self, number: u64) {
        self.next = self.next.max(number.saturating_add(1));
        self.queue.remove(&number);
        self.released.remove(&number);
        self.taken.insert(number);
    }

    fn release(&mut self, number: u64) {
        self.next = self.next.max(number.saturating_add(1));
        if let Some(found) = self.queue.get_mut(&number) {
            found.owed.released = true;
        }
        if !self.taken.contains(number) {
            self.released.insert(number);
        }
    }

    /// References without a session that exists are owed to nobody.
    fn into_found(self) -> Option<FoundSession> {
        let Known { mut state, subscriptions, received } = self.known?;
        state.subscriptions = subscriptions.into_values().collect();
        state.received = received.into_iter().collect();
        state.next = self.next.max(state.next);
        Some(FoundSession { state, queue: self.queue.into_values().collect() })
    }
}

/// A set of numbers that mostly follow one another: the first and last of each unbroken run.
#[derive(Default)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    fn insert(&mut self, number: u64) {
        let after = number.checked_add(1).and_then(|next| self.0.remove(&next));
        let last = after.unwrap_or(number);
        match self.0.range_mut(..=number).next_back() {
            Some((_, end)) if *end >= number => {}
            Some((_, end)) if *end + 1 == number => *end = last,
            _ => {
                self.0.insert(number, last);
            }
        }
    }
}
