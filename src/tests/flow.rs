//! Flow: in which order things come, how many at a time, and how long a session is owed them.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use crate::town::client::{Client, Ending, PATIENCE};
use crate::town::packet::{self, Delivery, Packet};
use crate::town::tools::eventually;
use crate::town::{Person, Town};

/// Says numbers to bob, without waiting for each answer.
fn say_numbers(town: &Town, alice: &Person, count: u16) {
    let mut sender = town.as_person(alice).id("numbers").connect();
    for number in 1..=count {
        sender.put(&Delivery { id: number, ..Delivery::new("to/bob", number.to_string()) });
        if number % 200 == 0 {
            await_acks(&mut sender, 200);
        }
    }
    await_acks(&mut sender, (count % 200).into());
}

fn await_acks(sender: &mut Client, count: usize) {
    for _ in 0..count {
        let answer = sender.packet(PATIENCE);
        assert!(matches!(answer, Ok(Some(Packet::PubAck { code: 0, .. }))), "{answer:?}");
    }
}

/// Everything that is delivered until it is quiet, as numbers; nothing is acknowledged.
fn unacknowledged(client: &mut Client) -> Vec<Delivery> {
    client.acknowledges = false;
    let mut heard = Vec::new();
    while let Some(delivery) = client.hear_within(Duration::from_millis(300)) {
        heard.push(delivery);
    }
    heard
}

fn numbers(heard: &[Delivery]) -> Vec<u16> {
    heard.iter().map(|delivery| delivery.text().parse().expect("a number")).collect()
}

#[test]
fn what_waits_comes_in_order_and_once_to_durable_and_passing_sessions() {
    const COUNT: u16 = 2000;
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    town.as_person(&bob).id("durable").durable().connect().listen("from/#").leave();
    say_numbers(&town, &alice, COUNT);
    let mut passing = town.as_person(&bob).id("passing").connect().listen("from/#");
    let mut durable = town.as_person(&bob).id("durable").durable().connect();
    for client in [&mut passing, &mut durable] {
        let heard: Vec<u16> = (0..COUNT).map(|_| client.hear().text().parse().expect("a number")).collect();
        assert!(heard.iter().copied().eq(1..=COUNT), "{heard:?}");
        client.hears_nothing();
    }
    town.await_taken("bob");
}

#[test]
fn no_more_is_on_its_way_than_the_client_allows() {
    for durable in [true, false] {
        let town = Town::start();
        let [alice, bob] = town.people(["alice", "bob"]);
        let dial = town.as_person(&bob).id("narrow").at_most(3);
        let dial = if durable { dial.durable() } else { dial };
        let mut client = dial.connect().listen("from/#");
        say_numbers(&town, &alice, 50);
        let mut seen = Vec::new();
        while seen.len() < 50 {
            let heard = unacknowledged(&mut client);
            assert!((1..=3).contains(&heard.len()), "{} at once, after {}", heard.len(), seen.len());
            seen.extend(numbers(&heard));
            // Backwards, which is allowed.
            heard.iter().rev().for_each(|one| client.acknowledge(one));
        }
        assert!(seen.iter().copied().eq(1..=50), "{seen:?}");
        assert!(unacknowledged(&mut client).is_empty());
    }
}

#[test]
fn only_what_was_not_acknowledged_comes_again_and_keeps_its_place() {
    let mut town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut first = town.as_person(&bob).id("b").durable().connect().listen("from/#");
    say_numbers(&town, &alice, 10);
    let heard = unacknowledged(&mut first);
    assert!(numbers(&heard).into_iter().eq(1..=10));
    for one in heard.iter().filter(|one| numbers(&[(*one).clone()])[0].is_multiple_of(2)) {
        first.acknowledge(one);
    }
    first.ping();
    eventually("the acknowledgements are settled", || town.ask("session list")[0]["queued"] == 5);
    town.kill9();
    town.open();
    let mut second = town.as_person(&bob).id("b").durable().connect();
    assert!(second.present);
    assert_eq!(numbers(&unacknowledged(&mut second)), [1, 3, 5, 7, 9]);
}

#[test]
fn each_durable_device_gets_everything_and_the_author_hears_of_it_once() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut author = town.as_person(&alice).id("a").durable().connect().listen("receipt/#");
    let devices = ["desk", "phone", "tablet"];
    for id in devices {
        town.as_person(&bob).id(id).durable().connect().listen("from/#").leave();
    }
    author.say("to/bob", "to all of you");
    let mut ids = HashSet::new();
    for id in devices {
        let mut device = town.as_person(&bob).id(id).durable().connect();
        ids.insert(device.hears("from/alice", "to all of you").user("id").to_owned());
        device.hears_nothing();
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(author.hear().text(), "delivered");
    author.hears_nothing();
}

