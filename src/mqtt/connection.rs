//! One client's connection, from its first byte to the last word we owe it.
//!
//! The machine reads packets in order, answers what the protocol itself answers, and keeps both sides'
//! promises: who speaks first, how much may be in flight, how long silence may last. It decides nothing about
//! people or messages: those are [`Event`]s, and the caller's answers come back as methods. How a client comes
//! in is told in `connection/greeting.rs`, what passes after that in `connection/exchange.rs`.

mod exchange;
mod greeting;

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use rumqttd::protocol::Packet;
use zeroize::Zeroize;

use super::alias::{Ours, Theirs};
use super::answer::Limits;
use super::codec;
use super::connect::Terms;
use super::event::{Event, Version};
use super::goodbye;
use super::guard::{self, Header, Kind, Turn};
use super::inbound::Inbound;
use super::outbound::Outbound;
use super::reason::{Breach, Reason};

/// The server's side of one connection. No `Debug`: its output holds what people wrote.
pub(crate) struct Connection {
    limits: Limits,
    stage: Stage,
    proof: Proof,
    /// Known once a CONNECT has named it.
    version: Option<Version>,
    /// The client was just answered, and could say nothing while it waited for that.
    rested: bool,
    terms: Terms,
    keep_alive: u16,
    session_expiry: u32,
    /// When the last whole packet came; before the first, when the connection did.
    heard: Instant,
    /// The authentication method of the CONNECT, if it had one.
    method: Option<Box<str>>,
    inbound: Inbound,
    outbound: Outbound,
    their_aliases: Theirs,
    our_aliases: Ours,
    output: BytesMut,
    /// Packets that came and went since somebody took the counts.
    packets: (u32, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waiting for CONNECT.
    Greeting,
    /// CONNECT has come and is neither accepted nor refused.
    Judged,
    Open,
    Over,
}

/// Whose turn it is in an authentication (MQTT 5.0 section 4.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// None is going on.
    Settled,
    /// The client has spoken; the caller answers.
    Ours,
    /// The client was challenged.
    Theirs,
}

