//! The outbox with a real store and real folders; the clock is an argument.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::broker::{Broker, Hello, Live, Session, Subscribed};
use crate::chat::acl::Rules;
use crate::directory::NewAccount;
use crate::id::{AccountId, EnvelopeId, MessageId};
use crate::mqtt::{Qos, TopicFilter, Version};
use crate::principal::Principal;
use crate::store::{EnvelopeState, Kind, NewMessage};

const GRACE: Duration = Duration::from_secs(900);

/// A house with alice and carol, and an outbox.
struct House {
    dir: TempDir,
    store: Store,
    broker: Broker,
    directory: Directory,
    outbox: Outbox,
}

/// Minutes after the morning on which these tests begin.
fn at(minutes: u64) -> Timestamp {
    Timestamp::from_micros(1_795_226_400_000_000).after(Duration::from_secs(60 * minutes))
}

fn by_maildir(dir: &TempDir) -> Config {
    Config { transport: "maildir".into(), directory: Some(dir.path().join("mail")), ..Config::default() }
}

/// A relay that nobody answers for.
fn by_dead_relay(_: &TempDir) -> Config {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Config { transport: "smtp".into(), relay: Some(format!("smtp://{free}")), ..Config::default() }
}

impl House {
    async fn with(config: fn(&TempDir) -> Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("house.db"), 2).unwrap();
        let broker = Broker::open(store.clone(), &dir.path().join("journal"), Default::default(), at(0))
            .await
            .unwrap();
        let directory = Directory::open(store.clone(), broker.clone(), None).await.unwrap();
        for (name, mail) in [("alice", None), ("carol", Some("carol@home.example"))] {
            let new =
                NewAccount { name: name.into(), mail: mail.map(str::to_owned), ..NewAccount::default() };
            directory.add(&Principal::Host, new, at(0)).await.unwrap();
        }
        let outbox = open(&store, &broker, &directory, config(&dir)).await;
        Self { dir, store, broker, directory, outbox }
    }

    fn id(&self, name: &str) -> AccountId {
        self.directory.find(name).unwrap().id
    }

    /// Alice writes to somebody, who is away.
    async fn write(&self, to: &str, now: Timestamp) -> (i64, MessageId) {
        let (author, account, address) = (self.id("alice"), self.id(to), to.to_owned());
        let unit = move |tx: &mut Tx| -> Result<_, StoreError> {
            let payload = "the body".into();
            let new = NewMessage {
                kind: Kind::Direct,
                author,
                sender: "alice".into(),
                address,
                payload,
                properties: None,
            };
            let placed = tx.append_message(&new, now)?;
            tx.put_in_inbox(placed.seq, account)?;
            Ok((placed.seq, placed.id))
        };
        self.store.write(unit).await.unwrap()
    }

    async fn reads(&self, name: &str, seq: i64) {
        let reader = self.id(name);
        self.store.write(move |tx| tx.mark_read(seq, reader)).await.unwrap();
    }

    /// Alice's telephone has a durable session, and asked for receipts.
    async fn alice_asks_for_receipts(&self) -> Arc<Session> {
        let live = Live {
            serial: None,
            key: None,
            address: None,
            version: Version::V5,
            door: "mqtts",
            since: at(0),
            bell: Arc::default(),
        };
        let hello = Hello {
            account: self.id("alice"),
            client_id: "phone".into(),
            clean_start: true,
            expiry: 3600,
            will: None,
            live,
        };
        let session = self.broker.attach(hello, at(0)).await.unwrap().session;
        let filter = TopicFilter::parse("receipt/#").unwrap();
        let new = Subscribed {
            filter,
            qos: Qos::AtLeastOnce,
            no_local: false,
            retain_as_published: false,
            identifier: None,
        };
        self.broker.subscribe(&session, &[new]).await.unwrap();
        session
    }

    /// What stands in the queue of a session: message ids and words.
    async fn receipts(&self, session: &Session) -> Vec<(String, String)> {
        let id = session.id;
        let rows = self.store.read(move |view| view.queue_after(id, 0, 100)).await.unwrap();
        let said = |payload: &[u8]| String::from_utf8_lossy(payload).into_owned();
        rows.rows.into_iter().map(|row| (row.message.address, said(&row.message.payload))).collect()
    }

    fn mails(&self, name: &str) -> Vec<String> {
        let new: PathBuf = self.dir.path().join("mail").join(name).join("new");
        let Ok(files) = fs::read_dir(new) else { return Vec::new() };
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }

    async fn only_envelope(&self) -> Shown {
        let mut all = self.outbox.list(10).await.unwrap();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    async fn audit_is_intact(&self) -> bool {
        self.store.read(|view| view.verify_audit()).await.unwrap().intact
    }
}

