//! DISCONNECT, in both directions (MQTT 5.0 section 3.14).
//!
//! By hand, because the codec cannot say it: reading, it demands a property list that may be left out;
//! writing, it loses the reason when there is nothing to add to it.

use bytes::{BufMut, BytesMut};

use super::codec::short;
use super::event::Version;
use super::property::{self, Place, Property};
use super::reader::Reader;
use super::reason::{Breach, Reason};
use super::writer::{put_binary, put_varint, varint_width};

/// Reads the body: the reason, and a new session expiry in seconds if there is one.
pub(super) fn read(version: Version, body: &[u8]) -> Result<(Reason, Option<u32>), Breach> {
    let mut reader = Reader::new(body);
    let (mut reason, mut session_expiry) = (Reason::Success, None);
    if version == Version::V5 && reader.left() > 0 {
        reason = Reason::from_byte(reader.u8()?)
            .filter(|reason| *reason == Reason::DisconnectWithWill || sayable(*reason) == reason.code())
            .ok_or(Breach::malformed("DISCONNECT with an unknown reason"))?;
    }
    if version == Version::V5 && reader.left() > 0 {
        property::each(&mut reader, Place::Disconnect, |property| {
            if let Property::SessionExpiry(seconds) = property {
                session_expiry = Some(seconds);
            }
            Ok(())
        })?;
    }
    reader.end().map(|()| (reason, session_expiry))
}

/// Writes the server's goodbye of 5.0; the words are left out where they would make it longer than `max`.
pub(super) fn write(reason: Reason, why: Option<&str>, max: usize, out: &mut BytesMut) {
    let why = why.map(short).unwrap_or_default();
    let list = if why.is_empty() { 0 } else { 3 + why.len() };
    let body = 1 + varint_width(list) + list;
    if !why.is_empty() && 1 + varint_width(body) + body > max {
        return write(reason, None, max, out);
    }
    out.put_u8(0xE0);
    put_varint(out, body);
    out.put_u8(sayable(reason));
    put_varint(out, list);
    if list > 0 {
        out.put_u8(0x1F);
        put_binary(out, why.as_bytes());
    }
}

/// The code, if the table of section 3.14.2.1, or for 0x8C that of 2.4, has it for DISCONNECT; else an unspecified
/// error.
fn sayable(reason: Reason) -> u8 {
    match reason.code() {
        code @ (0x00 | 0x80..=0x83 | 0x87 | 0x89 | 0x8B..=0x90 | 0x93..=0xA2) => code,
        _ => Reason::UnspecifiedError.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goodbye_we_write_is_one_we_read() {
        for code in 0..=u8::MAX {
            let Some(reason) = Reason::from_byte(code) else { continue };
            for why in ["", "ä", &"long ".repeat(200)] {
                let mut out = BytesMut::new();
                write(reason, Some(why), usize::MAX, &mut out);
                let body_at = if out[1] < 0x80 { 2 } else { 3 };
                let said = Reason::from_byte(sayable(reason)).unwrap();
                assert_eq!(read(Version::V5, &out[body_at..]), Ok((said, None)), "{reason} {why}");
            }
        }
    }

    #[test]
    fn a_reason_that_only_other_packets_know_becomes_an_unspecified_error() {
        assert_eq!(sayable(Reason::BadUserNameOrPassword), 0x80);
        assert_eq!(sayable(Reason::AdministrativeAction), 0x98);
    }
}
