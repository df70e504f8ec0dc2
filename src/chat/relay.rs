//! Relaying: how a message on a plain topic passes through the house.
//!
//! Where it goes is found once for each topic and remembered until anything changes that could decide otherwise.
//! Messages that came together and go the same ways stay together, as a run: each receiver gets one claim to it and
//! is woken once. What a durable session is owed goes to the journal, and is neither acknowledged nor delivered
//! before it is on disk.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::acl::Right;
use super::{Chat, Letter, Refusal};
use crate::broker::{Bell, Body, Broker, Group, Held, Parcel, Retain, Route, Routes, Run, Session};
use crate::journal::{JournalError, Kept, Message, Owed, Records};
use crate::metrics::{Dropped, Limit, METRICS};
use crate::mqtt::{Qos, Reason, TopicName};
use crate::time::Timestamp;

/// Topics that a publisher's routes are remembered for.
const TRACKS: usize = 8;
/// A run that is smaller than this part of the buffer it came in is copied out of it.
const SHARE: usize = 4;

/// Where the last topics of one publisher led.
#[derive(Default)]
pub(crate) struct Tracks {
    epoch: u64,
    known: Vec<Track>,
    next: usize,
}

struct Track {
    topic: TopicName,
    leads: Result<Arc<Routes>, Refusal>,
}

/// What became of a batch.
pub(crate) struct Relayed {
    /// For each letter in order: the reason to acknowledge it with, or why it was not taken.
    pub(crate) answers: Vec<Result<Reason, Refusal>>,
    /// Others were rung.
    pub(crate) rang: bool,
    /// To be waited for before any of them is acknowledged.
    pub(crate) commit: Option<oneshot::Receiver<Result<(), JournalError>>>,
}

/// A batch on its way.
struct Relay<'a> {
    chat: &'a Chat,
    from: &'a Arc<Session>,
    /// Bytes of the buffer that the letters came in.
    buffer: usize,
    answers: Vec<Result<Reason, Refusal>>,
    bells: Vec<Arc<Bell>>,
    records: Records,
    written: Written,
}

/// What is to be done when the batch is on disk, or could not be written.
#[derive(Default)]
struct Written {
    owed_to: Vec<Arc<Session>>,
    /// What was retained, and what had been before.
    retained: Vec<(Held, Option<Held>)>,
    /// QoS 2 identifiers that are received with it.
    received: Vec<u16>,
}

/// A run that still grows.
struct Growing {
    run: Run,
    routes: Arc<Routes>,
    /// Packet identifiers, where QoS 2 must remember them.
    ids: Vec<Option<u16>>,
    /// Where its answers begin.
    answers: usize,
}

impl Chat {
    /// Passes on messages that came in one go, all of them on plain topics. `buffer` is the size of what they came in.
    pub(crate) fn relay(
        &self,
        from: &Arc<Session>,
        tracks: &mut Tracks,
        letters: Vec<Letter>,
        buffer: usize,
        now: Timestamp,
    ) -> Relayed {
        let mut relay = Relay {
            chat: self,
            from,
            buffer,
            answers: Vec::with_capacity(letters.len()),
            bells: Vec::new(),
            records: Records::new(),
            written: Written::default(),
        };
        tracks.refresh(self.broker.epoch());
        let mut growing: Option<Growing> = None;
        for letter in letters {
            if growing.as_ref().is_none_or(|run| !run.fits(&letter)) {
                growing.take().into_iter().for_each(|run| relay.pass(run));
                match tracks.lead(self, from, &letter.topic) {
                    Ok(routes) => growing = Some(Growing::new(&letter, routes, relay.answers.len(), now)),
                    Err(refusal) => {
                        relay.answers.push(Err(refusal));
                        continue;
                    }
                }
            }
            let Some(run) = &mut growing else { continue };
            relay.answers.push(Ok(run.answer()));
            run.add(letter);
        }
        growing.into_iter().for_each(|run| relay.pass(run));
        relay.finish()
    }
}

impl Tracks {
    fn refresh(&mut self, epoch: u64) {
        if self.epoch != epoch {
            *self = Self { epoch, ..Self::default() };
        }
    }

