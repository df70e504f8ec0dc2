//! The signer's socket: who may speak there, and how much at once.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::wire::{self, Request};
use super::{Refusal, Signer, refused, time};

/// What all conversations share.
struct Room {
    signer: Signer,
    /// Long requests are read one at a time, so that they cannot fill the memory together.
    long: Semaphore,
}

impl Signer {
    /// Answers at the socket until told to stop, then takes it away. Besides root and the owner of the socket, only these
    /// accounts may speak.
    pub(crate) async fn serve(
        self,
        listener: UnixListener,
        path: PathBuf,
        clients: Vec<u32>,
        mut stop: watch::Receiver<bool>,
    ) {
        let owner = std::fs::metadata(&path).map_or(0, |file| file.uid());
        let room = Arc::new(Room { signer: self, long: Semaphore::new(1) });
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if open.len() < CONNECTIONS => if let Ok((stream, _)) = accepted {
                    match stream.peer_cred().map(|who| who.uid()) {
                        Ok(uid) if may_speak(uid, owner, &clients) => {
                            open.spawn(converse(room.clone(), stream));
                        }
                        Ok(uid) => tracing::warn!(uid, "an account that may not speak with the signer was turned away"),
                        Err(error) => tracing::warn!(%error, "somebody unknown was turned away"),
                    }
                },
                Some(_) = open.join_next(), if !open.is_empty() => {}
                _ = stop.changed() => break,
            }
        }
        let _ = std::fs::remove_file(&path);
    }
}

fn may_speak(uid: u32, owner: u32, clients: &[u32]) -> bool {
    uid == 0 || uid == owner || clients.contains(&uid)
}

/// One connection. What is no request ends it.
async fn converse(room: Arc<Room>, stream: UnixStream) {
    let (from, to) = stream.into_split();
    let (mut from, to) = (BufReader::new(from), Arc::new(Mutex::new(to)));
    let ended = match timeout(GREETING, greet(&room, &mut from, &to)).await {
        Ok(Ok(true)) => listen(&room, &mut from, &to).await,
        Ok(greeted) => greeted.map(drop),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no hello came")),
    };
    if let Err(why) = ended {
        say(&to, 0, &refused(Refusal::Request(why.to_string()))).await;
    }
}

/// The first word must be a hello that is understood.
async fn greet(
    room: &Room,
    from: &mut (impl AsyncRead + Unpin),
    to: &Mutex<OwnedWriteHalf>,
) -> io::Result<bool> {
    let Some((number, length)) = wire::head(from).await? else { return Ok(false) };
    let request = match length {
        0..=wire::REQUEST => wire::body(from, length).await?,
        _ => return Err(io::Error::other("a hello is short")),
    };
    let Request::Hello { .. } = request else { return Err(io::Error::other("the first word is a hello")) };
    let answer = room.signer.answer(request, time::now()).await;
    let greeted = matches!(answer, wire::Answer::Hello(_));
    say(to, number, &answer).await;
    Ok(greeted)
}

/// Requests are answered beside each other, so that those that wait for the disk wait for it together.
async fn listen(
    room: &Arc<Room>,
    from: &mut (impl AsyncRead + Unpin),
    to: &Arc<Mutex<OwnedWriteHalf>>,
) -> io::Result<()> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    while let Some((number, length)) = wire::head(from).await? {
        let request = read(room, from, length).await?;
        let Ok(turn) = turns.clone().acquire_owned().await else { break };
        tokio::spawn(reply(room.clone(), to.clone(), turn, number, request));
    }
    Ok(())
}

async fn read(room: &Room, from: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Request> {
    if length <= wire::REQUEST {
        return wire::body(from, length).await;
    }
    let _alone = room.long.acquire().await.map_err(io::Error::other)?;
    let read = timeout(LONG, wire::body(from, length)).await;
    match read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))? {
        list @ Request::Crl(_) => Ok(list),
        _ => Err(io::Error::other("only a list may be that long")),
    }
}

async fn reply(
    room: Arc<Room>,
    to: Arc<Mutex<OwnedWriteHalf>>,
    _turn: OwnedSemaphorePermit,
    number: u64,
    request: Request,
) {
    let answer = room.signer.answer(request, time::now()).await;
    say(&to, number, &answer).await;
}

async fn say(to: &Mutex<OwnedWriteHalf>, number: u64, answer: &wire::Answer) {
    let frame = match wire::frame(number, answer) {
        Ok(frame) => frame,
        Err(error) => return tracing::error!(%error, "an answer could not be written"),
    };
    let mut to = to.lock().await;
    // Whoever does not read is not waited for, and after half a frame there is nothing more to say.
    if !matches!(timeout(LONG, to.write_all(&frame)).await, Ok(Ok(()))) {
        let _ = to.shutdown().await;
    }
}

/// The numbers of accounts given by name or number. A name that this machine does not know lets nobody in.
pub(crate) fn accounts(named: &[String], passwd: &Path) -> Vec<u32> {
    let known = std::fs::read_to_string(passwd).unwrap_or_default();
    let by_name = |name: &str| {
        let mut lines = known.lines().map(|line| line.split(':'));
        lines.find_map(|mut fields| (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?)
    };
    let number = |name: &String| {
        let found = name.parse().ok().or_else(|| by_name(name));
        if found.is_none() {
            tracing::warn!(account = name, "[signer] clients names an account that is not on this machine");
        }
        found
    };
    named.iter().filter_map(number).collect()
}

/// How many may be connected; the next one waits.
const CONNECTIONS: usize = 16;
/// How many requests of one connection are answered at a time.
const AT_ONCE: usize = 256;
/// How long a hello may take.
const GREETING: Duration = Duration::from_secs(10);
/// How long something long may be on its way.
const LONG: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_or_number_and_unknown_ones_are_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let passwd = folder.path().join("passwd");
        std::fs::write(&passwd, "root:x:0:0::/root:/bin/sh\nchancery:x:997:995::/:/bin/false\n").unwrap();
        let named = ["chancery", "1000", "nobody-here"].map(str::to_owned);
        assert_eq!(accounts(&named, &passwd), [997, 1000]);
    }

    #[test]
    fn root_the_owner_and_the_named_may_speak_and_a_stranger_may_not() {
        let may = |uid| may_speak(uid, 996, &[997]);
        assert!(may(0) && may(996) && may(997));
        assert!(!may(995) && !may(1000) && !may(65_534));
    }
}
