//! Hello, goodbye, and what is said when the rules between them are broken.

use super::*;

#[test]
fn a_welcome_announces_what_we_serve() {
    let mut line = Line::new(Version::V5);
    line.hear(&connect(Version::V5));
    line.machine.accept(Accept {
        session_present: true,
        assigned_client_id: Some("x1".into()),
        ..Accept::default()
    });
    let mut expected = vec![0x20, 0, 1, 0x00, 0];
    expected.extend([0x21, 0, 4]); // receive maximum
    expected.extend([0x27, 0, 0, 0x27, 0x10]); // maximum packet size
    expected.extend([0x12, 0, 2, b'x', b'1']); // assigned client identifier
    expected.extend([0x22, 0, 3]); // topic alias maximum
    expected.extend([0x28, 1, 0x29, 1]); // wildcards, identifiers
    expected[1] = expected.len() as u8 - 2;
    expected[4] = expected.len() as u8 - 5;
    assert_eq!(line.sent(), expected);

    let mut line = Line::new(Version::V3);
    line.hear(&connect(Version::V3));
    line.machine.accept(Accept {
        session_present: true,
        reason_string: Some("hi".into()),
        ..Accept::default()
    });
    assert_eq!(line.sent(), [0x20, 2, 1, 0]);
}

#[test]
fn a_connect_is_told_with_all_its_ornaments() {
    let mut line = Line::new(Version::V5);
    let events = line.hear(&samples(Version::V5)[0]);
    let [Event::Connect(connect)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        (connect.version, connect.client_id.as_str(), connect.clean_start),
        (Version::V5, "phone", false)
    );
    assert_eq!((connect.keep_alive, connect.session_expiry), (30, 3600));
    assert_eq!(connect.username.as_deref(), Some("ada"));
    assert_eq!(connect.password.as_ref().map(|password| &password[..]), Some(&b"love lace"[..]));
    let will = connect.will.as_ref().unwrap();
    assert_eq!(
        (will.topic.as_str(), &will.payload[..], will.qos, will.delay),
        ("ada/gone", &b"bye"[..], Qos::AtLeastOnce, 30)
    );
    assert_eq!(will.properties.content_type.as_deref(), Some("text/plain"));
    assert_eq!(will.properties.response_topic.as_ref().map(TopicName::as_str), Some("ada/re"));
    assert_eq!(will.properties.correlation_data.as_deref(), Some(&[0, 1][..]));
    assert_eq!(will.properties.payload_format, Some(PayloadFormat::Text));
    assert_eq!(connect.user_properties, [("key".to_owned(), "välue".to_owned())]);

    let events = Line::new(Version::V3).hear(&samples(Version::V3)[0]);
    let [Event::Connect(connect)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        (connect.version, connect.session_expiry),
        (Version::V3, u32::MAX),
        "not clean, so kept for ever"
    );
}

