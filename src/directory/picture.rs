//! The picture: what of the directory's words is looked up when it speaks again.
//!
//! It is made of what the store keeps, and follows it: it says who stands where, so that a change of a group finds its
//! members, who waits for a name, and whose time ends when.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use chancery_ldap::{Group, Key, Nesting};

use super::people::People;
use crate::id::AccountId;
use crate::store::{Account, DirectoryGroup};
use crate::time::Timestamp;

#[derive(Default)]
pub(super) struct Picture {
    pub(super) nesting: Arc<Nesting>,
    /// By the names of their entries and by their own; from the first change of a group on.
    seats: OnceLock<HashMap<Key, AccountId>>,
    /// By the login that belongs to somebody else for now.
    waiting: HashMap<String, HashSet<AccountId>>,
    ends: BTreeSet<(Timestamp, AccountId)>,
}

impl Picture {
    pub(super) fn of(accounts: &[Arc<Account>], groups: &[DirectoryGroup]) -> Self {
        let mut nesting = Nesting::default();
        for group in groups {
            nesting.put(&Group {
                id: group.id,
                dn: group.dn.clone(),
                name: group.name.clone(),
                members: group.members.clone(),
                member_logins: group.logins.clone(),
            });
        }
        let mut picture = Self { nesting: Arc::new(nesting), ..Self::default() };
        for account in accounts {
            picture.seat(account);
        }
        picture
    }

    /// Who stands behind these.
    pub(super) fn seated(&self, keys: &HashSet<Key>, people: &People) -> Vec<AccountId> {
        if people.count() == 0 {
            return Vec::new();
        }
        let seats =
            self.seats.get_or_init(|| people.all().iter().flat_map(|account| seats_of(account)).collect());
        keys.iter().filter_map(|key| seats.get(key).copied()).collect()
    }

    /// Who would like to have the name that somebody has, or wants.
    pub(super) fn waiting_after(&self, account: &Account) -> impl Iterator<Item = AccountId> {
        let wanted = account.entry.as_ref().map(|entry| &entry.login);
        [Some(&account.name), wanted]
            .into_iter()
            .flatten()
            .filter_map(|name| self.waiting.get(name))
            .flatten()
            .copied()
    }

    /// Whose time has come.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = AccountId> {
        self.ends.iter().take_while(move |(end, _)| *end <= now).map(|(_, id)| *id)
    }

    /// Somebody's entry is this, if they have one.
    pub(super) fn seat(&mut self, account: &Account) {
        let (Some(entry), id) = (&account.entry, account.id) else { return };
        if let Some(seats) = self.seats.get_mut() {
            seats.extend(seats_of(account));
        }
        if entry.login != account.name {
            self.waiting.entry(entry.login.clone()).or_default().insert(id);
        }
        if let Some((end, _)) = entry.expires.as_deref() {
            self.ends.insert((*end, id));
        }
    }

    /// Somebody's entry is no longer this.
    pub(super) fn unseat(&mut self, account: &Account) {
        let (Some(entry), id) = (&account.entry, account.id) else { return };
        if let Some(seats) = self.seats.get_mut() {
            for (key, id) in seats_of(account) {
                if seats.get(&key) == Some(&id) {
                    seats.remove(&key);
                }
            }
        }
        if let Some(waiting) = self.waiting.get_mut(&entry.login) {
            waiting.remove(&id);
            if waiting.is_empty() {
                self.waiting.remove(&entry.login);
            }
        }
        if let Some((end, _)) = entry.expires.as_deref() {
            self.ends.remove(&(*end, id));
        }
    }
}

/// Where somebody is found whom a group names.
fn seats_of(account: &Account) -> impl Iterator<Item = (Key, AccountId)> {
    let keys = |dn: &str| [Key::of_dn(dn), Key::of_login(&account.name)];
    let keys = account.entry.as_ref().map(|entry| keys(&entry.dn));
    keys.into_iter().flatten().map(|key| (key, account.id))
}
