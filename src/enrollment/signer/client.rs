//! The daemon's hand: one connection to the signer, kept and opened anew when it is lost, for any number of requests at
//! a time.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chancery_ca as ca;
use tokio::io::{AsyncRead, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::wire::{self, Answer, Crl, Der, Hello, Issue, Request, Shard};
use super::{List, Order, Trouble};
use crate::enrollment::Failure;
use crate::enrollment::issuers::Issuer;
use crate::time::Timestamp;

/// What a signer says to the wish for another issuing CA.
pub(in crate::enrollment) enum Answered {
    /// Who it is from now on.
    Hello(Box<Hello>),
    /// The request in this file is to be answered first.
    Asked(PathBuf),
}

/// The way to the signer of one authority.
pub(in crate::enrollment) struct Client {
    socket: PathBuf,
    /// In DER, by which a signer is known.
    root: Vec<u8>,
    /// The connection of the moment.
    line: tokio::sync::Mutex<Option<Arc<Line>>>,
}

/// One connection, for as long as it is held.
struct Line {
    to: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    _tasks: JoinSet<()>,
}

/// Who waits for an answer; nobody can any more when the connection is lost.
struct Waiting(Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>);

impl Client {
    /// Hears who a signer is that is not known yet.
    pub(in crate::enrollment) async fn meet(socket: &Path) -> Result<Hello, Failure> {
        let meet = async {
            let line = Line::open(socket).await.map_err(|why| away(socket, &why))?;
            greet(socket, &line).await
        };
        let late = |_| Err(away(socket, &io::ErrorKind::TimedOut.into()));
        timeout(PATIENCE, meet).await.unwrap_or_else(late)
    }

    /// Goes to the signer when it is first needed, and takes none but this authority's for it.
    pub(in crate::enrollment) fn new(socket: &Path, root: &ca::Certificate) -> Self {
        Self { socket: socket.into(), root: root.der().to_vec(), line: tokio::sync::Mutex::default() }
    }

    /// Hears who the signer is, and that it is ours.
    pub(in crate::enrollment) async fn hello(&self) -> Result<Hello, Failure> {
        match self.ask(&Request::Hello { version: wire::VERSION }).await? {
            Answer::Hello(hello) => Ok(*hello),
            _ => Err(self.unasked()),
        }
    }

    /// Has a certificate issued.
    pub(in crate::enrollment) async fn issue(
        &self,
        order: Order,
        serial: ca::Serial,
        now: Timestamp,
    ) -> Result<ca::Issued, Failure> {
        let Order { key, subject, profile, validity, issuer } = order;
        let spki = Der(key.spki_der().to_vec());
        let issuer = issuer.key_id().to_owned();
        let asked = Issue { spki, subject, profile, validity, serial, issuer, now };
        let Answer::Certificate(Der(der)) = self.ask(&Request::Issue(Box::new(asked))).await? else {
            return Err(self.unasked());
        };
        let certificate = ca::Certificate::parse(&der)?;
        match certificate.serial == Some(serial) && certificate.spki_sha256 == key.spki_sha256() {
            true => Ok(ca::Issued::of(&certificate, serial)),
            false => Err(self.unasked()),
        }
    }

    /// Has a list signed.
    pub(in crate::enrollment) async fn crl(&self, list: List) -> Result<Vec<u8>, Failure> {
        let List { issuer, shard, revoked, number, now, next_update } = list;
        let (issuer, shard) = (issuer.key_id().to_owned(), shard.map(Shard));
        let revoked = revoked.into_iter().map(Into::into).collect();
        let asked = Request::Crl(Crl { issuer, shard, revoked, number, now, next_update });
        match self.ask(&asked).await? {
            Answer::List(Der(der)) => Ok(der),
            _ => Err(self.unasked()),
        }
    }

    /// Has another issuing CA made, or a request for it.
    pub(in crate::enrollment) async fn roll(
        &self,
        from: &Issuer,
        now: Timestamp,
    ) -> Result<Answered, Failure> {
        match self.ask(&Request::Roll { from: from.key_id().to_owned(), now }).await? {
            Answer::Hello(hello) => Ok(Answered::Hello(hello)),
            Answer::Asked(request) => Ok(Answered::Asked(request)),
            _ => Err(self.unasked()),
        }
    }

    /// Brings the answer to such a request.
    pub(in crate::enrollment) async fn adopt(&self, pem: &str) -> Result<Hello, Failure> {
        match self.ask(&Request::Adopt { pem: pem.to_owned() }).await? {
            Answer::Hello(hello) => Ok(*hello),
            _ => Err(self.unasked()),
        }
    }

    /// Asks, and hears the answer in good time or none. When the connection is lost meanwhile, as it is when the signer
    /// was started anew, it asks once more: nothing is done twice by that, for the signer uses a serial once.
    async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        let ask = async {
            let line = self.line().await?;
            let answer = match line.ask(request).await {
                Err(_) if line.waiting.is_lost() => self.line().await?.ask(request).await,
                answer => answer,
            };
            good(&self.socket, answer)
        };
        timeout(PATIENCE, ask).await.unwrap_or_else(|_| {
            // The next one tries another connection.
            if let Ok(mut kept) = self.line.try_lock() {
                kept.take();
            }
            Err(away(&self.socket, &io::ErrorKind::TimedOut.into()))
        })
    }

    /// The connection of the moment, or a new one.
    async fn line(&self) -> Result<Arc<Line>, Failure> {
        let mut kept = self.line.lock().await;
        if let Some(line) = kept.as_ref().filter(|line| !line.waiting.is_lost()) {
            return Ok(line.clone());
        }
        let line = Line::open(&self.socket).await.map_err(|why| away(&self.socket, &why))?;
        let hello = greet(&self.socket, &line).await?;
        if hello.root.0 != self.root || hello.chain().is_err() {
            return Err(Trouble::Other { socket: self.socket.clone() }.into());
        }
        *kept = Some(line.clone());
        Ok(line)
    }

    fn unasked(&self) -> Failure {
        Trouble::Answer { socket: self.socket.clone() }.into()
    }
}

