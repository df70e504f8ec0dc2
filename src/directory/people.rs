//! Everybody known, in memory, as the store has them: judging a message asks no disk.
//!
//! A change costs as much as it changes, however many people there are. Readers wait for nobody; between two people who
//! swap their names they may see one of them a moment earlier than the other.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use papaya::{HashMap, ResizeMode};

use crate::id::AccountId;
use crate::store::Account;

pub(super) struct People {
    by_id: HashMap<AccountId, Arc<Account>>,
    by_name: HashMap<String, Arc<Account>>,
    /// Who is in the groups that were asked for.
    groups: RwLock<Groups>,
}

impl Default for People {
    fn default() -> Self {
        // There is one writer, who is sooner done with making room at once.
        let at_once = || ResizeMode::Blocking;
        Self {
            by_id: HashMap::builder().resize_mode(at_once()).build(),
            by_name: HashMap::builder().resize_mode(at_once()).build(),
            groups: RwLock::default(),
        }
    }
}

type Groups = std::collections::HashMap<String, BTreeSet<AccountId>>;

impl People {
    pub(super) fn by_id(&self, id: AccountId) -> Option<Arc<Account>> {
        self.by_id.pin().get(&id).cloned()
    }

    /// By the name as it is written on the wire.
    pub(super) fn by_name(&self, name: &str) -> Option<Arc<Account>> {
        self.by_name.pin().get(name).cloned()
    }

    /// Who is in a group. Once it was asked for it is kept up to date.
    pub(super) fn members_of(&self, group: &str) -> Vec<AccountId> {
        let known = self.groups.read().unwrap_or_else(PoisonError::into_inner).get(group).cloned();
        let members = known.unwrap_or_else(|| {
            let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
            let is_in = |account: &&Arc<Account>| account.groups.iter().any(|one| one == group);
            let members: BTreeSet<_> =
                self.by_id.pin().values().filter(is_in).map(|account| account.id).collect();
            groups.entry(group.to_owned()).or_insert(members).clone()
        });
        members.into_iter().collect()
    }

    /// In no order.
    pub(super) fn all(&self) -> Vec<Arc<Account>> {
        self.by_id.pin().values().cloned().collect()
    }

    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// These are as the store has them now, and those are gone; says how they were before, and how they are. One caller
    /// at a time.
    pub(super) fn bring(
        &self,
        accounts: impl IntoIterator<Item = Arc<Account>>,
        gone: &[AccountId],
    ) -> Turned {
        // Whoever asks for another group waits, and sees all of it.
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        let (by_id, by_name) = (self.by_id.pin(), self.by_name.pin());
        let mut turned = Turned::default();
        for account in accounts {
            by_name.insert(account.name.clone(), account.clone());
            turned.before.extend(by_id.insert(account.id, account.clone()).cloned());
            turned.after.push(account);
        }
        turned.before.extend(gone.iter().filter_map(|id| by_id.remove(id).cloned()));
        for old in &turned.before {
            let kept = by_id.get(&old.id).is_some_and(|now| now.name == old.name);
            if !kept && by_name.get(&old.name).is_some_and(|holder| holder.id == old.id) {
                by_name.remove(&old.name);
            }
        }
        turned.regroup(&mut groups);
        turned
    }
}

/// What became of people: as they were, and as they are.
#[derive(Default)]
pub(super) struct Turned {
    pub(super) before: Vec<Arc<Account>>,
    pub(super) after: Vec<Arc<Account>>,
}

impl Turned {
    fn regroup(&self, groups: &mut Groups) {
        if groups.is_empty() {
            return;
        }
        for account in &self.before {
            for group in &account.groups {
                groups.get_mut(group).iter_mut().for_each(|members| _ = members.remove(&account.id));
            }
        }
        for account in &self.after {
            for group in &account.groups {
                groups.get_mut(group).iter_mut().for_each(|members| _ = members.insert(account.id));
            }
        }
    }
}
