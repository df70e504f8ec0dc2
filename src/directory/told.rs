//! Told: what the directory said since it was last written down, the last word about each.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;

use chancery_ldap::{Change, Group, Kind, Person, Skipped};
use uuid::Uuid;

use super::people::People;
use super::photo;
use crate::id::AccountId;
use crate::store::{Account, AccountDraft, AccountEntry, Card, Source};
use crate::time::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Told {
    /// As they will be written, but for the groups; `None` is gone.
    pub(super) people: HashMap<AccountId, Option<Box<AccountDraft>>>,
    pub(super) groups: HashMap<Uuid, Option<Group>>,
    /// At the end of a list: nobody else is there.
    pub(super) all_people: Option<HashSet<AccountId>>,
    pub(super) all_groups: Option<HashSet<Uuid>>,
    /// Entries that could not be used, and photos, each with the reason.
    pub(super) skipped: Vec<String>,
    /// Everything up to here is told.
    pub(super) checkpoint: Option<Vec<u8>>,
}

/// So many skipped entries are named; a directory of which more are broken is broken elsewhere.
const NAMED: usize = 1000;

impl Told {
    pub(super) fn of(person: Person) -> Self {
        let draft = draft(person, None);
        Self { people: HashMap::from([(draft.id, Some(Box::new(draft)))]), ..Self::default() }
    }

    /// One step of the stream, heard by who knows these people already, if anybody does. Steps that tell of the connection change nothing.
    pub(super) fn take(&mut self, change: Change, known: Option<&People>) {
        match change {
            Change::Person(person) => self.person(person, known),
            Change::Group(group) => {
                note(&mut self.all_groups, group.id, true);
                self.groups.insert(group.id, Some(group));
            }
            Change::Skipped(kind, skipped) => self.skip(kind, &skipped),
            Change::Gone(Kind::People, id) => {
                note(&mut self.all_people, id.into(), false);
                self.people.insert(id.into(), None);
            }
            Change::Gone(Kind::Groups, id) => {
                note(&mut self.all_groups, id, false);
                self.groups.insert(id, None);
            }
            Change::Present(Kind::People, all) => {
                let all: HashSet<AccountId> = all.into_iter().map(AccountId::from).collect();
                self.people.iter_mut().filter(|(id, _)| !all.contains(id)).for_each(|(_, told)| *told = None);
                self.all_people = Some(all);
            }
            Change::Present(Kind::Groups, all) => {
                self.groups.iter_mut().filter(|(id, _)| !all.contains(id)).for_each(|(_, told)| *told = None);
                self.all_groups = Some(all);
            }
            Change::Checkpoint(_, bytes) => self.checkpoint = Some(bytes),
            Change::Connected { .. } | Change::Interrupted { .. } => {}
        }
    }

    /// How much of it there is to write.
    pub(super) fn size(&self) -> usize {
        self.people.len() + self.groups.len()
    }

    /// What was told later, on top.
    pub(super) fn then(&mut self, later: Self) {
        for (id, person) in &later.people {
            note(&mut self.all_people, *id, person.is_some());
        }
        for (id, group) in &later.groups {
            note(&mut self.all_groups, *id, group.is_some());
        }
        self.people.extend(later.people);
        self.groups.extend(later.groups);
        self.all_people = later.all_people.or(self.all_people.take());
        self.all_groups = later.all_groups.or(self.all_groups.take());
        self.skipped.extend(later.skipped);
        self.skipped.truncate(NAMED);
        self.checkpoint = later.checkpoint.or(self.checkpoint.take());
    }

    /// Whoever is known just so only has to be there: a list of everybody is no longer than what changed.
    fn person(&mut self, person: Person, known: Option<&People>) {
        // Nobody is left out for their photo.
        let photo = person.photo.as_ref().and_then(|photo| match photo::digest(photo) {
            Ok(digest) => Some(digest.into()),
            Err(why) => {
                self.name(&person.dn, why);
                None
            }
        });
        let draft = draft(person, photo);
        note(&mut self.all_people, draft.id, true);
        let known = known.and_then(|known| known.by_id(draft.id));
        if known.is_some_and(|account| is_known_so(&account, &draft)) {
            self.people.remove(&draft.id);
        } else {
            self.people.insert(draft.id, Some(Box::new(draft)));
        }
    }

    fn skip(&mut self, kind: Kind, entry: &Skipped) {
        // Whoever it was is still there, as before.
        match (kind, entry.id) {
            (Kind::People, Some(id)) => note(&mut self.all_people, id.into(), true),
            (Kind::Groups, Some(id)) => note(&mut self.all_groups, id, true),
            (_, None) => {}
        }
        self.name(&entry.dn, &entry.why);
    }

    fn name(&mut self, dn: &str, why: impl Display) {
        if self.skipped.len() < NAMED {
            self.skipped.push(format!("{dn}: {why}"));
        }
    }
}

/// After the end of a list somebody comes or goes.
fn note<T: Eq + Hash>(all: &mut Option<HashSet<T>>, id: T, is_there: bool) {
    let Some(all) = all else { return };
    if is_there {
        all.insert(id);
    } else {
        all.remove(&id);
    }
}

/// Somebody as the directory tells of them, but for the groups, with the digest of their photo.
fn draft(person: Person, photo: Option<Box<str>>) -> AccountDraft {
    let Person { title, phone, locale, time_zone, .. } = person;
    let entry = AccountEntry {
        dn: person.dn,
        login: person.login.to_lowercase(),
        groups: person.groups.iter().map(|dn| group_name(dn).to_owned()).collect(),
        disabled: person.disabled.as_ref().map(|rule| rule.to_string().into()),
        expires: person.expires.map(|(end, rule)| Box::new((Timestamp::from(end), rule.to_string().into()))),
        card: Card {
            title: title.map(Into::into),
            phone: phone.map(Into::into),
            locale: locale.map(Into::into),
            time_zone: time_zone.map(Into::into),
        },
        photo,
    };
    AccountDraft {
        id: AccountId::from(person.id),
        name: entry.login.clone(),
        display: person.name,
        mail: person.mail,
        source: Source::Ldap,
        groups: Vec::new(),
        directory_disabled: entry.disabled.clone(),
        written: entry.written().ok(),
        entry: Some(Arc::new(entry)),
    }
}

/// The name of a group given by DN: the value of its first part (RFC 4514), as in `cn=ops,ou=groups,…`.
fn group_name(dn: &str) -> &str {
    let first = dn.split(',').next().unwrap_or(dn);
    first.split_once('=').map_or(dn, |(_, value)| value.trim())
}

/// Whether nothing is told of somebody that was not so before. In which groups they are, groups say.
pub(super) fn is_known_so(known: &Account, draft: &AccountDraft) -> bool {
    known.name == draft.name
        && known.display == draft.display
        && known.mail == draft.mail
        && known.directory_disabled == draft.directory_disabled
        && known.entry == draft.entry
}
