//! What the directory says, step by step and at once: purely, without servers or a store.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chancery_ldap::{Change, Disabled, Group, Kind, Person, Skipped};
use proptest::prelude::*;
use uuid::Uuid;

use super::difference::{Back, Difference};
use super::people::People;
use super::picture::Picture;
use super::told::Told;
use crate::id::AccountId;
use crate::store::{Account, Source};
use crate::time::Timestamp;

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// People as the store would have them.
#[derive(Default)]
struct House {
    people: People,
    picture: Picture,
}

impl House {
    fn brings(&mut self, told: &Told, now: Timestamp) -> Difference {
        let mut difference = Difference::of(&self.people, &self.picture, told, now).expect("somebody");
        let turned = difference.bring(&self.people, &Back::default(), now);
        difference.follow(&mut self.picture, &turned);
        difference
    }

    fn hears(&mut self, changes: impl IntoIterator<Item = Change>) -> Difference {
        let mut told = Told::default();
        changes.into_iter().for_each(|change| told.take(change, Some(&self.people)));
        self.brings(&told, NOON)
    }

    /// Names, with whether they may act and their groups.
    fn register(&self) -> BTreeMap<String, (AccountId, bool, Vec<String>)> {
        let entry = |account: &Arc<Account>| {
            (account.name.clone(), (account.id, account.disabled().is_none(), account.groups.clone()))
        };
        self.people.all().iter().map(entry).collect()
    }
}

fn person(number: u128, login: &str) -> Person {
    Person {
        id: Uuid::from_u128(number),
        dn: format!("uid=p{number},ou=people"),
        login: login.to_owned(),
        name: login.to_owned(),
        mail: None,
        title: None,
        phone: None,
        locale: None,
        time_zone: None,
        photo: None,
        groups: Vec::new(),
        disabled: None,
        expires: None,
    }
}

fn id(number: u128) -> AccountId {
    Uuid::from_u128(number).into()
}

#[test]
fn time_alone_disables_whoever_expires_and_only_once() {
    let mut house = House::default();
    let end = NOON.after(Duration::from_secs(60));
    let rule = Disabled::AccountExpires(end.to_offset());
    let alice = Person { expires: Some((end.to_offset(), rule)), ..person(1, "alice") };
    house.hears([Change::Person(alice.clone())]);
    let nothing = Told::default();
    assert!(house.brings(&nothing, end.before(Duration::from_secs(1))).is_empty());
    let leaves = house.brings(&nothing, end);
    assert_eq!((leaves.leaving.len(), leaves.leaving[0].why.clone()), (1, rule.to_string()));
    assert!(house.brings(&nothing, end.after(Duration::from_secs(1))).is_empty());
    // The directory says the same with the next word, and nothing changes.
    let expired = Person { expires: None, disabled: Some(rule), ..alice };
    assert!(!house.hears([Change::Person(expired)]).changes_people());
}

#[test]
fn a_name_goes_to_whoever_has_it_and_a_newcomer_waits() {
    let mut house = House::default();
    house.hears([Change::Person(person(1, "alice"))]);
    let aside = house.hears([Change::Person(person(2, "Alice"))]);
    assert!(
        aside.report.skipped[0].contains("another entry has the login \"alice\" too"),
        "{:?}",
        aside.report
    );
    assert_eq!(house.people.by_name("alice").map(|account| account.id), Some(id(1)));
    assert!(house.people.by_id(id(2)).is_some_and(|account| account.disabled().is_some()));
    // Whoever has one and wants another's keeps their own, and goes on.
    house.hears([Change::Person(person(3, "bob"))]);
    let wants = house.hears([Change::Person(person(3, "alice"))]);
    assert!(wants.leaving.is_empty());
    assert_eq!(house.people.by_name("bob").map(|account| account.id), Some(id(3)));
    // Both wait; which of them is meant cannot be known, so none gets it …
    house.hears([Change::Gone(Kind::People, Uuid::from_u128(1))]);
    assert!(house.people.by_name("alice").is_none());
    // … until there is only one.
    house.hears([Change::Person(person(3, "bob"))]);
    house.hears([Change::Person(person(2, "alice"))]);
    assert_eq!(house.people.by_name("alice").map(|account| account.id), Some(id(2)));
    assert!(house.register().values().all(|(_, may_act, _)| *may_act));
}

#[test]
fn an_entry_that_cannot_be_read_takes_nobody_away() {
    let mut house = House::default();
    house.hears([Change::Person(person(1, "alice")), Change::Person(person(2, "bob"))]);
    let skipped = |id| Skipped { dn: "cn=x".into(), id, why: "it has no uid".into() };
    let list = [Change::Present(Kind::People, HashSet::from([Uuid::from_u128(1), Uuid::from_u128(2)]))];
    let broken = house
        .hears([Change::Skipped(Kind::People, skipped(Some(Uuid::from_u128(2))))].into_iter().chain(list));
    assert!(broken.gone.is_empty());
    let gone = house.hears([Change::Present(Kind::People, HashSet::from([Uuid::from_u128(1)]))]).gone;
    assert_eq!(gone.iter().map(|account| account.id).collect::<Vec<_>>(), [id(2)]);
}

