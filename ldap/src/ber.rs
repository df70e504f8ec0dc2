//! The few BER structures (X.690) that messages are made of, written and read without copying what they hold.

use std::ops::Range;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
const CONSTRUCTED: u8 = 0x20;

/// Elements, one after another: the tag of each and its content. What is not well-formed ends them early, so bytes that
/// nobody has looked at go through [`Elements::checked`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Nothing if the bytes are not well-formed to the last, or nested deeper than this.
    pub(crate) fn checked(bytes: &'a [u8], deepest: usize) -> Option<Self> {
        check(bytes, deepest).ok().map(|()| Self(bytes))
    }

    /// The content of the next one if it has this tag; otherwise it stays where it is.
    pub(crate) fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        (self.0.first() == Some(&tag)).then(|| self.next())?.map(|(_, content)| content)
    }

    /// The parts of the next one if it has this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.value(tag).map(Self)
    }

    /// Text in UTF-8, if the next one is an OCTET STRING of that.
    pub(crate) fn text(&mut self) -> Option<String> {
        self.value(OCTETS).and_then(text)
    }

    /// A number that is not negative, if the next one is one with this tag.
    pub(crate) fn number(&mut self, tag: u8) -> Option<u64> {
        self.value(tag).and_then(unsigned)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&tag, rest) = self.0.split_first()?;
        let (length, taken) = length(rest)?;
        let content = rest.get(taken..taken.checked_add(length)?)?;
        self.0 = &rest[taken + length..];
        Some((tag, content))
    }
}

pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// A number that is not negative (X.690 §8.3).
pub(crate) fn unsigned(bytes: &[u8]) -> Option<u64> {
    let positive = (1..=8).contains(&bytes.len()) && bytes[0] < 0x80;
    positive.then(|| bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// Where in `whole` a part of it stands.
pub(crate) fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start + part.len()
}

/// The length that these bytes begin with, and how many of them say it; nothing for one that is not whole, or that LDAP
/// does not know: it has no indefinite form (RFC 4511 §5.1).
pub(crate) fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..=0x7f => Some((usize::from(first), 1)),
        0x81..=0x84 => {
            let count = usize::from(first - 0x80);
            let value = rest.get(..count)?.iter().fold(0, |value, &byte| value << 8 | usize::from(byte));
            Some((value, 1 + count))
        }
        _ => None,
    }
}

/// Whether `bytes` are elements whose parts, at every depth, fill them exactly (X.690 §8.1).
pub(crate) fn check(bytes: &[u8], deepest: usize) -> Result<(), &'static str> {
    let mut ends = Vec::with_capacity(deepest + 1);
    ends.push(bytes.len());
    let mut at = 0;
    while let Some(&end) = ends.last() {
        if at == end {
            ends.pop();
            continue;
        }
        let tag = bytes[at];
        if tag & 0x1f == 0x1f {
            return Err("a tag of several bytes");
        }
        let (length, taken) = length(&bytes[at + 1..end]).ok_or("a length without an end")?;
        let start = at + 1 + taken;
        if length > end - start {
            return Err("a part is longer than its whole");
        }
        at = start;
        if tag & CONSTRUCTED != 0 {
            if ends.len() > deepest {
                return Err("a message is nested too deeply");
            }
            ends.push(start + length);
        } else {
            at += length;
        }
    }
    Ok(())
}

/// One value.
pub(crate) fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.extend_from_slice(header(tag, content.len()).bytes());
    out.extend_from_slice(content);
}

/// One value of which the content is written by `fill`.
pub(crate) fn wrap(out: &mut Vec<u8>, tag: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    fill(out);
    let header = header(tag, out.len() - start);
    out.splice(start..start, header.bytes().iter().copied());
}

/// A non-negative number.
pub(crate) fn number(out: &mut Vec<u8>, tag: u8, number: u32) {
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

    #[test]
    fn what_is_no_element_ends_them() {
        let mut parts = Elements::of(b"\x02\x01\x07\x04\x02hi\x04\x09x");
        assert_eq!((parts.text(), parts.number(INTEGER)), (None, Some(7)));
        assert_eq!((parts.text().as_deref(), parts.next()), (Some("hi"), None));
        assert!(!parts.is_empty() && Elements::checked(b"\x04\x09x", 4).is_none());
        assert!(Elements::checked(b"\x30\x80\0\0", 4).is_none(), "no indefinite lengths");
        assert_eq!(unsigned(&[0x80]), None, "negative");
    }

    /// The protocol's other well-known implementation, where a value is a tree of copies.
    fn agree(tag: &ldap3::asn1::StructureTag, (number, content): (u8, &[u8])) -> bool {
        u64::from(number & 0x1f) == tag.id
            && match &tag.payload {
                PL::P(bytes) => number & CONSTRUCTED == 0 && bytes == content,
                PL::C(parts) => {
                    let ours: Vec<_> = Elements::of(content).collect();
                    ours.len() == parts.len() && parts.iter().zip(ours).all(|(part, own)| agree(part, own))
                }
            }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any::<u32>(), length in 0_usize..70_000) {
            let mut out = Vec::new();
            wrap(&mut out, SEQUENCE, |out| {
                number(out, INTEGER, value);
                put(out, OCTETS, &vec![7; length]);
            });
            let (rest, tag) = parse_tag(&out).unwrap();
            let PL::C(parts) = &tag.payload else { panic!("not constructed") };
            let PL::P(digits) = &parts[0].payload else { panic!("not primitive") };
            prop_assert!(rest.is_empty() && digits[0] < 0x80);
            prop_assert_eq!(parse_uint(digits).unwrap().1, u64::from(value));
            prop_assert_eq!(&parts[1].payload, &PL::P(vec![7; length]));
            prop_assert!(agree(&tag, Elements::of(&out).next().unwrap()));
            let mut own = Elements::of(&out).enter(SEQUENCE).unwrap();
            prop_assert_eq!(own.number(INTEGER), Some(u64::from(value)));
            prop_assert_eq!(own.value(OCTETS).map(<[u8]>::len), Some(length));
        }

        #[test]
        fn what_is_well_formed_is_read_as_others_do(bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
            let mut framed = Vec::new();
            put(&mut framed, SEQUENCE, &bytes);
            if let Some(mut whole) = Elements::checked(&framed, 16) {
                let (rest, tag) = parse_tag(&framed).unwrap();
                prop_assert!(rest.is_empty() && agree(&tag, whole.next().unwrap()));
            }
        }

        #[test]
        fn a_part_stands_where_it_was_found(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for (_, content) in Elements::of(&bytes) {
                prop_assert_eq!(&bytes[place(&bytes, content)], content);
            }
        }
    }
}
