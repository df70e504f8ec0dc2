//! The sweep: the oldest segment goes, after what is still needed of it was appended anew.
//!
//! While it copies, the house goes on: something may be acknowledged, cleared or dropped between the question whether
//! it still stands and the copy, and its record then stands *before* the copy. A start tells the two apart by what they
//! are (`picture`), as long as both are there; but the record's segment will go first. So each question is asked again
//! after the copy was written, and what has changed is said again behind it, before anything goes.

use std::sync::mpsc;
use std::sync::{Arc, PoisonError};

use super::facts::{Owed, Present, SessionState};
use super::kept::Kept;
use super::record::{Records, Stamp};
use super::said::{MessageSaid, Said};
use super::segment::{Batch, HEADER, Header, Segment};
use super::wire::{self, Reader};
use super::{Journal, JournalError, Shared};
use crate::id::SessionId;
use crate::mqtt::TopicName;

/// Bytes or sessions that are copied with one commit.
const COPY: usize = 1 << 20;
const SESSIONS: usize = 256;

/// Numbers that a copied state skips. Messages may be numbered between asking for the state and writing it, and stand
/// in a segment that goes before it does.
const SKIPPED: u64 = 1 << 24;

pub(super) fn sweep(
    journal: &Journal,
    shared: &Shared,
    present: &impl Present,
) -> Result<bool, JournalError> {
    let _one = shared.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(oldest) = shared.oldest_if_it_pays() else {
        return Ok(false);
    };
    if oldest.live() > 0 {
        carry_sessions(journal, shared, &oldest, present)?;
        carry_messages(journal, &oldest, present)?;
    }
    // Somebody may hold a message that nobody is owed any more, for as long as a delivery takes.
    if oldest.live() > 0 {
        return Ok(false);
    }
    shared.folder.end(oldest.number)?;
    shared.segments().pop_front();
    Ok(true)
}

impl Shared {
    /// Where the log ends now.
    fn end(&self) -> Stamp {
        let segments = self.segments();
        segments.back().map_or(Stamp::default(), |last| Stamp::of(last.number, last.length() as u32))
    }

    /// The oldest segment, when it holds little that is needed, or the whole holds much that is not.
    fn oldest_if_it_pays(&self) -> Option<Arc<Segment>> {
        let usage = self.usage();
        let segments = self.segments();
        let oldest = segments.front().filter(|_| segments.len() > 1)?;
        let pays = oldest.live() * 2 < oldest.length()
            || usage.bytes > usage.live * 2 + self.options.segment.saturating_mul(4);
        pays.then(|| oldest.clone())
    }
}

/// Writes the full state of each session whose last one stands in this segment.
fn carry_sessions(
    journal: &Journal,
    shared: &Shared,
    oldest: &Segment,
    present: &impl Present,
) -> Result<(), JournalError> {
    let homes = shared.homes();
    let here = homes.iter().filter(|(_, home)| home.number() == oldest.number);
    let sessions: Vec<SessionId> = here.map(|(session, _)| *session).collect();
    drop(homes);
    for some in sessions.chunks(SESSIONS) {
        let mut since = shared.end();
        let mut due: Vec<_> = some.iter().map(|id| (*id, ordered(present.session(*id)))).collect();
        while !due.is_empty() {
            let mut records = Records::new();
            for (id, state) in &due {
                match state {
                    Some(state) => {
                        let next = state.next.saturating_add(SKIPPED);
                        records.state(&SessionState { next, ..state.clone() }, Some(since));
                    }
                    None => records.dropped(*id),
                }
            }
            write(journal, records)?;
            since = shared.end();
            due.retain_mut(|(id, said)| {
                let now = ordered(present.session(*id));
                let changed = !same(said.as_ref(), now.as_ref());
                *said = now;
                changed
            });
        }
    }
    Ok(())
}

/// In an order that does not depend on the holder's, so that two can be compared.
fn ordered(state: Option<SessionState>) -> Option<SessionState> {
    state.map(|mut state| {
        state.subscriptions.sort_unstable_by(|one, other| one.filter.cmp(&other.filter));
        state.received.sort_unstable();
        state
    })
}