impl Line {
    async fn open(socket: &Path) -> io::Result<Arc<Self>> {
        let (from, mut to) = UnixStream::connect(socket).await?.into_split();
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        let (frames, mut said) = mpsc::channel::<Vec<u8>>(FRAMES);
        let (speaks, hears, mut tasks) = (waiting.clone(), waiting.clone(), JoinSet::new());
        // Whoever gives up asking must not leave half a frame behind, so they are written here.
        tasks.spawn(async move {
            while let Some(frame) = said.recv().await
                && to.write_all(&frame).await.is_ok()
            {}
            speaks.lose();
        });
        tasks.spawn(async move {
            let mut from = BufReader::new(from);
            while let Ok(Some((number, answer))) = hear(&mut from).await {
                hears.hand_on(number, answer);
            }
            hears.lose();
        });
        Ok(Arc::new(Self { to: frames, waiting, next: AtomicU64::new(1), _tasks: tasks }))
    }

    async fn ask(&self, request: &Request) -> io::Result<Answer> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let frame = wire::frame(number, request)?;
        let told = self.waiting.enter(number)?;
        // Should nobody write it any more, nobody waits any more either.
        let _ = self.to.send(frame).await;
        told.await.map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Waiting {
    fn enter(&self, number: u64) -> io::Result<oneshot::Receiver<Answer>> {
        let (tell, told) = oneshot::channel();
        self.lock().as_mut().ok_or(io::ErrorKind::UnexpectedEof)?.insert(number, tell);
        Ok(told)
    }

    fn hand_on(&self, number: u64, answer: Answer) {
        if let Some(waiting) = self.lock().as_mut().and_then(|all| all.remove(&number)) {
            // Whoever gave up asking needs no answer.
            let _ = waiting.send(answer);
        }
    }

    /// Whoever waits hears that nothing comes.
    fn lose(&self) {
        self.lock().take();
    }

    fn is_lost(&self) -> bool {
        self.lock().is_none()
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Answer>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn greet(socket: &Path, line: &Line) -> Result<Hello, Failure> {
    let hello = Request::Hello { version: wire::VERSION };
    match good(socket, line.ask(&hello).await)? {
        Answer::Hello(hello) => Ok(*hello),
        _ => Err(Trouble::Answer { socket: socket.into() }.into()),
    }
}

async fn hear(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(u64, Answer)>> {
    let Some((number, length)) = wire::head(from).await? else { return Ok(None) };
    Ok(Some((number, wire::body(from, length).await?)))
}

/// An answer that is neither a refusal nor a failure.
fn good(socket: &Path, answer: io::Result<Answer>) -> Result<Answer, Failure> {
    let socket = || socket.to_owned();
    match answer {
        Ok(Answer::Refused(why)) => Err(Trouble::Refused { socket: socket(), why }.into()),
        Ok(Answer::Failed(why)) => Err(Trouble::Failed { socket: socket(), why }.into()),
        Ok(answer) => Ok(answer),
        Err(why) => Err(away(&socket(), &why)),
    }
}

fn away(socket: &Path, why: &io::Error) -> Failure {
    let why = match why.kind() {
        io::ErrorKind::UnexpectedEof => "it hung up".into(),
        io::ErrorKind::TimedOut => "it does not answer".into(),
        io::ErrorKind::PermissionDenied => "this account may not".into(),
        _ => why.to_string(),
    };
    Trouble::Away { socket: socket.into(), why }.into()
}

/// How long an answer may take, a new connection included; well below the time in which the house must show life.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many requests may wait to be written.
const FRAMES: usize = 64;
