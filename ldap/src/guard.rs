//! The guard between a server's bytes and the protocol library.
//!
//! The library descends once per nesting level, waits for as many bytes as a header announces, and starts over with
//! every arrival. The guard lets through only whole messages of bounded length and depth, each well-formed to the last
//! byte, so that a hostile or broken server can exhaust neither stack nor memory.

use std::io;

use ldap3::asn1::{StructureTag, parse_tag};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest message that is let through, in bytes. A group of 200,000 members has about ten million.
pub(crate) const LONGEST: usize = 16 << 20;
/// Deepest nesting. A result with controls and referrals has five levels.
const DEEPEST: usize = 16;

/// Why no further message came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the server broke the protocol: {0}")]
    Protocol(&'static str),
}

/// Reads one message into `message`, replacing what was there; `false` when the server closed between messages.
pub(crate) async fn read_message(
    from: &mut (impl AsyncRead + Unpin),
    message: &mut Vec<u8>,
) -> Result<bool, Broken> {
    message.clear();
    let mut first = [0];
    if from.read(&mut first).await? == 0 {
        return Ok(false);
    }
    if first != [SEQUENCE] {
        return Err(Broken::Protocol("a message does not begin as one"));
    }
    message.push(SEQUENCE);
    message.push(from.read_u8().await?);
    for _ in 0..length_bytes(message[1])? {
        message.push(from.read_u8().await?);
    }
    let (length, _) = length(&message[1..]).ok_or(Broken::Protocol("a length without an end"))?;
    if length > LONGEST {
        return Err(Broken::Protocol("a message is longer than 16 MiB"));
    }
    // `take` grows the buffer as bytes arrive, so an announced length costs nothing until it is sent.
    if from.take(length as u64).read_to_end(message).await? < length {
        return Err(Broken::Protocol("the connection ended within a message"));
    }
    check(message, DEEPEST).map_err(Broken::Protocol)?;
    Ok(true)
}

/// Reads a value that travels inside a message, where [`read_message`] does not look; nothing if it is not well-formed.
pub(crate) fn parse(bytes: &[u8]) -> Option<StructureTag> {
    check(bytes, DEEPEST).ok().filter(|()| !bytes.is_empty())?;
    parse_tag(bytes).ok().map(|(_, tag)| tag)
}

/// Whether a message is one of the answers to a search that may be many: an entry, a reference, an intermediate
/// response (RFC 4511 §4.5.2, §4.13).
pub(crate) fn is_one_of_many(message: &[u8]) -> bool {
    let operation = || {
        let (_, taken) = length(message.get(1..)?)?;
        let id = message.get(1 + taken..)?;
        let (size, taken) = length(id.get(1..)?)?;
        id.get(1 + taken + size)
    };
    matches!(operation(), Some(0x64 | 0x73 | 0x79))
}

/// Whether `bytes` are elements whose parts, at every depth, fill them exactly (X.690 §8.1).
pub(crate) fn check(bytes: &[u8], deepest: usize) -> Result<(), &'static str> {
    let mut ends = vec![bytes.len()];
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

const SEQUENCE: u8 = 0x30;
const CONSTRUCTED: u8 = 0x20;

/// How many bytes follow the first byte of a length.
fn length_bytes(first: u8) -> Result<usize, Broken> {
    match first {
        0..=0x7f => Ok(0),
        // The indefinite form, 0x80, is forbidden in LDAP (RFC 4511 §5.1).
        0x81..=0x84 => Ok(usize::from(first - 0x80)),
        _ => Err(Broken::Protocol("a length that LDAP does not know")),
    }
}

/// The length that these bytes begin with, and how many of them say it.
pub(crate) fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let (&first, rest) = bytes.split_first()?;
    match length_bytes(first).ok()? {
        0 => Some((usize::from(first), 1)),
        count => {
            let value = rest.get(..count)?.iter().fold(0, |value, &byte| value << 8 | usize::from(byte));
            Some((value, 1 + count))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Vec<u8>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut message = Vec::new();
        match runtime.block_on(read_message(&mut bytes, &mut message)) {
            Ok(true) => Ok(message),
            Ok(false) => Err("closed".to_owned()),
            Err(broken) => Err(broken.to_string()),
        }
    }

    #[test]
    fn a_bind_response_passes_unchanged() {
        let bytes = [0x30, 0x0c, 2, 1, 1, 0x61, 7, 10, 1, 0, 4, 0, 4, 0];
        assert_eq!(read(&bytes).unwrap(), bytes);
        assert_eq!(read(&[]).unwrap_err(), "closed");
        assert!(read(&bytes[..9]).unwrap_err().contains("ended within"));
    }

    #[test]
    fn answers_that_may_be_many_are_told_from_the_others() {
        assert!(is_one_of_many(b"\x30\x0d\x02\x01\x02\x64\x08\x04\x04cn=a\x30\x00"));
        assert!(is_one_of_many(b"\x30\x84\0\0\0\x05\x02\x02\x01\x02\x79\x00"));
        assert!(!is_one_of_many(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"));
        assert!(!is_one_of_many(b"\x30\x00"));
    }

    #[test]
    fn a_nest_inside_a_control_does_not_reach_the_library() {
        assert!(parse(&[0x30, 3, 2, 1, 7]).is_some());
        assert!(parse(&[]).is_none() && parse(&[0x30, 9]).is_none());
        let mut nest = vec![0x30, 0x00];
        for _ in 0..20 {
            nest.splice(0..0, [0x30, u8::try_from(nest.len()).unwrap()]);
        }
        assert!(parse(&nest).is_none());
    }

    #[test]
    fn nesting_that_would_exhaust_the_stack_is_stopped() {
        let mut bytes = Vec::new();
        for _ in 0..200_000 {
            let mut outer = vec![0x30, 0x84];
            outer.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
            bytes.extend(outer.iter().rev());
        }
        bytes.reverse();
        assert!(read(&bytes).unwrap_err().contains("nested too deeply"));
    }

    #[test]
    fn announced_gigabytes_are_not_awaited() {
        assert!(read(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 1]).unwrap_err().contains("longer than 16 MiB"));
        assert!(read(&[0x30, 0x80, 2, 1, 1, 0, 0]).unwrap_err().contains("does not know"));
    }

    #[test]
    fn parts_that_overrun_their_whole_are_stopped() {
        assert!(read(&[0x30, 3, 2, 9, 1]).unwrap_err().contains("longer than its whole"));
        assert!(read(&[0x30, 3, 2, 0x82, 1]).unwrap_err().contains("without an end"));
    }

    proptest! {
        #[test]
        fn what_passes_is_read_whole_by_the_library(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut framed = vec![0x30, 0x82];
            framed.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
            framed.extend(bytes);
            if read(&framed).is_ok() {
                prop_assert!(ldap3::asn1::parse_tag(&framed).is_ok_and(|(rest, _)| rest.is_empty()));
            }
        }
    }
}
