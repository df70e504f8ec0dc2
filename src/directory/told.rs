//! Told: what the directory said since it was last written down, the last word about each.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use chancery_ldap::{Change, Group, GroupListing, Kind, Listing, Person, Skipped};
use uuid::Uuid;

use crate::id::AccountId;

#[derive(Debug, Default)]
pub(super) struct Told {
    /// As they are; `None` is gone.
    pub(super) people: HashMap<AccountId, Option<Person>>,
    pub(super) groups: HashMap<Uuid, Option<Group>>,
    /// At the end of a list: nobody else is there.
    pub(super) all_people: Option<HashSet<AccountId>>,
    pub(super) all_groups: Option<HashSet<Uuid>>,
    /// Entries that could not be used, each with the reason.
    pub(super) skipped: Vec<String>,
    /// Everything up to here is told.
    pub(super) checkpoint: Option<Vec<u8>>,
}

/// So many skipped entries are named; a directory of which more are broken is broken elsewhere.
const NAMED: usize = 1000;

impl Told {
    /// Everything that is there.
    pub(super) fn whole(people: Listing, groups: GroupListing) -> Self {
        let mut told = Self::default();
        let all = told.list(Kind::People, people.skipped, people.people.iter().map(|person| person.id));
        told.all_people = all.map(|all| all.into_iter().map(AccountId::from).collect());
        told.all_groups = told.list(Kind::Groups, groups.skipped, groups.groups.iter().map(|group| group.id));
        people.people.into_iter().for_each(|person| told.person(person));
        told.groups = groups.groups.into_iter().map(|group| (group.id, Some(group))).collect();
        told
    }

    pub(super) fn of(person: Person) -> Self {
        let mut told = Self::default();
        told.person(person);
        told
    }

    /// One step of the stream. Those that tell of the connection change nothing.
    pub(super) fn take(&mut self, change: Change) {
        match change {
            Change::Person(person) => self.person(person),
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
            Change::Checkpoint(bytes) => self.checkpoint = Some(bytes),
            Change::Connected { .. } | Change::Interrupted { .. } => {}
        }
    }

    /// How much of it there is to write.
    pub(super) fn size(&self) -> usize {
        self.people.len() + self.groups.len()
    }

    fn person(&mut self, person: Person) {
        let id = person.id.into();
        note(&mut self.all_people, id, true);
        self.people.insert(id, Some(person));
    }

    /// Who is there: those who were read and those who could not be. Without the key of one of them it is not known.
    fn list(
        &mut self,
        kind: Kind,
        skipped: Vec<Skipped>,
        read: impl Iterator<Item = Uuid>,
    ) -> Option<HashSet<Uuid>> {
        let keys: Option<Vec<Uuid>> = skipped.iter().map(|entry| entry.id).collect();
        skipped.iter().for_each(|entry| self.skip(kind, entry));
        Some(keys?.into_iter().chain(read).collect())
    }

    fn skip(&mut self, kind: Kind, entry: &Skipped) {
        // Whoever it was is still there, as before.
        match (kind, entry.id) {
            (Kind::People, Some(id)) => note(&mut self.all_people, id.into(), true),
            (Kind::Groups, Some(id)) => note(&mut self.all_groups, id, true),
            (_, None) => {}
        }
        if self.skipped.len() < NAMED {
            self.skipped.push(format!("{}: {}", entry.dn, entry.why));
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
