//! Asked for changes: Active Directory tells which objects changed, and we read those again.
//!
//! What it tells is not fit to be used as it comes: changed attributes only, of the whole domain, without those that it
//! computes, deleted objects under another name. So an answer gives keys. The entries with these keys are read as any
//! other, below our base and through our filter, by the server that can judge every filter; whoever is not found there
//! any more is gone.

use tokio::time::Instant;
use uuid::Uuid;

use super::dirsync::DirSync;
use super::usn::UpdateNumbers;
use super::watch::{Again, Watch};
use super::{Kind, Protocol, listing};
use crate::assertion::Filter;
use crate::entry::Entry;
use crate::error::Error;
use crate::search::Amount;

/// What has changed since a cookie.
pub(super) struct News {
    pub(super) entries: Vec<Entry>,
    pub(super) cookie: Vec<u8>,
    /// Whether there is more to be had at once.
    pub(super) more: bool,
}

/// Who is asked, and how.
enum Source {
    DirSync(DirSync),
    UpdateNumbers(UpdateNumbers),
}

/// Follows until the connection ends. A cookie that the server does not take is dropped, and everything is told anew.
pub(super) async fn follow(
    watch: &Watch,
    protocol: Protocol,
    cookie: Option<Vec<u8>>,
) -> Result<Again, Error> {
    let mut source = match protocol {
        Protocol::UpdateNumbers => Source::UpdateNumbers(UpdateNumbers::at(watch).await?),
        _ => Source::DirSync(DirSync::at(watch)),
    };
    let mut cookie = cookie;
    let mut fresh = false;
    let mut listed = Instant::now();
    loop {
        let due = source.is_blind() && listed.elapsed() >= watch.how().list_every;
        let Some(since) = cookie.take().filter(|_| !due) else {
            let start = source.now(watch).await?;
            listing::everything(watch).await?;
            listed = Instant::now();
            watch.checkpoint(protocol, start.clone()).await;
            (cookie, fresh) = (Some(start), true);
            continue;
        };
        match source.since(watch, &since).await {
            Ok(news) if tell(watch, &news).await? => {
                // Cookies differ from one moment to the next; an older one is as good where nothing happened.
                if !news.entries.is_empty() {
                    watch.checkpoint(protocol, news.cookie.clone()).await;
                }
                (cookie, fresh) = (Some(news.cookie), false);
                if !news.more {
                    tokio::time::sleep(watch.how().ask_every).await;
                }
            }
            // The filter looks at groups, and groups have changed: who passes it now only a list can say.
            Ok(_) => {}
            // A cookie of another time or another server, unless it was given to us a moment ago.
            Err(Error::Refused { code, text, .. }) if !matches!(code, 51 | 52) && !fresh => {
                tracing::info!(code, text, "The directory tells everything anew");
            }
            Err(error) => return Err(error),
        }
    }
}

impl Source {
    /// A cookie for this moment.
    async fn now(&mut self, watch: &Watch) -> Result<Vec<u8>, Error> {
        match self {
            Self::DirSync(source) => source.now(watch).await,
            Self::UpdateNumbers(source) => source.now(watch).await,
        }
    }

    async fn since(&mut self, watch: &Watch, cookie: &[u8]) -> Result<News, Error> {
        match self {
            Self::DirSync(source) => source.since(watch, cookie).await,
            Self::UpdateNumbers(source) => source.since(watch, cookie).await,
        }
    }

    /// Whether deletions may go unnoticed.
    fn is_blind(&self) -> bool {
        match self {
            Self::DirSync(source) => source.is_blind(),
            Self::UpdateNumbers(_) => true,
        }
    }
}

/// Objects read again in one search.
const AT_ONCE: usize = 64;

/// Tells what became of what changed; false where that cannot be known from these entries.
async fn tell(watch: &Watch, news: &News) -> Result<bool, Error> {
    let is_group = |entry: &Entry| entry.holds("member") || entry.has("objectClass", "group");
    if looks_at_groups(watch) && news.entries.iter().any(is_group) {
        return Ok(false);
    }
    let mut keys: Vec<Uuid> = Vec::new();
    for entry in &news.entries {
        match entry.id("objectGUID") {
            Ok(Some(id)) => keys.push(id),
            // Without a key it cannot be found again.
            _ => return Ok(false),
        }
    }
    keys.sort();
    keys.dedup();
    for keys in keys.chunks(AT_ONCE) {
        read_again(watch, keys).await?;
    }
    Ok(true)
}

async fn read_again(watch: &Watch, keys: &[Uuid]) -> Result<(), Error> {
    // Microsoft writes the first three fields low byte first (MS-DTYP §2.3.4.2).
    let any = keys.iter().map(|key| Filter::equal("objectGUID", key.to_bytes_le())).collect();
    let page = watch.watcher.inner.settings.page_size;
    let search = watch.search(Some(Filter::Any(any)), Amount::All { page });
    let found = search.run(&watch.link).await?;
    let mut gone: Vec<Uuid> = keys.to_vec();
    for entry in found.entries {
        if let Ok(Some(id)) = entry.id("objectGUID") {
            gone.retain(|key| *key != id);
            watch.tell(entry, Some(id)).await?;
        }
    }
    if !found.unreadable.is_empty() {
        for dn in &found.unreadable {
            watch.skip(dn, None, "it is not readable".to_owned()).await;
        }
        return Ok(());
    }
    for id in gone {
        watch.gone(id).await;
    }
    Ok(())
}

/// Whether the filter asks of people which groups they are in. Active Directory changes the group then, not the person.
fn looks_at_groups(watch: &Watch) -> bool {
    let looked_at = watch.watcher.inner.user_filter.attributes();
    watch.kind() == Kind::People
        && looked_at.iter().any(|attribute| attribute.eq_ignore_ascii_case("memberOf"))
}

/// The naming context that holds our base: only of a whole one can changes be asked.
pub(super) fn naming_context(watch: &Watch) -> String {
    let base = watch.watcher.inner.settings.base.to_lowercase();
    let holds = |context: &&String| {
        let context = context.to_lowercase();
        base == context || base.ends_with(&format!(",{context}"))
    };
    let contexts = watch.root.texts("namingContexts");
    let longest = contexts.iter().filter(holds).max_by_key(|context| context.len());
    longest.cloned().unwrap_or_else(|| watch.watcher.inner.settings.base.clone())
}
