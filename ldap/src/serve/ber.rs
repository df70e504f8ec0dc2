//! The few BER structures (X.690) that answers are made of, written without copying what they hold.
//!
//! The protocol library builds a tree of every value before it writes one, and copies it once for each level.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// One value.
pub(super) fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.extend_from_slice(header(tag, content.len()).bytes());
    out.extend_from_slice(content);
}

/// One value of which the content is written by `fill`.
pub(super) fn wrap(out: &mut Vec<u8>, tag: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    fill(out);
    let header = header(tag, out.len() - start);
    out.splice(start..start, header.bytes().iter().copied());
}

/// A non-negative number.
pub(super) fn number(out: &mut Vec<u8>, tag: u8, number: u32) {
    let bytes = u64::from(number).to_be_bytes();
    let mut start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    // The highest bit is the sign (X.690 §8.3.3).
    if bytes[start] & 0x80 != 0 {
        start -= 1;
    }
    put(out, tag, &bytes[start..]);
}

struct Header {
    bytes: [u8; 6],
    length: usize,
}

impl Header {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Tag and length, the length in its shortest form; no answer of ours has more than four gigabytes.
fn header(tag: u8, length: usize) -> Header {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let (bytes, length) = match length {
        0..0x80 => ([tag, d, 0, 0, 0, 0], 2),
        0x80..0x100 => ([tag, 0x81, d, 0, 0, 0], 3),
        0x100..0x1_0000 => ([tag, 0x82, c, d, 0, 0], 4),
        0x1_0000..0x100_0000 => ([tag, 0x83, b, c, d, 0], 5),
        _ => ([tag, 0x84, a, b, c, d], 6),
    };
    Header { bytes, length }
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::{PL, parse_tag, parse_uint};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any::<u32>(), length in 0_usize..70_000) {
            let mut out = Vec::new();
            wrap(&mut out, SEQUENCE, |out| {
                number(out, INTEGER, value);
                put(out, OCTETS, &vec![7; length]);
            });
            let (rest, tag) = parse_tag(&out).unwrap();
            let PL::C(parts) = tag.payload else { panic!("not constructed") };
            let PL::P(digits) = &parts[0].payload else { panic!("not primitive") };
            prop_assert!(rest.is_empty() && digits[0] < 0x80);
            prop_assert_eq!(parse_uint(digits).unwrap().1, u64::from(value));
            prop_assert_eq!(&parts[1].payload, &PL::P(vec![7; length]));
        }
    }
}
