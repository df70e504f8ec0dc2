//! Nesting: who is in a group because a group of theirs is in it.
//!
//! The answer comes from groups in our hands, without a server: whoever follows the directory has them. A circle of
//! groups is walked once, and a tower of more than 32 is taken for a mistake.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::groups::{DEEPEST, Group};

/// Which groups name whom, upwards. A change costs as much as it changes.
#[derive(Clone, Debug, Default)]
pub struct Nesting {
    groups: HashMap<Uuid, Node>,
    by_name: HashMap<Key, Uuid>,
    by_member: HashMap<Key, Vec<Uuid>>,
}

/// Stands for the name of an entry, or for a login, whatever their case and the spaces after commas (RFC 4514 §2.4).
/// Members are many and their names long: they are kept as this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u128);

/// It is a hash already, of which a table needs no more than half.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0 as u64);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    dn: Key,
    name: String,
    members: Vec<Key>,
}

impl Key {
    /// Of the name of an entry.
    pub fn of_dn(dn: &str) -> Self {
        // Servers write none of those spaces, or all of them.
        if !dn.contains(", ") && !dn.contains(" ,") {
            return Self::of("dn:", dn.trim_matches(' ').to_owned());
        }
        let parts: Vec<_> = dn.split(',').map(|part| part.trim_matches(' ')).collect();
        Self::of("dn:", parts.join(","))
    }

    /// Of a login, as `memberUid` has it.
    pub fn of_login(login: &str) -> Self {
        Self::of("login:", login.to_owned())
    }

    fn of(kind: &str, mut text: String) -> Self {
        if text.is_ascii() {
            text.make_ascii_lowercase();
        } else {
            text = text.to_lowercase();
        }
        let hash = Sha256::new().chain_update(kind).chain_update(text).finalize();
        Self(hash.iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte)))
    }
}

impl Nesting {
    /// Notes what these groups say of their members.
    pub fn of<'a>(groups: impl IntoIterator<Item = &'a Group>) -> Self {
        let mut nesting = Self::default();
        for group in groups {
            nesting.put(group);
        }
        nesting
    }

    /// Notes a group as it is now. Gives whoever is in another set of groups than before, or in one of another name: the
    /// members that came or went, and those of groups among them.
    pub fn put(&mut self, group: &Group) -> HashSet<Key> {
        let node = Node::of(group);
        let before = self.groups.get(&group.id).cloned();
        let moved = match &before {
            Some(old) if (old.dn, &old.name) == (node.dn, &node.name) => {
                differing(&old.members, &node.members)
            }
            Some(old) => [&old.members[..], &node.members].concat(),
            None => node.members.clone(),
        };
        let mut touched = HashSet::with_capacity(moved.len());
        self.unfold(moved, &mut touched);
        if let Some(before) = before {
            self.unlink(group.id, &before);
        }
        self.by_name.insert(node.dn, group.id);
        for member in &node.members {
            let groups = self.by_member.entry(*member).or_default();
            // Most are in a few groups and stay in them.
            groups.reserve_exact(1);
            groups.push(group.id);
        }
        self.groups.insert(group.id, node);
        touched
    }

    /// Forgets a group, and gives whoever was in it.
    pub fn remove(&mut self, id: Uuid) -> HashSet<Key> {
        let mut touched = HashSet::new();
        if let Some(node) = self.groups.get(&id).cloned() {
            self.unfold(node.members.clone(), &mut touched);
            self.unlink(id, &node);
            self.groups.remove(&id);
        }
        touched
    }

    /// Whether the group is known, and just so.
    pub fn knows(&self, group: &Group) -> bool {
        self.groups.get(&group.id).is_some_and(|known| *known == Node::of(group))
    }

    /// Keys of the groups that are there.
    pub fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.groups.keys().copied()
    }

    /// The name of a group.
    pub fn name(&self, id: Uuid) -> Option<&str> {
        self.groups.get(&id).map(|node| node.name.as_str())
    }

    /// Keys of every group that the person with this entry and login is in, near and far.
    pub fn groups_of(&self, dn: &str, login: &str) -> BTreeSet<Uuid> {
        let named = [self.by_member.get(&Key::of_dn(dn)), self.by_member.get(&Key::of_login(login))];
        let mut level: Vec<Uuid> = named.into_iter().flatten().flatten().copied().collect();
        let mut found = BTreeSet::new();
        for _ in 0..DEEPEST {
            level.retain(|group| found.insert(*group));
            if level.is_empty() {
                break;
            }
            let above = level.iter().filter_map(|group| self.by_member.get(&self.groups.get(group)?.dn));
            level = above.flatten().copied().collect();
        }
        found
    }

    /// These members, and those of every group among them.
    fn unfold(&self, members: Vec<Key>, into: &mut HashSet<Key>) {
        let mut open = members;
        while let Some(member) = open.pop() {
            if into.insert(member)
                && let Some(group) = self.by_name.get(&member).and_then(|id| self.groups.get(id))
            {
                open.extend(&group.members);
            }
        }
    }

    fn unlink(&mut self, id: Uuid, node: &Node) {
        if self.by_name.get(&node.dn) == Some(&id) {
            self.by_name.remove(&node.dn);
        }
        for member in &node.members {
            if let Some(groups) = self.by_member.get_mut(member) {
                groups.retain(|group| *group != id);
                if groups.is_empty() {
                    self.by_member.remove(member);
                }
            }
        }
    }
}

