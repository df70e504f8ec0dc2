//! A link and a server's end of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::DuplexStream;

use super::*;
use crate::ber::{self, Elements};

/// A link, and the server's end of it.
fn link() -> (Link, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    (Link::on(Box::new(ours), "ldap://here".to_owned(), Duration::from_secs(10)), theirs)
}

/// A message with this body, such as a search's end.
fn message(id: u32, operation: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ber::wrap(&mut out, ber::SEQUENCE, |out| {
        ber::number(out, ber::INTEGER, id);
        ber::put(out, operation, body);
    });
    out
}

const WELL: &[u8] = b"\x0a\x01\x00\x04\x00\x04\x00";

/// The operation of the next message from the link, and its content.
async fn asked(server: &mut DuplexStream) -> (u8, Vec<u8>) {
    let message = guard::read_message(server).await.unwrap().unwrap();
    let mut parts = Elements::of(&message).enter(ber::SEQUENCE).unwrap();
    let _id = parts.number(ber::INTEGER).unwrap();
    parts.next().map(|(operation, content)| (operation, content.to_vec())).unwrap()
}

fn ask(link: &Link) -> Answers {
    link.ask("asking", &[], |out| ber::put(out, 0x63, b""))
}

#[tokio::test]
async fn each_answer_goes_to_whoever_asked() {
    let (link, mut server) = link();
    let (mut one, mut other) = (ask(&link), ask(&link));
    for (id, operation, body) in [
        (other.id, answer::ENTRY, &b"\x04\x04cn=o\x30\x00"[..]),
        (77, answer::ENTRY, b"\x04\x04cn=x\x30\x00"),
        (one.id, answer::SEARCH_DONE, WELL),
        (other.id, answer::SEARCH_DONE, WELL),
    ] {
        server.write_all(&message(id, operation, body)).await.unwrap();
    }
    assert!(matches!(one.next().await, Ok(Said::Done(_))));
    assert!(matches!(other.next().await, Ok(Said::Entry(_))));
    assert!(matches!(other.next().await, Ok(Said::Done(_))));
    assert!(other.next().await.is_err(), "that was all");
}

#[tokio::test]
async fn an_answer_that_fits_no_question_is_not_believed() {
    let (link, mut server) = link();
    let mut answers = ask(&link);
    server.write_all(&message(answers.id, answer::BIND, WELL)).await.unwrap();
    assert!(matches!(answers.next().await, Err(Error::Lost { why, .. }) if why.contains("none to this")));
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_abandoned() {
    let (link, mut server) = link();
    let answers = ask(&link);
    let id = u8::try_from(answers.id).unwrap();
    drop(answers);
    assert_eq!((asked(&mut server).await.0, asked(&mut server).await), (0x63, (0x50, vec![id])));
}

#[tokio::test]
async fn a_server_that_takes_leave_says_why_to_everybody() {
    let (link, mut server) = link();
    let mut answers = ask(&link);
    let leave = message(0, answer::EXTENDED, b"\x0a\x01\x34\x04\x00\x04\x04gone");
    server.write_all(&leave).await.unwrap();
    for answers in [&mut answers, &mut ask(&link)] {
        let error = answers.next().await.err().unwrap().to_string();
        assert!(error.contains("result 52: gone"), "{error}");
    }
    assert!(link.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_runs_ahead_waits_until_something_was_read() {
    let (link, mut server) = link();
    let mut answers = ask(&link);
    let body = [b"\x04\x04cn=a\x30\x00".to_vec(), message(0, 4, &vec![0; 1 << 20])].concat();
    let entry = message(answers.id, answer::ENTRY, &body);
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = Arc::clone(&sent);
    tokio::spawn(async move {
        for _ in 0..50 {
            server.write_all(&entry).await.unwrap();
            sending.fetch_add(1, Ordering::Relaxed);
        }
        std::future::pending::<DuplexStream>().await
    });
    // Time goes on once nobody can do anything more.
    let sent = async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        sent.load(Ordering::Relaxed)
    };
    let ahead = sent().await;
    assert!((3..6).contains(&ahead), "{ahead} MiB");
    assert!(answers.next().await.is_ok() && answers.next().await.is_ok());
    assert_eq!(sent().await, ahead + 2);
    drop(answers);
    assert_eq!(sent().await, 50, "nobody wants the rest, and it holds nobody up");
}
