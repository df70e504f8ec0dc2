//! CONNECT (section 3.1), but for wills, which have a file of their own.

use std::thread;
use std::time::{Duration, Instant};

use super::{ALICE, FORBIDDEN, Stage};
use crate::town::client::{Client, Dial, Ending, PATIENCE};
use crate::town::packet::{
    self, ALIAS, ALIAS_MAXIMUM, ASSIGNED_ID, Delivery, MAXIMUM_PACKET, Packet, Properties, REQUEST_PROBLEM,
    REQUEST_RESPONSE, RESPONSE_INFORMATION, Version,
};

/// Where the connect flags stand.
const FLAGS: usize = 9;
const USER_NAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
/// A CONNECT that is none: malformed or against the protocol.
const NO_CONNECT: &[u8] = &[0x81, 0x82];

/// The same CONNECT with other flags.
fn flagged(dial: &Dial, change: impl Fn(u8) -> u8) -> Vec<u8> {
    let mut hello = dial.hello();
    hello[FLAGS] = change(hello[FLAGS]);
    hello
}

/// It is shut out before it was let in: in 3.1.1 without a CONNACK, unless it says which.
fn is_shut_out(client: &mut Client, stage: &Stage) {
    match stage.version {
        Version::V5 => client.ends(NO_CONNECT),
        _ => assert!(client.packet(PATIENCE).is_err(), "an answer to what is no CONNECT"),
    }
}

/// both [MQTT-3.1.0-1]
#[test]
fn whoever_does_not_begin_with_connect_is_shut_out() {
    for stage in Stage::both() {
        let others = [packet::ping(), packet::subscribe(stage.version, 1, &[("x", 0)]), packet::disconnect()];
        for first in others {
            assert_eq!(stage.dial("a").say(&first).ending(PATIENCE), Ending::Closed, "{first:02x?}");
        }
    }
}

/// both [MQTT-3.1.0-2], 5.0 [MQTT-3.2.0-2] [MQTT-4.13.2-1]
#[test]
fn a_second_connect_ends_the_connection_and_gets_no_second_connack() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        client.send(&stage.dial("a").hello()).expect("bytes leave");
        if stage.is_5() {
            assert_eq!(client.next(), Packet::Disconnect { code: 0x82 });
        }
        assert!(client.packet(PATIENCE).is_err());
    }
}

/// both [MQTT-3.1.2-1]
#[test]
fn another_protocol_name_is_not_served() {
    for stage in Stage::both() {
        for name in [b"mqtt", b"MQTQ", b"HTTP"] {
            let mut hello = stage.dial("a").hello();
            hello[4..8].copy_from_slice(name);
            let mut client = stage.dial("a").say(&hello);
            assert!(matches!(client.ending(PATIENCE), Ending::Closed | Ending::Disconnect(0x82 | 0x84)));
        }
    }
}

/// both [MQTT-3.1.2-2]
#[test]
fn another_protocol_level_is_refused_as_such() {
    let with_level = |stage: &Stage, level: u8| {
        let mut hello = stage.dial("a").hello();
        hello[8] = level;
        stage.dial("a").say(&hello)
    };
    let mut older = with_level(&Stage::in_3(), 2);
    assert!(matches!(older.next(), Packet::ConnAck { present: false, code: 1, .. }));
    assert!(older.packet(PATIENCE).is_err());
    with_level(&Stage::in_5(), 6).ends(&[0x84]);
}

/// both [MQTT-3.1.2-3] [MQTT-3.1.4-1], 3.1.1 [MQTT-3.2.2-6]
#[test]
fn the_reserved_connect_flag_must_be_0() {
    for stage in Stage::both() {
        let dial = stage.dial("a");
        is_shut_out(&mut dial.say(&flagged(&dial, |flags| flags | 1)), &stage);
    }
}

/// 5.0 [MQTT-3.1.2-4] [MQTT-3.1.4-4], 3.1.1 [MQTT-3.1.2-6] [MQTT-3.1.4-3]
#[test]
fn a_clean_start_discards_the_session_that_was_there() {
    for stage in Stage::both() {
        let absent = stage.absent("x", 1);
        stage.tells("x", "while away", 1);
        let mut client = stage.client("reader");
        assert!(!client.present);
        client.hears_nothing();
        stage.tells("x", "afterwards", 1);
        client.hears_nothing();
        client.leave();
        // In 3.1.1 the session of a clean start ends with its connection; in 5.0 when it said no expiry.
        assert!(!absent.connect().present);
    }
}

