//! The machine in the hands of any client and any caller at any time: it keeps its word to both.

#![no_main]

#[path = "../../mqtt/mod.rs"]
mod mqtt;

mod model;

use std::time::{Duration, Instant};

use bytes::BytesMut;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use model::Model;
use mqtt::{Accept, Connection, Event, Limits, Outgoing, Qos, Reason, Sent};

#[derive(Arbitrary, Debug)]
struct Script<'a> {
    v5: bool,
    proving: bool,
    receive_maximum: u8,
    max_packet: Option<u8>,
    topic_aliases: u8,
    deeds: Vec<Deed<'a>>,
}

/// What the client, the caller or the clock does next. Identifiers are few, so that they meet.
#[derive(Arbitrary, Debug)]
enum Deed<'a> {
    Bytes(&'a [u8]),
    Publish { qos: u8, dup: bool, id: u8, alias: Option<u8>, named: bool },
    Acknowledge { kind: u8, id: u8, reason: Option<u8> },
    Prove { reason: u8 },
    Ping,
    Leave,
    Accept { received: Vec<u8> },
    Refuse,
    Challenge(&'a [u8]),
    Authenticated,
    PubAck { id: u8, reason: u8 },
    PubRec { id: u8, reason: u8 },
    PubComp { id: u8 },
    PubRel { id: u8 },
    SubAck { codes: u8 },
    Deliver { id: Option<u8>, qos: u8, dup: bool, topic: u8, size: u8 },
    Wait { milliseconds: u16 },
    Part,
}

fuzz_target!(|script: Script<'_>| {
    let mut now = Instant::now();
    let limits = Limits {
        max_packet: 1000,
        receive_maximum: 5,
        topic_aliases: 3,
        keep_alive: 5,
        connect_timeout: Duration::from_secs(10),
    };
    let mut machine = Connection::new(limits, now);
    let mut model = Model::new(script.v5, usize::from(script.receive_maximum.clamp(1, 5)));
    let mut input = BytesMut::new();
    hear(&mut machine, &mut model, now, &mut input, &hello(&script));
    let most = script.max_packet.filter(|_| script.v5).map_or(usize::MAX, |max| usize::from(max.max(1)));
    for deed in &script.deeds {
        let over = machine.is_over();
        act(deed, &mut machine, &mut model, &mut now, &mut input);
        let output = machine.output().split();
        assert!(!over || output.is_empty(), "it spoke after the end");
        model::well_formed(script.v5, most, &output);
        if !machine.is_over() {
            assert_eq!(machine.window(), model.window());
        }
    }
});

fn hello(script: &Script<'_>) -> Vec<u8> {
    let mut body = b"\x00\x04MQTT\x04\x02\x00\x0A".to_vec();
    if script.v5 {
        body[6] = 5;
        let mut list = vec![0x21, 0, script.receive_maximum.clamp(1, 5), 0x22, 0, script.topic_aliases];
        if let Some(max) = script.max_packet {
            list.extend([0x27, 0, 0, 0, max.max(1)]);
        }
        if script.proving {
            list.extend(b"\x15\x00\x01m");
        }
        body.push(list.len() as u8);
        body.extend(list);
    }
    body.extend(b"\x00\x01a");
    packet(0x10, &body)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first, body.len() as u8][..], body].concat()
}

fn id(small: u8) -> u16 {
    u16::from(small % 8)
}

fn reason(byte: u8) -> Reason {
    [Reason::Success, Reason::NoMatchingSubscribers, Reason::QuotaExceeded, Reason::ServerBusy]
        [usize::from(byte % 4)]
}

fn qos(byte: u8) -> Qos {
    Qos::from_byte(byte % 3).unwrap_or_default()
}

