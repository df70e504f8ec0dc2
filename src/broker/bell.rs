//! The bell: how the rest of the house wakes one connection and says what for.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

use crate::mqtt::Reason;

/// One connection's bell.
#[derive(Default)]
pub(crate) struct Bell {
    waker: AtomicWaker,
    rung: AtomicU8,
    /// Code of the reason with which the connection is to end.
    ending: AtomicU8,
}

/// What the bell was rung for since it was last answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rung(u8);

/// Something is in the queue.
const QUEUE: u8 = 1;
/// There may be rows of chat to read.
const ROWS: u8 = 2;
/// The connection is over.
const END: u8 = 4;

impl Bell {
    /// There is something in the session's queue.
    pub(crate) fn ring(&self) {
        self.sound(QUEUE);
    }

    /// There may be chat to read from the store.
    pub(crate) fn ring_rows(&self) {
        self.sound(ROWS);
    }

    /// Ends the connection; `false` when it was told before.
    pub(crate) fn end(&self, reason: Reason) -> bool {
        let first =
            self.ending.compare_exchange(0, reason.code(), Ordering::AcqRel, Ordering::Acquire).is_ok();
        self.sound(END);
        first
    }

    /// Why the connection is to end, once somebody said so.
    pub(crate) fn ending(&self) -> Option<Reason> {
        match self.ending.load(Ordering::Acquire) {
            0 => None,
            code => Reason::from_byte(code),
        }
    }

    /// What it was rung for. From now on it wakes `waker`.
    pub(crate) fn answer(&self, waker: &Waker) -> Rung {
        self.waker.register(waker);
        if self.rung.load(Ordering::Acquire) == 0 {
            return Rung(0);
        }
        Rung(self.rung.swap(0, Ordering::AcqRel))
    }

    fn sound(&self, what: u8) {
        // Rung already is rung enough, unless it was for something else.
        if self.rung.fetch_or(what, Ordering::AcqRel) & what == 0 {
            self.waker.wake();
        }
    }
}

impl Rung {
    pub(crate) fn queue(self) -> bool {
        self.0 & QUEUE != 0
    }

    pub(crate) fn rows(self) -> bool {
        self.0 & ROWS != 0
    }

    pub(crate) fn end(self) -> bool {
        self.0 & END != 0
    }
}