/// 5.0 [MQTT-3.1.2-5] [MQTT-3.1.2-23], 3.1.1 [MQTT-3.1.2-4] [MQTT-3.1.2-5]
#[test]
fn a_session_is_taken_up_with_its_subscriptions_and_what_came_meanwhile() {
    for stage in Stage::both() {
        let absent = stage.absent("#", 2);
        stage.tells("one", "while away", 1);
        stage.tells("two", "while away", 2);
        let mut client = absent.connect();
        assert!(client.present);
        assert_eq!(client.hears(&stage.topic("one"), "while away").qos, 1);
        assert_eq!(client.hears(&stage.topic("two"), "while away").qos, 2);
        stage.tells("one", "afterwards", 1);
        client.hears(&stage.topic("one"), "afterwards");
    }
}

/// 5.0 [MQTT-3.1.2-6], 3.1.1 [MQTT-3.1.2-4]
#[test]
fn a_session_is_made_where_there_is_none() {
    for stage in Stage::both() {
        let mut client = stage.dial("a").durable().connect();
        assert!(!client.present);
        assert_eq!(client.subscribe(&[(&stage.topic("x"), 1)]), [1]);
        client.leave();
        assert!(stage.dial("a").durable().connect().present);
    }
}

/// 5.0 [MQTT-3.1.2-16] [MQTT-3.1.2-18], 3.1.1 [MQTT-3.1.2-18] [MQTT-3.1.2-20]
#[test]
fn a_name_or_password_without_its_flag_is_malformed() {
    for stage in Stage::both() {
        let dial = stage.dial("a").password(ALICE.0, ALICE.1);
        for absent in [USER_NAME | PASSWORD, PASSWORD] {
            is_shut_out(&mut dial.say(&flagged(&dial, |flags| flags & !absent)), &stage);
        }
    }
}

/// 5.0 [MQTT-3.1.2-17] [MQTT-3.1.2-19], 3.1.1 [MQTT-3.1.2-19] [MQTT-3.1.2-21]
#[test]
fn a_flag_without_its_name_or_password_is_malformed() {
    for stage in Stage::both() {
        let bare = stage.dial("a");
        let named = stage.dial("a").named(ALICE.0);
        is_shut_out(&mut bare.say(&flagged(&bare, |flags| flags | USER_NAME)), &stage);
        is_shut_out(&mut named.say(&flagged(&named, |flags| flags | PASSWORD)), &stage);
    }
}

/// 3.1.1 [MQTT-3.1.2-22]
#[test]
fn a_password_needs_a_user_name_in_3() {
    let stage = Stage::in_3();
    let dial = stage.dial("a").named("name");
    is_shut_out(&mut dial.say(&flagged(&dial, |flags| flags & !USER_NAME | PASSWORD)), &stage);
}

/// 5.0 [MQTT-3.1.2-22] [MQTT-3.2.2-22], 3.1.1 [MQTT-3.1.2-24]
#[test]
fn whoever_is_silent_for_one_and_a_half_keep_alives_is_given_up_as_if_the_network_had_failed() {
    let silent: Vec<_> = Stage::both()
        .map(|stage| {
            let reader = stage.reader("will", 0);
            let will = stage.letter("will", "gave up", 0);
            let client = stage.dial("a").keep_alive(1).will(will).connect();
            (stage, reader, client, Instant::now())
        })
        .collect();
    let stage = Stage::in_5();
    let mut busy = stage.dial("busy").keep_alive(1).connect();
    let mut patient = stage.dial("patient").keep_alive(0).connect();
    thread::scope(|scope| {
        let pings = scope.spawn(|| {
            for _ in 0..6 {
                thread::sleep(Duration::from_millis(300));
                busy.ping();
            }
        });
        for (stage, mut reader, mut client, begun) in silent {
            client.ends(&[0x8D]);
            let waited = begun.elapsed();
            assert!(waited >= Duration::from_millis(1400) && waited < Duration::from_secs(4), "{waited:?}");
            reader.hears(&stage.topic("will"), "gave up");
        }
        pings.join().expect("who is heard from is not given up");
    });
    patient.ping();
}

/// 5.0 [MQTT-3.1.2-24] [MQTT-3.1.2-25]
#[test]
fn what_is_larger_than_a_client_reads_is_not_sent_and_counts_as_sent() {
    let stage = Stage::in_5();
    let dial = stage.dial("reader").saying(Properties::default().number(MAXIMUM_PACKET, 100));
    let mut reader = dial.at_most(1).connect().hearing(&stage.topic("x"), 2);
    let mut voice = stage.client("voice");
    for qos in 0..=2 {
        assert_eq!(voice.post(stage.letter("x", &"large".repeat(30), qos)), 0);
        assert_eq!(voice.post(stage.letter("x", "small", qos)), 0);
        assert_eq!(reader.hears(&stage.topic("x"), "small").qos, qos);
    }
    reader.hears_nothing();
}

