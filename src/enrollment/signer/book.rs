//! The book: every certificate that the signer has issued, one line of JSON each, only ever added to.
//!
//! A line is on the disk before its certificate leaves the process. One thread writes: what comes while it waits for the
//! disk goes there together the next time, so that many at once cost as much as one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::enrollment::{Failure, safe};
use crate::time::Timestamp;

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) serial: String,
    pub(super) profile: String,
    pub(super) at: Timestamp,
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub(super) fingerprint: String,
}

/// Where lines are handed in.
pub(super) struct Book {
    pen: mpsc::Sender<Entry>,
}

struct Entry {
    text: String,
    written: oneshot::Sender<io::Result<()>>,
}

impl Book {
    /// Opens the book, or begins one, and reads every line. The end of a line that a crash cut off is taken away: its
    /// certificate never left. Only one process may have it.
    pub(super) fn open(
        path: &Path,
        mut read: impl FnMut(Line) -> Result<(), String>,
    ) -> Result<Self, Failure> {
        let fault = |why| Failure::file(path, why);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(path).map_err(fault)?;
        file.try_lock().map_err(|why| {
            fault(match why {
                TryLockError::WouldBlock => io::Error::other("another signer has it open"),
                TryLockError::Error(why) => why,
            })
        })?;
        safe::sync_parent(path).map_err(fault)?;
        let length = read_lines(&mut file, &mut read).map_err(fault)?;
        file.set_len(length).map_err(fault)?;
        let (pen, entries) = mpsc::channel();
        let write = move || write(&mut file, length, &entries);
        thread::Builder::new().name("book".into()).spawn(write).map_err(fault)?;
        Ok(Self { pen })
    }

    /// Writes one line; it is on the disk when this returns.
    pub(super) async fn enter(&self, line: &Line) -> io::Result<()> {
        let (written, done) = oneshot::channel();
        let text = serde_json::to_string(line)? + "\n";
        let gone = || io::Error::other("the book is closed");
        self.pen.send(Entry { text, written }).map_err(|_| gone())?;
        done.await.map_err(|_| gone())?
    }
}

/// How long the whole lines are together.
fn read_lines(file: &mut File, read: &mut impl FnMut(Line) -> Result<(), String>) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let (mut reader, mut text, mut length, mut count) = (BufReader::new(file), String::new(), 0, 0);
    while reader.read_line(&mut text)? > 0 && text.ends_with('\n') {
        count += 1;
        let line = serde_json::from_str(&text).map_err(|why| why.to_string()).and_then(&mut *read);
        line.map_err(|why| io::Error::new(ErrorKind::InvalidData, format!("line {count}: {why}")))?;
        length += text.len() as u64;
        text.clear();
    }
    Ok(length)
}

fn write(file: &mut File, mut length: u64, entries: &mpsc::Receiver<Entry>) {
    while let Ok(first) = entries.recv() {
        let batch: Vec<Entry> = std::iter::once(first).chain(entries.try_iter().take(BATCH)).collect();
        let text: String = batch.iter().map(|entry| entry.text.as_str()).collect();
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        match &written {
            Ok(()) => length += text.len() as u64,
            // What is half there would spoil the next line. Should this fail as well, the next start sees to it.
            Err(_) => drop(file.set_len(length)),
        }
        for entry in batch {
            let told = written.as_ref().map(drop).map_err(|why| io::Error::new(why.kind(), why.to_string()));
            // Whoever hung up needs no answer.
            let _ = entry.written.send(told);
        }
    }
}

/// How many lines go to the disk together at most.
const BATCH: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(serial: &str) -> Line {
        let at = Timestamp::from_micros(1_795_226_400_000_001);
        Line { serial: serial.into(), profile: "client".into(), at, fingerprint: "00".into() }
    }

    /// The book, and the serials that were read.
    fn open(path: &Path) -> Result<(Book, Vec<String>), Failure> {
        let mut read = Vec::new();
        let book = Book::open(path, |line| {
            read.push(line.serial);
            Ok(())
        })?;
        Ok((book, read))
    }

    /// The thread closes the file a moment after the book is dropped.
    fn reopen(path: &Path) -> (Book, Vec<String>) {
        let free = || {
            thread::yield_now();
            open(path).ok()
        };
        std::iter::repeat_with(free).flatten().next().unwrap()
    }

    #[tokio::test]
    async fn what_was_entered_is_read_again_and_half_a_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book");
        let (book, read) = open(&path).unwrap();
        assert!(read.is_empty());
        let (a, b) = (line("A"), line("B"));
        let both = tokio::join!(book.enter(&a), book.enter(&b));
        assert!(both.0.is_ok() && both.1.is_ok());
        drop(book);
        let (book, read) = reopen(&path);
        assert_eq!(read, ["A", "B"]);
        drop(book);
        drop(reopen(&path));
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"serial\":\"C\",\"pro").unwrap();
        let (book, read) = reopen(&path);
        assert_eq!(read, ["A", "B"]);
        book.enter(&line("D")).await.unwrap();
        drop(book);
        assert_eq!(reopen(&path).1, ["A", "B", "D"]);
    }

    #[test]
    fn a_spoilt_line_is_told_by_its_number_and_two_signers_cannot_share_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book");
        std::fs::write(&path, serde_json::to_string(&line("A")).unwrap() + "\nspoilt\n").unwrap();
        assert!(open(&path).err().unwrap().to_string().contains("line 2"));
        std::fs::remove_file(&path).unwrap();
        let _held = open(&path).unwrap();
        assert!(open(&path).err().unwrap().to_string().contains("another signer"));
    }
}
