//! Watching: one kind of entries, followed from server to server.
//!
//! Each connection lives in a task of its own. When that ends, be it by a mistake of ours in reading what a server sent, the
//! connection is lost, and the next one goes on from the last cookie: nobody who was dismissed stays for that.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::checkpoint::Cookie;
use super::pause::Pause;
use super::{Change, Follow, Kind, Protocol, active_directory, listing, offered, syncrepl};
use crate::assertion::Filter;
use crate::connector::{FAIL_BACK, Inner};
use crate::diagnostic;
use crate::entry::Entry;
use crate::error::Error;
use crate::groups::{Group, group_search};
use crate::link::Link;
use crate::people::{Person, Skipped, people_search, read_id};
use crate::rules::Judge;
use crate::search::{Amount, Search};

pub(super) type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// What goes to the stream.
pub(super) enum Step {
    Change(Box<Change>),
    Cookie(Kind, Cookie),
}

/// The way to the stream, and what was last sent there.
#[derive(Clone)]
pub(super) struct Out {
    kind: Kind,
    steps: mpsc::Sender<Step>,
    cookie: Arc<Mutex<Option<Cookie>>>,
    moved: Arc<AtomicBool>,
}

/// Follows for as long as somebody listens.
#[derive(Clone)]
pub(super) struct Watcher {
    pub(super) inner: Arc<Inner>,
    pub(super) judge: Arc<Judge>,
    pub(super) how: Follow,
    pub(super) clock: Clock,
    pub(super) out: Out,
}

/// The same on one connection.
pub(super) struct Watch {
    pub(super) link: Link,
    pub(super) root: Entry,
    pub(super) watcher: Watcher,
}

