//! Nesting: who is in a group because a group of theirs is in it.
//!
//! The answer comes from groups in our hands, without a server: whoever follows the directory has them. A circle of
//! groups is walked once, and a tower of more than 32 is taken for a mistake.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use crate::groups::{DEEPEST, Group};

/// Which groups name whom, upwards.
#[derive(Clone, Debug, Default)]
pub struct Nesting {
    names: HashMap<Uuid, String>,
    by_member: HashMap<String, Vec<Uuid>>,
    by_login: HashMap<String, Vec<Uuid>>,
}

impl Nesting {
    /// Notes what these groups say of their members.
    pub fn of<'a>(groups: impl IntoIterator<Item = &'a Group>) -> Self {
        let mut nesting = Self::default();
        for group in groups {
            nesting.names.insert(group.id, key(&group.dn));
            for dn in &group.members {
                nesting.by_member.entry(key(dn)).or_default().push(group.id);
            }
            for login in &group.member_logins {
                nesting.by_login.entry(login.to_lowercase()).or_default().push(group.id);
            }
        }
        nesting
    }

    /// Keys of every group that the person with this entry and login is in, near and far.
    pub fn groups_of(&self, dn: &str, login: &str) -> BTreeSet<Uuid> {
        let named = [self.by_member.get(&key(dn)), self.by_login.get(&login.to_lowercase())];
        let mut level: Vec<Uuid> = named.into_iter().flatten().flatten().copied().collect();
        let mut found = BTreeSet::new();
        for _ in 0..DEEPEST {
            level.retain(|group| found.insert(*group));
            if level.is_empty() {
                break;
            }
            let above = level.iter().filter_map(|group| self.by_member.get(self.names.get(group)?));
            level = above.flatten().copied().collect();
        }
        found
    }
}

/// Names of entries compare whatever their case and the spaces after commas (RFC 4514 §2.4).
fn key(dn: &str) -> String {
    dn.split(',').map(str::trim).collect::<Vec<_>>().join(",").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: u128, members: &[&str], logins: &[&str]) -> Group {
        Group {
            id: Uuid::from_u128(number),
            dn: format!("cn=g{number},ou=groups"),
            name: format!("g{number}"),
            members: members.iter().map(ToString::to_string).collect(),
            member_logins: logins.iter().map(ToString::to_string).collect(),
        }
    }

    fn numbers(nesting: &Nesting, dn: &str, login: &str) -> Vec<u128> {
        nesting.groups_of(dn, login).iter().map(Uuid::as_u128).collect()
    }

    #[test]
    fn groups_of_groups_count_and_a_circle_ends() {
        let groups = [
            group(1, &["UID=Alice, ou=people"], &[]),
            group(2, &["cn=g1,ou=groups"], &[]),
            group(3, &["cn=G2,OU=groups", "cn=g4,ou=groups"], &[]),
            group(4, &["cn=g3,ou=groups"], &["bob"]),
            group(5, &["uid=carol,ou=people"], &[]),
        ];
        let nesting = Nesting::of(&groups);
        assert_eq!(numbers(&nesting, "uid=alice,ou=people", "alice"), [1, 2, 3, 4]);
        assert_eq!(numbers(&nesting, "uid=bob,ou=people", "Bob"), [3, 4]);
        assert_eq!(numbers(&nesting, "uid=nobody,ou=people", "nobody"), []);
    }

    #[test]
    fn a_tower_without_an_end_is_climbed_so_far() {
        let below = |number: u128| format!("cn=g{},ou=groups", number - 1);
        let groups: Vec<_> = (1..=100).map(|number| group(number, &[&below(number)], &[])).collect();
        let nesting = Nesting::of(&groups);
        assert_eq!(numbers(&nesting, "cn=g0,ou=groups", "x").len(), DEEPEST);
    }
}
