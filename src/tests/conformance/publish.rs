//! PUBLISH (section 3.3), but for what is retained, which has a file of its own.

use std::thread;
use std::time::Duration;

use super::{FORBIDDEN, Stage};
use crate::town::packet::{
    self, ALIAS, ALIAS_MAXIMUM, CONTENT_TYPE, CORRELATION, Delivery, MESSAGE_EXPIRY, PAYLOAD_FORMAT, Packet,
    Properties, RESPONSE_TOPIC,
};

/// A message with one number among its properties.
fn numbered(letter: Delivery, key: u8, value: u32) -> Delivery {
    Delivery { properties: Properties::default().number(key, value), ..letter }
}

/// both [MQTT-3.3.1-1]
#[test]
fn what_is_sent_again_is_marked_as_a_repetition() {
    for qos in [1, 2] {
        for stage in Stage::both() {
            let dial = stage.absent("x", 2);
            stage.tells("x", "words", qos);
            let first = dial.connect().delivery();
            let again = dial.connect().delivery();
            assert!(!first.dup && again.dup, "{first:?} {again:?}");
        }
    }
}

/// both [MQTT-3.3.1-2] [MQTT-4.3.1-1]
#[test]
fn what_goes_out_with_qos_0_is_no_repetition() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 2);
        stage.tells("x", "words", 0);
        let heard = reader.hears(&stage.topic("x"), "words");
        assert_eq!((heard.qos, heard.dup, heard.id), (0, false, 0));
    }
}

/// both [MQTT-3.3.1-3]
#[test]
fn the_mark_of_a_repetition_is_not_passed_on() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 2);
        for qos in [1, 2] {
            stage.says(Delivery { dup: true, ..stage.letter("x", "words", qos) });
            assert!(!reader.hears(&stage.topic("x"), "words").dup);
        }
    }
}

/// both [MQTT-3.3.1-4]
#[test]
fn a_publish_with_qos_3_closes_the_connection() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        client.put(&Delivery { id: 1, ..stage.letter("x", "words", 3) });
        client.ends(&[0x81]);
    }
}

/// both [MQTT-3.3.2-2], 5.0 [MQTT-4.7.0-1], 3.1.1 [MQTT-4.7.1-1]
#[test]
fn a_topic_with_a_wildcard_closes_the_connection() {
    for stage in Stage::both() {
        for topic in ["+", "#", "a/+/b", "a/b+", "a/#", "#a"] {
            for qos in 0..=2 {
                let mut client = stage.client("a");
                client.put(&Delivery { id: 1, ..stage.letter(topic, "words", qos) });
                client.ends(&[0x81, 0x82, 0x90]);
            }
        }
    }
}

/// both [MQTT-3.3.2-3]
#[test]
fn what_is_delivered_has_the_topic_it_was_published_to() {
    for stage in Stage::both() {
        let mut reader = stage.reader("+/b/#", 1);
        for leaf in ["a/b/c", "x/b", "/b/", "a/b/ /\u{1F989}"] {
            stage.tells(leaf, "words", 1);
            reader.hears(&stage.topic(leaf), "words");
        }
    }
}

/// 5.0 [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]
#[test]
fn properties_reach_every_reader_as_they_were_said() {
    let stage = Stage::in_5();
    let mut readers = [0, 1, 2].map(|qos| stage.client(&format!("r{qos}")).hearing(&stage.topic("x"), qos));
    let properties = Properties::default()
        .number(PAYLOAD_FORMAT, 1)
        .text(CONTENT_TYPE, "text/plain; charset=utf-8")
        .text(RESPONSE_TOPIC, "answers/\u{E4}")
        .text(CORRELATION, [0, 0xFF, 0xFE, 0])
        .pair("b", "1")
        .pair("a", "")
        .pair("", "2")
        .pair("b", "1");
    for qos in 0..=2 {
        stage.says(Delivery { properties: properties.clone(), ..stage.letter("x", "words", qos) });
        for reader in &mut readers {
            let heard = reader.hears(&stage.topic("x"), "words").properties;
            assert_eq!((&heard.numbers, &heard.texts), (&properties.numbers, &properties.texts));
            assert_eq!(heard.user[..4], properties.user[..]);
        }
    }
    // Binary is said to be so as well.
    stage.says(numbered(stage.letter("x", "words", 1), PAYLOAD_FORMAT, 0));
    assert_eq!(readers[1].hear().properties.numbers[&PAYLOAD_FORMAT], 0);
}

