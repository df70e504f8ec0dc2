//! PUBLISH, read and written in place: the packet that a busy connection is made of (MQTT 5.0 section 3.3).
//!
//! Not through the codec, because that one copies each text, keeps QoS and identifier to itself, and needs
//! owned values to write. A property test holds both to the same bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::alias::{Naming, Theirs};
use super::answer::Outgoing;
use super::event::{PayloadFormat, Properties, Publish, Qos, Version};
use super::guard::Header;
use super::property::{self, Place, Property};
use super::reader::Reader;
use super::reason::Breach;
use super::topic::{LONGEST_TEXT, TopicName};
use super::writer::{LONGEST_BODY, put_binary, put_varint, varint_width};

/// Reads a PUBLISH; topic, payload and correlation data stay slices of `frame`. Of the topic aliases in
/// `aliases` there may be `most`.
pub(super) fn read(
    version: Version,
    header: Header,
    mut frame: Bytes,
    aliases: &mut Theirs,
    most: u16,
) -> Result<Publish, Breach> {
    let (dup, retain) = (header.flags & 0b1000 != 0, header.flags & 0b0001 != 0);
    let qos = Qos::from_byte(header.flags >> 1 & 0b11).ok_or(Breach::malformed("PUBLISH with QoS 3"))?;
    if dup && qos == Qos::AtMostOnce {
        return Err(Breach::malformed("PUBLISH with DUP and QoS 0"));
    }
    let mut reader = Reader::new(header.body(&frame));
    let topic = reader.binary()?.len();
    let id = match qos {
        Qos::AtMostOnce => None,
        Qos::AtLeastOnce | Qos::ExactlyOnce => Some(reader.packet_id()?),
    };
    let (mut properties, mut alias) = (None, None);
    if version == Version::V5 {
        property::each(&mut reader, Place::Publish, |property| match property {
            Property::TopicAlias(number) => {
                alias = Some(number);
                Ok(())
            }
            // [MQTT-3.3.4-6]
            Property::SubscriptionId => Err(Breach::protocol("subscription identifier from a client")),
            other => {
                let properties: &mut Properties = properties.get_or_insert_with(Box::default);
                describe(properties, other, |part| frame.slice_ref(part))
            }
        })?;
    }
    let payload = reader.left();
    frame.advance(header.body_at + 2);
    let topic = aliases.resolve(frame.split_to(topic), alias, most)?;
    frame.advance(frame.len() - payload);
    Ok(Publish { id, dup, qos, retain, topic, payload: frame, properties })
}

/// Notes one property of a message or a will; `own` makes bytes of the packet outlive it.
pub(super) fn describe(
    of: &mut Properties,
    property: Property<'_>,
    own: impl Fn(&[u8]) -> Bytes,
) -> Result<(), Breach> {
    match property {
        Property::PayloadFormat(format) => of.payload_format = PayloadFormat::from_byte(format),
        Property::MessageExpiry(seconds) => of.message_expiry = Some(seconds),
        Property::ContentType(text) => of.content_type = Some(text.to_owned()),
        Property::ResponseTopic(name) => {
            of.response_topic = Some(TopicName::from_wire(own(name.as_bytes()))?);
        }
        Property::CorrelationData(data) => of.correlation_data = Some(own(data)),
        Property::User(name, value) => of.user_properties.push((name.to_owned(), value.to_owned())),
        _ => {}
    }
    Ok(())
}

/// Writes a PUBLISH and says true; or writes nothing, when a text does not fit its length or the packet
/// `max`.
pub(super) fn write(
    message: &Outgoing<'_>,
    id: Option<u16>,
    naming: Naming,
    version: Version,
    max: usize,
    out: &mut BytesMut,
) -> bool {
    let Some(properties) = properties_length(message, naming, version) else { return false };
    let list = if version == Version::V5 { varint_width(properties) + properties } else { 0 };
    let topic = if matches!(naming, Naming::Alias(_)) { "" } else { message.topic };
    let body = 2 + topic.len() + if id.is_some() { 2 } else { 0 } + list + message.payload.len();
    let total = 1 + varint_width(body) + body;
    if topic.len() > LONGEST_TEXT || body > LONGEST_BODY || total > max {
        return false;
    }
    out.reserve(total);
    let dup = message.dup && id.is_some();
    out.put_u8(0x30 | u8::from(dup) << 3 | (message.qos as u8) << 1 | u8::from(message.retain));
    put_varint(out, body);
    put_binary(out, topic.as_bytes());
    if let Some(id) = id {
        out.put_u16(id);
    }
    if version == Version::V5 {
        put_varint(out, properties);
        put_properties(out, message, naming);
    }
    out.extend_from_slice(message.payload);
    true
}

