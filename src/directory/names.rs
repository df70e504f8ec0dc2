//! Names: who of those who would like one gets it.
//!
//! A name is somebody's mailbox. Which of two entries with one login is meant cannot be known, and a guess could hand
//! somebody's messages to somebody else: whoever has the name keeps it, and of several newcomers none gets it.

use std::collections::HashSet;

use super::is_reserved;
use super::people::People;
use crate::id::AccountId;
use crate::store::{AccountDraft, Source};

/// Gives each draft its login as a name; whoever cannot have it keeps the one they have, and somebody new is put aside:
/// there, disabled, and named by the id. `gone` are those whose names are free. Says what was wrong.
pub(super) fn settle(drafts: &mut [AccountDraft], people: &People, gone: &HashSet<AccountId>) -> Vec<String> {
    let touched: HashSet<AccountId> = drafts.iter().map(|draft| draft.id).collect();
    let holder = |name: &str| {
        people.by_name(name).filter(|holder| !gone.contains(&holder.id) && !touched.contains(&holder.id))
    };
    let is_own =
        |draft: &AccountDraft| people.by_id(draft.id).is_some_and(|account| account.name == draft.name);
    let mut told = Vec::new();
    loop {
        let mut claims: Vec<usize> = (0..drafts.len()).collect();
        claims.sort_unstable_by_key(|at| &drafts[*at].name);
        let mut lost = Vec::new();
        for claimants in claims.chunk_by(|one, other| drafts[*one].name == drafts[*other].name) {
            let name = &drafts[claimants[0]].name;
            let why = match holder(name) {
                _ if is_reserved(name) => format!("the name {name} is the house's"),
                Some(holder) if holder.source == Source::Builtin => {
                    format!("the built-in directory has an account {name}")
                }
                None if claimants.len() == 1 => continue,
                _ => format!("another entry has the login {name:?} too"),
            };
            let losers = claimants.iter().filter(|at| !is_own(&drafts[**at]));
            lost.extend(losers.map(|at| (*at, why.clone())));
        }
        if lost.is_empty() {
            return told;
        }
        for (at, why) in lost {
            told.push(lose(&mut drafts[at], people, why));
        }
    }
}

fn lose(draft: &mut AccountDraft, people: &People, why: String) -> String {
    let entry = draft.entry.as_ref().map(|entry| entry.dn.clone()).unwrap_or_default();
    let aside = draft.id.to_string();
    draft.name = people.by_id(draft.id).map_or_else(|| aside.clone(), |account| account.name.clone());
    if draft.name == aside {
        draft.directory_disabled = Some(why.as_str().into());
    }
    format!("{entry}: {why}")
}
