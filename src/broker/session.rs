//! One MQTT session's state in memory: its subscriptions, its queue and, while it is connected, its live side.

mod subscribed;
mod waiting;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub(super) use subscribed::matched;
pub(crate) use subscribed::{Matched, Subscribed};

use super::Hello;
use super::bell::Bell;
use super::queue::{Due, Queue, Stage};
use crate::id::{AccountId, SessionId};
use crate::journal::{FoundSession, Message, SessionState};
use crate::mqtt::{Reason, Version, Will};
use crate::store::KeyId;
use crate::time::Timestamp;
use subscribed::identifiers;

/// How long a connection may take to give its session to the next.
const HAND_OVER: Duration = Duration::from_secs(2);
/// A session, live or waiting for its client.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) account: AccountId,
    pub(crate) client_id: Arc<str>,
    pub(crate) created_at: Timestamp,
    /// Rung when a connection has given the session back, and when the session is gone.
    left: Notify,
    state: Mutex<State>,
}

struct State {
    expiry: u32,
    durable: bool,
    gone: bool,
    ended_at: Option<Timestamp>,
    generation: u64,
    subscriptions: Vec<Subscribed>,
    live: Option<Box<Live>>,
    queue: Queue,
    /// Rows of the inbox that came while a passing session was there.
    told: VecDeque<i64>,
    /// QoS 2 messages that came and whose identifiers the client has not released.
    received: Vec<u16>,
    will: Option<Box<Will>>,
}

/// What only a connected session has.
pub(crate) struct Live {
    /// Serial of the certificate shown at the door.
    pub(crate) serial: Option<String>,
    /// The registered key that signed the challenge.
    pub(crate) key: Option<KeyId>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) version: Version,
    pub(crate) door: &'static str,
    pub(crate) since: Timestamp,
    pub(crate) bell: Arc<Bell>,
}

/// A session given to a connection.
#[derive(Clone)]
pub(crate) struct Attached {
    pub(crate) session: Arc<Session>,
    /// Whether it had existed before.
    pub(crate) present: bool,
    pub(super) generation: u64,
}

impl Session {
    pub(super) fn new(hello: &Hello, now: Timestamp) -> Self {
        let state = State::new(hello.expiry, hello.expiry > 0, None);
        Self {
            id: SessionId::new(now),
            account: hello.account,
            client_id: hello.client_id.clone(),
            created_at: now,
            left: Notify::new(),
            state: Mutex::new(state),
        }
    }

