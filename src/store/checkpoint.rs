//! Checkpoints: the write-ahead log is carried back into the file beside the writer, not by it.
//!
//! Left to itself SQLite lets the writer do this within a commit, and whoever waits for that commit waits for two
//! more flushes and thousands of pages. A thread with a connection of its own does the bulk of it while writing goes
//! on (`PASSIVE`). It cannot catch up with a writer that never rests, so when the log has grown large the writer
//! itself finishes the little that is left and begins the log anew (`RESTART`).

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;

use super::View;

/// The log is carried back once it is this long, in bytes: the longer, the more often a page is written to the log alone.
const CARRY: u64 = 16 << 20;
/// The log is begun anew once it is this long.
const RESTART: u64 = 64 << 20;
/// The length is looked at after so many commits.
const LOOK: u32 = 16;

/// The writer's side.
pub(super) struct Checkpoints {
    log: PathBuf,
    bell: SyncSender<()>,
    commits: u32,
}

impl Checkpoints {
    /// Starts the thread; it ends with the writer.
    pub(super) fn spawn(file: &Path, view: View) -> Self {
        let (bell, rung) = sync_channel(1);
        let started =
            std::thread::Builder::new().name("store-checkpoint".into()).spawn(move || carry(view, &rung));
        if let Err(error) = started {
            tracing::error!(%error, "checkpoints have no thread of their own; the writer does them");
        }
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        Self { log: log.into(), bell, commits: 0 }
    }

    /// To be called after each commit.
    pub(super) fn after_commit(&mut self, writer: &mut SqliteConnection) {
        self.commits += 1;
        if !self.commits.is_multiple_of(LOOK) {
            return;
        }
        let length = std::fs::metadata(&self.log).map(|log| log.len()).unwrap_or(0);
        if length > RESTART {
            // Readers in its way are waited for but a moment: the next look tries again.
            run(writer, "RESTART");
        } else if length > CARRY {
            // Rung already is rung enough.
            let _ = self.bell.try_send(());
        }
    }
}

fn carry(mut view: View, rung: &Receiver<()>) {
    while rung.recv().is_ok() {
        run(&mut view.conn, "PASSIVE");
    }
}

/// What fails now (a full disk) is done by a later one; nothing is lost, the log only stays longer.
fn run(conn: &mut SqliteConnection, mode: &str) {
    let statements =
        format!("PRAGMA busy_timeout = 50; PRAGMA wal_checkpoint({mode}); PRAGMA busy_timeout = 5000");
    if let Err(error) = conn.batch_execute(&statements) {
        tracing::warn!(%error, mode, "the store's log could not be carried back yet");
    }
}
