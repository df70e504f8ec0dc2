//! The journal, held against a plain picture in memory.

mod full;
mod model;
mod sweep;
mod torn;
mod world;

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::id::AccountId;
use crate::mqtt::{PayloadFormat, Properties, Qos, TopicName};
use crate::time::Timestamp;

const SMALL: Options = Options { segment: 700, most: 1 << 30 };

fn topic(name: &str) -> TopicName {
    TopicName::parse(name).unwrap()
}

fn message(name: &str, payload: impl Into<Bytes>) -> Message {
    let at = Timestamp::from_micros(1_795_226_400_000_001);
    Message { topic: topic(name), payload: payload.into(), properties: None, qos: Qos::AtLeastOnce, at }
}

fn rich() -> Message {
    let properties = Properties {
        content_type: Some("text/plain".to_owned()),
        response_topic: Some(topic("answers/here")),
        correlation_data: Some(Bytes::from_static(b"\0\x01")),
        payload_format: Some(PayloadFormat::Text),
        message_expiry: Some(60),
        user_properties: vec![("a".to_owned(), String::new()), ("a".to_owned(), "ü".to_owned())],
    };
    Message { properties: Some(Box::new(properties)), qos: Qos::ExactlyOnce, ..message("ä/1", "hello") }
}

fn id(number: u32) -> SessionId {
    SessionId::from_bytes(u128::from(number).to_be_bytes())
}

fn state(number: u32) -> SessionState {
    SessionState {
        id: id(number),
        account: AccountId::GUEST,
        client_id: format!("client {number}"),
        expiry: 3600,
        created_at: Timestamp::from_micros(i64::from(number)),
        ended_at: None,
        subscriptions: Vec::new(),
        received: Vec::new(),
        will: None,
        next: 0,
    }
}

fn subscription(filter: &str) -> KeptSubscription {
    KeptSubscription {
        filter: filter.to_owned(),
        qos: Qos::ExactlyOnce,
        no_local: filter.len().is_multiple_of(2),
        retain_as_published: filter.len().is_multiple_of(3),
        identifier: (filter.len() % 2 == 1).then_some(268_435_455),
    }
}

fn owed(session: u32, number: u64) -> Owed {
    Owed {
        session: id(session),
        number,
        qos: Qos::AtLeastOnce,
        retain: false,
        identifiers: Vec::new(),
        released: false,
    }
}

/// Appends and waits for the answer.
fn write(journal: &Journal, fill: impl FnOnce(&mut Records)) -> Result<(), JournalError> {
    let mut records = Records::new();
    fill(&mut records);
    let (tell, told) = mpsc::channel();
    journal.append(records, move |result| tell.send(result).unwrap());
    told.recv_timeout(Duration::from_secs(20)).expect("an answer")
}

