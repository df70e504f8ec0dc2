//! The store: everything the house remembers, in one SQLite file, and the only SQL in the house.
//!
//! Writing is one closure, a *unit of work*, given to [`Store::write`]: it runs on the single writer thread, shares a
//! transaction with whatever else was waiting (group commit), and its caller hears back after that transaction is on
//! disk (`synchronous=FULL`). Reading takes one of a few read connections (WAL: readers and writer do not wait for each
//! other). One file per noun; functions are domain verbs. Reads are methods of [`View`], writes of [`Tx`].

mod account;
mod acme;
mod admin;
mod audit;
mod certificate;
mod checkpoint;
mod directory;
mod envelope;
mod fixed;
mod kept;
mod key;
mod log;
mod message;
mod open;
mod origin;
mod peer;
mod pending;
mod photo;
mod published;
mod room;
mod schema;
mod self_service;
mod session;
mod sweep;
mod tail;
mod token;
mod writer;

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::SqliteConnection;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub(crate) use account::{Account, AccountDraft, Card, Entry as AccountEntry, Source};
pub(crate) use acme::{AcmeAccount, AcmeOrder, AcmeOrderState};
pub(crate) use admin::{ConsoleSession, Link};
pub(crate) use certificate::{
    Certificate, CertificateState, Ending, LedgerFilter, NewCertificate, RevokedLine, Standing,
};
pub(crate) use directory::DirectoryGroup;
pub(crate) use envelope::{Envelope, EnvelopeState, Untold};
pub(crate) use key::{Key, KeyId};
pub(crate) use log::LogRow;
pub(crate) use message::{Delivery, Kind, NewMessage, Placed, Rows};
pub(crate) use open::OpenError;
pub(crate) use origin::Origin;
pub(crate) use peer::Peer;
pub(crate) use pending::{Entitled, Pending, PendingState, Poll};
pub(crate) use photo::Photo;
pub(crate) use published::{MailLine, Published};
pub(crate) use room::Room;
pub(crate) use self_service::SelfServiceSession;
pub(crate) use token::Token;
pub(crate) use writer::Job;

use crate::id::MessageId;
use checkpoint::Checkpoints;
use tail::Tail;

/// Cheap handle on the one file.
#[derive(Clone)]
pub(crate) struct Store {
    writer: mpsc::Sender<Job>,
    readers: Arc<Readers>,
}

struct Readers {
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<View>>,
}

/// A connection to read with.
pub(crate) struct View {
    conn: SqliteConnection,
}

/// The open transaction of a unit of work: reads what [`View`] reads, and writes.
pub(crate) struct Tx {
    view: View,
    last_message: MessageId,
    next_seq: i64,
    tail: Tail,
}

/// What a store cannot do. Callers treat `Full` as a refusal to the client, the rest as trouble of the machine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// No space left; nothing of this unit of work was kept.
    #[error("the disk under the store is full")]
    Full,
    /// The appliance is stopping; nothing of this unit of work was kept.
    #[error("the store is closed")]
    Closed,
    /// Anything else the database says.
    #[error("the store failed: {0}")]
    Database(diesel::result::Error),
    /// The transaction that carried this unit of work was not committed, for a reason of another one.
    #[error("the store could not commit: {0}")]
    Commit(String),
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        // SQLITE_FULL has no kind of its own in diesel.
        if error.to_string().contains("database or disk is full") {
            return StoreError::Full;
        }
        StoreError::Database(error)
    }
}

impl Store {
    /// Opens (and, the first time, makes) the file; brings it up to this binary's state. Refuses a newer file.
    pub(crate) fn open(path: &Path, readers: usize) -> Result<Self, OpenError> {
        let tx = open::writer(path)?;
        let idle = (0..readers.max(1)).map(|_| open::reader(path)).collect::<Result<Vec<_>, _>>()?;
        let permits = Arc::new(Semaphore::new(idle.len()));
        let checkpoints = Checkpoints::spawn(path, open::beside(path)?);
        Ok(Self {
            writer: writer::spawn(tx, checkpoints),
            readers: Arc::new(Readers { permits, idle: Mutex::new(idle) }),
        })
    }

    /// Runs one unit of work and answers after its commit. An `Err` of the closure undoes the unit alone.
    pub(crate) async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut Tx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, done) = oneshot::channel();
        self.run(Job::new(work, answer), done).await
    }

    /// The same for a unit that decides before it writes: `decide` writes nothing and may refuse, and after it only the
    /// database can fail, which fails everybody in the batch. There is nothing to be undone alone, so the unit is spared the
    /// savepoint, which copies each page that it changes.
    pub(crate) async fn write_decided<D, T, E>(
        &self,
        decide: impl FnOnce(&mut Tx) -> Result<D, E> + Send + 'static,
        write: impl FnOnce(&mut Tx, D) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, done) = oneshot::channel();
        self.run(Job::decided(decide, write, answer), done).await
    }

    async fn run<T, E: From<StoreError>>(
        &self,
        job: Job,
        done: oneshot::Receiver<Result<T, E>>,
    ) -> Result<T, E> {
        self.writer.send(job).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs a reading closure on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut View) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.readers.clone();
        // Held by the reading itself: a caller that goes away leaves the connection in use until it is done.
        let permit = readers.permits.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let run = move || {
            let mut view = readers.take().ok_or(StoreError::Closed)?;
            let result = work(&mut view);
            readers.give_back(view);
            drop(permit);
            result
        };
        tokio::task::spawn_blocking(run).await.map_err(|_| StoreError::Closed)?
    }
}

impl Readers {
    fn take(&self) -> Option<View> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, view: View) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(view);
    }
}

impl Deref for Tx {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut View {
        &mut self.view
    }
}

/// Sixteen bytes of a row; a row of another length was not written by us.
fn id16(bytes: Vec<u8>) -> Result<[u8; 16], StoreError> {
    bytes.try_into().map_err(|bytes: Vec<u8>| bad_row(format!("an id of {} bytes", bytes.len())))
}

/// A row that this binary cannot have written.
fn bad_row(what: impl Into<String>) -> StoreError {
    StoreError::Database(diesel::result::Error::DeserializationError(what.into().into()))
}