impl Watcher {
    pub(super) async fn watch(self) {
        let kind = self.out.kind;
        let mut pauses = Pause::default();
        loop {
            let ended = self.connection().await;
            if self.out.moved.swap(false, Ordering::AcqRel) {
                pauses.reset();
            }
            let Some(error) = ended else { continue };
            let pause = pauses.after(&error);
            tracing::warn!(%error, ?kind, ?pause, "The directory is not followed for now");
            self.out.change(Change::Interrupted { kind, error, pause }).await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Follows on one connection until it ends, with the reason; without one when it is to go on at once.
    async fn connection(&self) -> Option<Error> {
        let mut task = JoinSet::new();
        task.spawn(self.clone().follow());
        match task.join_next().await {
            Some(Ok(ended)) => ended,
            _ => Some(Error::Lost {
                server: "the directory".to_owned(),
                doing: "following it",
                why: "its answer could not be read".to_owned(),
            }),
        }
    }

    async fn follow(self) -> Option<Error> {
        let inner = Arc::clone(&self.inner);
        let link = match inner.open().await {
            Ok(opened) => opened.link,
            Err(error) => return Some(error),
        };
        let server = link.server().to_owned();
        let better = async {
            loop {
                tokio::time::sleep(FAIL_BACK).await;
                if inner.servers.prefers_another(&server).await {
                    return;
                }
            }
        };
        let error = tokio::select! {
            ended = self.on(link) => ended?,
            () = better => return None,
        };
        if error.blames_server() {
            inner.servers.blame(&server);
        }
        Some(error)
    }

    /// The best way that the server offers, and the next where it refuses that.
    async fn on(self, link: Link) -> Option<Error> {
        let root = match Search::root_dse().run(&link).await {
            Ok(found) => found.entries.into_iter().next().unwrap_or_default(),
            Err(error) => return Some(error),
        };
        let (kind, server) = (self.out.kind, link.server().to_owned());
        let ways = match self.how.protocol {
            Some(only) => vec![only],
            None => offered(&root, &self.inner.settings),
        };
        let watch = Watch { link, root, watcher: self };
        let mut last = Error::Lost { server: server.clone(), doing: "following it", why: String::new() };
        for protocol in ways {
            let connected = Change::Connected { kind, server: server.clone(), protocol };
            watch.watcher.out.change(connected).await;
            last = match watch.by(protocol).await {
                Ok(Again) => return None,
                Err(error) => error,
            };
            if !is_not_offered(&last) {
                break;
            }
        }
        Some(last)
    }
}

/// The connection is no longer of use, and there is no reason to wait for the next one.
pub(super) struct Again;

/// insufficientAccessRights, unavailableCriticalExtension, unwillingToPerform: the way itself is refused.
fn is_not_offered(error: &Error) -> bool {
    matches!(error, Error::Refused { code: 12 | 50 | 53, .. })
}

impl Watch {
    async fn by(&self, protocol: Protocol) -> Result<Again, Error> {
        let cookie = self.cookie(protocol);
        match protocol {
            Protocol::SyncRepl => syncrepl::follow(self, cookie).await,
            Protocol::DirSync | Protocol::UpdateNumbers => {
                active_directory::follow(self, protocol, cookie).await
            }
            Protocol::Polling => listing::follow(self).await,
        }
    }

    /// The search for all that is followed, or for those of it that pass another filter too.
    pub(super) fn search(&self, and: Option<Filter>, amount: Amount) -> Search {
        let inner = &self.watcher.inner;
        let settings = &inner.settings;
        let own = match self.watcher.out.kind {
            Kind::People => inner.user_filter.clone(),
            Kind::Groups => inner.group_filter.as_ref().unwrap_or(&inner.user_filter).clone(),
        };
        let filter = match and {
            Some(and) => own.and(and),
            None => own,
        };
        match self.watcher.out.kind {
            Kind::People => people_search(settings, &self.watcher.judge, filter, amount),
            Kind::Groups => group_search(settings, filter, amount),
        }
    }

    /// Where this protocol can go on.
    pub(super) fn cookie(&self, protocol: Protocol) -> Option<Vec<u8>> {
        self.watcher.out.cookie(protocol)
    }

    pub(super) fn kind(&self) -> Kind {
        self.watcher.out.kind
    }

    pub(super) fn forget_cookie(&self) {
        *self.watcher.out.cookie.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn how(&self) -> &Follow {
        &self.watcher.how
    }

    /// Tells of an entry, and gives its key. `known` is the key by which the server told of it.
    pub(super) async fn tell(&self, mut entry: Entry, known: Option<Uuid>) -> Result<Option<Uuid>, Error> {
        let map = &self.watcher.inner.settings.attributes;
        let read = match self.watcher.out.kind {
            Kind::People => {
                let now = (self.watcher.clock)();
                Person::read(&entry, map, &self.watcher.judge, now)
                    .map(|person| (person.id, Change::Person(person)))
            }
            Kind::Groups => match Group::complete(&mut entry, &self.link).await {
                Err(error) if !error.is_about_the_entry() => return Err(error),
                Err(error) => Err(error.to_string()),
                Ok(()) => Group::read(&entry, map).map(|group| (group.id, Change::Group(group))),
            },
        };
        let other_key = |id: Uuid| known.is_some_and(|known| known != id);
        match read {
            Ok((id, change)) if !other_key(id) => {
                self.watcher.out.change(change).await;
                Ok(Some(id))
            }
            Ok((id, _)) => {
                Ok(self.skip(&entry.dn, known, format!("the server knows it by another id than {id}")).await)
            }
            Err(why) => {
                let id = known.or_else(|| read_id(&entry, map).ok().flatten());
                Ok(self.skip(&entry.dn, id, why).await)
            }
        }
    }

    /// Names an entry that cannot be used, and gives back its key.
    pub(super) async fn skip(&self, dn: &str, id: Option<Uuid>, why: String) -> Option<Uuid> {
        let skipped = Skipped { dn: diagnostic::clean(dn), id, why };
        self.watcher.out.change(Change::Skipped(self.watcher.out.kind, skipped)).await;
        id
    }

    pub(super) async fn gone(&self, id: Uuid) {
        self.watcher.out.change(Change::Gone(self.watcher.out.kind, id)).await;
    }

    pub(super) async fn present(&self, all: HashSet<Uuid>) {
        self.watcher.out.change(Change::Present(self.watcher.out.kind, all)).await;
    }

    /// Everything before it has been told.
    pub(super) async fn checkpoint(&self, protocol: Protocol, bytes: Vec<u8>) {
        let out = &self.watcher.out;
        let cookie = Cookie { protocol, bytes };
        // A stream that nobody reads any more is about to be dropped, and this task with it.
        let _ = out.steps.send(Step::Cookie(out.kind, cookie.clone())).await;
        *out.cookie.lock().unwrap_or_else(PoisonError::into_inner) = Some(cookie);
        out.moved.store(true, Ordering::Release);
    }
}

impl Out {
    pub(super) fn new(kind: Kind, steps: mpsc::Sender<Step>, cookie: Option<Cookie>) -> Self {
        Self { kind, steps, cookie: Arc::new(Mutex::new(cookie)), moved: Arc::default() }
    }

    async fn change(&self, change: Change) {
        let _ = self.steps.send(Step::Change(Box::new(change))).await;
    }

    /// Where this protocol can go on. An empty cookie is none.
    fn cookie(&self, protocol: Protocol) -> Option<Vec<u8>> {
        let cookie = self.cookie.lock().unwrap_or_else(PoisonError::into_inner).clone();
        cookie
            .filter(|cookie| cookie.protocol == protocol)
            .map(|cookie| cookie.bytes)
            .filter(|bytes| !bytes.is_empty())
    }
}
