//! One MQTT session's state in memory: its subscriptions and, while it is connected, its live side.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::{Hello, parse_stored};
use crate::dialect::plain;
use crate::id::{AccountId, SessionId};
use crate::mqtt::{Properties, Qos, Reason, TopicFilter, TopicName, Version};
use crate::store::{StoredSession, StoredSubscription};
use crate::time::Timestamp;

/// How long a connection may take to give its session to the next.
const HAND_OVER: Duration = Duration::from_secs(2);
/// How much one connection may be handed before the oldest goes: these are owed to nobody.
const HAND: usize = 1000;
/// And this many bytes.
const HAND_BYTES: usize = 4 << 20;

/// A session, live or waiting for its client.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) account: AccountId,
    pub(crate) client_id: Arc<str>,
    pub(crate) created_at: Timestamp,
    /// Rung when there may be something to read.
    pub(crate) bell: Notify,
    /// Rung when a connection has given the session back.
    left: Notify,
    state: Mutex<State>,
}

struct State {
    expiry: u32,
    stored: bool,
    ended_at: Option<Timestamp>,
    generation: u64,
    subscriptions: Vec<NewSubscription>,
    live: Option<Live>,
    hand: VecDeque<Handed>,
    /// Bytes in the hand.
    held: usize,
    /// Rows of the inbox that came while the session was there.
    told: VecDeque<i64>,
}

/// What only a connected session has.
pub(crate) struct Live {
    /// Serial of the certificate shown at the door.
    pub(crate) serial: Option<String>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) version: Version,
    pub(crate) door: &'static str,
    pub(crate) since: Timestamp,
    /// The line on which the connection hears that it is over; taken when used.
    pub(crate) ending: Option<oneshot::Sender<Reason>>,
}

/// The other end of that line.
pub(crate) type Ending = oneshot::Receiver<Reason>;

/// A session given to a connection.
pub(crate) struct Attached {
    pub(crate) session: Arc<Session>,
    /// Whether it had existed before.
    pub(crate) present: bool,
    pub(super) generation: u64,
}

/// A subscription of a session.
#[derive(Clone, Debug)]
pub(crate) struct NewSubscription {
    pub(crate) filter: TopicFilter,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) identifier: Option<u32>,
}

/// How a topic matched a session: the best of its subscriptions, and the identifiers of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) identifiers: Vec<u32>,
}

/// Something for a live connection that is owed to nobody: plain topics without a durable session, presence, typing.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Bytes,
    pub(crate) properties: Arc<Properties>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) identifiers: Vec<u32>,
}

impl Handed {
    /// Bytes it holds, about.
    fn size(&self) -> usize {
        let user = self.properties.user_properties.iter().map(|(name, value)| name.len() + value.len());
        self.topic.len() + self.payload.len() + user.sum::<usize>()
    }
}

impl NewSubscription {
    pub(super) fn stored(&self) -> StoredSubscription {
        StoredSubscription {
            filter: self.filter.as_str().to_owned(),
            qos: self.qos as u8,
            no_local: self.no_local,
            identifier: self.identifier,
        }
    }
}

impl Session {
    pub(super) fn new(hello: &Hello, now: Timestamp) -> Self {
        let state = State {
            expiry: hello.expiry,
            stored: hello.expiry > 0,
            ended_at: None,
            generation: 0,
            subscriptions: Vec::new(),
            live: None,
            hand: VecDeque::new(),
            held: 0,
            told: VecDeque::new(),
        };
        Self {
            id: SessionId::new(now),
            account: hello.account,
            client_id: hello.client_id.clone(),
            created_at: now,
            bell: Notify::new(),
            left: Notify::new(),
            state: Mutex::new(state),
        }
    }

