//! A link: one connection to a server, on which questions go out and each answer comes back to whoever asked.
//!
//! A task carries the bytes. Dropping the last clone ends it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::answer::{self, Answer, Outcome};
use crate::diagnostic;
use crate::error::Error;
use crate::guard;
use crate::request::{self, Control, Message, Modification};
use crate::settings::Server;
use crate::wire::{self, Wire};

/// An open connection. Clones share it; operations of clones run side by side, but a bind must be alone.
#[derive(Clone)]
pub(crate) struct Link {
    shared: Arc<Shared>,
    tasks: Arc<JoinSet<()>>,
}

struct Shared {
    server: String,
    limit: Duration,
    to_send: mpsc::UnboundedSender<Message>,
    asked: Mutex<Asked>,
    /// How far the server may run ahead of whoever reads its answers, in bytes. Whoever stores a hundred
    /// thousand people is slower than a server that sends them; then no more is read from it.
    room: Arc<Semaphore>,
}

/// Who waits for answers, and how the connection ended, after which nobody does.
#[derive(Default)]
struct Asked {
    last: u32,
    waiting: HashMap<u32, mpsc::UnboundedSender<Heard>>,
    ending: Option<String>,
}

/// An answer and the room that it takes until it is read.
type Heard = (Answer, Option<OwnedSemaphorePermit>);

/// The answers to one question. Dropping them before the last one tells the server that no more are wanted.
pub(crate) struct Answers {
    link: Link,
    doing: &'static str,
    id: u32,
    heard: mpsc::UnboundedReceiver<Heard>,
    is_over: bool,
}

/// What is said to a search.
pub(crate) enum Said {
    Entry(Answer),
    /// A part of the tree is elsewhere.
    Reference,
    Intermediate(Answer),
    Done(Done),
}

/// The last of it.
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    /// With what else it holds.
    pub(crate) answer: Answer,
}

const ROOM: u32 = 4 << 20;
/// What an answer takes besides its bytes.
const BESIDES: usize = 256;
/// How many bytes are read together.
const AT_ONCE: usize = 64 << 10;

impl Link {
    /// Connects to a server; `limit` then holds for every operation.
    pub(crate) async fn open(
        server: &Server,
        tls: Option<&Arc<rustls::ClientConfig>>,
        connect_limit: Duration,
        limit: Duration,
    ) -> Result<Self, Error> {
        let wire = wire::dial(server, tls, connect_limit).await?;
        Ok(Self::on(wire, server.url.clone(), limit))
    }