/// 5.0 [MQTT-3.3.2-5] [MQTT-3.3.2-6] [MQTT-4.3.3-7]
#[test]
fn a_message_expires_while_it_waits_and_not_once_it_was_sent() {
    let stage = Stage::in_5();
    let dial = stage.absent("x", 2);
    let sent = Stage::in_5();
    let started = sent.absent("x", 2);
    sent.says(numbered(sent.letter("x", "sent in time", 2), MESSAGE_EXPIRY, 1));
    let first = started.connect().delivery();
    for qos in [1, 2] {
        stage.says(numbered(stage.letter("x", "short-lived", qos), MESSAGE_EXPIRY, 1));
        stage.says(numbered(stage.letter("x", "long-lived", qos), MESSAGE_EXPIRY, 100));
    }
    stage.tells("x", "for ever", 1);
    // Time itself is what this is about.
    thread::sleep(Duration::from_millis(1500));
    let mut reader = dial.connect();
    for qos in [1, 2] {
        let heard = reader.hears(&stage.topic("x"), "long-lived");
        let left = heard.properties.numbers[&MESSAGE_EXPIRY];
        assert!(heard.qos == qos && (90..=99).contains(&left), "{heard:?}");
    }
    assert!(!reader.hears(&stage.topic("x"), "for ever").properties.numbers.contains_key(&MESSAGE_EXPIRY));
    let again = started.connect().delivery();
    assert_eq!((again.id, again.dup, again.text()), (first.id, true, "sent in time".into()));
}

/// 5.0 [MQTT-3.3.2-7]
#[test]
fn topic_aliases_end_with_their_connection() {
    let stage = Stage::in_5();
    let named = numbered(stage.letter("x", "words", 0), ALIAS, 1);
    let mut client = stage.dial("a").durable().connect();
    client.put(&named);
    client.ping();
    drop(client);
    let mut client = stage.dial("a").durable().connect();
    client.put(&Delivery { topic: String::new(), ..named });
    client.ends(&[0x82, 0x94]);
}

/// 5.0 [MQTT-3.3.2-8]
#[test]
fn a_topic_alias_of_0_closes_the_connection() {
    let stage = Stage::in_5();
    let mut client = stage.client("a");
    client.put(&numbered(stage.letter("x", "words", 0), ALIAS, 0));
    client.ends(&[0x94]);
}

/// 5.0 [MQTT-3.3.2-12]
#[test]
fn every_announced_topic_alias_is_understood_and_can_be_given_anew() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("#", 1);
    let mut client = stage.client("a");
    let most = client.welcome.numbers[&ALIAS_MAXIMUM];
    assert!(most > 0);
    for round in 0..2 {
        for alias in [1, most.div_ceil(2), most] {
            let leaf = format!("{round}/{alias}");
            let named = numbered(stage.letter(&leaf, "named", 1), ALIAS, alias);
            assert_eq!(client.post(named.clone()), 0);
            assert_eq!(client.post(Delivery { topic: String::new(), ..named }), 0);
            for _ in 0..2 {
                reader.hears(&stage.topic(&leaf), "named");
            }
        }
    }
}

/// 5.0 [MQTT-3.3.2-14]
#[test]
fn a_response_topic_with_a_wildcard_is_refused() {
    let stage = Stage::in_5();
    for topic in ["answers/#", "+"] {
        let properties = Properties::default().text(RESPONSE_TOPIC, topic);
        let mut client = stage.client("a");
        client.put(&Delivery { id: 1, properties, ..stage.letter("x", "words", 1) });
        client.ends(&[0x81, 0x82, 0x90]);
    }
}

