//! Rights of this moment: who a session acts as, and what its client may do with plain topics.
//!
//! Somebody who left a group, was disabled or renamed must not go on as who they were when the line began. So rights
//! are compiled from the directory as it is, and again whenever people or rules have changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::Chat;
use super::acl::{Rights, Rules};
use crate::broker::Session;
use crate::directory::Directory;
use crate::id::AccountId;
use crate::principal::Principal;

/// The rules, and the rights that were compiled from them.
pub(super) struct Compiled {
    rules: ArcSwap<Rules>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    epoch: u64,
    rights: HashMap<(AccountId, Option<Arc<str>>), Arc<Rights>>,
}

impl Compiled {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules: ArcSwap::from_pointee(rules), known: Mutex::default() }
    }
}

impl Chat {
    /// Other rules from now on; nobody is dropped for it.
    pub(crate) fn set_rules(&self, rules: Rules) {
        self.compiled.rules.store(Arc::new(rules));
        self.broker.turn_rights();
    }

    /// What a session's client may do with plain topics; nothing when its account may not act any more.
    pub(super) fn rights(&self, session: &Session) -> Arc<Rights> {
        let (epoch, rules) = (self.broker.rights_epoch(), self.compiled.rules.load());
        let device = rules.name_devices().then(|| session.client_id.clone());
        let key = (session.account, device);
        let mut known = self.compiled.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch != epoch {
            *known = Known { epoch, rights: HashMap::new() };
        }
        let compile = || {
            let who = self.principal_of(session.account);
            Arc::new(who.map(|who| rules.rights(&who, &session.client_id)).unwrap_or_default())
        };
        known.rights.entry(key).or_insert_with(compile).clone()
    }

    /// Who acts, with the name and groups of this moment; `None` when they may not act any more.
    pub(super) fn still(&self, who: &Principal) -> Option<Principal> {
        who.account().map_or_else(|| Some(who.clone()), |account| self.principal_of(account))
    }

    /// The principal behind a session; `None` when the account may not act any more.
    pub(super) fn principal_of(&self, account: AccountId) -> Option<Principal> {
        if account == AccountId::GUEST {
            return Some(Principal::Guest);
        }
        let account = self.directory.by_id(account).filter(|account| account.disabled().is_none())?;
        Some(Directory::principal(&account))
    }
}
