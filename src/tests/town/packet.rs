//! MQTT on the wire, written from the standards for these tests alone, so that two readings of them meet.
//!
//! Writing allows anything; reading is strict: what no server may send fails whatever test is hearing it (`packet/reading.rs`, `packet/rules.rs`).

mod reading;
mod rules;

use std::collections::BTreeMap;

pub(crate) use reading::take;

/// Protocol levels: 3.1, 3.1.1 and 5.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V31 = 3,
    V3 = 4,
    V5 = 5,
}

/// A PUBLISH, either way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// Packet identifier; 0 with QoS 0.
    pub(crate) id: u16,
    pub(crate) properties: Properties,
}

impl Delivery {
    /// A publication with QoS 1.
    pub(crate) fn new(topic: &str, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), qos: 1, ..Self::default() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// A user property.
    pub(crate) fn user(&self, name: &str) -> &str {
        let found = self.properties.user.iter().find(|(key, _)| key == name);
        found.map_or_else(|| panic!("no user property {name} in {self:?}"), |(_, value)| value.as_str())
    }
}

/// Properties of MQTT 5 (section 2.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    /// Those with a number, by identifier.
    pub(crate) numbers: BTreeMap<u8, u32>,
    /// Those with a text or bytes, by identifier.
    pub(crate) texts: BTreeMap<u8, Vec<u8>>,
    pub(crate) user: Vec<(String, String)>,
    /// Subscription identifiers, the only other property that may come several times.
    pub(crate) subscriptions: Vec<u32>,
}

impl Properties {
    /// With a property that is a number.
    pub(crate) fn number(mut self, key: u8, value: u32) -> Self {
        self.numbers.insert(key, value);
        self
    }

    /// With a property that is a text or bytes.
    pub(crate) fn text(mut self, key: u8, value: impl AsRef<[u8]>) -> Self {
        self.texts.insert(key, value.as_ref().to_vec());
        self
    }

    /// With a user property.
    pub(crate) fn pair(mut self, name: &str, value: &str) -> Self {
        self.user.push((name.into(), value.into()));
        self
    }

    /// With a subscription identifier.
    pub(crate) fn subscription(mut self, identifier: u32) -> Self {
        self.subscriptions.push(identifier);
        self
    }
}

pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
pub(crate) const CONTENT_TYPE: u8 = 0x03;
pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
pub(crate) const CORRELATION: u8 = 0x09;
pub(crate) const SESSION_EXPIRY: u8 = 0x11;
pub(crate) const ASSIGNED_ID: u8 = 0x12;
pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
pub(crate) const AUTH_METHOD: u8 = 0x15;
pub(crate) const AUTH_DATA: u8 = 0x16;
pub(crate) const REQUEST_PROBLEM: u8 = 0x17;
pub(crate) const WILL_DELAY: u8 = 0x18;
pub(crate) const REQUEST_RESPONSE: u8 = 0x19;
pub(crate) const RESPONSE_INFORMATION: u8 = 0x1A;
pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
pub(crate) const ALIAS_MAXIMUM: u8 = 0x22;
pub(crate) const ALIAS: u8 = 0x23;
pub(crate) const MAXIMUM_QOS: u8 = 0x24;
pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
pub(crate) const MAXIMUM_PACKET: u8 = 0x27;

// Options of a subscription in 5.0 (section 3.8.3.1), beside its QoS.
pub(crate) const NO_LOCAL: u8 = 0x04;
pub(crate) const AS_PUBLISHED: u8 = 0x08;
pub(crate) const RETAINED_IF_NEW: u8 = 0x10;
pub(crate) const RETAINED_NEVER: u8 = 0x20;

/// What the daemon sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    ConnAck { present: bool, code: u8, properties: Properties },
    Publish(Delivery),
    PubAck { id: u16, code: u8 },
    PubRec { id: u16, code: u8 },
    PubRel { id: u16, code: u8 },
    PubComp { id: u16, code: u8 },
    SubAck { id: u16, codes: Vec<u8> },
    UnsubAck { id: u16, codes: Vec<u8> },
    Pong,
    Disconnect { code: u8 },
    Auth { code: u8 },
}

/// A packet off the wire.
pub(crate) struct Taken {
    pub(crate) packet: Packet,
    /// Properties of a packet other than PUBLISH and CONNACK, which have their own.
    pub(crate) said: Properties,
    /// Bytes of the whole packet.
    pub(crate) length: usize,
}

/// How a client introduces itself.
#[derive(Clone, Debug)]
pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) client_id: String,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    /// Seconds; MQTT 5 only.
    pub(crate) expiry: u32,
    /// Deliveries that may be unacknowledged at a time; 0 says nothing. MQTT 5 only.
    pub(crate) receive_maximum: u16,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) will: Option<Delivery>,
    /// Further properties; MQTT 5 only.
    pub(crate) properties: Properties,
}

