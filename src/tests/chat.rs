//! Chat: what people say to each other reaches them, and nobody else.

use std::time::{Duration, Instant};

use crate::town::client::{Client, Ending, PATIENCE};
use crate::town::packet::{CONTENT_TYPE, Delivery};
use crate::town::{Person, Town, mosquitto};

fn durable(town: &Town, person: &Person, id: &str, filter: &str) -> Client {
    town.as_person(person).id(id).durable().connect().listen(filter)
}

fn passing(town: &Town, person: &Person, id: &str, filter: &str) -> Client {
    town.as_person(person).id(id).connect().listen(filter)
}

#[test]
fn bob_sees_alices_message_in_under_200_ms() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let listener = mosquitto::listen(&town, &bob, "bob-1", "from/#");
    let mut sender = town.as_person(&alice).id("alice-1").connect();
    let mut took = Vec::new();
    for number in 0..9 {
        let began = Instant::now();
        sender.put(&Delivery { id: number + 1, ..Delivery::new("to/bob", format!("hello {number}")) });
        assert_eq!(listener.line(), format!("from/alice hello {number}"));
        took.push(began.elapsed());
    }
    took.sort();
    eprintln!("from alice to bob: median {:?}, worst {:?}", took[4], took[8]);
    assert!(took[4] < Duration::from_millis(200), "{took:?}");
}

#[test]
fn ordinary_commands_carry_a_message() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let listener = mosquitto::listen(&town, &bob, "bob-1", "from/#");
    mosquitto::publish(&town, &alice.file("cert.pem"), &alice.file("key.pem"), "to/bob", "hello bob").well();
    assert_eq!(listener.line(), "from/alice hello bob");
}

#[test]
fn a_message_tells_its_id_its_sender_and_when_and_keeps_its_content_type() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut reader = durable(&town, &bob, "b", "from/#");
    let mut letter = Delivery::new("to/bob", "{}");
    letter.properties.texts.insert(CONTENT_TYPE, b"application/json".to_vec());
    letter.properties.user.push(("from".into(), "mallory".into()));
    assert_eq!(town.as_person(&alice).connect().post(letter), 0);
    let heard = reader.hears("from/alice", "{}");
    assert_eq!(heard.properties.texts[&CONTENT_TYPE], b"application/json");
    assert_eq!(heard.user("from"), "alice");
    assert_eq!(heard.properties.user.iter().filter(|(name, _)| name == "from").count(), 1, "{heard:?}");
    assert!(heard.user("id").len() == 26 && heard.user("id").chars().all(|c| c.is_ascii_alphanumeric()));
    assert!(heard.user("time").ends_with('Z') && heard.user("time").contains('T'), "{heard:?}");
}

#[test]
fn ones_other_devices_see_what_one_said() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut desk = durable(&town, &alice, "desk", "to/#");
    let mut hall = passing(&town, &alice, "hall", "to/#");
    let mut phone = passing(&town, &alice, "phone", "to/#");
    let mut reader = durable(&town, &bob, "b", "from/#");
    phone.say("to/bob", "from my phone");
    let id = reader.hears("from/alice", "from my phone").user("id").to_owned();
    for device in [&mut desk, &mut hall] {
        let copy = device.hears("to/bob", "from my phone");
        assert_eq!(copy.user("id"), id);
        assert_eq!(copy.user("from"), "alice");
    }
    phone.hears_nothing();
}

#[test]
fn a_room_is_heard_by_its_members_alone() {
    let town = Town::start();
    let [alice, bob, eve] = town.people(["alice", "bob", "eve"]);
    town.ask("room create lunch");
    town.ask("room add lunch alice");
    town.ask("room add lunch bob");
    let mut reader = durable(&town, &bob, "b", "room/#");
    let mut outsider = durable(&town, &eve, "e", "room/#");
    let mut sender = passing(&town, &alice, "a", "room/#");
    sender.say("room/lunch", "pizza?");
    reader.hears("room/lunch/alice", "pizza?");
    assert_eq!(outsider.publish("room/lunch", "me too"), 0x87);
    assert_eq!(outsider.publish("room/none", "anybody?"), 0x87, "a room that is not there looks the same");
    town.ask("room remove lunch bob");
    sender.say("room/lunch", "just me now");
    reader.hears_nothing();
    outsider.hears_nothing();
}

