//! The hearing half of a conversation: from packets to questions, and from the house's answers to packets.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Challenged, Commit, Conversation, Done, Guest, Then};
use crate::broker::Committing;
use crate::chat::{Letter, Refusal, Relayed, Settled};
use crate::dialect::plain;
use crate::door::challenge::{Challenge, Proof};
use crate::door::greet::{self, Greeted};
use crate::journal::JournalError;
use crate::metrics::{METRICS, Traffic};
use crate::mqtt::{Accept, Connect, Event, Qos, Reason, Subscription, Version};
use crate::store::StoreError;
use crate::time;

/// Bytes of a read that holds few messages: with more it is throughput that counts, not who is first.
const FEW: usize = 16 * 1024;

/// What one look at the events gathers, to be done together.
#[derive(Default)]
struct Batch {
    letters: Vec<Letter>,
    taken: Vec<Settled>,
    settled: Vec<u16>,
    received: Vec<u16>,
    released: Vec<u16>,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Conversation<S> {
    /// What came from the client becomes events; `buffer` is how much came in one go.
    pub(super) fn parse(&mut self, buffer: usize) {
        let mut events = Vec::new();
        self.machine.receive(time::monotonic(), &mut self.input, &mut events);
        if self.input.is_empty() {
            self.input = bytes::BytesMut::new();
        }
        self.charge(&events);
        self.events.extend(events);
        self.look_at_events(buffer);
    }

    /// What a client published counts, and whoever publishes more than its account may is not read for a while.
    fn charge(&mut self, events: &[Event]) {
        let mut came = Traffic::default();
        for event in events {
            if let Event::Publish(letter) = event {
                came.add(letter.qos as u8, letter.topic.as_str().len() + letter.payload.len());
            }
        }
        let Some(guest) = self.guest.as_ref().filter(|_| came.messages() > 0) else { return };
        METRICS.received.add(&came);
        let wait = self.hall.gate.charge(&guest.place, &came, time::monotonic());
        self.paused = wait.map(|wait| Instant::now() + wait);
    }

    /// Looks at what has been heard until the house must be asked.
    pub(super) fn look_at_events(&mut self, buffer: usize) {
        let mut batch = Batch::default();
        while self.asked.is_none() {
            let Some(event) = self.events.pop_front() else { break };
            self.look_at(event, &mut batch, buffer);
        }
        self.carry_out(batch, buffer);
        if self.events.is_empty() {
            self.events = Default::default();
        }
    }

    fn look_at(&mut self, event: Event, batch: &mut Batch, buffer: usize) {
        match event {
            Event::Publish(letter) if plain::is_shared(letter.topic.as_str()) => {
                batch.letters.push(letter);
            }
            Event::Publish(letter) => {
                self.relay(std::mem::take(&mut batch.letters), buffer);
                self.publish(letter);
            }
            Event::Acked { id, .. } => self.acked(id, batch),
            Event::Received { id } if self.is_durable() => batch.received.push(id),
            Event::Received { id } => self.machine.pubrel(id),
            Event::Completed { id } => batch.settled.push(id),
            Event::Released { id } if self.is_durable() => batch.released.push(id),
            Event::Released { id } => self.machine.pubcomp(id),
            Event::Connect(connect) => self.greet(*connect),
            Event::Auth { reason: Reason::ReAuthenticate, data } => self.challenge(data, None),
            Event::Auth { data, .. } => self.prove(data),
            Event::Subscribe { id, filters, identifier } => {
                self.relay(std::mem::take(&mut batch.letters), buffer);
                self.subscribe(id, filters, identifier);
            }
            Event::Unsubscribe { id, filters } => {
                self.relay(std::mem::take(&mut batch.letters), buffer);
                self.unsubscribe(id, filters);
            }
            Event::Disconnect { reason, session_expiry } => {
                if let Some(guest) = &mut self.guest {
                    if reason != Reason::DisconnectWithWill {
                        guest.will = None;
                    }
                    guest.expiry = session_expiry;
                }
            }
            Event::Fault { reason, what } => {
                METRICS.faults.add(reason.code(), 1);
                tracing::info!(door = self.visitor.door, reason = %reason, what, "a connection was closed for a fault");
            }
        }
    }

    fn acked(&mut self, id: u16, batch: &mut Batch) {
        match self.delivery.taken(id) {
            Some(row) => batch.taken.push(row),
            None => batch.settled.push(id),
        }
    }

    fn carry_out(&mut self, batch: Batch, buffer: usize) {
        self.relay(batch.letters, buffer);
        self.settle(batch.taken);
        let Some(guest) = self.guest.as_ref().filter(|guest| guest.durable) else { return };
        let (broker, session) = (&self.hall.broker, &guest.attached.session);
        if !batch.settled.is_empty() {
            broker.settle(session, &batch.settled);
        }
        let asked = [
            (!batch.received.is_empty())
                .then(|| (broker.release(session, &batch.received), Then::Release(batch.received))),
            (!batch.released.is_empty())
                .then(|| (broker.free(session, &batch.released), Then::Complete(batch.released))),
        ];
        asked.into_iter().flatten().for_each(|(done, then)| self.await_commit(done, then));
    }

    pub(super) fn is_durable(&self) -> bool {
        self.guest.as_ref().is_some_and(|guest| guest.durable)
    }

    /// Passes on what goes to plain topics.
    fn relay(&mut self, letters: Vec<Letter>, buffer: usize) {
        let Some(guest) = self.guest.as_deref_mut().filter(|_| !letters.is_empty()) else { return };
        let heads: Vec<(Option<u16>, Qos)> = letters.iter().map(|letter| (letter.id, letter.qos)).collect();
        let (chat, session) = (&self.hall.chat, &guest.attached.session);
        let Relayed { answers, rang, commit } =
            chat.relay(session, &mut guest.tracks, letters, buffer, time::now());
        count_refused(answers.iter().filter_map(|answer| answer.as_ref().err()));
        let owed = heads.into_iter().zip(answers).filter_map(|((id, qos), answer)| Some((id?, qos, answer)));
        let answers: Vec<_> = owed.collect();
        match commit {
            None if answers.is_empty() => {}
            None if self.commits.is_empty() => {
                self.answer(answers);
                self.others_first = rang && buffer < FEW;
            }
            // In order: what was heard before is answered before (MQTT section 4.6).
            None => self.await_commit(done_already(), Then::Answer(answers)),
            Some(done) => self.await_commit(done, Then::Answer(answers)),
        }
    }

    /// Chat: all letters that stand next to each other are one unit of work.
    fn publish(&mut self, first: Letter) {
        let Some(guest) = &self.guest else { return };
        let mut letters = vec![first];
        while let Some(Event::Publish(next)) = self.events.front() {
            if plain::is_shared(next.topic.as_str()) {
                break;
            }
            if let Some(Event::Publish(letter)) = self.events.pop_front() {
                letters.push(letter);
            }
        }
        let (chat, broker) = (self.hall.chat.clone(), self.hall.broker.clone());
        let (who, session) = (guest.who.clone(), guest.attached.session.clone());
        self.ask(async move {
            let heads: Vec<_> = letters.iter().map(|letter| (letter.id, letter.qos)).collect();
            let mut answers = chat.publish(&who, &session, letters, time::now()).await;
            let taken = heads.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
            let exactly: Vec<u16> = taken
                .filter(|((_, qos), _)| *qos == Qos::ExactlyOnce)
                .filter_map(|((id, _), _)| *id)
                .collect();
            if let Err(error) = broker.note_received(&session, &exactly).await {
                let refusal = Refusal::from(error);
                let noted = answers.iter_mut().zip(&heads).filter(|(_, (_, qos))| *qos == Qos::ExactlyOnce);
                noted.for_each(|(answer, _)| *answer = Err(refusal));
            }
            let each = heads.into_iter().zip(answers).map(|((id, qos), answer)| (id, qos, answer));
            Done::Published(each.collect())
        });
    }

    fn greet(&mut self, connect: Connect) {
        match &connect.authentication {
            Some(wanted) if greet::wants_challenge(&connect) => {
                self.challenge(wanted.data.clone(), Some(connect));
            }
            _ => self.judge(connect, None),
        }
    }

    fn judge(&mut self, connect: Connect, proof: Option<Proof>) {
        let (hall, visitor, bell) = (self.hall.clone(), self.visitor.clone(), self.bell.clone());
        self.ask(async move {
            let greeted = greet::judge(&hall, &visitor, &connect, proof.as_ref(), bell).await;
            Done::Greeted(Box::new(greeted))
        });
    }

    /// Asks the client to sign with the key that it names.
    fn challenge(&mut self, key: Option<Bytes>, connect: Option<Connect>) {
        let challenge = Challenge::new(key.as_deref());
        self.machine.challenge(Some(challenge.nonce()));
        self.challenged = Some(Box::new(Challenged { challenge, connect }));
    }

    /// The client has answered its challenge.
    fn prove(&mut self, signature: Option<Bytes>) {
        let Some(challenged) = self.challenged.take() else { return };
        let Challenged { challenge, connect } = *challenged;
        let proof = challenge.answered(signature);
        match (connect, &self.guest) {
            (Some(connect), _) => self.judge(connect, Some(proof)),
            (None, Some(guest)) => {
                let (hall, visitor) = (self.hall.clone(), self.visitor.clone());
                let (who, attached) = (guest.who.clone(), guest.attached.clone());
                self.ask(async move {
                    let proven = greet::judge_again(&hall, &visitor, &who, &attached, &proof).await;
                    Done::ProvenAgain(proven)
                });
            }
            (None, None) => {}
        }
    }

    fn subscribe(&mut self, id: u16, filters: Vec<Subscription>, identifier: Option<u32>) {
        let Some(guest) = &self.guest else { return };
        let (chat, who, session) =
            (self.hall.chat.clone(), guest.who.clone(), guest.attached.session.clone());
        self.ask(async move {
            let asked = filters.len();
            let answers = chat.subscribe(&who, &session, filters, identifier, time::now()).await;
            Done::Subscribed(id, answers, asked)
        });
    }

    fn unsubscribe(&mut self, id: u16, filters: Vec<String>) {
        let Some(guest) = &self.guest else { return };
        let (broker, session) = (self.hall.broker.clone(), guest.attached.session.clone());
        self.ask(async move {
            let each = match broker.unsubscribe(&session, &filters).await {
                Ok(existed) => existed.into_iter().map(Ok).collect(),
                Err(error) => {
                    tracing::error!(%error, "an unsubscription could not be kept");
                    vec![Err(()); filters.len()]
                }
            };
            Done::Unsubscribed(id, each)
        });
    }

    /// Asks the house something that must be answered before the next event.
    fn ask(&mut self, question: impl Future<Output = Done> + Send + 'static) {
        self.asked = Some(Box::pin(question));
        self.fresh = true;
    }

    /// Sends somebody for something that nothing else waits for.
    pub(super) fn send_on(&mut self, errand: impl Future<Output = Done> + Send + 'static) {
        self.errands.push(Box::pin(errand));
        self.fresh = true;
    }

    fn await_commit(&mut self, done: Committing, then: Then) {
        self.commits.push_back(Commit { done, then });
        self.fresh = true;
    }

    /// What the client took of chat is owed no more.
    pub(super) fn settle(&mut self, taken: Vec<Settled>) {
        let Some(guest) = self.guest.as_ref().filter(|_| !taken.is_empty()) else { return };
        let (chat, session) = (self.hall.chat.clone(), guest.attached.session.clone());
        self.send_on(async move { Done::Settled(chat.settle(&session, taken, time::now()).await) });
    }

    pub(super) fn take(&mut self, done: Done) {
        match done {
            Done::Greeted(greeted) => self.greeted(*greeted),
            Done::ProvenAgain(Ok(())) => self.machine.authenticated(None),
            Done::ProvenAgain(Err(reason)) => self.machine.disconnect(reason, None),
            Done::Published(answers) => {
                count_refused(answers.iter().filter_map(|(_, _, answer)| answer.as_ref().err()));
                let named = answers
                    .into_iter()
                    .filter_map(|(id, qos, answer)| Some((id?, qos, answer.map(|()| Reason::Success))));
                self.answer(named.collect());
            }
            Done::Subscribed(id, answers, asked) => {
                let codes = answers.unwrap_or_else(|refusal| vec![Err(refusal.into()); asked]);
                self.read_anew();
                self.machine.suback(id, &codes);
            }
            Done::Unsubscribed(id, existed) => {
                let code = |existed: Result<bool, ()>| match existed {
                    Ok(true) => Reason::Success,
                    Ok(false) => Reason::NoSubscriptionExisted,
                    Err(()) => Reason::UnspecifiedError,
                };
                let codes: Vec<_> = existed.into_iter().map(code).collect();
                self.machine.unsuback(id, &codes);
            }
            Done::Fetched(fetched) => self.fetched(fetched),
            Done::Read(read) => self.warmed(read),
            Done::Settled(settled) => _ = settled.inspect_err(complain),
        }
    }

    /// The disk has answered.
    pub(super) fn committed(&mut self, then: Then, done: Result<(), JournalError>) {
        match (then, done) {
            (Then::Answer(answers), Ok(())) => self.answer(answers),
            (Then::Answer(mut answers), Err(error)) => {
                let refusal = Refusal::from(error);
                for (_, _, answer) in answers.iter_mut().filter(|(_, _, answer)| answer.is_ok()) {
                    *answer = Err(refusal);
                    METRICS.refused.add(Reason::from(refusal).code(), 1);
                }
                self.answer(answers);
            }
            (Then::Release(ids), Ok(())) => ids.into_iter().for_each(|id| self.machine.pubrel(id)),
            (Then::Complete(ids), Ok(())) => ids.into_iter().for_each(|id| self.machine.pubcomp(id)),
            // What could not be noted is said again by the client when it comes back.
            (Then::Release(_) | Then::Complete(_), Err(error)) => {
                self.machine.disconnect(Refusal::from(error).into(), None);
            }
        }
    }

    /// MQTT 3.1.1 has no way to say that a message was not kept but to close: its PUBACK would be a promise.
    fn answer(&mut self, answers: Vec<(u16, Qos, Result<Reason, Refusal>)>) {
        for (id, qos, answer) in answers {
            let reason = match answer {
                Err(trouble) if trouble.is_trouble() && self.machine.version() == Version::V3 => {
                    return self.machine.disconnect(trouble.into(), None);
                }
                answer => answer.unwrap_or_else(Reason::from),
            };
            match qos {
                Qos::ExactlyOnce => self.machine.pubrec(id, reason),
                _ => self.machine.puback(id, reason),
            }
        }
    }

    fn greeted(&mut self, greeted: Result<Greeted, Reason>) {
        let heard = greeted.as_ref().map_or_else(|reason| *reason, |_| Reason::Success);
        METRICS.connects.add(heard.code(), 1);
        let Greeted { who, attached, assigned, session_expiry, renew, will, place } = match greeted {
            Ok(greeted) => greeted,
            Err(reason) => return self.machine.refuse(reason, None),
        };
        let session = attached.session.clone();
        self.machine.accept(Accept {
            session_present: attached.present,
            assigned_client_id: assigned,
            session_expiry,
            received: if attached.present { session.received() } else { Vec::new() },
            // For devices without another way to learn it (ARI, RFC 9773, in words of MQTT).
            user_properties: renew.map_or_else(Vec::new, |(from, until)| {
                vec![("renew-from".into(), from.to_string()), ("renew-until".into(), until.to_string())]
            }),
            ..Accept::default()
        });
        self.delivery.rows_wait = true;
        let (durable, tracks) = (session.is_durable(), Default::default());
        self.guest = Some(Box::new(Guest { who, attached, durable, tracks, will, expiry: None, place }));
        self.hall.chat.announce(session.account);
        self.parse(0); // Clients may send on before they are let in.
    }
}

/// Publications that were not taken, by what their publishers hear.
fn count_refused<'a>(refused: impl Iterator<Item = &'a Refusal>) {
    refused.for_each(|refusal| METRICS.refused.add(Reason::from(*refusal).code(), 1));
}

/// The answer of a disk that need not be asked.
fn done_already() -> Committing {
    let (tell, told) = oneshot::channel();
    let _ = tell.send(Ok(()));
    told
}

pub(super) fn complain(error: &StoreError) {
    tracing::error!(%error, "the store failed a connection");
}
