//! Listed: everything, page by page (RFC 2696), for servers that do not tell what changed.

use std::collections::HashSet;

use super::Protocol;
use super::watch::{Again, Watch};
use crate::error::Error;
use crate::search::Amount;

/// Lists everything again and again until the connection ends.
pub(super) async fn follow(watch: &Watch) -> Result<Again, Error> {
    loop {
        everything(watch).await?;
        // There is nothing to go on from, but what came before belongs together.
        watch.checkpoint(Protocol::Polling, Vec::new()).await;
        tokio::time::sleep(watch.how().list_every).await;
    }
}

/// Tells of everything that is there, and at the end that this was all.
pub(super) async fn everything(watch: &Watch) -> Result<(), Error> {
    let page = watch.watcher.inner.settings.page();
    let search = watch.search(None, Amount::All { page });
    let mut pages = search.pages(&watch.link);
    let (mut named, mut nameless) = (HashSet::new(), 0);
    while let Some(page) = pages.next().await? {
        for dn in page.unreadable {
            watch.skip(&dn, None, "it is not readable".to_owned()).await;
            nameless += 1;
        }
        for entry in page.entries {
            let dn = entry.dn.clone();
            match watch.tell(entry, None).await? {
                Some(id) if !named.insert(id) => {
                    watch.skip(&dn, Some(id), format!("another entry has the id {id} too")).await;
                }
                Some(_) => {}
                None => nameless += 1,
            }
        }
    }
    if nameless == 0 {
        watch.present(named).await;
    } else {
        // An entry without a readable key might be anybody.
        tracing::warn!(
            entries = nameless,
            "Nobody is taken for gone, because entries without an id may be anybody"
        );
    }
    Ok(())
}
