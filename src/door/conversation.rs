//! One MQTT client at a door: bytes in, bytes out, and between them the machine, the chat and the bell.
//!
//! A conversation is one task. It reads, writes, waits for its bell and for what it asked of the house at the same
//! time, so a slow disk holds up no delivery and a client that does not read holds up nobody else. What a client
//! sends in one go is answered as one unit of work; while that is on its way nothing more is read from the client,
//! which is all the flow control there is.

mod delivery;
mod waiting;

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, Sleep};

use super::greet::{self, Greeted, Visitor};
use super::hall::Hall;
use crate::broker::Attached;
use crate::chat::{Letter, Page, Reader, Refusal, Settled};
use crate::id::AccountId;
use crate::mqtt::{Accept, Connect, Connection, Event, Qos, Reason, Version, Will};
use crate::principal::Principal;
use crate::store::StoreError;
use crate::time;
use delivery::Lately;
use waiting::{Call, Pushed, call, push};

/// How many rows are read for a client at once.
const PAGE: usize = 256;
/// No more is fetched for a client that has this much to read.
const ENOUGH: usize = 256 * 1024;
/// A client that has not read anything for this long, though there was something, is gone.
const STALL: Duration = Duration::from_secs(30);
/// How many units of work of one client may be on their way.
const WORK: usize = 16;
/// Room made for reading: little for a quiet client, more for one that fills it.
const READ_SMALL: usize = 2 * 1024;
const READ_LARGE: usize = 64 * 1024;

/// Serves one client until either side has had enough.
pub(crate) async fn serve<S>(hall: Arc<Hall>, stream: S, visitor: Visitor, stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (reader, writer) = tokio::io::split(stream);
    let machine = Connection::new(hall.limits, time::monotonic());
    let mut conversation = Conversation {
        hall,
        reader,
        writer,
        machine,
        visitor,
        input: BytesMut::new(),
        events: VecDeque::new(),
        work: FuturesUnordered::new(),
        asking: false,
        guest: None,
        place: Reader::default(),
        fetching: false,
        more: false,
        anew: false,
        owed: HashMap::new(),
        sent: Lately::default(),
        unheard: Vec::new(),
        will: None,
        expiry: None,
        stalled_since: None,
        unflushed: false,
    };
    conversation.run(stop).await;
    conversation.leave().await;
}

struct Conversation<S> {
    hall: Arc<Hall>,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    machine: Connection,
    visitor: Visitor,
    input: BytesMut,
    events: VecDeque<Event>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Something that must be answered before the next event is looked at.
    asking: bool,
    /// Who it is, once let in.
    guest: Option<Guest>,
    place: Reader,
    fetching: bool,
    /// There may be something to fetch; it stays so while the client has no room for it.
    more: bool,
    /// What is being fetched was asked for before a subscription changed.
    anew: bool,
    /// Deliveries by packet identifier that the client has not acknowledged.
    owed: HashMap<u16, Settled>,
    /// The last rows that went to this client: they are not sent twice on one line.
    sent: Lately,
    /// Deliveries with QoS 0 after which the client has not been heard yet.
    unheard: Vec<Settled>,
    will: Option<Will>,
    /// A session expiry given with DISCONNECT.
    expiry: Option<u32>,
    stalled_since: Option<Instant>,
    /// TLS may hold back what was written.
    unflushed: bool,
}

struct Guest {
    who: Principal,
    attached: Attached,
    ending: oneshot::Receiver<Reason>,
}

/// What the house answered.
enum Done {
    Greeted(Box<(Result<Greeted, Reason>, Connect)>),
    Published(Vec<(Option<u16>, Result<(), Refusal>)>),
    Subscribed(u16, Result<Vec<Result<Qos, Reason>>, StoreError>, usize),
    /// For each filter whether there was one; an error where that could not be written.
    Unsubscribed(u16, Vec<Result<bool, ()>>),
    Fetched(Result<Page, StoreError>),
    Settled(Result<(), StoreError>),
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Conversation<S> {
    async fn run(&mut self, mut stop: watch::Receiver<bool>) {
        let mut alarm: Pin<Box<Sleep>> = Box::pin(tokio::time::sleep_until(self.deadline()));
        loop {
            self.proceed();
            if self.machine.is_over() {
                return self.say_last().await;
            }
            let reading = !self.asking && self.events.is_empty() && self.work.len() < WORK;
            let writing = self.unflushed || !self.machine.output().is_empty();
            self.make_room(reading);
            let due = self.deadline();
            if due < alarm.deadline() {
                alarm.as_mut().reset(due);
            }
            tokio::select! {
                read = self.reader.read_buf(&mut self.input), if reading => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => self.hear(),
                },
                pushed = push(&mut self.writer, self.machine.output()), if writing => match pushed {
                    Ok(pushed) => self.pushed(pushed),
                    Err(_) => return,
                },
                Some(done) = self.work.next(), if !self.work.is_empty() => self.take(done),
                call = call(&mut self.guest, !self.more) => match call {
                    Call::Bell => self.more = true,
                    Call::Ending(reason) => self.machine.disconnect(reason, None),
                },
                () = &mut alarm => {
                    if self.alarm() {
                        return;
                    }
                    alarm.as_mut().reset(self.deadline());
                }
                _ = stop.changed() => self.machine.disconnect(Reason::ServerShuttingDown, None),
            }
        }
    }

