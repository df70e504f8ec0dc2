//! The brake: a sync that would take many people away at once is held until an admin has seen whom.
//!
//! To us a wrong base or filter looks like a company whose people all left; and who has left loses certificates, which
//! no later sync brings back. What is held changes nobody, not even who came, and a release names the change that was
//! seen: if the directory would take away anybody else by then, it is held anew.

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Config;
use crate::audit::{Deed, to_hex};
use crate::id::AccountId;
use crate::principal::Principal;
use crate::time::Timestamp;

/// When it is pulled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brake {
    percent: usize,
    people: usize,
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
    pub(crate) leaving: Vec<Leaver>,
}

impl Brake {
    pub(super) fn of(config: &Config) -> Self {
        Self { percent: usize::from(config.brake_percent), people: config.brake_people }
    }

    /// Judges a sync that would take these people away.
    pub(super) fn judge(&self, leaving: &[Leaver], active: usize, now: Timestamp) -> Option<Held> {
        let many = leaving.len() >= self.people && leaving.len() * 100 > active * self.percent;
        many.then(|| Held { change: word(leaving), since: now, active, leaving: leaving.to_vec() })
    }
}

impl Held {
    /// For the audit, which names the first of them.
    pub(super) fn deed(&self, who: &Principal) -> Deed {
        let people: Vec<_> = self.leaving.iter().take(NAMED).map(|leaver| &leaver.account).collect();
        Deed::new(who, "directory.hold", "ldap").with(json!({
            "change": self.change, "active": self.active, "leaving": self.leaving.len(), "among": people,
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
    fn it_takes_both_a_share_and_a_number() {
        let brake = Brake { percent: 10, people: 5 };
        let held =
            |count: u8, active| brake.judge(&leaving(0..count), active, Timestamp::from_micros(0)).is_some();
        assert!(!held(4, 4), "a handful is believed");
        assert!(!held(5, 50) && held(5, 49) && held(6, 59), "more than a tenth");
        assert!(!held(0, 0));
    }

    #[test]
    fn a_change_is_known_by_its_people_in_any_order() {
        let word = |numbers: &[u8]| word(&leaving(numbers.iter().copied()));
        assert_eq!(word(&[1, 2, 3]), word(&[3, 1, 2]));
        assert_ne!(word(&[1, 2, 3]), word(&[1, 2, 4]));
        assert_ne!(word(&[1, 2, 3]), word(&[1, 2]));
    }
}
