//! One MQTT client at a door: bytes in, bytes out, and between them the machine, the house and the bell.
//!
//! A conversation is one task that takes turns: hear the client, hear the house, deliver, write. Buffers belong to
//! the thread that takes the turn, so a connection at rest holds none. All that came in one read is judged as one
//! batch; what must be on disk first is answered when it is, and meanwhile more may be read. Where the house must be
//! asked something that takes its time (who is this, chat, a subscription) nothing more is heard from the client
//! until the answer, which is all the flow control there is.

mod delivery;
mod hearing;
mod scratch;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use super::challenge::Challenge;
use super::greet::{Greeted, Visitor};
use super::hall::Hall;
use super::limits::Place;
use crate::broker::{Attached, Bell, Committing};
use crate::chat::{Page, Refusal, Tracks};
use crate::journal::{JournalError, Message};
use crate::metrics::METRICS;
use crate::mqtt::{Connect, Connection, Event, Qos, Reason, Will};
use crate::principal::Principal;
use crate::store::StoreError;
use crate::time;
use delivery::Delivery;
use scratch::{SCRATCH, Scratch};

/// A client that has not read anything for this long, though there was something, is gone.
const STALL: Duration = Duration::from_secs(30);
/// How many batches of one client may be on their way to the disk.
const ON_THE_WAY: usize = 64;
/// How often one turn reads before others get theirs.
const READS: usize = 8;
/// How long the last words may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Bytes that a client may still have been saying when it was told that it is over.
const UNHEARD: u64 = 1 << 20;

/// Serves one client until either side has had enough.
pub(crate) async fn serve<S>(hall: Arc<Hall>, stream: S, visitor: Visitor, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let _here = hall.gate.arrive(visitor.door, visitor.address, time::monotonic());
    let crew = hall.crew.clone();
    let conversation = Box::new(Conversation::new(hall, stream, visitor));
    let bell = conversation.bell.clone();
    let mut over = crew.look_after(conversation.hold());
    tokio::select! {
        () = &mut over => return,
        _ = stop.changed() => bell.end(Reason::ServerShuttingDown),
    };
    over.await;
}

struct Conversation<S> {
    hall: Arc<Hall>,
    stream: S,
    machine: Connection,
    bell: Arc<Bell>,
    visitor: Arc<Visitor>,
    /// What the client was asked and has not answered.
    challenged: Option<Box<Challenged>>,
    /// Who it is, once let in.
    guest: Option<Box<Guest>>,
    /// What came of a packet that is not whole yet.
    input: BytesMut,
    /// Heard, but not looked at: the house is being asked.
    events: VecDeque<Event>,
    /// A question that must be answered before the next event is looked at.
    asked: Option<BoxFuture<'static, Done>>,
    /// What the house fetches or settles meanwhile.
    errands: Vec<BoxFuture<'static, Done>>,
    /// The house was asked something since it was last listened to.
    fresh: bool,
    /// Whoever was rung is to hear the client's messages before the client hears that they were taken.
    others_first: bool,
    /// What is to be said to the client when it is on disk, in this order.
    commits: VecDeque<Commit>,
    delivery: Delivery,
    alarm: Pin<Box<Sleep>>,
    stalled_since: Option<Instant>,
    /// Until when the client is not read, for it published more than its account may.
    paused: Option<Instant>,
    /// TLS may hold back what was written.
    unflushed: bool,
}

/// A challenge, and the CONNECT that waits for the answer; none where a guest proves itself anew.
struct Challenged {
    challenge: Challenge,
    connect: Option<Connect>,
}

struct Guest {
    who: Principal,
    attached: Attached,
    /// Whether its session outlives the connection.
    durable: bool,
    tracks: Tracks,
    /// What is to be published when the connection is lost; nothing once the client has said goodbye.
    will: Option<Box<Will>>,
    /// A session expiry given with DISCONNECT.
    expiry: Option<u32>,
    /// Among the connections of its account, which is charged for what it publishes.
    place: Place,
}

/// A question to the disk, and what to say after its answer.
struct Commit {
    done: Committing,
    then: Then,
}

enum Then {
    /// Acknowledge these publications.
    Answer(Vec<(u16, Qos, Result<Reason, Refusal>)>),
    /// PUBREL for deliveries that the client has.
    Release(Vec<u16>),
    /// PUBCOMP for messages whose identifiers are forgotten.
    Complete(Vec<u16>),
}

/// What the house answered.
enum Done {
    Greeted(Box<Result<Greeted, Reason>>),
    ProvenAgain(Result<(), Reason>),
    Published(Vec<(Option<u16>, Qos, Result<(), Refusal>)>),
    Subscribed(u16, Result<Vec<Result<Qos, Reason>>, Refusal>, usize),
    /// For each filter whether there was one; an error where that could not be written.
    Unsubscribed(u16, Vec<Result<bool, ()>>),
    Fetched(Result<Page, StoreError>),
    Read(Result<Vec<(u64, Message)>, JournalError>),
    Settled(Result<(), StoreError>),
}

