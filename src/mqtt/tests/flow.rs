//! Messages in both directions: identifiers, windows, acknowledgements, subscriptions.

use super::*;

/// The first identifier that the machine chooses.
const FIRST: u16 = 32_768;

fn deliver(line: &mut Line, payload: &[u8]) -> Sent {
    line.machine.publish(&Outgoing {
        topic: "from/ada",
        payload,
        qos: Qos::AtLeastOnce,
        ..Outgoing::default()
    })
}

fn puback(id: u16) -> Packet {
    Packet::PubAck(protocol::PubAck { pkid: id, reason: protocol::PubAckReason::Success }, None)
}

#[test]
fn a_message_travels_from_one_client_to_another_and_its_acknowledgement_back() {
    for (ours, theirs) in [(Version::V3, Version::V5), (Version::V5, Version::V3)] {
        let (mut ada, mut bob) = (Line::open(ours), Line::open(theirs));
        let events = ada.hear(&publish(ours, 1, 17, "to/bob", "grüße".as_bytes()));
        let [Event::Publish(message)] = &events[..] else { panic!("{events:?}") };
        assert_eq!((message.id, message.topic.as_str()), (Some(17), "to/bob"));
        assert_eq!(ada.machine.unanswered(), 1);

        assert_eq!(deliver(&mut bob, &message.payload), Sent::Awaiting(FIRST));
        let arrived = bob.sent_packets();
        let expected = self::message(false, 1, false, FIRST, "from/ada", "grüße".as_bytes());
        assert_eq!(arrived, [Packet::Publish(expected, None)]);
        assert_eq!(bob.machine.in_flight(), 1);
        assert_eq!(bob.hear_packet(puback(FIRST)), [Event::Acked { id: FIRST, reason: Reason::Success }]);
        assert_eq!(bob.machine.in_flight(), 0);

        ada.machine.puback(17, Reason::Success);
        assert_eq!(ada.sent_packets(), [puback(17)]);
        ada.machine.puback(17, Reason::Success);
        assert!(ada.sent().is_empty(), "once is enough");
    }
}

#[test]
fn a_refused_message_is_told_why_in_5_0_and_only_settled_in_3_1_1() {
    for version in BOTH {
        let mut line = Line::open(version);
        line.hear(&publish(version, 1, 3, "x", b""));
        line.machine.puback(3, Reason::NotAuthorized);
        let expected: &[u8] =
            if version == Version::V5 { &[0x40, 4, 0, 3, 0x87, 0] } else { &[0x40, 2, 0, 3] };
        assert_eq!(line.sent(), expected);
    }
}

#[test]
fn no_more_is_in_flight_than_both_sides_allow() {
    let mut line = Line::open(Version::V3);
    assert_eq!(line.machine.window(), 4);
    let sent: Vec<Sent> = (0..5).map(|_| deliver(&mut line, b"")).collect();
    assert_eq!(sent[3..], [Sent::Awaiting(FIRST + 3), Sent::WindowFull]);
    assert_eq!(
        line.machine.publish(&Outgoing { topic: "t", ..Outgoing::default() }),
        Sent::Fire,
        "QoS 0 needs none"
    );
    line.hear_packet(puback(FIRST + 1));
    assert_eq!((line.machine.window(), deliver(&mut line, b"")), (1, Sent::Awaiting(FIRST + 4)));

    let properties = protocol::ConnectProperties { receive_maximum: Some(2), ..connect_properties() };
    let line = Line::open_with(Version::V5, &connect_with(Version::V5, Some(properties)));
    assert_eq!(line.machine.window(), 2);
}

#[test]
fn an_identifier_is_never_zero_nor_given_twice_at_a_time() {
    let mut line = Line::open(Version::V3);
    let again =
        |id| Outgoing { id: Some(id), topic: "t", qos: Qos::AtLeastOnce, dup: true, ..Outgoing::default() };
    assert_eq!(line.machine.publish(&again(2)), Sent::Awaiting(2), "a resumed session keeps its identifiers");
    assert_eq!(line.machine.publish(&again(2)), Sent::WindowFull, "2 is in use");
    assert_eq!(line.machine.publish(&again(0)), Sent::WindowFull);
    assert_eq!(line.machine.publish(&again(FIRST)), Sent::Awaiting(FIRST));
    assert_eq!(deliver(&mut line, b""), Sent::Awaiting(FIRST + 1), "the first is in use");
    for id in [2, FIRST, FIRST + 1] {
        line.hear_packet(puback(id));
    }
    for expected in (FIRST + 2..=65_535).chain([FIRST, FIRST + 1]) {
        assert_eq!(deliver(&mut line, b""), Sent::Awaiting(expected));
        line.hear_packet(puback(expected));
        line.sent();
    }
}

