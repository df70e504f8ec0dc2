//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7).

use super::{FORBIDDEN, Stage};
use crate::town::packet::{self, Delivery, MAXIMUM_PACKET, Packet, Properties};

/// 5.0 [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3]
/// 5.0 [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2]
#[test]
fn words_are_left_out_of_an_answer_before_it_becomes_too_large() {
    let stage = Stage::in_5();
    // The reader fails a packet that is larger than it announced: 60 bytes hold a CONNACK and few words.
    let mut client = stage.dial("a").saying(Properties::default().number(MAXIMUM_PACKET, 60)).connect();
    for qos in [1, 2] {
        assert_eq!(client.post(Delivery { qos, ..Delivery::new(FORBIDDEN, "words") }), 0x87);
    }
    assert_eq!(client.answer_to(&packet::pubrec(77)), Packet::PubRel { id: 77, code: 0x92 });
    assert_eq!(client.answer_to(&packet::pubrel(78)), Packet::PubComp { id: 78, code: 0x92 });
    assert_eq!(client.subscribe(&[(FORBIDDEN, 1)]), [0x87]);
    assert_eq!(client.unsubscribe("never/there"), [0x11]);
}

/// 5.0 [MQTT-3.7.2-1], 3.1.1 [MQTT-4.3.3-2]
#[test]
fn a_release_of_nothing_is_answered() {
    for stage in Stage::both() {
        let code = if stage.is_5() { 0x92 } else { 0 };
        let answer = stage.client("a").answer_to(&packet::pubrel(4711));
        assert_eq!(answer, Packet::PubComp { id: 4711, code });
    }
}

/// 5.0 [MQTT-3.6.2-1], 3.1.1 [MQTT-4.3.3-1]
#[test]
fn a_receipt_of_nothing_is_answered() {
    for stage in Stage::both() {
        let code = if stage.is_5() { 0x92 } else { 0 };
        let answer = stage.client("a").answer_to(&packet::pubrec(4711));
        assert_eq!(answer, Packet::PubRel { id: 4711, code });
    }
}

/// 5.0 [MQTT-3.4.2-1] [MQTT-3.5.2-1]: 0x10 is for what nobody hears.
#[test]
fn an_acknowledgement_says_whether_anybody_listens() {
    let stage = Stage::in_5();
    let mut client = stage.client("a");
    for qos in [1, 2] {
        assert_eq!(client.post(stage.letter("x", "words", qos)), 0x10);
    }
    let _reader = stage.reader("x", 0);
    for qos in [1, 2] {
        assert_eq!(client.post(stage.letter("x", "words", qos)), 0);
    }
}

/// A reason code and properties may stand in an acknowledgement, or be left out (5.0 section 3.4.2.1).
#[test]
fn acknowledgements_are_read_in_all_their_forms() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("x", 2);
    let forms: [&[u8]; 4] =
        [&[], &[0x00], &[0x00, 0x00], &[0x00, 0x0A, 0x1F, 0, 2, b'o', b'k', 0x26, 0, 0, 0, 0]];
    for form in forms {
        let of = |first, id: u16| packet::framed(first, &[&id.to_be_bytes()[..], form].concat());
        stage.tells("x", "words", 1);
        let heard = reader.delivery();
        reader.send(&of(0x40, heard.id)).expect("bytes leave");
        stage.tells("x", "words", 2);
        let id = reader.delivery().id;
        assert_eq!(reader.answer_to(&of(0x50, id)), Packet::PubRel { id, code: 0 });
        reader.send(&of(0x70, id)).expect("bytes leave");
        reader.ping();
    }
}

/// An acknowledgement of what was never sent, and one that comes twice, harm nobody.
#[test]
fn an_acknowledgement_of_nothing_is_passed_over() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 1);
        reader.send(&[packet::puback(99), packet::pubcomp(98)].concat()).expect("bytes leave");
        stage.tells("x", "words", 1);
        let heard = reader.delivery();
        reader.acknowledge(&heard);
        reader.acknowledge(&heard);
        stage.tells("x", "more", 1);
        reader.hears(&stage.topic("x"), "more");
    }
}
