//! What still stands after all that was said: the picture that a start draws from the log.
//!
//! Copies made by a sweep may stand behind what changed the original, so the order on disk does not decide alone: what
//! was taken once stays taken, a session that was dropped stays dropped, and of two retained messages of a topic, or
//! two words on one detail of a session, the one that was first said later wins. Bodies stay on disk, but for those of
//! retained messages.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use super::facts::{Found, FoundOwed, FoundSession, KeptSubscription, KeptWill, Message, SessionState};
use super::kept::{Kept, Place};
use super::record::Stamp;
use super::said::{MessageSaid, Said};
use super::wire::{self, Reader};
use crate::id::SessionId;
use crate::mqtt::TopicName;
use crate::time::Timestamp;

#[derive(Default)]
pub(super) struct Picture {
    sessions: HashMap<SessionId, Life>,
    dropped: HashSet<SessionId>,
    /// The youngest that was said of each topic: a retained message, or that it has none.
    retained: HashMap<TopicName, (Stamp, Option<Retained>)>,
    homes: HashMap<SessionId, Place>,
}

/// A retained message and its place.
type Retained = (Message, Arc<Kept>);

/// One session, as far as the log has told.
#[derive(Default)]
struct Life {
    /// Its full state, once that was said. What may change stands beside it, with the moment when it was said.
    state: Option<SessionState>,
    /// Expiry, and when its last connection ended.
    presence: (Stamp, (u32, Option<Timestamp>)),
    will: (Stamp, Option<KeptWill>),
    subscriptions: BTreeMap<String, (Stamp, Option<KeptSubscription>)>,
    received: BTreeMap<u16, (Stamp, Option<()>)>,
    queue: BTreeMap<u64, FoundOwed>,
    taken: Ranges,
    released: BTreeSet<u64>,
    next: u64,
}

impl Picture {
    /// Takes in one record; `None` if it cannot be read.
    pub(super) fn hear(&mut self, said: Said<'_>, at: Stamp, place: impl FnOnce() -> Place) -> Option<()> {
        match said {
            Said::Message(said) => self.message(said, at, place())?,
            Said::Cleared(topic, stamp) => self.retain(topic, stamp, None),
            Said::Session(state, since) => {
                if let Some(life) = self.life(state.id) {
                    let id = state.id;
                    life.renew(*state, since);
                    self.homes.insert(id, place());
                }
            }
            Said::Dropped(session) => {
                self.sessions.remove(&session);
                self.homes.remove(&session);
                self.dropped.insert(session);
            }
            Said::Taken(session, numbers) => {
                self.change(session, |life| numbers.into_iter().for_each(|number| life.take(number)));
            }
            Said::Released(session, number) => self.change(session, |life| life.release(number)),
            said => self.detail(said, at),
        }
        Some(())
    }

    fn message(&mut self, said: MessageSaid<'_>, at: Stamp, place: Place) -> Option<()> {
        let outline = Reader(said.encoded).outline()?;
        let kept = Kept::found(place);
        if let Some(stamp) = said.retained {
            let whole = Bytes::copy_from_slice(said.encoded);
            let message = wire::message(&whole, &whole)?;
            self.retain(message.topic.clone(), stamp, Some((message, kept.clone())));
        }
        if let Some((session, id)) = said.received {
            self.detail(Said::Received(session, id), at);
        }
        for owed in said.owed {
            let (size, expires_at) = (outline.size(), outline.expires_at());
            let kept = kept.clone();
            self.change(owed.session, |life| {
                life.owe(FoundOwed { owed, kept, size, expires_at, maybe_sent: false })
            });
        }
        Some(())
    }

    fn retain(&mut self, topic: TopicName, stamp: Stamp, message: Option<Retained>) {
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

    fn change(&mut self, session: SessionId, change: impl FnOnce(&mut Life)) {
        if let Some(life) = self.life(session) {
            change(life);
        }
    }

    fn detail(&mut self, said: Said<'_>, at: Stamp) {
        match said {
            Said::Received(session, id) => self.change(session, |life| {
                life.received.insert(id, (at, Some(())));
            }),
            Said::Freed(session, id) => self.change(session, |life| {
                life.received.insert(id, (at, None));
            }),
            Said::Attached(session, expiry) => {
                self.change(session, |life| {
                    life.presence = (at, (expiry, None));
                    life.queue.values_mut().for_each(|found| found.maybe_sent = true);
                });
            }
            Said::Ended(session, expiry, ended) => {
                self.change(session, |life| life.presence = (at, (expiry, Some(ended))));
            }
            Said::Subscribed(session, one) => self.change(session, |life| {
                life.subscriptions.insert(one.filter.clone(), (at, Some(one)));
            }),
            Said::Unsubscribed(session, filter) => self.change(session, |life| {
                life.subscriptions.insert(filter.to_owned(), (at, None));
            }),
            Said::Will(session, will) => self.change(session, |life| life.will = (at, will)),
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
    /// Takes in a full state, but for what was said since it was asked for.
    fn renew(&mut self, mut state: SessionState, since: Stamp) {
        self.next = self.next.max(state.next);
        if self.presence.0 < since {
            self.presence = (since, (state.expiry, state.ended_at));
        }
        if self.will.0 < since {
            self.will = (since, state.will.take());
        }
        let subscriptions = mem::take(&mut state.subscriptions).into_iter();
        renew(&mut self.subscriptions, since, subscriptions.map(|one| (one.filter.clone(), one)));
        renew(&mut self.received, since, mem::take(&mut state.received).into_iter().map(|id| (id, ())));
        self.state = Some(state);
    }

    fn owe(&mut self, mut found: FoundOwed) {
        let number = found.owed.number;
        self.next = self.next.max(number.saturating_add(1));
        if self.taken.contains(number) {
            return;
        }
        found.owed.released |= self.released.contains(&number);
        found.maybe_sent |= self.presence.1.1.is_none();
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
        let mut state = self.state?;
        (state.expiry, state.ended_at) = self.presence.1;
        state.will = self.will.1;
        state.subscriptions = self.subscriptions.into_values().filter_map(|(_, one)| one).collect();
        let received = self.received.into_iter();
        state.received = received.filter_map(|(id, (_, there))| there.map(|()| id)).collect();
        state.next = self.next;
        Some(FoundSession { state, queue: self.queue.into_values().collect() })
    }
}

/// Puts a full list in the place of what was said before `since`.
fn renew<K: Ord, V>(
    told: &mut BTreeMap<K, (Stamp, Option<V>)>,
    since: Stamp,
    all: impl Iterator<Item = (K, V)>,
) {
    told.retain(|_, (at, _)| *at >= since);
    for (key, value) in all {
        told.entry(key).or_insert((since, Some(value)));
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
