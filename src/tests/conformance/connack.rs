//! CONNACK (section 3.2).

use super::{ALICE, Stage};
use crate::town::client::{Dial, PATIENCE};
use crate::town::packet::{
    self, ALIAS, ALIAS_MAXIMUM, Delivery, MAXIMUM_PACKET, MAXIMUM_QOS, Packet, Properties, RECEIVE_MAXIMUM,
    RETAIN_AVAILABLE, SERVER_KEEP_ALIVE,
};

/// What an accepted CONNECT hears.
fn welcome(dial: &Dial) -> bool {
    let mut client = dial.say(&dial.hello());
    match client.next() {
        Packet::ConnAck { present, code: 0, .. } => present,
        other => panic!("{other:?}"),
    }
}

/// both [MQTT-3.2.0-1], 5.0 [MQTT-3.1.4-5], 3.1.1 [MQTT-3.1.4-4]
#[test]
fn the_first_word_is_a_connack() {
    for stage in Stage::both() {
        // Said in one breath, with answers to come from all of it.
        let dial = stage.absent("x", 1);
        stage.tells("x", "while away", 1);
        let publish = packet::publish(stage.version, &Delivery { id: 7, ..stage.letter("x", "words", 1) });
        let subscribe = packet::subscribe(stage.version, 8, &[("y", 0)]);
        let mut client = dial.say(&[dial.hello(), publish, subscribe, packet::ping()].concat());
        let first = client.next();
        assert!(matches!(first, Packet::ConnAck { present: true, code: 0, .. }), "{first:?}");
        let rest: Vec<Packet> = (0..5).map(|_| client.next()).collect();
        let answers = rest.iter().filter(|packet| !matches!(packet, Packet::Publish(_))).count();
        assert_eq!(answers, 3, "{rest:?}");
    }
}

/// 5.0 [MQTT-3.2.2-2], 3.1.1 [MQTT-3.2.2-1]
#[test]
fn a_clean_start_hears_of_no_session() {
    for stage in Stage::both() {
        let absent = stage.absent("x", 1);
        assert!(!welcome(&absent.but(|hello| hello.clean = true)));
    }
}

/// 5.0 [MQTT-3.2.2-3], 3.1.1 [MQTT-3.2.2-2] [MQTT-3.2.2-3]
#[test]
fn who_would_resume_hears_whether_there_is_a_session() {
    for stage in Stage::both() {
        assert!(!welcome(&stage.dial("reader").durable()));
        assert!(welcome(&stage.absent("x", 1)));
    }
}

/// 5.0 [MQTT-3.2.2-6], 3.1.1 [MQTT-3.2.2-4]
#[test]
fn who_is_turned_away_hears_of_no_session() {
    for stage in Stage::both() {
        let dial = stage.dial("a").password(ALICE.0, ALICE.1).durable();
        dial.connect().leave();
        let impostor = dial.password(ALICE.0, "wrong");
        let mut client = impostor.say(&impostor.hello());
        assert!(matches!(client.next(), Packet::ConnAck { present: false, code: 1.., .. }));
        assert!(client.packet(PATIENCE).is_err());
    }
}

/// 5.0 [MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-12]
#[test]
fn every_quality_of_service_is_served_and_none_ruled_out() {
    let stage = Stage::in_5();
    let client = stage.dial("a").will(stage.letter("x", "gone", 2)).connect();
    assert!(!client.welcome.numbers.contains_key(&MAXIMUM_QOS));
    assert!(client.welcome.numbers.get(&RETAIN_AVAILABLE).is_none_or(|available| *available == 1));
    let filters = ["q0", "q1", "q2"].map(|leaf| stage.topic(leaf));
    let mut client = client;
    assert_eq!(client.subscribe(&[(&filters[0], 0), (&filters[1], 1), (&filters[2], 2)]), [0, 1, 2]);
}

/// 5.0 [MQTT-3.2.2-15]
#[test]
fn who_sends_a_packet_larger_than_announced_is_shut_out() {
    let stage = Stage::in_5();
    let mut client = stage.client("a");
    let most = client.welcome.numbers[&MAXIMUM_PACKET] as usize;
    let fits = most - packet::publish(stage.version, &stage.letter("x", "", 0)).len() - 3;
    client.put(&stage.letter("x", &"x".repeat(fits), 0));
    client.ping();
    // The length says it before the rest comes.
    client.send(&packet::framed(0x30, &vec![0; most])[..64]).expect("bytes leave");
    client.ends(&[0x95]);
}

/// 5.0 [MQTT-3.2.2-17] [MQTT-3.3.2-9]
#[test]
fn who_sends_a_topic_alias_above_the_maximum_is_shut_out() {
    let stage = Stage::in_5();
    let mut client = stage.client("a");
    let most = client.welcome.numbers.get(&ALIAS_MAXIMUM).copied().unwrap_or(0);
    let properties = Properties::default().number(ALIAS, most + 1);
    client.put(&Delivery { properties, ..stage.letter("x", "words", 0) });
    client.ends(&[0x94]);
}

/// 5.0 [MQTT-3.2.2-19] [MQTT-3.2.2-20]
#[test]
fn words_are_left_out_of_a_connack_before_it_becomes_too_large() {
    let stage = Stage::in_5();
    let small = Properties::default().number(MAXIMUM_PACKET, 60);
    stage.dial("a").saying(small.clone()).connect().ping();
    let impostor = stage.dial("a").password(ALICE.0, "wrong").saying(small);
    // The reader fails a packet that is larger than it announced.
    assert!([0x86, 0x87].contains(&impostor.refused()));
}

/// What a client is told matters to what follows, and is told once (5.0 section 3.2.2.3).
#[test]
fn what_is_announced_is_not_nothing() {
    let client = Stage::in_5().client("a");
    let announced = &client.welcome.numbers;
    assert_ne!(announced.get(&RECEIVE_MAXIMUM), Some(&0));
    assert_ne!(announced.get(&MAXIMUM_PACKET), Some(&0));
    assert!(!announced.contains_key(&SERVER_KEEP_ALIVE));
}
