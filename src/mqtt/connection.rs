//! One client's connection, from its first byte to the last word we owe it.
//!
//! The machine reads packets in order, answers what the protocol itself answers, and keeps both sides'
//! promises: who speaks first, how much may be in flight, how long silence may last. It decides nothing about
//! people or messages: those are [`Event`]s, and the caller's answers come back as methods.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use rumqttd::protocol::{ConnAckProperties, Packet};
use zeroize::Zeroize;

use super::answer::{Accept, Limits, Outgoing, Sent};
use super::codec;
use super::connect::{self, Terms};
use super::event::{Connect, Event, Qos, Version};
use super::goodbye;
use super::guard::{self, Header, Kind};
use super::publish;
use super::reader::Reader;
use super::reason::{Breach, Reason};
use super::topic::LONGEST_TEXT;

/// The server's side of one connection. No `Debug`: its output holds what people wrote.
pub(crate) struct Connection {
    limits: Limits,
    stage: Stage,
    /// Known once a CONNECT has named it.
    version: Option<Version>,
    terms: Terms,
    keep_alive: u16,
    session_expiry: u32,
    /// When the last whole packet came; before the first, when the connection did.
    heard: Instant,
    /// The client was just accepted, and could say nothing while it waited for that.
    rested: bool,
    /// QoS 1 messages from the client that we have not acknowledged.
    unanswered: HashSet<u16>,
    /// QoS 1 deliveries that the client has not acknowledged.
    in_flight: HashSet<u16>,
    last_id: u16,
    output: BytesMut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waiting for CONNECT.
    Greeting,
    /// Waiting for `accept` or `refuse`.
    Judged,
    Open,
    Over,
}

