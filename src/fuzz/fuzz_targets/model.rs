//! What each identifier may do next, by the figures of MQTT 5.0 section 4.3.3, said naively.

use std::collections::BTreeMap;

use crate::mqtt::{Connection, Event, Qos, Reason};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Single,
    New,
    Received,
    Released,
}

pub(crate) struct Model {
    pub(crate) v5: bool,
    most: usize,
    inbound: BTreeMap<u16, Stage>,
    outbound: BTreeMap<u16, Stage>,
    over: bool,
}

impl Model {
    pub(crate) fn new(v5: bool, most: usize) -> Self {
        // 3.1.1 sets no maximum, so that of our limits holds.
        let most = if v5 { most } else { 5 };
        Self { v5, most, inbound: BTreeMap::new(), outbound: BTreeMap::new(), over: false }
    }

    pub(crate) fn window(&self) -> usize {
        self.most.saturating_sub(self.outbound.len())
    }

    pub(crate) fn resumed(&mut self, received: &[u16]) {
        self.inbound.extend(received.iter().filter(|id| **id != 0).map(|id| (*id, Stage::Received)));
    }

    pub(crate) fn sent(&mut self, id: u16, qos: Qos) {
        let stage = if qos == Qos::ExactlyOnce { Stage::New } else { Stage::Single };
        assert!(id != 0 && self.outbound.insert(id, stage).is_none(), "{id} was in use");
    }

    pub(crate) fn released(&mut self, id: u16) {
        let before = self.outbound.insert(id, Stage::Released);
        assert!(matches!(before, None | Some(Stage::Received)), "{id} was {before:?}");
    }

    pub(crate) fn puback(&mut self, id: u16) {
        self.settle(id, Stage::Single);
    }

    pub(crate) fn pubrec(&mut self, id: u16, taken: bool) {
        if !taken {
            self.settle(id, Stage::New);
        } else if let Some(stage @ Stage::New) = self.inbound.get_mut(&id) {
            *stage = Stage::Received;
        }
    }

    pub(crate) fn pubcomp(&mut self, id: u16) {
        self.settle(id, Stage::Released);
    }

    fn settle(&mut self, id: u16, at: Stage) {
        if self.inbound.get(&id) == Some(&at) {
            self.inbound.remove(&id);
        }
    }

    /// Takes note of events, none of which may contradict what is known.
    pub(crate) fn told(&mut self, events: &[Event], machine: &Connection) {
        for event in events {
            assert!(!self.over, "{event:?} after the end");
            match event {
                Event::Publish(message) => {
                    let Some(id) = message.id else { continue };
                    let stage = if message.qos == Qos::ExactlyOnce { Stage::New } else { Stage::Single };
                    assert_eq!(self.inbound.insert(id, stage), None, "{id} was in use");
                }
                Event::Released { id } => {
                    assert_eq!(self.inbound.insert(*id, Stage::Released), Some(Stage::Received));
                }
                Event::Received { id } => {
                    assert_eq!(self.outbound.insert(*id, Stage::Received), Some(Stage::New));
                }
                Event::Acked { id, reason } => {
                    let before = self.outbound.remove(id);
                    let refused = before == Some(Stage::New) && reason.is_refusal();
                    assert!(before == Some(Stage::Single) || refused, "{id} was {before:?}");
                }
                Event::Completed { id } => assert_eq!(self.outbound.remove(id), Some(Stage::Released)),
                Event::Fault { reason, .. } => {
                    assert!(reason.is_refusal() && machine.is_over());
                    self.over = true;
                }
                Event::Disconnect { .. } => {
                    assert!(machine.is_over());
                    self.over = true;
                }
                Event::Auth { reason, .. } => {
                    assert!(matches!(reason, Reason::ContinueAuthentication | Reason::ReAuthenticate));
                }
                Event::Connect(_) | Event::Subscribe { .. } | Event::Unsubscribe { .. } => {}
            }
        }
    }
}

/// Whatever is sent is whole packets of kinds that a server sends, none larger than the client reads.
pub(crate) fn well_formed(v5: bool, most: usize, mut output: &[u8]) {
    while let [first, rest @ ..] = output {
        let (mut length, mut width) = (0, 0);
        loop {
            length |= usize::from(rest[width] & 0x7F) << (7 * width);
            width += 1;
            if rest[width - 1] < 0x80 {
                break;
            }
        }
        let size = 1 + width + length;
        assert!(size <= most, "{size} bytes, where {most} are read");
        match first {
            0x20 | 0x30..=0x35 | 0x3A..=0x3D | 0x40 | 0x50 | 0x62 | 0x70 | 0x90 | 0xB0 | 0xD0 => {}
            0xE0 | 0xF0 if v5 => {}
            _ => panic!("a packet of type {first:#x}"),
        }
        output = &output[size..];
    }
}
