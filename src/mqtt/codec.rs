//! The codec: what `rumqttd::protocol` reads and writes for us.
//!
//! It reads only what the guard has walked: SUBSCRIBE and UNSUBSCRIBE. It writes CONNACK, SUBACK, UNSUBACK and
//! PINGRESP, in the words of this module, so that its `unreachable!()`s are just that.

use bytes::BytesMut;
use rumqttd::protocol::{
    ConnAck, ConnAckProperties, ConnectReturnCode, Packet, PingResp, Protocol, QoS, RetainForwardRule,
    SubAck, SubscribeReasonCode, UnsubAck, UnsubAckReason, v4::V4, v5::V5,
};

use super::event::{Event, Qos, RetainHandling, Subscription, Version};
use super::guard::{self, Header};
use super::reason::{Breach, Reason};
use super::topic::TopicFilter;

/// Reads a SUBSCRIBE (section 3.8).
pub(super) fn read_subscribe(version: Version, header: Header, frame: BytesMut) -> Result<Event, Breach> {
    guard::subscribe(version, header.body(&frame))?;
    let Packet::Subscribe(packet, properties) = read(version, frame)? else { return Err(MISREAD) };
    let filters = packet.filters.into_iter().map(|filter| Subscription {
        filter: TopicFilter::parse(&filter.path),
        qos: Qos::from_byte(filter.qos as u8).unwrap_or_default(),
        no_local: filter.nolocal,
        retain_as_published: filter.preserve_retain,
        retain_handling: match filter.retain_forward_rule {
            RetainForwardRule::OnEverySubscribe => RetainHandling::Always,
            RetainForwardRule::OnNewSubscribe => RetainHandling::IfNew,
            RetainForwardRule::Never => RetainHandling::Never,
        },
    });
    let identifier = properties.and_then(|properties| properties.id).and_then(|id| u32::try_from(id).ok());
    Ok(Event::Subscribe { id: packet.pkid, filters: filters.collect(), identifier })
}

/// Reads an UNSUBSCRIBE (section 3.10).
pub(super) fn read_unsubscribe(version: Version, header: Header, frame: BytesMut) -> Result<Event, Breach> {
    guard::unsubscribe(version, header.body(&frame))?;
    let Packet::Unsubscribe(packet, _) = read(version, frame)? else { return Err(MISREAD) };
    Ok(Event::Unsubscribe { id: packet.pkid, filters: packet.filters })
}

const MISREAD: Breach = Breach::malformed("packet that the codec cannot read");

fn read(version: Version, mut frame: BytesMut) -> Result<Packet, Breach> {
    let size = frame.len();
    let packet = match version {
        Version::V3 => V4.read_mut(&mut frame, size),
        Version::V5 => V5.read_mut(&mut frame, size),
    };
    packet.map_err(|_| MISREAD)
}

/// Writes one packet and says true; or writes nothing, when it is longer than `max`.
pub(super) fn write(version: Version, packet: Packet, max: usize, out: &mut BytesMut) -> bool {
    let before = out.len();
    let written = match version {
        Version::V3 => V4.write(packet, out),
        Version::V5 => V5.write(packet, out),
    };
    let fits = written.is_ok() && out.len() - before <= max;
    if !fits {
        out.truncate(before);
    }
    fits
}

/// A CONNACK that welcomes; 3.1.1 leaves the properties unsaid.
pub(super) fn welcome(session_present: bool, properties: ConnAckProperties) -> Packet {
    Packet::ConnAck(ConnAck { session_present, code: ConnectReturnCode::Success }, Some(properties))
}

/// A CONNACK that refuses, or `None` where the version has no words but closing.
pub(super) fn refusal(version: Version, reason: Reason, why: Option<&str>) -> Option<Packet> {
    let code = match version {
        Version::V3 => match reason.connack_v3()? {
            1 => ConnectReturnCode::RefusedProtocolVersion,
            2 => ConnectReturnCode::ClientIdentifierNotValid,
            4 => ConnectReturnCode::BadUserNamePassword,
            5 => ConnectReturnCode::NotAuthorized,
            _ => ConnectReturnCode::ServiceUnavailable,
        },
        Version::V5 => connect_code(reason),
    };
    let properties = ConnAckProperties { reason_string: why.map(short), ..ConnAckProperties::default() };
    Some(Packet::ConnAck(ConnAck { session_present: false, code }, Some(properties)))
}

