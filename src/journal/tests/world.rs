//! A small world that does what a broker does with a journal, and remembers all of it.

use std::collections::BTreeMap;

use super::*;

/// A journal and what it should hold.
pub(super) struct World {
    pub(super) journal: Journal,
    options: Options,
    folder: TempDir,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    sessions: Sessions,
    retained: Retained,
    /// Sessions and messages made so far: no id is used twice, and no two messages are alike.
    sessions_made: u32,
    messages_made: u64,
}

type Sessions = BTreeMap<SessionId, Held>;
type Retained = BTreeMap<TopicName, (Message, Arc<Kept>)>;

struct Held {
    state: SessionState,
    queue: BTreeMap<u64, (Owed, Arc<Kept>, Message)>,
}

/// What may happen. Sessions and queue entries are picked by rank among those that there are.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Come,
    Publish { to: Vec<u8>, from: Option<(u8, u16)>, retained: Option<u8>, size: u16, rich: bool },
    Take(u8, Vec<u8>),
    Release(u8, u8),
    Receive(u8, u16),
    Free(u8, u16),
    Attach(u8, u32),
    End(u8, u32),
    Subscribe(u8, u8),
    Unsubscribe(u8, u8),
    Will(u8, bool),
    Clear(u8),
    Restate(u8),
    Drop(u8),
    Sweep,
    Restart,
    Crash,
}

pub(super) fn publish(to: &[u8], retained: Option<u8>) -> Deed {
    Deed::Publish { to: to.to_vec(), from: None, retained, size: 30, rich: false }
}

const TOPICS: [&str; 3] = ["a", "b/c", "ä/$"];
const FILTERS: [&str; 4] = ["a/+", "b", "#", "+/ü"];

impl World {
    pub(super) fn new(options: Options) -> Self {
        let folder = quick();
        let (journal, _) = Journal::open(folder.path(), options).unwrap();
        Self { journal, options, folder, memory: Mutex::default() }
    }

    /// Changes memory, then tells the journal and waits.
    pub(super) fn act(&mut self, deed: &Deed) {
        match deed {
            Deed::Sweep => drop(self.journal.sweep(&*self).unwrap()),
            Deed::Restart => self.reopen(false),
            Deed::Crash => self.reopen(true),
            deed => self.change(deed),
        }
    }

    /// A deed that changes what is to be kept.
    pub(super) fn change(&self, deed: &Deed) {
        write(&self.journal, |records| self.memory().change(deed, records)).unwrap();
    }

    /// Begins new segments and gives the oldest back, one after the other; each time a crash would find what it should.
    pub(super) fn sweep_all(&self) {
        let last = self.journal.usage().segments + 4;
        for _ in 0..last {
            self.change(&Deed::Publish { to: vec![], from: None, retained: None, size: 300, rich: false });
            self.journal.sweep(self).unwrap();
            self.check();
        }
    }