#[test]
fn overlapping_filters_deliver_once() {
    let town = Town::plan().rule("any", "both", "open/#").start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut durable = town.as_person(&bob).id("d").durable().connect();
    let mut passing = town.as_person(&bob).id("p").connect();
    for client in [&mut durable, &mut passing] {
        assert_eq!(
            client.subscribe(&[("from/#", 0), ("from/alice", 1), ("open/#", 1), ("open/+", 0)]),
            [0, 1, 1, 0]
        );
    }
    let mut sender = town.as_person(&alice).connect();
    sender.say("to/bob", "chat");
    sender.say("open/x", "plain");
    for client in [&mut durable, &mut passing] {
        let mut heard = [client.hear(), client.hear()];
        heard.sort_by(|a, b| a.topic.cmp(&b.topic));
        assert_eq!(
            heard.each_ref().map(|one| (one.text(), one.qos)),
            [("chat".into(), 1), ("plain".into(), 1)]
        );
        client.hears_nothing();
    }
}

#[test]
fn a_session_lasts_as_long_as_it_said_and_not_longer() {
    let mut town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let brief = town.as_person(&bob).id("brief").lasting(1);
    let long = town.as_person(&bob).id("long").lasting(100);
    for dial in [&brief, &long] {
        dial.connect().listen("from/#").leave();
    }
    assert!(brief.connect().present, "it has not ended yet");
    let over = Instant::now() + Duration::from_secs(3);
    town.as_person(&alice).connect().say("to/bob", "hello");
    eventually("the second is over and more", || Instant::now() > over);
    let mut late = brief.connect();
    assert!(!late.present, "a session of one second is there after three");
    late.hears_nothing();
    town.restart();
    let mut long = town.as_person(&bob).id("long").lasting(100).connect();
    assert!(long.present);
    long.hears("from/alice", "hello");
    // The daemon tidies up by itself, too.
    let brief = |town: &Town| town.ask("session list").to_string().contains("brief");
    eventually("the ended session is gone from the list", || !brief(&town));
}

#[test]
fn a_clean_start_begins_anew_and_loses_nothing_that_waits() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    town.as_person(&bob).id("b").durable().connect().listen("from/#").leave();
    town.as_person(&alice).connect().say("to/bob", "in both");
    let mut anew = town.as_person(&bob).id("b").connect();
    assert!(!anew.present);
    anew.hears_nothing();
    let mut anew = anew.listen("from/#");
    anew.hears("from/alice", "in both");
}

#[test]
fn a_member_who_is_away_gets_the_room_later() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    town.ask("room create lunch");
    for name in ["alice", "bob"] {
        town.ask(&format!("room add lunch {name}"));
    }
    town.as_person(&alice).connect().say("room/lunch", "pizza?");
    let mut device = town.as_person(&bob).id("b").durable().connect().listen("room/lunch/#");
    device.hears("room/lunch/alice", "pizza?");
    town.ask("room delete lunch");
    assert_eq!(device.publish("room/lunch", "too late"), 0x87);
}

#[test]
fn names_are_without_case_in_every_script() {
    let town = Town::start();
    town.account("zoë", "correct horse");
    town.account("bob", "battery staple");
    let mut zoe = town.mqtt().id("z").password("ZOË", "correct horse").durable().connect().listen("from/#");
    let mut bob =
        town.mqtt().id("b").password("bob", "battery staple").durable().connect().listen("from/zoë");
    bob.say("to/ZoË", "hello");
    zoe.hears("from/bob", "hello");
    zoe.say("to/BOB", "hello to you");
    bob.hears("from/zoë", "hello to you");
    assert_eq!(town.ask("account show ZOË")["account"], "zoë");
}