/// 5.0 [MQTT-3.1.2-26] [MQTT-3.3.2-11]
#[test]
fn topic_aliases_stay_below_the_maximum_of_the_client() {
    let stage = Stage::in_5();
    let dial = stage.dial("reader").saying(Properties::default().number(ALIAS_MAXIMUM, 2));
    let mut reader = dial.connect().hearing(&stage.topic("#"), 1);
    let mut known = std::collections::BTreeMap::new();
    for _ in 0..2 {
        for leaf in ["one", "two", "three", "four"] {
            stage.tells(leaf, "words", 1);
            let Delivery { topic, properties, .. } = reader.hear();
            let alias = properties.numbers.get(&ALIAS).copied();
            assert!(alias.is_none_or(|alias| (1..=2).contains(&alias)), "{alias:?}");
            let topic = match alias {
                Some(alias) if topic.is_empty() => String::clone(&known[&alias]),
                _ => topic,
            };
            alias.map(|alias| known.insert(alias, topic.clone()));
            assert_eq!(topic, stage.topic(leaf));
        }
    }
}

/// 5.0 [MQTT-3.1.2-27]
#[test]
fn who_announces_no_topic_aliases_gets_none() {
    let stage = Stage::in_5();
    for announced in [Properties::default(), Properties::default().number(ALIAS_MAXIMUM, 0)] {
        let mut reader = stage.dial("reader").saying(announced).connect().hearing(&stage.topic("x"), 1);
        for _ in 0..2 {
            stage.tells("x", "words", 1);
            let heard = reader.hears(&stage.topic("x"), "words");
            assert!(!heard.properties.numbers.contains_key(&ALIAS), "{heard:?}");
        }
    }
}

/// 5.0 [MQTT-3.1.2-28]
#[test]
fn response_information_is_not_forced_upon_a_client() {
    let stage = Stage::in_5();
    for asked in [Properties::default(), Properties::default().number(REQUEST_RESPONSE, 0)] {
        let client = stage.dial("a").saying(asked).connect();
        assert!(!client.welcome.texts.contains_key(&RESPONSE_INFORMATION));
    }
}

/// 5.0 [MQTT-3.1.2-29]
#[test]
fn who_wants_no_words_gets_none_but_with_what_it_may() {
    let stage = Stage::in_5();
    let mut client = stage.dial("a").saying(Properties::default().number(REQUEST_PROBLEM, 0)).connect();
    assert_eq!(client.post(Delivery::new(FORBIDDEN, "words")), 0x87);
    assert_eq!(client.said, Properties::default());
    assert_eq!(client.post(Delivery { qos: 2, ..Delivery::new(FORBIDDEN, "words") }), 0x87);
    assert_eq!(client.said, Properties::default());
    assert_eq!(client.subscribe(&[(FORBIDDEN, 1)]), [0x87]);
    assert_eq!(client.said, Properties::default());
    assert_eq!(client.unsubscribe("never/there"), [0x11]);
    assert_eq!(client.said, Properties::default());
    assert_eq!(client.answer_to(&packet::pubrel(9)), Packet::PubComp { id: 9, code: 0x92 });
    assert_eq!(client.said, Properties::default());
}

/// both [MQTT-3.1.3-1]
#[test]
fn a_connect_with_everything_is_read_in_its_order() {
    for stage in Stage::both() {
        let mut reader = stage.reader("will", 0);
        let will = stage.letter("will", "gone", 1);
        let dial = stage.dial("a").will(will).password(ALICE.0, ALICE.1).keep_alive(60).durable();
        let mut client = dial.connect();
        client.ping();
        drop(client);
        reader.hears(&stage.topic("will"), "gone");
    }
}

/// both [MQTT-3.1.3-2]
#[test]
fn a_session_is_known_by_its_client_id() {
    for stage in Stage::both() {
        stage.absent("x", 1);
        assert!(!stage.dial("other").durable().connect().present);
        assert!(stage.dial("reader").durable().connect().present);
    }
}

/// both [MQTT-3.1.3-3]
#[test]
fn a_connect_without_a_client_id_is_malformed() {
    for stage in Stage::both() {
        let hello = stage.dial("").but(|hello| hello.client_id.clear()).hello();
        let body = &hello[2..hello.len() - 2];
        is_shut_out(&mut stage.dial("").say(&packet::framed(0x10, body)), &stage);
    }
}