/// Bytes of the property list, or `None` when one of its texts is too long to be sent.
fn properties_length(message: &Outgoing<'_>, naming: Naming, version: Version) -> Option<usize> {
    if version == Version::V3 {
        return Some(0);
    }
    let text = |text: &[u8]| (text.len() <= LONGEST_TEXT).then_some(2 + text.len());
    let mut length = 0;
    length += if message.message_expiry.is_some() { 5 } else { 0 };
    length += if naming == Naming::Name { 0 } else { 3 };
    if let Some(properties) = message.properties {
        length += if properties.payload_format.is_some() { 2 } else { 0 };
        let response_topic = properties.response_topic.as_ref().map(TopicName::as_str);
        for value in [response_topic, properties.content_type.as_deref()].into_iter().flatten() {
            length += 1 + text(value.as_bytes())?;
        }
        if let Some(data) = &properties.correlation_data {
            length += 1 + text(data)?;
        }
    }
    for (name, value) in user_properties(message) {
        length += 1 + text(name.as_bytes())? + text(value.as_bytes())?;
    }
    for &id in message.subscription_ids {
        length += 1 + varint_width(id as usize);
    }
    Some(length)
}

fn put_properties(out: &mut BytesMut, message: &Outgoing<'_>, naming: Naming) {
    if let Some(format) = message.properties.and_then(|properties| properties.payload_format) {
        out.extend_from_slice(&[0x01, format as u8]);
    }
    if let Some(seconds) = message.message_expiry {
        out.put_u8(0x02);
        out.put_u32(seconds);
    }
    if let Naming::Introduced(alias) | Naming::Alias(alias) = naming {
        out.put_u8(0x23);
        out.put_u16(alias);
    }
    if let Some(properties) = message.properties {
        if let Some(name) = &properties.response_topic {
            out.put_u8(0x08);
            put_binary(out, name.as_str().as_bytes());
        }
        if let Some(data) = &properties.correlation_data {
            out.put_u8(0x09);
            put_binary(out, data);
        }
    }
    for (name, value) in user_properties(message) {
        out.put_u8(0x26);
        put_binary(out, name.as_bytes());
        put_binary(out, value.as_bytes());
    }
    for &id in message.subscription_ids {
        out.put_u8(0x0B);
        put_varint(out, id as usize);
    }
    if let Some(kind) = message.properties.and_then(|properties| properties.content_type.as_deref()) {
        out.put_u8(0x03);
        put_binary(out, kind.as_bytes());
    }
}

