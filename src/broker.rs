//! MQTT semantics: who has which session, what it subscribed to, and which bell to ring.
//!
//! The broker knows sessions and filters and nothing of people; of chat only which filters select nothing else. Durable sessions live in the store; what is
//! here is their picture in memory, read at start, plus what only live connections have: a bell, a hand for what is
//! owed to nobody, and the line on which to tell a connection that it is over.

pub(crate) mod properties;
mod session;
mod topics;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) use session::{Attached, Ending, Handed, Live, Matched, NewSubscription, Session};
use topics::Topics;

use crate::id::AccountId;
use crate::mqtt::{Reason, TopicFilter, TopicName};
use crate::store::{Store, StoreError, Tx};
use crate::time::Timestamp;

/// Cheap handle on all sessions.
#[derive(Clone)]
pub(crate) struct Broker {
    store: Store,
    sessions: Arc<RwLock<Sessions>>,
}

#[derive(Default)]
struct Sessions {
    /// Client ids are each account's own namespace.
    by_client: HashMap<(AccountId, Arc<str>), Arc<Session>>,
    by_account: HashMap<AccountId, Vec<Arc<Session>>>,
    topics: Topics,
}

/// How a client asks for its session.
pub(crate) struct Hello {
    pub(crate) account: AccountId,
    pub(crate) client_id: Arc<str>,
    pub(crate) clean_start: bool,
    /// Seconds the session outlives the connection; 0 = not at all.
    pub(crate) expiry: u32,
    pub(crate) live: Live,
}

impl Broker {
    /// Reads the durable sessions; none of them has a connection yet.
    pub(crate) async fn open(store: Store, now: Timestamp) -> Result<Self, StoreError> {
        let stored = store.read(|view| view.sessions()).await?;
        let mut sessions = Sessions::default();
        for row in stored {
            sessions.add(Arc::new(Session::from_store(row, now)));
        }
        Ok(Self { store, sessions: Arc::new(RwLock::new(sessions)) })
    }

    /// Gives a connection its session: the one it had, or a new one. A connection that held it before is told that
    /// it was taken over (MQTT 5 §3.1.4-3).
    pub(crate) async fn attach(&self, hello: Hello, now: Timestamp) -> Result<Attached, StoreError> {
        let known = self.read().by_client.get(&(hello.account, hello.client_id.clone())).cloned();
        if let Some(known) = known {
            known.hand_over(Reason::SessionTakenOver).await;
        }
        let expiry = hello.expiry;
        let (attached, gone) = self.seat(hello, now);
        if let Err(error) = self.keep(&attached.session, gone, expiry, now).await {
            attached.session.detach(attached.generation, None, now);
            attached.session.given_back();
            if !attached.present {
                self.write().remove(&attached.session);
            }
            return Err(error);
        }
        Ok(attached)
    }

    /// Decides under one lock which session it is: others may have come while somebody was waited for. Gives the
    /// durable session that had to go.
    fn seat(&self, hello: Hello, now: Timestamp) -> (Attached, Option<Arc<Session>>) {
        let mut sessions = self.write();
        let known = sessions.by_client.get(&(hello.account, hello.client_id.clone())).cloned();
        if let Some(known) = &known {
            known.end(Reason::SessionTakenOver);
        }
        let resumable =
            |known: &Arc<Session>| !hello.clean_start && known.is_durable() && !known.is_expired(now);
        let (session, present, gone) = match known {
            Some(known) if resumable(&known) => (known, true, None),
            gone => {
                gone.iter().for_each(|gone| sessions.remove(gone));
                let session = Arc::new(Session::new(&hello, now));
                sessions.add(session.clone());
                (session, false, gone.filter(|gone| gone.is_durable()))
            }
        };
        (session.attach(hello.live, hello.expiry, present), gone)
    }

    /// Brings the disk to what memory decided. Nothing is written for a session that another has replaced by now.
    async fn keep(
        &self,
        session: &Arc<Session>,
        gone: Option<Arc<Session>>,
        expiry: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if gone.is_none() && expiry == 0 {
            return Ok(());
        }
        let (this, session) = (self.clone(), session.clone());
        let unit = move |tx: &mut Tx| -> Result<(), StoreError> {
            gone.iter().try_for_each(|gone| tx.drop_session(gone.id))?;
            if expiry > 0 && this.holds(&session) {
                tx.open_session(session.id, session.account, &session.client_id, expiry, now)?;
            }
            Ok(())
        };
        self.store.write(unit).await
    }

    /// A connection is over. The session stays for its expiry, or goes.
    pub(crate) async fn detach(
        &self,
        attached: &Attached,
        expiry: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let session = attached.session.clone();
        if !session.detach(attached.generation, expiry, now) {
            return Ok(()); // Somebody else holds it by now.
        }
        let expiry = session.expiry();
        let written = match expiry == 0 || !self.holds(&session) {
            true => self.forget(&session).await,
            false => {
                let session = session.clone();
                let end = move |tx: &mut Tx| match session.is_live() {
                    true => Ok(()), // Its client is back already.
                    false => tx.end_session(session.id, expiry, now),
                };
                self.store.write(end).await
            }
        };
        session.given_back();
        written
    }

    /// Whether this session is the one of its client id; another may have replaced it.
    fn holds(&self, session: &Session) -> bool {
        let key = (session.account, session.client_id.clone());
        self.read().by_client.get(&key).is_some_and(|held| held.id == session.id)
    }

