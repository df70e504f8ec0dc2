//! A directory server that says anything: whatever it answers, each question ends, in a picture of somebody or an error.
//!
//! The first byte chooses the question, the others are what the server says. Waiting costs no time here.

#![no_main]

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery_ldap::{Change, Connector, Error, Follow, Protocol, Rules, Settings};
use libfuzzer_sys::fuzz_target;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;
use zeroize::Zeroizing;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
/// The key of whoever is asked about in the seeds.
const ALICE: Uuid = Uuid::from_u128(0xa11ce);
/// Longer than a follower waits before it asks for a sign of life, shorter than anybody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
const WAYS: [Protocol; 4] =
    [Protocol::SyncRepl, Protocol::DirSync, Protocol::UpdateNumbers, Protocol::Polling];

fuzz_target!(|input: &[u8]| {
    let Some((&question, said)) = input.split_first() else { return };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let connector = connector(listener.local_addr().expect("an address").port(), question);
        let mut server = JoinSet::new();
        server.spawn(serve(listener, answers(said)));
        ask(&connector, question).await;
    });
});

fn connector(port: u16, question: u8) -> Connector {
    let settings = Settings {
        servers: vec![format!("ldap://127.0.0.1:{port}")],
        starttls: false,
        bind_dn: "cn=chancery".to_owned(),
        base: "dc=corp,dc=example".to_owned(),
        user_filter: "(|(uid=*)(sAMAccountName=*))".to_owned(),
        group_filter: (question & 0x10 != 0).then(|| "(member=*)".to_owned()),
        ..Settings::default()
    };
    let rules =
        Rules { filter: Some("(|(employeeType=former)(&(cn=a*b*c)(!(mail=*))))".to_owned()), lockout: true };
    let connector = Connector::new(settings, Zeroizing::new("sesame".to_owned()));
    connector.and_then(|connector| connector.with_rules(&rules)).expect("good settings")
}

async fn ask(connector: &Connector, question: u8) {
    match question & 0x0f {
        0 => told(connector.check().await),
        1 => told(connector.people(NOW).await),
        2 => told(connector.groups().await),
        3 => told(connector.explain("alice", NOW).await),
        4 => told(connector.sign_in("alice", "wonderland", NOW).await),
        5 => told(connector.publish("alice", ALICE, Some(vec![0x30, 0]), vec![vec![0x31, 0]], NOW).await),
        6 => match connector.find("alice", NOW).await {
            Ok(Some(person)) => told(connector.groups_of(&person).await),
            other => told(other),
        },
        7 => told(Ok(connector.check_each().await)),
        // Beyond the four ways there is the best that the server offers.
        way => follow(connector, WAYS.get(usize::from(way - 8)).copied()).await,
    }
}

/// Follows over two broken connections, so that checkpoints come back as cookies.
async fn follow(connector: &Connector, protocol: Option<Protocol>) {
    let how = Follow { protocol, probe_every: Duration::from_secs(1), ..Follow::default() };
    let mut changes = connector.follow(how, None, || NOW);
    let mut interrupted = 0;
    while interrupted < 3 {
        let change = changes.next().await.expect("a stream without an end");
        interrupted += u32::from(matches!(change, Change::Interrupted { .. }));
        told(Ok(change));
    }
}

/// Whatever it is, it can be shown.
fn told(outcome: Result<impl Debug, Error>) {
    let shown = outcome.map_or_else(|error| error.to_string(), |told| format!("{told:?}"));
    assert!(!shown.is_empty());
}

/// Answers each request with what comes next, says that unasked after a while, and hangs up when nothing is left.
async fn serve(listener: TcpListener, answers: VecDeque<Vec<u8>>) {
    let answers = Arc::new(Mutex::new(answers));
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let answers = Arc::clone(&answers);
        connections.spawn(async move {
            let mut request = vec![0; 64 << 10];
            while !matches!(timeout(PATIENCE, client.read(&mut request)).await, Ok(Ok(0) | Err(_))) {
                let answer = answers.lock().expect("the answers").pop_front();
                let Some(answer) = answer else { return };
                if client.write_all(&answer).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// What is said at a time: entries and what follows them, or all the rest where it is no message.
fn answers(mut said: &[u8]) -> VecDeque<Vec<u8>> {
    let mut answers = VecDeque::from([Vec::new()]);
    while !said.is_empty() {
        let (length, ends) =
            message(said).filter(|(length, _)| *length <= said.len()).unwrap_or((said.len(), true));
        let (message, rest) = said.split_at(length);
        answers.back_mut().expect("an answer").extend_from_slice(message);
        if ends && !rest.is_empty() {
            answers.push_back(Vec::new());
        }
        said = rest;
    }
    answers
}

/// How long the message is that these bytes begin with, and whether something else comes before the next one: after
/// entries and references nothing does.
fn message(bytes: &[u8]) -> Option<(usize, bool)> {
    let (length, start) = match *bytes.get(1)? {
        length @ 0..=0x7f => (usize::from(length), 2),
        0x81 => (usize::from(*bytes.get(2)?), 3),
        0x82 => (usize::from(*bytes.get(2)?) << 8 | usize::from(*bytes.get(3)?), 4),
        _ => return None,
    };
    let id = usize::from(*bytes.get(start + 1)?);
    let operation = bytes.get(start + 2 + id)?;
    Some((start + length, ![0x64, 0x73].contains(operation)))
}
