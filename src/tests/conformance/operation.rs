//! Sessions, qualities of service, repetition and order (sections 4.1 to 4.6).

use std::thread;
use std::time::Duration;

use super::{FORBIDDEN, Stage};
use crate::town::client::Client;
use crate::town::packet::{self, Delivery, MESSAGE_EXPIRY, Packet, Properties};

/// A PUBLISH under an identifier of choice.
fn publish(stage: &Stage, letter: Delivery, id: u16) -> Vec<u8> {
    packet::publish(stage.version, &Delivery { id, ..letter })
}

/// Ends an exchange of QoS 2 from the side of the sender.
fn release(client: &mut Client, id: u16) {
    assert_eq!(client.answer_to(&packet::pubrel(id)), Packet::PubComp { id, code: 0 });
}

/// 5.0 [MQTT-4.1.0-1] [MQTT-4.1.0-2], 3.1.1 [MQTT-4.1.0-1] [MQTT-4.1.0-2]
#[test]
fn a_session_stays_while_its_client_is_there_and_ends_when_its_time_is_over() {
    let stage = Stage::in_5();
    let mut there = stage.dial("there").lasting(1).connect().hearing(&stage.topic("x"), 1);
    let away = stage.dial("away").lasting(1);
    away.connect().hearing(&stage.topic("x"), 1).leave();
    let long_away = stage.dial("long").lasting(100);
    long_away.connect().hearing(&stage.topic("x"), 1).leave();
    let of_3 = Stage::in_3();
    let kept = of_3.absent("x", 1);
    // Time itself is what this is about.
    thread::sleep(Duration::from_millis(2200));
    stage.tells("x", "words", 1);
    there.hears(&stage.topic("x"), "words");
    let mut gone = away.connect();
    assert!(!gone.present);
    gone.hears_nothing();
    assert!(long_away.connect().present && kept.connect().present);
}

/// 5.0 [MQTT-4.2.0-1], 3.1.1 [MQTT-7.1.1-1]
#[test]
fn the_bytes_of_a_connection_come_all_and_in_order() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 0);
        let all: Vec<u8> = (0..1000)
            .flat_map(|number| {
                packet::publish(stage.version, &stage.letter("x", &format!("{number:0>100}"), 0))
            })
            .collect();
        let mut voice = stage.client("voice");
        // In pieces that have nothing to do with packets.
        for piece in all.chunks(997) {
            voice.send(piece).expect("bytes leave");
        }
        for number in 0..1000 {
            reader.hears(&stage.topic("x"), &format!("{number:0>100}"));
        }
    }
}

/// 5.0 [MQTT-4.3.2-2] [MQTT-4.3.3-2], 3.1.1 [MQTT-4.3.2-1] [MQTT-4.3.3-1]
#[test]
fn what_is_sent_for_the_first_time_is_no_repetition() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 2);
        for qos in [1, 2] {
            stage.tells("x", "words", qos);
            let heard = reader.hears(&stage.topic("x"), "words");
            assert_eq!((heard.qos, heard.dup, heard.id > 0), (qos, false, true));
        }
    }
}

/// 5.0 [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.4.0-1], 3.1.1 [MQTT-4.4.0-1]
#[test]
fn what_is_unacknowledged_is_sent_again_on_the_next_connection_and_not_before() {
    for stage in Stage::both() {
        let dial = stage.dial("reader").durable();
        let mut reader = dial.connect().hearing(&stage.topic("x"), 2);
        stage.tells("x", "one", 1);
        stage.tells("x", "two", 2);
        let first = [reader.delivery(), reader.delivery()];
        reader.is_silent();
        drop(reader);
        let mut reader = dial.connect();
        for before in &first {
            let again = reader.delivery();
            assert_eq!(again, Delivery { dup: true, ..before.clone() });
        }
        // Acknowledged in the end, it is over.
        reader.acknowledge(&first[0]);
        reader.take_exactly_once(&first[1]);
        reader.leave();
        dial.connect().hears_nothing();
    }
}

/// 5.0 [MQTT-4.3.2-4] [MQTT-4.3.2-5], 3.1.1 [MQTT-4.3.2-2]
#[test]
fn after_its_puback_an_identifier_is_free_for_another_message() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 1);
        let mut voice = stage.client("voice");
        for (words, dup) in [("one", false), ("two", false), ("three", true)] {
            let letter = Delivery { dup, ..stage.letter("x", words, 1) };
            assert_eq!(voice.answer_to(&publish(&stage, letter, 7)), Packet::PubAck { id: 7, code: 0 });
            reader.hears(&stage.topic("x"), words);
        }
    }
}