#[test]
fn the_author_hears_that_a_message_was_delivered_and_read() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut sender = durable(&town, &alice, "a", "receipt/#");
    sender.say("to/bob", "are you there?");
    sender.hears_nothing();
    let mut reader = passing(&town, &bob, "b", "from/#");
    let id = reader.hears("from/alice", "are you there?").user("id").to_owned();
    sender.hears(&format!("receipt/{id}"), "delivered");
    reader.say(&format!("receipt/{id}"), "read");
    sender.hears(&format!("receipt/{id}"), "read");
    // Neither the author nor a stranger reads it in bob's place.
    assert_ne!(sender.publish(&format!("receipt/{id}"), "read"), 0);
    let eve = town.person("eve");
    assert_ne!(town.as_person(&eve).connect().publish(&format!("receipt/{id}"), "read"), 0);
}

#[test]
fn presence_is_shown_at_once_and_when_it_changes() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let first = town.as_person(&bob).id("b1").connect();
    let mut watcher = passing(&town, &alice, "a", "presence/bob");
    assert!(watcher.hears("presence/bob", "online").retain);
    first.leave();
    watcher.hears("presence/bob", "offline");
    let second = town.as_person(&bob).id("b2").connect();
    assert!(!watcher.hears("presence/bob", "online").retain);
    drop(second);
    watcher.hears("presence/bob", "offline");
}

#[test]
fn typing_is_seen_by_the_one_written_to() {
    let town = Town::start();
    let [alice, bob, eve] = town.people(["alice", "bob", "eve"]);
    let mut reader = passing(&town, &bob, "b", "typing/#");
    let mut other = passing(&town, &eve, "e", "typing/#");
    town.as_person(&alice).connect().say("typing/bob", "typing");
    reader.hears("typing/alice", "typing");
    other.hears_nothing();
}

#[test]
fn a_durable_sessions_queue_survives_kill_9_and_a_clean_restart() {
    let mut town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    durable(&town, &bob, "b", "from/#").leave();
    town.as_person(&alice).connect().say("to/bob", "before the crash");
    town.kill9();
    town.open();
    town.as_person(&alice).connect().say("to/bob", "before the restart");
    town.restart();
    town.as_person(&alice).connect().say("to/bob", "after both");
    // It need not subscribe again.
    let mut reader = town.as_person(&bob).id("b").durable().connect();
    assert!(reader.present);
    for text in ["before the crash", "before the restart", "after both"] {
        reader.hears("from/alice", text);
    }
    crate::town::tools::eventually("the queue is empty", || town.ask("session list")[0]["queued"] == 0);
    reader.leave();
    let mut again = town.as_person(&bob).id("b").durable().connect();
    again.hears_nothing();
}

#[test]
fn what_was_not_acknowledged_comes_again() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut reader = durable(&town, &bob, "b", "from/#");
    reader.acknowledges = false;
    town.as_person(&alice).connect().say("to/bob", "important");
    let first = reader.hears("from/alice", "important");
    drop(reader);
    let mut again = town.as_person(&bob).id("b").durable().connect();
    assert_eq!(again.hears("from/alice", "important").user("id"), first.user("id"));
}

#[test]
fn a_new_device_first_gets_what_waits_and_then_what_arrives() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut sender = town.as_person(&alice).connect();
    sender.say("to/bob", "first");
    sender.say("to/bob", "second");
    let mut device = durable(&town, &bob, "new", "from/#");
    sender.say("to/bob", "third");
    for text in ["first", "second", "third"] {
        device.hears("from/alice", text);
    }
    town.await_taken("bob");
    // What one device took is not owed to the next.
    passing(&town, &bob, "newer", "from/#").hears_nothing();
}

