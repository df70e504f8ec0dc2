//! Wire: the bytes to and from a relay, with the guards that keep a broken or hostile relay harmless.
//!
//! A reply reaches the client line by line, each of them bounded, printable and in the one form that every parser
//! reads; lettre alone takes endless lines, and panics on an EHLO line of blanks. A relay that speaks before it is
//! asked is cut off: with STARTTLS, such words would be believed as if they had come through TLS (RFC 3207 §6).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection to a relay.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    peer: SocketAddr,
    /// Came in, and is not yet a line.
    raw: Vec<u8>,
    /// A checked line that waits to be read.
    line: Vec<u8>,
    /// Octets of the current reply.
    heard: usize,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// One whole reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Wire {
    pub(super) fn plain(stream: TcpStream, peer: SocketAddr) -> Self {
        Self { stream: Stream::Plain(stream), peer, raw: Vec::new(), line: Vec::new(), heard: 0 }
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>, peer: SocketAddr) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), peer, raw: Vec::new(), line: Vec::new(), heard: 0 }
    }

    /// The same wire, on which the next reply read will be a greeting. After STARTTLS a relay does not greet again, but
    /// lettre begins every connection by reading one.
    pub(super) fn greeted(mut self) -> Self {
        self.line = b"220 protected\r\n".to_vec();
        self
    }

    /// Reads one reply.
    pub(super) async fn reply(&mut self) -> io::Result<Reply> {
        let mut lines = Vec::new();
        let mut buffer = [0; LONGEST_LINE];
        loop {
            // A read gives one line at most, and a line fits into the buffer.
            let count = self.read(&mut buffer).await?;
            let line = String::from_utf8_lossy(&buffer[..count]);
            let code = line.get(..3).and_then(|code| code.parse().ok()).ok_or(ErrorKind::UnexpectedEof)?;
            lines.push(line.get(4..).unwrap_or_default().trim_end().to_owned());
            if line.get(3..4) == Some(" ") {
                return Ok(Reply { code, lines });
            }
        }
    }

    /// The connection without its guards, to be wrapped into TLS.
    pub(super) fn into_tcp(self) -> io::Result<TcpStream> {
        match self.stream {
            Stream::Plain(stream) if self.raw.is_empty() && self.line.is_empty() => Ok(stream),
            _ => Err(out_of_turn()),
        }
    }
}

/// One line as every parser reads it: code, separator, printable text, CRLF.
fn checked(raw: &[u8]) -> io::Result<Vec<u8>> {
    let text = raw.trim_ascii_end();
    let (code, rest) = text.split_at_checked(3).ok_or_else(not_smtp)?;
    if !matches!(code, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']) {
        return Err(not_smtp());
    }
    // RFC 5321 §4.2: the text may be missing altogether, and its space with it.
    let (separator, rest) = match rest {
        [] => (b' ', rest),
        [separator @ (b' ' | b'-'), text @ ..] => (*separator, text),
        _ => return Err(not_smtp()),
    };
    let printable = rest.iter().map(|byte| if (b' '..=b'~').contains(byte) { *byte } else { b'?' });
    Ok(code.iter().copied().chain([separator]).chain(printable).chain(*b"\r\n").collect())
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.line.is_empty() {
                let count = self.line.len().min(out.remaining());
                out.put_slice(&self.line[..count]);
                self.line.drain(..count);
                return Poll::Ready(Ok(()));
            }
            if let Some(end) = self.raw.iter().position(|byte| *byte == b'\n') {
                let raw: Vec<u8> = self.raw.drain(..=end).collect();
                self.line = checked(&raw)?;
                continue;
            }
            if self.raw.len() >= LONGEST_LINE - 2 || self.heard > LONGEST_REPLY {
                return Poll::Ready(Err(not_smtp()));
            }
            let mut space = [0; LONGEST_LINE / 2 - 1];
            let mut fresh = ReadBuf::new(&mut space);
            ready!(self.stream.poll_read(cx, &mut fresh))?;
            if fresh.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.heard += fresh.filled().len();
            self.raw.extend_from_slice(fresh.filled());
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.raw.is_empty() || !self.line.is_empty() {
            return Poll::Ready(Err(out_of_turn()));
        }
        self.heard = 0;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, out),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

fn not_smtp() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the relay does not speak SMTP")
}

fn out_of_turn() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the relay spoke out of turn")
}

/// RFC 5321 §4.5.3.1.5 says 512; generous servers exist.
const LONGEST_LINE: usize = 1000;
const LONGEST_REPLY: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// A wire whose relay has said `words` and hung up.
    async fn hearing(words: &[u8]) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let peer = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(peer).await.expect("connected");
        let (mut relay, _) = listener.accept().await.expect("accepted");
        relay.write_all(words).await.expect("written");
        Wire::plain(stream, peer)
    }

    #[tokio::test]
    async fn a_reply_is_read_to_its_last_line_and_cleaned() {
        let mut wire = hearing(b"250-mx \x07hello\r\n250-   \r\n250\n").await;
        let reply = wire.reply().await.expect("a reply");
        assert_eq!(
            (reply.code, reply.lines),
            (250, vec!["mx ?hello".to_owned(), String::new(), String::new()])
        );
    }

    #[tokio::test]
    async fn what_is_not_smtp_is_cut_off() {
        let endless = [b'2'; 4000];
        let unending = b"250-x\r\n".repeat(4000);
        for words in [
            b"HTTP/1.1 400 Bad Request\r\n".as_slice(),
            b"25\r\n",
            b"999 x\r\n",
            b"250x\r\n",
            b"",
            &endless,
            &unending,
        ] {
            hearing(words).await.reply().await.expect_err("not a reply");
        }
    }

    #[tokio::test]
    async fn a_relay_that_speaks_out_of_turn_is_not_heard() {
        let mut wire = hearing(b"220 go ahead\r\n250 injected\r\n").await;
        assert_eq!(wire.reply().await.expect("a reply").code, 220);
        wire.write_all(b"EHLO x\r\n").await.expect_err("out of turn");
        wire.into_tcp().expect_err("out of turn");
    }
}