/// 5.0 [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6], 3.1.1 [MQTT-4.3.3-1]
#[test]
fn once_received_a_message_is_released_until_the_client_says_it_is_over() {
    for stage in Stage::both() {
        let dial = stage.absent("x", 2);
        stage.tells("x", "words", 2);
        let mut reader = dial.connect();
        let id = reader.delivery().id;
        assert_eq!(reader.answer_to(&packet::pubrec(id)), Packet::PubRel { id, code: 0 });
        drop(reader);
        for _ in 0..2 {
            // The message itself does not come again.
            let mut reader = dial.connect();
            assert_eq!(reader.next(), Packet::PubRel { id, code: 0 });
            reader.is_silent();
        }
        let mut reader = dial.connect();
        assert_eq!(reader.next(), Packet::PubRel { id, code: 0 });
        reader.send(&packet::pubcomp(id)).expect("bytes leave");
        reader.ping();
        drop(reader);
        dial.connect().hears_nothing();
    }
}

/// 5.0 [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12], 3.1.1 [MQTT-4.3.3-2]
#[test]
fn a_message_with_qos_2_is_taken_once_however_often_it_is_sent() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 2);
        let dial = stage.dial("voice").durable();
        let mut voice = dial.connect();
        let letter = stage.letter("x", "words", 2);
        let again = Delivery { dup: true, ..letter.clone() };
        assert_eq!(voice.answer_to(&publish(&stage, letter, 9)), Packet::PubRec { id: 9, code: 0 });
        let answer = voice.answer_to(&publish(&stage, again.clone(), 9));
        assert!(matches!(answer, Packet::PubRec { id: 9, code: ..0x80 }), "{answer:?}");
        // Over a connection that breaks as well.
        drop(voice);
        let mut voice = dial.connect();
        let answer = voice.answer_to(&publish(&stage, again, 9));
        assert!(matches!(answer, Packet::PubRec { id: 9, code: ..0x80 }), "{answer:?}");
        release(&mut voice, 9);
        reader.hears(&stage.topic("x"), "words");
        // Now the identifier is free for another, whatever it is marked as.
        let other = Delivery { dup: true, ..stage.letter("x", "other", 2) };
        assert_eq!(voice.answer_to(&publish(&stage, other, 9)), Packet::PubRec { id: 9, code: 0 });
        release(&mut voice, 9);
        reader.hears(&stage.topic("x"), "other");
    }
}

/// A PUBREL that comes again, because its answer was lost, is answered again (section 4.4).
#[test]
fn a_release_that_comes_again_is_answered_again() {
    for stage in Stage::both() {
        let dial = stage.dial("voice").durable();
        let mut voice = dial.connect();
        voice.answer_to(&publish(&stage, stage.letter("x", "words", 2), 3));
        voice.send(&packet::pubrel(3)).expect("bytes leave");
        voice.next();
        drop(voice);
        let answer = dial.connect().answer_to(&packet::pubrel(3));
        assert!(matches!(answer, Packet::PubComp { id: 3, .. }), "{answer:?}");
    }
}

/// 5.0 [MQTT-4.3.3-9]
#[test]
fn after_a_refusal_an_identifier_is_free_for_another_message() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("x", 2);
    let mut voice = stage.client("voice");
    let refused = publish(&stage, Delivery { qos: 2, ..Delivery::new(FORBIDDEN, "words") }, 5);
    assert_eq!(voice.answer_to(&refused), Packet::PubRec { id: 5, code: 0x87 });
    let taken = publish(&stage, stage.letter("x", "words", 2), 5);
    assert_eq!(voice.answer_to(&taken), Packet::PubRec { id: 5, code: 0 });
    release(&mut voice, 5);
    reader.hears(&stage.topic("x"), "words");
}

/// 5.0 [MQTT-4.3.3-13]
#[test]
fn an_exchange_goes_to_its_end_though_its_message_expired() {
    let stage = Stage::in_5();
    let mut voice = stage.client("voice");
    let properties = Properties::default().number(MESSAGE_EXPIRY, 0);
    let letter = Delivery { properties, ..stage.letter("x", "words", 2) };
    let answer = voice.answer_to(&publish(&stage, letter, 5));
    assert!(matches!(answer, Packet::PubRec { id: 5, code: ..0x80 }), "{answer:?}");
    release(&mut voice, 5);
}