    /// Looks at what has been heard until the house must be asked, then at what is to be delivered.
    fn proceed(&mut self) {
        let mut taken = Vec::new();
        while !self.asking {
            let Some(event) = self.events.pop_front() else { break };
            match event {
                Event::Connect(connect) => self.greet(*connect),
                Event::Publish(first) => self.publish(first),
                Event::Acked { id, .. } => taken.extend(self.owed.remove(&id)),
                Event::Subscribe { id, filters, identifier } => self.subscribe(id, filters, identifier),
                Event::Unsubscribe { id, filters } => self.unsubscribe(id, filters),
                Event::Disconnect { reason, session_expiry } => {
                    if reason != Reason::DisconnectWithWill {
                        self.will = None;
                    }
                    self.expiry = session_expiry;
                }
                Event::Fault { reason, what } => {
                    tracing::info!(door = self.visitor.door, reason = %reason, what, "a connection was closed for a fault");
                }
            }
        }
        self.settle(taken);
        self.deliver();
    }

    /// What came from the client becomes events.
    fn hear(&mut self) {
        let taken = std::mem::take(&mut self.unheard);
        self.settle(taken);
        self.parse();
    }

    fn parse(&mut self) {
        let mut events = Vec::new();
        self.machine.receive(time::monotonic(), &mut self.input, &mut events);
        self.events.extend(events);
    }

    fn greet(&mut self, connect: Connect) {
        let (hall, visitor) = (self.hall.clone(), self.visitor.clone());
        self.ask(async move {
            let greeted = greet::judge(&hall, &visitor, &connect).await;
            Done::Greeted(Box::new((greeted, connect)))
        });
    }

    /// All publications that stand next to each other are one unit of work.
    fn publish(&mut self, first: Letter) {
        let Some(guest) = &self.guest else { return };
        let mut letters = vec![first];
        while let Some(Event::Publish(_)) = self.events.front() {
            if let Some(Event::Publish(letter)) = self.events.pop_front() {
                letters.push(letter);
            }
        }
        let (chat, who, session) =
            (self.hall.chat.clone(), guest.who.clone(), guest.attached.session.clone());
        self.ask(async move {
            let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
            let answers = chat.publish(&who, &session, letters, time::now()).await;
            Done::Published(ids.into_iter().zip(answers).collect())
        });
    }

    fn subscribe(&mut self, id: u16, filters: Vec<crate::mqtt::Subscription>, identifier: Option<u32>) {
        let Some(guest) = &self.guest else { return };
        let (chat, who, session) =
            (self.hall.chat.clone(), guest.who.clone(), guest.attached.session.clone());
        self.ask(async move {
            let asked = filters.len();
            Done::Subscribed(id, chat.subscribe(&who, &session, filters, identifier).await, asked)
        });
    }

    fn unsubscribe(&mut self, id: u16, filters: Vec<String>) {
        let Some(guest) = &self.guest else { return };
        let (broker, session) = (self.hall.broker.clone(), guest.attached.session.clone());
        self.ask(async move {
            let existed = broker.unsubscribe(&session, &filters).await.inspect_err(complain);
            let each = match existed {
                Ok(existed) => existed.into_iter().map(Ok).collect(),
                Err(_) => vec![Err(()); filters.len()],
            };
            Done::Unsubscribed(id, each)
        });
    }

    /// Asks the house something that must be answered before the next event.
    fn ask(&mut self, question: impl Future<Output = Done> + Send + 'static) {
        self.asking = true;
        self.work.push(Box::pin(question));
    }