    /// A crash at this moment would leave what should be there.
    pub(super) fn check(&self) {
        let crashed = copy(self.folder.path());
        let held = Folder::open(crashed.path()).unwrap().unwrap();
        self.compare(replay::replay(&held, self.options.segment).unwrap().found);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    /// Opens it anew, after a clean end or as a crash leaves it, and compares.
    fn reopen(&mut self, crash: bool) {
        let elsewhere = quick();
        let (aside, _) = Journal::open(elsewhere.path(), self.options).unwrap();
        if crash {
            let crashed = copy(self.folder.path());
            drop(std::mem::replace(&mut self.journal, aside));
            self.folder = crashed;
        } else {
            drop(std::mem::replace(&mut self.journal, aside));
        }
        let (journal, found) = Journal::open(self.folder.path(), self.options).unwrap();
        self.journal = journal;
        let (sessions, retained) = self.compare(found);
        let mut memory = self.memory();
        (memory.sessions, memory.retained) = (sessions, retained);
    }

    /// What was found, which is what should be there.
    fn compare(&self, found: Found) -> (Sessions, Retained) {
        let memory = self.memory();
        let mut sessions = BTreeMap::new();
        for FoundSession { state, queue } in found.sessions {
            let read = |one: facts::FoundOwed| {
                let message = self.journal.read(&one.kept).unwrap();
                assert_eq!(one.size as usize, message.topic.as_str().len() + message.payload.len());
                (one.owed.number, (one.owed, one.kept, message))
            };
            sessions.insert(state.id, Held { state, queue: queue.into_iter().map(read).collect() });
        }
        assert!(sessions.keys().eq(memory.sessions.keys()), "{:?}", sessions.keys());
        for (one, other) in sessions.values_mut().zip(memory.sessions.values()) {
            assert!(one.state.next >= other.state.next, "a number would be used twice");
            one.state.next = other.state.next;
            assert_eq!(one.state, other.state);
            let plain = |held: &Held| {
                held.queue.values().map(|(owed, _, body)| (owed.clone(), body.clone())).collect::<Vec<_>>()
            };
            assert_eq!(plain(one), plain(other));
        }
        let retained: Retained =
            found.retained.into_iter().map(|(body, kept)| (body.topic.clone(), (body, kept))).collect();
        let bodies = |all: &Retained| all.values().map(|(body, _)| body.clone()).collect::<Vec<_>>();
        assert_eq!(bodies(&retained), bodies(&memory.retained));
        (sessions, retained)
    }
}

impl Memory {
    /// A session that there is, by rank.
    fn pick(&mut self, rank: u8) -> Option<&mut Held> {
        let count = self.sessions.len();
        self.sessions.values_mut().nth(usize::from(rank) % count.max(1))
    }

    fn change(&mut self, deed: &Deed, records: &mut Records) {
        match deed {
            Deed::Come => {
                self.sessions_made += 1;
                let state = state(self.sessions_made);
                records.session(&state);
                self.sessions.insert(state.id, Held { state, queue: BTreeMap::new() });
            }
            Deed::Publish { to, from, retained, size, rich } => {
                self.publish(to, *from, *retained, *size, *rich, records);
            }
            Deed::Clear(rank) => {
                let topic = topic(TOPICS[usize::from(*rank) % TOPICS.len()]);
                self.retained.remove(&topic);
                records.cleared(&topic);
            }
            Deed::Drop(rank) => {
                if let Some(id) = self.pick(*rank).map(|held| held.state.id) {
                    self.sessions.remove(&id);
                    records.dropped(id);
                }
            }
            deed => {
                let rank = deed.rank();
                if let Some(held) = self.pick(rank) {
                    held.change(deed, records);
                }
            }
        }
    }

    fn publish(
        &mut self,
        to: &[u8],
        from: Option<(u8, u16)>,
        retained: Option<u8>,
        size: u16,
        is_rich: bool,
        records: &mut Records,
    ) {
        self.messages_made += 1;
        let name = TOPICS[usize::from(retained.unwrap_or(0)) % TOPICS.len()];
        let mut body = if is_rich { rich() } else { message(name, "") };
        let mut payload = self.messages_made.to_be_bytes().to_vec();
        payload.resize(8 + usize::from(size), 7);
        (body.payload, body.topic) = (payload.into(), topic(name));
        let kept = Kept::pending();
        let mut all = Vec::new();
        for rank in to {
            let Some(held) = self.pick(*rank) else { continue };
            let number = held.state.next + u64::from(*rank % 3);
            held.state.next = number + 1;
            let identifiers = vec![number as u32; usize::from(*rank % 3)];
            let one = Owed { session: held.state.id, identifiers, qos: body.qos, ..owed(0, number) };
            held.queue.insert(number, (one.clone(), kept.clone(), body.clone()));
            all.push(one);
        }
        let received = from.and_then(|(rank, id)| self.pick(rank).map(|held| held.receive(id)));
        if retained.is_some() {
            self.retained.insert(body.topic.clone(), (body.clone(), kept.clone()));
        }
        records.message(&body, &all, retained.is_some(), received, &kept);
    }
}

impl Held {
    fn receive(&mut self, id: u16) -> (SessionId, u16) {
        self.state.received.retain(|other| *other != id);
        self.state.received.push(id);
        self.state.received.sort_unstable();
        (self.state.id, id)
    }

