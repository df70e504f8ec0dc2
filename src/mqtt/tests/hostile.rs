//! Whatever bytes come, each is consumed, awaited or refused; none brings the machine down.

use proptest::prelude::*;

use super::*;
use crate::mqtt::{auth, goodbye, guard, reader};

/// What must hold after any input, whatever it was.
fn settled(line: &mut Line, events: &[Event]) {
    let faults = events.iter().filter(|event| matches!(event, Event::Fault { .. })).count();
    let sent = line.sent();
    well_formed(line.machine.version(), &sent);
    if line.machine.is_over() {
        assert!(line.input.is_empty(), "bytes left after the end");
        assert!(matches!(events.last(), Some(Event::Fault { .. } | Event::Disconnect { .. })), "{events:?}");
        if faults == 1 && line.version == Version::V5 && sent.first() == Some(&0xE0) {
            assert!(
                goodbye(&sent).is_some_and(|code| Reason::from_byte(code).is_some_and(Reason::is_refusal))
            );
        }
    } else {
        assert_eq!(faults, 0, "{events:?}");
        let judged = matches!(events.last(), Some(Event::Connect(_) | Event::Auth { .. }));
        let turn = match (line.welcomed, line.challenged) {
            (true, _) => guard::Turn::Open,
            (false, true) => guard::Turn::Proof,
            (false, false) => guard::Turn::Greeting,
        };
        let partial = guard::next(&line.input, limits().max_packet, turn);
        assert!(judged || matches!(partial, Ok(None)) || line.input.is_empty(), "whole packets left unread");
    }
    assert!(faults <= 1);
}

/// Whatever we send is whole packets of a server's kinds, each as its section has it.
fn well_formed(version: Version, mut sent: &[u8]) {
    while let [first, rest @ ..] = sent {
        let (length, width) = reader::varint(rest).unwrap().unwrap();
        let (packet, more) = sent.split_at(1 + width + length as usize);
        let body = &packet[1 + width..];
        match (first, version) {
            (0xE0, Version::V5) => _ = goodbye::read(version, body).unwrap(),
            (0xF0, Version::V5) if body[0] != 0 => {
                _ = auth::read(body).map_err(|breach| breach.what).unwrap()
            }
            (0xF0, Version::V5) => {}
            // The codec writes these two and does not read them.
            (0x20, Version::V5) => assert!(body[0] <= 1 && listed(&body[2..]) == Some(0)),
            (0xB0, Version::V5) => assert!(listed(&body[2..]) > Some(0)),
            (0x20 | 0xB0, Version::V3) => assert_eq!(body.len(), 2),
            (0x30..=0x3F | 0x40 | 0x50 | 0x62 | 0x70 | 0x90 | 0xD0, _) => {
                let mut bytes = BytesMut::from(packet);
                decode(version, &mut bytes);
                assert!(bytes.is_empty());
            }
            _ => panic!("a packet of type {first:#x} to a client of {version:?}"),
        }
        sent = more;
    }
}

/// How many bytes follow a list of properties.
fn listed(bytes: &[u8]) -> Option<usize> {
    let (length, width) = reader::varint(bytes).unwrap().unwrap();
    bytes.len().checked_sub(width + length as usize)
}

fn throw(mut line: Line, bytes: &[u8]) -> Vec<Event> {
    let events = line.hear(bytes);
    settled(&mut line, &events);
    // And life goes on: every verb is safe whatever has happened.
    line.machine.challenge(Some(b"who?"));
    line.machine.authenticated(None);
    line.machine.accept(Accept { received: vec![0, 3, 3], ..Accept::default() });
    for id in [1, 5, 8, 9, 10, 11] {
        line.machine.puback(id, Reason::Success);
        line.machine.pubrec(id, Reason::NotAuthorized);
        line.machine.pubcomp(id);
        line.machine.pubrel(id);
    }
    line.machine.suback(7, &[Ok(Qos::ExactlyOnce), Err(Reason::NotAuthorized)]);
    line.machine.unsuback(8, &[Reason::Success]);
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        line.machine.publish(&Outgoing { topic: "t", qos, ..Outgoing::default() });
    }
    line.hear(&[]);
    line.wait(100);
    line.machine.disconnect(Reason::ServerShuttingDown, None);
    assert!(line.machine.is_over());
    well_formed(line.machine.version(), &line.sent());
    events
}