/// both [MQTT-3.1.3-5]
#[test]
fn a_client_id_of_1_to_23_letters_and_digits_is_allowed() {
    let alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for stage in Stage::both() {
        for at in (0..alphabet.len()).step_by(23) {
            let id = &alphabet[at..alphabet.len().min(at + 23)];
            stage.dial("").id(id).connect().leave();
        }
        stage.dial("").id("Z").connect().leave();
    }
    // 3.1 allows no more than these.
    Dial::v3(Stage::in_3().dial("")).version(Version::V31).id(&alphabet[..23]).connect().leave();
}

/// both [MQTT-3.1.3-6], 5.0 [MQTT-3.1.3-7] [MQTT-3.2.2-16]
#[test]
fn a_client_without_an_id_gets_one_of_its_own() {
    for stage in Stage::both() {
        let clients = [stage.dial("").id("").connect(), stage.dial("").id("").connect()];
        let [mut one, mut other] = clients;
        assert_eq!(one.subscribe(&[(&stage.topic("x"), 0)]), [0]);
        stage.tells("x", "words", 0);
        one.hears(&stage.topic("x"), "words");
        other.hears_nothing();
        if stage.is_5() {
            let assigned = |client: &Client| client.welcome.texts[&ASSIGNED_ID].clone();
            assert!(!assigned(&one).is_empty() && assigned(&one) != assigned(&other));
            // It works as if the client had said it.
            let name = String::from_utf8(assigned(&one)).expect("an id is UTF-8");
            stage.dial("").id(&name).connect().ping();
            one.ends(&[0x8E]);
        }
    }
}

/// 3.1.1 [MQTT-3.1.3-7] [MQTT-3.1.3-8] [MQTT-3.1.3-9], both [MQTT-3.1.3-8], 5.0 [MQTT-3.2.2-7]
#[test]
fn a_client_id_that_is_not_accepted_is_refused_as_such() {
    let refused = [
        (Stage::in_3().dial("").id("").but(|hello| hello.clean = false), 2),
        (Stage::in_3().dial("").id(&"x".repeat(5000)), 2),
        (Stage::in_5().dial("").id(&"x".repeat(5000)), 0x85),
    ];
    for (dial, expected) in refused {
        let mut client = dial.say(&dial.hello());
        let answer = client.next();
        let Packet::ConnAck { present: false, code, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(code, expected);
        assert!(client.packet(PATIENCE).is_err());
    }
}

/// 5.0 [MQTT-3.1.4-2] [MQTT-3.2.2-7], 3.1.1 [MQTT-3.2.2-5]
#[test]
fn who_is_not_who_it_says_is_refused_and_shut_out() {
    for stage in Stage::both() {
        let dial = stage.dial("a").password(ALICE.0, "wrong");
        let mut client = dial.say(&dial.hello());
        let answer = client.next();
        let Packet::ConnAck { present: false, code, .. } = answer else { panic!("{answer:?}") };
        assert!([4, 5, 0x86, 0x87].contains(&code), "{code:#x}");
        assert!(client.packet(PATIENCE).is_err());
    }
}

/// 5.0 [MQTT-3.1.4-3], 3.1.1 [MQTT-3.1.4-2]
#[test]
fn who_comes_with_the_id_of_another_connection_takes_its_place() {
    for stage in Stage::both() {
        let mut first = stage.dial("a").durable().connect().hearing(&stage.topic("x"), 1);
        let mut second = stage.dial("a").durable().connect();
        assert!(second.present);
        first.ends(&[0x8E]);
        stage.tells("x", "words", 1);
        second.hears(&stage.topic("x"), "words");
    }
}

/// 5.0 [MQTT-3.1.4-6], 3.1.1 [MQTT-3.1.4-5]
#[test]
fn what_follows_a_refused_connect_is_not_looked_at() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 0);
        let dial = stage.dial("a").password(ALICE.0, "wrong");
        let letter = packet::publish(stage.version, &stage.letter("x", "from nobody", 0));
        let mut client = dial.say(&[dial.hello(), letter].concat());
        assert_ne!(client.ending(PATIENCE), Ending::StillThere);
        stage.tells("x", "words", 0);
        reader.hears(&stage.topic("x"), "words");
    }
}

/// 3.1 is served as 3.1.1, whose name and level it has not.
#[test]
fn a_client_of_3_1_is_served() {
    let stage = Stage::new(Version::V31);
    let absent = stage.absent("x", 2);
    stage.tells("x", "words", 2);
    let mut reader = absent.connect();
    assert_eq!(reader.hears(&stage.topic("x"), "words").qos, 2);
}
