//! Pauses: how long to leave a failing directory alone.

use std::time::Duration;

use uuid::Uuid;

use crate::connector::REFUSED_FOR;
use crate::error::Error;

/// Doubles with every failure in a row, from half a second to half a minute.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

impl Pause {
    /// Something went well again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after this failure: up to a quarter more or less, so that many do not come back at once.
    pub(super) fn after(&mut self, error: &Error) -> Duration {
        let doubled = LONGEST.min(FIRST * 2u32.saturating_pow(self.failures.min(10)));
        let whole = if error.is_about_us() { REFUSED_FOR } else { doubled };
        self.failures += 1;
        let percent = 75 + u32::from(Uuid::new_v4().as_bytes()[0]) * 50 / 255;
        whole * percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_vary_and_begin_anew() {
        let mut pause = Pause::default();
        let lost = Error::Busy;
        for (least, most) in [(375, 625), (750, 1250), (1500, 2500)] {
            let waited = pause.after(&lost).as_millis();
            assert!((least..=most).contains(&waited), "{waited}");
        }
        let later: Vec<_> = (0..40).map(|_| pause.after(&lost)).collect();
        assert!(
            later.iter().all(|waited| *waited <= LONGEST * 5 / 4)
                && later[10..].iter().all(|w| *w >= LONGEST * 3 / 4)
        );
        assert!(later[10..].windows(2).any(|two| two[0] != two[1]));
        pause.reset();
        assert!(pause.after(&lost) < Duration::from_secs(1));
        let refused = Error::ServiceAccount { server: "s".to_owned(), code: 49, text: String::new() };
        assert!(pause.after(&refused) > Duration::from_secs(20));
    }
}
