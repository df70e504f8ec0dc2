//! Durability: what was acknowledged is delivered, whatever happens to the daemon in between.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::town::Town;
use crate::town::client::{Client, Dial};
use crate::town::packet::{Delivery, Packet};

const MESSAGES: u32 = 10_000;
const KILLS: u32 = 20;
const WINDOW: usize = 100;

#[test]
fn ten_thousand_messages_survive_twenty_kills() {
    let began = Instant::now();
    let mut town = Town::plan().with("log", "level = \"warn\"").start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let reader = town.as_person(&bob).id("reader").durable();
    reader.connect().listen("from/#").leave();

    let heard = Heard::default();
    let listening = heard.clone();
    *heard.door.lock().expect("no panic") = Some(town.door("mqtts"));
    let listener = thread::spawn(move || listening.listen(&reader));

    let mut sender = Sender::new(town.as_person(&alice).id("writer").durable());
    let mut moments: Vec<u32> = (0..KILLS).map(|_| random() % MESSAGES).collect();
    moments.sort_unstable();
    for (number, moment) in moments.iter().enumerate() {
        sender.publish_until(*moment);
        // A moment somewhere in what is going on, not at an acknowledgement.
        thread::sleep(Duration::from_micros((random() % 5000).into()));
        *heard.door.lock().expect("no panic") = None;
        town.kill9();
        town.open();
        *heard.door.lock().expect("no panic") = Some(town.door("mqtts"));
        sender.come_back(town.door("mqtts"), number);
    }
    sender.publish_until(MESSAGES);

    let until = Instant::now() + Duration::from_secs(60);
    while heard.count() < MESSAGES as usize && Instant::now() < until {
        thread::sleep(Duration::from_millis(20));
    }
    heard.over.store(true, Ordering::Relaxed);
    listener.join().expect("the listener is well");

    let ids = heard.ids.lock().expect("no panic");
    let missing: Vec<_> = sender.acknowledged.iter().filter(|number| !ids.contains_key(*number)).collect();
    let twice: Vec<_> = ids.iter().filter(|(_, ids)| ids.len() > 1).collect();
    let distinct: HashSet<&String> = ids.values().flatten().collect();
    let again: u32 = heard.again.load(Ordering::Relaxed);
    eprintln!(
        "{KILLS} kills, {} sent again, {} acknowledged, {} delivered under {} ids, {again} deliveries repeated, \
         {} lost, {} doubled, in {:.1?}",
        sender.sent_again,
        sender.acknowledged.len(),
        ids.len(),
        distinct.len(),
        missing.len(),
        twice.len(),
        began.elapsed(),
    );
    assert_eq!(sender.acknowledged.len(), MESSAGES as usize);
    assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    assert!(twice.is_empty(), "one message under two ids: {twice:?}");
    assert_eq!(distinct.len(), ids.len(), "one id for two messages");
}

/// Publishes numbers, and knows which are acknowledged.
struct Sender {
    dial: Dial,
    client: Option<Client>,
    next: u32,
    last_id: u16,
    open: BTreeMap<u16, u32>,
    /// In the order of their sending.
    order: Vec<u16>,
    acknowledged: HashSet<u32>,
    sent_again: usize,
}

impl Sender {
    fn new(dial: Dial) -> Self {
        let client = Some(dial.connect());
        let (open, order) = (BTreeMap::new(), Vec::new());
        Self { dial, client, next: 0, last_id: 0, open, order, acknowledged: HashSet::new(), sent_again: 0 }
    }

    /// Publishes until so many are acknowledged.
    fn publish_until(&mut self, count: u32) {
        while self.acknowledged.len() < count as usize {
            while self.open.len() < WINDOW && self.next < MESSAGES {
                let id = self.free_id();
                self.open.insert(id, self.next);
                self.order.push(id);
                self.put(id, self.next, false);
                self.next += 1;
            }
            self.hear();
        }
    }

    fn hear(&mut self) {
        let client = self.client.as_mut().expect("connected");
        match client.packet(Duration::from_secs(30)) {
            Ok(Some(Packet::PubAck { id, code })) => {
                assert_eq!(code, 0, "a message is refused");
                let number = self.open.remove(&id).expect("an acknowledgement of something sent");
                self.order.retain(|open| *open != id);
                self.acknowledged.insert(number);
            }
            other => panic!("{other:?} instead of an acknowledgement"),
        }
    }

    /// Connects again and sends again what was not acknowledged, in order (MQTT 5 section 4.4).
    fn come_back(&mut self, door: SocketAddr, number: usize) {
        // What the daemon said before it died still counts.
        while let Some(Ok(Some(packet))) =
            self.client.as_mut().map(|client| client.packet(Duration::from_secs(5)))
        {
            if let Packet::PubAck { id, code: 0 } = packet {
                self.acknowledged.extend(self.open.remove(&id));
                self.order.retain(|open| *open != id);
            }
        }
        self.dial = self.dial.clone().at(door);
        let client = self.dial.connect();
        assert!(client.present, "the session is gone after kill {}", number + 1);
        self.client = Some(client);
        for id in self.order.clone() {
            self.sent_again += 1;
            self.put(id, self.open[&id], true);
        }
    }

    fn put(&mut self, id: u16, number: u32, dup: bool) {
        let letter = Delivery { id, dup, ..Delivery::new("to/bob", number.to_string()) };
        self.client.as_mut().expect("connected").put(&letter);
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id % 1000 + 1;
            if !self.open.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

/// What bob heard, over all his connections.
#[derive(Clone, Default)]
struct Heard {
    door: Arc<Mutex<Option<SocketAddr>>>,
    /// Message ids by number; there must be one each.
    ids: Arc<Mutex<HashMap<u32, HashSet<String>>>>,
    again: Arc<std::sync::atomic::AtomicU32>,
    over: Arc<AtomicBool>,
}

impl Heard {
    fn count(&self) -> usize {
        self.ids.lock().expect("no panic").len()
    }

    fn listen(&self, reader: &Dial) {
        while !self.over.load(Ordering::Relaxed) {
            let door = *self.door.lock().expect("no panic");
            match door.map(|door| reader.clone().at(door).try_connect()) {
                Some(Ok(client)) => self.hear(client),
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn hear(&self, mut client: Client) {
        while !self.over.load(Ordering::Relaxed) {
            match client.packet(Duration::from_millis(200)) {
                Ok(Some(Packet::Publish(heard))) => {
                    let number: u32 = heard.text().parse().expect("a number");
                    let id = heard.user("id").to_owned();
                    if !self.ids.lock().expect("no panic").entry(number).or_default().insert(id) {
                        self.again.fetch_add(1, Ordering::Relaxed);
                    }
                    if client.send(&crate::town::packet::puback(heard.id)).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

/// A number that nobody can foresee: the standard library's hashers are seeded afresh.
pub(crate) fn random() -> u32 {
    (RandomState::new().hash_one(0) >> 32) as u32
}
