//! Maildir: mail as files, one folder per recipient name, for a demonstration or a mail store on the same machine.
//!
//! A file is written under `tmp`, forced to the disk, and only then moved into `new`, so whoever reads `new` sees whole
//! mails only, whatever happens to this process or to the machine.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use crate::envelope::{Envelope, Outcome, Scope};
use crate::mailbox::Mailbox;

/// A directory of maildirs: `ROOT/NAME/{tmp,new,cur}`, where NAME is what stands before the `@`.
#[derive(Clone, Debug)]
pub struct Maildir {
    root: PathBuf,
}

impl Maildir {
    /// Mail goes below `root`, which is made with the first mail if it does not exist.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The maildir of `recipient`, or `None` for a name that cannot be a folder.
    pub fn folder(&self, recipient: &Mailbox) -> Option<PathBuf> {
        let name = recipient.local();
        // A leading dot would hide the folder, and stands at the head of `.` and `..`.
        let fits = !name.starts_with('.') && !name.contains(['/', '\\', '\0', '"']);
        fits.then(|| self.root.join(name))
    }

    /// Places one mail.
    pub async fn deliver(&self, envelope: &Envelope, message: &[u8]) -> Outcome {
        let Some(folder) = self.folder(envelope.to()) else {
            return Outcome::Bounced { code: None, why: format!("{} cannot have a maildir", envelope.to()) };
        };
        let content = as_file(envelope.from(), message);
        match tokio::task::spawn_blocking(move || place(&folder, &content)).await {
            Ok(outcome) => outcome,
            Err(error) => deferred("the task that writes mail ended", &io::Error::other(error), false),
        }
    }
}

/// RFC 5321 §4.4: final delivery records the return path. Files of a Unix mail store end their lines with LF.
fn as_file(from: &Mailbox, message: &[u8]) -> Vec<u8> {
    let mut content = format!("Return-Path: <{from}>\n").into_bytes();
    content.extend(
        message
            .iter()
            .enumerate()
            .filter(|(at, byte)| **byte != b'\r' || message.get(at + 1) != Some(&b'\n'))
            .map(|(_, byte)| *byte),
    );
    content
}

