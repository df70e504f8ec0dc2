//! PUBACK, PUBREC, PUBREL and PUBCOMP: the steps after a PUBLISH, which all look alike (MQTT 5.0 sections 3.4
//! to 3.7).
//!
//! By hand, because the codec reads no properties that are left out, and a busy connection is made of these.

use bytes::BytesMut;

use super::event::Version;
use super::property::{self, Place};
use super::reader::Reader;
use super::reason::{Breach, Reason};

/// One of the four, by the first byte of its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    Ack = 0x40,
    Rec = 0x50,
    Rel = 0x62,
    Comp = 0x70,
}

impl Step {
    /// Whether the tables of sections 3.4.2.1 to 3.7.2.1 have the reason.
    fn knows(self, reason: Reason) -> bool {
        match self {
            Self::Ack | Self::Rec => {
                matches!(reason.code(), 0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
            }
            Self::Rel | Self::Comp => {
                matches!(reason, Reason::Success | Reason::PacketIdentifierNotFound)
            }
        }
    }
}

/// Reads the body: identifier and reason. What may be left out may be left out.
pub(super) fn read(version: Version, step: Step, body: &[u8]) -> Result<(u16, Reason), Breach> {
    let mut reader = Reader::new(body);
    let id = reader.packet_id()?;
    if version == Version::V3 || reader.left() == 0 {
        return reader.end().map(|()| (id, Reason::Success));
    }
    let reason = Reason::from_byte(reader.u8()?)
        .filter(|reason| step.knows(*reason))
        .ok_or(Breach::malformed("acknowledgement with an unknown reason"))?;
    if reader.left() > 0 {
        property::each(&mut reader, Place::Ack, |_| Ok(()))?;
    }
    reader.end().map(|()| (id, reason))
}

/// Writes one of the four. 3.1.1 has no words for the reason; one that is not in the table is told as an
/// unspecified error.
pub(super) fn write(version: Version, step: Step, id: u16, reason: Reason, out: &mut BytesMut) {
    let [high, low] = id.to_be_bytes();
    if version == Version::V3 || reason == Reason::Success {
        out.extend_from_slice(&[step as u8, 2, high, low]);
    } else {
        let reason = if step.knows(reason) { reason } else { Reason::UnspecifiedError };
        out.extend_from_slice(&[step as u8, 4, high, low, reason.code(), 0]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rumqttd::protocol::{Protocol, v4::V4, v5::V5};

    use super::*;

    const ALL: [Step; 4] = [Step::Ack, Step::Rec, Step::Rel, Step::Comp];

    #[test]
    fn reason_and_properties_may_be_left_out() {
        for step in ALL {
            let check = |body: &[u8]| read(Version::V5, step, body).map_err(|breach| breach.reason);
            assert_eq!(check(b"\x01\x02"), Ok((0x102, Reason::Success)));
            assert_eq!(check(b"\x01\x02\x00"), Ok((0x102, Reason::Success)));
            assert_eq!(check(b"\x01\x02\x00\x00"), Ok((0x102, Reason::Success)));
            assert_eq!(check(b"\x01\x02\x00\x04\x1F\x00\x01x"), Ok((0x102, Reason::Success)));
            assert_eq!(check(b"\x01\x02\x00\x00\x00"), Err(Reason::MalformedPacket));
            assert_eq!(check(b"\x00\x00"), Err(Reason::ProtocolError));
            assert_eq!(check(b"\x01\x02\x8E"), Err(Reason::MalformedPacket));
            assert!(read(Version::V3, step, b"\x01\x02\x00").is_err(), "3.1.1 has no reasons");
        }
        assert_eq!(read(Version::V5, Step::Rel, b"\x00\x01\x92"), Ok((1, Reason::PacketIdentifierNotFound)));
        assert!(read(Version::V5, Step::Rel, b"\x00\x01\x97").is_err());
        assert!(read(Version::V5, Step::Ack, b"\x00\x01\x92").is_err());
    }

    #[test]
    fn a_reason_that_only_other_packets_know_becomes_an_unspecified_error() {
        let mut out = BytesMut::new();
        write(Version::V5, Step::Ack, 1, Reason::ServerBusy, &mut out);
        assert_eq!(out, &[0x40, 4, 0, 1, 0x80, 0][..]);
    }

    proptest! {
        // A bug leaves a test with its story, not a file of seeds.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_acknowledgement_is_the_codec_s_and_reads_back(
            id in 1_u16..,
            at in 0_usize..4,
            refused: bool,
            v5: bool,
        ) {
            let (version, step) = (if v5 { Version::V5 } else { Version::V3 }, ALL[at]);
            let refusal = if at < 2 { Reason::NotAuthorized } else { Reason::PacketIdentifierNotFound };
            let reason = if refused { refusal } else { Reason::Success };
            let mut out = BytesMut::new();
            write(version, step, id, reason, &mut out);
            let told = if v5 { reason } else { Reason::Success };
            prop_assert_eq!(read(version, step, &out[2..]), Ok((id, told)));
            let packet = match version {
                Version::V3 => V4.read_mut(&mut out.clone(), 100),
                Version::V5 => V5.read_mut(&mut out.clone(), 100),
            }
            .unwrap();
            let mut again = BytesMut::new();
            match version {
                Version::V3 => V4.write(packet, &mut again),
                Version::V5 => V5.write(packet, &mut again),
            }
            .unwrap();
            prop_assert_eq!(again, out);
        }
    }
}
