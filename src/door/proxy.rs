//! PROXY protocol, version 2: a proxy in front of a door says first where the client really is.
//!
//! The header is demanded, and read to its last byte and no further, because TLS or MQTT begins right behind it. It
//! can claim any address, so nothing but the proxy should reach such a door.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What every header begins with (PROXY protocol, section 2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family, and the length of the rest.
const FIXED: usize = 16;
/// No proxy has more to say; the largest part of it would be a client certificate's names.
const MOST: usize = 4096;

/// Reads the header. `None` where the proxy speaks for itself (LOCAL), or of a client without an internet address.
pub(super) async fn address(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut header = Vec::with_capacity(FIXED);
    while header.len() < FIXED {
        let missing = (FIXED - header.len()) as u64;
        if (&mut *stream).take(missing).read_buf(&mut header).await? == 0 {
            return Err(malformed("the connection ended before its PROXY header"));
        }
        // Somebody who speaks TLS or MQTT at once need not be waited for.
        if header.iter().zip(SIGNATURE).any(|(came, wanted)| came != wanted) {
            return Err(malformed("it does not begin with a PROXY header of version 2"));
        }
    }
    let length = match header.as_slice() {
        [.., high, low] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    };
    if length > MOST {
        return Err(malformed("a PROXY header too long"));
    }
    stream.take(length as u64).read_to_end(&mut header).await?;
    let only_v2 = ParseConfig { include_tlvs: false, allow_v1: false, allow_v2: true };
    let (header, _) =
        ProxyHeader::parse(&header, only_v2).map_err(|_| malformed("a malformed PROXY header"))?;
    Ok(header.proxied_address().map(|address| address.source))
}

fn malformed(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proxy_header::ProxiedAddress;

    use super::*;

    fn read(bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, usize) {
        let mut rest = bytes;
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let read = runtime.block_on(address(&mut rest));
        (read, rest.len())
    }

    fn header(source: &str) -> Vec<u8> {
        let source: SocketAddr = source.parse().expect("an address");
        let mut bytes = Vec::new();
        let header = ProxyHeader::with_address(ProxiedAddress::stream(source, source));
        header.encode_v2(&mut bytes).expect("memory");
        bytes
    }

    #[test]
    fn the_address_is_read_and_nothing_behind_it() {
        for source in ["192.0.2.7:1024", "[2001:db8::7]:1024"] {
            let bytes = [header(source), b"MQTT".to_vec()].concat();
            let (address, rest) = read(&bytes);
            assert_eq!((address.expect("a header"), rest), (source.parse().ok(), 4));
        }
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        let mut bytes = Vec::new();
        ProxyHeader::with_local().encode_v2(&mut bytes).expect("memory");
        assert_eq!(read(&bytes).0.expect("a header"), None);
    }

    #[test]
    fn version_1_and_other_protocols_are_refused_at_their_first_byte() {
        for bytes in [&b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"[..], b"\x16\x03\x01", b"\x10\x10\0\x04MQTT"]
        {
            assert!(read(bytes).0.is_err());
        }
    }

    #[test]
    fn a_header_that_ends_early_is_refused() {
        let whole = header("192.0.2.7:1024");
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).0.is_err(), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn whatever_follows_the_signature_harms_nobody(rest in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&[SIGNATURE, &rest].concat());
        }
    }
}