/// A folder in memory where there is one: thousands of flushes to a disk would prove no more.
fn quick() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// The folder as a crash would leave it at this moment.
fn copy(folder: &Path) -> TempDir {
    let copy = quick();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        // What is held back on the disk tells nothing.
        if entry.file_name() != "reserve" {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

/// Waits until something is so.
fn soon(is_so: impl Fn() -> bool) {
    let tries = (0..4000).take_while(|_| !is_so());
    tries.for_each(|_| std::thread::sleep(Duration::from_millis(5)));
    assert!(is_so());
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let (journal, found) = Journal::open(folder.path(), Options::default()).unwrap();
    assert!(found.sessions.is_empty() && found.retained.is_empty());
    let kept = Kept::pending();
    assert_eq!(kept.fate(), Fate::Pending);
    let mut given = owed(1, 7);
    (given.identifiers, given.retain, given.qos) = (vec![1, 300, 268_435_455], true, Qos::ExactlyOnce);
    let will = KeptWill { message: rich(), retain: true, delay: 5 };
    let mut told = state(1);
    told.subscriptions = vec![subscription("a/+"), subscription("b")];
    (told.will, told.received, told.ended_at) =
        (Some(will), vec![3, 65_535], Some(Timestamp::from_micros(-1)));
    write(&journal, |records| {
        records.session(&told);
        records.message(&rich(), &[given.clone(), owed(2, 1)], true, Some((id(1), 9)), &kept);
    })
    .unwrap();
    assert_eq!((kept.fate(), journal.read(&kept).unwrap()), (Fate::Kept, rich()));
    drop(journal);

    let (journal, found) = Journal::open(folder.path(), Options::default()).unwrap();
    (told.next, told.received) = (8, vec![3, 9, 65_535]);
    let [session] = found.sessions.as_slice() else { panic!("{found:?}") };
    assert_eq!(session.state, told);
    let [entry] = session.queue.as_slice() else { panic!("{found:?}") };
    assert_eq!((&entry.owed, entry.size), (&given, 9));
    assert_eq!(entry.expires_at, Some(rich().at.after(Duration::from_secs(60))));
    assert_eq!(journal.read(&entry.kept).unwrap(), rich());
    let [(retained, place)] = found.retained.as_slice() else { panic!("{found:?}") };
    assert_eq!((retained, place.fate()), (&rich(), Fate::Kept));
    assert!(Arc::ptr_eq(place, &entry.kept));
}

#[test]
fn the_bytes_of_a_message_are_dead_when_its_last_handle_goes() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = Journal::open(folder.path(), Options::default()).unwrap();
    let (first, second) = (Kept::pending(), Kept::pending());
    write(&journal, |records| {
        records.message(&message("a", vec![1; 1000]), &[owed(1, 1)], false, None, &first);
        records.message(&message("a", vec![1; 5000]), &[owed(1, 2)], false, None, &second);
    })
    .unwrap();
    let other = first.clone();
    assert!((6000..6200).contains(&journal.usage().live), "{:?}", journal.usage());
    drop((first, second));
    assert!((1000..1100).contains(&journal.usage().live));
    drop(other);
    assert_eq!(journal.usage().live, 0);
    assert!(size_of::<Kept>() <= 48);
}

#[test]
fn answers_come_in_the_order_of_the_calls() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = Journal::open(folder.path(), Options { segment: 4096, most: 100_000 }).unwrap();
    let (tell, told) = mpsc::channel();
    for number in 0..2000 {
        let mut records = Records::new();
        records.message(&message("a", vec![0; 100]), &[owed(1, number)], false, None, &Kept::pending());
        let tell = tell.clone();
        journal.append(records, move |result| tell.send((number, result)).unwrap());
    }
    drop((tell, journal));
    let answers: Vec<_> = told.iter().collect();
    assert!(answers.iter().map(|(number, _)| *number).eq(0..2000));
    let kept = answers.iter().filter(|(_, result)| result.is_ok()).count();
    assert!((500..800).contains(&kept), "{kept} messages within 100,000 bytes");
    assert!(answers.iter().skip(kept).all(|(_, result)| *result == Err(JournalError::Full)));
}

#[test]
fn a_note_is_written_soon_and_without_a_flush() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = Journal::open(folder.path(), Options::default()).unwrap();
    write(&journal, |records| {
        records.session(&state(1));
        records.message(&message("a", "x"), &[owed(1, 1)], false, None, &Kept::pending());
    })
    .unwrap();
    let before = journal.usage();
    let mut records = Records::new();
    records.taken(id(1), &[1]);
    journal.note(records);
    soon(|| journal.usage().bytes > before.bytes);
    assert_eq!(journal.usage().commits, before.commits);
    let (_, found) = Journal::open(copy(folder.path()).path(), Options::default()).unwrap();
    assert!(found.sessions[0].queue.is_empty());
}

#[test]
fn a_callback_may_ask_the_journal_and_hold_its_last_handle() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = Journal::open(folder.path(), Options::default()).unwrap();
    let (tell, told) = mpsc::channel();
    let inner = journal.clone();
    let mut records = Records::new();
    records.session(&state(1));
    journal.append(records, move |_| tell.send(inner.usage().live).unwrap());
    drop(journal);
    assert!(told.recv_timeout(Duration::from_secs(20)).unwrap() > 0);
}

#[test]
fn a_folder_has_one_journal_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let folder = folder.path().join("journal");
    let (journal, _) = Journal::open(&folder, Options::default()).unwrap();
    assert!(matches!(Journal::open(&folder, Options::default()), Err(OpenError::Busy(_))));
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    drop(journal);
    Journal::open(&folder, Options::default()).unwrap();
}