#[test]
fn a_subscriber_with_qos_0_gets_each_message_once() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut reader = town.as_person(&bob).id("b").connect();
    assert_eq!(reader.subscribe(&[("from/#", 0)]), [0]);
    let mut sender = town.as_person(&alice).connect();
    for number in 0..3 {
        sender.put(&Delivery { qos: 0, ..Delivery::new("to/bob", format!("zero {number}")) });
    }
    for number in 0..3 {
        assert_eq!(reader.hears("from/alice", &format!("zero {number}")).qos, 0);
    }
    // Such a message counts as taken once its reader has been heard again.
    reader.ping();
    town.await_taken("bob");
    passing(&town, &bob, "b2", "from/#").hears_nothing();
}

#[test]
fn plain_topics_follow_the_rules_and_what_no_rule_allows_is_refused() {
    let town = Town::plan()
        .rule("any", "none", "open/secret/#")
        .rule("any", "both", "open/#")
        .rule("any", "publish", "sensors/{account}/#")
        .start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut reader = durable(&town, &bob, "b", "open/#");
    let mut sender = town.as_person(&alice).connect();
    sender.say("open/news", "all may read");
    reader.hears("open/news", "all may read");
    sender.say("sensors/alice/1", "21.5");
    assert_eq!(sender.publish("sensors/bob/1", "21.5"), 0x87);
    assert_eq!(sender.publish("open/secret/plans", "x"), 0x87);
    assert_eq!(sender.publish("elsewhere", "x"), 0x87);
    assert_eq!(sender.publish("events/x", "x"), 0x87, "kept for another dialect");
    // The queue of a plain topic survives as chat does.
    reader.leave();
    sender.say("open/news", "while away");
    town.as_person(&bob).id("b").durable().connect().hears("open/news", "while away");
}

#[test]
fn guests_have_only_their_own_rules() {
    let town =
        Town::plan().guests().rule("guest", "subscribe", "news/#").rule("any", "both", "news/#").start();
    let alice = town.person("alice");
    let mut guest = town.mqtt().id("g").connect();
    assert_eq!(guest.subscribe(&[("news/#", 1), ("from/#", 1)]), [1, 0x87]);
    assert_eq!(guest.publish("news/today", "x"), 0x87);
    assert_eq!(guest.publish("to/alice", "x"), 0x87);
    town.as_person(&alice).connect().say("news/today", "sunny");
    guest.hears("news/today", "sunny");
}

#[test]
fn an_unknown_account_is_no_address() {
    let town = Town::start();
    let alice = town.person("alice");
    let mut sender = town.as_person(&alice).connect();
    assert_eq!(sender.publish("to/nobody", "x"), 0x90);
    assert_eq!(sender.publish("to/alice@elsewhere.example", "x"), 0x90, "federation comes later");
    sender.ping();
}

#[test]
fn ones_own_domain_may_be_named() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut reader = durable(&town, &bob, "b", "from/alice");
    town.as_person(&alice).connect().say("to/Bob@Corp.Example", "hello");
    reader.hears("from/alice", "hello");
}

#[test]
fn names_are_percent_encoded_on_the_wire() {
    let town = Town::start();
    let odd = "a/b+c#d@e%f";
    town.account(odd, "correct horse");
    town.account("bob", "battery staple");
    assert_eq!(town.ask("account show a/b+c#d@e%f")["account"], odd);
    let mut reader =
        town.mqtt().id("b").password("bob", "battery staple").durable().connect().listen("from/#");
    let mut other = town.mqtt().id("o").password(odd, "correct horse").durable().connect().listen("from/#");
    other.say("to/bob", "hello");
    reader.hears("from/a%2Fb%2Bc%23d%40e%25f", "hello");
    reader.say("to/a%2Fb%2Bc%23d%40e%25f", "hello to you");
    other.hears("from/bob", "hello to you");
}

