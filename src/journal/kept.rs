//! A message's place on disk, shared by all who are owed it; when the last handle goes, its bytes are dead.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::segment::Segment;

/// A message's place on disk.
pub(crate) struct Kept {
    fate: AtomicU8,
    place: Mutex<Option<Place>>,
}

/// What became of a message that was handed to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fate {
    /// Not on disk yet.
    Pending = 0,
    /// On disk.
    Kept = 1,
    /// It could not be written, and never will be.
    Failed = 2,
}

impl Kept {
    /// A handle for a message that is about to be appended.
    pub(crate) fn pending() -> Arc<Self> {
        Arc::new(Self { fate: AtomicU8::new(Fate::Pending as u8), place: Mutex::new(None) })
    }

    /// For a message that was found on disk.
    pub(super) fn found(place: Place) -> Arc<Self> {
        Arc::new(Self { fate: AtomicU8::new(Fate::Kept as u8), place: Mutex::new(Some(place)) })
    }

    /// What became of it; one atomic load.
    pub(crate) fn fate(&self) -> Fate {
        match self.fate.load(Ordering::Acquire) {
            0 => Fate::Pending,
            1 => Fate::Kept,
            _ => Fate::Failed,
        }
    }

    /// It is on disk, at `place` from now on.
    pub(super) fn settle(&self, place: Place) {
        // The old place goes after the lock is given back: readers wait for nobody.
        let old = self.place.lock().unwrap_or_else(PoisonError::into_inner).replace(place);
        drop(old);
        self.fate.store(Fate::Kept as u8, Ordering::Release);
    }

    pub(super) fn fail(&self) {
        self.fate.store(Fate::Failed as u8, Ordering::Release);
    }

    /// Whether it stands at this place of this segment.
    pub(super) fn is_at(&self, segment: &Arc<Segment>, at: u32) -> bool {
        self.whereabouts().is_some_and(|place| Arc::ptr_eq(&place.segment, segment) && place.at == at)
    }

    /// Where it is now.
    pub(super) fn whereabouts(&self) -> Option<Whereabouts> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.as_ref().map(|place| Whereabouts {
            segment: place.segment.clone(),
            at: place.at,
            length: place.length,
        })
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.fate(), f)
    }
}

/// Bytes of a segment that somebody needs: alive while this is.
pub(super) struct Place {
    segment: Arc<Segment>,
    at: u32,
    length: u32,
}

impl Place {
    pub(super) fn new(segment: Arc<Segment>, at: u32, length: u32) -> Self {
        segment.live.fetch_add(u64::from(length), Ordering::Relaxed);
        Self { segment, at, length }
    }

    /// The number of its segment.
    pub(super) fn number(&self) -> u32 {
        self.segment.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.segment.live.fetch_sub(u64::from(self.length), Ordering::Relaxed);
    }
}

/// A copy of a place for one reading; it keeps nothing alive.
pub(super) struct Whereabouts {
    pub(super) segment: Arc<Segment>,
    pub(super) at: u32,
    pub(super) length: u32,
}

impl PartialEq for Whereabouts {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.segment, &other.segment) && self.at == other.at
    }
}
