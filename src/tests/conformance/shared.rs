//! Shared subscriptions (5.0 section 4.8.2): each message goes to one member of the group.

use std::time::{Duration, Instant};

use super::Stage;
use crate::town::client::{Client, PATIENCE};
use crate::town::packet::{self, Packet};

/// The filter of a group of this stage.
fn shared(stage: &Stage, group: &str, leaf: &str) -> String {
    format!("$share/{group}/{}", stage.topic(leaf))
}

/// Who of these is sent the next message, not acknowledged yet.
fn receiver(members: &mut [Client]) -> (usize, crate::town::packet::Delivery) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        for (at, member) in members.iter_mut().enumerate() {
            match member.packet(Duration::from_millis(5)) {
                Ok(Some(Packet::Publish(delivery))) => return (at, delivery),
                Ok(None) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    panic!("nobody is sent anything within {PATIENCE:?}")
}

fn members(stage: &Stage, leaf: &str, options: u8) -> [Client; 2] {
    ["one", "two"].map(|who| stage.dial(who).durable().connect().hearing(&shared(stage, "g", leaf), options))
}

/// 5.0 [MQTT-4.8.2-1] [MQTT-4.8.2-2]
#[test]
fn a_group_has_a_name_and_a_filter() {
    let stage = Stage::in_5();
    for filter in
        ["$share//x", "$share/g", "$share/g/", "$share/g+/x", "$share/#/x", "$share/+/x", "$share/", "$share"]
    {
        let mut client = stage.client("a");
        client.send(&packet::subscribe(stage.version, 1, &[(filter, 0)])).expect("bytes leave");
        match client.packet(PATIENCE) {
            Ok(Some(Packet::SubAck { codes, .. })) => assert!(codes[0] >= 0x80, "{filter} is granted"),
            Ok(Some(Packet::Disconnect { code })) => assert!([0x81, 0x82, 0x8F].contains(&code), "{filter}"),
            other => panic!("{filter}: {other:?}"),
        }
    }
    let mut client = stage.client("a").hearing(&shared(&stage, "a group", "+/x/#"), 1);
    stage.tells("any/x/y", "words", 1);
    client.hears(&stage.topic("any/x/y"), "words");
}

/// Each message goes to one of a group, to every group, and to who subscribed alone (5.0 section 4.8.2).
#[test]
fn each_message_goes_to_one_member_of_each_group() {
    let stage = Stage::in_5();
    let mut group = members(&stage, "x", 1);
    let mut other = stage.client("other").hearing(&shared(&stage, "h", "x"), 1);
    let mut alone = stage.reader("x", 1);
    let mut each = [0; 2];
    for number in 0..10 {
        let words = number.to_string();
        stage.tells("x", &words, 1);
        other.hears(&stage.topic("x"), &words);
        alone.hears(&stage.topic("x"), &words);
        let (at, delivery) = receiver(&mut group);
        assert_eq!(delivery.text(), words);
        group[at].acknowledge(&delivery);
        each[at] += 1;
    }
    assert_eq!(each, [5, 5], "in turn");
    let [mut one, mut two] = group;
    one.hears_nothing();
    two.hears_nothing();
}

/// 5.0 [MQTT-4.8.2-3]
#[test]
fn each_member_is_sent_messages_with_its_own_quality() {
    let stage = Stage::in_5();
    let mut group =
        [0, 1, 2].map(|qos| stage.client(&format!("m{qos}")).hearing(&shared(&stage, "g", "x"), qos));
    let mut seen = [false; 3];
    for _ in 0..3 {
        stage.tells("x", "words", 2);
        let (at, delivery) = receiver(&mut group);
        assert_eq!(usize::from(delivery.qos), at);
        match at {
            1 => group[at].acknowledge(&delivery),
            2 => group[at].take_exactly_once(&delivery),
            _ => {}
        }
        seen[at] = true;
    }
    assert_eq!(seen, [true; 3]);
}

/// 5.0 [MQTT-4.8.2-4]
#[test]
fn an_exchange_of_qos_2_is_completed_with_the_member_that_began_it() {
    let stage = Stage::in_5();
    let mut group = members(&stage, "x", 2);
    stage.tells("x", "words", 2);
    let (at, first) = receiver(&mut group);
    let [one, two] = group;
    let (begun, mut other) = if at == 0 { (one, two) } else { (two, one) };
    drop(begun);
    other.hears_nothing();
    let mut back = stage.dial(["one", "two"][at]).durable().connect();
    let again = back.delivery();
    assert_eq!((again.id, again.dup), (first.id, true));
    back.take_exactly_once(&again);
    other.hears_nothing();
}

/// 5.0 [MQTT-4.8.2-5]
#[test]
fn an_exchange_of_qos_2_that_never_ends_is_passed_to_nobody_else() {
    let stage = Stage::in_5();
    let mut group = members(&stage, "x", 2);
    stage.tells("x", "words", 2);
    let (at, first) = receiver(&mut group);
    let [one, two] = group;
    let (mut begun, mut other) = if at == 0 { (one, two) } else { (two, one) };
    let id = first.id;
    assert_eq!(begun.answer_to(&packet::pubrec(id)), Packet::PubRel { id, code: 0 });
    drop(begun);
    // Its session ends with a clean start.
    stage.client(["one", "two"][at]).leave();
    stage.tells("x", "next", 2);
    other.hears(&stage.topic("x"), "next");
    other.hears_nothing();
}

/// 5.0 [MQTT-4.8.2-6]
#[test]
fn what_a_member_refuses_is_offered_to_nobody_else() {
    let stage = Stage::in_5();
    let mut group = members(&stage, "x", 2);
    for qos in [1, 2] {
        stage.tells("x", "words", qos);
        let (at, delivery) = receiver(&mut group);
        let first = if qos == 1 { 0x40 } else { 0x50 };
        group[at].send(&packet::reasoned(first, delivery.id, 0x83)).expect("bytes leave");
        group.iter_mut().for_each(Client::hears_nothing);
    }
}

/// No retained messages are sent for a shared subscription (5.0 section 4.8.2).
#[test]
fn a_group_is_sent_nothing_that_was_retained() {
    let stage = Stage::in_5();
    stage.says(crate::town::packet::Delivery { retain: true, ..stage.letter("x", "retained", 1) });
    let mut client = stage.client("a").hearing(&shared(&stage, "g", "x"), 1);
    client.hears_nothing();
    stage.tells("x", "words", 1);
    client.hears(&stage.topic("x"), "words");
}

/// Who leaves the group is passed over; who stays hears all (5.0 section 4.8.2).
#[test]
fn who_left_the_group_is_passed_over() {
    let stage = Stage::in_5();
    let [mut one, mut two] = members(&stage, "x", 1);
    assert_eq!(one.unsubscribe(&shared(&stage, "g", "x")), [0]);
    for number in 0..4 {
        stage.tells("x", &number.to_string(), 1);
        two.hears(&stage.topic("x"), &number.to_string());
    }
    one.hears_nothing();
}
