//! QoS 2: what is sent exactly once is said in four packets (MQTT section 4.3.3).

use super::*;

fn ack(first: u8, id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![first, 2, high, low]
}

fn deliver(line: &mut Line, id: u16, dup: bool) -> Sent {
    let qos = Qos::ExactlyOnce;
    line.machine.publish(&Outgoing { id: Some(id), topic: "t", qos, dup, ..Outgoing::default() })
}

const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;

#[test]
fn a_message_of_qos_2_is_received_then_released() {
    for version in BOTH {
        let mut line = Line::open(version);
        let events = line.hear(&publish(version, 2, 7, "to/bob", b"once"));
        assert!(matches!(&events[..], [Event::Publish(m)] if m.qos == Qos::ExactlyOnce && m.id == Some(7)));
        assert!(line.sent().is_empty(), "the answer is the caller's");
        line.machine.pubrec(7, Reason::Success);
        assert_eq!(line.sent(), ack(PUBREC, 7));
        assert_eq!(line.hear(&ack(PUBREL, 7)), [Event::Released { id: 7 }]);
        assert_eq!(line.hear(&ack(PUBREL, 7)), [], "the answer is still to come");
        line.machine.pubcomp(7);
        assert_eq!(line.sent(), ack(PUBCOMP, 7));
        line.machine.pubcomp(7);
        assert!(line.sent().is_empty(), "once is enough");
        assert_eq!(line.machine.unanswered(), 0);
        assert_eq!(line.hear(&publish(version, 2, 7, "to/bob", b"next")).len(), 1, "the identifier is free");
    }
}

#[test]
fn a_repetition_of_what_was_received_is_answered_and_not_told() {
    for version in BOTH {
        let mut line = Line::open(version);
        let repeated = encode(version, Packet::Publish(message(true, 2, false, 7, "t", b"x"), None));
        line.hear(&publish(version, 2, 7, "t", b"x"));
        assert_eq!(line.hear(&repeated), []);
        assert!(line.sent().is_empty(), "its first answer is still to come");
        line.machine.pubrec(7, Reason::NoMatchingSubscribers);
        line.sent();
        // [MQTT-4.3.3-10]: until PUBREL, with DUP or without.
        for bytes in [repeated, publish(version, 2, 7, "t", b"x")] {
            assert_eq!(line.hear(&bytes), []);
            assert_eq!(line.sent(), ack(PUBREC, 7));
        }
        assert_eq!(line.machine.unanswered(), 1);
    }
}

#[test]
fn a_resumed_session_remembers_what_it_received() {
    for version in BOTH {
        let mut line = Line::new(version);
        line.hear(&connect(version));
        line.machine.accept(Accept {
            session_present: true,
            received: vec![9, 300, 9, 0],
            ..Accept::default()
        });
        line.sent();
        assert_eq!(line.machine.unanswered(), 2);
        let repeated = encode(version, Packet::Publish(message(true, 2, false, 300, "t", b"x"), None));
        assert_eq!(line.hear(&repeated), []);
        assert_eq!(line.sent(), ack(PUBREC, 300));
        let released = [Event::Released { id: 9 }, Event::Released { id: 300 }];
        assert_eq!(line.hear(&[ack(PUBREL, 9), ack(PUBREL, 300)].concat()), released);
        line.machine.pubcomp(300);
        line.machine.pubcomp(9);
        assert_eq!(line.sent(), [ack(PUBCOMP, 300), ack(PUBCOMP, 9)].concat());
    }
}

#[test]
fn a_refused_message_leaves_its_identifier_free() {
    let mut line = Line::open(Version::V5);
    line.hear(&publish(Version::V5, 2, 7, "t", b""));
    line.machine.pubrec(7, Reason::QuotaExceeded);
    assert_eq!(line.sent(), [0x50, 4, 0, 7, 0x97, 0]);
    assert_eq!(line.hear(&publish(Version::V5, 1, 7, "t", b"")).len(), 1);

    // 3.1.1 cannot say no: the client goes on, and finds nothing to release.
    let mut line = Line::open(Version::V3);
    line.hear(&publish(Version::V3, 2, 7, "t", b""));
    line.machine.pubrec(7, Reason::QuotaExceeded);
    assert_eq!(line.sent(), ack(PUBREC, 7));
    assert_eq!(line.hear(&ack(PUBREL, 7)), []);
    assert_eq!(line.sent(), ack(PUBCOMP, 7));
}

#[test]
fn an_identifier_in_use_is_used_for_nothing_else() {
    for version in BOTH {
        let (once, twice) = (publish(version, 1, 7, "t", b""), publish(version, 2, 7, "t", b""));
        let again = |qos| encode(version, Packet::Publish(message(true, qos, false, 7, "t", b""), None));
        for (first, then) in
            [(&once, twice.clone()), (&twice, once.clone()), (&once, again(2)), (&twice, again(1))]
        {
            let mut line = Line::open(version);
            line.hear(first);
            assert_eq!(fault(&line.hear(&then)).unwrap().0, Reason::ProtocolError);
        }
        for early in [once, twice.clone()] {
            let mut line = Line::open(version);
            line.hear(&early);
            assert_eq!(fault(&line.hear(&ack(PUBREL, 7))).unwrap().1, "PUBREL before PUBREC");
        }
        let mut line = Line::open(version);
        line.hear(&twice);
        line.machine.pubrec(7, Reason::Success);
        line.hear(&ack(PUBREL, 7));
        assert!(fault(&line.hear(&again(2))).is_some(), "a released message is not sent again");
    }
}