/// both [MQTT-3.3.4-1]
#[test]
fn a_publish_is_answered_as_its_quality_of_service_says() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 2);
        let mut client = stage.client("a");
        client.put(&stage.letter("x", "words", 0));
        client.put(&Delivery { id: 5, ..stage.letter("x", "words", 1) });
        assert_eq!(client.next(), Packet::PubAck { id: 5, code: 0 });
        client.put(&Delivery { id: 6, ..stage.letter("x", "words", 2) });
        assert_eq!(client.next(), Packet::PubRec { id: 6, code: 0 });
        assert_eq!(client.answer_to(&packet::pubrel(6)), Packet::PubComp { id: 6, code: 0 });
        assert_eq!([0; 3].map(|_| reader.hear().qos), [0, 1, 2]);
    }
}

/// 5.0 [MQTT-3.3.4-2], 3.1.1 [MQTT-3.3.5-1]
#[test]
fn overlapping_subscriptions_deliver_with_the_highest_quality_among_them() {
    for stage in Stage::both() {
        let mut reader = stage.reader("a/#", 0);
        for (filter, qos) in [("a/+", 2), ("+/b", 1)] {
            assert_eq!(reader.subscribe(&[(&stage.topic(filter), qos)]), [qos]);
        }
        stage.tells("a/b", "words", 2);
        stage.tells("a/end", "end", 0);
        let mut heard = vec![reader.hear()];
        while heard.last().is_some_and(|last| last.text() != "end") {
            heard.push(reader.hear());
        }
        let copies = heard.iter().filter(|copy| copy.text() == "words");
        assert_eq!(copies.map(|copy| copy.qos).max(), Some(2), "{heard:?}");
    }
}

/// 5.0 [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5]
#[test]
fn a_message_names_all_subscriptions_that_it_came_by() {
    let stage = Stage::in_5();
    let mut reader = stage.client("reader");
    for (filter, identifier) in
        [("a/#", Some(1)), ("a/+", Some(268_435_455)), ("+/b", None), ("other", Some(3))]
    {
        let properties =
            identifier.map_or_else(Properties::default, |id| Properties::default().subscription(id));
        assert_eq!(reader.subscribe_with(&properties, &[(&stage.topic(filter), 0)]), [0]);
    }
    stage.tells("a/b", "words", 0);
    stage.tells("other", "end", 0);
    let (mut named, mut copies) = (Vec::new(), 0);
    loop {
        let heard = reader.hear();
        if heard.text() == "end" {
            assert_eq!(heard.properties.subscriptions, [3]);
            break;
        }
        named.extend(heard.properties.subscriptions);
        copies += 1;
    }
    named.sort_unstable();
    assert_eq!(named, [1, 268_435_455], "in {copies} copies");
}

/// 5.0 [MQTT-3.3.4-6]
#[test]
fn a_subscription_identifier_from_a_client_closes_the_connection() {
    let stage = Stage::in_5();
    let mut client = stage.client("a");
    let properties = Properties::default().subscription(1);
    client.put(&Delivery { properties, ..stage.letter("x", "words", 0) });
    client.ends(&[0x81, 0x82]);
}

/// 3.1.1 [MQTT-3.3.5-2]
#[test]
fn what_may_not_be_published_is_acknowledged_and_goes_nowhere() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        for qos in 0..=2 {
            let code = client.post(Delivery { qos, ..Delivery::new(FORBIDDEN, "words") });
            assert_eq!(code, if stage.is_5() && qos > 0 { 0x87 } else { 0 });
        }
        client.ping();
    }
}

/// A payload may be empty and may be anything (section 3.3.3).
#[test]
fn a_payload_is_bytes() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 1);
        for payload in [Vec::new(), vec![0], (0..=255).collect(), vec![0xFF; 100_000]] {
            stage.says(Delivery { payload: payload.clone(), ..stage.letter("x", "", 1) });
            assert!(reader.hear().payload == payload);
        }
    }
}
