//! Retained messages (section 3.3.1.3 and the subscription options of 3.8.3.1).

use std::time::Duration;

use super::Stage;
use crate::town::packet::{
    AS_PUBLISHED, Delivery, MESSAGE_EXPIRY, Properties, RETAINED_IF_NEW, RETAINED_NEVER,
};
use crate::town::tools::eventually;

/// Retains something.
fn retain(stage: &Stage, leaf: &str, words: &str, qos: u8) {
    stage.says(Delivery { retain: true, ..stage.letter(leaf, words, qos) });
}

/// What somebody who subscribes now is sent: text and QoS, of retained messages alone.
fn found(stage: &Stage, leaf: &str) -> Vec<(String, u8)> {
    let mut late = stage.client("late").hearing(&stage.topic(leaf), 2);
    late.ping();
    let mut found = Vec::new();
    while let Some(heard) = late.hear_within(Duration::from_millis(200)) {
        assert!(heard.retain, "{heard:?}");
        found.push((heard.text(), heard.qos));
    }
    found.sort();
    found
}

/// The same of what was published with QoS 0, of which nobody hears when it is done.
fn will_be_found(stage: &Stage, leaf: &str, wanted: &[(&str, u8)]) {
    let is_found =
        |found: Vec<(String, u8)>| found.iter().map(|(text, qos)| (&**text, *qos)).eq(wanted.iter().copied());
    eventually("what was published with QoS 0 is retained", || is_found(found(stage, leaf)));
}

/// both [MQTT-3.3.1-5], 3.1.1 [MQTT-3.3.1-6] [MQTT-3.3.1-8]
#[test]
fn a_retained_message_waits_for_who_comes_later_until_another_replaces_it() {
    for stage in Stage::both() {
        for qos in [1, 2, 0] {
            retain(&stage, &format!("q/{qos}"), "first", qos);
        }
        assert_eq!(found(&stage, "q/1"), [("first".into(), 1)]);
        will_be_found(&stage, "q/+", &[("first", 0), ("first", 1), ("first", 2)]);
        retain(&stage, "q/2", "second", 1);
        assert_eq!(found(&stage, "q/2"), [("second".into(), 1)]);
    }
}

/// 3.1.1 [MQTT-3.3.1-7]
#[test]
fn a_retained_message_with_qos_0_replaces_the_one_before() {
    let stage = Stage::in_3();
    retain(&stage, "x", "first", 2);
    retain(&stage, "x", "second", 0);
    will_be_found(&stage, "x", &[("second", 0)]);
}

/// 3.1.1 [MQTT-3.3.1-9], 5.0 [MQTT-3.3.1-12]
#[test]
fn who_is_there_hears_it_as_a_message_like_any_other() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 1);
        for qos in 0..=2 {
            retain(&stage, "x", "words", qos);
            assert!(!reader.hears(&stage.topic("x"), "words").retain);
        }
    }
}

/// 5.0 [MQTT-3.3.1-13]
#[test]
fn who_asks_hears_the_mark_as_it_was_published() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("x", 1 | AS_PUBLISHED);
    retain(&stage, "x", "retained", 1);
    stage.tells("x", "passing", 1);
    assert!(reader.hears(&stage.topic("x"), "retained").retain);
    assert!(!reader.hears(&stage.topic("x"), "passing").retain);
}

/// 5.0 [MQTT-3.3.1-6] [MQTT-3.3.1-7], 3.1.1 [MQTT-3.3.1-10] [MQTT-3.3.1-11]
#[test]
fn an_empty_retained_message_removes_what_was_there_and_is_passed_on() {
    for stage in Stage::both() {
        for qos in 0..=2 {
            retain(&stage, "x", "words", 1);
            let mut reader = stage.client("reader").hearing(&stage.topic("x"), 2);
            reader.hears(&stage.topic("x"), "words");
            retain(&stage, "x", "", qos);
            reader.hears(&stage.topic("x"), "");
            will_be_found(&stage, "x", &[]);
        }
    }
}

/// 5.0 [MQTT-3.3.1-8], 3.1.1 [MQTT-3.3.1-12]
#[test]
fn what_is_not_to_be_retained_leaves_what_is() {
    for stage in Stage::both() {
        stage.tells("none", "passing", 1);
        assert_eq!(found(&stage, "none"), []);
        retain(&stage, "x", "words", 1);
        stage.tells("x", "passing", 1);
        stage.tells("x", "", 1);
        assert_eq!(found(&stage, "x"), [("words".into(), 1)]);
    }
}

/// 3.1.1 [MQTT-3.1.2-7]
#[test]
fn what_is_retained_outlives_the_session_that_published_it() {
    for stage in Stage::both() {
        // `says` leaves with a session that ends; so does this one, without a word.
        let mut client = stage.client("a");
        client.post(Delivery { retain: true, ..stage.letter("x", "words", 1) });
        drop(client);
        stage.client("a").leave();
        assert_eq!(found(&stage, "x"), [("words".into(), 1)]);
    }
}

/// 5.0 [MQTT-3.3.1-9] [MQTT-3.8.4-4]
#[test]
fn what_is_retained_is_sent_at_each_subscribe_unless_told_otherwise() {
    let stage = Stage::in_5();
    retain(&stage, "a", "words", 1);
    retain(&stage, "b", "words", 1);
    let mut reader = stage.reader("+", 1);
    for _ in 0..2 {
        let mut heard = [reader.hear(), reader.hear()].map(|each| each.topic);
        heard.sort();
        assert_eq!(heard, [stage.topic("a"), stage.topic("b")]);
        assert_eq!(reader.subscribe(&[(&stage.topic("+"), 1)]), [1]);
    }
}

/// 5.0 [MQTT-3.3.1-10]
#[test]
fn what_is_retained_is_sent_for_a_new_subscription_alone_when_asked_so() {
    let stage = Stage::in_5();
    retain(&stage, "x", "words", 1);
    let options = 1 | RETAINED_IF_NEW;
    let mut reader = stage.reader("x", options);
    reader.hears(&stage.topic("x"), "words");
    assert_eq!(reader.subscribe(&[(&stage.topic("x"), options)]), [1]);
    reader.hears_nothing();
    // Taken back, it is new again.
    reader.unsubscribe(&stage.topic("x"));
    assert_eq!(reader.subscribe(&[(&stage.topic("x"), options)]), [1]);
    reader.hears(&stage.topic("x"), "words");
}

/// 5.0 [MQTT-3.3.1-11]
#[test]
fn what_is_retained_is_not_sent_to_who_does_not_want_it() {
    let stage = Stage::in_5();
    retain(&stage, "x", "words", 1);
    let mut reader = stage.reader("x", 1 | RETAINED_NEVER);
    reader.hears_nothing();
    stage.tells("x", "passing", 1);
    reader.hears(&stage.topic("x"), "passing");
}

/// A retained message has its properties, and its time runs (5.0 section 3.3.2.3.3).
#[test]
fn a_retained_message_keeps_its_properties_and_its_time() {
    let stage = Stage::in_5();
    let properties = Properties::default().number(MESSAGE_EXPIRY, 100).pair("a", "1").pair("b", "2");
    let letter = Delivery { retain: true, properties, ..stage.letter("x", "words", 1) };
    stage.says(letter.clone());
    let heard = stage.reader("x", 1).hear();
    assert_eq!(heard.properties.user[..2], letter.properties.user[..]);
    assert!((95..=100).contains(&heard.properties.numbers[&MESSAGE_EXPIRY]), "{heard:?}");
}
