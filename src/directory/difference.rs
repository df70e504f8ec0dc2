//! The difference between what the store has and what the directory says, found without writing anything.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chancery_ldap::{Group, Nesting};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::brake::Leaver;
use super::ldap::SyncError;
use super::names;
use super::people::{People, Turned};
use super::picture::Picture;
use super::told::{Told, is_known_so};
use crate::audit::Deed;
use crate::id::AccountId;
use crate::principal::Principal;
use crate::store::{Account, AccountDraft, DirectoryGroup, Source, StoreError, Tx};
use crate::time::Timestamp;

/// What a sync did, or would do.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SyncReport {
    /// How many people were told of.
    pub(crate) people: usize,
    pub(crate) added: usize,
    pub(crate) changed: usize,
    pub(crate) removed: usize,
    pub(crate) cut_off: usize,
    /// Entries that could not be used, and photos, each with the reason.
    pub(crate) skipped: Vec<String>,
}

impl SyncReport {
    /// Nothing happened, and nothing was wrong.
    pub(super) fn is_idle(&self) -> bool {
        self.added + self.changed + self.removed == 0 && self.skipped.is_empty()
    }
}

/// Those who had been removed before and are back, as the store has them.
pub(super) type Back = HashMap<AccountId, Account>;

#[derive(Default)]
pub(super) struct Difference {
    add: Vec<AccountDraft>,
    change: Vec<AccountDraft>,
    /// Known people who get another name.
    renamed: Vec<AccountId>,
    pub(super) gone: Vec<Arc<Account>>,
    groups: Vec<DirectoryGroup>,
    groups_gone: Vec<Uuid>,
    checkpoint: Option<Vec<u8>>,
    /// Those who may act today and may not afterwards.
    pub(super) leaving: Vec<Leaver>,
    pub(super) report: SyncReport,
    nesting: Option<Arc<Nesting>>,
}

impl Difference {
    /// An empty list of people is not believed.
    pub(super) fn of(
        people: &People,
        picture: &Picture,
        told: &Told,
        now: Timestamp,
    ) -> Result<Self, SyncError> {
        if told.all_people.as_ref().is_some_and(HashSet::is_empty) {
            return Err(SyncError::Empty);
        }
        let mut out = Self { checkpoint: told.checkpoint.clone(), ..Self::default() };
        out.report.skipped.clone_from(&told.skipped);
        let mut open: Vec<AccountId> = told.people.keys().copied().chain(picture.due(now)).collect();
        open.extend(out.regroup(people, picture, told));
        let gone = out.part(people, told);
        // What is given up is for those who wait for it, who give up theirs.
        open.extend(out.gone.iter().flat_map(|account| picture.waiting_after(account)));
        let mut seen = HashSet::with_capacity(open.len());
        let (mut drafts, mut before) = (Vec::with_capacity(open.len()), Vec::with_capacity(open.len()));
        while let Some(id) = open.pop() {
            if gone.contains(&id) || !seen.insert(id) {
                continue;
            }
            let known = people.by_id(id);
            let told = told.people.get(&id).and_then(Option::as_deref).cloned();
            let Some(draft) = told.or_else(|| redraft(known.as_deref()?, now)) else { continue };
            open.extend(known.iter().flat_map(|account| picture.waiting_after(account)));
            drafts.push(draft);
            before.push(known);
        }
        let nesting = out.nesting.clone().unwrap_or_else(|| picture.nesting.clone());
        out.report.people = told.all_people.as_ref().map_or_else(|| told.people.len(), HashSet::len);
        out.report.skipped.extend(names::settle(&mut drafts, people, &gone));
        out.add.reserve(before.iter().filter(|known| known.is_none()).count());
        for (known, mut draft) in before.into_iter().zip(drafts) {
            draft.groups = groups_of(&draft, &nesting);
            out.compare(known, draft);
        }
        (out.report.removed, out.report.cut_off) = (out.gone.len(), out.leaving.len());
        Ok(out)
    }