async fn open(store: &Store, broker: &Broker, directory: &Directory, config: Config) -> Outbox {
    let chat = Chat::new(store.clone(), broker.clone(), directory.clone(), Rules::default(), "corp.example");
    Outbox::open(store.clone(), chat, directory.clone(), &config, "corp.example", None, at(0)).await.unwrap()
}

#[tokio::test]
async fn one_mail_tells_of_everything_that_waits_and_names_no_body() {
    let house = House::with(by_maildir).await;
    house.write("carol", at(0)).await;
    house.write("carol", at(14)).await;
    assert!(!house.outbox.turn(at(14)).await.unwrap(), "the grace is not over");
    assert!(house.outbox.turn(at(15)).await.unwrap());
    let mails = house.mails("carol");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("Subject: 2 messages are waiting from alice"), "{}", mails[0]);
    assert!(mails[0].contains("2 from alice") && !mails[0].contains("the body"), "{}", mails[0]);
    let envelope = house.only_envelope().await;
    assert!(mails[0].contains(&format!("Message-ID: <{}@corp.example>", envelope.id)), "{}", mails[0]);
    assert_eq!((envelope.state, envelope.waiting, envelope.attempts), ("delivered", 2, 1));
    assert_eq!((envelope.next_at, envelope.ended_at), (None, Some(at(15))));
    assert!(!house.outbox.turn(at(16)).await.unwrap(), "nothing is left to do");
}

#[tokio::test]
async fn somebody_away_gets_one_mail_per_window_however_much_is_written() {
    let house = House::with(by_maildir).await;
    let mut mailed = Vec::new();
    for minute in 0..60 {
        house.write("carol", at(minute)).await;
        house.outbox.turn(at(minute)).await.unwrap();
        mailed.push(house.mails("carol").len());
    }
    assert_eq!([14, 15, 29, 30, 31, 44, 45, 59].map(|minute| mailed[minute]), [0, 1, 1, 1, 2, 2, 2, 3]);
    house.outbox.turn(at(120)).await.unwrap();
    let told: i64 = house.outbox.list(10).await.unwrap().iter().map(|envelope| envelope.waiting).sum();
    assert_eq!(told, 60, "each message is told of once");
}

#[tokio::test]
async fn a_message_written_after_a_mail_makes_the_next_one_wait_for_the_window() {
    let house = House::with(by_maildir).await;
    house.write("carol", at(0)).await;
    house.outbox.turn(at(60)).await.unwrap();
    // This one was overdue at once: the house had been asleep.
    house.write("carol", at(40)).await;
    house.outbox.turn(at(61)).await.unwrap();
    assert_eq!(house.mails("carol").len(), 1);
    assert_eq!(house.outbox.list(10).await.unwrap()[0].next_at, Some(at(75)));
    house.outbox.turn(at(75)).await.unwrap();
    assert_eq!(house.mails("carol").len(), 2);
}