/// Those of the author in their order (\[MQTT-3.3.2-18\]), then ours.
fn user_properties<'a>(message: &Outgoing<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let told = message.properties.map_or(&[][..], |properties| &properties.user_properties);
    told.iter().map(|(name, value)| (&**name, &**value)).chain(message.said.iter().copied())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rumqttd::protocol::{Packet, Protocol, Publish as Packed, PublishProperties, v4::V4, v5::V5};

    use super::super::guard;
    use super::*;

    /// What a message may hold; texts and numbers of all sizes that matter.
    #[derive(Clone, Debug)]
    struct Letter {
        version: Version,
        id: Option<u16>,
        twice: bool,
        dup: bool,
        retain: bool,
        topic: String,
        payload: Vec<u8>,
        content_type: Option<String>,
        response_topic: Option<String>,
        correlation_data: Option<Vec<u8>>,
        text: Option<bool>,
        message_expiry: Option<u32>,
        user_properties: Vec<(String, String)>,
    }

    impl Letter {
        fn qos(&self) -> Qos {
            match (self.id, self.twice) {
                (None, _) => Qos::AtMostOnce,
                (Some(_), false) => Qos::AtLeastOnce,
                (Some(_), true) => Qos::ExactlyOnce,
            }
        }
    }

    fn letters() -> impl Strategy<Value = Letter> {
        let topic = "[a-zäß日🦀$/ ]{1,12}";
        let head =
            (any::<bool>(), prop::option::of(1_u16..), any::<bool>(), any::<bool>(), any::<bool>(), topic);
        let payload = prop_oneof![0_usize..20, 100_usize..140, 16_300_usize..16_500]
            .prop_flat_map(|size| prop::collection::vec(any::<u8>(), size));
        let extras = (
            prop::option::of("\\PC{0,9}"),
            prop::option::of(topic),
            prop::option::of(prop::collection::vec(any::<u8>(), 0..9)),
            prop::option::of(any::<bool>()),
            prop::option::of(any::<u32>()),
            prop::collection::vec(("\\PC{0,40}", "\\PC{0,40}"), 0..4),
        );
        (head, payload, extras).prop_map(|((v5, id, twice, dup, retain, topic), payload, extras)| {
            let (content_type, response_topic, correlation_data, text, message_expiry, user_properties) =
                extras;
            let version = if v5 { Version::V5 } else { Version::V3 };
            let dup = dup && id.is_some();
            Letter {
                version,
                id,
                twice,
                dup,
                retain,
                topic,
                payload,
                content_type,
                response_topic,
                correlation_data,
                text,
                message_expiry,
                user_properties,
            }
        })
    }

    fn ours(letter: &Letter, naming: Naming, subscription_ids: &[u32], max: usize) -> Option<BytesMut> {
        // Half of them are ours to say.
        let (told, said) = letter.user_properties.split_at(letter.user_properties.len() / 2);
        let said: Vec<(&str, &str)> = said.iter().map(|(k, v)| (&k[..], &v[..])).collect();
        let properties = Properties {
            content_type: letter.content_type.clone(),
            response_topic: letter.response_topic.as_deref().map(|name| TopicName::parse(name).unwrap()),
            correlation_data: letter.correlation_data.clone().map(Bytes::from),
            payload_format: letter
                .text
                .map(|text| if text { PayloadFormat::Text } else { PayloadFormat::Bytes }),
            message_expiry: Some(77),
            user_properties: told.to_vec(),
        };
        let message = Outgoing {
            topic: &letter.topic,
            payload: &letter.payload,
            qos: letter.qos(),
            retain: letter.retain,
            dup: letter.dup,
            properties: Some(&properties),
            message_expiry: letter.message_expiry,
            said: &said,
            subscription_ids,
            ..Outgoing::default()
        };
        let mut out = BytesMut::new();
        let written = write(&message, letter.id, naming, letter.version, max, &mut out);
        assert_eq!(written, !out.is_empty());
        written.then_some(out)
    }

    fn theirs(letter: &Letter, naming: Naming, subscription_ids: &[u32]) -> BytesMut {
        let mut plain = BytesMut::new();
        plain.put_u8(0x30 | u8::from(letter.dup) << 3 | (letter.qos() as u8) << 1 | u8::from(letter.retain));
        plain.put_u16(letter.id.unwrap_or(0));
        let (topic, topic_alias) = match naming {
            Naming::Name => (&letter.topic[..], None),
            Naming::Introduced(alias) => (&letter.topic[..], Some(alias)),
            Naming::Alias(alias) => ("", Some(alias)),
        };
        put_binary(&mut plain, topic.as_bytes());
        plain.put_slice(&letter.payload);
        let properties = PublishProperties {
            payload_format_indicator: letter.text.map(u8::from),
            message_expiry_interval: letter.message_expiry,
            topic_alias,
            response_topic: letter.response_topic.clone(),
            correlation_data: letter.correlation_data.clone().map(Bytes::from),
            user_properties: letter.user_properties.clone(),
            subscription_identifiers: subscription_ids.iter().map(|id| *id as usize).collect(),
            content_type: letter.content_type.clone(),
        };
        let publish = Packed::deserialize(plain.freeze());
        let mut out = BytesMut::new();
        match letter.version {
            Version::V3 => V4.write(Packet::Publish(publish, None), &mut out),
            Version::V5 => V5.write(Packet::Publish(publish, Some(properties)), &mut out),
        }
        .unwrap();
        out
    }

    proptest! {
        // A bug leaves a test with its story, not a file of seeds.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn we_write_a_publish_as_the_codec_does(
            letter in letters(),
            naming in prop_oneof![
                Just(Naming::Name),
                (1_u16..).prop_map(Naming::Introduced),
                (1_u16..).prop_map(Naming::Alias),
            ],
            ids in prop::collection::vec(1_u32..268_435_456, 0..4),
        ) {
            let naming = if letter.version == Version::V5 { naming } else { Naming::Name };
            let expected = theirs(&letter, naming, &ids);
            prop_assert_eq!(ours(&letter, naming, &ids, expected.len() - 1), None);
            prop_assert_eq!(ours(&letter, naming, &ids, expected.len()), Some(expected));
        }

        #[test]
        fn we_read_back_what_the_codec_wrote(letter in letters(), alias in prop::option::of(1_u16..)) {
            let alias = alias.filter(|_| letter.version == Version::V5);
            let packet = theirs(&letter, alias.map_or(Naming::Name, Naming::Introduced), &[]);
            let header = guard::next(&packet, usize::MAX, guard::Turn::Open).unwrap().unwrap();
            prop_assert_eq!(header.total, packet.len());
            let mut aliases = super::Theirs::default();
            let read = read(letter.version, header, packet.freeze(), &mut aliases, u16::MAX).unwrap();
            if alias.is_some() {
                let known = aliases.resolve(Bytes::new(), alias, u16::MAX).unwrap();
                prop_assert_eq!(known.as_str(), &letter.topic);
            }
            prop_assert_eq!(read.qos, letter.qos());
            let v5 = letter.version == Version::V5;
            prop_assert_eq!((read.id, read.dup, read.retain), (letter.id, letter.dup, letter.retain));
            prop_assert_eq!(read.topic.as_str(), &letter.topic);
            prop_assert_eq!(&read.payload[..], &letter.payload[..]);
            let told = read.properties.map(|properties| *properties).unwrap_or_default();
            prop_assert_eq!(told.content_type, letter.content_type.filter(|_| v5));
            let response_topic = told.response_topic.map(|name| name.to_string());
            prop_assert_eq!(response_topic, letter.response_topic.filter(|_| v5));
            prop_assert_eq!(told.correlation_data.map(Vec::from), letter.correlation_data.filter(|_| v5));
            let text = told.payload_format.map(|format| format == PayloadFormat::Text);
            prop_assert_eq!(text, letter.text.filter(|_| v5));
            prop_assert_eq!(told.message_expiry, letter.message_expiry.filter(|_| v5));
            prop_assert_eq!(told.user_properties, if v5 { letter.user_properties } else { vec![] });
        }
    }
}