/// How a step of a turn went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Moved,
    Still,
    /// The line is dead.
    Broken,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Conversation<S> {
    fn new(hall: Arc<Hall>, stream: S, visitor: Visitor) -> Self {
        let machine = Connection::new(hall.limits, time::monotonic());
        let due = machine.deadline().map_or_else(|| Instant::now() + STALL, Instant::from_std);
        Self {
            hall,
            stream,
            machine,
            bell: Arc::default(),
            visitor: Arc::new(visitor),
            challenged: None,
            guest: None,
            input: BytesMut::new(),
            events: VecDeque::new(),
            asked: None,
            errands: Vec::new(),
            fresh: false,
            others_first: false,
            commits: VecDeque::new(),
            delivery: Delivery::default(),
            alarm: Box::pin(tokio::time::sleep_until(due)),
            stalled_since: None,
            paused: None,
            unflushed: false,
        }
    }

    /// From the first turn to the farewell.
    async fn hold(mut self: Box<Self>) {
        poll_fn(|cx| self.turn(cx)).await;
        // In a box of its own: room for the farewell is not to be held all the time.
        Box::pin(self.leave()).await;
    }

    /// Does all that can be done now; ready when the conversation is over.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.lend(self.machine.output());
            let over = self.take_turn(cx, scratch);
            let (came, went) = self.machine.take_packets();
            METRICS.packets_received.add(came);
            METRICS.packets_sent.add(went);
            scratch.take_back(self.machine.output());
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    /// Says whether it is over.
    fn take_turn(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> bool {
        // What was held back while others had their turns.
        if self.write(cx) == Step::Broken {
            return true;
        }
        let mut reads = 0;
        loop {
            self.answer_bell(cx);
            let house = self.hear_house(cx);
            let client = if reads < READS { self.hear_client(cx, scratch) } else { Step::Still };
            reads += usize::from(client == Step::Moved);
            self.deliver();
            if std::mem::take(&mut self.others_first) {
                cx.waker().wake_by_ref();
                return false;
            }
            let written = if self.machine.is_over() { Step::Still } else { self.write(cx) };
            if self.machine.is_over() || client == Step::Broken || written == Step::Broken {
                return true;
            }
            if [house, client, written].contains(&Step::Moved) || self.fresh {
                continue;
            }
            if reads >= READS {
                cx.waker().wake_by_ref();
            }
            let dead = self.watch_time(cx);
            if dead || !self.fresh {
                return dead;
            }
        }
    }

    /// The rest of the house calls.
    fn answer_bell(&mut self, cx: &mut Context<'_>) {
        let rung = self.bell.answer(cx.waker());
        self.delivery.parcels_wait |= rung.queue();
        self.delivery.rows_wait |= rung.rows();
        if rung.end() {
            let reason = self.bell.ending().unwrap_or(Reason::SessionTakenOver);
            self.machine.disconnect(reason, None);
        }
    }

    /// Reads once, and looks at what came.
    fn hear_client(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Step {
        if self.is_busy() {
            return Step::Still;
        }
        let buffer = match scratch.read(Pin::new(&mut self.stream), cx) {
            Poll::Pending => return Step::Still,
            Poll::Ready(Ok([])) | Poll::Ready(Err(_)) => return Step::Broken,
            Poll::Ready(Ok(came)) => {
                self.input.extend_from_slice(came);
                METRICS.bytes_received.add(came.len() as u64);
                came.len()
            }
        };
        self.heard_again();
        self.parse(buffer);
        Step::Moved
    }

    /// Whether nothing more is to be heard from the client for now.
    fn is_busy(&mut self) -> bool {
        self.asked.is_some() || self.paused.is_some() || !self.events.is_empty() || self.commits.len() >= ON_THE_WAY
            // A client that does not read what it is sent is not heard either.
            || self.machine.output().len() >= delivery::ENOUGH
    }

    /// What the house has answered since.
    fn hear_house(&mut self, cx: &mut Context<'_>) -> Step {
        self.fresh = false;
        let mut moved = Step::Still;
        while let Some(commit) = self.commits.front_mut() {
            let Poll::Ready(done) = Pin::new(&mut commit.done).poll(cx) else { break };
            let done = done.unwrap_or(Err(JournalError::Closed));
            if let Some(Commit { then, .. }) = self.commits.pop_front() {
                self.committed(then, done);
            }
            moved = Step::Moved;
        }
        if let Some(Poll::Ready(done)) = self.asked.as_mut().map(|asked| asked.as_mut().poll(cx)) {
            self.asked = None;
            self.take(done);
            moved = Step::Moved;
        }
        let mut at = 0;
        while let Some(errand) = self.errands.get_mut(at) {
            let Poll::Ready(done) = errand.as_mut().poll(cx) else {
                at += 1;
                continue;
            };
            drop(self.errands.swap_remove(at));
            self.take(done);
            moved = Step::Moved;
        }
        if moved == Step::Moved {
            self.look_at_events(0);
        }
        moved
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Step {
        let mut moved = Step::Still;
        while !self.machine.output().is_empty() {
            let stream = Pin::new(&mut self.stream);
            match stream.poll_write(cx, self.machine.output()) {
                Poll::Pending => break,
                Poll::Ready(Ok(0) | Err(_)) => return Step::Broken,
                Poll::Ready(Ok(count)) => {
                    scratch::written(self.machine.output(), count);
                    METRICS.bytes_sent.add(count as u64);
                    (self.stalled_since, self.unflushed, moved) = (None, true, Step::Moved);
                }
            }
        }
        if self.unflushed && self.machine.output().is_empty() {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => return Step::Broken,
            }
        }
        moved
    }

    /// Sees that somebody looks again when something is due though nothing happens; says whether the line is dead.
    fn watch_time(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let due = self.deadline();
            if due < self.alarm.deadline() {
                self.alarm.as_mut().reset(due);
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                return false;
            }
            if self.paused.take_if(|until| Instant::now() >= *until).is_some() {
                self.fresh = true; // It is read before its silence is judged.
                return false;
            }
            let mut events = Vec::new();
            if self.paused.is_none() {
                self.machine.tick(time::monotonic(), &mut events);
            }
            self.events.extend(events);
            self.look_at_events(0);
            if self.stalled_since.is_some_and(|since| Instant::now() >= since + STALL) {
                tracing::info!(door = self.visitor.door, "a client that does not read was closed");
                return true;
            }
            if self.machine.is_over() {
                return true;
            }
            let due = self.deadline();
            self.alarm.as_mut().reset(due);
        }
    }

    /// The next moment at which something is due even if nothing happens.
    fn deadline(&mut self) -> Instant {
        // While it is not read, its silence is none.
        let silence = self.paused.or_else(|| self.machine.deadline().map(Instant::from_std));
        if !self.unflushed && self.machine.output().is_empty() {
            // A day: there is nothing to wait for but the client.
            return silence
                .unwrap_or_else(|| self.alarm.deadline().max(Instant::now() + Duration::from_secs(86_400)));
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        silence.map_or(since + STALL, |silence| silence.min(since + STALL))
    }

    /// Says the last words, settles what was acknowledged, sees to the will, and gives the session back.
    async fn leave(mut self: Box<Self>) {
        let mut parted = false;
        if self.machine.is_over() {
            let last = async {
                self.stream.write_all_buf(self.machine.output()).await?;
                self.stream.shutdown().await
            };
            parted = matches!(tokio::time::timeout(GOODBYE, last).await, Ok(Ok(())));
        }
        _ = tokio::time::timeout(Duration::from_secs(5), poll_fn(|cx| self.hear_out(cx))).await;
        if let Some(guest) = self.guest.take() {
            give_back(&self.hall.clone(), *guest).await;
        }
        // A socket that is closed with something unread in it resets the connection, and the reset overtakes our last
        // words. So the client closes first, unless it takes its time or the house itself is closing.
        if parted && self.bell.ending() != Some(Reason::ServerShuttingDown) {
            let (mut rest, mut nowhere) = ((&mut self.stream).take(UNHEARD), tokio::io::sink());
            _ = tokio::time::timeout(GOODBYE, tokio::io::copy(&mut rest, &mut nowhere)).await;
        }
    }

    /// What was heard before the line broke still counts: acknowledgements, publications, a goodbye.
    fn hear_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Over already, or now: nothing is delivered any more.
        self.machine.disconnect(Reason::ServerShuttingDown, None);
        self.look_at_events(0);
        while self.hear_house(cx) == Step::Moved || self.fresh {}
        match self.asked.is_none() && self.errands.is_empty() && self.commits.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// Sees to the will, and gives the session back.
async fn give_back(hall: &Hall, guest: Guest) {
    let now = time::now();
    let most = hall.broker.config().longest_expiry();
    let expiry = guest.expiry.map(|seconds| seconds.min(most));
    if let Err(error) = hall.broker.detach(&guest.attached, expiry, now).await {
        tracing::error!(%error, "the end of a session could not be kept");
    }
    let account = guest.attached.session.account;
    match guest.will {
        None => hall.broker.forget_will(&guest.attached),
        Some(will) => hall.chat.last_will(guest.who, guest.attached, *will).await,
    }
    hall.chat.announce(account);
}
