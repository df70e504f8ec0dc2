//! What a conversation waits for beside its client's words: room to write, and what the rest of the house says.

use bytes::BytesMut;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::Guest;
use crate::mqtt::Reason;

/// One step of writing.
pub(super) enum Pushed {
    Written,
    Flushed,
}

/// Writes what there is, or flushes what was written. May be dropped and called again at any moment.
pub(super) async fn push<W: AsyncWrite + Unpin>(
    writer: &mut W,
    output: &mut BytesMut,
) -> std::io::Result<Pushed> {
    if output.is_empty() {
        return writer.flush().await.map(|()| Pushed::Flushed);
    }
    writer.write_buf(output).await.map(|_| Pushed::Written)
}

/// What the rest of the house says to a connection.
pub(super) enum Call {
    /// There may be something to read.
    Bell,
    /// Somebody else ended it.
    Ending(Reason),
}

/// Waits for a call; there is none before there is a session.
pub(super) async fn call(guest: &mut Option<Guest>, listening: bool) -> Call {
    let Some(guest) = guest else { return std::future::pending().await };
    tokio::select! {
        // The end first: a bell that rings for the next connection must not be answered by this one.
        biased;
        reason = &mut guest.ending => Call::Ending(reason.unwrap_or(Reason::SessionTakenOver)),
        () = guest.attached.session.bell.notified(), if listening => Call::Bell,
    }
}
