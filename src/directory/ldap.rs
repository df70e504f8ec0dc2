//! People from LDAP: asked at sign-in, and brought to what the directory says.
//!
//! Whatever it says, all at once or change by change (`follow`), is brought in here, in one transaction, and cuts off who
//! may no longer act. What a broken search could do to a company is made impossible: an error, a partial or an empty
//! answer disables nobody, and a change that would take many people away is held (`brake`).

mod config;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chancery_ldap::{Change, Connector, Follow, Health, Kind, Protocol};
use tokio::sync::Mutex;

pub(crate) use config::Config;

use super::Directory;
use super::accepted::Accepted;
use super::brake::{Brake, Held};
use super::difference::{Back, Difference, SyncReport};
use super::follow::Line;
use super::people::{People, Turned};
use super::picture::Picture;
use super::preview::Preview;
use super::told::Told;
use crate::principal::Principal;
use crate::store::{Account, DirectoryGroup, Source, StoreError, Tx};
use crate::time::{self, Timestamp};

/// The LDAP side of the directory.
pub(crate) struct Ldap {
    pub(super) connector: Connector,
    /// What was told is brought in one by one.
    state: Mutex<State>,
    held: ArcSwapOption<Held>,
    followed: ArcSwapOption<Line>,
    pub(super) publisher: Option<Connector>,
    pub(super) accepted: Accepted,
    pub(super) outage_ttl: Duration,
}

/// What the next words of the directory are understood by.
struct State {
    picture: Picture,
    brake: Brake,
}

