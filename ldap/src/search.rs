//! Searching: a question to one connection, and the whole answer or an error.
//!
//! Lists are read page by page (RFC 2696). Only result 0 makes an answer whole; whatever else ends a list, its
//! beginning is thrown away, because an employer would take everybody missing from it for dismissed.

use ldap3::asn1::{PL, parse_tag};
use ldap3::controls::{Control, ControlType, PagedResults};
use ldap3::{LdapResult, ResultEntry, Scope, SearchOptions};

use crate::diagnostic;
use crate::entry::Entry;
use crate::error::Error;
use crate::link::Link;
use crate::settings::Settings;

/// One question.
pub(crate) struct Search {
    pub(crate) doing: &'static str,
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) filter: String,
    pub(crate) attributes: Vec<String>,
    pub(crate) amount: Amount,
}

/// How much is wanted.
#[derive(Clone, Copy)]
pub(crate) enum Amount {
    /// Everything, in pages of this size.
    All { page: u32 },
    /// This many are enough; that there are more is no fault.
    AtMost(u8),
}

/// The whole answer.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// Entries that broke the protocol: their names, or what is left of them.
    pub(crate) unreadable: Vec<String>,
    /// Parts of the tree that other servers hold, and that were not visited.
    pub(crate) referrals: usize,
}

/// More entries than any organisation has: a server that never stops must not fill the memory.
const MOST: usize = 1_000_000;
/// Active Directory may send pages without entries; one that sends only those never ends.
const MOST_EMPTY_PAGES: usize = 1_000;

impl Search {
    /// What the server can do.
    pub(crate) fn root_dse() -> Self {
        Self {
            doing: "asking what the server can do",
            base: String::new(),
            scope: Scope::Base,
            filter: "(objectClass=*)".to_owned(),
            attributes: ["vendorName", "vendorVersion", "supportedControl"].map(str::to_owned).to_vec(),
            amount: Amount::AtMost(1),
        }
    }

    /// Whether there is anybody.
    pub(crate) fn anybody(settings: &Settings) -> Self {
        Self {
            doing: "looking for one person",
            base: settings.base.clone(),
            scope: Scope::Subtree,
            filter: settings.user_filter.clone(),
            // No attributes at all (RFC 4511 §4.5.1.8).
            attributes: vec!["1.1".to_owned()],
            amount: Amount::AtMost(1),
        }
    }

    /// Asks, and gathers the whole answer.
    pub(crate) async fn run(&self, link: &Link) -> Result<Found, Error> {
        let mut found = Found::default();
        let mut cookie = Vec::new();
        let mut empty_pages = 0;
        loop {
            let before = found.entries.len();
            let result = match tokio::time::timeout(link.limit(), self.page(link, cookie, &mut found)).await {
                Ok(outcome) => outcome?,
                Err(_) => return Err(link.timed_out(self.doing)),
            };
            self.judge(link, &found, &result)?;
            if let Amount::AtMost(_) = self.amount {
                return Ok(found);
            }
            cookie = next_page(&result)
                .ok_or_else(|| link.lost(self.doing, "a page has no readable end".to_owned()))?;
            if cookie.is_empty() {
                return Ok(found);
            }
            empty_pages += usize::from(found.entries.len() == before);
            if empty_pages > MOST_EMPTY_PAGES {
                return Err(link.lost(self.doing, "its list has no end".to_owned()));
            }
        }
    }

    async fn page(&self, link: &Link, cookie: Vec<u8>, found: &mut Found) -> Result<LdapResult, Error> {
        let mut ldap = link.ldap();
        match self.amount {
            Amount::All { page } => {
                let size = i32::try_from(page).unwrap_or(i32::MAX);
                ldap.with_controls(PagedResults { size, cookie });
            }
            Amount::AtMost(most) => {
                ldap.with_search_options(SearchOptions::new().sizelimit(most.into()));
            }
        }
        let failure = |error| link.failure(self.doing, error);
        let asked = ldap.streaming_search(&self.base, self.scope, &self.filter, &self.attributes).await;
        let mut answers = asked.map_err(failure)?;
        while let Some(answer) = answers.next().await.map_err(failure)? {
            self.take(answer, found);
            if found.entries.len() + found.unreadable.len() > MOST {
                return Err(link.lost(self.doing, "it sends more than a million entries".to_owned()));
            }
        }
        Ok(answers.finish().await)
    }

    fn take(&self, answer: ResultEntry, found: &mut Found) {
        if answer.is_ref() {
            found.referrals += 1;
        } else if !answer.is_intermediate() {
            match Entry::read(answer.0) {
                Ok(entry) => found.entries.push(entry),
                Err(name) => found.unreadable.push(name),
            }
        }
    }

    fn judge(&self, link: &Link, found: &Found, result: &LdapResult) -> Result<(), Error> {
        let received = found.entries.len();
        let (code, text) = (result.rc, diagnostic::clean(&result.text));
        match (code, self.amount) {
            (0, _) => Ok(()),
            // sizeLimitExceeded: the limit was ours.
            (4, Amount::AtMost(most)) if received >= usize::from(most) => Ok(()),
            (3 | 4 | 11, _) => Err(Error::Partial { server: link.server().to_owned(), received, code, text }),
            _ if received > 0 => {
                Err(Error::Partial { server: link.server().to_owned(), received, code, text })
            }
            _ => Err(Error::Refused { server: link.server().to_owned(), doing: self.doing, code, text }),
        }
    }
}

/// The cookie that asks for the next page; empty after the last, and from a server that knows no pages.
fn next_page(result: &LdapResult) -> Option<Vec<u8>> {
    let control =
        result.ctrls.iter().find(|Control(known, _)| matches!(known, Some(ControlType::PagedResults)));
    let Some(Control(_, control)) = control else { return Some(Vec::new()) };
    let (_, value) = parse_tag(control.val.as_deref()?).ok()?;
    let PL::C(parts) = value.payload else { return None };
    parts.into_iter().nth(1)?.expect_primitive()
}
