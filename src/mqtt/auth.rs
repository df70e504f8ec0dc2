//! AUTH, in both directions (MQTT 5.0 section 3.15). The codec does not know it.

use bytes::{BufMut, Bytes, BytesMut};

use super::property::{self, Place, Property};
use super::reader::Reader;
use super::reason::{Breach, Reason};
use super::topic::LONGEST_TEXT;
use super::writer::{put_binary, put_varint, varint_width};

/// What a client says in an AUTH. The data is a copy: it may be a secret, and the packet lives in a buffer with others.
pub(super) struct Auth<'a> {
    pub(super) reason: Reason,
    pub(super) method: &'a str,
    pub(super) data: Option<Bytes>,
}

/// Reads the body. Everything may be left out, but then it says that the server is satisfied, which is the
/// server's to say.
pub(super) fn read(body: &[u8]) -> Result<Auth<'_>, Breach> {
    let mut reader = Reader::new(body);
    let reason = if reader.left() > 0 { Reason::from_byte(reader.u8()?) } else { Some(Reason::Success) };
    let reason = match reason {
        Some(reason @ (Reason::ContinueAuthentication | Reason::ReAuthenticate)) => reason,
        Some(Reason::Success) => return Err(Breach::protocol("AUTH with the server's word of success")),
        _ => return Err(Breach::malformed("AUTH with an unknown reason")),
    };
    let (mut method, mut data) = (None, None);
    property::each(&mut reader, Place::Auth, |property| {
        match property {
            Property::AuthenticationMethod(name) => method = Some(name),
            Property::AuthenticationData(bytes) => data = Some(Bytes::copy_from_slice(bytes)),
            _ => {}
        }
        Ok(())
    })?;
    reader.end()?;
    let method = method.ok_or(Breach::protocol("AUTH without an authentication method"))?;
    Ok(Auth { reason, method, data })
}

/// Writes an AUTH and says true; or writes nothing, when it is longer than `max`.
pub(super) fn write(
    reason: Reason,
    method: &str,
    data: Option<&[u8]>,
    max: usize,
    out: &mut BytesMut,
) -> bool {
    let list = 3 + method.len() + data.map_or(0, |data| 3 + data.len());
    let body = 1 + varint_width(list) + list;
    if 1 + varint_width(body) + body > max || data.is_some_and(|data| data.len() > LONGEST_TEXT) {
        return false;
    }
    out.put_u8(0xF0);
    put_varint(out, body);
    out.put_u8(reason.code());
    put_varint(out, list);
    out.put_u8(0x15);
    put_binary(out, method.as_bytes());
    if let Some(data) = data {
        out.put_u8(0x16);
        put_binary(out, data);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auth_we_write_is_one_we_read() {
        for (size, header) in [(0, 2), (90, 2), (130, 3), (65_535, 4)] {
            let mut out = BytesMut::new();
            let data = vec![7; size];
            assert!(write(Reason::ContinueAuthentication, "mäthod", Some(&data), usize::MAX, &mut out));
            let read = read(&out[header..]).map_err(|breach| breach.what).unwrap();
            assert_eq!((read.reason, read.method), (Reason::ContinueAuthentication, "mäthod"));
            assert_eq!(read.data.as_deref(), Some(&data[..]));
            let length = out.len();
            assert!(!write(Reason::Success, "mäthod", Some(&data), length - 1, &mut out));
            assert_eq!(out.len(), length);
        }
        assert!(!write(Reason::Success, "m", Some(&[0; 65_536]), usize::MAX, &mut BytesMut::new()));
    }

    #[test]
    fn a_client_s_auth_names_its_method_and_asks_for_something() {
        let refused = |body: &[u8]| read(body).err().map(|breach| breach.reason);
        assert_eq!(refused(b""), Some(Reason::ProtocolError));
        assert_eq!(refused(b"\x00\x04\x15\x00\x01m"), Some(Reason::ProtocolError));
        assert_eq!(refused(b"\x87\x04\x15\x00\x01m"), Some(Reason::MalformedPacket));
        assert_eq!(refused(b"\x18\x00"), Some(Reason::ProtocolError), "no method");
        assert_eq!(refused(b"\x18\x04\x16\x00\x01d"), Some(Reason::ProtocolError), "data but no method");
        assert_eq!(refused(b"\x18\x08\x15\x00\x01m\x15\x00\x01m"), Some(Reason::ProtocolError));
        assert_eq!(refused(b"\x19\x04\x15\x00\x01m"), None);
        assert_eq!(refused(b"\x18\x04\x15\x00\x01m\x00"), Some(Reason::MalformedPacket));
    }
}
