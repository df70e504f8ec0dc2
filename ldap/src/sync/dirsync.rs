//! DirSync: the control that asks Active Directory for changes since a cookie (MS-ADTS §3.1.1.3.4.1.3).

use super::active_directory::{News, naming_context};
use super::watch::Watch;
use crate::answer::Answer;
use crate::assertion::Filter;
use crate::ber::{self, INTEGER, OCTETS, SEQUENCE};
use crate::entry::Entry;
use crate::error::Error;
use crate::link::Said;
use crate::request::{Control, Scope};
use crate::search::{Amount, Search};

/// The name of the control, asked and answered.
pub(crate) const DIRSYNC: &str = "1.2.840.113556.1.4.841";

/// One way to ask.
pub(super) struct DirSync {
    context: String,
    /// As far as the account may read, where it has no right to replicate.
    object_security: bool,
}

const DOING: &str = "asking what changed";
const INSUFFICIENT_ACCESS: u32 = 50;
const OBJECT_SECURITY: u32 = 1;
/// The most bytes of attributes that one answer should have.
const MOST_BYTES: u32 = 1_000_000;

impl DirSync {
    pub(super) fn at(watch: &Watch) -> Self {
        Self { context: naming_context(watch), object_security: false }
    }

    /// Deleted objects are not for everybody's eyes.
    pub(super) fn is_blind(&self) -> bool {
        self.object_security
    }

    /// A cookie for this moment. Only deletions are asked for on the way to it, which are few, and thrown away.
    pub(super) async fn now(&mut self, watch: &Watch) -> Result<Vec<u8>, Error> {
        let mut cookie = Vec::new();
        loop {
            let news = self.ask(watch, &cookie, vec!["isDeleted".to_owned()]).await?;
            if !news.more {
                return Ok(news.cookie);
            }
            cookie = news.cookie;
        }
    }

    pub(super) async fn since(&mut self, watch: &Watch, cookie: &[u8]) -> Result<News, Error> {
        // A change of whatever is not asked for is not told, and the filter may look at anything.
        self.ask(watch, cookie, vec!["*".to_owned()]).await
    }

    async fn ask(&mut self, watch: &Watch, cookie: &[u8], attributes: Vec<String>) -> Result<News, Error> {
        match self.ask_once(watch, cookie, attributes.clone()).await {
            Err(Error::Refused { code: INSUFFICIENT_ACCESS, .. }) if !self.object_security => {
                tracing::info!("Without the right to replicate, deletions are found by listing");
                self.object_security = true;
                self.ask_once(watch, cookie, attributes).await
            }
            outcome => outcome,
        }
    }

    async fn ask_once(&self, watch: &Watch, cookie: &[u8], attributes: Vec<String>) -> Result<News, Error> {
        let link = &watch.link;
        let search = Search {
            doing: DOING,
            base: self.context.clone(),
            scope: Scope::Whole,
            // Deleted objects pass no filter with a "not" in it.
            filter: Filter::present("objectClass"),
            attributes,
            amount: Amount::Whole,
            controls: vec![self.request(cookie)],
        };
        let answers = async {
            let mut entries = Vec::new();
            let mut answers = search.ask(link);
            loop {
                match answers.next().await? {
                    Said::Entry(answer) => entries.push(
                        Entry::read(answer)
                            .map_err(|dn| link.lost(DOING, format!("{dn} is not readable")))?,
                    ),
                    Said::Reference | Said::Intermediate(_) => {}
                    Said::Done(done) => return Ok((entries, done)),
                }
            }
        };
        let (entries, done) =
            tokio::time::timeout(link.limit(), answers).await.map_err(|_| link.timed_out(DOING))??;
        if done.outcome.code != 0 {
            return Err(link.broken_off(DOING, entries.len(), &done.outcome));
        }
        let (more, cookie) =
            read(&done.answer).ok_or_else(|| link.lost(DOING, "its answer has no cookie".to_owned()))?;
        Ok(News { entries, cookie, more })
    }

    /// Flags, most bytes, cookie.
    fn request(&self, cookie: &[u8]) -> Control {
        let flags = if self.object_security { OBJECT_SECURITY } else { 0 };
        let mut value = Vec::new();
        ber::wrap(&mut value, SEQUENCE, |out| {
            ber::number(out, INTEGER, flags);
            ber::number(out, INTEGER, MOST_BYTES);
            ber::put(out, OCTETS, cookie);
        });
        Control { name: DIRSYNC, critical: true, value: Some(value) }
    }
}

/// Whether there is more, and the next cookie.
fn read(done: &Answer) -> Option<(bool, Vec<u8>)> {
    let mut parts = done.control(DIRSYNC)?.enter(SEQUENCE)?;
    let more = parts.value(INTEGER)?.iter().any(|byte| *byte != 0);
    let _length = parts.value(INTEGER)?;
    Some((more, parts.value(OCTETS)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::SEARCH_DONE;

    #[test]
    fn an_answer_without_a_cookie_is_none() {
        let read = |value: &[u8]| super::read(&Answer::of(SEARCH_DONE, b"").with_control(DIRSYNC, value));
        assert_eq!(read(b"\x30\x0e\x02\x01\x01\x02\x01\x00\x04\x06cookie"), Some((true, b"cookie".to_vec())));
        assert_eq!(
            read(b"\x30\x0e\x02\x01\x00\x02\x01\x00\x04\x06cookie"),
            Some((false, b"cookie".to_vec()))
        );
        assert_eq!(read(b"\x30\x06\x02\x01\x01\x02\x01\x00"), None);
        assert_eq!(read(b"nonsense"), None);
        assert_eq!(super::read(&Answer::of(SEARCH_DONE, b"")), None);
    }
}
