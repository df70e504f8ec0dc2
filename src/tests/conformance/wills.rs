//! Wills (sections 3.1.2.5 and 3.1.3.2): what is said for a client that went without a word.

use std::time::{Duration, Instant};

use super::Stage;
use crate::town::client::PATIENCE;
use crate::town::packet::{
    self, CONTENT_TYPE, CORRELATION, Delivery, MESSAGE_EXPIRY, PAYLOAD_FORMAT, Packet, Properties,
    RESPONSE_TOPIC, Version, WILL_DELAY,
};
use crate::town::tools::eventually;

const WILL: u8 = 0x04;
const FLAGS: usize = 9;

fn delayed(stage: &Stage, leaf: &str, seconds: u32) -> Delivery {
    let properties = Properties::default().number(WILL_DELAY, seconds);
    Delivery { properties, ..stage.letter(leaf, "gone", 1) }
}

/// A CONNECT with these flags is refused.
fn is_refused(stage: &Stage, hello: &[u8]) {
    let mut client = stage.dial("a").say(hello);
    match stage.version {
        Version::V5 => client.ends(&[0x81, 0x82]),
        _ => assert!(client.packet(PATIENCE).is_err()),
    }
}

/// 5.0 [MQTT-3.1.2-7] [MQTT-3.1.2-8], 3.1.1 [MQTT-3.1.2-8]
#[test]
fn a_will_is_published_when_the_connection_breaks() {
    for stage in Stage::both() {
        for qos in 0..=2 {
            let mut reader = stage.reader("x", 2);
            drop(stage.dial("a").will(stage.letter("x", "gone", qos)).connect());
            assert_eq!(reader.hears(&stage.topic("x"), "gone").qos, qos);
            // The same for a client that breaks the protocol.
            let mut client = stage.dial("b").will(stage.letter("x", "broken", qos)).connect();
            client.send(&[0, 0]).expect("bytes leave");
            reader.hears(&stage.topic("x"), "broken");
        }
    }
}

/// 5.0 [MQTT-3.1.2-8]
#[test]
fn a_will_waits_for_its_delay_or_the_end_of_its_session() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("+", 1);
    // Its session ends with the connection, long before the delay.
    drop(stage.dial("a").will(delayed(&stage, "ends", 100)).connect());
    reader.hears(&stage.topic("ends"), "gone");
    let begun = Instant::now();
    drop(stage.dial("b").will(delayed(&stage, "waits", 1)).durable().connect());
    reader.hears_nothing();
    reader.hears(&stage.topic("waits"), "gone");
    assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
}

/// 5.0 [MQTT-3.1.3-9]
#[test]
fn who_returns_before_its_will_is_due_is_not_mourned() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("+", 1);
    let returning = stage.dial("a").durable().will(delayed(&stage, "returned", 1));
    drop(returning.connect());
    let mut returned = returning.connect();
    assert!(returned.present);
    // Whose delay began later, so that it is heard after what must not be heard.
    drop(stage.dial("b").durable().will(delayed(&stage, "stayed", 1)).connect());
    reader.hears(&stage.topic("stayed"), "gone");
    returned.ping();
    reader.hears_nothing();
}

/// both [MQTT-3.1.2-9]
#[test]
fn the_flag_of_a_will_without_its_fields_is_malformed() {
    for stage in Stage::both() {
        let mut hello = stage.dial("a").hello();
        hello[FLAGS] |= WILL;
        is_refused(&stage, &hello);
    }
}

/// both [MQTT-3.1.2-10] [MQTT-3.14.4-3]
#[test]
fn a_will_is_forgotten_with_a_goodbye() {
    for stage in Stage::both() {
        let mut reader = stage.reader("+", 1);
        stage.dial("a").will(stage.letter("parted", "gone", 1)).connect().leave();
        drop(stage.dial("b").will(stage.letter("broken", "gone", 1)).connect());
        reader.hears(&stage.topic("broken"), "gone");
        // Once said it is forgotten too.
        drop(stage.dial("b").connect());
        reader.hears_nothing();
    }
}

