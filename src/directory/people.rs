//! Everybody known, in memory, as the store has them: judging a message asks no disk.
//!
//! A change costs as much as it changes, however many people there are. Readers wait for nobody; between two people who
//! swap their names they may see one of them a moment earlier than the other.

use std::sync::Arc;

use papaya::HashMap;

use crate::id::AccountId;
use crate::store::Account;

#[derive(Default)]
pub(super) struct People {
    by_id: HashMap<AccountId, Arc<Account>>,
    by_name: HashMap<String, Arc<Account>>,
}

impl People {
    pub(super) fn by_id(&self, id: AccountId) -> Option<Arc<Account>> {
        self.by_id.pin().get(&id).cloned()
    }

    /// By the name as it is written on the wire.
    pub(super) fn by_name(&self, name: &str) -> Option<Arc<Account>> {
        self.by_name.pin().get(name).cloned()
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
    pub(super) fn bring(&self, accounts: impl IntoIterator<Item = Account>, gone: &[AccountId]) -> Turned {
        let (by_id, by_name) = (self.by_id.pin(), self.by_name.pin());
        let mut turned = Turned::default();
        for account in accounts {
            let account = Arc::new(account);
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
        turned
    }
}

/// What became of people: as they were, and as they are.
#[derive(Default)]
pub(super) struct Turned {
    pub(super) before: Vec<Arc<Account>>,
    pub(super) after: Vec<Arc<Account>>,
}