    pub(super) fn changes_people(&self) -> bool {
        self.put().next().is_some() || !self.gone.is_empty()
    }

    /// Who comes, and who changes.
    pub(super) fn put(&self) -> impl Iterator<Item = &AccountDraft> {
        self.add.iter().chain(&self.change)
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.changes_people()
            && self.groups.is_empty()
            && self.groups_gone.is_empty()
            && self.checkpoint.is_none()
    }

    /// For the audit: the sync, and each of those who leave.
    pub(super) fn deeds(&self, who: &Principal, released: Option<String>) -> Vec<Deed> {
        if !self.changes_people() {
            return Vec::new();
        }
        let SyncReport { added, changed, removed, .. } = self.report;
        let mut facts = json!({ "added": added, "changed": changed, "removed": removed });
        let verb = match released {
            Some(change) => {
                facts["change"] = json!(change);
                "directory.release"
            }
            None => "directory.sync",
        };
        let leaves = |leaver: &Leaver| {
            Deed::new(who, "account.leave", &leaver.account).with(json!({ "why": leaver.why }))
        };
        let sync = Deed::new(who, verb, "ldap").with(facts);
        std::iter::once(sync).chain(self.leaving.iter().map(leaves)).collect()
    }

    /// People, groups and the checkpoint that stands for them. The gone first: their names may have been given to somebody
    /// new.
    /// Gives those who had been removed before and are back.
    pub(super) fn write(&self, tx: &mut Tx, now: Timestamp) -> Result<Back, StoreError> {
        self.gone.iter().try_for_each(|account| tx.remove_account(account.id, now))?;
        // Names may have been swapped among those who stay: each first steps aside.
        self.renamed.iter().try_for_each(|id| tx.set_account_name(*id, &id.to_string()))?;
        self.change.iter().try_for_each(|draft| tx.change_account(draft))?;
        let mut back = HashMap::new();
        for draft in &self.add {
            if !tx.add_account(draft, now)? {
                back.extend(tx.account(draft.id)?.map(|account| (account.id, account)));
            }
        }
        self.groups_gone.iter().try_for_each(|id| tx.remove_directory_group(*id))?;
        self.groups.iter().try_for_each(|group| tx.put_directory_group(group))?;
        self.checkpoint.iter().try_for_each(|bytes| tx.set_directory_checkpoint(bytes))?;
        Ok(back)
    }

    /// Once it is written, memory is brought to it as well. What an admin decided meanwhile stands.
    pub(super) fn bring(&mut self, people: &People, back: &Back, now: Timestamp) -> Turned {
        let gone: Vec<AccountId> = self.gone.iter().map(|account| account.id).collect();
        let put = std::mem::take(&mut self.add).into_iter().chain(std::mem::take(&mut self.change));
        let account = |draft: AccountDraft| {
            let known = people.by_id(draft.id);
            let before = known.as_deref().or_else(|| back.get(&draft.id));
            Arc::new(draft.account(before, now))
        };
        people.bring(put.map(account), &gone)
    }

    /// And so is the picture.
    pub(super) fn follow(&self, picture: &mut Picture, turned: &Turned) {
        if let Some(nesting) = &self.nesting {
            picture.nesting = nesting.clone();
        }
        for account in &turned.before {
            picture.unseat(account);
        }
        for account in &turned.after {
            picture.seat(account);
        }
    }