/// The directory itself.
#[derive(Clone, Debug, Default)]
struct Tree {
    people: BTreeMap<u128, Person>,
    groups: BTreeMap<u128, Group>,
}

#[derive(Clone, Debug)]
enum Step {
    Person(u128, u8, bool),
    Group(u128, Vec<u128>),
    NoPerson(u128),
    NoGroup(u128),
    Swap(u128, u128),
    Pause,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let people = 0..8_u128;
    let groups = 100..104_u128;
    let member = prop_oneof![people.clone(), groups.clone()];
    let step = prop_oneof![
        4 => (people.clone(), 0..10_u8, any::<bool>()).prop_map(|(id, login, disabled)| Step::Person(id, login, disabled)),
        3 => (groups.clone(), prop::collection::vec(member, 1..4)).prop_map(|(id, members)| Step::Group(id, members)),
        1 => people.clone().prop_map(Step::NoPerson),
        1 => groups.prop_map(Step::NoGroup),
        1 => (people.clone(), people).prop_map(|(one, other)| Step::Swap(one, other)),
        3 => Just(Step::Pause),
    ];
    prop::collection::vec(step, 0..60)
}

impl Tree {
    fn dn(number: u128) -> String {
        if number < 100 { format!("uid=p{number},ou=people") } else { format!("cn=g{number},ou=groups") }
    }

    /// What the directory tells of a step.
    fn take(&mut self, step: &Step) -> Vec<Change> {
        match step {
            Step::Person(id, login, disabled) => {
                let disabled = disabled.then_some(Disabled::NsAccountLock);
                let person = Person { disabled, ..person(*id, &format!("login{login}")) };
                self.people.insert(*id, person.clone());
                vec![Change::Person(person)]
            }
            Step::Group(id, members) => {
                let group = Group {
                    id: Uuid::from_u128(*id),
                    dn: Self::dn(*id),
                    name: format!("g{id}"),
                    members: members.iter().map(|member| Self::dn(*member)).collect(),
                    member_logins: Vec::new(),
                };
                self.groups.insert(*id, group.clone());
                vec![Change::Group(group)]
            }
            Step::NoPerson(id) => {
                self.people.remove(id);
                vec![Change::Gone(Kind::People, Uuid::from_u128(*id))]
            }
            Step::NoGroup(id) => {
                self.groups.remove(id);
                vec![Change::Gone(Kind::Groups, Uuid::from_u128(*id))]
            }
            Step::Swap(one, other) => {
                let (Some(a), Some(b)) = (self.people.get(one).cloned(), self.people.get(other).cloned())
                else {
                    return Vec::new();
                };
                let swapped =
                    [Person { login: b.login.clone(), ..a.clone() }, Person { login: a.login, ..b }];
                for person in &swapped {
                    self.people.insert(person.id.as_u128(), person.clone());
                }
                swapped.map(Change::Person).to_vec()
            }
            Step::Pause => Vec::new(),
        }
    }

    /// What is told when everything is listed.
    fn list(&self) -> Vec<Change> {
        let all = |numbers: Vec<&u128>| numbers.into_iter().map(|number| Uuid::from_u128(*number)).collect();
        let mut told: Vec<_> = self.groups.values().cloned().map(Change::Group).collect();
        told.extend(self.people.values().cloned().map(Change::Person));
        told.push(Change::Present(Kind::Groups, all(self.groups.keys().collect())));
        if !self.people.is_empty() {
            told.push(Change::Present(Kind::People, all(self.people.keys().collect())));
        }
        told
    }
}

proptest! {
    /// Whoever follows has nothing left to do when everything is listed.
    #[test]
    fn followed_step_by_step_the_house_is_where_a_list_would_bring_it(steps in steps()) {
        let (mut house, mut tree, mut heard) = (House::default(), Tree::default(), Vec::new());
        for step in steps.iter().chain([&Step::Pause]) {
            heard.extend(tree.take(step));
            if matches!(step, Step::Pause) {
                house.hears(heard.drain(..));
                let names: HashSet<_> = house.people.all().iter().map(|account| account.name.clone()).collect();
                prop_assert_eq!(names.len(), house.people.count(), "names are unique");
            }
        }
        prop_assert_eq!(house.people.count(), tree.people.len());
        let left = house.hears(tree.list());
        prop_assert!(!left.changes_people(), "{:?} {:?}", left.put().collect::<Vec<_>>(), left.report);

        // Where nobody wants another's name, the way does not matter.
        let mut anew = House::default();
        anew.hears(tree.list());
        let logins: HashSet<_> = tree.people.values().map(|person| &person.login).collect();
        if logins.len() == tree.people.len() {
            prop_assert_eq!(house.register(), anew.register());
        }
        prop_assert!(house.people.all().iter().all(|account| account.source == Source::Ldap));
    }
}
