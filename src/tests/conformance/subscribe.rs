//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use super::{FORBIDDEN, Stage};
use crate::town::client::Client;
use crate::town::packet::{self, Delivery, NO_LOCAL, Packet, Properties};

/// A client that said this with 0x82 for its kind and flags.
fn saying(stage: &Stage, body: &[u8]) -> Client {
    let mut client = stage.client("a");
    client.send(&packet::framed(0x82, body)).expect("bytes leave");
    client
}

/// A body with one filter and these options.
fn body(stage: &Stage, options: u8) -> Vec<u8> {
    packet::subscribe(stage.version, 1, &[("x", options)])[2..].to_vec()
}

/// 5.0 [MQTT-3.8.3-2], 3.1.1 [MQTT-3.8.3-3]
#[test]
fn a_subscribe_without_filters_closes_the_connection() {
    for stage in Stage::both() {
        let bare = packet::subscribe(stage.version, 1, &[]);
        saying(&stage, &bare[2..]).ends(&[0x81, 0x82]);
    }
}

/// 5.0 [MQTT-3.8.3-3]
#[test]
fn nobody_hears_itself_who_does_not_want_to() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("x", 1 | NO_LOCAL);
    assert!(reader.post(stage.letter("x", "my own", 1)) < 0x80);
    stage.tells("x", "another's", 1);
    reader.hears(&stage.topic("x"), "another's");
    // It is the client id that counts, whatever the connection.
    let dial = stage.dial("gone").durable();
    let mut gone = dial.connect().hearing(&stage.topic("x"), 1 | NO_LOCAL);
    assert!(gone.post(stage.letter("x", "my own", 1)) < 0x80);
    gone.leave();
    stage.tells("x", "another's again", 1);
    dial.connect().hears(&stage.topic("x"), "another's again");
}

/// 5.0 [MQTT-3.8.3-4]
#[test]
fn no_local_makes_no_sense_for_a_shared_subscription() {
    let stage = Stage::in_5();
    let mut client = stage.client("a");
    client.send(&packet::subscribe(stage.version, 1, &[("$share/g/x", NO_LOCAL)])).expect("bytes leave");
    client.ends(&[0x82]);
}

/// 5.0 [MQTT-3.8.3-5], 3.1.1 [MQTT-3.8.3-4]
#[test]
fn reserved_options_and_qos_3_close_the_connection() {
    for stage in Stage::both() {
        let first_reserved = if stage.is_5() { 6 } else { 2 };
        for bit in first_reserved..8 {
            saying(&stage, &body(&stage, 1 << bit)).ends(&[0x81, 0x82]);
        }
        saying(&stage, &body(&stage, 3)).ends(&[0x81, 0x82]);
    }
    // Retain handling 3 (5.0 section 3.8.3.1).
    let stage = Stage::in_5();
    saying(&stage, &body(&stage, 0x30)).ends(&[0x81, 0x82]);
}

/// both [MQTT-3.8.4-1], 5.0 [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-2], 3.1.1 [MQTT-3.8.4-5] [MQTT-3.9.3-2]
#[test]
fn each_filter_is_granted_its_quality_or_refused() {
    for stage in Stage::both() {
        let filters = ["a", "b", "c"].map(|leaf| stage.topic(leaf));
        let mut client = stage.client("a");
        let asked = [(&*filters[0], 0), (&*filters[1], 1), (FORBIDDEN, 1), (&*filters[2], 2)];
        let refused = if stage.is_5() { 0x87 } else { 0x80 };
        assert_eq!(client.subscribe(&asked), [0, 1, refused, 2]);
    }
}

/// both [MQTT-3.9.3-1]
#[test]
fn answers_come_in_the_order_of_the_filters() {
    for stage in Stage::both() {
        let filters: Vec<String> = (0..60).map(|number| stage.topic(&number.to_string())).collect();
        let asked: Vec<(&str, u8)> =
            filters.iter().zip([2, 0, 1].into_iter().cycle()).map(|(f, q)| (&**f, q)).collect();
        let granted: Vec<u8> = asked.iter().map(|(_, qos)| *qos).collect();
        assert_eq!(stage.client("a").subscribe(&asked), granted);
    }
}

