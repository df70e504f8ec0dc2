//! The doors: the same MQTT comes in through each of them, and none lets anybody in whom another would not.

mod clients;
mod crowds;
mod quic;
mod websocket;

use std::net::SocketAddr;
use std::time::Duration;

use proxy_header::{ProxiedAddress, ProxyHeader};

use crate::town::client::{Dial, Ending, PATIENCE, Refused};
use crate::town::tools::eventually;
use crate::town::{Person, Town};

/// The same client at each door that a person with a certificate may use.
fn secure_doors(town: &Town, person: &Person) -> [(&'static str, Dial); 3] {
    let person = Some(person);
    [("mqtts", town.mqtts(person)), ("wss", town.wss(person)), ("quic", town.quic(person))]
}

/// The same at each door, with a password.
fn all_doors(town: &Town) -> [(&'static str, Dial); 5] {
    [
        ("mqtt", town.mqtt()),
        ("mqtts", town.mqtts(None)),
        ("ws", town.ws()),
        ("wss", town.wss(None)),
        ("quic", town.quic(None)),
    ]
}

/// Alice and whoever this is write to each other.
fn talk(alice: &mut crate::town::client::Client, name: &str, dial: &Dial) {
    let mut there = dial.connect().listen("from/#");
    alice.say(&format!("to/{name}"), "hello");
    there.hears("from/alice", "hello");
    there.say("to/alice", "good day");
    alice.hears(&format!("from/{name}"), "good day");
    there.leave();
}

#[test]
fn each_door_carries_messages_both_ways_in_both_versions() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    town.account("carol", "a long enough password");
    let mut alice = town.as_person(&alice).connect().listen("from/#");
    for (_, dial) in secure_doors(&town, &bob) {
        talk(&mut alice, "bob", &dial.clone().id("bob-1"));
        talk(&mut alice, "bob", &dial.v3().id("bob-1"));
    }
    for (_, dial) in all_doors(&town) {
        let dial = dial.id("carol-1").password("carol", "a long enough password");
        talk(&mut alice, "carol", &dial);
        talk(&mut alice, "carol", &dial.v3());
    }
}

#[test]
fn a_session_is_the_same_at_every_door() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut alice = town.as_person(&alice).connect();
    let [(_, first), (_, second), (_, third)] =
        secure_doors(&town, &bob).map(|(name, dial)| (name, dial.durable().id("one")));
    first.connect().listen("from/#").leave();
    alice.say("to/bob", "at the next door");
    let mut there = second.connect();
    assert!(there.present);
    there.hears("from/alice", "at the next door");
    // The same client elsewhere takes the session over.
    assert!(third.connect().present);
    assert_eq!(there.ending(PATIENCE), Ending::Disconnect(0x8E));
}

#[test]
fn a_large_message_passes_every_door() {
    let town = Town::plan().rule("any", "both", "open/#").start();
    let bob = town.person("bob");
    let text = "0123456789abcdef".repeat(60_000);
    for (name, dial) in secure_doors(&town, &bob) {
        let mut client = dial.id(name).connect().listen("open/large");
        client.say("open/large", &text);
        let heard = client.hear();
        assert!(heard.text() == text, "{name}: {} bytes", heard.text().len());
    }
}

#[test]
fn a_revoked_certificate_opens_no_door_and_ends_its_sessions() {
    let town = Town::start();
    let bob = town.person("bob");
    let doors = secure_doors(&town, &bob).map(|(name, dial)| (name, dial.id(name)));
    let mut clients = doors.clone().map(|(_, dial)| dial.connect());
    town.ask(&format!("cert revoke {}", bob.serial));
    for client in &mut clients {
        assert_eq!(client.ending(PATIENCE), Ending::Disconnect(0x98));
    }
    for (name, dial) in &doors {
        assert!(dial.try_connect().is_err(), "{name}");
    }
}

#[test]
fn every_door_is_told_when_the_house_closes() {
    let mut town = Town::start();
    let bob = town.person("bob");
    let mut clients = secure_doors(&town, &bob).map(|(name, dial)| dial.id(name).connect());
    town.stop();
    for client in &mut clients {
        assert_eq!(client.ending(PATIENCE), Ending::Disconnect(0x8B));
    }
}