/// What is in one of them only.
fn differing(one: &[Key], other: &[Key]) -> Vec<Key> {
    let (one, other): (HashSet<_>, HashSet<_>) =
        (one.iter().copied().collect(), other.iter().copied().collect());
    one.symmetric_difference(&other).copied().collect()
}

impl Node {
    fn of(group: &Group) -> Self {
        let by_name = group.members.iter().map(|dn| Key::of_dn(dn));
        let mut members: Vec<_> =
            by_name.chain(group.member_logins.iter().map(|login| Key::of_login(login))).collect();
        members.sort_unstable_by_key(|key| key.0);
        members.dedup();
        Self { dn: Key::of_dn(&group.dn), name: group.name.clone(), members }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn a_change_touches_whoever_is_in_other_groups_afterwards() {
        let mut nesting = Nesting::of(&[
            group(1, &["uid=alice,ou=people", "uid=bob,ou=people"], &[]),
            group(2, &["cn=g1,ou=groups"], &["carol"]),
        ]);
        let dn = |uid: &str| Key::of_dn(&format!("uid={uid},ou=people"));
        let one = nesting.put(&group(1, &["uid=bob,ou=people", "uid=dora,ou=people"], &[]));
        assert_eq!(one, HashSet::from([dn("alice"), dn("dora")]));
        assert_eq!(numbers(&nesting, "uid=alice,ou=people", "alice"), []);
        assert_eq!(numbers(&nesting, "uid=dora,ou=people", "dora"), [1, 2]);
        let nobody = nesting.put(&group(1, &["uid=dora,ou=people", "UID=bob, ou=people"], &[]));
        assert!(nobody.is_empty());

        let before = nesting.clone();
        let all =
            nesting.put(&Group { name: "staff".to_owned(), ..group(2, &["cn=g1,ou=groups"], &["carol"]) });
        assert!(all.is_superset(&HashSet::from([dn("bob"), dn("dora"), Key::of_login("Carol")])));
        assert_eq!(
            (before.name(Uuid::from_u128(2)), nesting.name(Uuid::from_u128(2))),
            (Some("g2"), Some("staff"))
        );
        assert_eq!(nesting.remove(Uuid::from_u128(2)), all);
        assert_eq!(numbers(&nesting, "uid=dora,ou=people", "dora"), [1]);
        assert!(nesting.remove(Uuid::from_u128(2)).is_empty());
    }

    proptest! {
        #[test]
        fn changed_step_by_step_it_is_what_it_would_be_made_at_once(
            steps in proptest::collection::vec((0..6_u128, proptest::option::of(proptest::collection::vec(0..12_u128, 0..5))), 0..40)
        ) {
            let member = |number: u128| if number < 6 { format!("cn=g{number},ou=groups") } else { format!("uid={number}") };
            let (mut nesting, mut now) = (Nesting::default(), std::collections::BTreeMap::new());
            for (id, members) in steps {
                let all = |nesting: &Nesting| (6..12).map(|uid| nesting.groups_of(&member(uid), "")).collect::<Vec<_>>();
                let before = all(&nesting);
                let touched = match members {
                    Some(members) => {
                        let names: Vec<_> = members.into_iter().map(member).collect();
                        let names: Vec<_> = names.iter().map(String::as_str).collect();
                        let group = group(id, &names, &[]);
                        let touched = nesting.put(&group);
                        now.insert(id, group);
                        touched
                    }
                    None => {
                        now.remove(&id);
                        nesting.remove(Uuid::from_u128(id))
                    }
                };
                prop_assert_eq!(all(&nesting), all(&Nesting::of(now.values())));
                for (uid, (before, after)) in (6..12).zip(before.into_iter().zip(all(&nesting))) {
                    prop_assert!(before == after || touched.contains(&Key::of_dn(&member(uid))));
                }
            }
        }
    }

    #[test]
    fn a_tower_without_an_end_is_climbed_so_far() {
        let below = |number: u128| format!("cn=g{},ou=groups", number - 1);
        let groups: Vec<_> = (1..=100).map(|number| group(number, &[&below(number)], &[])).collect();
        let nesting = Nesting::of(&groups);
        assert_eq!(numbers(&nesting, "cn=g0,ou=groups", "x").len(), DEEPEST);
    }
}
