//! A client that speaks through rumqttd's codec, and a clock that moves only when told to.

mod conversation;
mod flow;
mod hostile;
mod proof;
mod samples;
mod twice;
mod two;

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use rumqttd::protocol::{self, Packet, Protocol, v4::V4, v5::V5};

use samples::samples;

use super::*;

const BOTH: [Version; 2] = [Version::V3, Version::V5];

fn limits() -> Limits {
    let connect_timeout = Duration::from_secs(10);
    Limits { max_packet: 10_000, receive_maximum: 4, topic_aliases: 3, keep_alive: 20, connect_timeout }
}

/// One connection and the client at its other end.
struct Line {
    version: Version,
    machine: Connection,
    now: Instant,
    /// What the machine has been sent and has not consumed.
    input: BytesMut,
    welcomed: bool,
    challenged: bool,
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
            challenged: false,
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

    /// A client with messages in every state, in both directions.
    fn busy(version: Version) -> Self {
        let mut line = Self::open(version);
        for (id, qos) in [(1, Qos::AtLeastOnce), (2, Qos::ExactlyOnce), (3, Qos::ExactlyOnce)] {
            line.machine.publish(&Outgoing { id: Some(id), topic: "t", qos, ..Outgoing::default() });
        }
        line.machine.pubrel(4);
        line.hear(&[&samples::business(version)[..], &[0x50, 2, 0, 3]].concat());
        line.machine.pubrec(9, Reason::Success);
        line.machine.pubrec(10, Reason::Success);
        line.hear(&[0x62, 2, 0, 10]);
        assert_eq!((line.machine.in_flight(), line.machine.unanswered()), (4, 4));
        line.sent();
        line
    }

    /// A client that named the authentication method `SIGN`.
    fn prover() -> Self {
        let properties = protocol::ConnectProperties {
            authentication_method: Some("SIGN".into()),
            authentication_data: Some(Bytes::from_static(b"ada")),
            ..connect_properties()
        };
        let mut line = Self::new(Version::V5);
        line.hear(&connect_with(Version::V5, Some(properties)));
        line
    }

    /// The same, challenged.
    fn challenged() -> Self {
        let mut line = Self::prover();
        line.machine.challenge(Some(b"who?"));
        line.challenged = true;
        line.sent();
        line
    }

    /// The same, accepted.
    fn proven() -> Self {
        let mut line = Self::prover();
        line.machine.accept(Accept::default());
        line.welcomed = true;
        line.sent();
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
