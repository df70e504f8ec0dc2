//! What waits for the writer: callers push, the writer takes all at once.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::JournalError;
use super::record::Records;

/// Who is told when its records are on disk, or are not.
pub(super) type Done = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// Records, and who waits for them; a note has nobody.
pub(super) struct Job {
    pub(super) records: Records,
    pub(super) done: Option<Done>,
    /// There is no room for its messages. It keeps its turn, because answers keep the order of the calls.
    pub(super) refused: bool,
}

impl Job {
    pub(super) fn new(records: Records, done: Option<Done>) -> Self {
        Self { records, done, refused: false }
    }

    /// A note can wait for company; what is waited for, or gives a message or a session its place, cannot.
    pub(super) fn is_note(&self) -> bool {
        self.done.is_none() && self.records.messages.is_empty() && self.records.sessions.is_empty()
    }

    /// Whether it holds messages that take new room.
    pub(super) fn is_new(&self) -> bool {
        !self.records.messages.is_empty() && !self.records.copies
    }

    pub(super) fn answer(self, result: Result<(), JournalError>) {
        if let Some(done) = self.done {
            done(result);
        }
    }

    /// Nothing of it is on disk. What is only copied is none the worse.
    pub(super) fn fail(self, error: JournalError) {
        if !self.records.copies {
            self.records.messages.iter().for_each(|(kept, ..)| kept.fail());
        }
        self.answer(Err(error));
    }
}

/// The jobs that wait, in the order of the calls.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Jobs among them that are no notes.
    urgent: usize,
    writer: Writer,
    closed: bool,
}

/// What the writer does. Only a sleeper is rung: each ring is a system call.
#[derive(Clone, Copy, Default, PartialEq)]
enum Writer {
    #[default]
    Works,
    /// Until there is something.
    Sleeps,
    /// Until something cannot wait, or the notes have waited long enough.
    Dozes,
}

/// How long notes wait for company.
const NOTES: Duration = Duration::from_millis(50);

/// Bytes of one commit, beyond which the rest waits for the next: nobody should wait for a flush of minutes.
const BATCH: usize = 4 << 20;

impl Queue {
    /// Adds a job at the end; gives it back when the journal is closed.
    pub(super) fn push(&self, job: Job) -> Result<(), Job> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(job);
        }
        let urgent = !job.is_note();
        waiting.urgent += usize::from(urgent);
        waiting.jobs.push_back(job);
        let ring = match waiting.writer {
            Writer::Works => false,
            Writer::Sleeps => true,
            Writer::Dozes => urgent,
        };
        if ring {
            waiting.writer = Writer::Works;
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Puts notes back that could not be written, before what came since.
    pub(super) fn put_back(&self, notes: Vec<Job>) {
        let mut waiting = self.lock();
        notes.into_iter().rev().for_each(|note| waiting.jobs.push_front(note));
    }

    /// Waits for what is to be written next. `None` once the journal is closed and nothing is left.
    pub(super) fn next(&self) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.writer = Writer::Sleeps;
            waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.urgent == 0 && !waiting.closed {
            waiting.writer = Writer::Dozes;
            let calm = |waiting: &mut Waiting| waiting.urgent == 0 && !waiting.closed;
            let woken = self.bell.wait_timeout_while(waiting, NOTES, calm);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.writer = Writer::Works;
        Some(waiting.take())
    }

    /// Takes nothing more; what waits is still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Vec<Job> {
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += job.records.bytes.len();
            bytes <= BATCH
        };
        let count = self.jobs.iter().take_while(fits).count().max(1);
        let taken: Vec<Job> = self.jobs.drain(..count.min(self.jobs.len())).collect();
        self.urgent -= taken.iter().filter(|job| !job.is_note()).count();
        taken
    }
}