#[test]
fn an_acknowledgement_of_nothing_is_ignored_and_a_refusal_is_passed_on() {
    let mut line = Line::open(Version::V5);
    assert_eq!(line.hear_packet(puback(9)), []);
    deliver(&mut line, b"");
    let refusal = b"\x40\x03\x80\x00\x97";
    assert_eq!(line.hear(refusal), [Event::Acked { id: FIRST, reason: Reason::QuotaExceeded }]);
    assert_eq!(line.hear(refusal), [], "it was settled");
    assert_eq!(fault(&line.hear(b"\x40\x02\x00\x00")).unwrap().0, Reason::ProtocolError);
}

#[test]
fn a_client_of_5_0_may_not_exceed_the_announced_receive_maximum() {
    let mut line = Line::open(Version::V5);
    for id in 1..=4 {
        assert_eq!(line.hear(&publish(Version::V5, 1, id, "t", b"")).len(), 1);
    }
    assert_eq!(line.hear(&publish(Version::V5, 0, 0, "t", b"")).len(), 1, "QoS 0 does not count");
    line.machine.puback(2, Reason::Success);
    assert_eq!(line.hear(&publish(Version::V5, 1, 2, "t", b"")).len(), 1);
    line.sent();
    assert_eq!(
        fault(&line.hear(&publish(Version::V5, 1, 9, "t", b""))).unwrap().0,
        Reason::ReceiveMaximumExceeded
    );
    assert_eq!(goodbye(&line.sent()), Some(0x93));

    let mut line = Line::open(Version::V3);
    let told: usize = (1..=50).map(|id| line.hear(&publish(Version::V3, 1, id, "t", b"")).len()).sum();
    assert_eq!((told, line.machine.unanswered()), (50, 50), "3.1.1 knows no maximum");
}

#[test]
fn a_repeated_message_is_told_once_while_it_awaits_its_answer() {
    for version in BOTH {
        let mut line = Line::open(version);
        let first = publish(version, 1, 1, "t", b"x");
        let repeated = encode(version, Packet::Publish(message(true, 1, false, 1, "t", b"x"), None));
        assert_eq!(line.hear(&first).len(), 1);
        assert_eq!(line.hear(&repeated), []);
        line.machine.puback(1, Reason::Success);
        assert!(matches!(&line.hear(&repeated)[..], [Event::Publish(message)] if message.dup));
        assert_eq!(fault(&line.hear(&first)).unwrap().0, Reason::ProtocolError);
    }
}

#[test]
fn what_the_client_cannot_take_is_not_sent() {
    let properties = protocol::ConnectProperties { max_packet_size: Some(50), ..connect_properties() };
    let mut line = Line::open_with(Version::V5, &connect_with(Version::V5, Some(properties)));
    assert_eq!(deliver(&mut line, &[0; 35]), Sent::Awaiting(FIRST));
    assert_eq!(line.sent().len(), 50);
    assert_eq!(deliver(&mut line, &[0; 36]), Sent::TooLarge);
    assert_eq!((line.sent().len(), line.machine.in_flight()), (0, 1));
    let long = "x".repeat(65_536);
    let mut open = Line::open(Version::V5);
    assert_eq!(open.machine.publish(&Outgoing { topic: &long, ..Outgoing::default() }), Sent::TooLarge);
    let chatty = Outgoing { topic: "t", said: &[("k", &long)], ..Outgoing::default() };
    assert_eq!(open.machine.publish(&chatty), Sent::TooLarge);
    line.machine.suback(1, &[Ok(Qos::AtLeastOnce); 60]);
    assert_eq!(goodbye(&line.sent()), Some(0x95), "a client that cannot be answered cannot be served");
}

#[test]
fn server_side_properties_are_left_out_for_3_1_1() {
    let properties = Properties { content_type: Some("text/plain".into()), ..Properties::default() };
    let told = Outgoing {
        topic: "t",
        payload: b"p",
        properties: Some(&properties),
        message_expiry: Some(3),
        said: &[("id", "1")],
        ..Outgoing::default()
    };
    let mut line = Line::open(Version::V3);
    line.machine.publish(&told);
    assert_eq!(line.sent(), b"\x30\x04\x00\x01tp");
}

#[test]
fn a_subscription_is_told_filter_by_filter() {
    let mut line = Line::open(Version::V5);
    let filter = |path: &str| protocol::Filter {
        path: path.into(),
        qos: protocol::QoS::ExactlyOnce,
        nolocal: !path.starts_with('$'),
        preserve_retain: true,
        retain_forward_rule: protocol::RetainForwardRule::Never,
    };
    let filters = ["from/#", "a#", "$share/g/a", ""].map(filter).to_vec();
    let properties = protocol::SubscribeProperties { id: Some(268_435_455), user_properties: vec![] };
    let events =
        line.hear_packet(Packet::Subscribe(protocol::Subscribe { pkid: 6, filters }, Some(properties)));
    let [Event::Subscribe { id: 6, filters, identifier: Some(268_435_455) }] = &events[..] else {
        panic!("{events:?}")
    };
    let parsed: Vec<Result<&str, Reason>> = filters
        .iter()
        .map(|one| one.filter.as_ref().map(TopicFilter::as_str).map_err(|reason| *reason))
        .collect();
    let (invalid, shared) = (Reason::TopicFilterInvalid, Reason::SharedSubscriptionsNotSupported);
    assert_eq!(parsed, [Ok("from/#"), Err(invalid), Ok("$share/g/a"), Err(invalid)]);
    let first = &filters[0];
    assert_eq!((first.qos, first.no_local, first.retain_as_published), (Qos::ExactlyOnce, true, true));
    assert_eq!(first.retain_handling, RetainHandling::Never);
    line.machine.suback(6, &[Ok(Qos::ExactlyOnce), Err(invalid), Err(shared), Ok(Qos::AtMostOnce)]);
    assert_eq!(line.sent(), [0x90, 7, 0, 6, 0, 0x02, 0x8F, 0x9E, 0x00]);

    let mut line = Line::open(Version::V3);
    assert!(matches!(
        &line.hear(b"\x82\x06\x00\x06\x00\x01a\x01")[..],
        [Event::Subscribe { id: 6, filters, identifier: None }] if filters.len() == 1
    ));
    line.machine.suback(6, &[Err(Reason::NotAuthorized)]);
    assert_eq!(line.sent(), [0x90, 3, 0, 6, 0x80]);
}

