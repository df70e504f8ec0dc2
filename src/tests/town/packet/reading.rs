//! Reading what a server sends, strictly: a packet that no server may send fails the test that hears it.

use super::{Delivery, Packet, Properties, Taken, Version, rules};

/// Takes one packet off the front when it is there whole.
pub(crate) fn take(version: Version, input: &mut Vec<u8>) -> Option<Taken> {
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
    rules::header(first, length, width);
    let body: Vec<u8> = input.drain(..end).skip(1 + width).collect();
    let mut body = Body(&body);
    let (packet, said) = parse(version, first, &mut body);
    assert!(body.0.is_empty(), "{:02x?} behind {packet:?}", body.0);
    rules::packet(version, &packet);
    Some(Taken { packet, said, length: end })
}

fn parse(version: Version, first: u8, body: &mut Body<'_>) -> (Packet, Properties) {
    let (kind, v5) = (first >> 4, version == Version::V5);
    let mut said = Properties::default();
    let packet = match kind {
        2 => {
            let (flags, code) = (body.u8(), body.u8());
            rules::welcome(flags, code);
            let properties = if v5 { body.properties(kind) } else { Properties::default() };
            Packet::ConnAck { present: flags == 1, code, properties }
        }
        3 => {
            let (dup, qos, retain) = (first & 8 != 0, first >> 1 & 3, first & 1 != 0);
            let topic = String::from_utf8(body.text()).expect("a topic is UTF-8");
            let id = if qos > 0 { body.u16() } else { 0 };
            let properties = if v5 { body.properties(kind) } else { Properties::default() };
            let payload = std::mem::take(&mut body.0).to_vec();
            Packet::Publish(Delivery { topic, payload, qos, retain, dup, id, properties })
        }
        4..=7 => {
            let id = body.u16();
            let code = if v5 { body.code() } else { 0 };
            said = body.rest(kind);
            match kind {
                4 => Packet::PubAck { id, code },
                5 => Packet::PubRec { id, code },
                6 => Packet::PubRel { id, code },
                _ => Packet::PubComp { id, code },
            }
        }
        9 | 11 => {
            let id = body.u16();
            if v5 {
                said = body.properties(kind);
            }
            let codes = std::mem::take(&mut body.0).to_vec();
            if kind == 9 { Packet::SubAck { id, codes } } else { Packet::UnsubAck { id, codes } }
        }
        13 => Packet::Pong,
        14 | 15 if v5 => {
            let code = body.code();
            said = body.rest(kind);
            if kind == 14 { Packet::Disconnect { code } } else { Packet::Auth { code } }
        }
        kind => panic!("the daemon sent a packet of type {kind} in {version:?}"),
    };
    (packet, said)
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

    /// A reason code; success when the packet ends before it (section 3.4.2.1 and its like).
    fn code(&mut self) -> u8 {
        if self.0.is_empty() { 0 } else { self.u8() }
    }

    /// Properties, which may be left out where nothing follows them.
    fn rest(&mut self, kind: u8) -> Properties {
        if self.0.is_empty() { Properties::default() } else { self.properties(kind) }
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
                assert!(shift == 0 || byte > 0, "an integer of more bytes than it needs [MQTT-1.5.5-1]");
                return value;
            }
        }
        panic!("an integer of more than four bytes")
    }

    fn properties(&mut self, kind: u8) -> Properties {
        let length = self.varint() as usize;
        let list = self.bytes(length);
        let mut list = Body(&list);
        let mut properties = Properties::default();
        while !list.0.is_empty() {
            let key = list.u8();
            rules::property(kind, key);
            let (texts, numbers) = (&mut properties.texts, &mut properties.numbers);
            let again = match key {
                0x26 => {
                    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("user properties are UTF-8");
                    properties.user.push((text(list.text()), text(list.text())));
                    false
                }
                0x0B => {
                    properties.subscriptions.push(list.varint());
                    false
                }
                0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1A | 0x1C | 0x1F => {
                    texts.insert(key, list.text()).is_some()
                }
                0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => {
                    numbers.insert(key, list.u8().into()).is_some()
                }
                0x13 | 0x21 | 0x22 | 0x23 => numbers.insert(key, list.u16().into()).is_some(),
                0x02 | 0x11 | 0x18 | 0x27 => numbers.insert(key, list.u32()).is_some(),
                other => panic!("the daemon sent a property {other:#x}"),
            };
            assert!(!again, "the property {key:#x} twice");
        }
        properties
    }
}
