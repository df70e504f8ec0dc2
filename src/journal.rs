//! The journal: what durable sessions are owed on plain topics, kept on disk before anybody is told so.
//!
//! An append-only log in segments. Messages stand in it once, with a reference for each session that is owed them;
//! beside them stand sessions, subscriptions, QoS 2 state and retained messages. One thread writes all that waits as
//! one batch with one flush, so a crowd shares the price of the disk (`writer`). What was acknowledged is not lost by
//! a kill, a power cut, a full disk or a torn tail, and what was not does not come back (`segment`, `replay`). Room is
//! given back from the oldest segment only, so that every acknowledgement outlives the message it is about (`sweep`).
//!
//! It knows nothing of connections or of who subscribes to what: the broker holds the living picture, says what
//! changes (`record`), and answers what is still true ([`Present`]).

mod facts;
mod folder;
mod kept;
mod picture;
mod queue;
mod record;
mod replay;
mod said;
mod segment;
mod sweep;
mod wire;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

pub(crate) use facts::{
    Found, FoundSession, KeptSubscription, KeptWill, Message, Owed, Present, SessionState,
};
pub(crate) use kept::{Fate, Kept};
pub(crate) use record::Records;

use crate::id::SessionId;
use bytes::Bytes;
use folder::Folder;
use kept::Place;
use queue::{Job, Queue};
use said::Said;
use segment::Segment;
use writer::Writer;

/// Cheap handle on the one log. With the last, what waits is written and the log closed.
#[derive(Clone)]
pub(crate) struct Journal {
    owner: Arc<Owner>,
}

/// How large it may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Bytes of one segment; a batch that does not fit begins the next.
    pub(crate) segment: u64,
    /// Bytes of all segments, beyond which messages are refused as [`JournalError::Full`].
    pub(crate) most: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment: 16 << 20, most: 4 << 30 }
    }
}

/// Bytes of a segment at most: places in it are counted in 32 bits, and a batch may come on top.
const LARGEST: u64 = 1 << 30;

/// Why records are not on disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("the journal is full")]
    Full,
    #[error("the journal is closed")]
    Closed,
    #[error("the journal failed: {0}")]
    Failed(String),
}

impl From<io::Error> for JournalError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Failed(error.to_string()) }
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the journal in {} is in use by another process", .0.display())]
    Busy(PathBuf),
    #[error("the journal at {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the journal's file {} is damaged at byte {at}: restore its folder from a backup, or move the folder away \
         to go on without the sessions, queues and retained messages in it",
        path.display()
    )]
    Damaged { path: PathBuf, at: u64 },
}

/// For metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Bytes of all segments.
    pub(crate) bytes: u64,
    /// Bytes among them that are still needed.
    pub(crate) live: u64,
    pub(crate) segments: u64,
    /// Flushes since it was opened.
    pub(crate) commits: u64,
    /// Microseconds that they took together.
    pub(crate) flush_micros: u64,
}

/// What callers, the writer and the sweep share.
struct Shared {
    folder: Folder,
    options: Options,
    queue: Queue,
    /// From the oldest; the last is written to.
    segments: Mutex<VecDeque<Arc<Segment>>>,
    /// Where the last full state of each session stands. What was said of it since stands behind that, so only the
    /// segment of its home must not go without it.
    homes: Mutex<HashMap<SessionId, Place>>,
    sweeping: Mutex<()>,
    commits: AtomicU64,
    flush_micros: AtomicU64,
}