fn place(folder: &Path, content: &[u8]) -> Outcome {
    if let Err(error) = make_folder(folder) {
        return deferred("the maildir cannot be made", &error, false);
    }
    let (draft, name) = match write_draft(folder, content) {
        Ok(written) => written,
        Err(error) => return deferred("the mail cannot be written", &error, false),
    };
    if let Err(error) = fs::rename(&draft, folder.join("new").join(&name)) {
        let _ = fs::remove_file(&draft);
        return deferred("the mail cannot be moved into the maildir", &error, false);
    }
    // Without this the mail could vanish with a power cut, although it can be read now.
    match File::open(folder.join("new")).and_then(|directory| directory.sync_all()) {
        Ok(()) => Outcome::Delivered { detail: format!("maildir {name}") },
        Err(error) => deferred("the maildir cannot be forced to the disk", &error, true),
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    for part in ["tmp", "new", "cur"] {
        DirBuilder::new().recursive(true).mode(0o700).create(folder.join(part))?;
    }
    Ok(())
}

/// Writes a file under `tmp` that nobody else has, and gives it the name it will have under `new`.
fn write_draft(folder: &Path, content: &[u8]) -> io::Result<(PathBuf, String)> {
    let (path, mut file, unique) = loop {
        let unique = format!("P{}Q{}", process::id(), DELIVERIES.fetch_add(1, Ordering::Relaxed));
        let path = folder.join("tmp").join(format!("{unique}.{HOST}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => break (path, file, unique),
            // An earlier process with our number crashed here.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    };
    let written =
        file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| file.metadata()?.modified());
    match written {
        Ok(modified) => {
            // The file system says when this is, so that no clock is read here.
            let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok((path, format!("{}.M{}{unique}.{HOST}", since.as_secs(), since.subsec_micros())))
        }
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

fn deferred(what: &str, error: &io::Error, ambiguous: bool) -> Outcome {
    // Whatever keeps one mail from the disk, a full disk above all, will keep the next one too.
    Outcome::Deferred { code: None, why: format!("{what}: {error}"), scope: Scope::Relay, ambiguous }
}

/// Makes names unique within this process.
static DELIVERIES: AtomicU64 = AtomicU64::new(0);

/// The last part of every name. The maildir convention puts the host there, for stores that several hosts share; this
/// one belongs to one process at a time.
const HOST: &str = "chancery";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn envelope(to: &str) -> Envelope {
        let from = Mailbox::parse("chancery@corp.example").expect("valid");
        Envelope::new(from, Mailbox::parse(to).expect("valid"), "01JD").expect("valid")
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
    }

    #[tokio::test]
    async fn a_mail_appears_in_new_whole_and_leaves_nothing_in_tmp() {
        let home = tempfile::tempdir().expect("a directory");
        let outcome = Maildir::new(home.path().join("mail"))
            .deliver(&envelope("alice@corp.example"), b"A: b\r\n\r\nhi\r\n")
            .await;
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
        let alice = home.path().join("mail/alice");
        let content = fs::read_to_string(&files(&alice.join("new"))[0]).expect("a mail");
        assert_eq!(content, "Return-Path: <chancery@corp.example>\nA: b\n\nhi\n");
        assert!(files(&alice.join("tmp")).is_empty() && alice.join("cur").is_dir());
    }

    #[tokio::test]
    async fn a_reader_never_sees_half_a_mail_and_no_two_mails_share_a_name() {
        let home = tempfile::tempdir().expect("a directory");
        let maildir = Maildir::new(home.path().to_owned());
        let long = [b"X: y\r\n\r\n".as_slice(), "0123456789".repeat(20_000).as_bytes()].concat();
        let writers: Vec<_> = (0..50)
            .map(|_| {
                let (maildir, long) = (maildir.clone(), long.clone());
                tokio::spawn(async move { maildir.deliver(&envelope("bob@corp.example"), &long).await })
            })
            .collect();
        let new = home.path().join("bob/new");
        let mut seen = HashSet::new();
        while seen.len() < 50 {
            for file in fs::read_dir(&new).into_iter().flatten() {
                let path = file.expect("an entry").path();
                assert_eq!(
                    fs::metadata(&path).expect("a file").len(),
                    37 + long.len() as u64 - 2,
                    "whole at first sight"
                );
                seen.insert(path);
            }
            tokio::task::yield_now().await;
        }
        for writer in writers {
            assert!(matches!(writer.await.expect("no panic"), Outcome::Delivered { .. }));
        }
        assert_eq!(files(&new).len(), 50);
    }

    #[tokio::test]
    async fn a_name_that_would_leave_the_root_is_bounced() {
        let home = tempfile::tempdir().expect("a directory");
        let maildir = Maildir::new(home.path().join("mail"));
        for to in ["a/b@corp.example", "\"..\"@corp.example", "\"../x\"@corp.example", "\".\"@corp.example"] {
            let outcome = maildir.deliver(&envelope(to), b"x").await;
            assert!(matches!(outcome, Outcome::Bounced { code: None, .. }), "{to}: {outcome:?}");
        }
        assert!(!home.path().join("mail").exists());
    }

    #[tokio::test]
    async fn a_root_that_cannot_be_written_defers_all_mail() {
        let home = tempfile::tempdir().expect("a directory");
        fs::write(home.path().join("mail"), "a file, not a folder").expect("written");
        let outcome =
            Maildir::new(home.path().join("mail")).deliver(&envelope("alice@corp.example"), b"x").await;
        assert!(
            matches!(outcome, Outcome::Deferred { scope: Scope::Relay, ambiguous: false, .. }),
            "{outcome:?}"
        );
    }
}