    fn on(wire: Box<dyn Wire>, server: String, limit: Duration) -> Self {
        let (to_send, sending) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(ROOM as usize));
        let shared = Arc::new(Shared { server, limit, to_send, asked: Mutex::default(), room });
        let mut tasks = JoinSet::new();
        tasks.spawn(carry(wire, sending, Arc::clone(&shared)));
        Self { shared, tasks: Arc::new(tasks) }
    }

    /// Asks; the answers come as they come.
    pub(crate) fn ask(
        &self,
        doing: &'static str,
        controls: &[Control],
        operation: impl FnOnce(&mut Vec<u8>),
    ) -> Answers {
        let (answer, heard) = mpsc::unbounded_channel();
        let id = self.shared.expect(answer);
        self.shared.send(request::message(id, controls, operation));
        Answers { link: self.clone(), doing, id, heard, is_over: false }
    }

    /// Signs the connection in. The server's answer, good or bad, is the result.
    pub(crate) async fn bind(&self, dn: &str, password: &str) -> Result<Outcome, Error> {
        Ok(self.one("signing in", answer::BIND, |out| request::bind(out, dn, password)).await?.outcome)
    }

    /// Signs the connection in by a mechanism of SASL, or goes a step of the way (RFC 4513 §5.2).
    pub(crate) async fn bind_by(
        &self,
        doing: &'static str,
        mechanism: &str,
        said: &[u8],
    ) -> Result<Done, Error> {
        self.one(doing, answer::BIND, |out| request::bind_by(out, mechanism, said)).await
    }

    /// Changes an entry; anything but success is an error.
    pub(crate) async fn modify(
        &self,
        doing: &'static str,
        dn: &str,
        changes: &[Modification<'_>],
    ) -> Result<(), Error> {
        let operation = |out: &mut Vec<u8>| request::modify(out, dn, changes);
        match self.one(doing, answer::MODIFY, operation).await?.outcome {
            Outcome { code: 0, .. } => Ok(()),
            Outcome { code, text } => {
                let (server, text) = (self.server().to_owned(), diagnostic::clean(&text));
                Err(Error::Refused { server, doing, code, text })
            }
        }
    }

    /// Asks what has one answer, of this kind.
    async fn one(
        &self,
        doing: &'static str,
        kind: u8,
        operation: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Done, Error> {
        // It is not abandoned when its time is over: a bind cannot be (RFC 4511 §4.11), and a change may have been made.
        let mut answers = self.ask(doing, &[], operation);
        answers.is_over = true;
        let answer = tokio::time::timeout(self.limit(), answers.receive()).await;
        let answer = answer.map_err(|_| self.timed_out(doing))??;
        Ok(Done { outcome: answers.outcome(&answer, kind)?, answer })
    }

    /// The server as written in the settings.
    pub(crate) fn server(&self) -> &str {
        &self.shared.server
    }

    /// The limit for one operation.
    pub(crate) fn limit(&self) -> Duration {
        self.shared.limit
    }

    /// Whether it is known to have ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.asked().ending.is_some()
    }

    /// Whether both are clones of one connection.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Takes leave as RFC 4511 §4.3 asks, so that the server's log shows no broken connection.
    pub(crate) async fn close(self) {
        self.shared.say(request::unbind);
        if let Ok(mut tasks) = Arc::try_unwrap(self.tasks) {
            let _ = tokio::time::timeout(Duration::from_secs(1), tasks.join_next()).await;
        }
    }

    /// What a result other than success means after so many entries (RFC 4511 appendix A): a list that has begun, or met
    /// a limit, was broken off.
    pub(crate) fn broken_off(&self, doing: &'static str, received: usize, outcome: &Outcome) -> Error {
        let (server, code, text) = (self.server().to_owned(), outcome.code, diagnostic::clean(&outcome.text));
        match code {
            3 | 4 | 11 => Error::Partial { server, received, code, text },
            _ if received > 0 => Error::Partial { server, received, code, text },
            _ => Error::Refused { server, doing, code, text },
        }
    }

    pub(crate) fn timed_out(&self, doing: &'static str) -> Error {
        Error::TimedOut { server: self.server().to_owned(), doing, limit: self.limit() }
    }

    pub(crate) fn lost(&self, doing: &'static str, why: String) -> Error {
        Error::Lost { server: self.server().to_owned(), doing, why }
    }
}

impl Answers {
    /// The next thing that is said to a search; an error once the connection has ended. Dropping the call loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Said, Error> {
        let answer = self.receive().await?;
        Ok(match answer.operation {
            answer::ENTRY => Said::Entry(answer),
            answer::REFERENCE => Said::Reference,
            answer::INTERMEDIATE => Said::Intermediate(answer),
            _ => Said::Done(Done { outcome: self.outcome(&answer, answer::SEARCH_DONE)?, answer }),
        })
    }

    async fn receive(&mut self) -> Result<Answer, Error> {
        if let Some((answer, _room)) = self.heard.recv().await {
            self.is_over |= answer.ends();
            return Ok(answer);
        }
        let why = self.link.shared.asked().ending.clone();
        Err(self.link.lost(self.doing, why.unwrap_or_else(|| "its answer was over".to_owned())))
    }

    /// How it ended, if this answer says so and is of the kind that it should be.
    fn outcome(&self, answer: &Answer, kind: u8) -> Result<Outcome, Error> {
        let outcome = answer.outcome().filter(|_| answer.operation == kind);
        outcome.ok_or_else(|| self.link.lost(self.doing, "the answer is none to this question".to_owned()))
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.link.shared.asked().waiting.remove(&self.id);
        if !self.is_over {
            self.link.shared.say(|out| request::abandon(out, self.id));
        }
    }
}

