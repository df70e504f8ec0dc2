//! MQTT semantics: who has which session, what it subscribed to, what it is owed, and which bell to ring.
//!
//! The broker knows sessions and filters and nothing of people; of chat only which filters select nothing else. What
//! must be there again after a crash lies in the journal: durable sessions with their subscriptions and queues, and
//! retained messages. Here is their picture in memory, read at start, plus what only live connections have.

mod bell;
mod config;
mod connections;
mod keep;
mod memory;
mod numbers;
mod owed;
mod parcel;
pub(crate) mod properties;
mod queue;
mod retained;
mod session;
mod topics;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::oneshot;

pub(crate) use bell::Bell;
pub(crate) use config::Config;
pub(crate) use parcel::{Body, Identifiers, Parcel, Retain, Run};
pub(crate) use queue::{QueueLimits, Sending, Step};
pub(crate) use retained::Held;
pub(crate) use session::{Attached, Live, Matched, Session, Subscribed};
pub(crate) use topics::{Group, Route, Routes};

use crate::id::{AccountId, SessionId};
use crate::journal::{Journal, JournalError, Records};
use crate::mqtt::{Reason, TopicFilter, TopicName, Will};
use crate::store::Store;
use crate::time::Timestamp;
use retained::Retained;
use topics::Topics;

/// Cheap handle on all sessions.
#[derive(Clone)]
pub(crate) struct Broker(Arc<Inner>);

struct Inner {
    store: Store,
    journal: Journal,
    config: Config,
    sessions: RwLock<Sessions>,
    retained: RwLock<Retained>,
    epoch: AtomicU64,
    rights_epoch: AtomicU64,
}

/// A commit on its way.
pub(crate) type Committing = oneshot::Receiver<Result<(), JournalError>>;

#[derive(Default)]
struct Sessions {
    /// Client ids are each account's own namespace.
    by_account: HashMap<AccountId, HashMap<Arc<str>, Arc<Session>>>,
    by_id: HashMap<SessionId, Arc<Session>>,
    topics: Topics,
}

/// How a client asks for its session.
pub(crate) struct Hello {
    pub(crate) account: AccountId,
    pub(crate) client_id: Arc<str>,
    pub(crate) clean_start: bool,
    /// Seconds the session outlives the connection; 0 = not at all.
    pub(crate) expiry: u32,
    pub(crate) will: Option<Will>,
    pub(crate) live: Live,
}

impl Broker {
    /// Takes up the durable sessions and retained messages; none of the sessions has a connection yet.
    pub(crate) async fn open(
        store: Store,
        folder: &Path,
        config: Config,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let (journal, found) = Journal::open(folder, config.journal())?;
        let (mut sessions, mut retained) = (Sessions::default(), Retained::default());
        for one in found.sessions {
            sessions.add(Arc::new(Session::found(one, now)));
        }
        found.retained.into_iter().for_each(|(message, kept)| _ = retained.set(Arc::new(message), kept));
        let known: Vec<SessionId> = sessions.by_id.keys().copied().collect();
        store.write(move |tx| tx.keep_queues_of(&known)).await?;
        Ok(Self(Arc::new(Inner {
            store,
            journal,
            config,
            sessions: RwLock::new(sessions),
            retained: RwLock::new(retained),
            epoch: AtomicU64::new(0),
            rights_epoch: AtomicU64::new(0),
        })))
    }

    /// Bounds of each session's queue.
    pub(crate) fn limits(&self) -> &QueueLimits {
        &self.0.config.queue
    }

    /// The broker's part of the configuration.
    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Counts changes of whatever decides where a message goes: what was found under an earlier number must be looked
    /// up again.
    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    /// Counts changes of people and rules alone.
    pub(crate) fn rights_epoch(&self) -> u64 {
        self.0.rights_epoch.load(Ordering::Acquire)
    }

