//! The start: reads all segments in order and tells what still stands.
//!
//! Each batch is proved before it counts. In the last segment the first that is not whole is the torn tail of a crash
//! and is cut off, unless something behind it shows that it was on disk once. That, and anything missing in an earlier
//! segment, is damage: going on would forget what was acknowledged.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::OpenError;
use super::facts::Found;
use super::folder::Folder;
use super::kept::Place;
use super::picture::Picture;
use super::record::{FRAME, Stamp};
use super::said::Said;
use super::segment::{Batch, HEADER, Header, Segment, goes_on, read};
use super::writer::Active;
use crate::id::SessionId;

/// A journal as it was found, ready to be written to.
pub(super) struct Replayed {
    pub(super) segments: VecDeque<Arc<Segment>>,
    pub(super) homes: HashMap<SessionId, Place>,
    pub(super) active: Active,
    pub(super) found: Found,
}

pub(super) fn replay(folder: &Folder, size: u64) -> Result<Replayed, OpenError> {
    let mut found = list(folder)?;
    let Some((last_file, last_header)) = found.pop() else {
        return begin(folder, size);
    };
    let mut picture = Picture::default();
    let mut segments = VecDeque::new();
    // Each says how much of the one before it counts.
    let befores: Vec<u64> =
        found.iter().skip(1).map(|(_, header)| header.before).chain([last_header.before]).collect();
    for ((file, header), before) in found.into_iter().zip(befores) {
        let segment = Arc::new(Segment::new(header.number, file, before));
        let (_, end) = one(folder, &segment, header.salt, &mut picture)?;
        if end as u64 != before {
            return Err(damaged(folder, header.number, end));
        }
        segments.push_back(segment);
    }
    let last = last(folder, last_file, last_header, size, &mut picture)?;
    segments.push_back(last.clone());
    let (found, homes) = picture.into_found();
    Ok(Replayed { segments, homes, active: Active::new(last, last_header), found })
}

/// The very first segment of a new journal.
fn begin(folder: &Folder, size: u64) -> Result<Replayed, OpenError> {
    let (segment, header) = folder.begin(1, 0, size).map_err(|source| failed(folder, 1, source))?;
    let segment = Arc::new(segment);
    Ok(Replayed {
        segments: [segment.clone()].into(),
        homes: HashMap::new(),
        active: Active::new(segment, header),
        found: Found::default(),
    })
}

/// All segments from the oldest; none may be missing in between.
fn list(folder: &Folder) -> Result<Vec<(File, Header)>, OpenError> {
    let numbers = folder.numbers().map_err(|source| failed(folder, 1, source))?;
    let mut found = Vec::with_capacity(numbers.len());
    let mut due = numbers.front().copied();
    for number in numbers {
        if let Some(missing) = due.filter(|due| *due != number) {
            return Err(damaged(folder, missing, 0));
        }
        due = number.checked_add(1);
        let file = folder.segment(number).map_err(|source| failed(folder, number, source))?;
        let head = read(&file, HEADER).map_err(|source| failed(folder, number, source))?;
        let header = Header::read(&head).filter(|header| header.number == number);
        found.push((file, header.ok_or_else(|| damaged(folder, number, 0))?));
    }
    Ok(found)
}

/// The segment that was written to when the journal closed, or did not.
fn last(
    folder: &Folder,
    file: File,
    header: Header,
    size: u64,
    picture: &mut Picture,
) -> Result<Arc<Segment>, OpenError> {
    let failed = |source| failed(folder, header.number, source);
    let there = file.metadata().map_err(failed)?.len();
    let segment = Arc::new(Segment::new(header.number, file, there));
    let (bytes, end) = one(folder, &segment, header.salt, picture)?;
    if goes_on(&bytes, header.salt, end) {
        return Err(damaged(folder, header.number, end));
    }
    let good = end as u64;
    segment.length.store(good, Ordering::Relaxed);
    // A batch of the tail must not find itself behind new ones some day, and count again.
    segment.file.set_len(good).and_then(|()| segment.file.set_len(good.max(size))).map_err(failed)?;
    // After a kill it may be in memory only, and what follows will say that it is on disk.
    segment.file.sync_all().map_err(failed)?;
    Ok(segment)
}

/// Tells the picture what a segment says; how far it is whole.
fn one(
    folder: &Folder,
    segment: &Arc<Segment>,
    salt: [u8; 8],
    picture: &mut Picture,
) -> Result<(Vec<u8>, usize), OpenError> {
    let bytes = segment.contents().map_err(|source| failed(folder, segment.number, source))?;
    let mut end = HEADER as usize;
    while let Some(batch) = Batch::read(&bytes, salt, end) {
        for frame in batch.frames() {
            // A proved batch that cannot be read was written by another version.
            tell(picture, segment, frame).ok_or_else(|| damaged(folder, segment.number, end))?;
        }
        end = batch.end();
    }
    Ok((bytes, end))
}

fn tell(picture: &mut Picture, segment: &Arc<Segment>, frame: Option<(u32, &[u8])>) -> Option<()> {
    let (at, bytes) = frame?;
    let stamp = Stamp::of(segment.number, at);
    let said = Said::read(bytes, stamp)?;
    let place = || Place::new(segment.clone(), at, (FRAME + bytes.len()) as u32);
    picture.hear(said, stamp, place)
}

fn damaged(folder: &Folder, number: u32, at: usize) -> OpenError {
    OpenError::Damaged { path: folder.path(number), at: at as u64 }
}

fn failed(folder: &Folder, number: u32, source: io::Error) -> OpenError {
    OpenError::Io { path: folder.path(number), source }
}
