//! Writing inside one packet: lengths and text (MQTT section 1.5).

use bytes::{BufMut, BytesMut};

/// The most that a fixed header can announce (MQTT section 2.1.4).
pub(super) const LONGEST_BODY: usize = 268_435_455;

/// Bytes with a two-byte length; the caller has seen that they fit.
pub(super) fn put_binary(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u16(bytes.len() as u16);
    out.extend_from_slice(bytes);
}

/// A variable byte integer (section 1.5.5).
pub(super) fn put_varint(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Bytes that a variable byte integer takes.
pub(super) fn varint_width(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}
