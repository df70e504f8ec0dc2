//! DISCONNECT (section 3.14).

use super::{ALICE, Stage};
use crate::town::client::{Client, Ending, PATIENCE};
use crate::town::packet::{self, MAXIMUM_PACKET, Packet, Properties, SESSION_EXPIRY};

/// Says goodbye with another session expiry; how the conversation ends.
fn parting(client: &mut Client, seconds: u32) -> Ending {
    let properties = Properties::default().number(SESSION_EXPIRY, seconds);
    client.send(&packet::disconnect_with(0, &properties)).expect("bytes leave");
    client.ending(PATIENCE)
}

/// 5.0 [MQTT-3.14.0-1]
#[test]
fn nobody_is_disconnected_who_was_not_let_in() {
    let stage = Stage::in_5();
    let impostor = stage.dial("a").password(ALICE.0, "wrong").hello();
    let mut broken = stage.dial("a").hello();
    broken[9] |= 1;
    for first in [impostor, broken, packet::ping(), packet::disconnect()] {
        let mut client = stage.dial("a").say(&first);
        loop {
            match client.packet(PATIENCE) {
                Ok(Some(Packet::ConnAck { code: 0x80.., .. })) => {}
                Ok(other) => panic!("{other:?}"),
                Err(_) => break,
            }
        }
    }
}

/// 5.0 [MQTT-3.14.2-3] [MQTT-3.14.2-4]
#[test]
fn words_are_left_out_of_a_goodbye_before_it_becomes_too_large() {
    let stage = Stage::in_5();
    // The reader fails a packet that is larger than it announced.
    let mut client = stage.dial("a").saying(Properties::default().number(MAXIMUM_PACKET, 60)).connect();
    client.send(&packet::framed(0x30, &[0xFF, 0xFF, b'a'])).expect("bytes leave");
    client.ends(&[0x81]);
}

/// 5.0 [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-3.14.2-1]
#[test]
fn nothing_follows_a_goodbye_but_the_end() {
    let stage = Stage::in_5();
    let mut client = stage.reader("x", 0);
    let letter = packet::publish(stage.version, &stage.letter("x", "words", 0));
    client.send(&[vec![0, 0], packet::ping(), letter].concat()).expect("bytes leave");
    client.ends(&[0x81]);
}

/// 3.1.1 [MQTT-3.14.4-1]: the client closes; should it not, the server does (section 3.14.4).
#[test]
fn the_connection_ends_after_a_goodbye() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        client.send(&[packet::disconnect(), packet::ping()].concat()).expect("bytes leave");
        assert!(client.packet(PATIENCE).is_err());
    }
}

/// A goodbye may change how long the session stays, but not make one of a session that was to end (5.0 section
/// 3.14.2.2.2).
#[test]
fn a_goodbye_may_change_the_session_expiry() {
    let stage = Stage::in_5();
    let dial = stage.dial("a");
    assert_eq!(parting(&mut dial.clone().lasting(1).connect(), 100), Ending::Closed);
    assert_eq!(parting(&mut dial.clone().lasting(100).connect(), 0), Ending::Closed);
    let mut client = dial.clone().resuming().connect();
    assert!(!client.present);
    assert_eq!(parting(&mut client, 100), Ending::Disconnect(0x82));
}

/// A goodbye without a code is a normal one, and so is one without properties (5.0 section 3.14.2.1).
#[test]
fn a_goodbye_is_read_in_all_its_forms() {
    let stage = Stage::in_5();
    for form in [&[][..], &[0x00], &[0x00, 0x00], &[0x00, 0x04, 0x1F, 0, 1, b'x'], &[0x80]] {
        let mut client = stage.client("a");
        client.send(&packet::framed(0xE0, form)).expect("bytes leave");
        assert_eq!(client.ending(PATIENCE), Ending::Closed, "{form:02x?}");
    }
}
