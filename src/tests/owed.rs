//! What durable sessions are owed on plain topics: acknowledged messages come back after `kill -9`, in order, and with
//! QoS 2 each exactly once.

use std::collections::{BTreeMap, VecDeque};
use std::thread;
use std::time::Duration;

use crate::town::Town;
use crate::town::client::{Client, Dial};
use crate::town::disk::Disk;
use crate::town::packet::{self, Delivery, Packet, Version};

/// With QoS 1; with QoS 2, which takes its reader three packets for each, a fifth of it.
const MESSAGES: u32 = 50_000;
const KILLS: u32 = 6;
const WINDOW: usize = 200;
const TOPIC: &str = "open/owed";

#[test]
fn what_was_acknowledged_with_qos_1_comes_back_in_order_after_kills() {
    let heard = through_kills(1, MESSAGES);
    let mut first = heard.clone();
    // Sent again after a broken connection means delivered again; the first of each stands in its place.
    let mut seen = std::collections::HashSet::new();
    first.retain(|number| seen.insert(*number));
    assert!(first.iter().copied().eq(0..MESSAGES), "{} of {MESSAGES}", first.len());
}

#[test]
fn what_was_acknowledged_with_qos_2_comes_back_exactly_once_after_kills() {
    let heard = through_kills(2, MESSAGES / 5);
    assert!(heard.iter().copied().eq(0..MESSAGES / 5), "{}", heard.len());
}

#[test]
fn what_is_owed_survives_a_clean_restart_and_keeps_its_properties() {
    let mut town = Town::plan().rule("any", "both", "open/#").start();
    let alice = town.person("alice");
    let away = town.as_person(&alice).id("away").durable();
    away.connect().hearing(TOPIC, 2).leave();
    let letter = Delivery { qos: 2, ..Delivery::new(TOPIC, "kept") };
    let letter = Delivery { properties: letter.properties.clone().pair("k", "v"), ..letter };
    town.as_person(&alice).id("writer").connect().post(letter);
    town.stop();
    town.open();
    let mut back = town.as_person(&alice).id("away").durable().connect();
    assert!(back.present);
    let heard = back.delivery();
    assert_eq!((heard.text().as_str(), heard.qos, heard.dup, heard.user("k")), ("kept", 2, false, "v"));
    back.take_exactly_once(&heard);
}

#[test]
fn a_full_disk_refuses_what_would_be_owed_and_loses_nothing_that_was_acknowledged() {
    for qos in [1, 2] {
        let disk = Disk::of(8);
        let mut town =
            Town::plan().rule("any", "both", "open/#").state_in(&disk.path().join("state")).start();
        let alice = town.person("alice");
        town.as_person(&alice).id("away").durable().connect().hearing(TOPIC, qos).leave();
        let mut writer = town.as_person(&alice).id("writer").durable().connect();
        let filler = "x".repeat(20_000);
        let mut post =
            |number: u32| writer.post(Delivery { qos, ..Delivery::new(TOPIC, format!("{number} {filler}")) });
        let kept = (0..1000).take_while(|number| post(*number) == 0).count() as u32;
        assert!((50..1000).contains(&kept), "{kept} messages of 20 kB");
        assert_eq!(post(kept), 0x97, "it keeps saying so");
        disk.grow(64);
        assert_eq!(post(kept), 0, "there is room again");
        town.kill9();
        town.open();
        let mut reader = town.as_person(&alice).id("away").durable().connect();
        let numbers = (0..=kept).map(|_| reader.hear().text().split(' ').next().map(str::to_owned));
        assert!(numbers.eq((0..=kept).map(|number| Some(number.to_string()))));
        reader.hears_nothing();
    }
}