#[test]
fn a_password_is_binary_and_in_no_debug_output() {
    let events = Line::new(Version::V5).hear(&samples(Version::V5)[0]);
    let [Event::Connect(connect)] = &events[..] else { panic!("{events:?}") };
    assert!(
        !format!("{connect:?}").contains("love") && format!("{connect:?}").contains("has_password: true")
    );
    let odd = b"\x10\x13\x00\x04MQTT\x05\x42\x00\x00\x00\x00\x01a\x00\x03\xFF\x00\xFE";
    let events = Line::new(Version::V5).hear(odd);
    let [Event::Connect(connect)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(connect.password.as_ref().map(|password| &password[..]), Some(&b"\xFF\x00\xFE"[..]));
}

#[test]
fn packets_sent_before_the_welcome_wait_for_it() {
    for version in BOTH {
        let mut line = Line::new(version);
        let early = publish(version, 1, 1, "to/bob", b"early");
        assert_eq!(line.hear(&[connect(version), early.clone()].concat()).len(), 1);
        assert_eq!(line.hear(&[]), []);
        assert_eq!(line.input, early);
        line.machine.accept(Accept::default());
        assert!(matches!(&line.hear(&[])[..], [Event::Publish(message)] if message.payload == b"early"[..]));
    }
}

#[test]
fn a_refused_client_hears_why_in_its_own_version() {
    let mut line = Line::new(Version::V5);
    line.hear(&connect(Version::V5));
    line.machine.refuse(Reason::BadUserNameOrPassword, Some("no"));
    assert_eq!(line.sent(), [0x20, 8, 0, 0x86, 5, 0x1F, 0, 2, b'n', b'o']);
    assert!(line.machine.is_over());

    for (reason, code) in
        [(Reason::BadUserNameOrPassword, 4), (Reason::NotAuthorized, 5), (Reason::ServerBusy, 3)]
    {
        let mut line = Line::new(Version::V3);
        line.hear(&connect(Version::V3));
        line.machine.refuse(reason, Some("no"));
        assert_eq!(line.sent(), [0x20, 2, 0, code]);
        assert_eq!(line.hear(&publish(Version::V3, 0, 0, "t", b"")), [], "nothing is heard after the end");
    }
}

#[test]
fn another_protocol_level_is_answered_in_the_nearest_version() {
    let connect = |name: &str, level: u8| {
        let ending: &[u8] =
            if level & 0x7F > 4 { b"\x02\x00\x00\x00\x00\x01a" } else { b"\x02\x00\x00\x00\x01a" };
        [
            &[0x10, (3 + name.len() + ending.len()) as u8, 0, name.len() as u8],
            name.as_bytes(),
            &[level],
            ending,
        ]
        .concat()
    };
    let no = &[0x20, 2, 0, 1][..];
    for (name, level, answer) in [
        ("MQIsdp", 4, no),
        ("MQIsdp", 0x83, no),
        ("MQTT", 3, no),
        ("MQTT", 0x84, no),
        ("MQTT", 6, &[0x20]),
        ("MQTT", 0x85, &[0x20]),
    ] {
        let mut line = Line::new(Version::V3);
        assert_eq!(fault(&line.hear(&connect(name, level))).unwrap().0, Reason::UnsupportedProtocolVersion);
        let sent = line.sent();
        assert!(sent.starts_with(answer), "{sent:x?}");
        assert!(answer.len() > 1 || sent[3] == 0x84);
    }
    let mut stranger = Line::new(Version::V3);
    assert!(fault(&stranger.hear(&connect("HTTP", 4))).is_some());
    assert!(stranger.sent().is_empty());
}

#[test]
fn a_client_of_3_1_is_served_like_one_of_3_1_1_and_names_itself_in_23_characters() {
    for (id, flags, welcome) in
        [("a", 2, true), (&*"ä".repeat(23), 0, true), ("", 2, false), (&*"x".repeat(24), 2, false)]
    {
        let mut packet = b"\x10\x00\x00\x06MQIsdp\x03\x00\x00\x0A\x00".to_vec();
        packet[11] = flags;
        packet.push(id.len() as u8);
        packet.extend(id.as_bytes());
        packet[1] = packet.len() as u8 - 2;
        let mut line = Line::new(Version::V3);
        let events = line.hear(&packet);
        if welcome {
            assert!(
                matches!(&events[..], [Event::Connect(connect)] if connect.client_id == id),
                "{events:?}"
            );
            line.machine.accept(Accept::default());
            assert_eq!(line.sent(), [0x20, 2, 0, 0]);
            assert_eq!(line.hear(&publish(Version::V3, 2, 1, "t", b"")).len(), 1);
        } else {
            assert_eq!(fault(&events).unwrap().0, Reason::ClientIdentifierNotValid);
            assert_eq!(line.sent(), [0x20, 2, 0, 2]);
        }
    }
}

#[test]
fn what_is_not_mqtt_is_closed_without_a_word() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01\x02\x00", b"\xC0\x00", b"\x10\xFF\xFF\xFF\x7F"] {
        let mut line = Line::new(Version::V3);
        assert!(fault(&line.hear(bytes)).is_some());
        assert!(line.sent().is_empty() && line.machine.is_over());
    }
}

#[test]
fn a_session_to_keep_needs_a_client_identifier_in_3_1_1() {
    let mut line = Line::new(Version::V3);
    let events = line.hear(b"\x10\x0C\x00\x04MQTT\x04\x00\x00\x00\x00\x00");
    assert_eq!(fault(&events).unwrap().0, Reason::ClientIdentifierNotValid);
    assert_eq!(line.sent(), [0x20, 2, 0, 2]);
    let clean = Line::new(Version::V3).hear(b"\x10\x0C\x00\x04MQTT\x04\x02\x00\x00\x00\x00");
    assert!(matches!(&clean[..], [Event::Connect(connect)] if connect.client_id.is_empty()));
}

#[test]
fn a_will_may_be_retained_and_of_any_qos() {
    for (flags, qos, retain) in [(0x16, Qos::ExactlyOnce, false), (0x26, Qos::AtMostOnce, true)] {
        let mut packet = b"\x10\x14\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x01a\x00\x00\x01w\x00\x00".to_vec();
        packet[1] = packet.len() as u8 - 2;
        packet[9] = flags;
        let events = Line::new(Version::V5).hear(&packet);
        let [Event::Connect(connect)] = &events[..] else { panic!("{events:?}") };
        let will = connect.will.as_ref().unwrap();
        assert_eq!((will.qos, will.retain), (qos, retain));
    }
}