#[tokio::test]
async fn what_was_read_before_causes_no_mail() {
    let house = House::with(by_maildir).await;
    let (early, _) = house.write("carol", at(0)).await;
    house.reads("carol", early).await;
    house.outbox.turn(at(20)).await.unwrap();
    assert!(house.outbox.list(10).await.unwrap().is_empty(), "read before the sweep: no envelope");

    house.write("carol", at(20)).await;
    house.outbox.turn(at(40)).await.unwrap();
    let (late, _) = house.write("carol", at(25)).await;
    house.outbox.turn(at(41)).await.unwrap();
    house.reads("carol", late).await;
    house.outbox.turn(at(60)).await.unwrap();
    assert_eq!(house.mails("carol").len(), 1, "the second envelope was waiting when its message was read");
    let envelope = house.outbox.list(1).await.unwrap().remove(0);
    assert_eq!((envelope.state, envelope.attempts), ("cancelled", 0));
    assert_eq!(envelope.detail.as_deref(), Some("read before the mail was sent"));
}

#[tokio::test]
async fn a_relay_that_is_down_defers_with_growing_waits_and_loses_nothing() {
    let house = House::with(by_dead_relay).await;
    let session = house.alice_asks_for_receipts().await;
    house.write("carol", at(0)).await;
    let mut now = at(15);
    let mut waits = Vec::new();
    for _ in 0..5 {
        house.outbox.turn(now).await.unwrap();
        let envelope = house.only_envelope().await;
        assert_eq!(envelope.state, "deferred");
        let next = envelope.next_at.unwrap();
        waits.push(next.since(now).as_secs() / 60);
        assert!(
            !house.outbox.turn(next.before(Duration::from_secs(1))).await.unwrap(),
            "not before its time"
        );
        now = next;
    }
    assert_eq!(waits, [2, 5, 10, 15, 30]);
    assert!(house.only_envelope().await.detail.unwrap().contains("relay"));
    assert!(house.outbox.jammed().is_some());
    assert!(house.receipts(&session).await.is_empty(), "nothing is decided yet");

    // The operator repairs it.
    let outbox = open(&house.store, &house.broker, &house.directory, by_maildir(&house.dir)).await;
    outbox.turn(now).await.unwrap();
    assert_eq!(house.mails("carol").len(), 1);
    assert_eq!(house.receipts(&session).await.len(), 1);
    assert_eq!(house.only_envelope().await.attempts, 6);
}

#[tokio::test]
async fn a_relay_that_never_comes_back_ends_in_a_bounce_after_five_days() {
    let house = House::with(by_dead_relay).await;
    let session = house.alice_asks_for_receipts().await;
    house.write("carol", at(0)).await;
    let mut now = at(15);
    while let Some(next) = {
        house.outbox.turn(now).await.unwrap();
        house.only_envelope().await.next_at
    } {
        now = next;
    }
    let envelope = house.only_envelope().await;
    assert_eq!(
        (envelope.state, envelope.ended_at),
        ("bounced", Some(at(15).after(Duration::from_secs(5 * 86400))))
    );
    let receipts = house.receipts(&session).await;
    assert!(receipts.len() == 1 && receipts[0].1.starts_with("failed: given up"), "{receipts:?}");
}

#[tokio::test]
async fn authors_hear_that_a_message_was_mailed() {
    let house = House::with(by_maildir).await;
    let session = house.alice_asks_for_receipts().await;
    let (_, first) = house.write("carol", at(0)).await;
    let (_, second) = house.write("carol", at(1)).await;
    house.outbox.turn(at(15)).await.unwrap();
    let mailed = |id: MessageId| (id.to_string(), "mailed".to_owned());
    assert_eq!(house.receipts(&session).await, [mailed(first), mailed(second)]);
}

#[tokio::test]
async fn authors_hear_of_a_bounce_once_for_each_message() {
    let house = House::with(by_maildir).await;
    // A name that no folder can have.
    let new = NewAccount { name: "a/b".into(), ..NewAccount::default() };
    house.directory.add(&Principal::Host, new, at(0)).await.unwrap();
    let session = house.alice_asks_for_receipts().await;
    let (_, first) = house.write("a/b", at(0)).await;
    house.outbox.turn(at(15)).await.unwrap();
    assert_eq!(house.only_envelope().await.state, "bounced");
    let (_, second) = house.write("a/b", at(16)).await;
    house.outbox.turn(at(40)).await.unwrap();
    let heard: Vec<(String, String)> = house.receipts(&session).await;
    let of: Vec<&str> = heard.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(of, [first.to_string(), second.to_string()]);
    assert!(heard.iter().all(|(_, word)| word == "failed: (address) cannot have a maildir"), "{heard:?}");
}