/// A SUBACK; 3.1.1 has one word for every refusal (section 3.9.3 of 3.1.1).
pub(super) fn suback(version: Version, id: u16, codes: &[Result<Qos, Reason>]) -> Packet {
    let code = |code: &Result<Qos, Reason>| match (code, version) {
        (Ok(Qos::AtMostOnce), _) => SubscribeReasonCode::Success(QoS::AtMostOnce),
        (Ok(Qos::AtLeastOnce), _) => SubscribeReasonCode::Success(QoS::AtLeastOnce),
        (Ok(Qos::ExactlyOnce), _) => SubscribeReasonCode::Success(QoS::ExactlyOnce),
        (Err(_), Version::V3) => SubscribeReasonCode::Failure,
        (Err(reason), Version::V5) => subscribe_code(*reason),
    };
    Packet::SubAck(SubAck { pkid: id, return_codes: codes.iter().map(code).collect() }, None)
}

/// An UNSUBACK; that of 3.1.1 carries no codes.
pub(super) fn unsuback(id: u16, codes: &[Reason]) -> Packet {
    Packet::UnsubAck(
        UnsubAck { pkid: id, reasons: codes.iter().copied().map(unsubscribe_code).collect() },
        None,
    )
}

pub(super) fn pingresp() -> Packet {
    Packet::PingResp(PingResp)
}

/// The codec cuts a text's length to 16 bits; nobody reads more than this of a reason anyway.
pub(super) fn short(text: &str) -> String {
    text.chars().take(256).collect()
}

/// The codes of section 3.2.2.2; any other reason is told as an unspecified error. So below.
fn connect_code(reason: Reason) -> ConnectReturnCode {
    match reason {
        Reason::MalformedPacket => ConnectReturnCode::MalformedPacket,
        Reason::ProtocolError => ConnectReturnCode::ProtocolError,
        Reason::ImplementationSpecificError => ConnectReturnCode::ImplementationSpecificError,
        Reason::UnsupportedProtocolVersion => ConnectReturnCode::UnsupportedProtocolVersion,
        Reason::ClientIdentifierNotValid => ConnectReturnCode::ClientIdentifierNotValid,
        Reason::BadUserNameOrPassword => ConnectReturnCode::BadUserNamePassword,
        Reason::NotAuthorized | Reason::AdministrativeAction => ConnectReturnCode::NotAuthorized,
        Reason::ServerUnavailable | Reason::ServerShuttingDown => ConnectReturnCode::ServerUnavailable,
        Reason::ServerBusy => ConnectReturnCode::ServerBusy,
        Reason::Banned => ConnectReturnCode::Banned,
        Reason::BadAuthenticationMethod => ConnectReturnCode::BadAuthenticationMethod,
        Reason::TopicNameInvalid => ConnectReturnCode::TopicNameInvalid,
        Reason::PacketTooLarge => ConnectReturnCode::PacketTooLarge,
        Reason::QuotaExceeded => ConnectReturnCode::QuotaExceeded,
        Reason::PayloadFormatInvalid => ConnectReturnCode::PayloadFormatInvalid,
        Reason::RetainNotSupported => ConnectReturnCode::RetainNotSupported,
        Reason::QosNotSupported => ConnectReturnCode::QoSNotSupported,
        Reason::UseAnotherServer => ConnectReturnCode::UseAnotherServer,
        Reason::ServerMoved => ConnectReturnCode::ServerMoved,
        Reason::ConnectionRateExceeded => ConnectReturnCode::ConnectionRateExceeded,
        _ => ConnectReturnCode::UnspecifiedError,
    }
}

/// Section 3.9.3.
fn subscribe_code(reason: Reason) -> SubscribeReasonCode {
    match reason {
        Reason::ImplementationSpecificError => SubscribeReasonCode::ImplementationSpecific,
        Reason::NotAuthorized => SubscribeReasonCode::NotAuthorized,
        Reason::TopicFilterInvalid => SubscribeReasonCode::TopicFilterInvalid,
        Reason::PacketIdentifierInUse => SubscribeReasonCode::PkidInUse,
        Reason::QuotaExceeded => SubscribeReasonCode::QuotaExceeded,
        Reason::SharedSubscriptionsNotSupported => SubscribeReasonCode::SharedSubscriptionsNotSupported,
        Reason::SubscriptionIdentifiersNotSupported => SubscribeReasonCode::SubscriptionIdNotSupported,
        Reason::WildcardSubscriptionsNotSupported => SubscribeReasonCode::WildcardSubscriptionsNotSupported,
        _ => SubscribeReasonCode::Unspecified,
    }
}

/// Section 3.11.3.
fn unsubscribe_code(reason: Reason) -> UnsubAckReason {
    match reason {
        Reason::Success => UnsubAckReason::Success,
        Reason::NoSubscriptionExisted => UnsubAckReason::NoSubscriptionExisted,
        Reason::ImplementationSpecificError => UnsubAckReason::ImplementationSpecificError,
        Reason::NotAuthorized => UnsubAckReason::NotAuthorized,
        Reason::TopicFilterInvalid => UnsubAckReason::TopicFilterInvalid,
        Reason::PacketIdentifierInUse => UnsubAckReason::PacketIdentifierInUse,
        _ => UnsubAckReason::UnspecifiedError,
    }
}
