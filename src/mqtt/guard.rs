//! The guard: cuts one frame off the stream and refuses what no client may send, before anything else looks.
//!
//! The codec behind it (rumqttd's) trusts its input: server-to-client packet types reach an `unreachable!()`,
//! properties may run past their list, and a list's end is miscounted after a repeated subscription
//! identifier. Nothing passes here that could find those places.

use super::ack::Step;
use super::event::Version;
use super::property::{self, Place};
use super::reader::{Reader, varint};
use super::reason::{Breach, Reason};
use super::topic::SHARE;

/// The packets that a client may send (MQTT 5.0 section 2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Connect,
    Publish,
    Ack(Step),
    Subscribe,
    Unsubscribe,
    PingReq,
    Disconnect,
    Auth,
}

/// The fixed header of a packet that has arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    /// Where the variable header begins.
    pub(super) body_at: usize,
    /// Bytes of the whole packet.
    pub(super) total: usize,
}

impl Header {
    /// What follows the fixed header in `input`, which begins with this packet.
    pub(super) fn body<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        input.get(self.body_at..self.total).unwrap_or_default()
    }
}

/// Who may speak, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A client that has not introduced itself.
    Greeting,
    /// A client that has been challenged and not yet been accepted (\[MQTT-3.1.2-30\]).
    Proof,
    /// A client that has been accepted.
    Open,
}

/// Finds the next whole packet in `input`, or `None` while it is incomplete.
///
/// Every byte is judged as soon as it is there: a stream that is not MQTT fails on its first byte, and an
/// oversized packet before its body arrives.
pub(super) fn next(input: &[u8], max_packet: usize, turn: Turn) -> Result<Option<Header>, Breach> {
    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
    let (kind, flags) = (kind(first)?, first & 0x0F);
    match (turn, kind) {
        (Turn::Greeting, Kind::Connect) | (Turn::Proof, Kind::Auth | Kind::Disconnect) => {}
        (Turn::Greeting, _) => return Err(Breach::protocol("first packet that is not CONNECT")),
        (_, Kind::Connect) => return Err(Breach::protocol("second CONNECT on one connection")),
        (Turn::Proof, _) => return Err(Breach::protocol("packet other than AUTH amid authentication")),
        (Turn::Open, _) => {}
    }
    let Some((length, width)) = varint(rest)? else { return Ok(None) };
    let body_at = 1 + width;
    let total = body_at + length as usize;
    if total > max_packet {
        return Err(Breach::new(Reason::PacketTooLarge, "packet larger than the announced maximum"));
    }
    if kind == Kind::PingReq && length != 0 {
        return Err(Breach::malformed("PINGREQ with a body"));
    }
    Ok((input.len() >= total).then_some(Header { kind, flags, body_at, total }))
}

/// Reads type and flags, which are fixed for all but PUBLISH (section 2.1.3).
fn kind(first: u8) -> Result<Kind, Breach> {
    let (kind, flags) = match first >> 4 {
        1 => (Kind::Connect, 0),
        3 => return Ok(Kind::Publish),
        4 => (Kind::Ack(Step::Ack), 0),
        5 => (Kind::Ack(Step::Rec), 0),
        6 => (Kind::Ack(Step::Rel), 2),
        7 => (Kind::Ack(Step::Comp), 0),
        8 => (Kind::Subscribe, 2),
        10 => (Kind::Unsubscribe, 2),
        12 => (Kind::PingReq, 0),
        14 => (Kind::Disconnect, 0),
        15 => (Kind::Auth, 0),
        0 => return Err(Breach::malformed("packet of the reserved type 0")),
        _ => return Err(Breach::protocol("packet that only a server may send")),
    };
    if first & 0x0F == flags { Ok(kind) } else { Err(Breach::malformed("reserved flags in a fixed header")) }
}

/// Walks the body of a SUBSCRIBE (section 3.8).
pub(super) fn subscribe(version: Version, body: &[u8]) -> Result<(), Breach> {
    let mut reader = Reader::new(body);
    reader.packet_id()?;
    skip_properties(version, &mut reader, Place::Subscribe)?;
    if reader.left() == 0 {
        return Err(Breach::protocol("SUBSCRIBE without a filter"));
    }
    while reader.left() > 0 {
        let filter = reader.text()?;
        let options = reader.u8()?;
        let reserved = match version {
            Version::V3 => 0b1111_1100,
            Version::V5 => 0b1100_0000,
        };
        if options & reserved != 0 {
            return Err(Breach::malformed("reserved bits in the options of a SUBSCRIBE"));
        }
        if options & 0b11 == 0b11 {
            return Err(Breach::protocol("SUBSCRIBE with QoS 3"));
        }
        if options & 0b11_0000 == 0b11_0000 {
            return Err(Breach::protocol("SUBSCRIBE with retain handling 3"));
        }
        // [MQTT-3.8.3-4]
        if options & 0b100 != 0 && filter.starts_with(SHARE) {
            return Err(Breach::protocol("shared subscription that excludes the subscriber's own"));
        }
    }
    Ok(())
}

