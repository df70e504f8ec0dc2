//! Following the directory: what it tells is gathered, and brought in as soon as it pauses.
//!
//! A server that tells by itself is heard within milliseconds. Whatever was told is kept until it is written: a change
//! that is held, or that the store could not write, is judged again with what came after it.

use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chancery_ldap::{Change, Changes, Error, Follow, Kind};
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::difference::SyncReport;
use super::ldap::{Ldap, SyncError};
use super::people::People;
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
    /// All groups are being listed, for the first time.
    lists_groups: bool,
    /// Why nothing is heard, until it was said.
    trouble: Option<Error>,
    tick: Interval,
}

/// People expire by the second.
const TICK: Duration = Duration::from_secs(1);
/// A list is written in parts of this many, so that it neither fills the memory nor keeps the writer for long.
const PART: usize = 4096;

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
        let lists_groups = checkpoint.is_none() && ldap.connector.kinds().any(|kind| kind == Kind::Groups);
        Ok(Some(Following {
            directory: self.clone(),
            ldap,
            changes,
            told: Told::default(),
            waits: false,
            lists_groups,
            trouble: None,
            tick,
        }))
    }
}

impl Following {
    /// Waits until something was brought in, or until something is wrong. Whoever no longer waits loses nothing that the
    /// directory would not tell again.
    pub(crate) async fn next(&mut self) -> Result<SyncReport, SyncError> {
        loop {
            self.listen().await;
            if let Some(error) = self.trouble.take() {
                return Err(error.into());
            }
            match self.bring().await {
                Ok(report) if report.is_idle() => {}
                brought => return brought,
            }
        }
    }

    /// Takes in what is told until there is something to judge.
    async fn listen(&mut self) {
        while self.trouble.is_none() {
            tokio::select! {
                biased;
                change = self.changes.next() => {
                    let directory = self.directory.clone();
                    self.take(change, Some(&directory.people)).await;
                }
                () = ready(()), if self.is_ripe() => return,
                _ = self.tick.tick() => {
                    // A held change is judged again when an admin has dealt with it, an unwritten one at once.
                    let again = self.waits && self.ldap.held().is_none() && self.told.size() > 0;
                    if again || self.ldap.is_due(time::now()).await {
                        return;
                    }
                }
            }
        }
    }

    /// What belongs to a list that goes on may be written before its end: only the end takes anybody away. But nobody is
    /// written twice because their groups are still being listed.
    fn is_ripe(&self) -> bool {
        let part = if self.lists_groups { PART * 8 } else { PART };
        let whole = self.told.checkpoint.is_some() && !self.lists_groups;
        !self.waits && (whole || self.told.size() >= part)
    }

    /// Brings in what was told, and listens to what is told meanwhile.
    async fn bring(&mut self) -> Result<SyncReport, SyncError> {
        let mut told = std::mem::take(&mut self.told);
        let (directory, ldap, now) = (self.directory.clone(), self.ldap.clone(), time::now());
        let brought = {
            let mut bringing = pin!(ldap.bring(&directory, &Principal::System, &told, now));
            loop {
                tokio::select! {
                    brought = &mut bringing => break brought,
                    // Who is known is about to change.
                    change = self.changes.next(), if self.told.size() < PART => self.take(change, None).await,
                }
            }
        };
        // A checkpoint that came meanwhile may be what sets it right.
        self.waits = brought.is_err() && self.told.checkpoint.is_none();
        if brought.is_err() {
            told.then(std::mem::take(&mut self.told));
            self.told = told;
        }
        // Nobody at all is not believed: it says nothing about anybody, and is nothing to go on from.
        if let Err(SyncError::Empty) = &brought {
            (self.told.all_people, self.told.checkpoint) = (None, None);
        }
        brought
    }

    async fn take(&mut self, change: Option<Change>, known: Option<&People>) {
        match change {
            // The house is about to stop.
            None => pending().await,
            Some(Change::Connected { kind, server, protocol }) => {
                tracing::info!(ldap.server = server, what = ?kind, how = %protocol, "The directory is followed");
                let line = Line { server, protocol: protocol.to_string(), since: time::now() };
                self.ldap.is_followed(Some(line));
            }
            Some(Change::Interrupted { kind, error, .. }) => {
                self.ldap.is_followed(None);
                self.lists_groups &= kind != Kind::Groups;
                self.trouble = Some(error);
            }
            Some(change) => {
                if let Change::Checkpoint(kind, _) = &change {
                    self.waits = false;
                    self.lists_groups &= *kind != Kind::Groups;
                }
                // It may be the password that changed.
                if let Change::Person(person) = &change {
                    self.ldap.accepted.forget(person.id.into());
                }
                self.told.take(change, known);
            }
        }
    }
}
