//! Segments: the files of the journal, and how what is in them is proved.
//!
//! A segment is a header and then batches, each the work of one commit: `salt u64, synced u64, length u32, CRC-32 u32`
//! and that many bytes of frames. The checksum covers the place too, so a batch counts where it was written, whole or
//! not at all. The salt is the segment's own and random: nothing that a client sends looks like a batch, nor does what
//! a file held in an earlier life. `synced` says up to where the segment was known to be on disk when the batch was
//! written, which tells a torn tail (nothing after it claims that it was on disk) from damage.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::record::FRAME;
use super::wire::Reader;

/// Bytes before the first batch.
pub(super) const HEADER: u64 = 32;

/// Bytes before the frames of a batch.
pub(super) const BATCH: usize = 24;

const MAGIC: [u8; 8] = *b"chanjrn1";

/// One file; open as long as anything in it is needed.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) file: File,
    /// Bytes that count; the file may be longer.
    pub(super) length: AtomicU64,
    /// Bytes of records that somebody needs, counted by their `Place`s.
    pub(super) live: AtomicU64,
}

impl Segment {
    pub(super) fn new(number: u32, file: File, length: u64) -> Self {
        Self { number, file, length: AtomicU64::new(length), live: AtomicU64::new(0) }
    }

    pub(super) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    pub(super) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    /// All that counts.
    pub(super) fn contents(&self) -> io::Result<Vec<u8>> {
        read(&self.file, self.length())
    }
}

/// The first `length` bytes of a file, or as many as there are.
pub(super) fn read(file: &File, length: u64) -> io::Result<Vec<u8>> {
    let there = file.metadata()?.len().min(length);
    let mut bytes = vec![0; usize::try_from(there).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u32,
    pub(super) salt: [u8; 8],
    /// How many bytes of the segment before this one count.
    pub(super) before: u64,
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER as usize] {
        let mut bytes = [0; HEADER as usize];
        let mut rest = bytes.as_mut_slice();
        let mut put = |part: &[u8]| {
            if let Some((place, after)) = std::mem::take(&mut rest).split_at_mut_checked(part.len()) {
                place.copy_from_slice(part);
                rest = after;
            }
        };
        let (number, before) = (self.number.to_le_bytes(), self.before.to_le_bytes());
        let parts: [&[u8]; 4] = [&MAGIC, &self.salt, &before, &number];
        parts.into_iter().for_each(&mut put);
        put(&checksum(&parts).to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        reader.array().filter(|magic| *magic == MAGIC)?;
        let header = Self { salt: reader.array()?, before: reader.u64()?, number: reader.u32()? };
        (header.to_bytes().as_slice() == bytes.get(..HEADER as usize)?).then_some(header)
    }
}

/// A batch that has been proved.
pub(super) struct Batch<'a> {
    /// Up to where the segment was known to be on disk.
    synced: u64,
    /// Where the frames begin.
    at: usize,
    frames: &'a [u8],
}

impl<'a> Batch<'a> {
    /// The batch that begins at `at`, if a whole one does.
    pub(super) fn read(segment: &'a [u8], salt: [u8; 8], at: usize) -> Option<Self> {
        let mut reader = Reader(segment.get(at..)?);
        reader.array().filter(|theirs| *theirs == salt)?;
        let synced = reader.u64()?;
        let length = reader.u32()?;
        let sum = reader.u32()?;
        let frames = reader.take(usize::try_from(length).ok()?)?;
        (sum == proof(salt, at as u64, synced, frames)).then_some(Self { synced, at: at + BATCH, frames })
    }

    /// Where the next batch begins.
    pub(super) fn end(&self) -> usize {
        self.at + self.frames.len()
    }

    /// Each frame: where it begins, and what it says from its kind on. `None` for a frame that does not fit.
    pub(super) fn frames(&self) -> impl Iterator<Item = Option<(u32, &'a [u8])>> + use<'a> {
        let (mut at, mut reader) = (self.at, Reader(self.frames));
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let frame = frame(&mut reader).map(|said| (at as u32, said));
            at += frame.map_or(0, |(_, said)| FRAME + said.len());
            if frame.is_none() {
                reader = Reader(&[]);
            }
            Some(frame)
        })
    }
}

fn frame<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u32()?;
    reader.u32()?;
    reader.take(usize::try_from(length).ok()?)
}

/// What a single frame says from its kind on, if its own checksum holds: for reading one without its batch.
pub(super) fn proved(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(bytes);
    let (length, sum) = (reader.u32()?, reader.u32()?);
    (reader.0.len() == length as usize && crc32fast::hash(reader.0) == sum).then_some(reader.0)
}

/// Writes the head of a batch into the room left for it at the front of `batch`, for the place `at`.
pub(super) fn seal(batch: &mut [u8], salt: [u8; 8], at: u64, synced: u64) {
    if let Some((head, frames)) = batch.split_at_mut_checked(BATCH) {
        let sum = proof(salt, at, synced, frames);
        let tail = u64::from(sum) << 32 | frames.len() as u64;
        let words = [salt, synced.to_le_bytes(), tail.to_le_bytes()];
        head.iter_mut().zip(words.as_flattened()).for_each(|(place, byte)| *place = *byte);
    }
}

/// Whether a batch after `end` claims that more than that was on disk when it was written.
pub(super) fn goes_on(segment: &[u8], salt: [u8; 8], end: usize) -> bool {
    let mut rest = segment.get(end..).unwrap_or_default();
    // A segment has its size before it has its content.
    while let Some((before, _)) = rest.split_last_chunk::<4096>().filter(|(_, last)| **last == [0; 4096]) {
        rest = before;
    }
    let starts = rest.windows(salt.len()).enumerate().filter(|(_, window)| *window == salt);
    starts.filter_map(|(at, _)| Batch::read(segment, salt, end + at)).any(|batch| batch.synced > end as u64)
}

fn proof(salt: [u8; 8], at: u64, synced: u64, frames: &[u8]) -> u32 {
    let length = frames.len() as u32;
    checksum(&[&salt, &at.to_le_bytes(), &synced.to_le_bytes(), &length.to_le_bytes(), frames])
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}