// --- PROXY protocol -------------------------------------------------------------------------------------------------

fn behind_proxies() -> crate::town::plan::Plan {
    let doors = ["mqtt", "mqtts", "ws", "wss"];
    doors.iter().fold(Town::plan(), |plan, door| plan.with(&format!("door.{door}"), "proxy_protocol = true"))
}

fn header(source: &str) -> Vec<u8> {
    let source: SocketAddr = source.parse().expect("an address");
    let mut bytes = Vec::new();
    let header = ProxyHeader::with_address(ProxiedAddress::stream(source, source));
    header.encode_v2(&mut bytes).expect("memory");
    bytes
}

fn local() -> Vec<u8> {
    let mut bytes = Vec::new();
    ProxyHeader::with_local().encode_v2(&mut bytes).expect("memory");
    bytes
}

fn address_of(town: &Town, client_id: &str) -> String {
    let sessions = town.ask("session list");
    let mine = sessions.as_array().into_iter().flatten().find(|session| session["client_id"] == client_id);
    mine.and_then(|session| session["address"].as_str()).unwrap_or_default().to_owned()
}

#[test]
fn a_proxy_says_where_a_client_really_is() {
    let town = behind_proxies().start();
    let bob = town.person("bob");
    town.account("carol", "a long enough password");
    let carol = |dial: Dial| dial.password("carol", "a long enough password");
    let doors = [
        ("mqtt", carol(town.mqtt())),
        ("mqtts", town.mqtts(Some(&bob))),
        ("ws", carol(town.ws())),
        ("wss", town.wss(Some(&bob))),
    ];
    for (name, dial) in doors {
        let dial = dial.id(name);
        let _there = dial.clone().behind(header("192.0.2.7:1024")).connect();
        assert_eq!(address_of(&town, name), "192.0.2.7:1024", "{name}");
        let _there = dial.clone().behind(header("[2001:db8::7]:1024")).connect();
        assert_eq!(address_of(&town, name), "[2001:db8::7]:1024", "{name}");
        // The proxy asks for itself whether we are there.
        let _there = dial.behind(local()).connect();
        assert!(address_of(&town, name).starts_with("127.0.0.1:"), "{name}");
    }
}

#[test]
fn without_its_header_nobody_passes_a_door_behind_a_proxy() {
    let town = behind_proxies().start();
    let bob = town.person("bob");
    for (_, dial) in &secure_doors(&town, &bob)[..2] {
        assert!(matches!(dial.try_connect(), Err(Refused::Closed(_))));
        let cut = header("192.0.2.7:1024")[..20].to_vec();
        let wrong = [&header("192.0.2.7:1024")[..12], &[0x31, 0x11, 0, 0]].concat();
        assert!(matches!(dial.clone().behind(wrong).try_connect(), Err(Refused::Closed(_))));
        // The rest of it would be the beginning of TLS.
        assert!(matches!(dial.clone().behind(cut).try_connect(), Err(Refused::Closed(_))));
    }
    let lines = town.log().lines().filter(|line| line.contains("PROXY header")).count();
    assert!(lines >= 2, "{}", town.log());
}

#[test]
fn a_guest_behind_a_proxy_is_on_this_machine_by_both_accounts() {
    let town = Town::plan().guests().with("door.mqtt", "proxy_protocol = true").start();
    assert_eq!(town.mqtt().behind(header("192.0.2.7:1024")).refused(), 0x87);
    town.mqtt().behind(header("127.0.0.1:1024")).connect();
    town.mqtt().behind(local()).connect();
}

#[test]
fn a_proxy_that_says_nothing_is_closed() {
    let town = behind_proxies().with("door.limits", "connect_timeout = \"500ms\"").start();
    let mut silent = town.mqtt().open().expect("the door is open");
    assert_eq!(silent.ending(Duration::from_secs(10)), Ending::Closed);
    eventually("the log says why", || town.log().contains("a handshake failed"));
}