    /// What the client took is owed no more.
    fn settle(&mut self, taken: Vec<Settled>) {
        let Some(guest) = &self.guest else { return };
        if taken.is_empty() {
            return;
        }
        let (chat, session) = (self.hall.chat.clone(), guest.attached.session.clone());
        self.work
            .push(Box::pin(async move { Done::Settled(chat.settle(&session, taken, time::now()).await) }));
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Greeted(answer) => self.greeted(answer.0, answer.1),
            Done::Published(answers) => {
                self.asking = false;
                answers.into_iter().for_each(|(id, answer)| self.answer(id, answer));
            }
            Done::Subscribed(id, answers, asked) => {
                self.asking = false;
                let failed = || vec![Err(Reason::UnspecifiedError); asked];
                let codes = answers.inspect_err(complain).unwrap_or_else(|_| failed());
                self.read_anew();
                self.machine.suback(id, &codes);
            }
            Done::Unsubscribed(id, existed) => {
                self.asking = false;
                let code = |existed: Result<bool, ()>| match existed {
                    Ok(true) => Reason::Success,
                    Ok(false) => Reason::NoSubscriptionExisted,
                    Err(()) => Reason::UnspecifiedError,
                };
                let codes: Vec<_> = existed.into_iter().map(code).collect();
                self.machine.unsuback(id, &codes);
            }
            Done::Fetched(fetched) => self.fetched(fetched),
            Done::Settled(settled) => _ = settled.inspect_err(complain),
        }
    }

    /// MQTT 3.1.1 has no way to say that a message was not kept but to close: its PUBACK would be a promise.
    fn answer(&mut self, id: Option<u16>, answer: Result<(), Refusal>) {
        let Some(id) = id else { return };
        match answer {
            Err(trouble @ (Refusal::Full | Refusal::Failed)) if self.machine.version() == Version::V3 => {
                self.machine.disconnect(trouble.into(), None);
            }
            answer => self.machine.puback(id, answer.map_or_else(Reason::from, |()| Reason::Success)),
        }
    }

    fn greeted(&mut self, greeted: Result<Greeted, Reason>, connect: Connect) {
        self.asking = false;
        let greeted = match greeted {
            Ok(greeted) => greeted,
            Err(reason) => return self.machine.refuse(reason, None),
        };
        self.machine.accept(Accept {
            session_present: greeted.attached.present,
            assigned_client_id: greeted.assigned,
            session_expiry: None,
            keep_alive: None,
            reason_string: None,
            user_properties: Vec::new(),
        });
        self.will = connect.will;
        self.more = true;
        self.hall.chat.announce(greeted.attached.session.account);
        self.guest = Some(Guest { who: greeted.who, attached: greeted.attached, ending: greeted.ending });
        self.parse(); // Clients may send on before they are let in.
    }

    fn make_room(&mut self, reading: bool) {
        if reading && self.input.capacity() - self.input.len() < READ_SMALL / 2 {
            // A client that filled what it had sends much.
            let more = if self.input.capacity() < READ_SMALL { READ_SMALL } else { READ_LARGE };
            self.input.reserve(more);
        }
    }

    fn pushed(&mut self, pushed: Pushed) {
        self.stalled_since = None;
        self.unflushed = matches!(pushed, Pushed::Written);
        if self.machine.output().is_empty() {
            *self.machine.output() = BytesMut::new();
        }
    }

    /// The next moment at which something is due even if nothing happens.
    fn deadline(&mut self) -> Instant {
        let now = Instant::now();
        let silence = self.machine.deadline().map_or(now + STALL, Instant::from_std);
        if !self.unflushed && self.machine.output().is_empty() {
            return silence.min(now + STALL);
        }
        let since = *self.stalled_since.get_or_insert(now);
        silence.min(since + STALL)
    }

    /// The alarm rang; `true` when the line is dead.
    fn alarm(&mut self) -> bool {
        let mut events = Vec::new();
        self.machine.tick(time::monotonic(), &mut events);
        self.events.extend(events);
        let stalled = self.stalled_since.is_some_and(|since| Instant::now() >= since + STALL);
        if stalled {
            tracing::info!(door = self.visitor.door, "a client that does not read was closed");
        }
        stalled
    }

    /// The machine has said its last word; give it a moment to get through.
    async fn say_last(&mut self) {
        let goodbye = async {
            self.writer.write_all_buf(self.machine.output()).await?;
            self.writer.shutdown().await
        };
        _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
    }

    /// Settles what was already acknowledged, publishes the will, and gives the session back.
    async fn leave(mut self) {
        _ = tokio::time::timeout(Duration::from_secs(5), self.hear_out()).await;
        let Some(guest) = self.guest else { return };
        let now = time::now();
        if let Some(will) = self.will {
            let letter = Letter {
                id: None,
                dup: false,
                qos: will.qos,
                retain: will.retain,
                topic: will.topic,
                payload: will.payload,
                properties: will.properties,
            };
            self.hall.chat.publish(&guest.who, &guest.attached.session, vec![letter], now).await;
        }
        if let Err(error) = self.hall.broker.detach(&guest.attached, self.expiry, now).await {
            complain(&error);
        }
        let account = guest.attached.session.account;
        if account != AccountId::GUEST {
            self.hall.chat.announce(account);
        }
    }

    /// What was heard before the line broke still counts: acknowledgements, publications, a goodbye.
    async fn hear_out(&mut self) {
        // Over already, or now: nothing is delivered any more.
        self.machine.disconnect(Reason::ServerShuttingDown, None);
        loop {
            self.proceed();
            match self.work.next().await {
                Some(done) => self.take(done),
                None => return,
            }
        }
    }
}

fn complain(error: &StoreError) {
    tracing::error!(%error, "the store failed a connection");
}
