//! The rest of what a client can say: all versions and properties, wills, QoS 2, and packets one at a time.

use std::time::Duration;

use super::{Client, Dial, Ending, PATIENCE};
use crate::town::packet::{self, Connect, Delivery, MAXIMUM_PACKET, Packet, Properties, Version};

impl Dial {
    /// In this version.
    pub(crate) fn version(mut self, version: Version) -> Self {
        self.hello.version = version;
        self
    }

    /// With this last will.
    pub(crate) fn will(mut self, will: Delivery) -> Self {
        self.hello.will = Some(will);
        self
    }

    /// With properties besides those that have a word of their own here.
    pub(crate) fn saying(mut self, properties: Properties) -> Self {
        self.hello.properties = properties;
        self
    }

    /// Otherwise as `change` says.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut Connect)) -> Self {
        change(&mut self.hello);
        self
    }

    /// Takes up an earlier session, and leaves none behind where the version can say so.
    pub(crate) fn resuming(self) -> Self {
        self.lasting(0)
    }

    /// A connection on which these bytes were said.
    pub(crate) fn say(&self, bytes: &[u8]) -> Client {
        let mut client = self.open().expect("the door is open");
        client.send(bytes).expect("bytes leave");
        client
    }

    pub(super) fn limit(&self) -> usize {
        let said = self.hello.properties.numbers.get(&MAXIMUM_PACKET);
        said.map_or(usize::MAX, |bytes| *bytes as usize)
    }
}

impl Client {
    /// The next packet of any kind.
    pub(crate) fn next(&mut self) -> Packet {
        if let Some(delivery) = self.waiting.pop_front() {
            return Packet::Publish(delivery);
        }
        match self.packet(PATIENCE) {
            Ok(Some(packet)) => packet,
            Ok(None) => panic!("nothing is said within {PATIENCE:?}"),
            Err(closed) => panic!("the connection ended: {closed}"),
        }
    }

    /// Says these bytes; the next packet is the answer.
    pub(crate) fn answer_to(&mut self, bytes: &[u8]) -> Packet {
        self.send(bytes).expect("bytes leave");
        self.next()
    }

    /// The next packet, which is a delivery, not acknowledged yet.
    pub(crate) fn delivery(&mut self) -> Delivery {
        match self.next() {
            Packet::Publish(delivery) => delivery,
            other => panic!("{other:?} instead of a delivery"),
        }
    }

    /// Nothing is said for a moment.
    pub(crate) fn is_silent(&mut self) {
        let heard = self.packet(Duration::from_millis(250));
        assert!(matches!(heard, Ok(None)) && self.waiting.is_empty(), "{heard:?} {:?}", self.waiting);
    }

    /// Subscribes with options and properties; the answer to each filter.
    pub(crate) fn subscribe_with(&mut self, properties: &Properties, filters: &[(&str, u8)]) -> Vec<u8> {
        let id = self.fresh_id();
        let bytes = packet::subscribe_with(self.version, id, properties, filters);
        self.send(&bytes).expect("SUBSCRIBE is sent");
        self.answer("SUBACK", |packet| match packet {
            Packet::SubAck { id: of, codes } if of == id => Some(codes),
            _ => None,
        })
    }

    /// Subscribes to one filter with these options, which is granted.
    pub(crate) fn hearing(mut self, filter: &str, options: u8) -> Self {
        assert_eq!(self.subscribe(&[(filter, options)]), [options & 3], "{filter}");
        self
    }

    /// The sender's part of QoS 2 after its PUBLISH; the reason code of the PUBREC.
    pub(crate) fn exactly_once(&mut self, id: u16) -> u8 {
        let code = self.answer("PUBREC", |packet| match packet {
            Packet::PubRec { id: of, code } if of == id => Some(code),
            _ => None,
        });
        if code < 0x80 {
            self.send(&packet::pubrel(id)).expect("PUBREL is sent");
            self.answer("PUBCOMP", |packet| (packet == Packet::PubComp { id, code: 0 }).then_some(()));
        }
        code
    }

    /// The receiver's part of QoS 2.
    pub(crate) fn take_exactly_once(&mut self, heard: &Delivery) {
        let id = heard.id;
        self.send(&packet::pubrec(id)).expect("PUBREC is sent");
        self.answer("PUBREL", |packet| (packet == Packet::PubRel { id, code: 0 }).then_some(()));
        self.send(&packet::pubcomp(id)).expect("PUBCOMP is sent");
    }

    /// It is shut out: with one of these codes in 5.0, without a word before that.
    pub(crate) fn ends(&mut self, codes: &[u8]) {
        match self.ending(PATIENCE) {
            Ending::Disconnect(code) if self.version == Version::V5 => {
                assert!(codes.contains(&code), "{code:#x} instead of {codes:02x?}");
                assert!(self.packet(PATIENCE).is_err(), "more is said after the last word");
            }
            Ending::Closed if self.version != Version::V5 || codes.is_empty() => {}
            other => panic!("{other:?} instead of {codes:02x?}"),
        }
    }
}
