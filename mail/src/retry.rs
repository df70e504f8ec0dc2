//! Retry table: when to try again, and when to give up.
//!
//! The first waits are short, because most troubles are; the last one repeats until the envelope expires
//! (RFC 5321 §4.5.4.1 asks for four to five days). The table is a function of values and holds no state.

use std::num::NonZeroU32;
use std::time::Duration;

use time::OffsetDateTime;

/// How long to wait after each failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryTable {
    waits: Vec<Duration>,
    minimum: Duration,
    expiry: Duration,
}

impl Default for RetryTable {
    /// 2, 5, 10, 15 and 30 minutes, 1 hour, then every 2 hours until 5 days have passed.
    fn default() -> Self {
        let waits = [2, 5, 10, 15, 30, 60, 120].map(|minutes| Duration::from_secs(60 * minutes));
        Self { waits: waits.to_vec(), minimum: Duration::ZERO, expiry: Duration::from_secs(5 * 24 * 3600) }
    }
}

impl RetryTable {
    /// The same table `times` as fast, expiry included, for a demonstration.
    pub fn faster(mut self, times: NonZeroU32) -> Self {
        self.waits.iter_mut().for_each(|wait| *wait /= times.get());
        self.expiry /= times.get();
        self
    }

    /// The same table, but no wait is shorter than `minimum`.
    pub fn at_least(mut self, minimum: Duration) -> Self {
        self.minimum = minimum;
        self
    }

    /// The same table, giving up `expiry` after the first attempt.
    pub fn expiring_after(mut self, expiry: Duration) -> Self {
        self.expiry = expiry;
        self
    }

    /// The moment of the next attempt, when `attempts` have failed so far, the first of them at `first_at`.
    ///
    /// `None` when the envelope has expired. The last attempt falls on the moment of expiry.
    pub fn next(
        &self,
        attempts: u32,
        first_at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Option<OffsetDateTime> {
        let Some(row) = attempts.checked_sub(1) else { return Some(now) };
        let row = usize::try_from(row).unwrap_or(usize::MAX).min(self.waits.len().saturating_sub(1));
        let wait = self.waits.get(row).copied().unwrap_or_default().max(self.minimum);
        let expires = later(first_at, self.expiry)?;
        // A clock that was set back does not give an envelope a second life before its first attempt.
        (now < expires).then(|| later(now, wait).map_or(expires, |due| due.min(expires)))
    }
}

fn later(moment: OffsetDateTime, by: Duration) -> Option<OffsetDateTime> {
    moment.checked_add(time::Duration::try_from(by).ok()?)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-21 08:00 UTC);

    #[test]
    fn the_waits_grow_and_the_last_one_repeats() {
        let table = RetryTable::default();
        let minutes =
            |attempts| (table.next(attempts, START, START).expect("not expired") - START).whole_minutes();
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 8, 100].map(minutes), [2, 5, 10, 15, 30, 60, 120, 120, 120]);
        assert_eq!(minutes(0), 0, "an envelope that was never tried is due");
    }

    #[test]
    fn an_envelope_is_tried_a_last_time_at_its_expiry_and_then_given_up() {
        let table = RetryTable::default();
        let expiry = START + time::Duration::days(5);
        assert_eq!(table.next(60, START, expiry - time::Duration::minutes(30)), Some(expiry));
        assert_eq!(table.next(61, START, expiry), None);
    }

    #[test]
    fn following_the_table_ends_after_five_days() {
        let (table, mut now, mut attempts) = (RetryTable::default(), START, 1);
        while let Some(next) = table.next(attempts, START, now) {
            assert!(next > now, "every step goes forward");
            (now, attempts) = (next, attempts + 1);
        }
        assert_eq!((now - START).whole_days(), 5);
        assert!((60..80).contains(&attempts), "{attempts}");
    }

    #[test]
    fn a_demonstration_can_be_faster_but_not_frantic() {
        let sixty = NonZeroU32::new(60).expect("not zero");
        let table = RetryTable::default().faster(sixty).at_least(Duration::from_secs(3));
        let seconds =
            |attempts| (table.next(attempts, START, START).expect("not expired") - START).whole_seconds();
        assert_eq!([1, 2, 3].map(seconds), [3, 5, 10]);
        assert_eq!(table.next(9, START, START + time::Duration::hours(2)), None);
        assert_eq!(RetryTable::default().expiring_after(Duration::ZERO).next(1, START, START), None);
    }

    #[test]
    fn the_end_of_time_is_an_expiry_and_not_a_panic() {
        let end = datetime!(9999-12-31 23:59 UTC);
        assert_eq!(RetryTable::default().next(1, end, end), None);
        assert_eq!(
            RetryTable::default().at_least(Duration::MAX).next(u32::MAX, START, START),
            Some(START + time::Duration::days(5))
        );
    }
}
