//! The properties of MQTT 5.0 packets (section 2.2.2): which may stand where, how often, with which values.

use super::reader::Reader;
use super::reason::Breach;

/// Where a list of properties stands.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Connect,
    Will,
    Publish,
    Ack,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Auth,
}

/// One property that matters to a server; the others are checked and dropped.
pub(super) enum Property<'a> {
    PayloadFormat(u8),
    MessageExpiry(u32),
    ContentType(&'a str),
    ResponseTopic(&'a str),
    CorrelationData(&'a [u8]),
    SessionExpiry(u32),
    AuthenticationMethod(&'a str),
    AuthenticationData(&'a [u8]),
    SubscriptionId,
    RequestResponse(bool),
    WillDelay(u32),
    ReceiveMaximum(u16),
    MaximumPacketSize(u32),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    User(&'a str, &'a str),
    Other,
}

const USER: u8 = 0x26;

/// Reads a list of properties and hands each to `take`.
///
/// Not allowed in this place: malformed (section 2.2.2.2). Given twice, or with a value that its section
/// forbids: a protocol error.
pub(super) fn each<'a>(
    reader: &mut Reader<'a>,
    place: Place,
    mut take: impl FnMut(Property<'a>) -> Result<(), Breach>,
) -> Result<(), Breach> {
    let length = reader.varint()?;
    if length == 0 {
        return Ok(());
    }
    let mut list = Reader::new(reader.take(length as usize)?);
    let mut seen = 0_u64;
    while list.left() > 0 {
        let id = list.u8()?;
        let bit = 1_u64.checked_shl(u32::from(id)).unwrap_or(0);
        if bit & allowed(place) == 0 {
            return Err(Breach::malformed("property that has no place in this packet"));
        }
        if bit & seen != 0 && id != USER {
            return Err(Breach::protocol("property given twice"));
        }
        seen |= bit;
        take(one(id, &mut list)?)?;
    }
    if seen & bits(&[0x15, 0x16]) == bits(&[0x16]) {
        return Err(Breach::protocol("authentication data without a method"));
    }
    Ok(())
}

/// Reads the value of property `id`.
fn one<'a>(id: u8, list: &mut Reader<'a>) -> Result<Property<'a>, Breach> {
    Ok(match id {
        0x01 => Property::PayloadFormat(flag(list.u8()?)?),
        0x02 => Property::MessageExpiry(list.u32()?),
        0x03 => Property::ContentType(list.text()?),
        0x08 => Property::ResponseTopic(list.text()?),
        0x09 => Property::CorrelationData(list.binary()?),
        0x0B => {
            some(list.varint()?, "subscription identifier 0")?;
            Property::SubscriptionId
        }
        0x11 => Property::SessionExpiry(list.u32()?),
        0x15 => Property::AuthenticationMethod(list.text()?),
        0x16 => Property::AuthenticationData(list.binary()?),
        // Reason strings, which it is about, we put only where it does not rule (section 3.1.2.11.7).
        0x17 => {
            flag(list.u8()?)?;
            Property::Other
        }
        0x18 => Property::WillDelay(list.u32()?),
        0x19 => Property::RequestResponse(flag(list.u8()?)? == 1),
        0x1C | 0x1F => {
            list.text()?;
            Property::Other
        }
        0x21 => Property::ReceiveMaximum(some(list.u16()?, "receive maximum 0")?),
        0x22 => Property::TopicAliasMaximum(list.u16()?),
        0x23 => Property::TopicAlias(list.u16()?),
        USER => Property::User(list.text()?, list.text()?),
        0x27 => Property::MaximumPacketSize(some(list.u32()?, "maximum packet size 0")?),
        _ => return Err(Breach::malformed("property that has no place in this packet")),
    })
}

fn flag(value: u8) -> Result<u8, Breach> {
    if value <= 1 { Ok(value) } else { Err(Breach::protocol("property that is neither 0 nor 1")) }
}

fn some<N: PartialEq + From<u8>>(value: N, what: &'static str) -> Result<N, Breach> {
    if value == N::from(0) { Err(Breach::protocol(what)) } else { Ok(value) }
}

/// The table of section 2.2.2.2, for what clients send, as one bit per identifier.
fn allowed(place: Place) -> u64 {
    const CONNECT: u64 = bits(&[0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, USER, 0x27]);
    const WILL: u64 = bits(&[0x01, 0x02, 0x03, 0x08, 0x09, 0x18, USER]);
    const PUBLISH: u64 = bits(&[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, USER]);
    const ACK: u64 = bits(&[0x1F, USER]);
    const SUBSCRIBE: u64 = bits(&[0x0B, USER]);
    const UNSUBSCRIBE: u64 = bits(&[USER]);
    const DISCONNECT: u64 = bits(&[0x11, 0x1C, 0x1F, USER]);
    const AUTH: u64 = bits(&[0x15, 0x16, 0x1F, USER]);
    match place {
        Place::Connect => CONNECT,
        Place::Will => WILL,
        Place::Publish => PUBLISH,
        Place::Ack => ACK,
        Place::Subscribe => SUBSCRIBE,
        Place::Unsubscribe => UNSUBSCRIBE,
        Place::Disconnect => DISCONNECT,
        Place::Auth => AUTH,
    }
}

const fn bits(ids: &[u8]) -> u64 {
    let (mut mask, mut at) = (0, 0);
    while at < ids.len() {
        mask |= 1 << ids[at];
        at += 1;
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(place: Place, list: &[u8]) -> Result<(), &'static str> {
        let mut bytes = vec![list.len() as u8];
        bytes.extend_from_slice(list);
        each(&mut Reader::new(&bytes), place, |_| Ok(())).map_err(|breach| breach.what)
    }

    #[test]
    fn only_user_properties_may_repeat() {
        let user = b"\x26\x00\x01k\x00\x01v";
        assert_eq!(check(Place::Unsubscribe, &user.repeat(3)), Ok(()));
        assert_eq!(check(Place::Publish, b"\x01\x01\x01\x01"), Err("property given twice"));
        assert_eq!(check(Place::Subscribe, b"\x0B\x01\x0B\x02"), Err("property given twice"));
    }

    #[test]
    fn a_property_stands_only_where_the_table_allows_it() {
        let misplaced = Err("property that has no place in this packet");
        assert_eq!(check(Place::Publish, b"\x18\x00\x00\x00\x01"), misplaced);
        assert_eq!(check(Place::Auth, b"\x11\x00\x00\x00\x01"), misplaced);
        assert_eq!(check(Place::Ack, b"\x11\x00\x00\x00\x01"), misplaced);
        assert_eq!(check(Place::Connect, b"\xFF"), misplaced);
        assert_eq!(check(Place::Connect, b"\x00"), misplaced);
    }

    #[test]
    fn a_property_may_not_reach_beyond_its_list() {
        let mut reader = Reader::new(b"\x03\x1F\x00\x05hello");
        let breach = each(&mut reader, Place::Ack, |_| Ok(())).unwrap_err();
        assert_eq!(breach.what, "packet ends before its content does");
    }

    #[test]
    fn values_that_their_section_forbids_are_protocol_errors() {
        assert_eq!(check(Place::Connect, b"\x21\x00\x00"), Err("receive maximum 0"));
        assert_eq!(check(Place::Connect, b"\x27\x00\x00\x00\x00"), Err("maximum packet size 0"));
        assert_eq!(check(Place::Subscribe, b"\x0B\x00"), Err("subscription identifier 0"));
        assert_eq!(check(Place::Publish, b"\x01\x02"), Err("property that is neither 0 nor 1"));
        assert_eq!(check(Place::Connect, b"\x16\x00\x00"), Err("authentication data without a method"));
    }
}
