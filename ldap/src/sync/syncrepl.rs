//! Told by the server: content synchronisation (RFC 4533), refreshAndPersist.
//!
//! First the server brings us up to date, then it tells of every change. It does the first in one of two ways: it names
//! what was deleted, or, when it no longer knows, everything that is still there; then whoever was not named is gone.

use std::collections::HashSet;

use tokio::time::timeout;
use uuid::Uuid;

use super::Protocol;
use super::content::{self, EntryState, Info, State};
use super::watch::{Again, Watch};
use crate::answer::{Answer, Outcome};
use crate::entry::Entry;
use crate::error::Error;
use crate::link::{Answers, Said};
use crate::schema::Schema;
use crate::search::{Amount, Search};

/// Follows until the connection ends. A cookie that the server does not take is dropped, and everything is told anew.
pub(super) async fn follow(watch: &Watch, cookie: Option<Vec<u8>>) -> Result<Again, Error> {
    let cookie = cookie.filter(|_| remembers_deletions(&watch.root));
    let mut session = Session { watch, resumed: cookie.is_some(), named: Some(HashSet::new()), cookie: None };
    let Stale = session.run(cookie).await?;
    tracing::info!(ldap.server = watch.link.server(), "The directory tells everything anew");
    watch.forget_cookie();
    // On another connection: this one may still carry answers to the old question.
    Ok(Again)
}

/// 389 Directory Server goes on from its change log. That has the keys of deleted entries only where its plug-in was told to
/// note them (`nsslapd-attribute: nsuniqueid:targetUniqueId`); elsewhere it brings us up to date without a word about those
/// who were dismissed meanwhile. Nothing shows which it is, so nobody goes on there: each connection begins with a list.
fn remembers_deletions(root: &Entry) -> bool {
    !root.has("namingContexts", "cn=changelog")
}

/// The cookie is worth nothing any more.
struct Stale;

struct Session<'a> {
    watch: &'a Watch,
    /// Whether the server was given a cookie.
    resumed: bool,
    /// Keys named so far in the refresh; nothing once it is over.
    named: Option<HashSet<Uuid>>,
    /// The last cookie, while it must not be told yet.
    cookie: Option<Vec<u8>>,
}

const DOING: &str = "following it";
/// e-syncRefreshRequired (§2.6).
const REFRESH_REQUIRED: u32 = 4096;

