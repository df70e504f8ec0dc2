//! One LDAP client at a door: people are shown to mail clients that have signed in.
//!
//! The machine that speaks LDAP is lent by the directory; here are its socket, its clock, and whoever may sign in.
//! Whether whoever signed in still may is asked before each step, so that a search does not outlive an account. Between
//! two pieces of an answer what the client says meanwhile is heard, so that it can abandon its search.

mod bind;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::greet::{self, Visitor};
use super::hall::Hall;
use crate::directory::served::{Conversation, Limits, Next, Served};
use crate::time;
use bind::Guest;

pub(super) const NAME: &str = "ldaps";

/// How long somebody may stay without signing in: a mail client connects first and then asks its owner for a password.
const STRANGER: Duration = Duration::from_secs(60);
/// A client that does not take a piece of its answer for so long is gone.
const STALL: Duration = Duration::from_secs(30);
/// How long the last words may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Bytes that are read at a time.
const READ: usize = 4096;

/// Whom clients are shown, and how long one may be silent.
#[derive(Clone)]
pub(crate) struct People {
    pub(crate) served: Served,
    pub(crate) idle: Duration,
}

struct Client<S> {
    hall: Arc<Hall>,
    people: People,
    stream: S,
    visitor: Visitor,
    machine: Conversation,
    guest: Option<Guest>,
    /// When it will have been silent for too long, or a stranger.
    patience: Instant,
    /// When the search at work is to end, as the client wishes.
    deadline: Option<Instant>,
    stop: watch::Receiver<bool>,
}

/// Serves one client until either side has had enough.
pub(super) async fn serve<S>(
    hall: Arc<Hall>,
    people: People,
    stream: S,
    visitor: Visitor,
    stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let _here = hall.gate.arrive(visitor.door, visitor.address, time::monotonic());
    let mut client = Client {
        hall: hall.clone(),
        people,
        stream,
        visitor,
        machine: Conversation::new(Limits::default()),
        guest: None,
        patience: Instant::now() + STRANGER,
        deadline: None,
        stop,
    };
    if let Err(error) = client.talk().await {
        tracing::debug!(door = NAME, %error, "a client was lost");
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Client<S> {
    async fn talk(&mut self) -> io::Result<()> {
        loop {
            self.look_at_time();
            let people = match self.may_go_on().await {
                false => {
                    self.machine.close();
                    self.people.served.nobody()
                }
                true if self.guest.is_none() => self.people.served.nobody(),
                true => match self.people.served.people().await {
                    Ok(people) => people,
                    Err(_) => {
                        self.machine.close();
                        self.people.served.nobody()
                    }
                },
            };
            match self.machine.next(&people) {
                Next::Write(bytes) => {
                    self.write(&bytes).await?;
                    self.listen()?;
                }
                Next::Again => {
                    tokio::task::yield_now().await;
                    self.listen()?;
                }
                Next::Ask(question) => self.sign_in(question).await,
                Next::Read => self.read().await?,
                Next::End => return tokio::time::timeout(GOODBYE, self.stream.shutdown()).await?,
            }
            if self.machine.who().is_none() && self.guest.take().is_some() {
                self.patience = Instant::now() + STRANGER;
            }
        }
    }

    /// The time that a client gives its search runs from when it is first heard of.
    fn look_at_time(&mut self) {
        self.deadline = self.machine.time_limit().map(|limit| {
            let now = Instant::now();
            self.deadline.unwrap_or(now + limit)
        });
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.machine.out_of_time();
        }
    }

    /// Whether the house is open, and the client still whom it was let in as.
    async fn may_go_on(&mut self) -> bool {
        let open = !*self.stop.borrow();
        let Some(guest) = self.guest.as_ref().filter(|_| open) else { return open };
        let good = greet::still_good(&self.hall, &self.visitor, &guest.who, None, time::now()).await;
        if let Err(turned) = &good {
            tracing::info!(door = NAME, why = %turned.why, "a client may not go on");
        }
        good.is_ok()
    }

    /// Waits for what the client says next.
    async fn read(&mut self) -> io::Result<()> {
        let mut bytes = [0; READ];
        let count = tokio::select! {
            count = self.stream.read(&mut bytes) => Some(count?),
            () = sleep_until(self.patience) => None,
            _ = self.stop.changed() => None,
        };
        match count {
            Some(count) => self.hear(&bytes[..count]),
            None => {
                self.machine.close();
                Ok(())
            }
        }
    }

    /// Hears what the client has said meanwhile, if it may say more.
    fn listen(&mut self) -> io::Result<()> {
        if !self.machine.wants_bytes() {
            return Ok(());
        }
        let mut bytes = [0; READ];
        match self.stream.read(&mut bytes).now_or_never() {
            Some(count) => self.hear(&bytes[..count?]),
            None => Ok(()),
        }
    }

    fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.guest.is_some() {
            self.patience = Instant::now() + self.people.idle;
        }
        self.machine.receive(bytes);
        Ok(())
    }

    /// Writes a piece, unless the client does not take it, or not soon once the house closes.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (stream, stop) = (&mut self.stream, &mut self.stop);
        let written = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        let closing = async {
            let _ = stop.wait_for(|told| *told).await;
            sleep(GOODBYE).await;
        };
        tokio::select! {
            written = written => written,
            () = sleep(STALL) => Err(io::ErrorKind::TimedOut.into()),
            () = closing => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
