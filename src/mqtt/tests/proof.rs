//! Enhanced authentication: whose turn it is, and what may be said in it (MQTT 5.0 section 4.12).

use super::samples::auth;
use super::*;

#[test]
fn a_client_that_answers_its_challenges_is_welcomed() {
    let mut line = Line::prover();
    line.machine.challenge(Some(b"who?"));
    assert_eq!(line.sent(), b"\xF0\x10\x18\x0E\x15\x00\x04SIGN\x16\x00\x04who?");
    for round in [&b"first"[..], b"second"] {
        let events = line.hear(&[auth(0x18, "SIGN", round), publish(Version::V5, 0, 0, "t", b"")].concat());
        let data = Some(Bytes::copy_from_slice(round));
        assert_eq!(events, [Event::Auth { reason: Reason::ContinueAuthentication, data }]);
        assert_eq!(line.hear(&[]), [], "nothing more is read until we answer");
        line.input.clear();
        line.machine.challenge(None);
        assert_eq!(line.sent(), b"\xF0\x09\x18\x07\x15\x00\x04SIGN");
    }
    line.hear(&auth(0x18, "SIGN", b""));
    line.machine.accept(Accept { authentication: Some(Bytes::from_static(b"bye")), ..Accept::default() });
    let sent = line.sent();
    assert_eq!((sent[0], sent[3]), (0x20, 0));
    assert!(sent.windows(7).any(|part| part == b"\x15\x00\x04SIGN"), "the method is said again");
    assert!(sent.windows(6).any(|part| part == b"\x16\x00\x03bye"));
    assert_eq!(line.hear(&publish(Version::V5, 0, 0, "t", b"")).len(), 1);
}

#[test]
fn a_connect_tells_method_and_data_and_no_debug_output_the_data() {
    let mut line = Line::new(Version::V5);
    let properties = protocol::ConnectProperties {
        authentication_method: Some("SIGN".into()),
        authentication_data: Some(Bytes::from_static(b"secret")),
        ..connect_properties()
    };
    let events = line.hear(&connect_with(Version::V5, Some(properties)));
    let [Event::Connect(connect)] = &events[..] else { panic!("{events:?}") };
    let expected = crate::mqtt::event::Authentication {
        method: "SIGN".into(),
        data: Some(Bytes::from_static(b"secret")),
    };
    assert_eq!(connect.authentication.as_ref(), Some(&expected));
    assert!(format!("{events:?}").contains("SIGN") && !format!("{events:?}").contains("secret"));
}

#[test]
fn a_client_may_be_refused_at_any_step() {
    let mut asked = Line::prover();
    asked.machine.refuse(Reason::BadAuthenticationMethod, None);
    assert_eq!(asked.sent(), [0x20, 3, 0, 0x8C, 0]);
    let mut challenged = Line::challenged();
    challenged.machine.refuse(Reason::NotAuthorized, None);
    assert_eq!(challenged.sent(), [0x20, 3, 0, 0x87, 0]);
    assert!(challenged.machine.is_over());
}

#[test]
fn a_challenged_client_is_not_welcomed_before_it_answers() {
    let mut line = Line::challenged();
    line.machine.accept(Accept::default());
    assert!(line.sent().is_empty());
    assert_eq!(line.hear(&auth(0x18, "SIGN", b"it is me")).len(), 1);
}

#[test]
fn a_challenged_client_may_only_answer_or_leave() {
    for bytes in [publish(Version::V5, 0, 0, "t", b""), vec![0xC0, 0], connect(Version::V5)] {
        let mut line = Line::challenged();
        assert_eq!(fault(&line.hear(&bytes)).unwrap().0, Reason::ProtocolError);
        assert_eq!(line.sent()[..4][3], 0x82);
    }
    let mut line = Line::challenged();
    assert_eq!(line.hear(b"\xE0\x00"), [Event::Disconnect { reason: Reason::Success, session_expiry: None }]);
}

#[test]
fn an_answer_keeps_to_the_method_and_to_its_turn() {
    let wrong = [
        (auth(0x18, "SING", b""), Reason::BadAuthenticationMethod),
        (auth(0x19, "SIGN", b""), Reason::ProtocolError),
        (auth(0x00, "SIGN", b""), Reason::ProtocolError),
        (b"\xF0\x00".to_vec(), Reason::ProtocolError),
        (b"\xF0\x02\x18\x00".to_vec(), Reason::ProtocolError),
    ];
    for (bytes, reason) in &wrong {
        let mut line = Line::challenged();
        assert_eq!(fault(&line.hear(bytes)).unwrap().0, *reason, "{bytes:x?}");
        assert_eq!((line.sent()[0], line.machine.is_over()), (0x20, true));
    }
    let mut line = Line::proven();
    assert_eq!(fault(&line.hear(&auth(0x18, "SIGN", b""))).unwrap().0, Reason::ProtocolError);
    assert_eq!(goodbye(&line.sent()), Some(0x82), "nothing was asked");
    assert_eq!(fault(&Line::proven().hear(&wrong[0].0)).unwrap().0, Reason::BadAuthenticationMethod);
    assert!(fault(&Line::open(Version::V5).hear(&auth(0x19, "SIGN", b""))).is_some(), "CONNECT named none");
}

#[test]
fn an_open_connection_authenticates_again_while_messages_go_on() {
    let mut line = Line::proven();
    let begin = Event::Auth { reason: Reason::ReAuthenticate, data: Some(Bytes::from_static(b"new")) };
    assert_eq!(line.hear(&auth(0x19, "SIGN", b"new")), [begin]);
    assert_eq!(line.hear(&publish(Version::V5, 0, 0, "t", b"")).len(), 1);
    line.machine.challenge(Some(b"who?"));
    assert_eq!(line.sent()[..3], [0xF0, 0x10, 0x18]);
    assert_eq!(line.hear(&publish(Version::V5, 0, 0, "t", b"")).len(), 1);
    assert_eq!(line.hear(&auth(0x18, "SIGN", b"proof")).len(), 1);
    line.machine.authenticated(None);
    assert_eq!(line.sent(), b"\xF0\x09\x00\x07\x15\x00\x04SIGN");
    line.machine.authenticated(None);
    assert!(line.sent().is_empty(), "once is enough");
    assert_eq!(line.hear(&auth(0x19, "SIGN", b"")).len(), 1, "and again");
    assert!(fault(&line.hear(&auth(0x19, "SIGN", b""))).is_some(), "but not twice at a time");
}

#[test]
fn a_challenge_is_answered_within_the_time_out() {
    let mut line = Line::prover();
    assert_eq!(line.machine.deadline(), None, "it is we who are awaited");
    line.now += Duration::from_secs(60);
    line.machine.challenge(None);
    assert_eq!(line.wait(0), []);
    assert_eq!(line.wait(9), []);
    assert_eq!(fault(&line.wait(1)).unwrap().1, "no answer to a challenge within the time-out");
}

#[test]
fn a_challenge_that_the_client_cannot_read_ends_the_connection() {
    let properties = protocol::ConnectProperties {
        authentication_method: Some("SIGN".into()),
        max_packet_size: Some(40),
        ..connect_properties()
    };
    let mut line = Line::new(Version::V5);
    line.hear(&connect_with(Version::V5, Some(properties)));
    line.machine.challenge(Some(&[0; 40]));
    assert!(line.machine.is_over());
    assert_eq!(line.sent()[3], 0x95);
}