    fn number(&self, rank: u8) -> Option<u64> {
        self.queue.keys().nth(usize::from(rank) % self.queue.len().max(1)).copied()
    }

    fn change(&mut self, deed: &Deed, records: &mut Records) {
        let id = self.state.id;
        let state = &mut self.state;
        match deed {
            Deed::Take(_, ranks) => {
                let mut numbers = Vec::new();
                for number in ranks.iter().filter_map(|rank| self.number(*rank)).collect::<Vec<_>>() {
                    self.queue.remove(&number);
                    numbers.push(number);
                }
                records.taken(id, &numbers);
            }
            Deed::Release(_, rank) => {
                if let Some(number) = self.number(*rank) {
                    self.queue.get_mut(&number).unwrap().0.released = true;
                    records.released(id, number);
                }
            }
            Deed::Receive(_, identifier) => {
                self.receive(*identifier);
                records.received(id, *identifier);
            }
            Deed::Free(_, identifier) => {
                state.received.retain(|other| other != identifier);
                records.freed(id, *identifier);
            }
            Deed::Attach(_, expiry) => {
                (state.expiry, state.ended_at) = (*expiry, None);
                records.attached(id, *expiry);
            }
            Deed::End(_, expiry) => {
                let at = Timestamp::from_micros(i64::from(*expiry) - 100);
                (state.expiry, state.ended_at) = (*expiry, Some(at));
                records.ended(id, *expiry, at);
            }
            Deed::Subscribe(_, rank) => {
                let mut new = subscription(FILTERS[usize::from(*rank) % FILTERS.len()]);
                new.qos = Qos::from_byte(*rank % 3).unwrap();
                state.subscriptions.retain(|old| old.filter != new.filter);
                records.subscribed(id, &new);
                state.subscriptions.push(new);
                state.subscriptions.sort_unstable_by(|one, other| one.filter.cmp(&other.filter));
            }
            Deed::Unsubscribe(_, rank) => {
                let filter = FILTERS[usize::from(*rank) % FILTERS.len()];
                state.subscriptions.retain(|old| old.filter != filter);
                records.unsubscribed(id, filter);
            }
            Deed::Will(_, there) => {
                state.will = there.then(|| KeptWill { message: rich(), retain: true, delay: 9 });
                records.will(id, state.will.as_ref());
            }
            _ => records.session(state),
        }
    }
}

impl Deed {
    fn rank(&self) -> u8 {
        match self {
            Self::Take(rank, _)
            | Self::Release(rank, _)
            | Self::Receive(rank, _)
            | Self::Free(rank, _)
            | Self::Attach(rank, _)
            | Self::End(rank, _)
            | Self::Subscribe(rank, _)
            | Self::Unsubscribe(rank, _)
            | Self::Will(rank, _)
            | Self::Restate(rank) => *rank,
            _ => 0,
        }
    }
}

impl Present for World {
    fn session(&self, id: SessionId) -> Option<SessionState> {
        self.memory().sessions.get(&id).map(|held| held.state.clone())
    }

    fn owed(&self, session: SessionId, number: u64) -> Option<(Owed, Arc<Kept>)> {
        let memory = self.memory();
        let (owed, kept, _) = memory.sessions.get(&session)?.queue.get(&number)?;
        Some((owed.clone(), kept.clone()))
    }

    fn retained(&self, topic: &TopicName) -> Option<Arc<Kept>> {
        self.memory().retained.get(topic).map(|(_, kept)| kept.clone())
    }
}