/// A session is away while another publishes with this quality of service and the daemon is killed again and again, and
/// in the end is stopped in good order; then it comes back. Gives what it heard, in order.
fn through_kills(qos: u8, messages: u32) -> Vec<u32> {
    let mut town = Town::plan().rule("any", "both", "open/#").with("log", "level = \"warn\"").start();
    let alice = town.person("alice");
    town.as_person(&alice).id("away").durable().connect().hearing(TOPIC, qos).leave();
    let mut writer = Writer::new(town.as_person(&alice).id("writer").durable(), qos);
    for kill in 1..=KILLS {
        writer.publish_until(messages / KILLS * kill - messages / KILLS / 2 + kill * 7);
        // A moment somewhere in what is going on, not at an acknowledgement.
        thread::sleep(Duration::from_micros(u64::from(kill) * 700));
        town.kill9();
        town.open();
        writer.come_back(town.as_person(&alice).id("writer").durable());
    }
    writer.publish_until(messages);
    writer.finish();
    town.kill9();
    town.open();
    town.restart();
    let mut reader = town.as_person(&alice).id("away").durable().connect();
    assert!(reader.present, "the session is there");
    (0..).map_while(|_| take(&mut reader, qos)).collect()
}

/// The next delivery, which the client settles; `None` when nothing more comes.
fn take(reader: &mut Client, qos: u8) -> Option<u32> {
    let heard = reader.hear_within(Duration::from_secs(2))?;
    assert_eq!(heard.qos, qos);
    Some(heard.text().parse().expect("a number"))
}

/// Publishes numbers with a window, and keeps the protocol's promises over broken connections.
struct Writer {
    dial: Dial,
    client: Client,
    qos: u8,
    next: u32,
    /// In order: the packet identifier, the number, and whether the daemon has it (QoS 2).
    open: VecDeque<(u16, u32)>,
    received: BTreeMap<u16, u32>,
}

impl Writer {
    fn new(dial: Dial, qos: u8) -> Self {
        let client = dial.connect();
        Self { dial, client, qos, next: 0, open: VecDeque::new(), received: BTreeMap::new() }
    }

    fn publish_until(&mut self, number: u32) {
        while self.next < number {
            while self.open.len() + self.received.len() >= WINDOW {
                self.hear();
            }
            let id = u16::try_from(self.next % 60_000 + 1).expect("small");
            self.open.push_back((id, self.next));
            let bytes = self.letter(id, self.next, false);
            self.next += 1;
            if self.client.send(&bytes).is_err() {
                return;
            }
        }
    }

    fn letter(&self, id: u16, number: u32, dup: bool) -> Vec<u8> {
        let letter = Delivery { id, dup, qos: self.qos, ..Delivery::new(TOPIC, number.to_string()) };
        packet::publish(Version::V5, &letter)
    }

    /// One answer of the daemon.
    fn hear(&mut self) {
        match self.client.packet(Duration::from_secs(20)).expect("the daemon is there").expect("an answer") {
            Packet::PubAck { id, code } | Packet::PubRec { id, code } if code < 0x80 => {
                let at = self.open.iter().position(|(open, _)| *open == id).expect("ours");
                let (_, number) = self.open.remove(at).expect("there");
                if self.qos == 2 {
                    self.received.insert(id, number);
                    self.client.send(&packet::pubrel(id)).expect("PUBREL is sent");
                }
            }
            Packet::PubComp { id, .. } => _ = self.received.remove(&id),
            other => panic!("{other:?}"),
        }
    }

    /// The connection broke: what has no answer is said again (MQTT section 4.4).
    fn come_back(&mut self, dial: Dial) {
        self.dial = dial;
        self.client = self.dial.connect();
        assert!(self.client.present, "the writer's session is there");
        let again: Vec<_> = self.open.iter().map(|(id, number)| self.letter(*id, *number, true)).collect();
        let released: Vec<u16> = self.received.keys().copied().collect();
        released.into_iter().for_each(|id| self.client.send(&packet::pubrel(id)).expect("PUBREL is sent"));
        again.iter().for_each(|bytes| self.client.send(bytes).expect("PUBLISH is sent"));
    }

    fn finish(&mut self) {
        while !self.open.is_empty() || !self.received.is_empty() {
            self.hear();
        }
    }
}
