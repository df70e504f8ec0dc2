//! The one writer: takes all that waits, writes it as one batch, flushes once, then answers.
//!
//! What could not be written is cut off again, so that it does not come back after a restart as if it had been kept.
//! Where even that fails, or a flush does (after which nobody knows what is on disk), the segment ends at the last
//! good byte, which the next one's header says, and the next one begins.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::kept::Place;
use super::queue::Job;
use super::segment::{BATCH, HEADER, Header, Segment, seal};
use super::{JournalError, Shared, is_full};
use crate::time;

/// Bytes that may be written without a flush, and that a failed flush may take with it.
const UNSYNCED: u64 = 1 << 20;

/// A buffer that grew beyond this is given back.
const BUFFER: usize = 8 << 20;

pub(super) struct Writer {
    shared: Arc<Shared>,
    active: Active,
    buffer: Vec<u8>,
    /// The reserve is not whole.
    short: bool,
}

/// The segment that is written to.
pub(super) struct Active {
    pub(super) segment: Arc<Segment>,
    pub(super) header: Header,
    /// Where the next batch begins.
    pub(super) length: u64,
    /// Up to where it is known to be on disk.
    pub(super) synced: u64,
    /// Something was written and no mark put behind it.
    pub(super) open: bool,
    /// Nothing more may be written to it.
    pub(super) spoilt: bool,
}

impl Active {
    pub(super) fn new(segment: Arc<Segment>, header: Header) -> Self {
        let length = segment.length();
        Self { segment, header, length, synced: length, open: false, spoilt: false }
    }

    fn ends_at(&mut self, length: u64) {
        self.length = length;
        self.segment.length.store(length, Ordering::Relaxed);
    }

    /// Writes a batch, for which room was left at the front; a failure leaves nothing of it.
    fn write(&mut self, batch: &mut [u8]) -> io::Result<()> {
        let end = self.length + batch.len() as u64;
        if end > u64::from(u32::MAX) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        seal(batch, self.header.salt, self.length, self.synced);
        if let Err(error) = self.segment.file.write_all_at(batch, self.length) {
            self.spoilt = self.segment.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.open = true;
        self.ends_at(end);
        Ok(())
    }

    /// Flushes. After a failure the kernel may have forgotten what it could not write, so trying again proves nothing.
    fn sync(&mut self) -> io::Result<()> {
        let flushed = self.segment.file.sync_data();
        match &flushed {
            Ok(()) => self.synced = self.length,
            Err(_) => {
                self.spoilt = true;
                self.ends_at(self.synced);
                // As well as it goes: where it does not, the next segment says that this one ends here.
                let _ = self.segment.file.set_len(self.synced);
            }
        }
        flushed
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, active: Active) -> Self {
        Self { shared, active, buffer: Vec::new(), short: false }
    }

    /// Works until the journal is closed and all that waited is written.
    pub(super) fn run(mut self) {
        self.hold_reserve();
        while let Some(mut jobs) = self.shared.queue.next() {
            self.refuse_what_is_too_much(&mut jobs);
            match self.write_what_fits(&mut jobs) {
                Ok(start) => self.settle(jobs, start),
                Err(error) => self.give_up(jobs, &error.into()),
            }
        }
        self.finish();
    }

    /// Marks new messages for which the journal's own bounds leave no room, or the disk; all else may pass.
    fn refuse_what_is_too_much(&mut self, jobs: &mut [Job]) {
        if self.short && jobs.iter().any(Job::is_new) {
            self.hold_reserve();
        }
        let mut bytes = self.shared.usage().bytes;
        for job in jobs {
            let after = bytes + job.records.bytes.len() as u64;
            job.refused = job.is_new() && (self.short || after > self.shared.options.most);
            if !job.refused {
                bytes = after;
            }
        }
    }

    /// Writes, and on a full disk makes do: first the spare blocks go; then new messages are refused; then the rest,
    /// without which no room would ever come back, lives on the reserve.
    fn write_what_fits(&mut self, jobs: &mut [Job]) -> io::Result<u64> {
        let mut written = self.write(jobs);
        for relief in [Self::drop_spare, Self::refuse_new, Self::spend_reserve] {
            if !written.as_ref().is_err_and(is_full) {
                break;
            }
            relief(self, jobs);
            written = self.write(jobs);
        }
        written
    }

    fn drop_spare(&mut self, _: &mut [Job]) {
        // There may be none.
        let _ = self.shared.folder.drop_spare();
    }

    fn refuse_new(&mut self, jobs: &mut [Job]) {
        jobs.iter_mut().for_each(|job| job.refused |= job.is_new());
    }

    fn spend_reserve(&mut self, _: &mut [Job]) {
        self.short = true;
        // It may be spent; then the next try fails as this one did.
        let _ = self.shared.folder.spend_reserve(self.buffer.len() as u64);
    }

    /// New messages pass only while the reserve is whole.
    fn hold_reserve(&mut self) {
        self.short = self.shared.folder.hold_reserve().is_err();
    }

    /// One batch, one flush; tells where its frames begin.
    fn write(&mut self, jobs: &[Job]) -> io::Result<u64> {
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER);
        self.buffer.resize(BATCH, 0);
        let passing = jobs.iter().filter(|job| !job.refused);
        passing.for_each(|job| self.buffer.extend_from_slice(&job.records.bytes));
        if self.buffer.len() == BATCH {
            return Ok(self.active.length);
        }
        self.make_room()?;
        let start = self.active.length + BATCH as u64;
        self.active.write(&mut self.buffer)?;
        let only_notes = jobs.iter().all(Job::is_note);
        if !only_notes || self.active.length - self.active.synced > UNSYNCED {
            self.flush()?;
        }
        Ok(start)
    }