#[tokio::test]
async fn a_message_that_came_while_the_mail_was_under_way_gets_a_mail_of_its_own() {
    let house = House::with(by_maildir).await;
    house.write("carol", at(0)).await;
    house.outbox.sweep(at(15)).await.unwrap();
    let (_, mut trips) = house.outbox.claim(at(15)).await.unwrap();
    house.write("carol", at(15)).await;
    house.outbox.carry(trips.remove(0), &Jam::default(), at(15)).await.unwrap();
    house.outbox.turn(at(40)).await.unwrap();
    let told: Vec<i64> =
        house.outbox.list(10).await.unwrap().iter().map(|envelope| envelope.waiting).collect();
    assert_eq!(told, [1, 1]);
}

#[tokio::test]
async fn a_lease_of_a_house_that_died_is_free_at_the_next_start() {
    let house = House::with(by_maildir).await;
    house.write("carol", at(0)).await;
    house.outbox.sweep(at(15)).await.unwrap();
    let (taken, _died_with_the_house) = house.outbox.claim(at(15)).await.unwrap();
    assert_eq!((taken, house.only_envelope().await.state), (1, "sending"));
    assert!(!house.outbox.turn(at(16)).await.unwrap(), "nobody takes what is leased");

    let outbox = open(&house.store, &house.broker, &house.directory, by_maildir(&house.dir)).await;
    assert!(outbox.turn(at(16)).await.unwrap());
    assert_eq!(house.mails("carol").len(), 1);
    assert_eq!(house.only_envelope().await.state, "delivered");
}

#[tokio::test]
async fn who_has_no_address_or_is_gone_gets_no_mail_and_holds_up_nobody() {
    let house = House::with(by_dead_relay).await;
    house.write("alice", at(0)).await;
    house.write("carol", at(0)).await;
    house.outbox.turn(at(15)).await.unwrap();
    let envelope = house.only_envelope().await;
    assert_eq!((envelope.account.as_str(), envelope.recipient.as_str()), ("carol", "carol@home.example"));
    house.directory.remove(&Principal::Host, "carol", at(16)).await.unwrap();
    house.outbox.turn(at(30)).await.unwrap();
    assert_eq!(house.only_envelope().await.state, "cancelled");
}

#[tokio::test]
async fn mail_that_is_off_makes_no_envelopes_and_tells_of_everything_when_it_is_switched_on() {
    let house = House::with(|_| Config::default()).await;
    house.write("carol", at(0)).await;
    assert!(!house.outbox.turn(at(600)).await.unwrap());
    assert!(house.outbox.list(10).await.unwrap().is_empty());
    let outbox = open(&house.store, &house.broker, &house.directory, by_maildir(&house.dir)).await;
    outbox.turn(at(601)).await.unwrap();
    assert_eq!(house.mails("carol").len(), 1);
}

