//! How data is written: texts, integers, flags and packet identifiers (chapters 1 and 2).

use super::Stage;
use crate::town::client::{Client, Ending, PATIENCE};
use crate::town::packet::{self, CONTENT_TYPE, Delivery, Packet, Properties, RESPONSE_TOPIC};

/// Where a test puts something else of the same length.
const HERE: &str = "@@@@";
/// A lone surrogate, an overlong form, a sequence that ends early, a code point beyond the last, and bytes of none.
const ILL_FORMED: [&[u8; 4]; 5] =
    [b"\xED\xA0\x80a", b"\xC0\x80aa", b"\xC3\x28aa", b"\xF5\x80\x80\x80", b"\xFF\xFEaa"];
const MALFORMED: &[u8] = &[0x81];

/// Whatever may be said of a text that is none.
const NO_TEXT: &[u8] = &[0x81, 0x82, 0x85, 0x86, 0x8F, 0x90];

/// A packet with other bytes at the place marked.
fn with(packet: &[u8], bytes: &[u8; 4]) -> Vec<u8> {
    let at = packet.windows(4).position(|window| window == HERE.as_bytes()).expect("a place");
    let mut packet = packet.to_vec();
    packet[at..at + 4].copy_from_slice(bytes);
    packet
}

/// Every text that a client may send; whether it is part of a CONNECT.
fn texts(stage: &Stage) -> Vec<(&'static str, bool, Vec<u8>)> {
    let version = stage.version;
    let letter = |change: &dyn Fn(Properties) -> Properties| {
        let letter = stage.letter("x", "words", 0);
        packet::publish(version, &Delivery { properties: change(Properties::default()), ..letter })
    };
    let hello = stage.dial("a");
    let will = Delivery { qos: 0, ..Delivery::new(HERE, "gone") };
    let mut all = vec![
        ("both [MQTT-3.3.2-1]: a topic", false, packet::publish(version, &stage.letter(HERE, "", 0))),
        ("both [MQTT-3.8.3-1]: a filter", false, packet::subscribe(version, 1, &[(HERE, 0)])),
        ("both [MQTT-3.10.3-1]: a filter taken back", false, packet::unsubscribe(version, 1, HERE)),
        ("both [MQTT-3.1.3-4]: a client id", true, hello.clone().id(HERE).hello()),
        (
            "5.0 [MQTT-3.1.3-11], 3.1.1 [MQTT-3.1.3-10]: a will's topic",
            true,
            hello.clone().will(will).hello(),
        ),
        ("5.0 [MQTT-3.1.3-12], 3.1.1 [MQTT-3.1.3-11]: a user name", true, hello.clone().named(HERE).hello()),
    ];
    if stage.is_5() {
        all.extend([
            ("5.0 [MQTT-3.3.2-13]: a response topic", false, letter(&|all| all.text(RESPONSE_TOPIC, HERE))),
            ("5.0 [MQTT-3.3.2-19]: a content type", false, letter(&|all| all.text(CONTENT_TYPE, HERE))),
            ("5.0 [MQTT-1.5.7-1]: a property's name", false, letter(&|all| all.pair(HERE, "value"))),
            ("5.0 [MQTT-1.5.7-1]: a property's value", false, letter(&|all| all.pair("name", HERE))),
        ]);
    }
    all
}

fn is_refused_everywhere(stage: &Stage, bytes: &[u8; 4]) {
    for (what, in_connect, packet) in texts(stage) {
        let packet = with(&packet, bytes);
        eprintln!("{:?}: {what}: {bytes:02x?}", stage.version);
        let mut client = match in_connect {
            true => stage.dial("a").say(&packet),
            false => saying(stage, &packet),
        };
        client.ends(NO_TEXT);
    }
}

/// A client that was let in and said this.
fn saying(stage: &Stage, packet: &[u8]) -> Client {
    let mut client = stage.client("a");
    client.send(packet).expect("bytes leave");
    client
}

/// 5.0 [MQTT-1.5.4-1], 3.1.1 [MQTT-1.5.3-1]
#[test]
fn a_text_that_is_no_utf8_closes_the_connection() {
    for stage in Stage::both() {
        ILL_FORMED.iter().for_each(|bytes| is_refused_everywhere(&stage, bytes));
    }
}

/// 5.0 [MQTT-1.5.4-2], 3.1.1 [MQTT-1.5.3-2], both [MQTT-4.7.3-2]
#[test]
fn a_text_with_a_null_character_closes_the_connection() {
    Stage::both().for_each(|stage| is_refused_everywhere(&stage, b"a\0bc"));
}

/// 5.0 [MQTT-1.5.4-3], 3.1.1 [MQTT-1.5.3-3]
#[test]
fn a_byte_order_mark_is_a_character_like_any_other() {
    for stage in Stage::both() {
        let mut plain = stage.client("plain").hearing(&stage.topic("x"), 0);
        let mut marked = stage.client("marked").hearing(&stage.topic("\u{FEFF}x"), 0);
        stage.tells("\u{FEFF}x", "\u{FEFF}marked", 1);
        stage.tells("x", "plain", 1);
        marked.hears(&stage.topic("\u{FEFF}x"), "\u{FEFF}marked");
        plain.hears(&stage.topic("x"), "plain");
    }
}

/// 5.0 [MQTT-1.5.5-1]
#[test]
fn an_integer_in_more_bytes_than_it_needs_is_malformed() {
    let stage = Stage::in_5();
    let padded = packet::framed(0x30, &[0, 1, b'a', 0x80, 0x00, b'x']);
    for packet in [padded, vec![0xC0, 0x80, 0x00], vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]] {
        saying(&stage, &packet).ends(MALFORMED);
    }
}

