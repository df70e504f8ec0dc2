//! The gate: how far a server may run ahead of whoever reads its answers.
//!
//! The protocol library queues entries without a bound. Whoever stores a hundred thousand people is slower than a
//! server that sends them, so the relay waits here, and the server with it, once enough lies unread.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Counts what was let through and not yet read.
pub(crate) struct Gate {
    room: Semaphore,
    /// The cost of each message let through, oldest first. Searches may take each other's; the sum comes out right.
    unread: Mutex<VecDeque<u32>>,
}

/// Kibibytes on the wire. In memory an entry takes several times as much.
const ROOM: u32 = 4 << 10;

impl Gate {
    pub(crate) fn new() -> Self {
        Self { room: Semaphore::new(ROOM as usize), unread: Mutex::default() }
    }

    /// Waits until a message of this length may pass.
    pub(crate) async fn enter(&self, length: usize) {
        let cost = cost(length);
        if let Ok(room) = self.room.acquire_many(cost).await {
            self.let_in(room, cost);
        }
    }

    /// Whether it may pass now, and has.
    pub(crate) fn enter_at_once(&self, length: usize) -> bool {
        let cost = cost(length);
        self.room.try_acquire_many(cost).map(|room| self.let_in(room, cost)).is_ok()
    }

    fn let_in(&self, room: SemaphorePermit<'_>, cost: u32) {
        room.forget();
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).push_back(cost);
    }

    /// Notes that one message was read.
    pub(crate) fn leave(&self) {
        let cost = self.unread.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        self.room.add_permits(cost.unwrap_or(0) as usize);
    }
}

/// One that is longer than all the room passes when nothing else is unread.
fn cost(length: usize) -> u32 {
    u32::try_from(length / 1024 + 1).unwrap_or(ROOM).min(ROOM)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_runs_ahead_waits_until_something_was_read() {
        let gate = Gate::new();
        gate.enter(3 << 20).await;
        let second = tokio::time::timeout(Duration::from_secs(1), gate.enter(2 << 20));
        assert!(second.await.is_err(), "five MiB are unread");
        gate.leave();
        gate.enter(1 << 30).await;
        gate.leave();
        gate.enter(10).await;
    }
}