/// 5.0 [MQTT-4.4.0-2]
#[test]
fn what_a_client_refused_is_not_sent_again() {
    let stage = Stage::in_5();
    let dial = stage.absent("x", 2);
    stage.tells("x", "one", 1);
    stage.tells("x", "two", 2);
    let mut reader = dial.connect();
    let [one, two] = [reader.delivery().id, reader.delivery().id];
    reader.send(&packet::reasoned(0x40, one, 0x83)).expect("bytes leave");
    reader.send(&packet::reasoned(0x50, two, 0x80)).expect("bytes leave");
    // No PUBREL follows a refusal.
    assert_eq!(reader.answer_to(&packet::ping()), Packet::Pong);
    drop(reader);
    let mut reader = dial.connect();
    reader.is_silent();
}

/// both [MQTT-4.5.0-1]
#[test]
fn a_message_goes_to_everyone_who_subscribed_present_or_not() {
    for stage in Stage::both() {
        let absent = stage.absent("x", 2);
        let mut readers = ["x", "+", "#"].map(|leaf| {
            let who = format!("r{}", leaf.as_bytes()[0]);
            stage.client(&who).hearing(&stage.topic(leaf), 0)
        });
        for qos in [1, 2] {
            stage.tells("x", "words", qos);
            readers.iter_mut().for_each(|reader| _ = reader.hears(&stage.topic("x"), "words"));
        }
        let mut absent = absent.connect();
        assert_eq!([absent.hear().qos, absent.hear().qos], [1, 2]);
    }
}

/// 5.0 [MQTT-4.6.0-5] [MQTT-4.6.0-6], 3.1.1 [MQTT-4.6.0-5] [MQTT-4.6.0-6]
#[test]
fn messages_come_in_the_order_in_which_they_were_published() {
    for stage in Stage::both() {
        for qos in 0..=2 {
            let mut reader = stage.reader("x", 2);
            let mut voice = stage.client("voice");
            let number = |number: u16| stage.letter("x", &number.to_string(), qos);
            let all: Vec<u8> = (1..=200).flat_map(|each| publish(&stage, number(each), each)).collect();
            voice.send(&all).expect("bytes leave");
            for each in 1..=200 {
                reader.hears(&stage.topic("x"), &each.to_string());
            }
        }
    }
}

/// 5.0 [MQTT-4.6.0-5], 3.1.1 [MQTT-4.6.0-6]
#[test]
fn messages_are_sent_again_in_the_order_in_which_they_were_sent() {
    for stage in Stage::both() {
        let dial = stage.absent("x", 2);
        let mut voice = stage.client("voice");
        for number in 0..30 {
            assert!(voice.post(stage.letter("x", &number.to_string(), 1 + number % 2)) < 0x80);
        }
        let mut reader = dial.connect();
        let first: Vec<Delivery> = (0..20).map(|_| reader.delivery()).collect();
        // One in the middle is over.
        let done = first.iter().position(|each| each.qos == 1 && each.text() == "6").expect("it was sent");
        reader.acknowledge(&first[done]);
        reader.ping();
        drop(reader);
        let mut reader = dial.connect();
        for number in (0..30).filter(|number| *number != 6) {
            reader.hears(&stage.topic("x"), &number.to_string());
        }
    }
}

/// 3.1.1 [MQTT-4.8.0-1], 5.0 [MQTT-4.13.1-1]
#[test]
fn a_violation_ends_the_connection_it_came_by_and_no_other() {
    for stage in Stage::both() {
        let mut calm = stage.reader("x", 1);
        let violations: [&[u8]; 6] = [
            &[0x00, 0x00],
            &[0x90, 0x03, 0x00, 0x01, 0x00],
            &[0x32, 0x03, 0x00, 0x01, b'x'],
            &[0x40, 0x01, 0x00],
            &[0x62, 0x00],
            &[0xC0, 0x01, 0x00],
        ];
        for violation in violations {
            let mut client = stage.client("a");
            client.send(violation).expect("bytes leave");
            client.ends(&[0x81, 0x82]);
        }
        stage.tells("x", "words", 1);
        calm.hears(&stage.topic("x"), "words");
    }
}