    fn flush(&mut self) -> io::Result<()> {
        let begun = time::monotonic();
        self.active.sync()?;
        let micros = time::monotonic().duration_since(begun).as_micros() as u64;
        self.shared.flush_micros.fetch_add(micros, Ordering::Relaxed);
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Begins another segment when this one is full or spoilt. A full one that is sound serves on if there is no other.
    fn make_room(&mut self) -> io::Result<()> {
        let size = self.shared.options.segment;
        let full = self.active.length > HEADER && self.active.length + self.buffer.len() as u64 > size;
        if !full && !self.active.spoilt {
            return Ok(());
        }
        match self.roll() {
            Err(error) if self.active.spoilt => Err(error),
            _ => Ok(()),
        }
    }

    fn roll(&mut self) -> io::Result<()> {
        // What follows in the next segment must never be on disk without this.
        if self.active.synced < self.active.length {
            let spoilt = self.active.spoilt;
            self.active.sync().or_else(|error| if spoilt { Ok(()) } else { Err(error) })?;
        }
        let number = self.active.header.number.wrapping_add(1);
        let size = self.shared.options.segment;
        let (segment, header) = self.shared.folder.begin(number, self.active.length, size)?;
        let segment = Arc::new(segment);
        self.shared.segments().push_back(segment.clone());
        self.active = Active::new(segment, header);
        Ok(())
    }

    /// Gives every record its place, then answers in order.
    fn settle(&self, jobs: Vec<Job>, start: u64) {
        let mut start = start as u32;
        let mut homes = None;
        for mut job in jobs {
            if job.refused {
                homes = None;
                job.fail(JournalError::Full);
                continue;
            }
            let place = |at, length| Place::new(self.active.segment.clone(), start + at, length);
            for (kept, at, length) in job.records.messages.drain(..) {
                kept.settle(place(at, length));
            }
            for (session, home) in job.records.sessions.drain(..) {
                let homes = homes.get_or_insert_with(|| self.shared.homes());
                match home {
                    Some((at, length)) => homes.insert(session, place(at, length)),
                    None => homes.remove(&session),
                };
            }
            start += job.records.bytes.len() as u32;
            if job.done.is_some() {
                // Whoever is told may ask something of the journal.
                homes = None;
            }
            job.answer(Ok(()));
        }
    }

    /// Nothing of it is on disk. Notes try again with the next batch, so that a full disk does not make clients hear
    /// again what they have acknowledged.
    fn give_up(&self, jobs: Vec<Job>, error: &JournalError) {
        let (notes, owed): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(Job::is_note);
        let bytes: usize = notes.iter().map(|note| note.records.bytes.len()).sum();
        if !self.shared.queue.is_closed() && bytes as u64 <= UNSYNCED {
            self.shared.queue.put_back(notes);
        }
        owed.into_iter().for_each(|job| job.fail(error.clone()));
    }

    /// A mark behind the last batch proves that it was on disk: after a clean end, what is missing is known as damage.
    fn finish(&mut self) {
        if !self.active.open || self.active.spoilt {
            return;
        }
        let mut mark = [0; BATCH];
        let sealed =
            self.active.sync().and_then(|()| self.active.write(&mut mark)).and_then(|()| self.active.sync());
        // Without the mark nothing is lost.
        drop(sealed);
    }
}

impl Drop for Writer {
    /// Also when a callback panicked: nobody may wait for an answer that cannot come.
    fn drop(&mut self) {
        self.shared.queue.close();
        while let Some(jobs) = self.shared.queue.next() {
            jobs.into_iter().for_each(|job| job.fail(JournalError::Closed));
        }
    }
}