    /// Subscriptions have changed.
    fn turn(&self) {
        self.0.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// People or rules have changed: rights are compiled anew, and routes looked up with them.
    pub(crate) fn turn_rights(&self) {
        self.0.rights_epoch.fetch_add(1, Ordering::AcqRel);
        self.turn();
    }

    // --- subscriptions ---

    /// Adds subscriptions, durable ones on disk; says for each whether it is new.
    pub(crate) async fn subscribe(
        &self,
        session: &Arc<Session>,
        new: &[Subscribed],
    ) -> Result<Vec<bool>, JournalError> {
        if !self.holds(session) {
            return Ok(vec![false; new.len()]); // Its connection has been told to end.
        }
        let fresh = {
            let mut sessions = self.write();
            let mut add = |one: &Subscribed| {
                sessions.topics.add(session, one);
                session.subscribe(one.clone())
            };
            new.iter().map(&mut add).collect()
        };
        self.turn();
        if session.is_durable() {
            let mut records = Records::new();
            new.iter().for_each(|one| records.subscribed(session.id, &one.kept()));
            self.commit(records).await?;
        }
        Ok(fresh)
    }

    /// Removes subscriptions; says for each filter whether there was one.
    pub(crate) async fn unsubscribe(
        &self,
        session: &Arc<Session>,
        filters: &[String],
    ) -> Result<Vec<bool>, JournalError> {
        let existed: Vec<bool> = {
            let mut sessions = self.write();
            let mut remove = |filter: &String| {
                if let Ok(parsed) = TopicFilter::parse(filter) {
                    sessions.topics.remove(session.id, &parsed);
                }
                session.unsubscribe(filter)
            };
            filters.iter().map(&mut remove).collect()
        };
        self.turn();
        if session.is_durable() {
            let mut records = Records::new();
            filters.iter().for_each(|filter| records.unsubscribed(session.id, filter));
            self.commit(records).await?;
        }
        Ok(existed)
    }

    /// Where messages on a plain topic go: to the sessions that subscribed and `may` read it.
    pub(crate) fn routes(&self, topic: &TopicName, may: impl Fn(&Session) -> bool) -> Routes {
        self.read().topics.routes(topic, may)
    }

    // --- looking ---

    /// The sessions of an account.
    pub(crate) fn of(&self, account: AccountId) -> Vec<Arc<Session>> {
        self.read().by_account.get(&account).map(|mine| mine.values().cloned().collect()).unwrap_or_default()
    }

    /// Whether somebody is connected under this client id.
    pub(crate) fn is_taken(&self, account: AccountId, client_id: &str) -> bool {
        let sessions = self.read();
        sessions
            .by_account
            .get(&account)
            .and_then(|mine| mine.get(client_id))
            .is_some_and(|one| one.is_live())
    }

    /// One session.
    pub(crate) fn by_id(&self, id: SessionId) -> Option<Arc<Session>> {
        self.read().by_id.get(&id).cloned()
    }

    /// Every session, for the console.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.read().by_id.values().cloned().collect()
    }

    /// Whether the account has a live connection.
    pub(crate) fn is_online(&self, account: AccountId) -> bool {
        self.read().by_account.get(&account).is_some_and(|mine| mine.values().any(|one| one.is_live()))
    }

    /// The accounts that have a live connection.
    pub(crate) fn online(&self) -> Vec<AccountId> {
        let sessions = self.read();
        let live = |mine: &HashMap<_, Arc<Session>>| mine.values().any(|session| session.is_live());
        sessions.by_account.iter().filter(|(_, mine)| live(mine)).map(|(account, _)| *account).collect()
    }

    /// Wakes every live session of an account: there are rows to read, this one if one is named.
    pub(crate) fn ring(&self, account: AccountId, row: Option<i64>) {
        for session in self.of(account) {
            session.tell(row);
            session.ring_rows();
        }
    }

    /// Ends every live connection that `chosen` picks, with a reason; says how many.
    pub(crate) fn end(&self, reason: Reason, chosen: impl Fn(&Session) -> bool) -> usize {
        let sessions = self.all();
        sessions.iter().filter(|session| chosen(session) && session.end(reason)).count()
    }

    fn read(&self) -> RwLockReadGuard<'_, Sessions> {
        self.0.sessions.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Sessions> {
        self.0.sessions.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    fn named(&self, hello: &Hello) -> Option<Arc<Session>> {
        self.by_account.get(&hello.account)?.get(&hello.client_id).cloned()
    }

    fn add(&mut self, session: Arc<Session>) {
        for subscription in session.subscriptions() {
            self.topics.add(&session, &subscription);
        }
        let mine = self.by_account.entry(session.account).or_default();
        mine.insert(session.client_id.clone(), session.clone());
        self.by_id.insert(session.id, session);
    }

    /// Takes out exactly this session: another may have its client id by now.
    fn remove(&mut self, gone: &Session) {
        self.by_id.remove(&gone.id);
        for subscription in gone.subscriptions() {
            self.topics.remove(gone.id, &subscription.filter);
        }
        let Some(mine) = self.by_account.get_mut(&gone.account) else { return };
        if mine.get(&gone.client_id).is_some_and(|held| held.id == gone.id) {
            mine.remove(&gone.client_id);
        }
        if mine.is_empty() {
            self.by_account.remove(&gone.account);
        }
    }
}
