//! Packets of every kind.

use super::*;

/// Packets of every kind that a client sends, each valid on its own after the welcome (but the first).
pub(super) fn samples(version: Version) -> Vec<Vec<u8>> {
    let user = vec![("key".to_owned(), "välue".to_owned())];
    let v5 = version == Version::V5;
    let will = protocol::LastWill {
        topic: Bytes::from_static(b"ada/gone"),
        message: Bytes::from_static(b"bye"),
        qos: protocol::QoS::AtLeastOnce,
        retain: false,
    };
    let will_properties = protocol::LastWillProperties {
        delay_interval: Some(30),
        payload_format_indicator: Some(1),
        message_expiry_interval: Some(60),
        content_type: Some("text/plain".into()),
        response_topic: Some("ada/re".into()),
        correlation_data: Some(Bytes::from_static(b"\x00\x01")),
        user_properties: user.clone(),
    };
    let properties = protocol::ConnectProperties {
        session_expiry_interval: Some(3600),
        receive_maximum: Some(3),
        max_packet_size: Some(5000),
        topic_alias_max: Some(7),
        request_response_info: Some(0),
        request_problem_info: Some(1),
        user_properties: user.clone(),
        ..connect_properties()
    };
    let login = protocol::Login { username: "ada".into(), password: "love lace".into() };
    let hello = protocol::Connect { keep_alive: 30, client_id: "phone".into(), clean_session: false };
    let publish_properties = protocol::PublishProperties {
        payload_format_indicator: Some(0),
        message_expiry_interval: Some(9),
        response_topic: Some("re".into()),
        correlation_data: Some(Bytes::from_static(b"c")),
        user_properties: user.clone(),
        content_type: Some("a/b".into()),
        ..protocol::PublishProperties::default()
    };
    let filter = |path: &str, preserve_retain| protocol::Filter {
        path: path.into(),
        qos: protocol::QoS::AtLeastOnce,
        nolocal: v5,
        preserve_retain: preserve_retain && v5,
        retain_forward_rule: if v5 {
            protocol::RetainForwardRule::OnNewSubscribe
        } else {
            protocol::RetainForwardRule::OnEverySubscribe
        },
    };
    let subscribe =
        protocol::Subscribe { pkid: 7, filters: vec![filter("from/#", true), filter("ä/+/x", false)] };
    let unsubscribe = protocol::Unsubscribe { pkid: 8, filters: vec!["from/#".into(), "x".into()] };
    let subscribe_properties = protocol::SubscribeProperties { id: Some(300), user_properties: user.clone() };
    let received = protocol::PubRec { pkid: 2, reason: protocol::PubRecReason::Success };
    let completed = protocol::PubComp { pkid: 4, reason: protocol::PubCompReason::Success };
    let puback = protocol::PubAck { pkid: 1, reason: protocol::PubAckReason::Success };
    let refusal = protocol::PubAck { pkid: 1, reason: protocol::PubAckReason::QuotaExceeded };
    let said =
        protocol::PubAckProperties { reason_string: Some("full".into()), user_properties: user.clone() };
    let packets = [
        Packet::Connect(
            hello,
            v5.then_some(properties),
            Some(will),
            v5.then_some(will_properties),
            Some(login),
        ),
        Packet::Publish(message(false, 0, false, 0, "to/bob", b"hello"), None),
        Packet::Publish(message(true, 1, false, 5, "ä/1", b""), v5.then_some(publish_properties)),
        Packet::PubAck(puback, None),
        Packet::PubAck(refusal, v5.then_some(said)),
        Packet::Subscribe(subscribe, v5.then_some(subscribe_properties)),
        Packet::Unsubscribe(
            unsubscribe,
            v5.then_some(protocol::UnsubscribeProperties { user_properties: user }),
        ),
        Packet::PubRel(protocol::PubRel { pkid: 9, reason: protocol::PubRelReason::Success }, None),
        Packet::PingReq(protocol::PingReq),
        Packet::Publish(message(false, 2, true, 11, "twice", b"no"), None),
        Packet::Publish(message(true, 2, false, 9, "t", b"x"), None),
        Packet::PubRec(received, None),
        Packet::PubComp(completed, None),
    ];
    let mut all: Vec<Vec<u8>> = packets.into_iter().map(|packet| encode(version, packet)).collect();
    if v5 {
        all.push(b"\x30\x0D\x00\x03t/1\x03\x23\x00\x02text".to_vec());
        all.push(b"\x30\x07\x00\x00\x03\x23\x00\x02x".to_vec());
        for (first, reason) in [(0x40, 0x97), (0x50, 0x97), (0x62, 0x92), (0x70, 0x92)] {
            all.push([&[first, 10, 0, 2, reason, 6, 0x1F, 0, 3][..], b"why"].concat());
        }
        all.push(b"\xE0\x0E\x04\x0C\x11\x00\x00\x00\x00\x1F\x00\x04gone".to_vec());
    } else {
        all.push(vec![0xE0, 0]);
    }
    all
}

/// An AUTH, which only a client that asked for it at first may send.
pub(super) fn auth(reason: u8, method: &str, data: &[u8]) -> Vec<u8> {
    let mut list = vec![0x15, 0, method.len() as u8];
    list.extend(method.as_bytes());
    list.extend([0x16, 0, data.len() as u8]);
    list.extend(data);
    [&[0xF0, list.len() as u8 + 2, reason, list.len() as u8][..], &list].concat()
}

/// A client's packets with which a line comes into every state: see [`Line::busy`].
pub(super) fn business(version: Version) -> Vec<u8> {
    let flow = [
        publish(version, 1, 5, "ä/1", b"waits for PUBACK"),
        publish(version, 2, 8, "t", b"waits for PUBREC"),
        publish(version, 2, 9, "t", b"is received"),
        publish(version, 2, 10, "t", b"is released"),
    ];
    flow.concat()
}
