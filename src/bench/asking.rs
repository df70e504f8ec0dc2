//! Many clients who ask over HTTP, each on a connection of its own: the next request when the last one was answered.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use anyhow::Result;
use bytes::Bytes;

use crate::server::Server;
use crate::tally::{Crew, Figures, Tally, Watch};
use crate::web::{Site, Web};

/// Clients that ask at a time.
const CLIENTS: usize = 256;

/// Connects everybody, then asks everything; each answer is shown to `heard`.
pub(crate) async fn run(
    server: &Server,
    site: &Site,
    requests: Vec<Bytes>,
    heard: impl Fn(Bytes) -> Result<()> + 'static,
) -> Result<Figures> {
    let (tally, mut crew) = (Tally::of(requests.len() as u64), Crew::new());
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(site.enter().await?);
    }
    let (requests, heard) = (Rc::new(RefCell::new(requests.into_iter())), Rc::new(heard));
    let watch = Watch::start(server.pid())?;
    for web in clients {
        crew.spawn_local(one(web, requests.clone(), heard.clone(), tally.clone()));
    }
    tally.settle(&mut crew).await?;
    watch.stop(&tally)
}

async fn one(
    mut web: Web,
    requests: Rc<RefCell<impl Iterator<Item = Bytes>>>,
    heard: Rc<impl Fn(Bytes) -> Result<()>>,
    tally: Rc<Tally>,
) -> Result<Infallible> {
    loop {
        let next = requests.borrow_mut().next();
        let Some(request) = next else { return std::future::pending().await };
        let begun = tally.now();
        heard(web.ask(&request).await?)?;
        tally.add_latency(tally.now() - begun);
        tally.add(1);
    }
}