#[test]
fn an_unsubscription_is_answered_filter_by_filter() {
    for version in BOTH {
        let mut line = Line::open(version);
        let events = line.hear(&samples(version)[6]);
        let expected = Event::Unsubscribe { id: 8, filters: vec!["from/#".into(), "x".into()] };
        assert_eq!(events, [expected]);
        line.machine.unsuback(8, &[Reason::Success, Reason::NoSubscriptionExisted]);
        let answer: &[u8] =
            if version == Version::V5 { &[0xB0, 5, 0, 8, 0, 0, 0x11] } else { &[0xB0, 2, 0, 8] };
        assert_eq!(line.sent(), answer);
    }
}

#[test]
fn a_release_of_what_we_never_received_is_completed() {
    for version in BOTH {
        let mut line = Line::open(version);
        assert_eq!(line.hear(&[0x62, 2, 0, 9]), []);
        let answer: &[u8] = if version == Version::V5 { &[0x70, 4, 0, 9, 0x92, 0] } else { &[0x70, 2, 0, 9] };
        assert_eq!(line.sent(), answer);
    }
}

#[test]
fn a_topic_that_the_client_has_an_alias_for_is_named_once() {
    let properties = protocol::ConnectProperties { topic_alias_max: Some(2), ..connect_properties() };
    let mut line = Line::open_with(Version::V5, &connect_with(Version::V5, Some(properties)));
    let mut said = |topic| {
        line.machine.publish(&Outgoing { topic, ..Outgoing::default() });
        line.sent()
    };
    assert_eq!(said("from/ada"), b"\x30\x0E\x00\x08from/ada\x03\x23\x00\x01");
    assert_eq!(said("from/ada"), b"\x30\x06\x00\x00\x03\x23\x00\x01");
    assert_eq!(said("b"), b"\x30\x07\x00\x01b\x03\x23\x00\x02");
    assert_eq!(said("c"), b"\x30\x04\x00\x01c\x00", "the client remembers no more");
    assert_eq!(said("b"), b"\x30\x06\x00\x00\x03\x23\x00\x02");
}

#[test]
fn an_introduction_that_would_make_a_packet_too_large_is_left_out() {
    let properties = protocol::ConnectProperties {
        topic_alias_max: Some(2),
        max_packet_size: Some(50),
        ..connect_properties()
    };
    let mut line = Line::open_with(Version::V5, &connect_with(Version::V5, Some(properties)));
    let mut deliver = |size: usize| {
        let sent =
            line.machine.publish(&Outgoing { topic: "t", payload: &[0; 50][..size], ..Outgoing::default() });
        (sent, line.sent().len())
    };
    assert_eq!(deliver(45), (Sent::TooLarge, 0));
    assert_eq!(deliver(44), (Sent::Fire, 50), "named by its name");
    assert_eq!(deliver(41), (Sent::Fire, 50), "introduced");
    assert_eq!(deliver(42), (Sent::Fire, 50), "by its alias");
    assert_eq!(deliver(43), (Sent::TooLarge, 0), "an alias that was said is not forgotten");
}

#[test]
fn a_client_names_a_topic_once_and_then_by_its_alias() {
    let mut line = Line::open(Version::V5);
    let told = |events: &[Event]| match events {
        [Event::Publish(message)] => Some(message.topic.to_string()),
        _ => None,
    };
    assert_eq!(told(&line.hear(b"\x30\x08\x00\x02to\x03\x23\x00\x03")).as_deref(), Some("to"));
    assert_eq!(told(&line.hear(b"\x30\x06\x00\x00\x03\x23\x00\x03")).as_deref(), Some("to"));
    let events = line.hear(b"\x30\x06\x00\x00\x03\x23\x00\x03");
    assert!(matches!(&events[..], [Event::Publish(message)] if message.properties.is_none()));
    assert!(fault(&Line::open(Version::V5).hear(b"\x30\x06\x00\x00\x03\x23\x00\x03")).is_some());
}