#[test]
fn two_hundred_clients_arrive_at_once_and_all_are_served() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let began = Instant::now();
    let mut clients: Vec<Client> = thread::scope(|scope| {
        let threads: Vec<_> = (0..200)
            .map(|number| {
                let dial = town.as_person(&bob).id(&format!("b{number}")).durable();
                scope.spawn(move || dial.connect().listen("from/#"))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a client is let in")).collect()
    });
    eprintln!("200 handshakes with certificates and subscriptions in {:?}", began.elapsed());
    town.as_person(&alice).connect().say("to/bob", "to two hundred");
    for client in &mut clients {
        client.hears("from/alice", "to two hundred");
    }
    assert_eq!(town.ask("account show bob")["online"], true);
}

#[test]
fn a_client_that_sends_before_it_is_let_in_is_heard_in_order() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut reader = town.as_person(&bob).id("b").durable().connect().listen("from/#");
    let dial = town.as_person(&alice).id("eager");
    let mut client = dial.open().expect("the door is open");
    let mut all = dial.hello();
    for number in 1..=20 {
        all.extend(packet::publish(
            packet::Version::V5,
            &Delivery { id: number, ..Delivery::new("to/bob", number.to_string()) },
        ));
    }
    // In small pieces, as a bad line has them.
    for piece in all.chunks(7) {
        client.send(piece).expect("bytes leave");
    }
    assert!(matches!(client.packet(PATIENCE), Ok(Some(Packet::ConnAck { code: 0, .. }))));
    await_acks(&mut client, 20);
    for number in 1..=20 {
        reader.hears("from/alice", &number.to_string());
    }
}

#[test]
fn a_password_that_was_changed_opens_nothing_more() {
    let town = Town::start();
    town.account("bob", "correct horse");
    town.mqtt().password("bob", "correct horse").connect().ping();
    std::fs::write(town.path("new"), "battery staple\n").expect("our own folder");
    town.ask(&format!("account set-password bob --password-file {}", town.path("new").display()));
    assert_eq!(town.mqtt().password("bob", "correct horse").refused(), 0x86);
    town.mqtt().password("bob", "battery staple").connect().ping();
    std::fs::write(town.path("new"), "short").expect("our own folder");
    town.refused(2, &format!("account set-password bob --password-file {}", town.path("new").display()));
}

#[test]
fn whoever_comes_twice_at_once_has_one_session_and_can_be_ended() {
    let town = Town::start();
    let bob = town.person("bob");
    let dial = town.as_person(&bob).id("both").durable();
    for _ in 0..3 {
        let hello = || dial.try_connect().ok();
        let mut crowd: Vec<Client> = std::thread::scope(|all| {
            let comers: Vec<_> = (0..8).map(|_| all.spawn(hello)).collect();
            comers.into_iter().filter_map(|comer| comer.join().expect("no panic")).collect()
        });
        let sessions = town.ask("session list");
        assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions}");
        let id = sessions[0]["session"].as_str().expect("an id").to_owned();
        town.ask(&format!("session kick {id}"));
        for client in &mut crowd {
            assert!(matches!(client.ending(PATIENCE), Ending::Disconnect(0x8E | 0x98) | Ending::Closed));
        }
    }
    dial.connect().ping();
}

/// What stands behind a publication in the same segment once was not looked at when the line ended.
#[test]
fn a_goodbye_right_behind_a_publication_is_heard() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut reader = town.as_person(&bob).id("b").durable().connect().listen("from/#");
    let writer = town.as_person(&alice).id("a").lasting(3600);
    let mut client = writer.connect();
    let letter = Delivery { id: 7, ..Delivery::new("to/bob", "goodbye") };
    let mut all = packet::publish(packet::Version::V5, &letter);
    all.extend(packet::framed(0xE0, &[0x00, 0x05, 0x11, 0, 0, 0, 0])); // Session expiry 0 (§3.14.2.2.2).
    client.send(&all).expect("bytes leave");
    reader.hears("from/alice", "goodbye");
    eventually("alice's session is gone", || {
        town.ask("session list").as_array().is_some_and(|sessions| sessions.len() == 1)
    });
}

#[test]
fn a_note_to_oneself_reaches_every_device_once() {
    let town = Town::start();
    let alice = town.person("alice");
    let mut phone = town.as_person(&alice).id("phone").durable().connect().listen("from/#");
    let mut desk = town.as_person(&alice).id("desk").durable().connect().listen("from/#");
    phone.say("to/alice", "buy milk");
    phone.hears("from/alice", "buy milk");
    desk.hears("from/alice", "buy milk");
    phone.hears_nothing();
    desk.hears_nothing();
}

/// The slower of two passing devices once found nothing left to read.
#[test]
fn every_device_that_is_there_gets_the_message_however_quick_another_is() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut writer = town.as_person(&alice).id("a").connect();
    let mut quick = town.as_person(&bob).id("quick").connect().listen("from/#");
    // Takes one at a time, so that the other is always ahead.
    let mut slow = town.as_person(&bob).id("slow").at_most(1).connect().listen("from/#");
    for number in 0..50 {
        writer.say("to/bob", &number.to_string());
    }
    for number in 0..50 {
        quick.hears("from/alice", &number.to_string());
    }
    for number in 0..50 {
        slow.hears("from/alice", &number.to_string());
    }
    quick.hears_nothing();
    slow.hears_nothing();
}