fn act(
    deed: &Deed<'_>,
    machine: &mut Connection,
    model: &mut Model,
    now: &mut Instant,
    input: &mut BytesMut,
) {
    match deed {
        Deed::Bytes(bytes) => hear(machine, model, *now, input, bytes),
        Deed::Publish { .. } | Deed::Acknowledge { .. } | Deed::Prove { .. } | Deed::Ping | Deed::Leave => {
            // Behind half a packet it would be read as the rest of that.
            hear(machine, model, *now, input, &said(deed, model.v5));
        }
        Deed::Accept { received } => {
            let received: Vec<u16> = received.iter().take(9).map(|small| id(*small)).collect();
            machine.accept(Accept { received: received.clone(), ..Accept::default() });
            // What was said says whether that was a welcome.
            if machine.output().first() == Some(&0x20) && !machine.is_over() {
                model.resumed(&received);
            }
            hear(machine, model, *now, input, &[]);
        }
        Deed::Refuse => machine.refuse(Reason::NotAuthorized, Some("no")),
        Deed::Challenge(data) => machine.challenge(Some(data)),
        Deed::Authenticated => machine.authenticated(None),
        Deed::PubAck { id: small, reason: why } => {
            machine.puback(id(*small), reason(*why));
            model.puback(id(*small));
        }
        Deed::PubRec { id: small, reason: why } => {
            machine.pubrec(id(*small), reason(*why));
            model.pubrec(id(*small), !reason(*why).is_refusal());
        }
        Deed::PubComp { id: small } => {
            machine.pubcomp(id(*small));
            model.pubcomp(id(*small));
        }
        Deed::PubRel { id: small } => {
            machine.pubrel(id(*small));
            if machine.output().first() == Some(&0x62) {
                model.released(id(*small));
            }
        }
        Deed::SubAck { codes } => machine.suback(1, &vec![Ok(Qos::ExactlyOnce); usize::from(*codes)]),
        Deed::Deliver { id: small, qos: level, dup, topic, size } => {
            let message = Outgoing {
                id: small.map(id),
                topic: ["a", "b/c", "d", "e", "f"][usize::from(topic % 5)],
                payload: &[7; 256][..usize::from(*size)],
                qos: qos(*level),
                dup: *dup,
                ..Outgoing::default()
            };
            match machine.publish(&message) {
                Sent::Awaiting(id) => model.sent(id, message.qos),
                Sent::Fire => assert_eq!(message.qos, Qos::AtMostOnce),
                Sent::TooLarge | Sent::WindowFull => assert!(machine.output().is_empty()),
            }
        }
        Deed::Wait { milliseconds } => {
            *now += Duration::from_millis(u64::from(*milliseconds));
            let due = machine.deadline().is_some_and(|deadline| deadline <= *now);
            let mut events = Vec::new();
            machine.tick(*now, &mut events);
            assert!(due || events.is_empty(), "it ended before its deadline");
            model.told(&events, machine);
        }
        Deed::Part => machine.disconnect(Reason::ServerShuttingDown, None),
    }
}

/// The packet of a deed of the client.
fn said(deed: &Deed<'_>, v5: bool) -> Vec<u8> {
    match *deed {
        Deed::Publish { qos, dup, id: small, alias, named } => {
            let qos = qos % 3;
            let mut body = if named { b"\x00\x01t".to_vec() } else { vec![0, 0] };
            if qos > 0 {
                body.extend(id(small).to_be_bytes());
            }
            match alias {
                Some(alias) if v5 => body.extend([3, 0x23, 0, alias % 5]),
                _ if v5 => body.push(0),
                _ => {}
            }
            packet(0x30 | u8::from(dup && qos > 0) << 3 | qos << 1, &body)
        }
        Deed::Acknowledge { kind, id: small, reason } => {
            let mut body = id(small).to_be_bytes().to_vec();
            body.extend(reason.filter(|_| v5));
            packet([0x40, 0x50, 0x62, 0x70][usize::from(kind % 4)], &body)
        }
        Deed::Prove { reason } => packet(0xF0, &[&[0x18 + reason % 2, 4][..], b"\x15\x00\x01m"].concat()),
        Deed::Ping => vec![0xC0, 0],
        _ => vec![0xE0, 0],
    }
}

fn hear(machine: &mut Connection, model: &mut Model, now: Instant, input: &mut BytesMut, bytes: &[u8]) {
    // While somebody is judged the bytes pile up; a door would stop reading.
    if input.len() > 10_000 {
        return;
    }
    input.extend_from_slice(bytes);
    let mut events = Vec::new();
    machine.receive(now, input, &mut events);
    model.told(&events, machine);
}