    /// Adds subscriptions, durable ones on disk.
    pub(crate) async fn subscribe(
        &self,
        session: &Arc<Session>,
        new: Vec<NewSubscription>,
    ) -> Result<(), StoreError> {
        if !self.holds(session) {
            return Ok(()); // Its connection has been told to end.
        }
        {
            let mut sessions = self.write();
            for subscription in &new {
                sessions.topics.add(session, subscription);
                session.subscribe(subscription.clone());
            }
        }
        if session.is_durable() {
            let (id, rows) = (session.id, new.iter().map(NewSubscription::stored).collect::<Vec<_>>());
            self.store.write(move |tx| rows.iter().try_for_each(|row| tx.put_subscription(id, row))).await?;
        }
        Ok(())
    }

    /// Removes subscriptions; says for each filter whether there was one.
    pub(crate) async fn unsubscribe(
        &self,
        session: &Arc<Session>,
        filters: &[String],
    ) -> Result<Vec<bool>, StoreError> {
        let existed: Vec<bool> = {
            let mut sessions = self.write();
            filters
                .iter()
                .map(|filter| {
                    sessions.topics.remove(session.id, filter);
                    session.unsubscribe(filter)
                })
                .collect()
        };
        if session.is_durable() {
            let (id, filters) = (session.id, filters.to_vec());
            self.store
                .write(move |tx| filters.iter().try_for_each(|filter| tx.drop_subscription(id, filter)))
                .await?;
        }
        Ok(existed)
    }

    /// The sessions of an account.
    pub(crate) fn of(&self, account: AccountId) -> Vec<Arc<Session>> {
        self.read().by_account.get(&account).cloned().unwrap_or_default()
    }

    /// Every session, for the console.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.read().by_client.values().cloned().collect()
    }

    /// The sessions subscribed to a plain topic, each once with the best of its matching subscriptions.
    pub(crate) fn subscribers(&self, topic: &TopicName) -> Vec<(Arc<Session>, Matched)> {
        self.read().topics.matching(topic)
    }

    /// Whether the account has a live connection.
    pub(crate) fn is_online(&self, account: AccountId) -> bool {
        self.read().by_account.get(&account).is_some_and(|sessions| sessions.iter().any(|s| s.is_live()))
    }

    /// The accounts that have a live connection.
    pub(crate) fn online(&self) -> Vec<AccountId> {
        let sessions = self.read();
        let live = |sessions: &Vec<Arc<Session>>| sessions.iter().any(|session| session.is_live());
        sessions
            .by_account
            .iter()
            .filter(|(_, sessions)| live(sessions))
            .map(|(account, _)| *account)
            .collect()
    }

    /// Wakes every live session of an account: there is something to read, this row if one is named.
    pub(crate) fn ring(&self, account: AccountId, row: Option<i64>) {
        if let Some(sessions) = self.read().by_account.get(&account) {
            for session in sessions {
                session.tell(row);
                session.bell.notify_one();
            }
        }
    }

    /// Ends every live connection that `chosen` picks, with a reason; says how many.
    pub(crate) fn end(&self, reason: Reason, chosen: impl Fn(&Session) -> bool) -> usize {
        let sessions = self.all();
        sessions.iter().filter(|session| chosen(session) && session.end(reason)).count()
    }

    /// Drops durable sessions whose time is over.
    pub(crate) async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        let over: Vec<_> = {
            let mut sessions = self.write();
            let over: Vec<_> =
                sessions.by_client.values().filter(|held| held.is_expired(now)).cloned().collect();
            over.iter().for_each(|gone| sessions.remove(gone));
            over
        };
        let count = over.len();
        if count > 0 {
            self.store.write(move |tx| over.iter().try_for_each(|gone| tx.drop_session(gone.id))).await?;
        }
        Ok(count)
    }

    /// Takes a session out of memory and, if it was durable, off the disk with its queue.
    async fn forget(&self, session: &Arc<Session>) -> Result<(), StoreError> {
        self.write().remove(session);
        if !session.is_durable() {
            return Ok(());
        }
        let id = session.id;
        self.store.write(move |tx| tx.drop_session(id)).await
    }

    fn read(&self) -> RwLockReadGuard<'_, Sessions> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Sessions> {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions {
    fn add(&mut self, session: Arc<Session>) {
        for subscription in session.subscriptions() {
            self.topics.add(&session, &subscription);
        }
        self.by_account.entry(session.account).or_default().push(session.clone());
        self.by_client.insert((session.account, session.client_id.clone()), session);
    }

    /// Takes out exactly this session: another may have its client id by now.
    fn remove(&mut self, gone: &Session) {
        let key = (gone.account, gone.client_id.clone());
        if self.by_client.get(&key).is_some_and(|held| held.id == gone.id) {
            self.by_client.remove(&key);
        }
        for subscription in gone.subscriptions() {
            self.topics.remove(gone.id, subscription.filter.path());
        }
        if let Some(mine) = self.by_account.get_mut(&gone.account) {
            mine.retain(|session| session.id != gone.id);
            if mine.is_empty() {
                self.by_account.remove(&gone.account);
            }
        }
    }
}

/// Whether a filter text is one that sessions can hold; used when rows come back from disk.
fn parse_stored(filter: &str) -> Option<TopicFilter> {
    TopicFilter::parse(filter)
        .inspect_err(|_| tracing::error!(filter, "a stored filter is not valid and is skipped"))
        .ok()
}