#[test]
fn response_information_is_said_only_to_whoever_asked() {
    for asked in [false, true] {
        let properties =
            protocol::ConnectProperties { request_response_info: Some(asked.into()), ..connect_properties() };
        let mut line = Line::new(Version::V5);
        let events = line.hear(&connect_with(Version::V5, Some(properties)));
        assert!(
            matches!(&events[..], [Event::Connect(connect)] if connect.request_response_information == asked)
        );
        line.machine.accept(Accept { response_information: Some("re/ada".into()), ..Accept::default() });
        let said = line.sent().windows(9).any(|part| part == b"\x1A\x00\x06re/ada");
        assert_eq!(said, asked);
    }
}

#[test]
fn a_breach_is_named_in_5_0_and_closed_upon_in_3_1_1() {
    let breaches = [
        (b"\x30\x07\x00\x00\x03\x23\x00\x01x".to_vec(), Reason::ProtocolError),
        (b"\x30\x07\x00\x00\x03\x23\x00\x04x".to_vec(), Reason::TopicAliasInvalid),
        (b"\x30\x06\x00\x01t\x02\x0B\x01".to_vec(), Reason::ProtocolError),
        (b"\x30\x0A\x00\x01t\x06\x08\x00\x03a/#".to_vec(), Reason::TopicNameInvalid),
        (publish(Version::V5, 0, 0, "a/+", b""), Reason::TopicNameInvalid),
        (publish(Version::V5, 0, 0, "a\0", b""), Reason::MalformedPacket),
        (publish(Version::V5, 0, 0, "", b""), Reason::ProtocolError),
        (b"\x30\x05\x00\x02\xC3\x28\x00".to_vec(), Reason::MalformedPacket),
        (b"\x38\x04\x00\x01a\x00".to_vec(), Reason::MalformedPacket),
        (b"\x36\x06\x00\x01a\x00\x01\x00".to_vec(), Reason::MalformedPacket),
        (b"\x32\x06\x00\x01a\x00\x00\x00".to_vec(), Reason::ProtocolError),
        (connect(Version::V5), Reason::ProtocolError),
        (b"\x30\xFF\xFF\x7F".to_vec(), Reason::PacketTooLarge),
        (b"\x30\x80\x00".to_vec(), Reason::MalformedPacket),
        (b"\xF0\x00".to_vec(), Reason::ProtocolError),
        (b"\x82\x02\x00\x01".to_vec(), Reason::MalformedPacket),
        (b"\x82\x03\x00\x01\x00".to_vec(), Reason::ProtocolError),
    ];
    for (bytes, reason) in breaches {
        let mut line = Line::open(Version::V5);
        let events = line.hear(&[&bytes[..], &[0xC0, 0]].concat());
        assert_eq!(fault(&events).map(|(reason, _)| reason), Some(reason), "{bytes:x?}");
        assert_eq!(goodbye(&line.sent()), Some(reason.code()), "{bytes:x?}");
        assert!(line.machine.is_over() && line.input.is_empty());
    }
    for bytes in [publish(Version::V3, 0, 0, "a/#", b""), connect(Version::V3), vec![0xF0, 0]] {
        let mut line = Line::open(Version::V3);
        assert!(fault(&line.hear(&bytes)).is_some());
        assert!(line.sent().is_empty() && line.machine.is_over());
    }
}

#[test]
fn a_goodbye_tells_whether_the_will_is_wanted() {
    let farewell = |bytes: &[u8]| Line::open(Version::V5).hear(bytes);
    let said = |reason, session_expiry| vec![Event::Disconnect { reason, session_expiry }];
    assert_eq!(farewell(b"\xE0\x00"), said(Reason::Success, None));
    assert_eq!(farewell(b"\xE0\x01\x04"), said(Reason::DisconnectWithWill, None));
    assert_eq!(farewell(b"\xE0\x02\x04\x00"), said(Reason::DisconnectWithWill, None));
    assert_eq!(farewell(b"\xE0\x07\x00\x05\x11\x00\x00\x00\x00"), said(Reason::Success, Some(0)));
    let prolonged = farewell(b"\xE0\x07\x00\x05\x11\x00\x00\x00\x01");
    assert_eq!(fault(&prolonged).unwrap().0, Reason::ProtocolError, "it was to end with the connection");
    for unknown in [0x01, 0x18, 0x86, 0x91, 0xFF] {
        assert_eq!(fault(&farewell(&[0xE0, 1, unknown])).unwrap().0, Reason::MalformedPacket);
    }
    assert_eq!(Line::open(Version::V3).hear(b"\xE0\x00"), said(Reason::Success, None));
    assert!(fault(&Line::open(Version::V3).hear(b"\xE0\x01\x00")).is_some());
}

