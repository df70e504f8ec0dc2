//! What passes once a client is in: messages in both directions with their acknowledgements, and
//! subscriptions (MQTT 5.0 sections 3.3 to 3.11, 4.3 and 4.4).

use bytes::Bytes;
use rumqttd::protocol::Packet;

use super::{Connection, Stage};
use crate::mqtt::ack::{self, Step};
use crate::mqtt::alias::Naming;
use crate::mqtt::answer::{Outgoing, Sent};
use crate::mqtt::codec;
use crate::mqtt::event::{Event, Qos, Version};
use crate::mqtt::guard::Header;
use crate::mqtt::inbound::{Release, Seen};
use crate::mqtt::outbound::Receipt;
use crate::mqtt::publish;
use crate::mqtt::reason::{Breach, Reason};

/// From the client.
impl Connection {
    pub(super) fn on_publish(
        &mut self,
        header: Header,
        frame: Bytes,
        events: &mut Vec<Event>,
    ) -> Result<(), Breach> {
        let (version, most) = (self.version(), self.limits.topic_aliases);
        let message = publish::read(version, header, frame, &mut self.their_aliases, most)?;
        if let Some(id) = message.id {
            // A client of 3.1.1 was told no maximum; the caller may stop reading instead.
            let maximum = (version == Version::V5).then_some(self.limits.receive_maximum);
            match self.inbound.publish(id, message.qos, message.dup, maximum)? {
                Seen::Never => {}
                Seen::Unanswered => return Ok(()),
                Seen::Received => {
                    self.say(Step::Rec, id, Reason::Success);
                    return Ok(());
                }
            }
        }
        events.push(Event::Publish(message));
        Ok(())
    }

    pub(super) fn on_ack(&mut self, step: Step, body: &[u8], events: &mut Vec<Event>) -> Result<(), Breach> {
        let (id, reason) = ack::read(self.version(), step, body)?;
        match step {
            Step::Ack => {
                if self.outbound.on_puback(id)? {
                    events.push(Event::Acked { id, reason });
                }
            }
            Step::Rec => match self.outbound.on_pubrec(id, !reason.is_refusal())? {
                Receipt::First => events.push(Event::Received { id }),
                Receipt::Refused => events.push(Event::Acked { id, reason }),
                Receipt::Unanswered => {}
                Receipt::Again => self.say(Step::Rel, id, Reason::Success),
                Receipt::Unknown => self.say(Step::Rel, id, Reason::PacketIdentifierNotFound),
            },
            Step::Rel => match self.inbound.release(id)? {
                Release::First => events.push(Event::Released { id }),
                Release::Unanswered => {}
                Release::Unknown => self.say(Step::Comp, id, Reason::PacketIdentifierNotFound),
            },
            Step::Comp => {
                if self.outbound.on_pubcomp(id)? {
                    events.push(Event::Completed { id });
                }
            }
        }
        Ok(())
    }

    /// Acknowledges a QoS 1 message; 3.1.1 hears no reason. An identifier that awaits no answer is ignored.
    pub(crate) fn puback(&mut self, id: u16, reason: Reason) {
        if self.inbound.puback(id) {
            self.say(Step::Ack, id, reason);
        }
    }

    /// Answers a QoS 2 message. With a reason of 0x80 and above its identifier is free again; else it counts as
    /// received until the client releases it. 3.1.1 hears no reason.
    pub(crate) fn pubrec(&mut self, id: u16, reason: Reason) {
        if self.inbound.pubrec(id, !reason.is_refusal()) {
            self.say(Step::Rec, id, reason);
        }
    }

    /// Says that a QoS 2 message is released, after [`Event::Released`].
    pub(crate) fn pubcomp(&mut self, id: u16) {
        if self.inbound.pubcomp(id) {
            self.say(Step::Comp, id, Reason::Success);
        }
    }

    /// Answers a SUBSCRIBE, filter by filter.
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

    /// The four fit every client's maximum packet size: its CONNACK was longer.
    fn say(&mut self, step: Step, id: u16, reason: Reason) {
        if self.stage == Stage::Open {
            self.packets.1 += 1;
            ack::write(self.version(), step, id, reason, &mut self.output);
        }
    }
}

/// To the client.
impl Connection {
    /// Sends one message to the client.
    pub(crate) fn publish(&mut self, message: &Outgoing<'_>) -> Sent {
        if self.stage != Stage::Open {
            return Sent::WindowFull;
        }
        let id = match message.qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce | Qos::ExactlyOnce if self.window() == 0 => return Sent::WindowFull,
            Qos::AtLeastOnce | Qos::ExactlyOnce => match self.outbound.choose(message.id) {
                None => return Sent::WindowFull,
                id => id,
            },
        };
        if !self.write(message, id) {
            return Sent::TooLarge;
        }
        self.packets.1 += 1;
        match id {
            None => Sent::Fire,
            Some(id) => {
                self.outbound.sent(id, message.qos);
                Sent::Awaiting(id)
            }
        }
    }

    /// Writes a PUBLISH if the client reads packets of its size, with an alias for its topic where there is room.
    fn write(&mut self, message: &Outgoing<'_>, id: Option<u16>) -> bool {
        let (version, most) = (self.version(), self.most_bytes());
        let aliases = self.terms.topic_aliases.min(self.limits.topic_aliases);
        let naming = self.our_aliases.name(message.topic, aliases);
        if publish::write(message, id, naming, version, most, &mut self.output) {
            if let Naming::Introduced(alias) = naming {
                self.our_aliases.introduced(message.topic, alias);
            }
            return true;
        }
        // The introduction itself takes three bytes.
        matches!(naming, Naming::Introduced(_))
            && publish::write(message, id, Naming::Name, version, most, &mut self.output)
    }

    /// Releases a QoS 2 delivery: after [`Event::Received`], and for what a resumed session has pending.
    pub(crate) fn pubrel(&mut self, id: u16) {
        if self.stage == Stage::Open && self.outbound.release(id) {
            self.say(Step::Rel, id, Reason::Success);
        }
    }

    /// How many deliveries of QoS 1 and 2 may be sent now: the smaller receive maximum less what is in flight.
    pub(crate) fn window(&self) -> usize {
        let most = self.terms.receive_maximum.min(self.limits.receive_maximum);
        usize::from(most).saturating_sub(self.outbound.len())
    }

    /// Deliveries that the client has not settled.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.outbound.len()
    }

    /// Messages of QoS 1 and 2 from the client that are not settled. Only 5.0 limits them, so for 3.1.1 it is the
    /// caller who stops reading when there are too many.
    #[cfg(test)]
    pub(crate) fn unanswered(&self) -> usize {
        self.inbound.len()
    }
}