/// Walks the body of an UNSUBSCRIBE (section 3.10).
pub(super) fn unsubscribe(version: Version, body: &[u8]) -> Result<(), Breach> {
    let mut reader = Reader::new(body);
    reader.packet_id()?;
    skip_properties(version, &mut reader, Place::Unsubscribe)?;
    if reader.left() == 0 {
        return Err(Breach::protocol("UNSUBSCRIBE without a filter"));
    }
    while reader.left() > 0 {
        reader.text()?;
    }
    Ok(())
}

fn skip_properties(version: Version, reader: &mut Reader<'_>, place: Place) -> Result<(), Breach> {
    match version {
        Version::V3 => Ok(()),
        Version::V5 => property::each(reader, place, |_| Ok(())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8]) -> Result<Option<usize>, Reason> {
        next(input, 100, Turn::Open)
            .map(|header| header.map(|header| header.total))
            .map_err(|breach| breach.reason)
    }

    #[test]
    fn a_frame_is_cut_only_when_it_is_whole() {
        assert_eq!(check(&[]), Ok(None));
        assert_eq!(check(&[0x40]), Ok(None));
        assert_eq!(check(&[0x40, 2, 0]), Ok(None));
        assert_eq!(check(&[0x40, 2, 0, 1, 0xC0]), Ok(Some(4)));
    }

    #[test]
    fn an_oversized_packet_is_refused_before_its_body_arrives() {
        assert_eq!(check(&[0x30, 98]), Ok(None));
        assert_eq!(check(&[0x30, 99]), Err(Reason::PacketTooLarge));
        assert_eq!(check(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]), Err(Reason::PacketTooLarge));
    }

    #[test]
    fn what_no_client_may_send_is_refused_on_its_first_byte() {
        for first in [0x20, 0x90, 0xB0, 0xD0] {
            assert_eq!(check(&[first]), Err(Reason::ProtocolError), "{first:#x}");
        }
        for first in [0x00, 0x41, 0x60, 0x80, 0x8F, 0xA0, 0xC1, 0xE8, 0xF1] {
            assert_eq!(check(&[first]), Err(Reason::MalformedPacket), "{first:#x}");
        }
        assert_eq!(check(&[0xC0, 1]), Err(Reason::MalformedPacket));
    }

    #[test]
    fn connect_comes_first_and_only_first() {
        assert_eq!(check(&[0x10]), Err(Reason::ProtocolError));
        assert_eq!(next(&[0x30], 100, Turn::Greeting).unwrap_err().what, "first packet that is not CONNECT");
        assert_eq!(
            next(b"\x16\x03\x01", 100, Turn::Greeting).unwrap_err().reason,
            Reason::MalformedPacket,
            "a TLS hello"
        );
        assert_eq!(next(&[0x10], 100, Turn::Greeting), Ok(None));
    }

    #[test]
    fn amid_authentication_only_auth_and_goodbye_may_come() {
        let check = |first| next(&[first], 100, Turn::Proof).map_err(|breach| breach.reason);
        for first in [0x10, 0x30, 0x40, 0x82, 0xC0] {
            assert_eq!(check(first), Err(Reason::ProtocolError), "{first:#x}");
        }
        assert_eq!((check(0xF0), check(0xE0)), (Ok(None), Ok(None)));
    }

    #[test]
    fn subscribe_is_walked_to_its_last_byte() {
        let check = |version, body: &[u8]| subscribe(version, body).map_err(|breach| breach.what);
        assert_eq!(check(Version::V3, b"\x00\x01\x00\x01a\x01"), Ok(()));
        assert_eq!(check(Version::V5, b"\x00\x01\x02\x0B\x07\x00\x01a\x2D"), Ok(()));
        assert_eq!(check(Version::V3, b"\x00\x00\x00\x01a\x01"), Err("packet identifier 0"));
        assert_eq!(check(Version::V3, b"\x00\x01"), Err("SUBSCRIBE without a filter"));
        assert_eq!(check(Version::V3, b"\x00\x01\x00\x01a\x03"), Err("SUBSCRIBE with QoS 3"));
        assert_eq!(
            check(Version::V3, b"\x00\x01\x00\x01a\x04"),
            Err("reserved bits in the options of a SUBSCRIBE")
        );
        assert_eq!(check(Version::V5, b"\x00\x01\x00\x00\x01a\x30"), Err("SUBSCRIBE with retain handling 3"));
        assert_eq!(check(Version::V3, b"\x00\x01\x00\x01a"), Err("packet ends before its content does"));
        let shared = b"\x00\x01\x00\x00\x0a$share/g/a\x05";
        assert_eq!(check(Version::V5, shared), Err("shared subscription that excludes the subscriber's own"));
        assert_eq!(
            unsubscribe(Version::V5, b"\x00\x01\x00"),
            Err(Breach::protocol("UNSUBSCRIBE without a filter"))
        );
    }
}
