//! Update numbers: what one domain controller changed after a number of its own (MS-ADTS §3.1.1.1.9).
//!
//! Every controller counts for itself, and begins a new count when its database is restored; so a cookie carries the
//! identity of the count, `invocationId`, and with another one everything is told anew.

use uuid::Uuid;

use super::active_directory::{News, naming_context};
use super::watch::Watch;
use crate::assertion::Filter;
use crate::entry::Entry;
use crate::error::Error;
use crate::request::{Control, Scope};
use crate::search::{Amount, Search};

/// One controller's count.
pub(super) struct UpdateNumbers {
    context: String,
    count: Uuid,
}

const DOING: &str = "asking what changed";
/// LDAP_SERVER_SHOW_DELETED_OID (MS-ADTS §3.1.1.3.4.1.14).
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";

impl UpdateNumbers {
    /// Refused where the server does not say whose count it is.
    pub(super) async fn at(watch: &Watch) -> Result<Self, Error> {
        let link = &watch.link;
        let unknown = |text: &str| Error::Refused {
            server: link.server().to_owned(),
            doing: DOING,
            code: 53,
            text: text.to_owned(),
        };
        let service = watch.root.text("dsServiceName").ok().flatten();
        let service = service.ok_or_else(|| unknown("it has no dsServiceName"))?;
        let found = Search::entry(DOING, &service, &["invocationId"]).run(link).await?;
        let count = found.entries.first().and_then(|entry| entry.id("invocationId").ok().flatten());
        let count = count.ok_or_else(|| unknown("its invocationId is not readable"))?;
        Ok(Self { context: naming_context(watch), count })
    }

    pub(super) async fn now(&self, watch: &Watch) -> Result<Vec<u8>, Error> {
        Ok(self.cookie(self.highest(watch).await?))
    }

    pub(super) async fn since(&self, watch: &Watch, cookie: &[u8]) -> Result<News, Error> {
        let highest = self.highest(watch).await?;
        let since = self.read(cookie).filter(|since| *since <= highest);
        let Some(since) = since else {
            let (server, text) =
                (watch.link.server().to_owned(), "the cookie is another server's".to_owned());
            return Err(Error::Refused { server, doing: DOING, code: 53, text });
        };
        let entries = if since < highest { self.after(watch, since).await? } else { Vec::new() };
        Ok(News { entries, cookie: self.cookie(highest), more: false })
    }

    async fn after(&self, watch: &Watch, since: u64) -> Result<Vec<Entry>, Error> {
        let search = Search {
            doing: DOING,
            base: self.context.clone(),
            scope: Scope::Whole,
            filter: Filter::AtLeast("uSNChanged".to_owned(), (since + 1).to_string().into_bytes()),
            attributes: ["objectGUID", "objectClass"].map(str::to_owned).to_vec(),
            amount: Amount::All { page: watch.watcher.inner.settings.page_size },
            controls: vec![Control { name: SHOW_DELETED, critical: true, value: None }],
        };
        Ok(search.run(&watch.link).await?.entries)
    }

    async fn highest(&self, watch: &Watch) -> Result<u64, Error> {
        let found = Search::root_dse().run(&watch.link).await?;
        let number = found.entries.first().and_then(|root| root.number("highestCommittedUSN").ok().flatten());
        let number = number.and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| watch.link.lost(DOING, "it no longer counts its changes".to_owned()))
    }

    /// Identity, then the number in eight bytes.
    fn cookie(&self, number: u64) -> Vec<u8> {
        [self.count.as_bytes().as_slice(), &number.to_be_bytes()].concat()
    }

    fn read(&self, cookie: &[u8]) -> Option<u64> {
        let number = cookie.strip_prefix(self.count.as_bytes())?;
        Some(u64::from_be_bytes(number.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_another_controller_is_none() {
        let here = UpdateNumbers { context: String::new(), count: Uuid::from_u128(1) };
        let there = UpdateNumbers { context: String::new(), count: Uuid::from_u128(2) };
        assert_eq!(here.read(&here.cookie(4711)), Some(4711));
        assert_eq!(here.read(&there.cookie(4711)), None);
        assert_eq!(here.read(b"short"), None);
    }
}
