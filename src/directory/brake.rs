//! The brake: a sync that would take many people away at once is held until an admin has seen whom.
//!
//! To us a wrong base or filter looks like a company whose people all left; and who has left loses certificates, which
//! no later sync brings back. What is held changes nobody, not even who came, and a release names the change that was
//! seen: if the directory would take away anybody else by then, it is held anew. A directory that tells of each change by
//! itself is judged by all of them within an hour.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Config;
use crate::audit::{Deed, to_hex};
use crate::id::AccountId;
use crate::principal::Principal;
use crate::time::Timestamp;

/// When it is pulled, and who left of late.
#[derive(Clone, Debug)]
pub(super) struct Brake {
    percent: usize,
    people: usize,
    left: Vec<(Timestamp, usize)>,
}

/// Somebody whom a sync would take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Leaver {
    #[serde(skip)]
    pub(super) id: AccountId,
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) why: String,
}

/// A change that waits for an admin.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Held {
    /// Stands for these people and no others.
    pub(crate) change: String,
    pub(crate) since: Timestamp,
    /// How many people of the directory may act today.
    pub(crate) active: usize,
    /// How many left within the last hour.
    pub(crate) left: usize,
    pub(crate) leaving: Vec<Leaver>,
}

impl Brake {
    pub(super) fn of(config: &Config) -> Self {
        let people = config.brake_people;
        Self { percent: usize::from(config.brake_percent), people, left: Vec::new() }
    }

    /// Judges a sync that would take these people away; `active` counts them too.
    pub(super) fn judge(&self, leaving: &[Leaver], active: usize, now: Timestamp) -> Option<Held> {
        let left: usize =
            self.left.iter().filter(|(at, _)| *at > now.before(LATELY)).map(|(_, many)| many).sum();
        let all = leaving.len() + left;
        let is_share = all >= HANDFUL && all * 100 > (active + left) * self.percent;
        let many = !leaving.is_empty() && (is_share || all > self.people);
        many.then(|| Held { change: word(leaving), since: now, active, left, leaving: leaving.to_vec() })
    }

    /// So many left with a sync that was not held.
    pub(super) fn let_through(&mut self, leaving: usize, now: Timestamp) {
        self.left.retain(|(at, _)| *at > now.before(LATELY));
        if leaving > 0 {
            self.left.push((now, leaving));
        }
    }

    /// An admin has seen it: who left before is no reason to hold the next.
    pub(super) fn release(&mut self) {
        self.left.clear();
    }
}

/// A handful is believed, whatever share of a small company it is.
const HANDFUL: usize = 5;
const LATELY: Duration = Duration::from_secs(3600);

impl Held {
    /// What is said of those who left before, where there are any.
    pub(crate) fn after_others(&self) -> String {
        match self.left {
            0 => String::new(),
            left => format!(", after {left} within an hour"),
        }
    }

    /// For the audit, which names the first of them.
    pub(super) fn deed(&self, who: &Principal) -> Deed {
        let people: Vec<_> = self.leaving.iter().take(NAMED).map(|leaver| &leaver.account).collect();
        Deed::new(who, "directory.hold", "ldap").with(json!({
            "change": self.change, "active": self.active, "left": self.left, "leaving": self.leaving.len(), "among": people,
        }))
    }
}

/// The same for the same people, after a restart as well.
fn word(leaving: &[Leaver]) -> String {
    let mut ids: Vec<_> = leaving.iter().map(|leaver| leaver.id.to_bytes()).collect();
    ids.sort_unstable();
    to_hex(&Sha256::digest(ids.concat())[..8])
}

const NAMED: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn leaving(numbers: impl Iterator<Item = u8>) -> Vec<Leaver> {
        let leaver = |number: u8| Leaver {
            id: AccountId::from_bytes([number; 16]),
            account: number.to_string(),
            name: String::new(),
            why: String::new(),
        };
        numbers.map(leaver).collect()
    }

    #[test]
    fn it_takes_a_share_that_is_no_handful_or_a_number() {
        let brake = Brake { percent: 10, people: 20, left: Vec::new() };
        let held = |count: u8, active| brake.judge(&leaving(0..count), active, NOON).is_some();
        assert!(!held(4, 4), "a handful is believed");
        assert!(!held(5, 50) && held(5, 49) && held(6, 59), "more than a tenth");
        assert!(!held(20, 1000) && held(21, 1000), "more than twenty");
        assert!(!held(0, 0));
    }

    #[test]
    fn who_leaves_one_by_one_leaves_too() {
        let mut brake = Brake { percent: 10, people: 20, left: Vec::new() };
        let minute = Duration::from_secs(60);
        for number in 0..20_u8 {
            let now = NOON.after(minute * u32::from(number));
            assert!(brake.judge(&leaving(number..=number), 1000, now).is_none());
            brake.let_through(1, now);
        }
        let held = |brake: &Brake, now| brake.judge(&leaving(20..21), 1000, now).is_some();
        assert!(
            held(&brake, NOON.after(minute * 20))
                && brake.judge(&[], 1000, NOON.after(minute * 20)).is_none()
        );
        assert!(!held(&brake, NOON.after(minute * 61)), "an hour later");
        brake.release();
        assert!(!held(&brake, NOON.after(minute * 20)), "an admin saw it");
    }

    #[test]
    fn a_change_is_known_by_its_people_in_any_order() {
        let word = |numbers: &[u8]| word(&leaving(numbers.iter().copied()));
        assert_eq!(word(&[1, 2, 3]), word(&[3, 1, 2]));
        assert_ne!(word(&[1, 2, 3]), word(&[1, 2, 4]));
        assert_ne!(word(&[1, 2, 3]), word(&[1, 2]));
    }
}