#[test]
fn the_wrong_answer_answers_nothing() {
    let mut line = Line::open(Version::V5);
    line.hear(&[publish(Version::V5, 1, 1, "t", b""), publish(Version::V5, 2, 2, "t", b"")].concat());
    line.machine.pubrec(1, Reason::Success);
    line.machine.pubcomp(2);
    line.machine.puback(2, Reason::Success);
    line.machine.puback(3, Reason::Success);
    assert!(line.sent().is_empty());
    assert_eq!(line.machine.unanswered(), 2);
}

#[test]
fn the_receive_maximum_counts_until_the_last_answer_and_forgets_earlier_connections() {
    let mut line = Line::new(Version::V5);
    line.hear(&connect(Version::V5));
    line.machine.accept(Accept { received: (100..110).collect(), ..Accept::default() });
    for id in 1..=4 {
        assert_eq!(line.hear(&publish(Version::V5, 2, id, "t", b"")).len(), 1);
        line.machine.pubrec(id, Reason::Success);
    }
    line.hear(&ack(PUBREL, 1));
    line.machine.pubcomp(1);
    assert_eq!(line.hear(&publish(Version::V5, 1, 5, "t", b"")).len(), 1);
    assert_eq!(
        fault(&line.hear(&publish(Version::V5, 1, 6, "t", b""))).unwrap().0,
        Reason::ReceiveMaximumExceeded
    );
}

#[test]
fn a_delivery_of_qos_2_is_received_released_and_completed() {
    for version in BOTH {
        let mut line = Line::open(version);
        assert_eq!(deliver(&mut line, 7, false), Sent::Awaiting(7));
        let sent = line.sent();
        assert_eq!(sent[0], 0x34);
        assert_eq!(line.hear(&ack(PUBREC, 7)), [Event::Received { id: 7 }]);
        assert_eq!(line.hear(&ack(PUBREC, 7)), [], "the answer is still to come");
        line.machine.pubrel(7);
        assert_eq!(line.sent(), ack(PUBREL, 7));
        assert_eq!(line.hear(&ack(PUBREC, 7)), []);
        assert_eq!(line.sent(), ack(PUBREL, 7), "the client did not hear it");
        assert_eq!(deliver(&mut line, 7, true), Sent::WindowFull, "what is released is not sent again");
        assert_eq!(line.machine.window(), 3);
        assert_eq!(line.hear(&ack(PUBCOMP, 7)), [Event::Completed { id: 7 }]);
        assert_eq!(line.hear(&ack(PUBCOMP, 7)), []);
        assert_eq!(line.machine.window(), 4);
    }
}

#[test]
fn a_resumed_session_says_again_what_the_client_has_not_settled() {
    for version in BOTH {
        let mut line = Line::open(version);
        line.machine.pubrel(3);
        line.machine.pubrel(3);
        assert_eq!(line.sent(), ack(PUBREL, 3));
        assert_eq!(deliver(&mut line, 4, true), Sent::Awaiting(4));
        assert_eq!(line.sent()[0], 0x3C, "DUP ([MQTT-3.3.1-1])");
        assert_eq!(line.machine.window(), 2);
        assert_eq!(line.hear(&ack(PUBCOMP, 3)), [Event::Completed { id: 3 }]);
        let not_found = [0x70, 3, 0, 5, 0x92];
        if version == Version::V5 {
            line.machine.pubrel(5);
            assert_eq!(line.hear(&not_found), [Event::Completed { id: 5 }], "the client had forgotten it");
        }
    }
}

#[test]
fn a_delivery_that_the_client_refuses_is_settled() {
    let mut line = Line::open(Version::V5);
    deliver(&mut line, 7, false);
    let refusal = b"\x50\x03\x00\x07\x99";
    assert_eq!(line.hear(refusal), [Event::Acked { id: 7, reason: Reason::PayloadFormatInvalid }]);
    line.sent();
    assert_eq!(line.hear(refusal), []);
    assert!(line.sent().is_empty(), "[MQTT-4.3.3-4]");
    deliver(&mut line, 7, false);
    line.sent();
    assert_eq!(line.hear(b"\x50\x03\x00\x07\x10"), [Event::Received { id: 7 }], "no refusal");
}

#[test]
fn a_receipt_of_nothing_is_told_so_and_may_be_released() {
    for version in BOTH {
        let mut line = Line::open(version);
        assert_eq!(line.hear(&ack(PUBREC, 9)), []);
        let answer: &[u8] = if version == Version::V5 { &[0x62, 4, 0, 9, 0x92, 0] } else { &[0x62, 2, 0, 9] };
        assert_eq!(line.sent(), answer);
        assert_eq!(line.hear(&ack(PUBCOMP, 9)), []);
        assert!(line.sent().is_empty());
    }
}

#[test]
fn an_acknowledgement_of_the_other_qos_or_out_of_order_is_a_protocol_error() {
    for version in BOTH {
        for first in [0x40, PUBCOMP] {
            let mut line = Line::open(version);
            deliver(&mut line, 7, false);
            assert_eq!(fault(&line.hear(&ack(first, 7))).unwrap().0, Reason::ProtocolError);
        }
        for first in [PUBREC, PUBCOMP] {
            let mut line = Line::open(version);
            let id = Some(7);
            line.machine.publish(&Outgoing { id, topic: "t", qos: Qos::AtLeastOnce, ..Outgoing::default() });
            assert_eq!(fault(&line.hear(&ack(first, 7))).unwrap().0, Reason::ProtocolError);
        }
    }
}
