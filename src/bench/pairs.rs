//! Pairs of an author and a recipient, each with a connection of its own, QoS 1.
//!
//! A message counts when its recipient has read it; the acknowledgement is written after each read.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::Notify;

use crate::frame;
use crate::link::{Entrance, Link};
use crate::server::Server;
use crate::tally::{Crew, Figures, Tally, Watch};

/// Bytes after which a batch of publications is written though the window has room.
const BATCH: usize = 16 * 1024;

/// Who talks to whom about what.
pub(crate) struct Pair {
    pub(crate) author: Entrance,
    pub(crate) recipient: Entrance,
    pub(crate) topic: String,
    pub(crate) filter: String,
}

/// What the pairs do.
#[derive(Clone, Copy)]
pub(crate) struct Talk {
    /// Messages of each author.
    pub(crate) messages: u64,
    pub(crate) pace: Pace,
    /// Whether the recipients' sessions outlive their connections.
    pub(crate) lasting: bool,
}

/// When an author may speak.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as answers come: so many publications without a PUBACK, so many on their way to the recipient.
    Window { unacknowledged: u64, under_way: u64 },
    /// One message in each period.
    Every(Duration),
}

/// Connects everybody, then lets them talk.
pub(crate) async fn run(server: &Server, pairs: &[Pair], talk: Talk) -> Result<Figures> {
    let (tally, mut crew) = (Tally::of(talk.messages * pairs.len() as u64), Crew::new());
    let mut authors = Vec::new();
    for (at, pair) in pairs.iter().enumerate() {
        let mut recipient = pair.recipient.enter(&recipient_id(at), !talk.lasting).await?;
        recipient.subscribe(&pair.filter, 1).await?;
        let road = Rc::new(Road::default());
        crew.spawn_local(receive(recipient, road.clone(), tally.clone()));
        let link = pair.author.enter(&format!("author-{at}"), true).await?;
        authors.push(Author { link, topic: pair.topic.clone(), talk, road, tally: tally.clone() });
    }
    let watch = Watch::start(server.pid())?;
    for author in authors {
        match talk.pace {
            Pace::Window { unacknowledged, under_way } => {
                crew.spawn_local(author.press_on(unacknowledged, under_way))
            }
            Pace::Every(period) => crew.spawn_local(author.keep_time(period)),
        };
    }
    tally.settle(&mut crew).await?;
    let figures = watch.stop(&tally)?;
    crew.shutdown().await;
    if talk.lasting {
        forget(pairs).await?;
    }
    Ok(figures)
}

fn recipient_id(at: usize) -> String {
    format!("recipient-{at}")
}

/// Ends the recipients' sessions, which would be owed the messages of later runs: a clean session leaves nothing
/// behind [MQTT-3.1.2-6].
async fn forget(pairs: &[Pair]) -> Result<()> {
    for (at, pair) in pairs.iter().enumerate() {
        pair.recipient.enter(&recipient_id(at), true).await?.send(&frame::DISCONNECT).await?;
    }
    Ok(())
}

/// From an author to a recipient.
#[derive(Default)]
struct Road {
    arrived: Cell<u64>,
    moved: Notify,
}

async fn receive(mut link: Link, road: Rc<Road>, tally: Rc<Tally>) -> Result<Infallible> {
    let mut answers = Vec::new();
    loop {
        let frames = link.read().await?;
        let now = tally.now();
        let mut count = 0;
        for message in frames.filter_map(|frame| frame.message()) {
            count += 1;
            tally.add_latency(now.saturating_sub(message.stamp));
            if let Some(id) = message.id {
                frame::puback(&mut answers, id);
            }
        }
        road.arrived.set(road.arrived.get() + count);
        road.moved.notify_waiters();
        tally.add(count);
        link.send(&answers).await?;
        answers.clear();
    }
}

struct Author {
    link: Link,
    topic: String,
    talk: Talk,
    road: Rc<Road>,
    tally: Rc<Tally>,
}

impl Author {
    async fn press_on(mut self, unacknowledged: u64, under_way: u64) -> Result<Infallible> {
        let (mut sent, mut acknowledged) = (0, 0);
        let mut batch = Vec::new();
        loop {
            let (allowed, now) = (self.talk.messages.min(acknowledged + unacknowledged), self.tally.now());
            while sent < allowed && sent < self.road.arrived.get().saturating_add(under_way) {
                frame::publish(&mut batch, &self.topic, Some(frame::identifier(sent)), now);
                sent += 1;
                if batch.len() > BATCH {
                    self.link.send(&batch).await?;
                    batch.clear();
                }
            }
            if !batch.is_empty() {
                self.link.send(&batch).await?;
                batch.clear();
            }
            tokio::select! {
                frames = self.link.read() => acknowledged += frames?.filter(frame::Frame::is_puback).count() as u64,
                () = self.road.moved.notified(), if sent < allowed => {}
            }
        }
    }

    async fn keep_time(mut self, period: Duration) -> Result<Infallible> {
        let mut ticks = tokio::time::interval(period);
        let mut sent = 0;
        let mut message = Vec::new();
        loop {
            tokio::select! {
                _ = ticks.tick(), if sent < self.talk.messages => {
                    frame::publish(&mut message, &self.topic, Some(frame::identifier(sent)), self.tally.now());
                    sent += 1;
                    self.link.send(&message).await?;
                    message.clear();
                }
                acknowledged = self.link.read() => acknowledged.map(|_| ())?,
            }
        }
    }
}
