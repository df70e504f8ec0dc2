//! MQTT on the wire, written from the standards for these tests alone, so that two readings of them meet.

use std::collections::BTreeMap;

/// Protocol levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
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
}

pub(crate) const CONTENT_TYPE: u8 = 0x03;
pub(crate) const SESSION_EXPIRY: u8 = 0x11;
pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
pub(crate) const MAXIMUM_PACKET: u8 = 0x27;

/// What the daemon sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    ConnAck { present: bool, code: u8, properties: Properties },
    Publish(Delivery),
    PubAck { id: u16, code: u8 },
    SubAck { id: u16, codes: Vec<u8> },
    UnsubAck { id: u16, codes: Vec<u8> },
    Pong,
    Disconnect { code: u8 },
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
}

pub(crate) fn connect(hello: &Connect) -> Vec<u8> {
    let mut body = Vec::new();
    put_text(&mut body, b"MQTT");
    body.push(hello.version as u8);
    let flag = |set: bool, bit: u8| u8::from(set) << bit;
    body.push(flag(hello.clean, 1) | flag(hello.password.is_some(), 6) | flag(hello.username.is_some(), 7));
    body.extend(hello.keep_alive.to_be_bytes());
    if hello.version == Version::V5 {
        let mut numbers = BTreeMap::from([(SESSION_EXPIRY, hello.expiry)]);
        if hello.receive_maximum > 0 {
            numbers.insert(RECEIVE_MAXIMUM, hello.receive_maximum.into());
        }
        put_properties(&mut body, &Properties { numbers, ..Properties::default() });
    }
    put_text(&mut body, hello.client_id.as_bytes());
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

pub(crate) fn subscribe(version: Version, id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    for (filter, qos) in filters {
        put_text(&mut body, filter.as_bytes());
        body.push(*qos);
    }
    framed(0x82, &body)
}

pub(crate) fn unsubscribe(version: Version, id: u16, filter: &str) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    put_text(&mut body, filter.as_bytes());
    framed(0xA2, &body)
}

pub(crate) fn ping() -> Vec<u8> {
    framed(0xC0, &[])
}

pub(crate) fn disconnect() -> Vec<u8> {
    framed(0xE0, &[])
}

/// A packet of any kind with its length before it (section 1.5.5).
pub(crate) fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    put_varint(&mut packet, body.len());
    packet.extend(body);
    packet
}

/// Takes one packet off the front when it is there whole.
pub(crate) fn take(version: Version, input: &mut Vec<u8>) -> Option<Packet> {
    let first = *input.first()?;
    let mut length = 0usize;
    let mut width = 0;
    loop {
        let byte = *input.get(1 + width)?;
        length |= usize::from(byte & 0x7F) << (7 * width);
        width += 1;
        if byte & 0x80 == 0 {
            break;
        }
        assert!(width < 4, "a remaining length of more than four bytes");
    }
    let end = 1 + width + length;
    if input.len() < end {
        return None;
    }
    let body: Vec<u8> = input.drain(..end).skip(1 + width).collect();
    Some(parse(version, first, Body(&body)))
}

fn parse(version: Version, first: u8, mut body: Body<'_>) -> Packet {
    let v5 = version == Version::V5;
    match first >> 4 {
        2 => {
            let (flags, code) = (body.u8(), body.u8());
            let properties = if v5 { body.properties() } else { Properties::default() };
            Packet::ConnAck { present: flags == 1, code, properties }
        }
        3 => {
            let (dup, qos, retain) = (first & 8 != 0, first >> 1 & 3, first & 1 != 0);
            let topic = String::from_utf8(body.text()).expect("a topic is UTF-8");
            let id = if qos > 0 { body.u16() } else { 0 };
            let properties = if v5 { body.properties() } else { Properties::default() };
            Packet::Publish(Delivery { topic, payload: body.0.to_vec(), qos, retain, dup, id, properties })
        }
        4 => Packet::PubAck { id: body.u16(), code: if body.0.is_empty() { 0 } else { body.u8() } },
        kind @ (9 | 11) => {
            let id = body.u16();
            if v5 {
                body.properties();
            }
            let codes = body.0.to_vec();
            if kind == 9 { Packet::SubAck { id, codes } } else { Packet::UnsubAck { id, codes } }
        }
        13 => Packet::Pong,
        14 => Packet::Disconnect { code: if body.0.is_empty() { 0 } else { body.u8() } },
        kind => panic!("the daemon sent a packet of type {kind}"),
    }
}

struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        assert!(self.0.len() >= count, "the daemon's packet ends early");
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken.to_vec()
    }

    fn u8(&mut self) -> u8 {
        self.bytes(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from(self.u8()) << 8 | u16::from(self.u8())
    }

    fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    fn text(&mut self) -> Vec<u8> {
        let length = self.u16();
        self.bytes(length.into())
    }

    fn varint(&mut self) -> u32 {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8();
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }

    fn properties(&mut self) -> Properties {
        let length = self.varint() as usize;
        let list = self.bytes(length);
        let mut list = Body(&list);
        let mut properties = Properties::default();
        while !list.0.is_empty() {
            let key = list.u8();
            match key {
                0x26 => {
                    let pair =
                        [list.text(), list.text()].map(|text| String::from_utf8_lossy(&text).into_owned());
                    let [name, value] = pair;
                    properties.user.push((name, value));
                }
                0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1A | 0x1C | 0x1F => {
                    properties.texts.insert(key, list.text());
                }
                0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => {
                    properties.numbers.insert(key, list.u8().into());
                }
                0x13 | 0x21 | 0x22 | 0x23 => {
                    properties.numbers.insert(key, list.u16().into());
                }
                0x0B => {
                    properties.numbers.insert(key, list.varint());
                }
                0x02 | 0x11 | 0x18 | 0x27 => {
                    properties.numbers.insert(key, list.u32());
                }
                other => panic!("the daemon sent a property {other:#x}"),
            }
        }
        properties
    }
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
            RECEIVE_MAXIMUM => list.extend((*value as u16).to_be_bytes()),
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
    put_varint(body, list.len());
    body.extend(list);
}
