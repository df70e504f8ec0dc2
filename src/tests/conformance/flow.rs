//! Flow control (sections 3.3.4 and 4.9): who takes how much at a time.

use super::Stage;
use crate::town::packet::{self, Delivery, Packet, RECEIVE_MAXIMUM};

/// 5.0 [MQTT-3.3.4-7]
#[test]
fn who_has_more_unacknowledged_than_announced_is_shut_out() {
    let stage = Stage::in_5();
    let mut client = stage.client("a");
    let most = client.welcome.numbers[&RECEIVE_MAXIMUM] as u16;
    let letter = |id| packet::publish(stage.version, &Delivery { id, ..stage.letter("x", "words", 2) });
    let all: Vec<u8> = (1..=most).flat_map(letter).collect();
    client.send(&all).expect("bytes leave");
    for id in 1..=most {
        assert!(matches!(client.next(), Packet::PubRec { id: of, code: ..0x80 } if of == id));
    }
    // One that is over makes room for another.
    assert_eq!(client.answer_to(&packet::pubrel(1)), Packet::PubComp { id: 1, code: 0 });
    assert!(matches!(client.answer_to(&letter(1)), Packet::PubRec { id: 1, .. }));
    client.send(&letter(most + 1)).expect("bytes leave");
    client.ends(&[0x93]);
}

/// 5.0 [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]
#[test]
fn a_client_is_sent_no_more_than_it_takes() {
    let stage = Stage::in_5();
    for qos in [1, 2] {
        let mut reader = stage.dial("reader").at_most(2).connect().hearing(&stage.topic("x"), 2);
        (0..4).for_each(|number| stage.tells("x", &number.to_string(), qos));
        let first = [reader.delivery(), reader.delivery()];
        reader.is_silent();
        match qos {
            1 => reader.acknowledge(&first[0]),
            _ => reader.take_exactly_once(&first[0]),
        }
        assert_eq!(reader.delivery().text(), "2");
        reader.is_silent();
        // A refusal settles QoS 1 and 2 alike (section 4.9).
        let refusal = if qos == 1 { 0x40 } else { 0x50 };
        reader.send(&packet::reasoned(refusal, first[1].id, 0x80)).expect("bytes leave");
        assert_eq!(reader.delivery().text(), "3");
    }
}

/// A PUBREC gives nothing free: the exchange is over with its PUBCOMP (5.0 section 4.9).
#[test]
fn an_exchange_takes_its_place_to_its_end() {
    let stage = Stage::in_5();
    let mut reader = stage.dial("reader").at_most(1).connect().hearing(&stage.topic("x"), 2);
    stage.tells("x", "one", 2);
    stage.tells("x", "two", 2);
    let id = reader.delivery().id;
    assert_eq!(reader.answer_to(&packet::pubrec(id)), Packet::PubRel { id, code: 0 });
    reader.is_silent();
    reader.send(&packet::pubcomp(id)).expect("bytes leave");
    assert_eq!(reader.delivery().text(), "two");
}

/// 5.0 [MQTT-3.3.4-10] [MQTT-4.9.0-3]
#[test]
fn a_client_that_takes_no_more_is_served_otherwise() {
    let stage = Stage::in_5();
    let mut reader = stage.dial("reader").at_most(1).connect().hearing(&stage.topic("x"), 1);
    stage.tells("x", "one", 1);
    stage.tells("x", "two", 1);
    let first = reader.delivery();
    assert_eq!(reader.answer_to(&packet::ping()), Packet::Pong);
    let subscribe = packet::subscribe(stage.version, 9, &[(&stage.topic("y"), 0)]);
    assert_eq!(reader.answer_to(&subscribe), Packet::SubAck { id: 9, codes: vec![0] });
    reader.put(&Delivery { id: 10, ..stage.letter("z", "words", 1) });
    assert!(matches!(reader.next(), Packet::PubAck { id: 10, code: ..0x80 }));
    reader.put(&Delivery { id: 11, ..stage.letter("z", "words", 2) });
    assert!(matches!(reader.next(), Packet::PubRec { id: 11, code: ..0x80 }));
    assert_eq!(reader.answer_to(&packet::pubrel(11)), Packet::PubComp { id: 11, code: 0 });
    reader.acknowledge(&first);
    assert_eq!(reader.delivery().text(), "two");
}