    /// Brings groups up to date, and gives whoever is in other groups than before.
    fn regroup(&mut self, people: &People, picture: &Picture, told: &Told) -> Vec<AccountId> {
        // A directory without any group is no more believed than one without people.
        let all = told.all_groups.as_ref().filter(|all| !all.is_empty());
        let absent = |id: &Uuid| all.is_some_and(|all| !all.contains(id));
        let gone = told.groups.iter().filter(|(_, group)| group.is_none()).map(|(id, _)| *id);
        let gone: HashSet<Uuid> = gone.chain(picture.nesting.ids().filter(absent)).collect();
        let changed = |group: &&Group| !picture.nesting.knows(group);
        let changed: Vec<&Group> = told.groups.values().flatten().filter(changed).collect();
        if gone.is_empty() && changed.is_empty() {
            return Vec::new();
        }
        let mut nesting = Nesting::clone(&picture.nesting);
        let mut keys = HashSet::new();
        for id in gone {
            keys.extend(nesting.remove(id));
            self.groups_gone.push(id);
        }
        for group in changed {
            keys.extend(nesting.put(group));
            self.groups.push(DirectoryGroup {
                id: group.id,
                dn: group.dn.clone(),
                name: group.name.clone(),
                members: group.members.clone(),
                logins: group.member_logins.clone(),
            });
        }
        self.nesting = Some(Arc::new(nesting));
        picture.seated(&keys, people)
    }

    /// Whoever is no longer there.
    fn part(&mut self, people: &People, told: &Told) -> HashSet<AccountId> {
        let told_gone = told.people.iter().filter(|(_, person)| person.is_none()).map(|(id, _)| *id);
        let mut gone: HashSet<AccountId> = told_gone.collect();
        let is_of_ldap = |account: &Arc<Account>| account.source == Source::Ldap;
        if let Some(all) = &told.all_people {
            let is_absent = |account: &Arc<Account>| is_of_ldap(account) && !all.contains(&account.id);
            gone.extend(people.all().into_iter().filter(is_absent).map(|account| account.id));
        }
        self.gone.extend(gone.iter().filter_map(|id| people.by_id(*id)).filter(is_of_ldap));
        for account in &self.gone {
            self.leaving.extend(leaver(account, "no longer in the directory"));
        }
        gone
    }

    fn compare(&mut self, known: Option<Arc<Account>>, draft: AccountDraft) {
        let Some(account) = known else {
            self.report.added += 1;
            return self.add.push(draft);
        };
        if !differs(&account, &draft) {
            return;
        }
        self.report.changed += 1;
        if account.name != draft.name {
            self.renamed.push(account.id);
        }
        if let Some(why) = &draft.directory_disabled {
            self.leaving.extend(leaver(&account, why));
        }
        self.change.push(draft);
    }
}

/// Who may not act today has left before.
fn leaver(account: &Account, why: &str) -> Option<Leaver> {
    account.disabled().is_none().then(|| Leaver {
        id: account.id,
        account: account.name.clone(),
        name: account.display.clone(),
        why: why.to_owned(),
    })
}

/// Somebody of whom the directory told before, at this moment.
fn redraft(account: &Account, now: Timestamp) -> Option<AccountDraft> {
    let mut entry = account.entry.clone()?;
    if entry.expires.as_deref().is_some_and(|(end, _)| *end <= now) {
        let entry = Arc::make_mut(&mut entry);
        let why = entry.expires.take().map(|ends| ends.1);
        entry.disabled = entry.disabled.take().or(why);
    }
    Some(AccountDraft {
        id: account.id,
        name: entry.login.clone(),
        display: account.display.clone(),
        mail: account.mail.clone(),
        source: account.source,
        groups: Vec::new(),
        directory_disabled: entry.disabled.clone(),
        entry: Some(entry),
        written: None,
    })
}

/// Every group, by name: those that list the person, near and far, and those that the person's own entry lists.
fn groups_of(draft: &AccountDraft, nesting: &Nesting) -> Vec<String> {
    let Some(entry) = &draft.entry else { return Vec::new() };
    let near_and_far = nesting.groups_of(&entry.dn, &draft.name);
    // Just as much room as they need: there are as many lists as people.
    let mut names = Vec::with_capacity(near_and_far.len() + entry.groups.len());
    names.extend(near_and_far.into_iter().filter_map(|id| nesting.name(id)).map(str::to_owned));
    names.extend(entry.groups.iter().cloned());
    names.sort();
    names.dedup();
    names
}

fn differs(known: &Account, draft: &AccountDraft) -> bool {
    !is_known_so(known, draft) || known.groups != draft.groups
}