#[tokio::test]
async fn an_admin_retries_and_cancels_and_the_audit_knows() {
    let (house, ada) = (House::with(by_dead_relay).await, Principal::Admin("ada".into()));
    house.write("carol", at(0)).await;
    house.outbox.turn(at(15)).await.unwrap();
    let id = house.only_envelope().await.id;
    let shown = house.outbox.retry(&ada, id, at(16)).await.unwrap();
    assert_eq!((shown.state, shown.next_at), ("waiting", Some(at(16))));
    house.outbox.turn(at(16)).await.unwrap();
    assert_eq!(house.only_envelope().await.attempts, 2);
    let shown = house.outbox.cancel(&ada, id, at(17)).await.unwrap();
    assert_eq!((shown.state, shown.detail.as_deref()), ("cancelled", Some("cancelled by admin:ada")));
    house.outbox.turn(at(600)).await.unwrap();
    assert_eq!(house.only_envelope().await.attempts, 2);

    assert!(matches!(
        house.outbox.retry(&ada, id, at(601)).await,
        Err(Refused::Ended { state: "cancelled", .. })
    ));
    assert!(matches!(
        house.outbox.cancel(&ada, EnvelopeId::new(at(0)), at(601)).await,
        Err(Refused::NotFound(_))
    ));
    let entries = house.store.read(|view| view.audit_entries(None, 2)).await.unwrap();
    let deeds: Vec<_> = entries.iter().map(|entry| (entry.deed.as_str(), entry.actor.as_str())).collect();
    assert_eq!(deeds, [("outbox.cancel", "admin:ada"), ("outbox.retry", "admin:ada")]);
    assert!(house.audit_is_intact().await);
}

#[tokio::test]
async fn a_bounced_envelope_gets_another_chance_and_never_a_twin() {
    let house = House::with(by_maildir).await;
    let wrong = house.dir.path().join("mail");
    fs::write(&wrong, "a file where the folder should be").unwrap();
    house.write("carol", at(0)).await;
    house.outbox.turn(at(15)).await.unwrap();
    let id = house.only_envelope().await.id;
    // Five days later.
    house.outbox.turn(at(15 + 5 * 1440)).await.unwrap();
    assert_eq!(house.only_envelope().await.state, "bounced");
    fs::remove_file(&wrong).unwrap();
    let now = at(16 + 5 * 1440);
    house.outbox.retry(&Principal::Host, id, now).await.unwrap();
    house.write("carol", at(15 + 5 * 1440)).await;
    house.outbox.turn(now.after(GRACE)).await.unwrap();
    assert_eq!(house.only_envelope().await.state, "delivered");
    assert_eq!(house.mails("carol").len(), 1);
}

#[tokio::test]
async fn a_house_that_forgot_every_message_and_started_again_still_sends_mail() {
    let house = House::with(by_maildir).await;
    house.write("carol", at(0)).await;
    house.outbox.turn(at(15)).await.unwrap();
    house.store.write(|tx| tx.expire_messages(at(100))).await.unwrap();
    // An order of commit that began anew would stay behind the place where the sweep has come to.
    let store = Store::open(&house.dir.path().join("house.db"), 1).unwrap();
    let journal = house.dir.path().join("another journal");
    let broker = Broker::open(store.clone(), &journal, Default::default(), at(100)).await.unwrap();
    let directory = Directory::open(store.clone(), broker.clone(), None).await.unwrap();
    let outbox = open(&store, &broker, &directory, by_maildir(&house.dir)).await;
    let house = House { store, broker, directory, outbox, ..house };
    house.write("carol", at(100)).await;
    house.outbox.turn(at(115)).await.unwrap();
    assert_eq!(house.mails("carol").len(), 2);
}

#[tokio::test]
async fn a_wrong_clock_holds_up_nothing() {
    let house = House::with(by_maildir).await;
    house.write("carol", at(600_000)).await;
    house.write("carol", at(0)).await;
    house.outbox.turn(at(15)).await.unwrap();
    assert_eq!(house.mails("carol").len(), 1);
    assert_eq!(house.only_envelope().await.waiting, 2);
}

#[tokio::test]
async fn an_outbox_that_is_told_to_stop_finishes_its_turn_and_stops() {
    let house = House::with(by_maildir).await;
    house.write("carol", time::now().before(GRACE)).await;
    let (stop, shutdown) = watch::channel(false);
    let running = tokio::spawn(house.outbox.clone().run(shutdown));
    for _ in 0..200 {
        if !house.mails("carol").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    assert_eq!(house.only_envelope().await.state, EnvelopeState::Delivered.as_str());
}
