//! Following the directory: every change of its people and groups as it happens, in one stream.
//!
//! How a server tells of changes differs (RFC 4533, Active Directory's DirSync or update numbers, or not at all); what
//! comes out of the stream does not. It promises that nobody is reported gone on a guess, that a list which was not
//! finished never becomes a [`Change::Present`], that a checkpoint follows everything it stands for, and that it goes on
//! by itself when servers fail. Storing what it says, and judging whether so many may really be gone, is left to others.

mod active_directory;
mod checkpoint;
mod content;
mod dirsync;
mod listing;
mod pause;
mod syncrepl;
mod usn;
mod watch;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::connector::Connector;
use crate::entry::Entry;
use crate::error::Error;
use crate::groups::Group;
use crate::people::{Person, Skipped};
use crate::settings::{AUTO, Settings};
use checkpoint::{Cookies, Fingerprint};
use watch::{Out, Step, Watcher};

/// One step of the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A person is there, as told here. They may have been so before.
    Person(Person),
    /// A group is there, as told here, with all its members.
    Group(Group),
    /// An entry is there and cannot be used. Whoever it was before is not gone.
    Skipped(Kind, Skipped),
    /// Whoever had this key is no longer among them: deleted, moved away, or no longer let through by the filter. It may
    /// be a key that was never named.
    Gone(Kind, Uuid),
    /// A list has come to its end: whoever is not in it is gone.
    Present(Kind, HashSet<Uuid>),
    /// Everything of this kind up to here, in bytes for [`Connector::follow`]. Stored together with what came before it,
    /// nothing is lost and nothing asked for twice.
    Checkpoint(Kind, Vec<u8>),
    /// A server was reached, and this is how it tells of changes.
    Connected {
        /// What is followed there.
        kind: Kind,
        /// As written in the settings.
        server: String,
        /// How it tells.
        protocol: Protocol,
    },
    /// Nothing is heard for now; the stream goes on by itself. What came since the last checkpoint will come again.
    Interrupted {
        /// What was followed.
        kind: Kind,
        /// Why it ended.
        error: Error,
        /// When it is tried again.
        pause: Duration,
    },
}

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Entries that `user_filter` lets through.
    People,
    /// Entries that `group_filter` lets through.
    Groups,
}

/// How a server tells what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// It tells by itself, within milliseconds (RFC 4533, refreshAndPersist). OpenLDAP, 389 Directory Server.
    SyncRepl,
    /// It is asked for changes since a cookie (MS-ADTS §3.1.1.3.4.1.3). Active Directory, for accounts with the right
    /// "Replicating Directory Changes", and for others as far as they may read; those do not hear of deletions, so
    /// everything is listed now and then besides.
    DirSync,
    /// One domain controller is asked for entries of a higher update number (MS-ADTS §3.1.1.1.9). Everything is listed now
    /// and then besides, and when another one answers.
    UpdateNumbers,
    /// Everything is listed again and again.
    Polling,
}

/// How to follow. The default suits every server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The only way to be used; without it the best one that the server offers.
    pub protocol: Option<Protocol>,
    /// How often a server is asked that does not tell by itself.
    pub ask_every: Duration,
    /// How often everything is listed where a server does not tell who is gone.
    pub list_every: Duration,
    /// How long a server that tells by itself may say nothing until it is asked for a sign of life.
    pub probe_every: Duration,
}

impl Default for Follow {
    fn default() -> Self {
        Self {
            protocol: None,
            ask_every: Duration::from_secs(1),
            list_every: Duration::from_secs(300),
            probe_every: Duration::from_secs(15),
        }
    }
}

/// The stream. Whoever drops it no longer follows.
pub struct Changes {
    steps: mpsc::Receiver<Step>,
    cookies: Cookies,
    fingerprint: Fingerprint,
    _watchers: JoinSet<()>,
}

/// So many steps wait for the reader; then the server does.
const WAITING: usize = 256;

impl Connector {
    /// What there is to follow: people, and groups where there is a `group_filter`.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + use<> {
        let groups = self.inner().settings.group_filter.is_some();
        [Some(Kind::People), groups.then_some(Kind::Groups)].into_iter().flatten()
    }

    /// Follows people, and groups where there is a `group_filter`, from the last checkpoint on. Without one, and with one
    /// that was made with other servers, base, filters, attributes or account, everything is told anew, and a
    /// [`Change::Present`] says when that is done. `clock` decides who has expired.
    ///
    /// Two people with one login are both told: only whoever knows everybody can see that.
    pub fn follow(
        &self,
        how: Follow,
        checkpoint: Option<&[u8]>,
        clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
    ) -> Changes {
        let inner = self.inner();
        let fingerprint = Fingerprint::of(&inner.settings, &self.judge());
        let cookies = checkpoint.and_then(|bytes| fingerprint.open(bytes)).unwrap_or_default();
        let (sender, steps) = mpsc::channel(WAITING);
        let clock: watch::Clock = Arc::new(clock);
        let mut watchers = JoinSet::new();
        for kind in self.kinds() {
            let watcher = Watcher {
                inner: Arc::clone(&inner),
                judge: self.judge(),
                how: how.clone(),
                clock: Arc::clone(&clock),
                out: Out::new(kind, sender.clone(), cookies.of(kind)),
            };
            watchers.spawn(watcher.watch());
        }
        Changes { steps, cookies, fingerprint, _watchers: watchers }
    }
}

impl Changes {
    /// The next step; waits for it. Nothing only when the runtime shuts down. Dropping the call loses nothing.
    pub async fn next(&mut self) -> Option<Change> {
        Some(match self.steps.recv().await? {
            Step::Change(change) => *change,
            Step::Cookie(kind, cookie) => {
                self.cookies.set(kind, cookie);
                Change::Checkpoint(kind, self.fingerprint.seal(&self.cookies))
            }
        })
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SyncRepl => "told by the server (RFC 4533)",
            Self::DirSync => "asked for changes (DirSync)",
            Self::UpdateNumbers => "asked for changes (uSNChanged)",
            Self::Polling => "listed again and again",
        })
    }
}

/// The control by which a server pushes (RFC 4533 §2.2).
pub(crate) const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";

/// The ways a server offers, best first. Deletions come with the server's own key, so a key of the settings' choice rules
/// out whatever reports them.
pub(crate) fn offered(root: &Entry, settings: &Settings) -> Vec<Protocol> {
    let keyed_by = |names: &[&str]| {
        let id = &settings.attributes.id;
        id.eq_ignore_ascii_case(AUTO) || names.iter().any(|name| name.eq_ignore_ascii_case(id))
    };
    let pushes = keyed_by(&["entryUUID", "nsUniqueId"]) && root.has("supportedControl", SYNC_REQUEST);
    let active_directory = keyed_by(&["objectGUID"]);
    let ways = [
        (pushes, Protocol::SyncRepl),
        (active_directory && root.has("supportedControl", dirsync::DIRSYNC), Protocol::DirSync),
        (active_directory && root.holds("highestCommittedUSN"), Protocol::UpdateNumbers),
        (true, Protocol::Polling),
    ];
    ways.into_iter().filter(|(offered, _)| *offered).map(|(_, protocol)| protocol).collect()
}