pub(crate) fn connect(hello: &Connect) -> Vec<u8> {
    let v5 = hello.version == Version::V5;
    let mut body = Vec::new();
    put_text(&mut body, if hello.version == Version::V31 { b"MQIsdp" } else { b"MQTT" });
    body.push(hello.version as u8);
    let flag = |set: bool, bit: u8| u8::from(set) << bit;
    let will = hello.will.as_ref().map_or(0, |will| 4 | will.qos << 3 | flag(will.retain, 5));
    body.push(
        flag(hello.clean, 1) | will | flag(hello.password.is_some(), 6) | flag(hello.username.is_some(), 7),
    );
    body.extend(hello.keep_alive.to_be_bytes());
    if v5 {
        let mut properties = hello.properties.clone();
        properties.numbers.insert(SESSION_EXPIRY, hello.expiry);
        if hello.receive_maximum > 0 {
            properties.numbers.insert(RECEIVE_MAXIMUM, hello.receive_maximum.into());
        }
        put_properties(&mut body, &properties);
    }
    put_text(&mut body, hello.client_id.as_bytes());
    if let Some(will) = &hello.will {
        if v5 {
            put_properties(&mut body, &will.properties);
        }
        put_text(&mut body, will.topic.as_bytes());
        put_text(&mut body, &will.payload);
    }
    for given in [&hello.username, &hello.password].into_iter().flatten() {
        put_text(&mut body, given.as_bytes());
    }
    framed(0x10, &body)
}

pub(crate) fn publish(version: Version, letter: &Delivery) -> Vec<u8> {
    let mut body = Vec::new();
    put_text(&mut body, letter.topic.as_bytes());
    if letter.qos > 0 {
        body.extend(letter.id.to_be_bytes());
    }
    if version == Version::V5 {
        put_properties(&mut body, &letter.properties);
    }
    body.extend(&letter.payload);
    framed(0x30 | u8::from(letter.dup) << 3 | letter.qos << 1 | u8::from(letter.retain), &body)
}

pub(crate) fn puback(id: u16) -> Vec<u8> {
    framed(0x40, &id.to_be_bytes())
}

pub(crate) fn pubrec(id: u16) -> Vec<u8> {
    framed(0x50, &id.to_be_bytes())
}

pub(crate) fn pubrel(id: u16) -> Vec<u8> {
    framed(0x62, &id.to_be_bytes())
}

pub(crate) fn pubcomp(id: u16) -> Vec<u8> {
    framed(0x70, &id.to_be_bytes())
}

/// An acknowledgement of any kind with a reason code, as only 5.0 has it.
pub(crate) fn reasoned(first: u8, id: u16, code: u8) -> Vec<u8> {
    framed(first, &[&id.to_be_bytes()[..], &[code]].concat())
}

pub(crate) fn subscribe(version: Version, id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    subscribe_with(version, id, &Properties::default(), filters)
}

/// The same with properties; each filter has its options behind it.
pub(crate) fn subscribe_with(
    version: Version,
    id: u16,
    properties: &Properties,
    filters: &[(&str, u8)],
) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        put_properties(&mut body, properties);
    }
    for (filter, options) in filters {
        put_text(&mut body, filter.as_bytes());
        body.push(*options);
    }
    framed(0x82, &body)
}

pub(crate) fn unsubscribe(version: Version, id: u16, filter: &str) -> Vec<u8> {
    unsubscribe_all(version, id, &[filter])
}

pub(crate) fn unsubscribe_all(version: Version, id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    for filter in filters {
        put_text(&mut body, filter.as_bytes());
    }
    framed(0xA2, &body)
}

pub(crate) fn ping() -> Vec<u8> {
    framed(0xC0, &[])
}

pub(crate) fn disconnect() -> Vec<u8> {
    framed(0xE0, &[])
}

/// DISCONNECT as only 5.0 has it.
pub(crate) fn disconnect_with(code: u8, properties: &Properties) -> Vec<u8> {
    coded(0xE0, code, properties)
}

pub(crate) fn auth(code: u8, properties: &Properties) -> Vec<u8> {
    coded(0xF0, code, properties)
}

fn coded(first: u8, code: u8, properties: &Properties) -> Vec<u8> {
    let mut body = vec![code];
    put_properties(&mut body, properties);
    framed(first, &body)
}

/// A packet of any kind with its length before it (section 1.5.5).
pub(crate) fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    put_varint(&mut packet, body.len());
    packet.extend(body);
    packet
}

fn put_text(body: &mut Vec<u8>, text: &[u8]) {
    let length = u16::try_from(text.len()).expect("texts of tests are short");
    body.extend(length.to_be_bytes());
    body.extend(text);
}

fn put_varint(body: &mut Vec<u8>, mut value: usize) {
    loop {
        let (low, rest) = ((value & 0x7F) as u8, value >> 7);
        body.push(low | u8::from(rest > 0) << 7);
        if rest == 0 {
            return;
        }
        value = rest;
    }
}

fn put_properties(body: &mut Vec<u8>, properties: &Properties) {
    let mut list = Vec::new();
    for (key, value) in &properties.numbers {
        list.push(*key);
        match *key {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => list.push(*value as u8),
            0x13 | 0x21 | 0x22 | 0x23 => list.extend((*value as u16).to_be_bytes()),
            _ => list.extend(value.to_be_bytes()),
        }
    }
    for (key, value) in &properties.texts {
        list.push(*key);
        put_text(&mut list, value);
    }
    for (name, value) in &properties.user {
        list.push(0x26);
        put_text(&mut list, name.as_bytes());
        put_text(&mut list, value.as_bytes());
    }
    for identifier in &properties.subscriptions {
        list.push(0x0B);
        put_varint(&mut list, *identifier as usize);
    }
    put_varint(body, list.len());
    body.extend(list);
}
