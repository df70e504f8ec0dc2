//! Buffers of the thread that takes a turn, so that connections at rest hold none.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes read at once.
const READ: usize = 64 * 1024;
/// What is kept of an output buffer between turns.
const KEEP: usize = 512 * 1024;

thread_local! {
    pub(super) static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

#[derive(Default)]
pub(super) struct Scratch {
    input: Vec<u8>,
    output: BytesMut,
}

impl Scratch {
    /// Reads what has come; nothing means that the other side has closed.
    pub(super) fn read<S: AsyncRead>(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<&[u8]>> {
        self.input.resize(READ, 0);
        let mut buffer = ReadBuf::new(&mut self.input);
        ready!(stream.poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        Poll::Ready(Ok(self.input.get(..count).unwrap_or_default()))
    }

    /// Lends the thread's output buffer, unless the connection still has something of its own to send.
    pub(super) fn lend(&mut self, output: &mut BytesMut) {
        if output.is_empty() {
            self.output.clear();
            std::mem::swap(&mut self.output, output);
        }
    }

    /// Takes the buffer back; the connection keeps only what could not be sent, in a buffer of its own.
    pub(super) fn take_back(&mut self, output: &mut BytesMut) {
        if self.output.capacity() == 0 {
            let rest = if output.is_empty() { BytesMut::new() } else { BytesMut::from(&output[..]) };
            self.output = std::mem::replace(output, rest);
            if self.output.capacity() > KEEP {
                self.output = BytesMut::new();
            }
        } else if output.is_empty() {
            *output = BytesMut::new();
        }
    }
}

/// Forgets what was sent; a buffer that is empty begins at its start again.
pub(super) fn written(output: &mut BytesMut, count: usize) {
    if count >= output.len() { output.clear() } else { output.advance(count) }
}
