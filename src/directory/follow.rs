//! Following the directory: what it tells is gathered, and brought in as soon as it pauses.
//!
//! A server that tells by itself is heard within milliseconds. Whatever was told is kept until it is written: a change
//! that is held, or that the store could not write, is judged again with what came after it.

use std::sync::Arc;
use std::time::Duration;

use chancery_ldap::{Change, Changes, Follow};
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::difference::SyncReport;
use super::ldap::{Ldap, SyncError};
use super::told::Told;
use super::{Config, Directory};
use crate::principal::Principal;
use crate::time::{self, Timestamp};

/// How the directory is followed at this moment, for whoever looks after it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) server: String,
    /// How it tells of changes.
    pub(crate) protocol: String,
    pub(crate) since: Timestamp,
}

/// The directory, as it speaks.
pub(crate) struct Following {
    directory: Directory,
    ldap: Arc<Ldap>,
    changes: Changes,
    told: Told,
    /// For an admin, or for the store: what was told was not brought in, and is judged again with the next checkpoint.
    waits: bool,
    tick: Interval,
}

/// People expire by the second.
const TICK: Duration = Duration::from_secs(1);
/// A list is written in parts of this many, so that it neither fills the memory nor keeps the writer for long.
const PART: usize = 2048;

impl Directory {
    /// Begins to listen, from where the house stopped. Nothing when the directory is built in.
    pub(crate) async fn follow(&self, config: &Config) -> Result<Option<Following>, SyncError> {
        let Some(ldap) = self.ldap.clone() else { return Ok(None) };
        let checkpoint = self.store.read(|view| view.directory_checkpoint()).await?;
        let how =
            Follow { ask_every: config.ask_every.0, list_every: config.sync_every.0, ..Follow::default() };
        let clock = || time::now().to_offset();
        let changes = ldap.connector.follow(how, checkpoint.as_deref(), clock);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (directory, told) = (self.clone(), Told::default());
        Ok(Some(Following { directory, ldap, changes, told, waits: false, tick }))
    }
}

impl Following {
    /// Waits until something was brought in, or until something is wrong. Whoever no longer waits loses nothing.
    pub(crate) async fn next(&mut self) -> Result<SyncReport, SyncError> {
        loop {
            self.listen().await?;
            let now = time::now();
            let brought = self.ldap.bring(&self.directory, &Principal::System, &self.told, now).await;
            self.waits = brought.is_err();
            match &brought {
                Ok(report) => {
                    self.told = Told::default();
                    if report.is_idle() {
                        continue;
                    }
                }
                // Nobody at all is not believed: it says nothing about anybody, and is nothing to go on from.
                Err(SyncError::Empty) => (self.told.all_people, self.told.checkpoint) = (None, None),
                Err(_) => {}
            }
            return brought;
        }
    }

    /// Takes in what is told until there is something to judge.
    async fn listen(&mut self) -> Result<(), SyncError> {
        loop {
            // What belongs to a list that goes on may be written before its end: only the end takes anybody away.
            let is_ripe = self.told.checkpoint.is_some() || self.told.size() >= PART;
            let change = tokio::select! {
                biased;
                change = self.changes.next() => change,
                () = std::future::ready(()), if is_ripe && !self.waits => return Ok(()),
                _ = self.tick.tick() => {
                    // A held change is judged again when an admin has dealt with it, an unwritten one at once.
                    let again = self.waits && self.ldap.held().is_none() && self.told.size() > 0;
                    if again || self.ldap.is_due(time::now()).await {
                        return Ok(());
                    }
                    continue;
                }
            };
            match change {
                Some(change) => self.take(change)?,
                // The house is about to stop.
                None => std::future::pending().await,
            }
        }
    }

    fn take(&mut self, change: Change) -> Result<(), SyncError> {
        match change {
            Change::Connected { kind, server, protocol } => {
                tracing::info!(ldap.server = server, what = ?kind, how = %protocol, "The directory is followed");
                let line = Line { server, protocol: protocol.to_string(), since: time::now() };
                self.ldap.is_followed(Some(line));
                Ok(())
            }
            Change::Interrupted { error, .. } => {
                self.ldap.is_followed(None);
                Err(SyncError::Ldap(error))
            }
            change => {
                self.waits &= !matches!(change, Change::Checkpoint(_));
                self.told.take(change);
                Ok(())
            }
        }
    }
}