#[test]
fn we_part_with_a_reason_in_5_0_and_silently_in_3_1_1() {
    let mut line = Line::open(Version::V5);
    line.machine.disconnect(Reason::AdministrativeAction, Some("revoked"));
    let mut expected = vec![0xE0, 12, 0x98, 10, 0x1F, 0, 7];
    expected.extend(b"revoked");
    assert_eq!(line.sent(), expected);
    let mut line = Line::open(Version::V3);
    line.machine.disconnect(Reason::AdministrativeAction, Some("revoked"));
    assert!(line.sent().is_empty() && line.machine.is_over());
    let mut waiting = Line::new(Version::V3);
    waiting.hear(&connect(Version::V3));
    waiting.machine.disconnect(Reason::ServerShuttingDown, None);
    assert_eq!(waiting.sent(), [0x20, 2, 0, 3]);
}

#[test]
fn words_are_left_out_before_a_packet_grows_too_large_for_the_client() {
    let properties = protocol::ConnectProperties { max_packet_size: Some(40), ..connect_properties() };
    let mut line = Line::new(Version::V5);
    line.hear(&connect_with(Version::V5, Some(properties)));
    line.machine.accept(Accept { reason_string: Some("welcome ".repeat(9)), ..Accept::default() });
    let sent = line.sent();
    assert!(sent.len() <= 40 && sent[0] == 0x20 && sent[3] == 0);
    line.machine.disconnect(Reason::ServerBusy, Some(&"x".repeat(100_000)));
    assert_eq!(line.sent(), [0xE0, 2, 0x89, 0]);
}

#[test]
fn a_client_that_never_introduces_itself_is_closed_upon() {
    let mut line = Line::new(Version::V3);
    assert_eq!(line.machine.deadline(), Some(line.now + Duration::from_secs(10)));
    assert_eq!(line.wait(9), []);
    line.hear(&[0x10]);
    assert_eq!(fault(&line.wait(1)), Some((Reason::KeepAliveTimeout, "no CONNECT within the time-out")));
    assert!(line.sent().is_empty() && line.machine.is_over());
}

#[test]
fn silence_beyond_one_and_a_half_keep_alives_ends_the_connection() {
    for version in BOTH {
        let mut line = Line::open(version);
        assert_eq!(line.wait(14), []);
        line.hear(&[0xC0, 0]);
        assert_eq!(line.sent(), [0xD0, 0]);
        assert_eq!(line.wait(14), []);
        line.hear(&[0x30]);
        assert_eq!(
            fault(&line.wait(1)).unwrap().0,
            Reason::KeepAliveTimeout,
            "half a packet is no sign of life"
        );
        assert_eq!(goodbye(&line.sent()), (version == Version::V5).then_some(0x8D));
    }
}

#[test]
fn a_keep_alive_of_zero_allows_any_silence_and_a_long_one_is_shortened_where_that_can_be_said() {
    let mut packet = connect(Version::V5);
    packet[11] = 0;
    let mut line = Line::open_with(Version::V5, &packet);
    assert_eq!(line.machine.deadline(), None);
    assert_eq!(line.wait(1_000_000), []);

    for (version, seconds) in [(Version::V5, 30), (Version::V3, 60)] {
        let mut packet = connect(version);
        packet[11] = 40;
        let mut line = Line::new(version);
        line.hear(&packet);
        assert_eq!(line.machine.deadline(), None, "it is we who are awaited");
        line.machine.accept(Accept::default());
        assert_eq!(line.machine.deadline(), Some(line.now + Duration::from_secs(seconds)));
        let told = line.sent().windows(3).any(|part| part == [0x13, 0, 20]);
        assert_eq!(told, version == Version::V5);
    }
}

#[test]
fn the_time_we_took_to_judge_is_not_held_against_the_client() {
    let mut line = Line::new(Version::V5);
    line.hear(&connect(Version::V5));
    line.now += Duration::from_secs(60);
    line.machine.accept(Accept::default());
    assert_eq!(line.wait(0), []);
    assert_eq!(line.wait(14), []);
    assert!(fault(&line.wait(1)).is_some());
}

#[test]
fn an_idle_connection_is_small_and_can_move_between_threads() {
    fn movable<T: Send>(_: &T) {}
    let mut line = Line::new(Version::V5);
    movable(&line.machine);
    assert!(size_of::<Connection>() <= 320, "{}", size_of::<Connection>());
    assert_eq!(line.machine.output().capacity(), 0);
    assert!(size_of::<Event>() <= 128, "{}", size_of::<Event>());
}
