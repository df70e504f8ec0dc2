//! The picture: what of the directory's words is looked up when it speaks again.
//!
//! It is made of what the store keeps, and follows it: it says who stands where, so that a change of a group finds its
//! members, who waits for a name, and whose time ends when.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chancery_ldap::{Group, Key, Nesting};

use crate::id::AccountId;
use crate::store::{Account, AccountEntry, DirectoryGroup};
use crate::time::Timestamp;

#[derive(Default)]
pub(super) struct Picture {
    pub(super) nesting: Arc<Nesting>,
    /// By the names of their entries and by their own.
    seats: HashMap<Key, AccountId>,
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
            if let Some(entry) = &account.entry {
                picture.seat(account.id, &account.name, entry);
            }
        }
        picture
    }

    /// Who stands behind these.
    pub(super) fn seated<'a>(&'a self, keys: &'a HashSet<Key>) -> impl Iterator<Item = AccountId> + 'a {
        keys.iter().filter_map(|key| self.seats.get(key).copied())
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

    /// Somebody's entry is this.
    pub(super) fn seat(&mut self, id: AccountId, name: &str, entry: &AccountEntry) {
        self.seats.insert(Key::of_dn(&entry.dn), id);
        self.seats.insert(Key::of_login(name), id);
        if entry.login != name {
            self.waiting.entry(entry.login.clone()).or_default().insert(id);
        }
        if let Some((end, _)) = &entry.expires {
            self.ends.insert((*end, id));
        }
    }

    /// Somebody's entry is no longer this.
    pub(super) fn unseat(&mut self, id: AccountId, name: &str, entry: &AccountEntry) {
        for key in [Key::of_dn(&entry.dn), Key::of_login(name)] {
            if self.seats.get(&key) == Some(&id) {
                self.seats.remove(&key);
            }
        }
        if let Some(waiting) = self.waiting.get_mut(&entry.login) {
            waiting.remove(&id);
            if waiting.is_empty() {
                self.waiting.remove(&entry.login);
            }
        }
        if let Some((end, _)) = &entry.expires {
            self.ends.remove(&(*end, id));
        }
    }
}
