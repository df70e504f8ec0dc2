//! CONNECT: how a client introduces itself (MQTT section 3.1).
//!
//! Read here and not by the codec, which keeps passwords in plain strings, allows only UTF-8 in them (section
//! 3.1.3.6 says binary), and cannot tell an empty user name from none.

use bytes::Bytes;
use zeroize::Zeroizing;

use super::event::{Authentication, Connect, Properties, Qos, Version, Will};
use super::property::{self, Place, Property};
use super::publish::describe;
use super::reader::Reader;
use super::reason::{Breach, Reason};
use super::topic::TopicName;

/// What a CONNECT settles for the connection itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// Deliveries of QoS 1 and 2 the client will have unacknowledged at a time.
    pub(super) receive_maximum: u16,
    /// Bytes of the largest packet the client will read.
    pub(super) max_packet: u32,
    /// Topic aliases that the client will remember.
    pub(super) topic_aliases: u16,
    /// Whether the client asked for response information.
    pub(super) wants_response_information: bool,
}

impl Terms {
    /// What holds when the client says nothing, or cannot (3.1.1).
    pub(super) const UNSAID: Self = Self {
        receive_maximum: u16::MAX,
        max_packet: u32::MAX,
        topic_aliases: 0,
        wants_response_information: false,
    };
}

/// The protocol that a CONNECT names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    /// How to answer; for a level that we do not speak, the nearest version that we do.
    pub(super) version: Version,
    pub(super) spoken: bool,
    /// MQTT 3.1, where a client identifier has 1 to 23 characters.
    old: bool,
}

impl Level {
    /// Reads protocol name and level, which say how to read the rest.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Breach> {
        let name = reader.binary()?;
        let level = reader.u8()?;
        let (version, spoken) = match (name, level) {
            (b"MQIsdp", 3) | (b"MQTT", 4) => (Version::V3, true),
            (b"MQTT", 5) => (Version::V5, true),
            // Bridges of other brokers set the highest bit and try again without it when they are refused.
            (b"MQTT", 0x84) => (Version::V3, false),
            (b"MQTT", 6..) => (Version::V5, false),
            (b"MQTT" | b"MQIsdp", _) => (Version::V3, false),
            _ => return Err(Breach::protocol("CONNECT with an unknown protocol name")),
        };
        Ok(Self { version, spoken, old: name == b"MQIsdp" })
    }
}

/// Reads what follows the level. Nothing in the result shares memory with the packet, which is to be wiped.
pub(super) fn read(level: Level, mut reader: Reader<'_>) -> Result<(Connect, Terms), Breach> {
    let version = level.version;
    let flags = Flags::parse(version, reader.u8()?)?;
    let keep_alive = reader.u16()?;
    let mut told = Told::default();
    let mut terms = Terms::UNSAID;
    if version == Version::V5 {
        told = read_properties(&mut terms, &mut reader)?;
    } else if !flags.clean_start {
        told.session_expiry = u32::MAX;
    }
    let client_id = reader.text()?.to_owned();
    check_client_id(level, &client_id, flags.clean_start)?;
    let will = if flags.will { Some(read_will(version, flags, &mut reader)?) } else { None };
    let username = if flags.username { Some(reader.text()?.to_owned()) } else { None };
    let password = if flags.password { Some(Zeroizing::new(reader.binary()?.to_vec())) } else { None };
    reader.end()?;
    let connect = Connect {
        version,
        client_id,
        clean_start: flags.clean_start,
        keep_alive,
        session_expiry: told.session_expiry,
        username,
        password,
        will,
        authentication: told.method.map(|method| Authentication { method, data: told.data }),
        request_response_information: terms.wants_response_information,
        user_properties: told.user_properties,
    };
    Ok((connect, terms))
}

/// What the properties of a CONNECT say to the caller.
#[derive(Default)]
struct Told {
    session_expiry: u32,
    method: Option<String>,
    data: Option<Bytes>,
    user_properties: Vec<(String, String)>,
}

fn read_properties(terms: &mut Terms, reader: &mut Reader<'_>) -> Result<Told, Breach> {
    let mut told = Told::default();
    property::each(reader, Place::Connect, |property| {
        match property {
            Property::SessionExpiry(seconds) => told.session_expiry = seconds,
            Property::ReceiveMaximum(count) => terms.receive_maximum = count,
            Property::MaximumPacketSize(bytes) => terms.max_packet = bytes,
            Property::TopicAliasMaximum(count) => terms.topic_aliases = count,
            Property::RequestResponse(wanted) => terms.wants_response_information = wanted,
            Property::AuthenticationMethod(name) => told.method = Some(name.to_owned()),
            Property::AuthenticationData(data) => told.data = Some(Bytes::copy_from_slice(data)),
            Property::User(name, value) => told.user_properties.push((name.to_owned(), value.to_owned())),
            _ => {}
        }
        Ok(())
    })?;
    Ok(told)
}

fn check_client_id(level: Level, id: &str, clean_start: bool) -> Result<(), Breach> {
    let what = if level.old && !(1..=23).contains(&id.chars().count()) {
        "CONNECT of 3.1 with a client identifier that has not 1 to 23 characters"
    } else if level.version == Version::V3 && id.is_empty() && !clean_start {
        // [MQTT-3.1.3-8] of 3.1.1: a session that is kept needs a name to be found by.
        "CONNECT to keep a session without a client identifier"
    } else {
        return Ok(());
    };
    Err(Breach::new(Reason::ClientIdentifierNotValid, what))
}

fn read_will(version: Version, flags: Flags, reader: &mut Reader<'_>) -> Result<Will, Breach> {
    let (mut delay, mut properties) = (0, Properties::default());
    if version == Version::V5 {
        property::each(reader, Place::Will, |property| match property {
            Property::WillDelay(seconds) => {
                delay = seconds;
                Ok(())
            }
            other => describe(&mut properties, other, Bytes::copy_from_slice),
        })?;
    }
    let topic = TopicName::from_wire(Bytes::copy_from_slice(reader.binary()?))?;
    let payload = Bytes::copy_from_slice(reader.binary()?);
    Ok(Will { topic, payload, qos: flags.will_qos, retain: flags.will_retain, delay, properties })
}

#[derive(Clone, Copy)]
struct Flags {
    clean_start: bool,
    will: bool,
    will_qos: Qos,
    will_retain: bool,
    password: bool,
    username: bool,
}

impl Flags {
    /// Reads the connect flags (section 3.1.2.3).
    fn parse(version: Version, byte: u8) -> Result<Self, Breach> {
        let bit = |at: u8| byte >> at & 1 == 1;
        if bit(0) {
            return Err(Breach::malformed("CONNECT with its reserved flag set"));
        }
        let will_qos = Qos::from_byte(byte >> 3 & 0b11).ok_or(Breach::malformed("will with QoS 3"))?;
        let flags = Self {
            clean_start: bit(1),
            will: bit(2),
            will_qos,
            will_retain: bit(5),
            password: bit(6),
            username: bit(7),
        };
        if !flags.will && (flags.will_retain || will_qos != Qos::AtMostOnce) {
            return Err(Breach::malformed("CONNECT with flags for a will but no will"));
        }
        if version == Version::V3 && flags.password && !flags.username {
            return Err(Breach::malformed("CONNECT with a password but no user name"));
        }
        Ok(flags)
    }
}
