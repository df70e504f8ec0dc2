//! AUTH and enhanced authentication (sections 3.15 and 4.12), as far as it concerns who has no key registered.

use super::Stage;
use crate::town::client::PATIENCE;
use crate::town::packet::{self, AUTH_DATA, AUTH_METHOD, Packet, Properties};

/// 5.0 [MQTT-4.12.0-1]
#[test]
fn an_unknown_method_is_refused_as_such() {
    let stage = Stage::in_5();
    let asked = Properties::default().text(AUTH_METHOD, "NO-SUCH-METHOD").text(AUTH_DATA, [1, 2, 3]);
    let dial = stage.dial("a").saying(asked);
    let mut client = dial.say(&dial.hello());
    let answer = client.next();
    assert!(matches!(answer, Packet::ConnAck { present: false, code: 0x8C, .. }), "{answer:?}");
    assert!(client.packet(PATIENCE).is_err());
}

/// 5.0 [MQTT-4.12.0-6]
#[test]
fn who_names_no_method_hears_of_none() {
    let stage = Stage::in_5();
    let dial = stage.dial("a");
    let mut client = dial.say(&dial.hello());
    match client.next() {
        Packet::ConnAck { code: 0, properties, .. } => assert!(!properties.texts.contains_key(&AUTH_METHOD)),
        other => panic!("{other:?}"),
    }
    client.is_silent();
}

/// 5.0 [MQTT-4.12.0-7]
#[test]
fn who_named_no_method_may_not_begin_with_one() {
    let stage = Stage::in_5();
    for code in [0x00, 0x18, 0x19] {
        let mut client = stage.client("a");
        let packet = packet::auth(code, &Properties::default().text(AUTH_METHOD, "ANY"));
        client.send(&packet).expect("bytes leave");
        client.ends(&[0x82, 0x8C]);
    }
}

/// Data without a method is a protocol error (5.0 section 3.1.2.11.10).
#[test]
fn data_without_a_method_is_refused() {
    let stage = Stage::in_5();
    let dial = stage.dial("a").saying(Properties::default().text(AUTH_DATA, [1]));
    dial.say(&dial.hello()).ends(&[0x82]);
}

/// AUTH is of 5.0; its type is reserved before (3.1.1 table 2.1).
#[test]
fn a_client_of_3_has_no_auth() {
    let stage = Stage::in_3();
    let mut client = stage.client("a");
    client.send(&packet::framed(0xF0, &[])).expect("bytes leave");
    assert!(client.packet(PATIENCE).is_err());
}
