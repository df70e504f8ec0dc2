//! The outbox: what must leave the house. Claim, try, settle.
//!
//! What no device has acknowledged within the grace becomes an envelope, and one notice by mail for each account and
//! window: it tells who wrote and how much, never what. Read before, and nothing is sent. Every envelope ends
//! delivered, or bounced, or cancelled; until then it says when it is tried next, and survives the death of the house
//! at any moment. A mail may go out twice when the house dies between sending and settling, with the same Message-ID.

mod config;
mod govern;
mod notice;
#[cfg(test)]
mod tests;
mod trip;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chancery_mail::{Mailbox, Outcome, Scope, Transport};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::watch;

pub(crate) use config::Config;
use config::Settings;
pub(crate) use govern::{Refused, Shown};

use crate::chat::Chat;
use crate::directory::Directory;
use crate::store::{Store, StoreError, Tx};
use crate::time::{self, Timestamp};
use trip::Trip;

/// Cheap handle on the outbox.
#[derive(Clone)]
pub(crate) struct Outbox {
    store: Store,
    chat: Chat,
    directory: Directory,
    settings: Arc<Settings>,
    /// Why no mail leaves at present; `None` while it does.
    trouble: Arc<Mutex<Option<String>>>,
}

/// Why there is no outbox.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Every problem of `[mail]`, each with its key.
    #[error("{}", .0.join("; "))]
    Config(Vec<String>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many envelopes a turn takes.
const TURN: i64 = 100;
/// How many of them are under way at once.
const AT_ONCE: usize = 4;

impl Outbox {
    /// Takes up what a house that died left under way. To be opened once for each store.
    /// `credentials` is the folder in which systemd puts the service's credentials.
    pub(crate) async fn open(
        store: Store,
        chat: Chat,
        directory: Directory,
        config: &Config,
        domain: &str,
        credentials: Option<&Path>,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        let settings = config.compile(domain, credentials).map_err(OpenError::Config)?;
        store.write(move |tx| tx.free_leases(now)).await?;
        Ok(Self { store, chat, directory, settings: Arc::new(settings), trouble: Arc::default() })
    }

    /// Takes turns until the house stops; a turn in progress is finished.
    pub(crate) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let pause = (self.settings.grace / 10).clamp(Duration::from_millis(200), Duration::from_secs(1));
        let mut failing = false;
        loop {
            match self.turn(time::now()).await {
                Ok(_) => failing = false,
                Err(error) if failing => tracing::debug!(%error, "the outbox still cannot work"),
                Err(error) => {
                    failing = true;
                    tracing::error!(%error, "the outbox cannot work; it goes on trying");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // An error means that nobody is left who could say stop.
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
        }
        self.settings.transport.close().await;
    }

    /// One round: what is overdue becomes envelopes; what is due is claimed, tried and settled. Says whether there
    /// was anything to do. One turn at a time, or an account may get two mails.
    pub(crate) async fn turn(&self, now: Timestamp) -> Result<bool, StoreError> {
        if matches!(self.settings.transport, Transport::Off) {
            return Ok(false);
        }
        let swept = self.sweep(now).await?;
        let (taken, trips) = self.claim(now).await?;
        let jam = Jam::default();
        let carried: Vec<_> = trips.into_iter().map(|trip| self.carry(trip, &jam, now)).collect();
        let settled: Vec<Result<(), StoreError>> =
            stream::iter(carried).buffer_unordered(AT_ONCE).collect().await;
        settled.into_iter().collect::<Result<(), _>>()?;
        Ok(swept || taken > 0)
    }

    /// Makes envelopes for accounts that are owed something for longer than the grace.
    async fn sweep(&self, now: Timestamp) -> Result<bool, StoreError> {
        let mut found = false;
        loop {
            let (directory, settings) = (self.directory.clone(), self.settings.clone());
            let unit = move |tx: &mut Tx| -> Result<Option<usize>, StoreError> {
                let Some(overdue) = tx.overdue_accounts(settings.grace, now)? else { return Ok(None) };
                for account in &overdue {
                    let address = directory.by_id(*account).and_then(|known| settings.address(&known));
                    match address {
                        Some(address) => tx.put_in_outbox(*account, &address, settings.grace, now)?,
                        None => {
                            tracing::debug!(account.id = %account, "an account without an address gets no notice")
                        }
                    }
                }
                Ok(Some(overdue.len()))
            };
            match self.store.write(unit).await? {
                Some(overdue) => found |= overdue > 0,
                None => return Ok(found),
            }
        }
    }

    async fn claim(&self, now: Timestamp) -> Result<(usize, Vec<Trip>), StoreError> {
        let (directory, settings) = (self.directory.clone(), self.settings.clone());
        self.store.write(move |tx| trip::claim(tx, &directory, &settings, TURN, now)).await
    }

    /// Tries one envelope and settles it.
    async fn carry(&self, trip: Trip, jam: &Jam, now: Timestamp) -> Result<(), StoreError> {
        // Once one trip has found the way closed, the others of this turn wait without knocking again.
        let outcome = match jam.why() {
            Some(why) => jammed(why),
            None => {
                let outcome = self.send(&trip, now).await;
                jam.note(&outcome);
                self.note(&trip, &outcome);
                outcome
            }
        };
        let ending = trip::ending(&trip.envelope, outcome, &self.settings.retries, now);
        tracing::debug!(envelope.id = %trip.envelope.id, state = ending.state.as_str(), "an envelope was tried");
        let chat = self.chat.clone();
        let receipts = self.store.write(move |tx| trip::settle(tx, &chat, &trip, &ending, now)).await?;
        self.chat.tell(&receipts, now);
        Ok(())
    }

    /// Writes the notice and hands it to the transport.
    async fn send(&self, trip: &Trip, now: Timestamp) -> Outcome {
        let Trip { envelope, account, untold } = trip;
        let written = Mailbox::parse(&envelope.recipient).and_then(|to| {
            let mail = notice::write(&self.settings, envelope.id, account, to.clone(), untold, now)?;
            let cover =
                chancery_mail::Envelope::new(self.settings.from.clone(), to, &envelope.id.to_string())?;
            Ok((cover, mail))
        });
        match written {
            Ok((cover, mail)) => self.settings.transport.deliver(&cover, &mail).await,
            Err(error) => Outcome::Bounced { code: None, why: error.to_string() },
        }
    }

    /// Says once that mail has stopped leaving, and once that it leaves again.
    fn note(&self, trip: &Trip, outcome: &Outcome) {
        let id = trip.envelope.id;
        let mut trouble = self.trouble();
        match outcome {
            Outcome::Deferred { scope: Scope::Relay, why, .. } => {
                let why = trip::without_addresses(why);
                if trouble.is_none() {
                    tracing::warn!(envelope.id = %id, why, "no mail leaves the house; envelopes wait and are tried again");
                }
                *trouble = Some(why);
            }
            // An address that no transport would look at says nothing about the way.
            Outcome::Bounced { code: None, .. } => {}
            Outcome::Delivered { .. } | Outcome::Deferred { .. } | Outcome::Bounced { .. } => {
                if trouble.take().is_some() {
                    tracing::info!(envelope.id = %id, "mail leaves the house again");
                }
            }
        }
    }

    /// Why no mail leaves at present, for `status`; `None` while nothing is known to be wrong.
    pub(crate) fn jammed(&self) -> Option<String> {
        self.trouble().clone()
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one turn has learned about the way out.
#[derive(Default)]
struct Jam(Mutex<Option<String>>);

impl Jam {
    fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, outcome: &Outcome) {
        if let Outcome::Deferred { scope: Scope::Relay, why, .. } = outcome {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
        }
    }
}

fn jammed(why: String) -> Outcome {
    Outcome::Deferred { code: None, why, scope: Scope::Relay, ambiguous: false }
}
