//! A client that speaks through rumqttd's codec, and a clock that moves only when told to.

mod conversation;
mod flow;
mod hostile;

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use rumqttd::protocol::{self, Packet, Protocol, v4::V4, v5::V5};

use super::*;

const BOTH: [Version; 2] = [Version::V3, Version::V5];

fn limits() -> Limits {
    Limits { max_packet: 10_000, receive_maximum: 4, connect_timeout: Duration::from_secs(10) }
}

/// One connection and the client at its other end.
struct Line {
    version: Version,
    machine: Connection,
    now: Instant,
    /// What the machine has been sent and has not consumed.
    input: BytesMut,
    welcomed: bool,
}

impl Line {
    fn new(version: Version) -> Self {
        let now = Instant::now();
        Self {
            version,
            machine: Connection::new(limits(), now),
            now,
            input: BytesMut::new(),
            welcomed: false,
        }
    }

    /// A client that has been welcomed.
    fn open(version: Version) -> Self {
        Self::open_with(version, &connect(version))
    }

    fn open_with(version: Version, connect: &[u8]) -> Self {
        let mut line = Self::new(version);
        assert!(matches!(line.hear(connect)[..], [Event::Connect(_)]));
        line.machine.accept(Accept::default());
        line.welcomed = true;
        line.sent();
        assert_eq!(line.hear(&[]), []);
        line
    }

    /// The client says `bytes`: what does the machine make of it?
    fn hear(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        self.input.extend_from_slice(bytes);
        self.machine.receive(self.now, &mut self.input, &mut events);
        events
    }

    fn hear_packet(&mut self, packet: Packet) -> Vec<Event> {
        self.hear(&encode(self.version, packet))
    }

    /// What the machine has sent since the last look.
    fn sent(&mut self) -> Vec<u8> {
        self.machine.output().split().to_vec()
    }

    /// The same, as the client's codec reads it.
    fn sent_packets(&mut self) -> Vec<Packet> {
        let mut bytes = self.machine.output().split();
        let mut packets = Vec::new();
        while !bytes.is_empty() {
            packets.push(decode(self.version, &mut bytes));
        }
        packets
    }

    fn wait(&mut self, seconds: u64) -> Vec<Event> {
        self.now += Duration::from_secs(seconds);
        let mut events = Vec::new();
        self.machine.tick(self.now, &mut events);
        events
    }
}

fn encode(version: Version, packet: Packet) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    match version {
        Version::V3 => V4.write(packet, &mut bytes),
        Version::V5 => V5.write(packet, &mut bytes),
    }
    .unwrap();
    bytes.to_vec()
}

fn decode(version: Version, bytes: &mut BytesMut) -> Packet {
    match version {
        Version::V3 => V4.read_mut(bytes, usize::MAX),
        Version::V5 => V5.read_mut(bytes, usize::MAX),
    }
    .unwrap()
}

/// A CONNECT without ornaments: `ada`, a clean start, a keep-alive of 10 s.
fn connect(version: Version) -> Vec<u8> {
    connect_with(version, None)
}

fn connect_with(version: Version, properties: Option<protocol::ConnectProperties>) -> Vec<u8> {
    let connect = protocol::Connect { keep_alive: 10, client_id: "ada".into(), clean_session: true };
    encode(version, Packet::Connect(connect, properties, None, None, None))
}

fn connect_properties() -> protocol::ConnectProperties {
    protocol::ConnectProperties {
        session_expiry_interval: None,
        receive_maximum: None,
        max_packet_size: None,
        topic_alias_max: None,
        request_response_info: None,
        request_problem_info: None,
        user_properties: vec![],
        authentication_method: None,
        authentication_data: None,
    }
}

/// A PUBLISH as the codec has it; the roundabout way is its only one.
fn message(dup: bool, qos: u8, retain: bool, id: u16, topic: &str, payload: &[u8]) -> protocol::Publish {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0x30 | u8::from(dup) << 3 | qos << 1 | u8::from(retain));
    bytes.put_u16(id);
    bytes.put_u16(topic.len() as u16);
    bytes.put_slice(topic.as_bytes());
    bytes.put_slice(payload);
    protocol::Publish::deserialize(bytes.freeze())
}

fn publish(version: Version, qos: u8, id: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    encode(version, Packet::Publish(message(false, qos, false, id, topic, payload), None))
}

fn fault(events: &[Event]) -> Option<(Reason, &'static str)> {
    match events.last() {
        Some(Event::Fault { reason, what }) => Some((*reason, what)),
        _ => None,
    }
}

/// The reason in a DISCONNECT, which must be all that was sent.
fn goodbye(sent: &[u8]) -> Option<u8> {
    match sent {
        [0xE0, _, reason, ..] if sent.len() == 2 + usize::from(sent[1]) => Some(*reason),
        _ => None,
    }
}

/// Packets of every kind that a client sends, each valid on its own after the welcome (but the first).
fn samples(version: Version) -> Vec<Vec<u8>> {
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
    let goodbye =
        protocol::Disconnect { reason_code: protocol::DisconnectReasonCode::DisconnectWithWillMessage };
    let goodbye_properties = protocol::DisconnectProperties {
        session_expiry_interval: Some(0),
        reason_string: Some("lunch".into()),
        user_properties: user.clone(),
        server_reference: None,
    };
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
        Packet::Disconnect(goodbye, v5.then_some(goodbye_properties)),
    ];
    packets.into_iter().map(|packet| encode(version, packet)).collect()
}