    /// Where a topic leads, or why its publisher may not go there.
    fn lead(&mut self, chat: &Chat, from: &Session, topic: &TopicName) -> Result<Arc<Routes>, Refusal> {
        if let Some(track) = self.known.iter().find(|track| track.topic == *topic) {
            return track.leads.clone();
        }
        let leads = chat.lead(from, topic);
        let track = Track { topic: topic.detached(), leads: leads.clone() };
        match self.known.get_mut(self.next) {
            Some(old) => *old = track,
            None => self.known.push(track),
        }
        self.next = (self.next + 1) % TRACKS;
        leads
    }
}

impl Chat {
    fn lead(&self, from: &Session, topic: &TopicName) -> Result<Arc<Routes>, Refusal> {
        if !self.rights(from).allow(Right::Publish, topic) {
            return Err(Refusal::NotAllowed);
        }
        if topic.levels() > self.broker.config().topic_levels {
            METRICS.hit(Limit::TopicLevels);
            return Err(Refusal::TooDeep);
        }
        Ok(Arc::new(self.readers(topic)))
    }
}

impl Growing {
    fn new(first: &Letter, routes: Arc<Routes>, answers: usize, now: Timestamp) -> Self {
        Self { run: Run::new(first.topic.clone(), first.qos, now), routes, ids: Vec::new(), answers }
    }

    fn fits(&self, letter: &Letter) -> bool {
        self.run.qos == letter.qos && self.run.topic == letter.topic
    }

    fn add(&mut self, letter: Letter) {
        if letter.qos == Qos::ExactlyOnce {
            self.ids.push(letter.id);
        }
        let Letter { payload, properties, retain, .. } = letter;
        self.run.push(Body { payload, properties, retain });
    }

    fn answer(&self) -> Reason {
        if self.routes.is_empty() { Reason::NoMatchingSubscribers } else { Reason::Success }
    }
}

