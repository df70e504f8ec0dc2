//! The few DER structures (X.690) that no library below writes for us.

/// Tag of SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;
/// Tag of SET.
pub(crate) const SET: u8 = 0x31;
/// Tag of OCTET STRING.
pub(crate) const OCTETS: u8 = 0x04;
/// Tag of BIT STRING.
pub(crate) const BITS: u8 = 0x03;
/// Tag of INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// Tag of ENUMERATED.
pub(crate) const ENUMERATED: u8 = 0x0A;
/// Tag of OBJECT IDENTIFIER.
pub(crate) const OID: u8 = 0x06;
/// Tag of UTF8String.
pub(crate) const UTF8: u8 = 0x0C;
/// Tag of `[0] EXPLICIT`.
pub(crate) const EXPLICIT_0: u8 = 0xA0;
/// Tag of `[0] IMPLICIT`, constructed.
pub(crate) const IMPLICIT_0: u8 = 0xA0;
/// Tag of GeneralName's otherName, `[0] IMPLICIT`.
pub(crate) const OTHER_NAME: u8 = 0xA0;
/// Tag of GeneralName's rfc822Name, `[1] IMPLICIT`.
pub(crate) const MAIL: u8 = 0x81;
/// Tag of GeneralName's dNSName, `[2] IMPLICIT`.
pub(crate) const DNS: u8 = 0x82;
/// Tag of GeneralName's iPAddress, `[7] IMPLICIT`.
pub(crate) const IP: u8 = 0x87;
/// Tag of GeneralName's uniformResourceIdentifier, `[6] IMPLICIT` (RFC 5280 §4.2.1.6).
pub(crate) const URI: u8 = 0x86;
/// The whole value TRUE.
pub(crate) const TRUE: [u8; 3] = [0x01, 0x01, 0xFF];
/// A whole NULL value.
pub(crate) const NULL: [u8; 2] = [0x05, 0x00];

/// One value: the tag, the length in its shortest form, the parts in order.
pub(crate) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let length = content.len().to_be_bytes();
    let significant =
        length.iter().position(|byte| *byte != 0).map_or(&length[..0], |first| &length[first..]);
    match significant {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | long.len() as u8);
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(&content);
    out
}

/// A non-negative INTEGER.
pub(crate) fn integer(number: u32) -> Vec<u8> {
    unsigned(&number.to_be_bytes())
}

/// A non-negative INTEGER from its big-endian bytes, however many zeros they begin with.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let significant = bytes.iter().position(|byte| *byte != 0).map_or(&bytes[..0], |first| &bytes[first..]);
    // The highest bit is the sign (X.690 §8.3.3), and zero needs a byte too.
    let sign: &[u8] = if significant.first().is_some_and(|byte| *byte < 0x80) { &[] } else { &[0] };
    value(INTEGER, &[sign, significant])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_their_shortest_form() {
        assert_eq!(value(SEQUENCE, &[]), [0x30, 0]);
        assert_eq!(value(OCTETS, &[&[7; 127]])[..2], [4, 127]);
        assert_eq!(value(OCTETS, &[&[7; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(value(OCTETS, &[&[7; 300]])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn integers_stay_positive() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(1), [2, 1, 1]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(16384), [2, 2, 0x40, 0]);
        assert_eq!(unsigned(&[0, 0, 0x80, 7]), [2, 3, 0, 0x80, 7]);
        assert_eq!(unsigned(&[0, 0x7F]), [2, 1, 0x7F]);
    }
}
