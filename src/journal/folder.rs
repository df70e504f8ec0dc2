//! The folder of segments: made, listed, locked; a new segment begins here and an old one goes.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::segment::{HEADER, Header, Segment};
use crate::id;

const ENDING: &str = ".journal";

/// A segment that nobody needs any more, kept for its blocks: writing over them spares the file system's own journal,
/// which halves the time of a flush.
const SPARE: &str = "spare";

/// Blocks held back for what makes room on a full disk: acknowledgements, and the copies of a sweep.
const RESERVE: &str = "reserve";

/// Bytes of it.
const HELD_BACK: u64 = 1 << 20;

/// What is given out of it at a time, beyond what was asked for: file systems count in blocks.
const ROUNDING: u64 = 16 << 10;

/// A folder that is ours alone while this is.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    directory: File,
    lock: File,
}

impl Folder {
    /// Makes it if need be, readable by its owner alone. `None` when another process has it.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let lock = private().create(true).truncate(false).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        Ok(Some(Self { path: path.to_owned(), directory: File::open(path)?, lock }))
    }

    /// The numbers of all segments, from the oldest.
    pub(super) fn numbers(&self) -> io::Result<VecDeque<u32>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(ENDING));
            numbers.extend(stem.and_then(|stem| stem.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers.into())
    }

    pub(super) fn path(&self, number: u32) -> PathBuf {
        self.path.join(format!("{number:08}{ENDING}"))
    }

    pub(super) fn segment(&self, number: u32) -> io::Result<File> {
        private().open(self.path(number))
    }

    /// A new segment, after one of which `before` bytes count. It is complete before it has its name, so that a crash
    /// leaves none without a header; and it has its `size`, so that most flushes need not write that of the file.
    pub(super) fn begin(&self, number: u32, before: u64, size: u64) -> io::Result<(Segment, Header)> {
        let header = Header { number, salt: id::random(), before };
        let spare = self.path.join(SPARE);
        let file = private().create(true).truncate(false).open(&spare)?;
        file.write_all_at(&header.to_bytes(), 0)?;
        if file.metadata()?.len() < size {
            file.set_len(size)?;
        }
        file.sync_all()?;
        fs::rename(spare, self.path(number))?;
        self.directory.sync_all()?;
        Ok((Segment::new(number, file, HEADER), header))
    }

    /// Removes a segment. The blocks of one stay for the next that begins.
    pub(super) fn end(&self, number: u32) -> io::Result<()> {
        let spare = self.path.join(SPARE);
        if fs::exists(&spare)? {
            fs::remove_file(self.path(number))?;
        } else {
            fs::rename(self.path(number), spare)?;
        }
        self.directory.sync_all()
    }

    /// Gives the blocks of the spare segment back to the file system.
    pub(super) fn drop_spare(&self) -> io::Result<()> {
        fs::remove_file(self.path.join(SPARE))
    }

    /// Fills the reserve; fails while there is no room for that.
    pub(super) fn hold_reserve(&self) -> io::Result<()> {
        let mut file = private().create(true).truncate(false).open(self.path.join(RESERVE))?;
        let missing = HELD_BACK.saturating_sub(file.seek(SeekFrom::End(0))?);
        io::copy(&mut io::repeat(0).take(missing), &mut file).map(drop)
    }

    /// Makes room for `bytes` out of the reserve.
    pub(super) fn spend_reserve(&self, bytes: u64) -> io::Result<()> {
        let file = private().open(self.path.join(RESERVE))?;
        file.set_len(file.metadata()?.len().saturating_sub(bytes + ROUNDING))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Said aloud: a process that is just being started holds the file too until it has become itself.
        let _ = self.lock.unlock();
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
