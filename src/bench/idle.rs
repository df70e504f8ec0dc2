//! Connections that only stand: how fast they come, and what each costs the server's memory.

use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::link::{Entrance, Link};
use crate::process;
use crate::server::Server;
use crate::tally::{Figures, Tally, Watch};

/// Connections that are made at a time.
const AT_ONCE: u64 = 50;
const PATIENCE: Duration = Duration::from_secs(10);
/// How long they rest before the memory is read: a server may give buffers back a little later.
const REST: Duration = Duration::from_secs(3);

/// Makes so many connections to a server that was just started and holds them. One has come when it was accepted, and
/// counts as arrived when it also answers a ping at the end.
pub(crate) async fn run(server: &Server, entrance: &Entrance, connections: u64) -> Result<Figures> {
    let tally = Tally::of(connections);
    let before = process::resident_kib(server.pid())?;
    let watch = Watch::start(server.pid())?;
    let mut links = Vec::new();
    let mut at = 0;
    while at < connections {
        let end = connections.min(at + AT_ONCE);
        links.extend(several(entrance, at..end, &tally).await?);
        at = end;
    }
    let mut figures = watch.stop(&tally)?;
    tokio::time::sleep(REST).await;
    figures.resident_kib = process::resident_kib(server.pid())?;
    figures.kib_each = Some(figures.resident_kib.saturating_sub(before) as f64 / links.len().max(1) as f64);
    figures.arrived = 0;
    for link in &mut links {
        let answered = tokio::time::timeout(PATIENCE, link.ping()).await;
        figures.arrived += u64::from(matches!(answered, Ok(Ok(()))));
    }
    Ok(figures)
}

async fn several(entrance: &Entrance, which: std::ops::Range<u64>, tally: &Tally) -> Result<Vec<Link>> {
    let mut coming = JoinSet::new();
    for at in which {
        let entrance = entrance.clone();
        coming.spawn_local(async move {
            tokio::time::timeout(PATIENCE, entrance.enter(&format!("idle-{at}"), true)).await
        });
    }
    let mut links = Vec::new();
    while let Some(link) = coming.join_next().await {
        links.push(link???);
        tally.add(1);
    }
    Ok(links)
}
