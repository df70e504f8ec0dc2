//! Many to one and one to many, QoS 0.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use anyhow::Result;

use crate::frame;
use crate::link::{Entrance, Link};
use crate::server::Server;
use crate::tally::{Crew, Figures, Tally, Watch};

/// Messages that all publishers of a fan-in together may have under way, and those of one write.
const INWARD: u64 = 5000;
const BURST: u64 = 20;
/// Messages that the publisher of a fan-out may be ahead of the average subscriber.
const OUTWARD: u64 = 50;

/// So many publishers send to one subscriber.
pub(crate) async fn inward(
    server: &Server,
    entrance: &Entrance,
    publishers: u64,
    messages: u64,
) -> Result<Figures> {
    let (tally, mut crew) = (Tally::of(messages), Crew::new());
    let mut subscriber = entrance.enter("subscriber", true).await?;
    subscriber.subscribe("b/in/#", 0).await?;
    crew.spawn_local(count(subscriber, tally.clone()));
    let mut links = Vec::new();
    for at in 0..publishers {
        links.push(entrance.enter(&format!("publisher-{at}"), true).await?);
    }
    let watch = Watch::start(server.pid())?;
    let sent = Rc::new(Cell::new(0));
    for (at, link) in links.into_iter().enumerate() {
        let mut burst = Vec::new();
        for _ in 0..BURST {
            frame::publish(&mut burst, &format!("b/in/{at}"), None, 0);
        }
        crew.spawn_local(burst_after_burst(
            link,
            burst,
            messages / publishers / BURST,
            sent.clone(),
            tally.clone(),
        ));
    }
    tally.settle(&mut crew).await?;
    watch.stop(&tally)
}

async fn burst_after_burst(
    mut link: Link,
    burst: Vec<u8>,
    bursts: u64,
    sent: Rc<Cell<u64>>,
    tally: Rc<Tally>,
) -> Result<Infallible> {
    for _ in 0..bursts {
        while sent.get() + BURST > tally.arrived() + INWARD {
            tally.moved().await;
        }
        sent.set(sent.get() + BURST);
        link.send(&burst).await?;
        // A write to a socket with room does not wait, and the others want their turn.
        tokio::task::yield_now().await;
    }
    std::future::pending().await
}

/// One publisher sends to so many subscribers.
pub(crate) async fn outward(
    server: &Server,
    entrance: &Entrance,
    subscribers: u64,
    messages: u64,
) -> Result<Figures> {
    let (tally, mut crew) = (Tally::of(messages * subscribers), Crew::new());
    for at in 0..subscribers {
        let mut subscriber = entrance.enter(&format!("subscriber-{at}"), true).await?;
        subscriber.subscribe("b/out", 0).await?;
        crew.spawn_local(count(subscriber, tally.clone()));
    }
    let publisher = entrance.enter("publisher", true).await?;
    let watch = Watch::start(server.pid())?;
    crew.spawn_local(one_by_one(publisher, messages, subscribers, tally.clone()));
    tally.settle(&mut crew).await?;
    watch.stop(&tally)
}

async fn one_by_one(mut link: Link, messages: u64, subscribers: u64, tally: Rc<Tally>) -> Result<Infallible> {
    let mut message = Vec::new();
    frame::publish(&mut message, "b/out", None, 0);
    for sent in 0..messages {
        while sent > tally.arrived() / subscribers + OUTWARD {
            tally.moved().await;
        }
        link.send(&message).await?;
    }
    std::future::pending().await
}

async fn count(mut link: Link, tally: Rc<Tally>) -> Result<Infallible> {
    loop {
        let messages = link.read().await?.filter(frame::Frame::is_message).count();
        tally.add(messages as u64);
    }
}
