//! Limits: how much one account and one address may ask, and what happens to whoever asks more.

use std::time::{Duration, Instant};

use crate::town::Town;
use crate::town::client::{Client, Ending, PATIENCE, Refused};
use crate::town::packet::{self, Delivery, Packet};
use crate::town::plan::Plan;
use crate::town::tools::eventually;
use crate::town::web::Web;

const SERVER_UNAVAILABLE_V3: u8 = 3;
const QUOTA_EXCEEDED: u8 = 0x97;
const CONNECTION_RATE_EXCEEDED: u8 = 0x9F;

/// A town in which guests may say and hear anything.
fn open_town(section: &str, lines: &str) -> Town {
    plan(section, lines).start()
}

fn plan(section: &str, lines: &str) -> Plan {
    Town::plan().guests().rule("guest", "both", "#").with(section, lines)
}

/// How often a limit was reached, as the metrics say.
fn hits(town: &Town, limit: &str) -> u64 {
    let page = Web::new(town).page("/metrics").body;
    let name = format!("chancery_limit_hits_total{{limit=\"{limit}\"}} ");
    let line =
        page.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("{name}: {page}"));
    line.parse().expect("a number")
}

fn letters(count: u16, size: usize) -> Vec<Delivery> {
    (1..=count)
        .map(|id| {
            let mut payload = format!("{id} ").into_bytes();
            payload.resize(size.max(payload.len()), b'x');
            Delivery { id, ..Delivery::new("a/b", payload) }
        })
        .collect()
}

fn number(heard: &Delivery) -> u16 {
    heard.text().split(' ').next().and_then(|word| word.parse().ok()).expect("a number")
}

/// Waits for so many acknowledgements, each of success.
fn await_acks(client: &mut Client, count: usize) {
    for _ in 0..count {
        let answer = client.packet(PATIENCE);
        assert!(matches!(answer, Ok(Some(Packet::PubAck { code: 0 | 0x10, .. }))), "{answer:?}");
    }
}

#[test]
fn an_account_has_only_so_many_connections_but_may_always_take_its_own_session_over() {
    let town = open_town("door.limits", "connections_per_account = 2");
    let first = town.mqtt().id("one").connect();
    let mut second = town.mqtt().id("two").connect();
    assert_eq!(town.mqtt().id("three").refused(), QUOTA_EXCEEDED);
    assert_eq!(town.mqtt().id("three").v3().refused(), SERVER_UNAVAILABLE_V3);
    let again = town.mqtt().id("two").connect();
    assert_eq!(second.ending(PATIENCE), Ending::Disconnect(0x8E));
    assert_eq!(town.mqtt().id("three").refused(), QUOTA_EXCEEDED);
    assert!(hits(&town, "account_connections") >= 3);
    first.leave();
    eventually("there is room again", || town.mqtt().id("three").try_connect().is_ok());
    drop(again);
}

#[test]
fn an_address_has_only_so_many_connections() {
    let town = open_town("door.limits", "connections_per_address = 2");
    let [first, _second] = ["one", "two"].map(|id| town.mqtt().id(id).connect());
    assert_eq!(town.mqtt().id("three").refused(), QUOTA_EXCEEDED);
    first.leave();
    eventually("there is room again", || town.mqtt().id("three").try_connect().is_ok());
    assert!(hits(&town, "address_connections") >= 1);
}

#[test]
fn an_address_connects_only_so_often_and_may_again_a_moment_later() {
    let town = open_town("door.limits", "connects_per_second = 3");
    let mut tries = (0..60).map(|_| town.mqtt().try_connect().map(drop));
    let refused = tries.find_map(Result::err);
    assert_eq!(refused, Some(Refused::Code(CONNECTION_RATE_EXCEEDED)));
    eventually("time brings another", || town.mqtt().try_connect().is_ok());
    assert!(hits(&town, "connect_rate") >= 1);
}

#[test]
fn an_address_shakes_hands_only_so_often() {
    // The look at the metrics is at another door.
    let town = open_town("door.limits", "handshakes_per_second = 2");
    let alice = town.person("alice");
    let mut tries = (0..60).map(|_| town.as_person(&alice).try_connect().map(drop));
    assert!(matches!(tries.find_map(Result::err), Some(Refused::Closed(_))), "it is closed without a word");
    eventually("time brings another", || town.as_person(&alice).try_connect().is_ok());
    assert!(hits(&town, "handshake_rate") >= 1);
}