impl Relay<'_> {
    /// Sends a run on its ways, or refuses it whole: before anybody has any of it.
    fn pass(&mut self, growing: Growing) {
        let Growing { mut run, routes, ids, answers } = growing;
        if let Err(refusal) = self.may_pass(&run, &routes) {
            let refused = self.answers.iter_mut().skip(answers).take(run.bodies.len());
            return refused.for_each(|answer| *answer = Err(refusal));
        }
        if run.qos == Qos::AtMostOnce && self.chat.broker.is_full() {
            METRICS.hit(Limit::Memory);
            return METRICS.drop(Dropped::Memory, run.bodies.len() as u64);
        }
        let noted = self.from.is_durable() && !ids.is_empty();
        let retained = run.bodies.iter().any(|body| body.retain);
        if routes.is_empty() && !retained && !noted {
            return;
        }
        if run.bytes() < self.buffer / SHARE {
            run.take_home();
        }
        let (run, from) = (run.shared(), self.from.id);
        let others = routes.to.iter().filter(|route| !(route.no_local && route.session.id == from));
        let (owed, passing): (Vec<&Route>, Vec<&Route>) = others.partition(|route| is_owed(route, &run));
        let shared = self.share(&run, &routes);
        // First what is kept, so that nobody hears of what a new subscriber would not find.
        for (at, body) in run.bodies.iter().enumerate() {
            let members = shared.iter().filter(|(place, route)| *place == at && is_owed(route, &run));
            let takers: Vec<&Route> = owed.iter().copied().chain(members.map(|(_, route)| *route)).collect();
            let received = ids.get(at).copied().flatten().filter(|_| noted);
            if !takers.is_empty() || body.retain || received.is_some() {
                self.write(&run, body, &takers, received);
            }
        }
        passing.into_iter().for_each(|route| self.hand(route, run.clone()));
        for (at, route) in shared.into_iter().filter(|(_, route)| !is_owed(route, &run)) {
            let body = run.bodies.get(at).cloned();
            let one = body.map(|body| Run::one(run.topic.clone(), run.qos, run.at, body));
            one.into_iter().for_each(|one| self.hand(route, one));
        }
    }

    /// Whether everybody who is owed the run has room for it, and the retained messages too.
    fn may_pass(&self, run: &Run, routes: &Routes) -> Result<(), Refusal> {
        let broker = &self.chat.broker;
        if run.qos > Qos::AtMostOnce && broker.is_full() {
            METRICS.hit(Limit::Memory);
            return Err(Refusal::MemoryFull);
        }
        let (count, bytes) = (run.bodies.len(), run.bytes());
        let takes =
            |route: &Route| !is_owed(route, run) || route.session.has_room(count, bytes, broker.limits());
        let groups_take = || routes.groups.iter().all(|group| group.members.iter().any(takes));
        if !routes.to.iter().all(takes) || !groups_take() {
            METRICS.hit(Limit::Queue);
            return Err(Refusal::QueueFull);
        }
        let retained = run.bodies.iter().rev().find(|body| body.retain && !body.payload.is_empty());
        match retained.is_none_or(|body| broker.may_retain(&message(run, body))) {
            true => Ok(()),
            false => {
                METRICS.hit(Limit::Retained);
                Err(Refusal::RetainedFull)
            }
        }
    }

    /// Chooses one member of each group for each message: with its place in the run.
    fn share<'r>(&self, run: &Run, routes: &'r Routes) -> Vec<(usize, &'r Route)> {
        let limits = *self.chat.broker.limits();
        let has_room = |session: &Session| session.has_room(run.bodies.len(), run.bytes(), &limits);
        let each = |group: &'r Group| {
            (0..run.bodies.len()).filter_map(move |at| {
                let next = group.next(run.qos, has_room);
                METRICS.drop(Dropped::Nobody, u64::from(next.is_none()));
                Some((at, next?))
            })
        };
        routes.groups.iter().flat_map(each).collect()
    }

    fn hand(&mut self, route: &Route, run: Arc<Run>) {
        let parcel = Parcel {
            run,
            sent: 0,
            qos: route.qos,
            retain: if route.retain_as_published { Retain::AsPublished } else { Retain::Cleared },
            identifiers: route.identifiers.clone(),
        };
        self.bells.extend(route.session.push(parcel, self.chat.broker.limits()));
    }

    fn write(&mut self, run: &Run, body: &Body, takers: &[&Route], received: Option<u16>) {
        let (message, kept) = (Arc::new(message(run, body)), Kept::pending());
        let owe = |route: &&Route| {
            let retain = body.retain && route.retain_as_published;
            let qos = route.qos.min(run.qos);
            route.session.owe(&message, &kept, qos, retain, &route.identifiers)
        };
        let owed: Vec<Owed> = takers.iter().map(owe).collect();
        let retained = body.retain && !message.payload.is_empty();
        let noted = received.map(|id| (self.from.id, id));
        if body.retain && message.payload.is_empty() {
            self.records.cleared(&message.topic);
        }
        match noted.filter(|_| owed.is_empty() && !retained) {
            Some((session, id)) => self.records.received(session, id),
            None => self.records.message(&message, &owed, retained, noted, &kept),
        }
        for route in takers {
            if self.written.owed_to.last().is_none_or(|last| last.id != route.session.id) {
                self.written.owed_to.push(route.session.clone());
            }
        }
        if body.retain {
            let before = self.chat.broker.retain(message.clone(), kept.clone());
            self.written.retained.push(((message, kept), before));
        }
        self.written.received.extend(received);
    }

    fn finish(self) -> Relayed {
        self.bells.iter().for_each(|bell| bell.ring());
        let commit = (!self.records.is_empty()).then(|| {
            let (tell, told) = oneshot::channel();
            let (broker, from, written) = (self.chat.broker.clone(), self.from.clone(), self.written);
            self.chat.broker.journal().append(self.records, move |done| {
                written.settle(&broker, &from, done.is_ok());
                let _ = tell.send(done);
            });
            told
        });
        Relayed { answers: self.answers, rang: !self.bells.is_empty(), commit }
    }
}

impl Written {
    /// On disk: it may be delivered now. Not on disk: nobody is owed it.
    fn settle(self, broker: &Broker, from: &Session, done: bool) {
        for session in &self.owed_to {
            if done { session.ring() } else { session.forget_failed() }
        }
        if done {
            return self.received.into_iter().for_each(|id| from.note_received(id, true));
        }
        // The last first, so that the one before all of them is what stands in the end.
        for (failed, before) in self.retained.into_iter().rev() {
            broker.retain_again(&failed, before);
        }
    }
}

/// Whether the journal keeps it for this session; what has QoS 0 is owed to nobody.
fn is_owed(route: &Route, run: &Run) -> bool {
    route.qos.min(run.qos) > Qos::AtMostOnce && route.session.is_durable()
}

fn message(run: &Run, body: &Body) -> Message {
    Message {
        topic: run.topic.clone(),
        payload: body.payload.clone(),
        properties: body.properties.clone(),
        qos: run.qos,
        at: run.at,
    }
}
