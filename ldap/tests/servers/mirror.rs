//! A mirror of the directory: what an employer does with the stream, in small.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chancery_ldap::{Change, Changes, Connector, Follow, Group, Kind, Person, Skipped};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

pub(crate) const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
const PATIENCE: Duration = Duration::from_secs(20);

/// Who is there, as far as the stream has told.
pub(crate) struct Mirror {
    changes: Changes,
    pub(crate) people: HashMap<Uuid, Person>,
    pub(crate) groups: HashMap<Uuid, Group>,
    pub(crate) skipped: Vec<Skipped>,
    /// The last one, if any came.
    pub(crate) checkpoint: Option<Vec<u8>>,
    /// What came since the last [`Mirror::forget`].
    pub(crate) heard: Vec<Change>,
}

impl Mirror {
    pub(crate) fn new(connector: &Connector, how: Follow, checkpoint: Option<&[u8]>) -> Self {
        Self {
            changes: connector.follow(how, checkpoint, || NOW),
            people: HashMap::new(),
            groups: HashMap::new(),
            skipped: Vec::new(),
            checkpoint: None,
            heard: Vec::new(),
        }
    }

    /// Follows anew from the last checkpoint, as after a restart, with what was stored.
    pub(crate) fn again(self, connector: &Connector, how: Follow) -> Self {
        let Self { people, groups, checkpoint, .. } = self;
        let mirror = Self::new(connector, how, checkpoint.as_deref());
        Self { people, groups, checkpoint, ..mirror }
    }

    /// Listens until this is so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let listening = async {
            while !is_so(self) {
                let change = self.changes.next().await.expect("the stream goes on");
                self.apply(&change);
                self.heard.push(change);
            }
        };
        if tokio::time::timeout(PATIENCE, listening).await.is_err() {
            let last = &self.heard[self.heard.len().saturating_sub(10)..];
            panic!("in vain: {what}; people {:?}, last heard {last:#?}", self.logins());
        }
    }

    /// Listens for the end of the first list and the checkpoint after it.
    pub(crate) async fn settled(&mut self) {
        self.until("a checkpoint", |mirror| mirror.checkpoint.is_some()).await;
    }

    /// Listens for so long, whatever comes.
    pub(crate) async fn listen_for(&mut self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while let Ok(change) = tokio::time::timeout_at(end, self.changes.next()).await {
            let change = change.expect("the stream goes on");
            self.apply(&change);
            self.heard.push(change);
        }
    }

    pub(crate) fn forget(&mut self) {
        self.heard.clear();
    }

    pub(crate) fn logins(&self) -> BTreeSet<&str> {
        self.people.values().map(|person| person.login.as_str()).collect()
    }

    pub(crate) fn person(&self, login: &str) -> Option<&Person> {
        self.people.values().find(|person| person.login == login)
    }

    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.values().find(|group| group.name == name)
    }

    pub(crate) fn was_interrupted(&self) -> bool {
        self.heard.iter().any(|change| matches!(change, Change::Interrupted { .. }))
    }

    /// How often the end of a list came since the last [`Mirror::forget`].
    pub(crate) fn lists(&self) -> usize {
        self.heard.iter().filter(|change| matches!(change, Change::Present(Kind::People, _))).count()
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Person(person) => drop(self.people.insert(person.id, person.clone())),
            Change::Group(group) => drop(self.groups.insert(group.id, group.clone())),
            Change::Gone(Kind::People, id) => drop(self.people.remove(id)),
            Change::Gone(Kind::Groups, id) => drop(self.groups.remove(id)),
            Change::Present(Kind::People, all) => self.people.retain(|id, _| all.contains(id)),
            Change::Present(Kind::Groups, all) => self.groups.retain(|id, _| all.contains(id)),
            Change::Skipped(_, skipped) => self.skipped.push(skipped.clone()),
            Change::Checkpoint(_, bytes) => self.checkpoint = Some(bytes.clone()),
            Change::Connected { .. } | Change::Interrupted { .. } => {}
        }
    }
}
