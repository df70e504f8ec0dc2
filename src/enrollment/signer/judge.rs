//! The judge: what the signer issues, and how much. It believes nobody, not even the house it signs for.

use std::collections::HashSet;
use std::time::Duration;

use chancery_ca as ca;

use super::wire::{Crl, Issue};
use super::{Config, Refusal};
use crate::enrollment::{self, crl};
use crate::time::Timestamp;

/// The rules, and what was issued under them.
pub(super) struct Judge {
    profiles: Vec<ca::Profile>,
    authority: enrollment::Config,
    skew: Duration,
    windows: [Window; 3],
    /// Every serial that was ever asked for.
    used: HashSet<ca::Serial>,
}

/// So many in each second, minute or day of the calendar.
struct Window {
    length: Duration,
    most: u64,
    /// Which second, minute or day it is.
    current: i64,
    count: u64,
}

impl Judge {
    pub(super) fn new(rules: &Config, authority: &enrollment::Config) -> Self {
        let window =
            |seconds, most| Window { length: Duration::from_secs(seconds), most, current: 0, count: 0 };
        let windows = [
            window(1, rules.issued_per_second),
            window(60, rules.issued_per_minute),
            window(86_400, rules.issued_per_day),
        ];
        let (profiles, skew) = (rules.profiles(), rules.clock_skew.0);
        Self { profiles, authority: authority.clone(), skew, windows, used: HashSet::new() }
    }

    /// What an earlier run has issued counts like what this one does.
    pub(super) fn remember(&mut self, serial: ca::Serial, at: Timestamp) {
        self.used.insert(serial);
        self.windows.iter_mut().for_each(|window| window.count(at));
    }

    /// Whether this is issued now. If so it is counted, and its serial used up, whatever becomes of it.
    pub(super) fn may_issue(&mut self, asked: &Issue, now: Timestamp) -> Result<(), Refusal> {
        self.same_time(asked.now, now)?;
        let (profile, validity) = (asked.profile, asked.validity);
        if !self.profiles.contains(&profile) {
            return Err(Refusal::Profile { profile: profile.to_string() });
        }
        if validity > self.authority.validity(profile) {
            return Err(Refusal::Validity { profile: profile.to_string(), seconds: validity.as_secs() });
        }
        if self.used.contains(&asked.serial) {
            return Err(Refusal::Serial { serial: asked.serial.to_string() });
        }
        if let Some(full) = self.windows.iter().find(|window| window.is_full(now)) {
            return Err(Refusal::Often { most: full.most, seconds: full.length.as_secs() });
        }
        self.remember(asked.serial, now);
        Ok(())
    }

    /// Whether this list is signed now. One that is good for long would hide whatever is taken back meanwhile.
    pub(super) fn may_list(&self, asked: &Crl, now: Timestamp) -> Result<(), Refusal> {
        self.same_time(asked.now, now)?;
        match asked.next_update > asked.now.after(crl::LIFE) {
            true => Err(Refusal::List { until: asked.next_update }),
            false => Ok(()),
        }
    }

    pub(super) fn same_time(&self, theirs: Timestamp, own: Timestamp) -> Result<(), Refusal> {
        match theirs.since(own).max(own.since(theirs)) > self.skew {
            true => Err(Refusal::Clock { own, theirs }),
            false => Ok(()),
        }
    }
}

impl Window {
    fn count(&mut self, at: Timestamp) {
        let which = self.at(at);
        if which != self.current {
            (self.current, self.count) = (which, 0);
        }
        self.count += 1;
    }

    fn is_full(&self, now: Timestamp) -> bool {
        self.at(now) == self.current && self.count >= self.most
    }

    fn at(&self, at: Timestamp) -> i64 {
        at.micros().div_euclid(i64::try_from(self.length.as_micros()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Der;
    use super::*;
    use crate::time::Span;

    const NOON: Timestamp = Timestamp::from_micros(1_795_262_400_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    fn judge() -> Judge {
        let rules = Config {
            profiles: Some(vec!["client".into(), "device".into()]),
            issued_per_second: 2,
            issued_per_minute: 3,
            issued_per_day: 4,
            clock_skew: Span(MINUTE),
            ..Config::default()
        };
        Judge::new(&rules, &enrollment::Config::default())
    }

    fn asked(now: Timestamp) -> Issue {
        Issue {
            spki: Der(Vec::new()),
            subject: ca::Subject::default(),
            profile: ca::Profile::Client,
            validity: DAY,
            serial: ca::Serial::random().unwrap(),
            issuer: String::new(),
            now,
        }
    }

    #[test]
    fn a_serial_is_issued_once_also_after_a_restart() {
        let (mut judge, first) = (judge(), asked(NOON));
        assert_eq!(judge.may_issue(&first, NOON), Ok(()));
        let again = Refusal::Serial { serial: first.serial.to_string() };
        assert_eq!(judge.may_issue(&first, NOON), Err(again.clone()));
        let mut restarted = self::judge();
        restarted.remember(first.serial, NOON);
        assert_eq!(restarted.may_issue(&first, NOON), Err(again));
    }

    #[test]
    fn no_more_than_so_many_are_issued_in_a_second_a_minute_and_a_day() {
        let mut judge = judge();
        let mut issue = |at| judge.may_issue(&asked(at), at);
        assert_eq!((issue(NOON), issue(NOON)), (Ok(()), Ok(())));
        assert_eq!(issue(NOON), Err(Refusal::Often { most: 2, seconds: 1 }));
        assert_eq!(issue(NOON.after(SECOND)), Ok(()));
        assert_eq!(issue(NOON.after(2 * SECOND)), Err(Refusal::Often { most: 3, seconds: 60 }));
        assert_eq!(issue(NOON.after(MINUTE)), Ok(()));
        assert_eq!(issue(NOON.after(2 * MINUTE)), Err(Refusal::Often { most: 4, seconds: 86_400 }));
        assert_eq!(issue(NOON.after(DAY)), Ok(()));
    }

    #[test]
    fn another_time_profile_or_a_longer_life_is_refused_and_uses_nothing_up() {
        let mut judge = judge();
        let late = asked(NOON.before(2 * MINUTE));
        assert!(matches!(judge.may_issue(&late, NOON), Err(Refusal::Clock { .. })));
        let early = asked(NOON.after(2 * MINUTE));
        assert!(matches!(judge.may_issue(&early, NOON), Err(Refusal::Clock { .. })));
        let server = Issue { profile: ca::Profile::Server, ..asked(NOON) };
        assert!(matches!(judge.may_issue(&server, NOON), Err(Refusal::Profile { .. })));
        let long = Issue { validity: 91 * DAY, ..asked(NOON) };
        assert!(matches!(judge.may_issue(&long, NOON), Err(Refusal::Validity { .. })));
        let sound = Issue { validity: 90 * DAY, ..long };
        assert_eq!(judge.may_issue(&sound, NOON), Ok(()));
    }

    #[test]
    fn a_list_is_good_for_a_day_and_not_longer() {
        let list = |next_update| Crl {
            issuer: String::new(),
            shard: None,
            revoked: Vec::new(),
            number: 1,
            now: NOON,
            next_update,
        };
        assert_eq!(judge().may_list(&list(NOON.after(DAY)), NOON), Ok(()));
        let long = NOON.after(DAY + SECOND);
        assert_eq!(judge().may_list(&list(long), NOON), Err(Refusal::List { until: long }));
    }
}