/// The packet with its first `cut` body bytes only, and a fixed header that says so.
fn shortened(packet: &[u8], cut: usize) -> Vec<u8> {
    let body_at = 1 + packet[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let mut short = vec![packet[0]];
    short.extend(if cut < 0x80 { vec![cut as u8] } else { vec![cut as u8 | 0x80, (cut >> 7) as u8] });
    short.extend_from_slice(&packet[body_at..(body_at + cut).min(packet.len())]);
    short
}

fn before_and_after(version: Version, bytes: &[u8]) {
    throw(Line::new(version), bytes);
    throw(Line::open(version), bytes);
    throw(Line::busy(version), bytes);
    if version == Version::V5 {
        throw(Line::challenged(), bytes);
        throw(Line::proven(), bytes);
    }
}

/// Those that [`samples`] gives, and AUTH.
fn packets(version: Version) -> Vec<Vec<u8>> {
    let auths = [samples::auth(0x18, "SIGN", b"proof"), samples::auth(0x19, "SIGN", b"again")];
    samples(version).into_iter().chain(auths.into_iter().filter(|_| version == Version::V5)).collect()
}

#[test]
fn every_sample_is_understood() {
    for version in BOTH {
        for (at, packet) in samples(version).iter().enumerate() {
            let line = if at == 0 { Line::new(version) } else { Line::open(version) };
            let events = throw(line, packet);
            let alias = packet.starts_with(b"\x30\x07\x00\x00");
            assert_eq!(fault(&events).is_some(), alias, "{version:?} {at}: {events:?}");
        }
    }
    assert_eq!(throw(Line::challenged(), &samples::auth(0x18, "SIGN", b"proof")).len(), 1);
    assert_eq!(throw(Line::proven(), &samples::auth(0x19, "SIGN", b"again")).len(), 1);
}

#[test]
fn a_packet_that_has_not_arrived_whole_is_awaited() {
    for version in BOTH {
        for (at, packet) in samples(version).iter().enumerate() {
            for length in 0..packet.len() {
                let mut line = if at == 0 { Line::new(version) } else { Line::open(version) };
                assert_eq!(line.hear(&packet[..length]), [], "{version:?} {at} {length}");
                assert_eq!(line.input.len(), length);
                assert!(line.sent().is_empty() && !line.machine.is_over());
            }
        }
    }
}

#[test]
fn a_packet_that_claims_to_be_shorter_is_consumed_or_refused() {
    for version in BOTH {
        for packet in packets(version) {
            for cut in 0..packet.len() {
                before_and_after(version, &shortened(&packet, cut));
            }
        }
    }
}

#[test]
fn a_packet_with_any_bit_flipped_is_consumed_or_refused() {
    for version in BOTH {
        for packet in packets(version) {
            for bit in 0..packet.len() * 8 {
                let mut flipped = packet.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                before_and_after(version, &flipped);
            }
        }
    }
}

#[test]
fn a_packet_is_read_the_same_byte_by_byte() {
    for version in BOTH {
        let whole: Vec<u8> = samples(version).into_iter().skip(1).flatten().collect();
        let at_once = Line::open(version).hear(&whole);
        let mut slow = Line::open(version);
        let bit_by_bit: Vec<Event> = whole.iter().flat_map(|byte| slow.hear(&[*byte])).collect();
        assert_eq!(at_once, bit_by_bit);
        assert!(at_once.len() >= 4);
    }
}

proptest! {
    // A bug leaves a test with its story, not a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_consumed_awaited_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        v5: bool,
    ) {
        before_and_after(if v5 { Version::V5 } else { Version::V3 }, &bytes);
    }

    #[test]
    fn any_body_behind_a_valid_header_is_consumed_or_refused(
        first in prop::sample::select(&[
            0x10_u8, 0x30, 0x32, 0x3A, 0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0, 0xF0,
        ][..]),
        body in prop::collection::vec(prop_oneof![0_u8..6, any::<u8>()], 0..120),
        v5: bool,
    ) {
        let mut packet = vec![first, body.len() as u8];
        packet.extend_from_slice(&body);
        before_and_after(if v5 { Version::V5 } else { Version::V3 }, &packet);
    }

    #[test]
    fn any_splice_of_valid_packets_is_consumed_or_refused(
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
        v5: bool,
    ) {
        let version = if v5 { Version::V5 } else { Version::V3 };
        let samples = packets(version);
        let mut stream = Vec::new();
        for (at, place, byte) in picks {
            let mut packet = samples[at.index(samples.len())].clone();
            let place = place.index(packet.len());
            packet[place] = byte;
            stream.extend(packet);
        }
        before_and_after(version, &stream);
        before_and_after(version, &[connect(version), stream].concat());
    }
}
