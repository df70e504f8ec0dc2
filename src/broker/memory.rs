//! What queues and retained messages hold in memory, all together and about: so that the house can refuse before the
//! system has none left.
//!
//! One number for the process. Who holds something keeps a [`Load`], which takes its part away again when it goes.

use std::sync::atomic::{AtomicUsize, Ordering};

static ALL: AtomicUsize = AtomicUsize::new(0);

/// A part that changes little by little is told in steps of this size: the number is touched seldom, and a little
/// wrong.
const STEP: usize = 4096;

/// Bytes that all hold together.
pub(super) fn held() -> usize {
    ALL.load(Ordering::Relaxed)
}

/// One holder's part.
#[derive(Default)]
pub(super) struct Load {
    bytes: usize,
    told: usize,
}

impl Load {
    /// So many from the first moment.
    pub(super) fn new(bytes: usize) -> Self {
        ALL.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes, told: bytes }
    }

    pub(super) fn more(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.tell();
    }

    pub(super) fn less(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.tell();
    }

    fn tell(&mut self) {
        if self.bytes.abs_diff(self.told) < STEP {
            return;
        }
        match self.bytes.checked_sub(self.told) {
            Some(more) => ALL.fetch_add(more, Ordering::Relaxed),
            None => ALL.fetch_sub(self.told - self.bytes, Ordering::Relaxed),
        };
        self.told = self.bytes;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        ALL.fetch_sub(self.told, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_known_to_a_step() {
        let mut held = Load::new(10);
        held.more(STEP);
        held.more(3);
        assert_eq!((held.bytes, held.told), (STEP + 13, STEP + 10));
        held.less(STEP + 13);
        assert_eq!((held.bytes, held.told), (0, 0));
        assert!(super::held() < usize::MAX / 2, "nothing is taken away twice");
    }
}