    /// A session that the house knew when it stopped. If it was killed, the connection ended now at the latest.
    pub(super) fn found(found: FoundSession, now: Timestamp) -> Self {
        let FoundSession { state: told, queue: dues } = found;
        let mut state = State::new(told.expiry, true, Some(told.ended_at.unwrap_or(now)));
        state.subscriptions = told.subscriptions.into_iter().filter_map(Subscribed::found).collect();
        state.received = told.received;
        state.will = told.will.map(|kept| Box::new(super::keep::will_from(kept)));
        state.queue = Queue::starting_at(told.next);
        for due in dues {
            state.queue.found(Due {
                number: due.owed.number,
                kept: due.kept,
                message: None,
                size: due.size,
                qos: due.owed.qos,
                retain: due.owed.retain,
                stage: if due.owed.released { Stage::Released } else { Stage::Waiting },
                again: due.maybe_sent,
                identifiers: identifiers(due.owed.identifiers.into_iter()),
                expires_at: due.expires_at,
            });
        }
        Self {
            id: told.id,
            account: told.account,
            client_id: told.client_id.into(),
            created_at: told.created_at,
            left: Notify::new(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn attach(self: &Arc<Self>, live: Live, expiry: u32, present: bool) -> Attached {
        let mut state = self.state();
        state.generation += 1;
        state.live = Some(Box::new(live));
        state.ended_at = None;
        state.durable |= expiry > 0;
        state.expiry = expiry;
        state.queue.resume();
        Attached { session: self.clone(), present, generation: state.generation }
    }

    /// `false` when another connection holds the session by now.
    pub(super) fn detach(&self, generation: u64, expiry: Option<u32>, now: Timestamp) -> bool {
        let mut state = self.state();
        if state.generation != generation {
            return false;
        }
        state.live = None;
        state.queue.rest();
        state.told = VecDeque::new();
        state.ended_at = Some(now);
        // A session that began without an expiry may not be given one at its end (MQTT 5.0 section 3.14.2.2.2).
        if let (Some(expiry), true) = (expiry, state.expiry > 0) {
            state.expiry = expiry;
        }
        true
    }

    /// The connection that held the session is done with it, on disk too.
    pub(super) fn given_back(&self) {
        self.left.notify_waiters();
    }

    /// The session is no more; whoever waits for its client need not.
    pub(super) fn is_over(&self) {
        self.state().gone = true;
        self.left.notify_waiters();
    }

    /// Waits until the session is gone or has another connection than the one of `attached`.
    pub(crate) async fn moved_on(&self, attached: &Attached) {
        loop {
            let left = self.left.notified();
            {
                let state = self.state();
                if state.gone || state.generation != attached.generation {
                    return;
                }
            }
            left.await;
        }
    }

    /// Whether the client has come back since.
    pub(crate) fn came_back(&self, attached: &Attached) -> bool {
        let state = self.state();
        !state.gone && state.generation != attached.generation
    }

    /// Tells the live connection that it is over; `false` when there is none or it knows already.
    pub(crate) fn end(&self, reason: Reason) -> bool {
        let bell = self.state().live.as_ref().map(|live| live.bell.clone());
        bell.is_some_and(|bell| bell.end(reason))
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

    /// Whether it outlives its connection.
    pub(crate) fn is_durable(&self) -> bool {
        self.state().durable
    }

    pub(crate) fn expiry(&self) -> u32 {
        self.state().expiry
    }

    pub(crate) fn is_live(&self) -> bool {
        self.state().live.is_some()
    }

    /// Looks at the live side, for lists and for choosing whom to end.
    pub(crate) fn live<T>(&self, look: impl FnOnce(&Live) -> T) -> Option<T> {
        self.state().live.as_deref().map(look)
    }

    /// The connection has proved itself anew, with this key; another connection's key is left alone.
    pub(crate) fn proved_by(&self, attached: &Attached, key: KeyId) {
        let mut state = self.state();
        if state.generation == attached.generation
            && let Some(live) = &mut state.live
        {
            live.key = Some(key);
        }
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

    /// What the house says for its client when the connection is lost, kept for the case that the house is lost too.
    pub(super) fn keep_will(&self, will: Option<Will>) {
        let mut state = self.state();
        state.will = will.filter(|_| state.durable).map(Box::new);
    }

    /// The will of this connection is not needed any more; `false` when there was none or it is another's by now.
    pub(super) fn forget_will(&self, attached: &Attached) -> bool {
        let mut state = self.state();
        state.generation == attached.generation && state.will.take().is_some()
    }

    /// The will of a connection that ended with the house.
    pub(super) fn lost(self: &Arc<Self>) -> Option<(Attached, Will)> {
        let state = self.state();
        let will = Will::clone(state.will.as_deref().filter(|_| state.live.is_none())?);
        Some((Attached { session: self.clone(), present: true, generation: state.generation }, will))
    }

    /// Everything but the queue, as the journal keeps it.
    pub(super) fn as_kept(&self) -> SessionState {
        let state = self.state();
        SessionState {
            id: self.id,
            account: self.account,
            client_id: self.client_id.to_string(),
            expiry: state.expiry,
            created_at: self.created_at,
            ended_at: state.ended_at,
            subscriptions: state.subscriptions.iter().map(Subscribed::kept).collect(),
            received: state.received.clone(),
            will: state.will.as_deref().map(super::keep::will_to),
            next: state.queue.next_number(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(expiry: u32, durable: bool, ended_at: Option<Timestamp>) -> Self {
        Self {
            expiry,
            durable,
            gone: false,
            ended_at,
            generation: 0,
            subscriptions: Vec::new(),
            live: None,
            queue: Queue::default(),
            told: VecDeque::new(),
            received: Vec::new(),
            will: None,
        }
    }
}

/// Bytes that a message counts for in a queue.
pub(super) fn size(message: &Message) -> u32 {
    u32::try_from(message.topic.as_str().len() + message.payload.len()).unwrap_or(u32::MAX)
}

/// When a message is of no more use (MQTT 5.0 section 3.3.2.3.3).
pub(super) fn expires_at(message: &Message) -> Option<Timestamp> {
    let seconds = message.properties.as_deref()?.message_expiry?;
    Some(message.at.after(Duration::from_secs(seconds.into())))
}