    /// A session that the house knew when it stopped. If it was killed, the connection ended now at the latest.
    pub(super) fn from_store(row: StoredSession, now: Timestamp) -> Self {
        let subscriptions = row
            .subscriptions
            .into_iter()
            .filter_map(|stored| {
                Some(NewSubscription {
                    filter: parse_stored(&stored.filter)?,
                    qos: Qos::from_byte(stored.qos).unwrap_or_default(),
                    no_local: stored.no_local,
                    identifier: stored.identifier,
                })
            })
            .collect();
        let state = State {
            expiry: row.expiry,
            stored: true,
            ended_at: Some(row.ended_at.unwrap_or(now)),
            generation: 0,
            subscriptions,
            live: None,
            hand: VecDeque::new(),
            held: 0,
            told: VecDeque::new(),
        };
        Self {
            id: row.id,
            account: row.account,
            client_id: row.client_id.into(),
            created_at: row.created_at,
            bell: Notify::new(),
            left: Notify::new(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn attach(self: &Arc<Self>, live: Live, expiry: u32, present: bool) -> Attached {
        let mut state = self.state();
        state.generation += 1;
        state.live = Some(live);
        state.ended_at = None;
        state.stored |= expiry > 0;
        state.expiry = expiry;
        Attached { session: self.clone(), present, generation: state.generation }
    }

    /// `false` when another connection holds the session by now.
    pub(super) fn detach(&self, generation: u64, expiry: Option<u32>, now: Timestamp) -> bool {
        let mut state = self.state();
        if state.generation != generation {
            return false;
        }
        state.live = None;
        (state.hand, state.held, state.told) = (VecDeque::new(), 0, VecDeque::new());
        state.ended_at = Some(now);
        // A session that began without an expiry may not be given one at its end (MQTT 5 §3.14.2.2.2).
        if let (Some(expiry), true) = (expiry, state.expiry > 0) {
            state.expiry = expiry;
        }
        true
    }

    /// The connection that held the session is done with it, on disk too.
    pub(super) fn given_back(&self) {
        self.left.notify_waiters();
    }

    /// Tells the live connection that it is over; `false` when there is none or it knows already.
    pub(crate) fn end(&self, reason: Reason) -> bool {
        let line = self.state().live.as_mut().and_then(|live| live.ending.take());
        line.is_some_and(|line| line.send(reason).is_ok())
    }

    /// Ends the live connection and waits, for a moment, until it has given the session back: what its client had
    /// acknowledged is then settled and does not come again.
    pub(super) async fn hand_over(&self, reason: Reason) {
        let left = self.left.notified();
        if self.is_live() {
            self.end(reason);
            let _ = tokio::time::timeout(HAND_OVER, left).await;
        }
    }

    /// Hands something over to the live connection; the oldest goes when it does not keep up.
    pub(crate) fn hand(&self, thing: Handed) {
        let mut state = self.state();
        if state.live.is_none() {
            return;
        }
        state.held += thing.size();
        state.hand.push_back(thing);
        while state.hand.len() > HAND || state.held > HAND_BYTES {
            state.pop_hand();
        }
        drop(state);
        self.bell.notify_one();
    }

    /// Tells a passing session of rows in its account's inbox: it is to see them even when another device is quicker
    /// to acknowledge them. A durable session has them in its queue.
    pub(crate) fn tell(&self, rows: impl IntoIterator<Item = i64>) {
        let mut state = self.state();
        if state.live.is_none() || state.stored {
            return;
        }
        state.told.extend(rows);
        while state.told.len() > HAND {
            state.told.pop_front();
        }
    }

    /// Takes what it was told, in the order of telling.
    pub(crate) fn take_told(&self) -> VecDeque<i64> {
        std::mem::take(&mut self.state().told)
    }

    /// Takes the oldest thing handed over.
    pub(crate) fn take_handed(&self) -> Option<Handed> {
        self.state().pop_hand()
    }

    pub(super) fn subscribe(&self, new: NewSubscription) {
        let mut state = self.state();
        state.subscriptions.retain(|old| old.filter != new.filter);
        state.subscriptions.push(new);
    }

    pub(super) fn unsubscribe(&self, filter: &str) -> bool {
        let mut state = self.state();
        let before = state.subscriptions.len();
        state.subscriptions.retain(|old| old.filter.as_str() != filter);
        state.subscriptions.len() < before
    }

    /// Whether and how the session asked for a topic.
    pub(crate) fn matching(&self, topic: &TopicName) -> Option<Matched> {
        matched(self.state().subscriptions.iter().filter(|subscription| subscription.filter.matches(topic)))
    }

    /// Whether any subscription could select chat, so that the inbox is worth reading.
    pub(crate) fn wants_chat(&self) -> bool {
        self.state().subscriptions.iter().any(|subscription| {
            let path = subscription.filter.path();
            plain::is_own_view(path) || path.starts_with(['+', '#'])
        })
    }

    /// How many filters it subscribed with.
    pub(crate) fn subscription_count(&self) -> usize {
        self.state().subscriptions.len()
    }

    pub(crate) fn subscriptions(&self) -> Vec<NewSubscription> {
        self.state().subscriptions.clone()
    }

    /// Whether it outlives its connection.
    pub(crate) fn is_durable(&self) -> bool {
        self.state().stored
    }

    pub(crate) fn expiry(&self) -> u32 {
        self.state().expiry
    }

    pub(crate) fn is_live(&self) -> bool {
        self.state().live.is_some()
    }

    /// Looks at the live side, for lists and for choosing whom to end.
    pub(crate) fn live<T>(&self, look: impl FnOnce(&Live) -> T) -> Option<T> {
        self.state().live.as_ref().map(look)
    }

    /// When its connection ended.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.state().ended_at
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        let state = self.state();
        match state.ended_at {
            Some(ended) if state.live.is_none() && state.expiry != u32::MAX => {
                now.since(ended) >= Duration::from_secs(state.expiry.into())
            }
            _ => false,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop_hand(&mut self) -> Option<Handed> {
        let thing = self.hand.pop_front()?;
        self.held -= thing.size();
        Some(thing)
    }
}

/// The best of several matching subscriptions; `None` when there is none.
pub(super) fn matched<'a>(subscriptions: impl Iterator<Item = &'a NewSubscription>) -> Option<Matched> {
    subscriptions.fold(None, |best: Option<Matched>, one| {
        let mut best =
            best.unwrap_or(Matched { qos: one.qos, no_local: one.no_local, identifiers: Vec::new() });
        best.qos = best.qos.max(one.qos);
        best.no_local &= one.no_local;
        best.identifiers.extend(one.identifier);
        Some(best)
    })
}
