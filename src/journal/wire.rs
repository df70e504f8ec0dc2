//! How facts are written as bytes: fixed integers little endian, counts and numbers as varints (LEB128), texts with
//! their length before them.
//!
//! Reading yields `None` for bytes that nobody here wrote. A checksum has been compared before, so that means another
//! version's journal, or a mistake of ours.

use bytes::Bytes;

use super::facts::Message;
use crate::mqtt::{PayloadFormat, Properties, Qos, TopicName};
use crate::time::Timestamp;

pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A message: when, how, expiry, topic and payload, then the rarer properties.
///
/// What a start needs to know (topic, lengths, expiry) stands first, so that it passes over the rest.
pub(super) fn put_message(out: &mut Vec<u8>, message: &Message) {
    out.extend_from_slice(&message.at.micros().to_le_bytes());
    let properties = message.properties.as_deref();
    out.push(message.qos as u8 | properties.map_or(0, presence));
    if let Some(seconds) = properties.and_then(|properties| properties.message_expiry) {
        out.extend_from_slice(&seconds.to_le_bytes());
    }
    put_bytes(out, message.topic.as_str().as_bytes());
    put_bytes(out, &message.payload);
    if let Some(properties) = properties {
        put_properties(out, properties);
    }
}

const ANY: u8 = 0x04;
const EXPIRY: u8 = 0x08;
const CONTENT_TYPE: u8 = 0x10;
const RESPONSE_TOPIC: u8 = 0x20;
const CORRELATION: u8 = 0x40;
const FORMAT: u8 = 0x80;

fn presence(properties: &Properties) -> u8 {
    let bit = |there: bool, bit: u8| if there { bit } else { 0 };
    ANY | bit(properties.message_expiry.is_some(), EXPIRY)
        | bit(properties.content_type.is_some(), CONTENT_TYPE)
        | bit(properties.response_topic.is_some(), RESPONSE_TOPIC)
        | bit(properties.correlation_data.is_some(), CORRELATION)
        | bit(properties.payload_format.is_some(), FORMAT)
}

fn put_properties(out: &mut Vec<u8>, properties: &Properties) {
    if let Some(content_type) = &properties.content_type {
        put_bytes(out, content_type.as_bytes());
    }
    if let Some(topic) = &properties.response_topic {
        put_bytes(out, topic.as_str().as_bytes());
    }
    if let Some(data) = &properties.correlation_data {
        put_bytes(out, data);
    }
    if let Some(format) = properties.payload_format {
        out.push(format as u8);
    }
    put_number(out, properties.user_properties.len() as u64);
    for (name, value) in &properties.user_properties {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
}

/// What a start needs to know of a message.
pub(super) struct Outline<'a> {
    pub(super) at: Timestamp,
    flags: u8,
    pub(super) expiry: Option<u32>,
    pub(super) topic: &'a [u8],
    pub(super) payload: &'a [u8],
}

impl Outline<'_> {
    /// Bytes of topic and payload.
    pub(super) fn size(&self) -> u32 {
        u32::try_from(self.topic.len() + self.payload.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.expiry.map(|seconds| self.at.after(std::time::Duration::from_secs(seconds.into())))
    }
}

/// A message out of `whole`, of which `bytes` is a part; the payload shares its memory.
pub(super) fn message(whole: &Bytes, bytes: &[u8]) -> Option<Message> {
    let mut reader = Reader(bytes);
    let outline = reader.outline()?;
    let properties = match outline.flags & ANY {
        0 => None,
        _ => Some(Box::new(reader.properties(&outline)?)),
    };
    reader.is_empty().then_some(Message {
        topic: topic(outline.topic)?,
        payload: whole.slice_ref(outline.payload),
        properties,
        qos: Qos::from_byte(outline.flags & 0x03)?,
        at: outline.at,
    })
}

pub(super) fn topic(bytes: &[u8]) -> Option<TopicName> {
    TopicName::parse(std::str::from_utf8(bytes).ok()?).ok()
}

/// Takes values from the front of a slice.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        self.array().map(|bytes| Timestamp::from_micros(i64::from_le_bytes(bytes)))
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// As many values as the count before them says.
    pub(super) fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        // Each takes a byte at least, so a wrong count cannot ask for more memory than the record is long.
        (count <= self.0.len() as u64).then(|| (0..count).map(|_| one(self)).collect())?
    }

    pub(super) fn outline(&mut self) -> Option<Outline<'a>> {
        let at = self.time()?;
        let flags = self.u8()?;
        let expiry = if flags & EXPIRY == 0 { None } else { Some(self.u32()?) };
        Some(Outline { at, flags, expiry, topic: self.bytes()?, payload: self.bytes()? })
    }

    fn properties(&mut self, outline: &Outline<'_>) -> Option<Properties> {
        let has = |bit: u8| outline.flags & bit != 0;
        Some(Properties {
            message_expiry: outline.expiry,
            content_type: if has(CONTENT_TYPE) { Some(self.text()?.to_owned()) } else { None },
            response_topic: if has(RESPONSE_TOPIC) { Some(topic(self.bytes()?)?) } else { None },
            correlation_data: if has(CORRELATION) {
                Some(Bytes::copy_from_slice(self.bytes()?))
            } else {
                None
            },
            payload_format: if has(FORMAT) { Some(PayloadFormat::from_byte(self.u8()?)?) } else { None },
            user_properties: self
                .list(|reader| Some((reader.text()?.to_owned(), reader.text()?.to_owned())))?,
        })
    }
}