#[test]
fn who_publishes_too_fast_is_slowed_and_nothing_is_lost() {
    const COUNT: u16 = 1000;
    let town = open_town("door.limits", "publish_messages_per_second = 250");
    let mut reader = town.mqtt().id("reader").connect().listen("a/b");
    // Not being read must not be taken for silence.
    let mut writer = town.mqtt().id("writer").keep_alive(1).connect();
    let began = Instant::now();
    let heard = std::thread::scope(|threads| {
        let heard = threads.spawn(|| (0..COUNT).map(|_| number(&reader.hear())).collect::<Vec<_>>());
        for batch in letters(COUNT, 1000).chunks(500) {
            batch.iter().for_each(|letter| writer.put(letter));
            await_acks(&mut writer, batch.len());
        }
        heard.join().expect("the reader")
    });
    assert!(heard.iter().copied().eq(1..=COUNT), "{heard:?}");
    // The bucket holds a second's worth at first, and the last read is let through before it is waited for.
    assert!(began.elapsed() > Duration::from_millis(2300), "{:?}", began.elapsed());
    assert!(hits(&town, "publish_messages") >= 1);
}

#[test]
fn a_client_that_waits_for_its_rate_is_not_taken_for_silent() {
    let town = open_town("door.limits", "publish_bytes_per_second = 4000");
    let mut writer = town.mqtt().id("writer").keep_alive(1).connect();
    // All in one read: it waits for some four seconds, far longer than one and a half times its keep-alive.
    let began = Instant::now();
    letters(100, 200).iter().for_each(|letter| writer.put(letter));
    await_acks(&mut writer, 100);
    writer.ping();
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(hits(&town, "publish_bytes") >= 1);
}

/// A reset overtook the reason when the line was closed with something unread in it.
#[test]
fn a_client_that_sends_too_much_can_go_on_until_it_has_read_why_it_is_over() {
    let town = open_town("door.limits", "receive_maximum = 50");
    let mut client = town.mqtt().connect();
    (1..=51).for_each(|id| client.put(&Delivery { id, qos: 2, ..Delivery::new("a/b", "x") }));
    let told = loop {
        match client.packet(PATIENCE) {
            Ok(Some(Packet::PubRec { id, .. })) => client.send(&packet::pubrel(id)).expect("the line stands"),
            Ok(Some(Packet::Disconnect { code })) => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told, 0x93);
}

#[test]
fn an_mqtt_5_client_is_told_how_long_it_may_be_silent() {
    let town = open_town("door.limits", "keep_alive = \"30s\"");
    for (offered, told) in [(0, None), (30, None), (31, Some(30)), (u16::MAX, Some(30))] {
        let client = town.mqtt().keep_alive(offered).connect();
        assert_eq!(client.welcome.numbers.get(&packet::SERVER_KEEP_ALIVE).copied(), told, "{offered}");
    }
}

#[test]
fn a_topic_that_is_too_deep_is_refused_and_its_client_stays() {
    let town = open_town("broker", "topic_levels = 3");
    let mut client = town.mqtt().connect().listen("a/b/+");
    assert_eq!(client.subscribe(&[("a/b/c/d", 1), ("a/b/c", 1)]), [0x8F, 1]);
    assert_eq!(client.publish("a/b/c/d", "x"), 0x90);
    client.say("a/b/c", "x");
    assert_eq!(client.hear().text(), "x");
    assert_eq!(hits(&town, "topic_levels"), 2);
}

#[test]
fn what_the_house_may_hold_in_memory_ends_with_a_refusal_and_nothing_else() {
    let lines = "memory_bytes = 16777216\nqueue_memory = 67108864";
    let town = open_town("broker", lines);
    let mut lazy = town.mqtt().id("lazy").connect();
    assert_eq!(lazy.subscribe(&[("a/b", 0)]), [0]);
    let mut writer = town.mqtt().id("writer").connect();
    let payload = "x".repeat(200_000);
    // The reader takes nothing, so after what its socket holds everything stays here.
    let refused = (0..1000).map(|_| writer.publish("a/b", &payload)).find(|code| *code >= 0x80);
    assert_eq!(refused, Some(QUOTA_EXCEEDED));
    // With QoS 0 it is dropped, and the publisher stays.
    writer.put(&Delivery { qos: 0, ..Delivery::new("a/b", "y") });
    writer.ping();
    drop(lazy);
    eventually("there is room again", || writer.publish("a/b", "z") < 0x80);
    let page = Web::new(&town).page("/metrics").body;
    assert!(page.contains("chancery_publications_refused_total{reason=\"quota exceeded\"} "), "{page}");
    assert!(page.contains("chancery_deliveries_dropped_total{reason=\"memory\"} 1"), "{page}");
    assert!(hits(&town, "memory") >= 2);
}

#[test]
fn a_limit_of_nothing_is_refused_at_the_start() {
    let town = plan("door.limits", "connects_per_second = 0\npublish_bytes_per_second = 0").unfounded();
    let told = town.cli("check-config");
    let said = format!("{}{}", told.out, told.err);
    assert_eq!(told.code, 2, "{said}");
    for key in ["door.limits.connects_per_second", "door.limits.publish_bytes_per_second"] {
        assert!(said.contains(key), "{said}");
    }
}