impl Session<'_> {
    async fn run(&mut self, cookie: Option<Vec<u8>>) -> Result<Stale, Error> {
        let mut answers = self.search(cookie).await.ask(&self.watch.link);
        loop {
            let stale = match self.next(&mut answers).await? {
                Said::Entry(answer) => self.entry(answer).await?,
                Said::Intermediate(answer) => self.info(&answer).await?,
                Said::Reference => None,
                Said::Done(done) => return self.end(&done.outcome),
            };
            if let Some(stale) = stale {
                return Ok(stale);
            }
        }
    }

    /// Asks for no attribute that the server does not know: for each of those OpenLDAP goes through all its classes with every
    /// entry, which takes as long as all the rest. Whoever speaks this protocol shows the schema by which it keeps its
    /// entries.
    async fn search(&self, cookie: Option<Vec<u8>>) -> Search {
        let Watch { link, root, .. } = self.watch;
        let all = self.watch.search(None, Amount::Whole);
        let known = Schema::at(root, link).await.map(|schema| schema.known(&all.attributes));
        Search {
            // An empty list would mean everything (RFC 4511 §4.5.1.8).
            attributes: known.filter(|known| !known.is_empty()).unwrap_or(all.attributes),
            controls: vec![content::request(cookie.as_deref())],
            doing: DOING,
            ..all
        }
    }

    /// The next answer. While the server brings us up to date it may not pause for long; later it may be silent for as
    /// long as it shows that it is alive.
    async fn next(&self, answers: &mut Answers) -> Result<Said, Error> {
        let link = &self.watch.link;
        if self.named.is_some() {
            return timeout(link.limit(), answers.next()).await.map_err(|_| link.timed_out(DOING))?;
        }
        loop {
            if let Ok(said) = timeout(self.watch.how().probe_every, answers.next()).await {
                return said;
            }
            Search::entry("asking for a sign of life", "", &["1.1"]).run(link).await?;
        }
    }

    async fn entry(&mut self, answer: Answer) -> Result<Option<Stale>, Error> {
        let Some(EntryState { state, id, cookie }) = EntryState::of(&answer) else {
            return Err(self.watch.link.lost(DOING, "an entry came without its state".to_owned()));
        };
        match state {
            State::Deleted => self.gone(id).await,
            State::Present => self.still(id),
            State::AddedOrModified => {
                self.still(id);
                match Entry::read(answer) {
                    Ok(entry) => self.watch.tell(entry, Some(id)).await?,
                    Err(dn) => self.watch.skip(&dn, Some(id), "it is not readable".to_owned()).await,
                };
            }
        }
        Ok(self.note(cookie).await)
    }

    async fn info(&mut self, answer: &Answer) -> Result<Option<Stale>, Error> {
        let Some(info) = Info::read(answer) else { return Ok(None) };
        let cookie = match info {
            Info::NewCookie(cookie) => Some(cookie),
            Info::Ids { cookie, deleted, ids } => {
                for id in ids {
                    if deleted { self.gone(id).await } else { self.still(id) }
                }
                cookie
            }
            Info::Deletes { cookie, done } => return Ok(self.refreshed(cookie, done, false).await),
            Info::Presents { cookie, done } => return Ok(self.refreshed(cookie, done, true).await),
        };
        Ok(self.note(cookie).await)
    }

    /// A phase of the refresh is over. After the one that names who is there, and after a list from the beginning, whoever
    /// was not named is gone (§3.3.2, §3.4).
    async fn refreshed(&mut self, cookie: Option<Vec<u8>>, done: bool, presents: bool) -> Option<Stale> {
        if cookie.is_some() {
            self.cookie = cookie;
        }
        // OpenLDAP takes any cookie, and answers one that it cannot read with an empty one.
        if self.resumed && self.cookie.as_ref().is_some_and(Vec::is_empty) {
            return Some(Stale);
        }
        let named = self.named.as_mut()?;
        let all = presents || (done && !self.resumed);
        if all {
            let named = named.clone();
            self.watch.present(named).await;
        }
        if done {
            self.named = None;
            // Told even where there is no cookie: it also says that everything before it belongs together.
            let known = self.watch.cookie(Protocol::SyncRepl);
            let cookie = self.cookie.take().or(known.filter(|_| self.resumed)).unwrap_or_default();
            self.watch.checkpoint(Protocol::SyncRepl, cookie).await;
        }
        None
    }

    /// A cookie stands for everything before it only once the refresh is over.
    async fn note(&mut self, cookie: Option<Vec<u8>>) -> Option<Stale> {
        let cookie = cookie?;
        if self.named.is_some() {
            self.cookie = Some(cookie);
        } else if !cookie.is_empty() {
            self.watch.checkpoint(Protocol::SyncRepl, cookie).await;
        }
        None
    }

    fn still(&mut self, id: Uuid) {
        if let Some(named) = &mut self.named {
            named.insert(id);
        }
    }

    async fn gone(&mut self, id: Uuid) {
        if let Some(named) = &mut self.named {
            named.remove(&id);
        }
        self.watch.gone(id).await;
    }

    fn end(&self, outcome: &Outcome) -> Result<Stale, Error> {
        let link = &self.watch.link;
        match outcome.code {
            REFRESH_REQUIRED if self.resumed || self.named.is_none() => Ok(Stale),
            0 => Err(link.lost(DOING, "the server ended it".to_owned())),
            // Limits, busy, unavailable: about the server, not about the cookie.
            3 | 4 | 11 | 51 | 52 => {
                Err(link.broken_off(DOING, self.named.as_ref().map_or(0, HashSet::len), outcome))
            }
            _ if self.resumed && self.named.is_some() => Ok(Stale),
            _ => Err(link.broken_off(DOING, self.named.as_ref().map_or(0, HashSet::len), outcome)),
        }
    }
}