/// both [MQTT-3.8.4-3], 5.0 [MQTT-3.8.4-4]
#[test]
fn the_same_filter_replaces_the_subscription_and_misses_nothing() {
    for stage in Stage::both() {
        stage.says(Delivery { retain: true, ..stage.letter("x", "retained", 1) });
        let mut reader = stage.reader("x", 0);
        assert_eq!(reader.hears(&stage.topic("x"), "retained").qos, 0);
        let mut voice = stage.client("voice");
        // Between words, from QoS 0 to 2 and back.
        for (number, qos) in [2, 0, 1, 2].into_iter().enumerate() {
            assert!(voice.post(stage.letter("x", &number.to_string(), 2)) < 0x80);
            assert_eq!(reader.subscribe(&[(&stage.topic("x"), qos)]), [qos]);
            let mut heard = [reader.hear(), reader.hear()];
            heard.sort_by_key(|each| each.retain);
            assert_eq!((heard[0].text(), heard[1].text()), (number.to_string(), "retained".into()));
            assert_eq!(heard[1].qos, qos.min(1));
        }
        reader.hears_nothing();
    }
}

/// 5.0 [MQTT-3.8.4-5], 3.1.1 [MQTT-3.8.4-4]
#[test]
fn several_filters_are_as_good_as_several_subscribes() {
    for stage in Stage::both() {
        for leaf in ["a", "b"] {
            stage.says(Delivery { retain: true, ..stage.letter(leaf, "retained", 1) });
        }
        let mut client = stage.client("a");
        // The same filter twice: the second replaces the first.
        let [a, b] = ["a", "b"].map(|leaf| stage.topic(leaf));
        assert_eq!(client.subscribe(&[(&a, 0), (&b, 1), (&a, 1)]), [0, 1, 1]);
        let mut heard: Vec<(String, u8)> =
            (0..3).map(|_| client.hear()).map(|each| (each.topic, each.qos)).collect();
        heard.sort();
        assert_eq!(heard, [(a.clone(), 0), (a.clone(), 1), (b, 1)]);
        stage.tells("a", "words", 1);
        assert_eq!(client.hears(&a, "words").qos, 1);
        client.hears_nothing();
    }
}

/// 5.0 [MQTT-3.8.4-8], 3.1.1 [MQTT-3.8.4-6]
#[test]
fn a_message_comes_with_the_lower_quality_of_the_two() {
    for stage in Stage::both() {
        for granted in 0..=2 {
            let leaf = granted.to_string();
            let mut reader = stage.client("reader").hearing(&stage.topic(&leaf), granted);
            for published in 0..=2 {
                stage.tells(&leaf, "words", published);
                assert_eq!(reader.hears(&stage.topic(&leaf), "words").qos, granted.min(published));
            }
        }
    }
}

/// 3.1.1 [MQTT-3.8.3-2]: a server that serves no wildcards would refuse them.
#[test]
fn filters_with_wildcards_are_granted() {
    for stage in Stage::both() {
        let filters = ["#", "+", "+/+/#", "a/+"].map(|leaf| stage.topic(leaf));
        let asked: Vec<(&str, u8)> = filters.iter().map(|filter| (&**filter, 1)).collect();
        assert_eq!(stage.client("a").subscribe(&asked), [1; 4]);
    }
}

/// A subscription identifier is 1 or more and comes once (5.0 section 3.8.2.1.2).
#[test]
fn a_subscription_identifier_of_0_or_a_second_one_closes_the_connection() {
    let stage = Stage::in_5();
    for properties in
        [Properties::default().subscription(0), Properties::default().subscription(1).subscription(2)]
    {
        let mut client = stage.client("a");
        let packet = packet::subscribe_with(stage.version, 1, &properties, &[("x", 0)]);
        client.send(&packet).expect("bytes leave");
        client.ends(&[0x81, 0x82]);
    }
}

/// A client may go on before it has heard the answer (section 3.8.4).
#[test]
fn words_may_follow_a_subscribe_at_once() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        let topic = stage.topic("x");
        let subscribe = packet::subscribe(stage.version, 1, &[(&topic, 1)]);
        let publish = packet::publish(stage.version, &stage.letter("x", "words", 0));
        client.send(&[subscribe, publish].concat()).expect("bytes leave");
        assert_eq!(client.next(), Packet::SubAck { id: 1, codes: vec![1] });
        client.hears(&topic, "words");
    }
}
