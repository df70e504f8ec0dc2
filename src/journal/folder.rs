//! The folder of segments: made, listed, locked; a new segment begins here and an old one goes.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::segment::{HEADER, Header, Segment};
use crate::id;

const ENDING: &str = ".journal";

/// A segment that nobody needs any more, kept for its blocks: writing over them spares the file system's own journal,
/// which halves the time of a flush.
const SPARE: &str = "spare";

/// A folder that is ours alone while this is.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    directory: File,
    _lock: File,
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
        Ok(Some(Self { path: path.to_owned(), directory: File::open(path)?, _lock: lock }))
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
    /// leaves none without a header.
    pub(super) fn begin(&self, number: u32, before: u64) -> io::Result<(Segment, Header)> {
        let header = Header { number, salt: id::random(), before };
        let spare = self.path.join(SPARE);
        let file = private().create(true).truncate(false).open(&spare)?;
        file.write_all_at(&header.to_bytes(), 0)?;
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
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
