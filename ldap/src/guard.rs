//! The guard before a server's bytes: it lets through only whole messages of bounded length and depth, each well-formed to
//! the last byte, so that a hostile or broken server can exhaust neither stack nor memory.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::ber::{self, Elements, SEQUENCE};

/// Longest message that is let through, in bytes. A group of 200,000 members has about ten million.
pub(crate) const LONGEST: usize = 16 << 20;
/// Deepest nesting. A result with controls and referrals has five levels.
const DEEPEST: usize = 16;
const PIECE: usize = 64 << 10;

/// Why no further message came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the server broke the protocol: {0}")]
    Protocol(&'static str),
}

/// Reads one message; nothing when the server closed between messages.
pub(crate) async fn read_message(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, Broken> {
    let mut first = [0];
    if from.read(&mut first).await? == 0 {
        return Ok(None);
    }
    if first != [SEQUENCE] {
        return Err(Broken::Protocol("a message does not begin as one"));
    }
    let mut head = [SEQUENCE; 6];
    head[1] = from.read_u8().await?;
    let count = length_bytes(head[1])?;
    from.read_exact(&mut head[2..2 + count]).await?;
    let (length, _) = ber::length(&head[1..]).ok_or(Broken::Protocol("a length without an end"))?;
    if length > LONGEST {
        return Err(Broken::Protocol("a message is longer than 16 MiB"));
    }
    let mut message = Vec::with_capacity(2 + count + length.min(PIECE));
    message.extend_from_slice(&head[..2 + count]);
    let end = message.len() + length;
    // Piece by piece, so that an announced length costs nothing until it is sent.
    while message.len() < end {
        let at = message.len();
        let piece = (end - at).min(PIECE);
        message.reserve(piece);
        message.resize(at + piece, 0);
        let read = from.read_exact(&mut message[at..]).await;
        read.map_err(|_| Broken::Protocol("the connection ended within a message"))?;
    }
    ber::check(&message, DEEPEST).map_err(Broken::Protocol)?;
    Ok(Some(message))
}

/// Reads a value that travels inside a message, where [`read_message`] does not look; nothing if it is not well-formed.
pub(crate) fn inside(bytes: &[u8]) -> Option<Elements<'_>> {
    Elements::checked(bytes, DEEPEST)
}

/// How many bytes follow the first byte of a length.
fn length_bytes(first: u8) -> Result<usize, Broken> {
    match first {
        0..=0x7f => Ok(0),
        // The indefinite form, 0x80, is forbidden in LDAP (RFC 4511 §5.1).
        0x81..=0x84 => Ok(usize::from(first - 0x80)),
        _ => Err(Broken::Protocol("a length that LDAP does not know")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> Result<Vec<u8>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(read_message(&mut bytes)) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err("closed".to_owned()),
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
    fn a_nest_inside_a_control_is_not_read() {
        assert!(inside(&[0x30, 3, 2, 1, 7]).is_some());
        assert!(inside(&[0x30, 9]).is_none());
        let mut nest = vec![0x30, 0x00];
        for _ in 0..20 {
            nest.splice(0..0, [0x30, u8::try_from(nest.len()).unwrap()]);
        }
        assert!(inside(&nest).is_none());
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
}