impl Connection {
    /// A connection of which nothing has been read yet.
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits: Limits { receive_maximum: limits.receive_maximum.max(1), ..limits },
            stage: Stage::Greeting,
            version: None,
            terms: Terms::UNSAID,
            keep_alive: 0,
            session_expiry: 0,
            heard: now,
            rested: false,
            unanswered: HashSet::new(),
            in_flight: HashSet::new(),
            last_id: 0,
            output: BytesMut::new(),
        }
    }

    /// Consumes every whole packet in `input`, leaves a partial one, and appends what happened in order.
    ///
    /// Stops after a CONNECT: call again with what is left once the client is accepted. After
    /// [`Event::Fault`] and [`Event::Disconnect`] the connection is over, and bytes that follow are dropped.
    pub(crate) fn receive(&mut self, now: Instant, input: &mut BytesMut, events: &mut Vec<Event>) {
        if std::mem::take(&mut self.rested) {
            self.heard = now;
        }
        while matches!(self.stage, Stage::Greeting | Stage::Open) {
            let connected = self.stage == Stage::Open;
            let header = match guard::next(input, self.limits.max_packet, connected) {
                Ok(Some(header)) => header,
                Ok(None) => return,
                Err(breach) => {
                    self.fault(breach, events);
                    break;
                }
            };
            self.heard = now;
            if let Err(breach) = self.handle(header, input, events) {
                self.fault(breach, events);
            }
        }
        if self.stage == Stage::Over {
            input.clear();
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
            Kind::Publish => self.on_publish(header, input.split_to(header.total), events),
            Kind::PubAck => {
                let (id, reason) = publish::read_ack(version, &input[header.body_at..header.total])?;
                input.advance(header.total);
                if self.in_flight.remove(&id) {
                    events.push(Event::Acked { id, reason });
                }
                Ok(())
            }
            Kind::PingReq => {
                input.advance(header.total);
                self.put(codec::pingresp());
                Ok(())
            }
            Kind::Subscribe => {
                events.push(codec::read_subscribe(version, header, input.split_to(header.total))?);
                Ok(())
            }
            Kind::Unsubscribe => {
                events.push(codec::read_unsubscribe(version, header, input.split_to(header.total))?);
                Ok(())
            }
            Kind::Connect => {
                let mut frame = input.split_to(header.total);
                let read = self.on_connect(&frame[header.body_at..]);
                // The bytes may hold a password, and the buffer lives on.
                frame.as_mut().zeroize();
                events.push(Event::Connect(Box::new(read?)));
                Ok(())
            }
            Kind::Disconnect => {
                let read = goodbye::read(version, &input[header.body_at..header.total]);
                self.on_disconnect(read?, events)
            }
            Kind::PubRel => {
                let (id, _) = publish::read_ack(version, &input[header.body_at..header.total])?;
                input.advance(header.total);
                self.put(codec::pubcomp(version, id));
                Ok(())
            }
            Kind::PubRec | Kind::PubComp => {
                Err(Breach::protocol("acknowledgement for QoS 2, which we never send"))
            }
            Kind::Auth if version == Version::V3 => Err(Breach::malformed("packet of the reserved type 15")),
            Kind::Auth => Err(Breach::protocol("AUTH without an authentication method in CONNECT")),
        }
    }

    fn on_connect(&mut self, body: &[u8]) -> Result<Connect, Breach> {
        let mut reader = Reader::new(body);
        let (version, spoken) = connect::version(&mut reader)?;
        self.version = Some(version);
        if !spoken {
            return Err(Breach::new(
                Reason::UnsupportedProtocolVersion,
                "CONNECT with a protocol level other than 4 or 5",
            ));
        }
        let (connect, terms) = connect::read(version, reader)?;
        self.terms = terms;
        self.keep_alive = connect.keep_alive;
        self.session_expiry = connect.session_expiry;
        self.stage = Stage::Judged;
        Ok(connect)
    }

    fn on_publish(&mut self, header: Header, frame: BytesMut, events: &mut Vec<Event>) -> Result<(), Breach> {
        let version = self.version();
        let message = publish::read(version, header, frame.freeze())?;
        if message.qos == Qos::ExactlyOnce {
            return Err(Breach::new(Reason::QosNotSupported, "PUBLISH with QoS 2"));
        }
        if message.retain && version == Version::V5 {
            return Err(Breach::new(Reason::RetainNotSupported, "PUBLISH to be retained"));
        }
        if let Some(id) = message.id {
            if self.unanswered.contains(&id) {
                // An impatient client of 3.1.1 may repeat itself; the answer to come is for both.
                let repeated = Breach::protocol("PUBLISH with a packet identifier that is in use");
                return if message.dup { Ok(()) } else { Err(repeated) };
            }
            // A client of 3.1.1 was told no maximum; the caller may stop reading instead.
            if version == Version::V5 && self.unanswered.len() >= usize::from(self.limits.receive_maximum) {
                return Err(Breach::new(
                    Reason::ReceiveMaximumExceeded,
                    "more PUBLISH in flight than announced",
                ));
            }
            self.unanswered.insert(id);
        }
        events.push(Event::Publish(message));
        Ok(())
    }

    fn on_disconnect(&mut self, read: (Reason, Option<u32>), events: &mut Vec<Event>) -> Result<(), Breach> {
        let (reason, session_expiry) = read;
        // Section 3.14.2.2.2: a session that was to end with the connection cannot be prolonged at its end.
        if self.session_expiry == 0 && session_expiry.is_some_and(|seconds| seconds != 0) {
            return Err(Breach::protocol("DISCONNECT prolongs a session that was to end"));
        }
        self.stage = Stage::Over;
        events.push(Event::Disconnect { reason, session_expiry });
        Ok(())
    }

    /// Welcomes the client, and announces what we serve (section 3.2.2.3).
    pub(crate) fn accept(&mut self, welcome: Accept) {
        if self.stage != Stage::Judged {
            return;
        }
        self.stage = Stage::Open;
        self.rested = true;
        if let (Version::V5, Some(seconds)) = (self.version(), welcome.keep_alive) {
            self.keep_alive = seconds;
        }
        let announced = ConnAckProperties {
            session_expiry_interval: welcome.session_expiry,
            receive_max: Some(self.limits.receive_maximum),
            max_qos: Some(Qos::AtLeastOnce as u8),
            retain_available: Some(0),
            max_packet_size: Some(u32::try_from(self.limits.max_packet).unwrap_or(u32::MAX).max(1)),
            assigned_client_identifier: welcome.assigned_client_id,
            topic_alias_max: Some(0),
            wildcard_subscription_available: Some(1),
            subscription_identifiers_available: Some(1),
            shared_subscription_available: Some(0),
            server_keep_alive: welcome.keep_alive,
            ..ConnAckProperties::default()
        };
        let mut user_properties = welcome.user_properties;
        user_properties.retain(|(name, value)| name.len().max(value.len()) <= LONGEST_TEXT);
        let reason_string = welcome.reason_string.as_deref().map(codec::short);
        let talkative = ConnAckProperties { reason_string, user_properties, ..announced.clone() };
        // Words are for people and are left out before the client's maximum packet size is exceeded.
        if !self.put(codec::welcome(welcome.session_present, talkative))
            && !self.put(codec::welcome(welcome.session_present, announced))
        {
            self.stage = Stage::Over;
        }
    }

    /// Turns the client away: CONNACK with the version's code, and the connection is over.
    pub(crate) fn refuse(&mut self, reason: Reason, why: Option<&str>) {
        if self.stage == Stage::Judged {
            self.turn_away(reason, why);
        }
    }

    fn turn_away(&mut self, reason: Reason, why: Option<&str>) {
        self.stage = Stage::Over;
        let Some(version) = self.version else { return };
        for why in [why, None] {
            if codec::refusal(version, reason, why).is_none_or(|packet| self.put(packet)) {
                return;
            }
        }
    }

    /// Acknowledges a QoS 1 message; 3.1.1 hears no reason. An identifier that awaits no answer is ignored.
    pub(crate) fn puback(&mut self, id: u16, reason: Reason) {
        if self.unanswered.remove(&id) && self.stage == Stage::Open {
            publish::write_ack(self.version(), id, reason, &mut self.output);
        }
    }

    /// Answers a SUBSCRIBE, filter by filter; QoS 2 is granted as QoS 1.
    pub(crate) fn suback(&mut self, id: u16, codes: &[Result<Qos, Reason>]) {
        self.answer(codec::suback(self.version(), id, codes));
    }

    /// Answers an UNSUBSCRIBE, filter by filter; 3.1.1 hears only that it was received.
    pub(crate) fn unsuback(&mut self, id: u16, codes: &[Reason]) {
        self.answer(codec::unsuback(id, codes));
    }

    fn answer(&mut self, packet: Packet) {
        if self.stage == Stage::Open && !self.put(packet) {
            self.disconnect(Reason::PacketTooLarge, Some("an answer exceeds your maximum packet size"));
        }
    }

    /// Sends one message to the client; QoS 2 goes as QoS 1.
    pub(crate) fn publish(&mut self, message: &Outgoing<'_>) -> Sent {
        if self.stage != Stage::Open {
            return Sent::WindowFull;
        }
        let id = match message.qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce | Qos::ExactlyOnce if self.window() == 0 => return Sent::WindowFull,
            Qos::AtLeastOnce | Qos::ExactlyOnce => Some(self.choose_id(message.id)),
        };
        if !publish::write(message, id, self.version(), self.terms.max_packet, &mut self.output) {
            return Sent::TooLarge;
        }
        match id {
            None => Sent::Fire,
            Some(id) => {
                self.in_flight.insert(id);
                Sent::Awaiting(id)
            }
        }
    }

    /// The earlier identifier if it is free, or the next free one. There is one: the window is below 65,535.
    fn choose_id(&mut self, earlier: Option<u16>) -> u16 {
        if let Some(id) = earlier.filter(|id| *id != 0 && !self.in_flight.contains(id)) {
            return id;
        }
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains(&self.last_id) {
                return self.last_id;
            }
        }
    }

    /// How many QoS 1 deliveries may be sent now: the smaller receive maximum less what is in flight.
    pub(crate) fn window(&self) -> usize {
        let most = self.terms.receive_maximum.min(self.limits.receive_maximum);
        usize::from(most).saturating_sub(self.in_flight.len())
    }

    /// QoS 1 deliveries that the client has not acknowledged.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// QoS 1 messages from the client that await [`puback`](Self::puback). Only 5.0 limits them, so for 3.1.1
    /// it is the caller who stops reading when there are too many.
    #[cfg(test)]
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered.len()
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
            goodbye::write(reason, why, self.terms.max_packet, &mut self.output);
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

    /// Whether to close once the output is sent.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// When to call [`tick`](Self::tick) at the latest: the connect time-out, later one and a half times the
    /// keep-alive (section 3.1.2.10). While the client waits for us there is none.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let patience = match self.stage {
            Stage::Greeting => self.limits.connect_timeout,
            Stage::Open if self.keep_alive > 0 => Duration::from_millis(u64::from(self.keep_alive) * 1500),
            _ => return None,
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
            _ => "nothing heard for one and a half times the keep-alive",
        };
        self.fault(Breach::new(Reason::KeepAliveTimeout, what), events);
    }

    /// The version that the client speaks; 3.1.1 until a CONNECT has said so.
    pub(crate) fn version(&self) -> Version {
        self.version.unwrap_or(Version::V3)
    }

    /// Puts a packet into the output, if the client reads packets of its size.
    fn put(&mut self, packet: Packet) -> bool {
        codec::write(self.version(), packet, self.terms.max_packet, &mut self.output)
    }
}
