//! WebSocket frames as a stream of bytes (RFC 6455 section 5), which is all that MQTT needs of them.
//!
//! Packets need not align with frames [MQTT-6.0.0-2], so payload is unmasked where it was read and handed on at once:
//! nothing is gathered, and a connection at rest holds no buffers. What is written in one go becomes one binary frame.

mod decoder;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use decoder::{Decoder, Heard};

/// Payload of the largest frame that is written: what a client that does not read makes us promise.
const LARGEST: usize = 64 * 1024;

/// The server's end of a WebSocket.
pub(crate) struct Frames<S> {
    stream: S,
    /// What came right behind the handshake.
    early: Bytes,
    decoder: Decoder,
    /// Whole frames, or the rest of a header, that are still to be written.
    due: Vec<u8>,
    /// How much payload the frame that has begun still needs.
    open: usize,
    /// The last ping that was not answered yet; older ones need no answer (RFC 6455 section 5.5.3).
    ping: Option<Vec<u8>>,
    /// Why it is to be closed.
    closing: Option<CloseCode>,
    /// The close frame was written, or stands in `due`: nothing may follow it.
    closed: bool,
    /// Nothing more is to be heard.
    over: bool,
}

impl<S> Frames<S> {
    /// On a stream whose handshake is done; `most` bounds a message.
    pub(super) fn new(stream: S, early: Bytes, most: u64) -> Self {
        Self {
            stream,
            early,
            decoder: Decoder::new(most),
            due: Vec::new(),
            open: 0,
            ping: None,
            closing: None,
            closed: false,
            over: false,
        }
    }

    /// Puts the next frame that is not MQTT's in line. Such frames stand between others, never within one.
    fn line_up(&mut self) -> bool {
        if self.open > 0 || self.closed {
            return false;
        }
        if let Some(payload) = self.ping.take() {
            self.put(OpCode::Control(Control::Pong), &payload);
            return true;
        }
        if let Some(code) = self.closing.take() {
            self.closed = true;
            self.put(OpCode::Control(Control::Close), &u16::from(code).to_be_bytes());
            return true;
        }
        false
    }

    fn put(&mut self, opcode: OpCode, payload: &[u8]) {
        self.due.extend(header(opcode, payload.len()));
        self.due.extend(payload);
    }

    fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Ping(payload) => self.ping = Some(payload),
            Heard::Close(code) => {
                self.closing = Some(code);
                self.over = true;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Writes what must go before anything else: the rest of a header, answers to pings, the close frame.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while !self.due.is_empty() {
                let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.due))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.due.drain(..count);
            }
            if !self.line_up() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// The same on the occasion of a read, which waits for none of it.
    fn answer(&mut self, cx: &mut Context<'_>) {
        if self.poll_due(cx).is_ready() {
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Frames<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while !this.over && buf.remaining() > 0 {
            if this.ping.is_some() {
                this.answer(cx);
            }
            let before = buf.filled().len();
            if this.early.is_empty() {
                ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            } else {
                buf.put_slice(&this.early.split_to(this.early.len().min(buf.remaining())));
            }
            let (_, came) = buf.filled_mut().split_at_mut(before);
            if came.is_empty() {
                this.over = true;
                break;
            }
            let mut heard = Vec::new();
            let taken = this.decoder.take(came, &mut heard);
            heard.into_iter().for_each(|heard| this.heard(heard));
            match taken {
                Ok(kept) => {
                    buf.set_filled(before + kept);
                    if this.ping.is_some() || this.over {
                        this.answer(cx);
                    }
                    if kept > 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                Err(fault) => {
                    tracing::info!(why = fault.why, "a WebSocket was closed for a fault");
                    buf.set_filled(before);
                    this.over = true;
                    this.closing = Some(fault.code);
                    this.answer(cx);
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault.why)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            ready!(this.poll_due(cx))?;
            if this.closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if bytes.is_empty() {
                return Poll::Ready(Ok(0));
            }
            if this.open > 0 {
                let part = bytes.get(..this.open).unwrap_or(bytes);
                let count = ready!(Pin::new(&mut this.stream).poll_write(cx, part))?;
                this.open -= count;
                return Poll::Ready(Ok(count));
            }
            // Nothing is promised before some of it went: a caller that gives up now may come with less next time.
            let payload = bytes.get(..LARGEST).unwrap_or(bytes);
            let mut header = header(OpCode::Data(Data::Binary), payload.len());
            let both = [IoSlice::new(&header), IoSlice::new(payload)];
            let count = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, &both))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let taken = count.saturating_sub(header.len());
            this.open = payload.len() - taken;
            this.due = header.split_off(count.min(header.len()));
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_due(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.closed {
            this.closing.get_or_insert(CloseCode::Normal);
        }
        ready!(this.poll_due(cx))?;
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

/// The header of a frame that is a whole message; a server masks nothing (RFC 6455 section 5.1).
fn header(opcode: OpCode, length: usize) -> Vec<u8> {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let mut bytes = Vec::new();
    // Memory takes any bytes.
    let _ = header.format(length as u64, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// The frames that a client hears: kind and payload.
    fn parse(mut bytes: &[u8]) -> Vec<(OpCode, Vec<u8>)> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let mut cursor = Cursor::new(bytes);
            let (header, length) = FrameHeader::parse(&mut cursor).expect("a frame").expect("a whole header");
            let (payload, rest) = bytes[cursor.position() as usize..].split_at(length as usize);
            frames.push((header.opcode, payload.to_vec()));
            bytes = rest;
        }
        frames
    }

    #[tokio::test]
    async fn what_is_written_arrives_through_the_narrowest_line_and_pongs_stand_between_frames() {
        for width in [1, 7, 100, 1 << 20] {
            let (server, mut client) = duplex(width);
            let ping = [&[0x89, 0x82, 0, 0, 0, 0][..], b"hi"].concat();
            let mut frames = Frames::new(server, Bytes::from(ping), 1 << 20);
            let said: Vec<u8> = (0..200_000u32).map(|number| number as u8).collect();
            let all = said.clone();
            let talk = async move {
                let mut nothing = [0; 16];
                // The ping is heard while a large frame is on its way; nothing else comes.
                tokio::select! {
                    biased;
                    _ = frames.read(&mut nothing) => panic!("nothing was said"),
                    () = tokio::task::yield_now() => {}
                }
                frames.write_all(&all).await.expect("written");
                frames.shutdown().await.expect("closed");
            };
            let mut heard = Vec::new();
            let (_, read) = tokio::join!(talk, client.read_to_end(&mut heard));
            read.expect("read");
            let (mut payload, mut others) = (Vec::new(), Vec::new());
            for (kind, part) in parse(&heard) {
                match kind {
                    OpCode::Data(Data::Binary) => payload.extend(part),
                    kind => others.push((kind, part)),
                }
            }
            assert!(payload == said, "width {width}: {} bytes", payload.len());
            let pong = (OpCode::Control(Control::Pong), b"hi".to_vec());
            let close = (OpCode::Control(Control::Close), vec![3, 232]);
            assert_eq!(others, [pong, close], "width {width}");
        }
    }

    #[tokio::test]
    async fn what_came_before_a_close_is_heard_and_the_close_is_answered() {
        let (server, mut client) = duplex(1024);
        let mut frames = Frames::new(server, Bytes::new(), 1024);
        client.write_all(&[0x82, 0x81, 0, 0, 0, 0, 7, 0x88, 0x82, 0, 0, 0, 0, 3, 233]).await.expect("sent");
        let mut heard = Vec::new();
        frames.read_to_end(&mut heard).await.expect("an end");
        assert_eq!(heard, [7]);
        assert!(frames.write_all(b"x").await.is_err(), "nothing follows a close");
        drop(frames);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("read");
        assert_eq!(answer, [0x88, 2, 3, 233]);
    }
}
