//! CONNECT: how a client introduces itself (MQTT section 3.1).
//!
//! Read here and not by the codec, which keeps passwords in plain strings, allows only UTF-8 in them (section
//! 3.1.3.6 says binary), and cannot tell an empty user name from none.

use bytes::Bytes;
use zeroize::Zeroizing;

use super::event::{Connect, Properties, Qos, Version, Will};
use super::property::{self, Place, Property};
use super::publish::describe;
use super::reader::Reader;
use super::reason::{Breach, Reason};
use super::topic::TopicName;

/// What a CONNECT settles for the connection itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// QoS 1 deliveries the client will have unacknowledged at a time.
    pub(super) receive_maximum: u16,
    /// Bytes of the largest packet the client will read.
    pub(super) max_packet: usize,
}

impl Terms {
    /// What holds when the client says nothing, or cannot (3.1.1).
    pub(super) const UNSAID: Self = Self { receive_maximum: u16::MAX, max_packet: usize::MAX };
}

/// Reads protocol name and level, which say how to read the rest and in which version to answer.
///
/// The level may be one that we do not speak; the answer is then in the nearest version that we do.
pub(super) fn version(reader: &mut Reader<'_>) -> Result<(Version, bool), Breach> {
    let name = reader.binary()?;
    let level = reader.u8()?;
    match (name, level) {
        (b"MQTT", 4) => Ok((Version::V3, true)),
        (b"MQTT", 5) => Ok((Version::V5, true)),
        (b"MQTT", 6..) => Ok((Version::V5, false)),
        (b"MQTT" | b"MQIsdp", _) => Ok((Version::V3, false)),
        _ => Err(Breach::protocol("CONNECT with an unknown protocol name")),
    }
}

/// Reads what follows the level. Nothing in the result shares memory with the packet, which is to be wiped.
pub(super) fn read(version: Version, mut reader: Reader<'_>) -> Result<(Connect, Terms), Breach> {
    let flags = Flags::parse(version, reader.u8()?)?;
    let keep_alive = reader.u16()?;
    let mut terms = Terms::UNSAID;
    let (mut session_expiry, mut user_properties) = (0, Vec::new());
    if version == Version::V5 {
        property::each(&mut reader, Place::Connect, |property| {
            match property {
                Property::SessionExpiry(seconds) => session_expiry = seconds,
                Property::ReceiveMaximum(count) => terms.receive_maximum = count,
                Property::MaximumPacketSize(bytes) => terms.max_packet = bytes as usize,
                Property::User(name, value) => user_properties.push((name.to_owned(), value.to_owned())),
                Property::AuthenticationMethod => {
                    return Err(Breach::new(
                        Reason::BadAuthenticationMethod,
                        "CONNECT asks for extended authentication",
                    ));
                }
                _ => {}
            }
            Ok(())
        })?;
    } else if !flags.clean_start {
        session_expiry = u32::MAX;
    }
    let client_id = reader.text()?.to_owned();
    if client_id.is_empty() && version == Version::V3 && !flags.clean_start {
        // Section 3.1.3.1 of 3.1.1: a session that is kept needs a name to be found by.
        return Err(Breach::new(
            Reason::ClientIdentifierNotValid,
            "CONNECT to keep a session without a client identifier",
        ));
    }
    let will = if flags.will { Some(read_will(version, flags, &mut reader)?) } else { None };
    let username = if flags.username { Some(reader.text()?.to_owned()) } else { None };
    let password = if flags.password { Some(Zeroizing::new(reader.binary()?.to_vec())) } else { None };
    reader.end()?;
    let connect = Connect {
        version,
        client_id,
        clean_start: flags.clean_start,
        keep_alive,
        session_expiry,
        username,
        password,
        will,
        user_properties,
    };
    Ok((connect, terms))
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
        // Section 3.2.2.3: what our CONNACK would rule out is refused at once. 3.1.1 has no words for it.
        if version == Version::V5 && flags.will_qos == Qos::ExactlyOnce {
            return Err(Breach::new(Reason::QosNotSupported, "will with QoS 2"));
        }
        if version == Version::V5 && flags.will_retain {
            return Err(Breach::new(Reason::RetainNotSupported, "will to be retained"));
        }
        Ok(flags)
    }
}