#[test]
fn mqtt_3_1_1_and_5_share_a_port() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut old = town.as_person(&bob).id("old").v3().durable().connect().listen("from/#");
    let mut new = town.as_person(&alice).id("new").durable().connect().listen("from/#");
    new.say("to/bob", "five to three");
    old.hears("from/alice", "five to three");
    old.say("to/alice", "three to five");
    new.hears("from/bob", "three to five");
    // 3.1.1 has no words for a refusal of a publication: it is acknowledged and goes nowhere.
    assert_eq!(old.publish("to/nobody", "x"), 0);
    assert_eq!(old.unsubscribe("from/#"), [0; 0]);
    drop(old);
    let mut back = town.as_person(&bob).id("old").v3().durable().connect();
    assert!(back.present);
    new.say("to/bob", "you took it back");
    back.hears_nothing();
}

#[test]
fn a_client_that_comes_again_takes_its_session_over() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut first = durable(&town, &bob, "phone", "from/#");
    let mut second = town.as_person(&bob).id("phone").durable().connect();
    assert_eq!(first.ending(PATIENCE), Ending::Disconnect(0x8E));
    assert!(second.present);
    // The same client id of somebody else is another session.
    let other = town.as_person(&alice).id("phone").durable().connect();
    assert!(!other.present);
    second.ping();
}

#[test]
fn nobody_hears_what_is_said_to_others() {
    let town = Town::plan().rule("any", "both", "open/#").start();
    let [alice, bob, eve] = town.people(["alice", "bob", "eve"]);
    let mut spy = town.as_person(&eve).id("e").durable().connect();
    let all =
        ["#", "+/#", "from/#", "to/#", "from/alice", "to/bob", "room/#", "receipt/#", "typing/#", "$SYS/#"];
    for filter in all {
        spy.subscribe(&[(filter, 1)]);
    }
    while spy
        .hear_within(Duration::from_millis(300))
        .is_some_and(|heard| heard.topic.starts_with("presence/"))
    {}
    let mut reader = durable(&town, &bob, "b", "from/#");
    town.as_person(&alice).id("a").connect().say("to/bob", "between us");
    reader.hears("from/alice", "between us");
    // Who is there may be seen; what they say may not.
    while let Some(heard) = spy.hear_within(Duration::from_millis(500)) {
        assert!(heard.topic.starts_with("presence/"), "{heard:?}");
    }
    for topic in ["from/alice", "presence/bob", "room/lunch/alice", "$SYS/x", "to/", "to/bob/x"] {
        assert_eq!(spy.publish(topic, "forged"), 0x87, "{topic}");
    }
}

#[test]
fn a_message_to_oneself_is_read_by_ones_devices() {
    let town = Town::start();
    let bob = town.person("bob");
    let mut desk = durable(&town, &bob, "desk", "from/#");
    let mut phone = town.as_person(&bob).id("phone").connect();
    phone.say("to/bob", "buy milk");
    desk.hears("from/bob", "buy milk");
}

#[test]
fn an_admin_sees_sessions_and_ends_one() {
    let town = Town::start();
    let bob = town.person("bob");
    let mut reader = durable(&town, &bob, "b", "from/#");
    let sessions = town.ask("session list");
    let mine = &sessions[0];
    assert_eq!(
        (&mine["account"], &mine["client_id"], &mine["state"]),
        (&"bob".into(), &"b".into(), &"live".into())
    );
    assert_eq!(mine["serial"], bob.serial.as_str());
    let id = mine["session"].as_str().expect("an id");
    town.ask(&format!("session kick {id}"));
    assert_eq!(reader.ending(Duration::from_secs(1)), Ending::Disconnect(0x98));
    assert_eq!(town.ask(&format!("session show {id}"))["state"], "waiting");
    town.refused(4, "session kick 01ARZ3NDEKTSV4RRFFQ69G5FAV");
}