struct Owner {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the journal in `folder`, which is made if need be, and tells what it holds. A torn tail is cut off.
    pub(crate) fn open(folder: &Path, options: Options) -> Result<(Self, Found), OpenError> {
        let options = Options { segment: options.segment.min(LARGEST), ..options };
        let failed = |source| OpenError::Io { path: folder.to_owned(), source };
        let busy = || OpenError::Busy(folder.to_owned());
        let held = Folder::open(folder).map_err(failed)?.ok_or_else(busy)?;
        let replayed = replay::replay(&held, options.segment)?;
        let shared = Arc::new(Shared {
            folder: held,
            options,
            queue: Queue::default(),
            segments: Mutex::new(replayed.segments),
            homes: Mutex::new(replayed.homes),
            sweeping: Mutex::new(()),
            commits: AtomicU64::new(0),
            flush_micros: AtomicU64::new(0),
        });
        let writer = Writer::new(shared.clone(), replayed.active);
        let thread =
            thread::Builder::new().name("journal".to_owned()).spawn(|| writer.run()).map_err(failed)?;
        Ok((Self { owner: Arc::new(Owner { shared, writer: Mutex::new(Some(thread)) }) }, replayed.found))
    }

    /// Hands records to the writer. `done` is called on its thread once they are on disk, or are not, and should be
    /// quick. The order of calls is the order on disk and of the answers.
    pub(crate) fn append(
        &self,
        records: Records,
        done: impl FnOnce(Result<(), JournalError>) + Send + 'static,
    ) {
        self.push(Job::new(records, Some(Box::new(done))));
    }

    /// The same for acknowledgements, which nobody waits for: written with the next commit, or alone within 50 ms,
    /// without a flush of their own. A power cut may forget them, and the client hears the message again.
    pub(crate) fn note(&self, records: Records) {
        self.push(Job::new(records, None));
    }

    fn push(&self, job: Job) {
        if let Err(job) = self.owner.shared.queue.push(job) {
            job.fail(JournalError::Closed);
        }
    }

    /// Reads a message from disk. Blocks; for any thread.
    pub(crate) fn read(&self, kept: &Kept) -> Result<Message, JournalError> {
        let failed = |what: &str| JournalError::Failed(what.to_owned());
        let mut place = kept.whereabouts().ok_or_else(|| failed("the message is not on disk"))?;
        loop {
            let mut frame = vec![0; place.length as usize];
            let there = place.segment.file.read_exact_at(&mut frame, place.at.into());
            // Meanwhile a sweep may have moved it, and its old segment be written over.
            if let Some(now) = kept.whereabouts().filter(|now| *now != place) {
                place = now;
                continue;
            }
            there?;
            let frame = Bytes::from(frame);
            return message_in(&frame).ok_or_else(|| failed("the message on disk is damaged"));
        }
    }

    /// How much there is, for metrics.
    pub(crate) fn usage(&self) -> Usage {
        self.owner.shared.usage()
    }

    /// Gives back the room of the oldest segment if that pays: nothing in it is needed, or less than half, or the whole
    /// is much larger than what is needed. What is still needed is appended anew. True when a segment went, so that
    /// another call may find more. Blocks; one at a time.
    pub(crate) fn sweep(&self, present: &impl Present) -> Result<bool, JournalError> {
        sweep::sweep(self, &self.owner.shared, present)
    }
}

/// The message in a frame that stands alone.
fn message_in(frame: &Bytes) -> Option<Message> {
    match Said::read(segment::proved(frame)?, record::Stamp(0))? {
        Said::Message(said) => wire::message(frame, said.encoded),
        _ => None,
    }
}

impl Shared {
    fn segments(&self) -> MutexGuard<'_, VecDeque<Arc<Segment>>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn homes(&self) -> MutexGuard<'_, HashMap<SessionId, Place>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usage(&self) -> Usage {
        let segments = self.segments();
        Usage {
            bytes: segments.iter().map(|segment| segment.length()).sum(),
            live: segments.iter().map(|segment| segment.live()).sum(),
            segments: segments.len() as u64,
            commits: self.commits.load(Ordering::Relaxed),
            flush_micros: self.flush_micros.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.queue.close();
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may go in a callback, and the writer cannot wait for itself.
        if let Some(writer) = writer.filter(|writer| writer.thread().id() != thread::current().id()) {
            // It panicked only if a callback did, which has been reported where it happened.
            let _ = writer.join();
        }
    }
}