/// Whether nothing changed that a record tells of; the next number follows from the messages.
fn same(one: Option<&SessionState>, other: Option<&SessionState>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => *one == SessionState { next: one.next, ..other.clone() },
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// What was copied, to be asked about again.
#[derive(Default)]
struct Copied {
    records: Records,
    owed: Vec<Owed>,
    retained: Vec<(TopicName, Stamp, Arc<Kept>)>,
}

fn carry_messages(
    journal: &Journal,
    oldest: &Arc<Segment>,
    present: &impl Present,
) -> Result<(), JournalError> {
    let damaged = || JournalError::Failed(format!("segment {} is damaged", oldest.number));
    let bytes = oldest.contents()?;
    let salt = Header::read(&bytes).ok_or_else(damaged)?.salt;
    let mut at = HEADER as usize;
    let mut copied = Copied::default();
    while at < bytes.len() {
        let batch = Batch::read(&bytes, salt, at).ok_or_else(damaged)?;
        for frame in batch.frames() {
            let (at, said) = frame.ok_or_else(damaged)?;
            let stamp = Stamp::of(oldest.number, at);
            if let Said::Message(said) = Said::read(said, stamp).ok_or_else(damaged)? {
                copied.copy_if_needed(said, |kept| kept.is_at(oldest, at), present);
            }
            if copied.records.bytes.len() > COPY {
                std::mem::take(&mut copied).write(journal, present)?;
            }
        }
        at = batch.end();
    }
    copied.write(journal, present)
}

impl Copied {
    /// Copies a message for those who are still owed it, unless a copy of it stands elsewhere already.
    fn copy_if_needed(
        &mut self,
        said: MessageSaid<'_>,
        here: impl Fn(&Kept) -> bool,
        present: &impl Present,
    ) {
        let mut place = None;
        let mut owed = Vec::new();
        for one in said.owed {
            if let Some((now, kept)) = present.owed(one.session, one.number).filter(|(_, kept)| here(kept)) {
                owed.push(Owed { released: now.released, ..one });
                place = Some(kept);
            }
        }
        let topic = said.retained.and_then(|_| wire::topic(Reader(said.encoded).outline()?.topic));
        let retained = topic.as_ref().and_then(|topic| present.retained(topic)).filter(|kept| here(kept));
        let stamp = said.retained.filter(|_| retained.is_some());
        if let (Some(topic), Some(stamp), Some(kept)) = (topic, stamp, &retained) {
            self.retained.push((topic, stamp, kept.clone()));
        }
        if let Some(kept) = place.or(retained) {
            self.records.copy(said.encoded, &owed, stamp, &kept);
            self.owed.append(&mut owed);
        }
    }

    /// Writes the copies, and behind them what has changed since they were made.
    fn write(self, journal: &Journal, present: &impl Present) -> Result<(), JournalError> {
        write(journal, self.records)?;
        let mut changed = Records::new();
        for owed in self.owed {
            match present.owed(owed.session, owed.number) {
                None => changed.taken(owed.session, &[owed.number]),
                Some((now, _)) if now.released && !owed.released => {
                    changed.released(owed.session, owed.number);
                }
                Some(_) => {}
            }
        }
        for (topic, stamp, kept) in self.retained {
            if !present.retained(&topic).is_some_and(|now| Arc::ptr_eq(&now, &kept)) {
                changed.cleared_up_to(&topic, Some(stamp));
            }
        }
        write(journal, changed)
    }
}

/// Appends and waits.
fn write(journal: &Journal, records: Records) -> Result<(), JournalError> {
    if records.is_empty() {
        return Ok(());
    }
    let (tell, told) = mpsc::channel();
    journal.append(records, move |result| {
        // The receiver waits below; it cannot be gone.
        let _ = tell.send(result);
    });
    told.recv().unwrap_or(Err(JournalError::Closed))
}
