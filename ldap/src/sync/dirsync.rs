//! DirSync: the control that asks Active Directory for changes since a cookie (MS-ADTS §3.1.1.3.4.1.3).

use ldap3::Scope;
use ldap3::asn1::{StructureTag, parse_uint};
use ldap3::controls::{Control, RawControl};

use super::active_directory::{News, naming_context};
use super::content::{element, value};
use super::watch::Watch;
use crate::entry::Entry;
use crate::error::Error;
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
const OBJECT_SECURITY: u8 = 1;
/// The most bytes of attributes that one answer should have.
const MOST_BYTES: [u8; 3] = [0x0f, 0x42, 0x40];

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
            scope: Scope::Subtree,
            // Deleted objects pass no filter with a "not" in it.
            filter: "(objectClass=*)".to_owned(),
            attributes,
            amount: Amount::Whole,
            controls: vec![self.request(cookie)],
        };
        let answers = async {
            let mut entries = Vec::new();
            let mut answers = search.stream(link).await?;
            while let Some(answer) = link.next(&mut answers).await.map_err(|e| link.failure(DOING, e))? {
                if !answer.is_ref() && !answer.is_intermediate() {
                    entries.push(
                        Entry::read(answer.0)
                            .map_err(|dn| link.lost(DOING, format!("{dn} is not readable")))?,
                    );
                }
            }
            Ok((entries, answers.finish().await))
        };
        let (entries, result) =
            tokio::time::timeout(link.limit(), answers).await.map_err(|_| link.timed_out(DOING))??;
        if result.rc != 0 {
            return Err(link.broken_off(DOING, entries.len(), &result));
        }
        let (more, cookie) =
            read(&result.ctrls).ok_or_else(|| link.lost(DOING, "its answer has no cookie".to_owned()))?;
        Ok(News { entries, cookie, more })
    }

    /// Flags, most bytes, cookie.
    fn request(&self, cookie: &[u8]) -> RawControl {
        let flags = if self.object_security { OBJECT_SECURITY } else { 0 };
        let content = [element(2, &[flags]), element(2, &MOST_BYTES), element(4, cookie)].concat();
        RawControl { ctype: DIRSYNC.to_owned(), crit: true, val: Some(element(0x30, &content)) }
    }
}

/// Whether there is more, and the next cookie.
fn read(controls: &[Control]) -> Option<(bool, Vec<u8>)> {
    let mut parts = value(controls, DIRSYNC)?.expect_constructed()?.into_iter();
    let more = parts.next().and_then(StructureTag::expect_primitive)?;
    let (_, more) = parse_uint(&more).ok()?;
    let cookie = parts.nth(1)?.expect_primitive()?;
    Some((more != 0, cookie))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_cookie_is_none() {
        let read = |content: Vec<u8>| {
            let control = RawControl { ctype: DIRSYNC.to_owned(), crit: false, val: Some(content) };
            super::read(&[Control(None, control)])
        };
        let parts = [element(2, &[1]), element(2, &[0]), element(4, b"cookie")];
        assert_eq!(read(element(0x30, &parts.concat())), Some((true, b"cookie".to_vec())));
        assert_eq!(read(element(0x30, &parts[..2].concat())), None);
        assert_eq!(read(b"nonsense".to_vec()), None);
        assert_eq!(super::read(&[]), None);
    }
}