/// Why a sync changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    #[error(transparent)]
    Ldap(#[from] chancery_ldap::Error),
    #[error("the directory lists nobody: check `base` and `user_filter`. Nobody was changed")]
    Empty,
    #[error(
        "this sync would take away {} of {} active people{}, which looks like a wrong base or filter. Nobody was changed: \
         see `chancery directory held`, then correct the settings, or `chancery directory release {}`",
        .0.leaving.len(), .0.active, .0.after_others(), .0.change
    )]
    Held(Arc<Held>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Ldap {
    /// Makes ready to ask; no server is asked yet, so a house starts also while its directory is down.
    pub(crate) fn open(
        directory: &super::Config,
        config: &Config,
        credentials: Option<&Path>,
        name_servers: &[SocketAddr],
    ) -> anyhow::Result<Self> {
        let connector = config.connector(credentials, name_servers)?;
        let state = State { picture: Picture::default(), brake: Brake::of(directory) };
        Ok(Self {
            connector,
            state: Mutex::new(state),
            held: ArcSwapOption::empty(),
            followed: ArcSwapOption::empty(),
            publisher: config.publisher(credentials, name_servers)?,
            accepted: Accepted::new(config.password_ttl.0),
            outage_ttl: config.outage_ttl.0,
        })
    }

    /// Takes up what the store has.
    pub(super) async fn remember(&self, accounts: &[Arc<Account>], groups: &[DirectoryGroup]) {
        self.state.lock().await.picture = Picture::of(accounts, groups);
    }

    /// Connects, binds and looks.
    pub(crate) async fn check(&self) -> Result<Health, chancery_ldap::Error> {
        self.connector.check().await
    }

    /// The change that waits for an admin, if one does.
    pub(crate) fn held(&self) -> Option<Arc<Held>> {
        self.held.load_full()
    }

    /// How the directory is followed, while it is.
    pub(crate) fn followed(&self) -> Option<Arc<Line>> {
        self.followed.load_full()
    }

    pub(super) fn is_followed(&self, line: Option<Line>) {
        self.followed.store(line.map(Arc::new));
    }

    /// Lists everybody and brings the store to it, unless the brake holds the change and nobody released it.
    pub(super) async fn sync(
        &self,
        directory: &Directory,
        who: &Principal,
        release: Option<&str>,
        now: Timestamp,
    ) -> Result<SyncReport, SyncError> {
        // Nothing older than the list is brought in after it.
        let mut state = self.state.lock().await;
        let told = list(&self.connector, &directory.people).await?;
        self.bring_in(&mut state, directory, who, &told, release, now).await
    }

    /// What a sync would do, under other settings where some are given.
    pub(super) async fn preview(
        &self,
        directory: &Directory,
        other: Option<&Connector>,
        now: Timestamp,
    ) -> Result<Preview, SyncError> {
        let state = self.state.lock().await;
        let told = list(other.unwrap_or(&self.connector), &directory.people).await?;
        let difference = Difference::of(&directory.people, &state.picture, &told, now)?;
        let held = state.brake.judge(&difference.leaving, active(directory), now).is_some();
        Ok(Preview::of(&difference, &directory.people, held))
    }

    /// Brings the store to what was told, unless the brake holds it.
    pub(super) async fn bring(
        &self,
        directory: &Directory,
        who: &Principal,
        told: &Told,
        now: Timestamp,
    ) -> Result<SyncReport, SyncError> {
        let mut state = self.state.lock().await;
        self.bring_in(&mut state, directory, who, told, None, now).await
    }

    /// Whether time alone disables somebody now.
    pub(super) async fn is_due(&self, now: Timestamp) -> bool {
        self.state.lock().await.picture.due(now).next().is_some()
    }

    async fn bring_in(
        &self,
        state: &mut State,
        directory: &Directory,
        who: &Principal,
        told: &Told,
        release: Option<&str>,
        now: Timestamp,
    ) -> Result<SyncReport, SyncError> {
        let difference = Difference::of(&directory.people, &state.picture, told, now)?;
        let active = if difference.leaving.is_empty() { 0 } else { active(directory) };
        let released = match state.brake.judge(&difference.leaving, active, now) {
            Some(held) if release == Some(&*held.change) => Some(held.change),
            Some(held) => return Err(self.hold(directory, who, held, now).await),
            None => None,
        };
        match released {
            Some(_) => state.brake.release(),
            None => state.brake.let_through(difference.leaving.len(), now),
        }
        let report = difference.report.clone();
        if !difference.is_empty() {
            let leaving: Vec<_> = difference.leaving.iter().map(|leaver| leaver.id).collect();
            self.write(&mut state.picture, directory, difference, who, released, now).await?;
            leaving.iter().for_each(|id| directory.cut_off(*id));
        }
        self.held.store(None);
        Ok(report)
    }

    async fn write(
        &self,
        picture: &mut Picture,
        directory: &Directory,
        difference: Difference,
        who: &Principal,
        released: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let deeds = difference.deeds(who, released);
        let changes_people = difference.changes_people();
        let write = move |tx: &mut Tx| {
            let back = difference.write(tx, now)?;
            deeds.into_iter().try_for_each(|deed| tx.remember(deed, now))?;
            Ok((difference, back))
        };
        let (difference, turned) = if changes_people {
            let bring = |(mut difference, back): (Difference, Back)| {
                let turned = difference.bring(&directory.people, &back, now);
                (difference, turned)
            };
            directory.turn(write, bring).await?
        } else {
            (directory.store.write(write).await?.0, Turned::default())
        };
        difference.follow(picture, &turned);
        Ok(())
    }

    /// The same change is held once, however often a sync meets it.
    async fn hold(&self, directory: &Directory, who: &Principal, held: Held, now: Timestamp) -> SyncError {
        if let Some(before) = self.held().filter(|before| before.change == held.change) {
            return SyncError::Held(before);
        }
        let deed = held.deed(who);
        if let Err(error) = directory.store.write(move |tx| tx.remember(deed, now)).await {
            return error.into();
        }
        let held = Arc::new(held);
        self.held.store(Some(held.clone()));
        SyncError::Held(held)
    }
}

/// Everybody and every group, of which only what is not known so is kept in memory.
pub(super) async fn list(connector: &Connector, known: &People) -> Result<Told, SyncError> {
    let how = Follow { protocol: Some(Protocol::Polling), ..Follow::default() };
    let mut listing = connector.follow(how, None, || time::now().to_offset());
    let mut open: HashSet<Kind> = connector.kinds().collect();
    let mut told = Told::default();
    while let Some(change) = listing.next().await {
        match change {
            Change::Interrupted { error, .. } => return Err(error.into()),
            // A list is no place to go on from.
            Change::Checkpoint(kind, _) => drop(open.take(&kind)),
            change => told.take(change, Some(known)),
        }
        if open.is_empty() {
            break;
        }
    }
    Ok(told)
}

/// How many people of LDAP may act today.
fn active(directory: &Directory) -> usize {
    let may_act = |account: &&Arc<Account>| account.source == Source::Ldap && account.disabled().is_none();
    directory.people.all().iter().filter(may_act).count()
}
