//! Searching: a question to one connection, and the whole answer or an error.
//!
//! Lists are read page by page (RFC 2696). Only result 0 makes an answer whole; whatever else ends a list, its
//! beginning is thrown away, because an employer would take everybody missing from it for dismissed.

use crate::answer::{Answer, Outcome};
use crate::assertion::Filter;
use crate::ber::{self, INTEGER, OCTETS, SEQUENCE};
use crate::entry::Entry;
use crate::error::Error;
use crate::link::{Answers, Done, Link, Said};
use crate::request::{Control, Question, Scope};

/// One question.
pub(crate) struct Search {
    pub(crate) doing: &'static str,
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) filter: Filter,
    pub(crate) attributes: Vec<String>,
    pub(crate) amount: Amount,
    /// What else is asked of the server.
    pub(crate) controls: Vec<Control>,
}

/// How much is wanted.
#[derive(Clone, Copy)]
pub(crate) enum Amount {
    /// Everything, in pages of this size.
    All { page: u32 },
    /// Everything, at once.
    Whole,
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

/// What is asked of the entry without a name (RFC 4512 §5.1); the last three are Active Directory's.
const ROOT_DSE: [&str; 9] = [
    "vendorName",
    "vendorVersion",
    "supportedControl",
    "supportedCapabilities",
    "namingContexts",
    "subschemaSubentry",
    "defaultNamingContext",
    "dsServiceName",
    "highestCommittedUSN",
];

impl Search {
    /// What the server can do.
    pub(crate) fn root_dse() -> Self {
        Self {
            doing: "asking what the server can do",
            base: String::new(),
            scope: Scope::Base,
            filter: Filter::present("objectClass"),
            attributes: ROOT_DSE.map(str::to_owned).to_vec(),
            amount: Amount::AtMost(1),
            controls: Vec::new(),
        }
    }

    /// Whether there is anybody.
    pub(crate) fn anybody(base: &str, filter: &Filter) -> Self {
        Self {
            doing: "looking for one person",
            base: base.to_owned(),
            scope: Scope::Whole,
            filter: filter.clone(),
            // No attributes at all (RFC 4511 §4.5.1.8).
            attributes: vec!["1.1".to_owned()],
            amount: Amount::AtMost(1),
            controls: Vec::new(),
        }
    }

    /// One entry by its name.
    pub(crate) fn entry(doing: &'static str, dn: &str, attributes: &[&str]) -> Self {
        Self {
            doing,
            base: dn.to_owned(),
            scope: Scope::Base,
            filter: Filter::present("objectClass"),
            attributes: attributes.iter().map(|attribute| (*attribute).to_owned()).collect(),
            amount: Amount::AtMost(1),
            controls: Vec::new(),
        }
    }

    /// Asks, and gathers the whole answer.
    pub(crate) async fn run(&self, link: &Link) -> Result<Found, Error> {
        let mut found = Found::default();
        let mut pages = self.pages(link);
        while let Some(page) = pages.next().await? {
            found.entries.extend(page.entries);
            found.unreadable.extend(page.unreadable);
            found.referrals += page.referrals;
        }
        Ok(found)
    }

    /// Asks page by page. What came before an error is no list, only entries that were there.
    pub(crate) fn pages<'a>(&'a self, link: &'a Link) -> Pages<'a> {
        Pages { search: self, link, cookie: Some(Vec::new()), received: 0, empty: 0 }
    }

    async fn page(
        &self,
        link: &Link,
        cookie: &[u8],
        before: usize,
        found: &mut Found,
    ) -> Result<Done, Error> {
        let mut answers = match self.amount {
            Amount::All { page } => {
                self.ask_with(link, &[&self.controls[..], &[paged(page, cookie)]].concat())
            }
            Amount::AtMost(_) | Amount::Whole => self.ask(link),
        };
        loop {
            match answers.next().await? {
                Said::Entry(answer) => match Entry::read(answer) {
                    Ok(entry) => found.entries.push(entry),
                    Err(name) => found.unreadable.push(name),
                },
                Said::Reference => found.referrals += 1,
                Said::Intermediate(_) => {}
                Said::Done(done) => return Ok(done),
            }
            if before + found.entries.len() + found.unreadable.len() > MOST {
                return Err(link.lost(self.doing, "it sends more than a million entries".to_owned()));
            }
        }
    }

    /// Asks, and leaves it to the caller to fetch the answers.
    pub(crate) fn ask(&self, link: &Link) -> Answers {
        self.ask_with(link, &self.controls)
    }

    fn ask_with(&self, link: &Link, controls: &[Control]) -> Answers {
        let Self { doing, base, scope, filter, attributes, .. } = self;
        let most = if let Amount::AtMost(most) = self.amount { most.into() } else { 0 };
        let question = Question { base, scope: *scope, most, filter, attributes };
        link.ask(doing, controls, |out| question.write(out))
    }

    fn judge(&self, link: &Link, received: usize, outcome: &Outcome) -> Result<(), Error> {
        match (outcome.code, self.amount) {
            (0, _) => Ok(()),
            // sizeLimitExceeded: the limit was ours.
            (4, Amount::AtMost(most)) if received >= usize::from(most) => Ok(()),
            _ => Err(link.broken_off(self.doing, received, outcome)),
        }
    }
}

/// An answer that comes in pages.
pub(crate) struct Pages<'a> {
    search: &'a Search,
    link: &'a Link,
    /// What asks for the next page; nothing after the last.
    cookie: Option<Vec<u8>>,
    received: usize,
    empty: usize,
}

impl Pages<'_> {
    /// The next page; nothing once all of the answer has come.
    pub(crate) async fn next(&mut self) -> Result<Option<Found>, Error> {
        let Some(cookie) = self.cookie.take() else { return Ok(None) };
        let (search, link) = (self.search, self.link);
        let mut found = Found::default();
        let page = search.page(link, &cookie, self.received, &mut found);
        let done = match tokio::time::timeout(link.limit(), page).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(link.timed_out(search.doing)),
        };
        self.received += found.entries.len();
        search.judge(link, self.received, &done.outcome)?;
        if let Amount::All { .. } = search.amount {
            let unreadable = || link.lost(search.doing, "a page has no readable end".to_owned());
            self.cookie =
                Some(next_page(&done.answer).ok_or_else(unreadable)?).filter(|next| !next.is_empty());
        }
        self.empty += usize::from(found.entries.is_empty());
        if self.empty > MOST_EMPTY_PAGES {
            return Err(link.lost(search.doing, "its list has no end".to_owned()));
        }
        Ok(Some(found))
    }
}

/// RFC 2696.
const PAGED: &str = "1.2.840.113556.1.4.319";

/// Asks for a page of this size, after the one that came with the cookie.
fn paged(size: u32, cookie: &[u8]) -> Control {
    let mut value = Vec::new();
    ber::wrap(&mut value, SEQUENCE, |out| {
        ber::number(out, INTEGER, size);
        ber::put(out, OCTETS, cookie);
    });
    Control { name: PAGED, critical: false, value: Some(value) }
}

/// The cookie that asks for the next page; empty after the last, and from a server that knows no pages.
fn next_page(done: &Answer) -> Option<Vec<u8>> {
    if !done.has_control(PAGED) {
        return Some(Vec::new());
    }
    let mut parts = done.control(PAGED)?.enter(SEQUENCE)?;
    let _estimate = parts.value(INTEGER)?;
    parts.value(OCTETS).map(<[u8]>::to_vec)
}
