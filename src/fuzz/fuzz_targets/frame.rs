//! Guard and codec: any bytes, in any slices, are read the same, and a message that was read can be written and
//! read again.

#![no_main]

#[path = "../../mqtt/mod.rs"]
mod mqtt;

use std::time::{Duration, Instant};

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mqtt::{Accept, Connection, Event, Limits, Outgoing, Publish, Qos, Sent, Version};

const V3: &[u8] = b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x00\x00\x01a";
const V5: &[u8] = b"\x10\x0E\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01a";
/// With the authentication method `m`.
const V5_PROVING: &[u8] = b"\x10\x12\x00\x04MQTT\x05\x02\x00\x00\x04\x15\x00\x01m\x00\x01a";

fuzz_target!(|data: &[u8]| {
    let [choice, bytes @ ..] = data else { return };
    let whole = read(*choice, std::iter::once(bytes));
    let sliced = read(*choice, bytes.chunks(1 + usize::from(choice >> 3)));
    assert!(whole == sliced, "{whole:?}\n{sliced:?}");
    let (version, events, _) = whole;
    for event in events {
        if let Event::Publish(message) = event {
            again(version, message);
        }
    }
});

fn limits() -> Limits {
    let connect_timeout = Duration::from_secs(1);
    Limits { max_packet: 1 << 20, receive_maximum: 100, topic_aliases: 4, keep_alive: 60, connect_timeout }
}

fn read<'a>(choice: u8, slices: impl Iterator<Item = &'a [u8]>) -> (Version, Vec<Event>, Vec<u8>) {
    let start = match choice & 7 {
        0 | 1 => &[][..],
        2 | 3 => V3,
        4 | 5 => V5,
        _ => V5_PROVING,
    };
    let now = Instant::now();
    let mut machine = Connection::new(limits(), now);
    let (mut input, mut events) = (BytesMut::from(start), Vec::new());
    for slice in std::iter::once(&[][..]).chain(slices) {
        input.extend_from_slice(slice);
        machine.receive(now, &mut input, &mut events);
        while let Some(Event::Connect(_) | Event::Auth { .. }) = events.last() {
            let before = events.len();
            // One challenge, if the machine can pose it; it says nothing while nobody is to be welcomed.
            if before == 1 {
                machine.challenge(Some(b"who?"));
            }
            machine.accept(Accept::default());
            machine.receive(now, &mut input, &mut events);
            if events.len() == before {
                break;
            }
        }
    }
    (machine.version(), events, machine.output().to_vec())
}

/// Writes a message that was read, and reads it again.
fn again(version: Version, message: Publish) {
    let now = Instant::now();
    let hello = if version == Version::V5 { V5 } else { V3 };
    let open = || {
        let mut machine = Connection::new(limits(), now);
        machine.receive(now, &mut BytesMut::from(hello), &mut Vec::new());
        machine.accept(Accept::default());
        machine.output().clear();
        machine
    };
    let (mut writer, mut reader) = (open(), open());
    let sent = writer.publish(&Outgoing {
        id: message.id,
        topic: message.topic.as_str(),
        payload: &message.payload,
        qos: message.qos,
        retain: message.retain,
        dup: message.dup,
        properties: message.properties.as_deref(),
        message_expiry: message.properties.as_ref().and_then(|properties| properties.message_expiry),
        ..Outgoing::default()
    });
    assert_eq!(sent, message.id.map_or(Sent::Fire, Sent::Awaiting));
    assert_eq!(message.id.is_none(), message.qos == Qos::AtMostOnce);
    let mut events = Vec::new();
    reader.receive(now, writer.output(), &mut events);
    assert_eq!(events, [Event::Publish(message)]);
}