impl Shared {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new message, and the one who waits for the answers to it, unless nothing will come any more.
    fn expect(&self, answer: mpsc::UnboundedSender<Heard>) -> u32 {
        let mut asked = self.asked();
        let id = asked.next_id();
        if asked.ending.is_none() {
            asked.waiting.insert(id, answer);
        }
        id
    }

    /// Says what has no answer.
    fn say(&self, operation: impl FnOnce(&mut Vec<u8>)) {
        let id = self.asked().next_id();
        self.send(request::message(id, &[], operation));
    }

    fn send(&self, message: Message) {
        // Whoever waits on a connection that has ended is told so when they look for the answer.
        let _ = self.to_send.send(message);
    }

    /// Hands an answer to whoever asked. Many that nobody has read yet hold up those behind them.
    async fn hand_over(&self, answer: Answer, length: usize) {
        let room = if answer.ends() {
            None
        } else {
            // One that is longer than all the room passes when nothing else is unread.
            let cost = u32::try_from(length + BESIDES).unwrap_or(ROOM).min(ROOM);
            Arc::clone(&self.room).acquire_many_owned(cost).await.ok()
        };
        let mut asked = self.asked();
        let id = answer.id;
        let asker = if answer.ends() { asked.waiting.remove(&id) } else { asked.waiting.get(&id).cloned() };
        if let Some(asker) = asker {
            let _ = asker.send((answer, room));
        }
    }

    fn end(&self, why: String) {
        let mut asked = self.asked();
        asked.ending.get_or_insert(why);
        asked.waiting.clear();
    }
}

impl Asked {
    /// Message ids go up to 2³¹-1 (RFC 4511 §4.1.1), and 0 is the server's.
    fn next_id(&mut self) -> u32 {
        self.last = if self.last == i32::MAX as u32 { 1 } else { self.last + 1 };
        self.last
    }
}

/// Carries messages until either side ends, and notes how.
async fn carry(wire: Box<dyn Wire>, mut sending: mpsc::UnboundedReceiver<Message>, shared: Arc<Shared>) {
    let (from_server, mut to_server) = tokio::io::split(wire);
    let why = tokio::select! {
        why = receive(from_server, &shared) => why,
        why = send(&mut to_server, &mut sending) => why,
    };
    shared.end(why);
    let _ = to_server.shutdown().await;
}

async fn receive(from_server: impl AsyncRead + Unpin, shared: &Shared) -> String {
    let mut from_server = BufReader::with_capacity(AT_ONCE, from_server);
    loop {
        let message = match guard::read_message(&mut from_server).await {
            Ok(Some(message)) => message,
            Ok(None) => return "the server closed it".to_owned(),
            Err(broken) => return broken.to_string(),
        };
        let length = message.len();
        let Some(answer) = Answer::read(message) else {
            return "the server broke the protocol: a message is none of LDAP".to_owned();
        };
        if let Some(farewell) = answer.farewell() {
            return farewell;
        }
        shared.hand_over(answer, length).await;
    }
}

async fn send(
    to_server: &mut (impl AsyncWrite + Unpin),
    sending: &mut mpsc::UnboundedReceiver<Message>,
) -> String {
    while let Some(message) = sending.recv().await {
        let sent = async {
            to_server.write_all(&message).await?;
            to_server.flush().await
        };
        if let Err(error) = sent.await {
            return error.to_string();
        }
    }
    "we closed it".to_owned()
}

#[cfg(test)]
mod tests;
