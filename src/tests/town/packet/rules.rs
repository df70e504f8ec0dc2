//! What every packet of a server must be. The reader asks here, so each test of the town is also a test of these.

use super::{ALIAS, Packet, Version};

/// The fixed header.
///
/// 5.0 [MQTT-2.1.3-1], 3.1.1 [MQTT-2.2.2-1]: reserved flags have the listed values.
/// 5.0 [MQTT-1.5.5-1]: a length is written in as few bytes as can hold it.
/// 5.0 [MQTT-3.3.1-2], 3.1.1 [MQTT-3.3.1-2]: what goes out with QoS 0 is never marked as a repetition.
pub(super) fn header(first: u8, length: usize, width: usize) {
    match (first >> 4, first & 0x0F) {
        (3, flags) => {
            assert!(flags & 0b0110 != 0b0110, "PUBLISH with QoS 3");
            assert!(flags & 0b1110 != 0b1000, "a repetition with QoS 0");
        }
        (6, flags) => assert_eq!(flags, 2, "flags of PUBREL"),
        (kind, flags) => assert_eq!(flags, 0, "flags of a packet of type {kind}"),
    }
    assert!(width == 1 || length >> (7 * (width - 1)) > 0, "a length of {length} in {width} bytes");
}

/// The flags of a CONNACK.
///
/// 5.0 [MQTT-3.2.2-1]: all but the last bit are 0.
/// 5.0 [MQTT-3.2.2-6], 3.1.1 [MQTT-3.2.2-4]: who is turned away has no session.
pub(super) fn welcome(flags: u8, code: u8) {
    assert!(flags <= u8::from(code == 0), "CONNACK with flags {flags:#x} and code {code:#x}");
}

/// A property in its place (table 2-4 of 5.0). PUBREL, PUBCOMP and the like have only words for people.
///
/// 5.0 [MQTT-3.14.2-2]: a server does not change the session expiry when it says goodbye.
pub(super) fn property(kind: u8, key: u8) {
    let known: &[u8] = match kind {
        2 => &[
            0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29,
            0x2A,
        ],
        3 => &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26],
        14 => &[0x1C, 0x1F, 0x26],
        15 => &[0x15, 0x16, 0x1F, 0x26],
        _ => &[0x1F, 0x26],
    };
    assert!(known.contains(&key), "the property {key:#x} in a packet of type {kind}");
}

/// Everything else.
///
/// 5.0 [MQTT-2.2.1-4]: identifiers are not 0.
/// 5.0 [MQTT-3.3.2-8]: nor are topic aliases.
pub(super) fn packet(version: Version, packet: &Packet) {
    let id = match packet {
        Packet::Publish(delivery) => (delivery.qos > 0).then_some(delivery.id),
        Packet::PubAck { id, .. } | Packet::PubRec { id, .. } | Packet::PubRel { id, .. } => Some(*id),
        Packet::PubComp { id, .. } | Packet::SubAck { id, .. } | Packet::UnsubAck { id, .. } => Some(*id),
        _ => None,
    };
    assert_ne!(id, Some(0), "{packet:?}");
    if let Packet::Publish(delivery) = packet {
        assert_ne!(delivery.properties.numbers.get(&ALIAS), Some(&0), "{packet:?}");
    }
    match version {
        Version::V5 => codes_of_5(packet),
        Version::V3 | Version::V31 => codes_of_3(packet),
    }
}

/// The tables of reason codes.
///
/// 5.0 [MQTT-3.2.2-8]: a CONNACK has one of table 3-1.
/// 5.0 [MQTT-3.4.2-1]: a PUBACK has one of table 3-4.
/// 5.0 [MQTT-3.5.2-1]: a PUBREC has one of table 3-5.
/// 5.0 [MQTT-3.6.2-1]: a PUBREL has one of table 3-6.
/// 5.0 [MQTT-3.7.2-1]: a PUBCOMP has one of table 3-7.
/// 5.0 [MQTT-3.9.3-2]: a SUBACK has those of table 3-8.
/// 5.0 [MQTT-3.11.3-2]: an UNSUBACK has those of table 3-9.
/// 5.0 [MQTT-3.14.2-1]: a DISCONNECT has one of table 3-10; 0x8C is from section 2.4.
/// 5.0 [MQTT-3.15.2-1]: an AUTH has one of table 3-11, and 0x19 is the client's.
fn codes_of_5(packet: &Packet) {
    let (codes, known): (&[u8], &[u8]) = match packet {
        Packet::ConnAck { code, .. } => (
            &[*code],
            &[
                0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95,
                0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
            ],
        ),
        Packet::PubAck { code, .. } | Packet::PubRec { code, .. } => {
            (&[*code], &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99])
        }
        Packet::PubRel { code, .. } | Packet::PubComp { code, .. } => (&[*code], &[0x00, 0x92]),
        Packet::SubAck { codes, .. } => {
            (codes, &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2])
        }
        Packet::UnsubAck { codes, .. } => (codes, &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
        Packet::Disconnect { code } => (
            &[*code],
            &[
                0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
                0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
            ],
        ),
        Packet::Auth { code } => (&[*code], &[0x00, 0x18]),
        Packet::Publish(_) | Packet::Pong => (&[], &[]),
    };
    assert!(codes.iter().all(|code| known.contains(code)), "a code that it cannot have: {packet:?}");
}

/// 3.1.1 [MQTT-3.9.3-2]: a SUBACK says 0, 1, 2 or 0x80. A CONNACK says 0 to 5 (table 3.1), an UNSUBACK nothing.
fn codes_of_3(packet: &Packet) {
    let fits = match packet {
        Packet::ConnAck { code, .. } => *code <= 5,
        Packet::SubAck { codes, .. } => codes.iter().all(|code| matches!(code, 0..=2 | 0x80)),
        Packet::UnsubAck { codes, .. } => codes.is_empty(),
        _ => true,
    };
    assert!(fits, "a code that it cannot have: {packet:?}");
}