/// 5.0 [MQTT-3.1.2-11] [MQTT-3.1.2-13], 3.1.1 [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-15]
#[test]
fn flags_for_a_will_without_a_will_are_refused() {
    for stage in Stage::both() {
        for flag in [0x08, 0x10, 0x20] {
            let mut hello = stage.dial("a").hello();
            hello[FLAGS] |= flag;
            is_refused(&stage, &hello);
        }
        let mut fields = stage.dial("a").will(stage.letter("x", "gone", 0)).hello();
        fields[FLAGS] &= !WILL;
        is_refused(&stage, &fields);
    }
}

/// 5.0 [MQTT-3.1.2-12], 3.1.1 [MQTT-3.1.2-14]
#[test]
fn a_will_with_qos_3_is_refused() {
    for stage in Stage::both() {
        is_refused(&stage, &stage.dial("a").will(stage.letter("x", "gone", 3)).hello());
    }
}

/// 3.1.1 [MQTT-3.1.2-12]
#[test]
fn who_leaves_no_will_is_not_spoken_for() {
    let stage = Stage::in_3();
    let mut reader = stage.reader("x", 1);
    drop(stage.dial("a").will(stage.letter("x", "gone", 1)).connect());
    reader.hears(&stage.topic("x"), "gone");
    drop(stage.client("a"));
    reader.hears_nothing();
}

/// 5.0 [MQTT-3.1.2-14], 3.1.1 [MQTT-3.1.2-16]
#[test]
fn a_will_that_is_not_to_be_retained_is_not() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 1);
        drop(stage.dial("a").will(stage.letter("x", "gone", 1)).connect());
        assert!(!reader.hears(&stage.topic("x"), "gone").retain);
        stage.client("late").hearing(&stage.topic("x"), 1).hears_nothing();
    }
}

/// 5.0 [MQTT-3.1.2-15] [MQTT-3.2.2-13], 3.1.1 [MQTT-3.1.2-17]
#[test]
fn a_will_that_is_to_be_retained_is() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 1);
        let will = Delivery { retain: true, ..stage.letter("x", "gone", 1) };
        drop(stage.dial("a").will(will).connect());
        assert!(!reader.hears(&stage.topic("x"), "gone").retain);
        // Nobody hears when a will is retained.
        eventually("the will is retained", || {
            let mut late = stage.client("late").hearing(&stage.topic("x"), 1);
            late.hear_within(Duration::from_millis(200)).is_some_and(|heard| heard.retain)
        });
    }
}

/// 5.0 [MQTT-3.1.3-10]
#[test]
fn a_will_keeps_its_properties_and_their_order() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("x", 1);
    let properties = Properties::default()
        .number(PAYLOAD_FORMAT, 1)
        .number(MESSAGE_EXPIRY, 100)
        .text(CONTENT_TYPE, "text/plain")
        .text(RESPONSE_TOPIC, "answers")
        .text(CORRELATION, [0, 1, 0xFF])
        .pair("b", "1")
        .pair("a", "2")
        .pair("b", "3");
    let will = Delivery { properties: properties.clone(), ..stage.letter("x", "gone", 1) };
    drop(stage.dial("a").will(will).connect());
    let heard = reader.hears(&stage.topic("x"), "gone").properties;
    assert_eq!(heard.user[..3], properties.user[..]);
    assert_eq!(heard.texts, properties.texts);
    assert_eq!(heard.numbers[&PAYLOAD_FORMAT], 1);
    assert!((95..=100).contains(&heard.numbers[&MESSAGE_EXPIRY]), "{heard:?}");
}

/// 0x04 asks for the will in the end (5.0 section 3.14.2.1).
#[test]
fn a_goodbye_may_ask_for_the_will() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("x", 1);
    let mut client = stage.dial("a").will(stage.letter("x", "as asked", 1)).connect();
    client.send(&packet::disconnect_with(0x04, &Properties::default())).expect("bytes leave");
    assert!(client.packet(PATIENCE).is_err());
    reader.hears(&stage.topic("x"), "as asked");
}

/// Who takes a session over ends the connection before it (5.0 section 3.1.4).
#[test]
fn a_will_is_published_when_its_connection_is_taken_over() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 1);
        let mut first = stage.dial("a").will(stage.letter("x", "gone", 1)).connect();
        let mut second = stage.client("a");
        first.ends(&[0x8E]);
        reader.hears(&stage.topic("x"), "gone");
        assert_eq!(second.answer_to(&packet::ping()), Packet::Pong);
    }
}
