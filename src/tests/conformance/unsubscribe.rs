//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use super::Stage;
use crate::town::packet::{self, Packet};

/// What a filter that was there, and one that was not, are answered in this version.
fn answers(stage: &Stage, existed: &[bool]) -> Vec<u8> {
    let code = |existed: &bool| if *existed { 0x00 } else { 0x11 };
    if stage.is_5() { existed.iter().map(code).collect() } else { Vec::new() }
}

/// both [MQTT-3.10.3-2]
#[test]
fn an_unsubscribe_without_filters_closes_the_connection() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        client.send(&packet::unsubscribe_all(stage.version, 1, &[])).expect("bytes leave");
        client.ends(&[0x81, 0x82]);
    }
}

/// both [MQTT-3.10.4-1]
#[test]
fn only_the_very_same_filter_is_taken_back() {
    for stage in Stage::both() {
        let mut reader = stage.reader("a/+", 0);
        for other in ["a/b", "a/#", "A/+", "a/+/", "+/+"] {
            assert_eq!(reader.unsubscribe(&stage.topic(other)), answers(&stage, &[false]));
        }
        stage.tells("a/b", "still", 0);
        reader.hears(&stage.topic("a/b"), "still");
        assert_eq!(reader.unsubscribe(&stage.topic("a/+")), answers(&stage, &[true]));
        stage.tells("a/b", "no more", 0);
        reader.hears_nothing();
    }
}

/// both [MQTT-3.10.4-2]
#[test]
fn nothing_new_comes_after_an_unsubscribe() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 2);
        assert_eq!(reader.subscribe(&[(&stage.topic("other"), 2)]), [2]);
        reader.unsubscribe(&stage.topic("x"));
        for qos in 0..=2 {
            stage.tells("x", "too late", qos);
            stage.tells("other", "words", qos);
            reader.hears(&stage.topic("other"), "words");
        }
    }
}

/// both [MQTT-3.10.4-3]
#[test]
fn what_was_begun_is_brought_to_its_end() {
    for stage in Stage::both() {
        for qos in [1, 2] {
            let dial = stage.dial("reader").durable();
            let mut reader = dial.connect().hearing(&stage.topic("x"), 2);
            stage.tells("x", "words", qos);
            let begun = reader.delivery();
            assert_eq!(reader.unsubscribe(&stage.topic("x")), answers(&stage, &[true]));
            if qos == 2 {
                let id = begun.id;
                assert_eq!(reader.answer_to(&packet::pubrec(id)), Packet::PubRel { id, code: 0 });
                drop(reader);
                let mut reader = dial.connect();
                assert_eq!(reader.next(), Packet::PubRel { id, code: 0 });
                reader.send(&packet::pubcomp(id)).expect("bytes leave");
                reader.hears_nothing();
            } else {
                drop(reader);
                let mut reader = dial.connect();
                let again = reader.hears(&stage.topic("x"), "words");
                assert_eq!((again.id, again.dup), (begun.id, true));
                reader.leave();
            }
        }
    }
}

/// 5.0 [MQTT-3.10.4-4] [MQTT-3.10.4-5], 3.1.1 [MQTT-3.10.4-5]
#[test]
fn an_unsubscribe_is_answered_even_if_there_was_nothing() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        let unsubscribe = packet::unsubscribe(stage.version, 0x0102, "never/there");
        let codes = answers(&stage, &[false]);
        assert_eq!(client.answer_to(&unsubscribe), Packet::UnsubAck { id: 0x0102, codes });
    }
}

/// both [MQTT-3.10.4-6], 5.0 [MQTT-3.11.3-1] [MQTT-3.11.3-2]
#[test]
fn several_filters_are_taken_back_at_once_and_answered_in_their_order() {
    for stage in Stage::both() {
        let mut reader = stage.reader("a", 0);
        let [a, b, c] = ["a", "b", "c"].map(|leaf| stage.topic(leaf));
        assert_eq!(reader.subscribe(&[(&b, 0), (&c, 0)]), [0, 0]);
        let all = [&*b, "never/there", &*a, &*b];
        let answer = reader.answer_to(&packet::unsubscribe_all(stage.version, 77, &all));
        let codes = answers(&stage, &[true, false, true, false]);
        assert_eq!(answer, Packet::UnsubAck { id: 77, codes });
        for leaf in ["a", "b", "c"] {
            stage.tells(leaf, "words", 0);
        }
        reader.hears(&c, "words");
        reader.hears_nothing();
    }
}