impl Connection {
    /// A connection of which nothing has been read yet.
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits: Limits { receive_maximum: limits.receive_maximum.max(1), ..limits },
            stage: Stage::Greeting,
            proof: Proof::Settled,
            version: None,
            rested: false,
            terms: Terms::UNSAID,
            keep_alive: 0,
            session_expiry: 0,
            heard: now,
            method: None,
            inbound: Inbound::new(),
            outbound: Outbound::new(),
            their_aliases: Theirs::default(),
            our_aliases: Ours::default(),
            output: BytesMut::new(),
            packets: (0, 0),
        }
    }

    /// Consumes every whole packet in `input`, leaves a partial one, and appends what happened in order.
    ///
    /// Stops after a CONNECT, and after an AUTH that belongs to it: call again with what is left once the client
    /// is answered. After [`Event::Fault`] and [`Event::Disconnect`] the connection is over, and bytes that
    /// follow are dropped.
    pub(crate) fn receive(&mut self, now: Instant, input: &mut BytesMut, events: &mut Vec<Event>) {
        if std::mem::take(&mut self.rested) {
            self.heard = now;
        }
        while let Some(turn) = self.turn() {
            let header = match guard::next(input, self.limits.max_packet, turn) {
                Ok(Some(header)) => header,
                Ok(None) => return,
                Err(breach) => {
                    self.fault(breach, events);
                    break;
                }
            };
            self.heard = now;
            self.packets.0 += 1;
            if let Err(breach) = self.handle(header, input, events) {
                self.fault(breach, events);
            }
        }
        if self.stage == Stage::Over {
            input.clear();
        }
    }

    /// What the client may say now, or `None` while it is not listened to.
    fn turn(&self) -> Option<Turn> {
        match (self.stage, self.proof) {
            (Stage::Greeting, _) => Some(Turn::Greeting),
            (Stage::Judged, Proof::Theirs) => Some(Turn::Proof),
            (Stage::Open, _) => Some(Turn::Open),
            (Stage::Judged | Stage::Over, _) => None,
        }
    }

    fn handle(
        &mut self,
        header: Header,
        input: &mut BytesMut,
        events: &mut Vec<Event>,
    ) -> Result<(), Breach> {
        let version = self.version();
        match header.kind {
            Kind::Publish => {
                let frame = input.split_to(header.total).freeze();
                return self.on_publish(header, frame, events);
            }
            Kind::Subscribe => {
                let frame = input.split_to(header.total);
                events.push(codec::read_subscribe(version, header, frame)?);
                return Ok(());
            }
            Kind::Unsubscribe => {
                let frame = input.split_to(header.total);
                events.push(codec::read_unsubscribe(version, header, frame)?);
                return Ok(());
            }
            Kind::Connect | Kind::Auth => {
                let mut frame = input.split_to(header.total);
                let read = match header.kind {
                    Kind::Connect => self.on_connect(header.body(&frame)),
                    _ => self.on_auth(header.body(&frame)),
                };
                // The bytes may hold a secret, and the buffer lives on.
                frame.as_mut().zeroize();
                events.push(read?);
                return Ok(());
            }
            Kind::Ack(ack) => self.on_ack(ack, header.body(input), events)?,
            Kind::PingReq => _ = self.put(codec::pingresp()),
            Kind::Disconnect => events.push(self.on_disconnect(header.body(input))?),
        }
        input.advance(header.total);
        Ok(())
    }

    fn on_disconnect(&mut self, body: &[u8]) -> Result<Event, Breach> {
        let (reason, session_expiry) = goodbye::read(self.version(), body)?;
        // Section 3.14.2.2.2: a session that was to end with the connection cannot be prolonged at its end.
        if self.session_expiry == 0 && session_expiry.is_some_and(|seconds| seconds != 0) {
            return Err(Breach::protocol("DISCONNECT prolongs a session that was to end"));
        }
        self.stage = Stage::Over;
        Ok(Event::Disconnect { reason, session_expiry })
    }

    /// Ends the connection from our side: DISCONNECT with the reason in 5.0, nothing in 3.1.1.
    ///
    /// A client that still waits to be accepted is refused instead.
    pub(crate) fn disconnect(&mut self, reason: Reason, why: Option<&str>) {
        match self.stage {
            Stage::Judged => self.turn_away(reason, why),
            Stage::Open => self.part(reason, why),
            Stage::Greeting | Stage::Over => self.stage = Stage::Over,
        }
    }

    fn part(&mut self, reason: Reason, why: Option<&str>) {
        self.stage = Stage::Over;
        if self.version() == Version::V5 {
            self.packets.1 += 1;
            goodbye::write(reason, why, self.most_bytes(), &mut self.output);
        }
    }

    /// Says the last word for a breach: CONNACK before the welcome, DISCONNECT after it (section 4.13).
    fn fault(&mut self, breach: Breach, events: &mut Vec<Event>) {
        let Breach { reason, what } = breach;
        match self.stage {
            Stage::Open => self.part(reason, Some(what)),
            _ => self.turn_away(reason, Some(what)),
        }
        events.push(Event::Fault { reason, what });
    }

    /// Bytes to send; the caller drains them.
    pub(crate) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Takes the counts of packets: those that came, and those that were put into the output.
    pub(crate) fn take_packets(&mut self) -> (u64, u64) {
        let (came, went) = std::mem::take(&mut self.packets);
        (came.into(), went.into())
    }

    /// Whether to close once the output is sent.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// When to call [`tick`](Self::tick) at the latest: the connect time-out, later one and a half times the
    /// keep-alive (section 3.1.2.10). While the client waits for us there is none.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let patience = match self.turn()? {
            Turn::Greeting | Turn::Proof => self.limits.connect_timeout,
            Turn::Open if self.keep_alive > 0 => Duration::from_millis(u64::from(self.keep_alive) * 1500),
            Turn::Open => return None,
        };
        self.heard.checked_add(patience)
    }

    /// Ends the connection of a client that was silent beyond its deadline.
    pub(crate) fn tick(&mut self, now: Instant, events: &mut Vec<Event>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if std::mem::take(&mut self.rested) {
            self.heard = now;
            return;
        }
        let what = match self.stage {
            Stage::Greeting => "no CONNECT within the time-out",
            Stage::Judged => "no answer to a challenge within the time-out",
            _ => "nothing heard for one and a half times the keep-alive",
        };
        self.fault(Breach::new(Reason::KeepAliveTimeout, what), events);
    }

    /// The version that the client speaks; 3.1.1 until a CONNECT has said so.
    pub(crate) fn version(&self) -> Version {
        self.version.unwrap_or(Version::V3)
    }

    /// Bytes of the largest packet that the client reads.
    fn most_bytes(&self) -> usize {
        self.terms.max_packet as usize
    }

    /// Puts a packet into the output, if the client reads packets of its size ([MQTT-3.1.2-24]).
    fn put(&mut self, packet: Packet) -> bool {
        self.packets.1 += 1;
        codec::write(self.version(), packet, self.most_bytes(), &mut self.output)
    }
}
