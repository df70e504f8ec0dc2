//! A token bucket as one number: the moment at which it is full again (the generic cell rate algorithm, ITU-T I.371
//! annex A). It holds what one second brings.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// Times are nanoseconds on a clock that the caller keeps.
#[derive(Default)]
pub(super) struct Bucket {
    full_at: AtomicU64,
}

impl Bucket {
    /// Takes one; `false` when there is none.
    pub(super) fn take(&self, per_second: u64, now: u64) -> bool {
        let after = |full: u64| full.max(now).saturating_add(cost(1, per_second));
        let most = now.saturating_add(SECOND);
        let fits = |full: u64| Some(after(full)).filter(|after| *after <= most);
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    /// Takes so many, also where it has less: how long until nothing is owed to it.
    pub(super) fn charge(&self, count: u64, per_second: u64, now: u64) -> Duration {
        let after = |full: u64| full.max(now).saturating_add(cost(count, per_second));
        let before =
            self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| Some(after(full)));
        let full_at = before.map_or_else(after, after);
        Duration::from_nanos(full_at.saturating_sub(now.saturating_add(SECOND)))
    }

    pub(super) fn is_full(&self, now: u64) -> bool {
        self.full_at.load(Ordering::Relaxed) <= now
    }
}

/// How long it takes until so many have come.
fn cost(count: u64, per_second: u64) -> u64 {
    let nanos = u128::from(count) * u128::from(SECOND) / u128::from(per_second.max(1));
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_a_second_brings_and_then_as_time_goes() {
        let (bucket, start) = (Bucket::default(), 5 * SECOND);
        let taken = |now: u64| (0..100).take_while(|_| bucket.take(10, now)).count();
        assert_eq!(taken(start), 10);
        assert_eq!(taken(start + SECOND / 10 - 1), 0);
        assert_eq!(taken(start + SECOND / 2), 5);
        assert!(!bucket.is_full(start + SECOND) && bucket.is_full(start + 3 * SECOND));
        assert_eq!(taken(start + 100 * SECOND), 10);
    }

    #[test]
    fn what_is_taken_beyond_is_waited_for() {
        let bucket = Bucket::default();
        assert_eq!(bucket.charge(10, 10, 0), Duration::ZERO);
        assert_eq!(bucket.charge(5, 10, 0), Duration::from_millis(500));
        assert_eq!(bucket.charge(0, 10, SECOND / 2), Duration::ZERO);
        assert_eq!(bucket.charge(1, 10, SECOND / 2), Duration::from_millis(100));
    }

    #[test]
    fn billions_a_second_lose_nothing_to_rounding() {
        let bucket = Bucket::default();
        let rate = 2 << 30;
        (0..1000).for_each(|_| _ = bucket.charge(2 << 20, rate, 0));
        let wait = bucket.charge(24 << 21, rate, 0);
        assert!(wait < Duration::from_micros(10), "{wait:?}");
    }
}