/// 5.0 [MQTT-2.1.3-1] [MQTT-4.13.1-1], 3.1.1 [MQTT-2.2.2-1] [MQTT-2.2.2-2]
#[test]
fn a_packet_with_other_flags_than_its_kind_has_closes_the_connection() {
    for stage in Stage::both() {
        let version = stage.version;
        let kinds = [
            ("PUBACK", packet::puback(1)),
            ("PUBREC", packet::pubrec(1)),
            ("both [MQTT-3.6.1-1]: PUBREL", packet::pubrel(1)),
            ("PUBCOMP", packet::pubcomp(1)),
            ("both [MQTT-3.8.1-1]: SUBSCRIBE", packet::subscribe(version, 1, &[("x", 0)])),
            ("both [MQTT-3.10.1-1]: UNSUBSCRIBE", packet::unsubscribe(version, 1, "x")),
            ("PINGREQ", packet::ping()),
            ("both [MQTT-3.14.1-1]: DISCONNECT", packet::disconnect()),
            ("5.0 [MQTT-3.15.1-1]: AUTH", packet::auth(0x18, &Properties::default())),
        ];
        for (kind, packet) in kinds {
            for bit in 0..4 {
                eprintln!("{version:?}: {kind}, bit {bit}");
                let mut flagged = packet.clone();
                flagged[0] ^= 1 << bit;
                saying(&stage, &flagged).ends(MALFORMED);
            }
        }
        let mut hello = stage.dial("b").hello();
        hello[0] |= 1;
        // Nothing of it was read that would say how to answer.
        assert_eq!(stage.dial("b").say(&hello).ending(PATIENCE), Ending::Closed);
    }
}

/// 5.0 [MQTT-2.2.1-2], 3.1.1 [MQTT-2.3.1-5]
#[test]
fn a_publish_with_qos_0_has_no_identifier() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 0);
        // An identifier, if there were one, would be the first bytes of the payload (3.1.1) or properties (5.0).
        stage.tells("x", "\u{1}\u{2}words", 0);
        reader.hears(&stage.topic("x"), "\u{1}\u{2}words");
    }
}

/// 5.0 [MQTT-2.2.1-3], 3.1.1 [MQTT-2.3.1-1]
#[test]
fn an_identifier_of_0_closes_the_connection() {
    for stage in Stage::both() {
        let version = stage.version;
        let publish = |qos| packet::publish(version, &stage.letter("x", "", qos));
        let subscribe = packet::subscribe(version, 0, &[("x", 0)]);
        for packet in [publish(1), publish(2), subscribe, packet::unsubscribe(version, 0, "x")] {
            saying(&stage, &packet).ends(&[0x81, 0x82]);
        }
    }
}

/// 5.0 [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1], 3.1.1 [MQTT-2.3.1-4]
#[test]
fn deliveries_in_flight_have_identifiers_of_their_own() {
    for stage in Stage::both() {
        let mut reader = stage.reader("x", 2);
        let mut voice = stage.client("voice");
        let all = 20;
        for qos in [1, 2].into_iter().cycle().take(all) {
            voice.post(stage.letter("x", "words", qos));
        }
        let mut identifiers: Vec<u16> = (0..all).map(|_| reader.delivery().id).collect();
        identifiers.sort_unstable();
        identifiers.dedup();
        assert_eq!(identifiers.len(), all);
    }
}

/// 5.0 [MQTT-2.2.1-5], 3.1.1 [MQTT-2.3.1-6]
#[test]
fn an_acknowledgement_has_the_identifier_of_its_publish() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        let publish =
            |qos, id| packet::publish(stage.version, &Delivery { id, ..stage.letter("x", "words", qos) });
        assert!(matches!(client.answer_to(&publish(1, 0xFFFF)), Packet::PubAck { id: 0xFFFF, .. }));
        assert!(matches!(client.answer_to(&publish(2, 0x1234)), Packet::PubRec { id: 0x1234, .. }));
        assert_eq!(client.answer_to(&packet::pubrel(0x1234)), Packet::PubComp { id: 0x1234, code: 0 });
    }
}

/// 5.0 [MQTT-2.2.1-6], 3.1.1 [MQTT-2.3.1-7], both [MQTT-3.8.4-2] [MQTT-3.10.4-4]
#[test]
fn the_answer_to_a_subscription_has_its_identifier() {
    for stage in Stage::both() {
        let mut client = stage.client("a");
        let subscribe = packet::subscribe(stage.version, 0xABCD, &[("x", 0)]);
        assert_eq!(client.answer_to(&subscribe), Packet::SubAck { id: 0xABCD, codes: vec![0] });
        let answer = client.answer_to(&packet::unsubscribe(stage.version, 0xFFFF, "x"));
        assert!(matches!(answer, Packet::UnsubAck { id: 0xFFFF, .. }), "{answer:?}");
    }
}

/// 5.0 [MQTT-2.2.2-1]
#[test]
fn a_packet_without_properties_says_so() {
    let stage = Stage::in_5();
    let mut reader = stage.reader("x", 1);
    stage.tells("x", "words", 0);
    reader.hears(&stage.topic("x"), "words");
    // Nothing where a property length must be.
    let bare =
        [packet::framed(0x30, b"\0\x01x"), packet::framed(0x82, b"\0\x01"), packet::framed(0xA2, b"\0\x01")];
    for packet in bare {
        saying(&stage, &packet).ends(&[0x81, 0x82]);
    }
    let hello = packet::framed(0x10, b"\0\x04MQTT\x05\x02\0\0");
    stage.dial("b").say(&hello).ends(&[0x81, 0x82]);
}
