//! What passes through the broker without being owed: runs of messages, and each receiver's claim to one.

use std::sync::Arc;

use bytes::Bytes;

use super::memory::Load;
use crate::mqtt::{Properties, Qos, TopicName};
use crate::time::Timestamp;

/// Messages that came in one go, on one topic and with one quality of service, and so go the same ways. Moving runs
/// instead of messages is what makes the broker fast.
pub(crate) struct Run {
    pub(crate) topic: TopicName,
    pub(crate) qos: Qos,
    /// When they came.
    pub(crate) at: Timestamp,
    pub(crate) bodies: Vec<Body>,
    bytes: usize,
    held: Load,
}

/// One message of a run.
#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) payload: Bytes,
    pub(crate) properties: Option<Box<Properties>>,
    pub(crate) retain: bool,
}

/// One session's claim to a run.
#[derive(Clone)]
pub(crate) struct Parcel {
    pub(crate) run: Arc<Run>,
    /// How many of the run have gone out.
    pub(crate) sent: usize,
    /// The most that the session asked for.
    pub(crate) qos: Qos,
    pub(crate) retain: Retain,
    /// Subscription identifiers.
    pub(crate) identifiers: Identifiers,
}

/// Subscription identifiers of what matched; mostly none.
pub(crate) type Identifiers = Option<Arc<[u32]>>;

/// What becomes of the retain flag on the way to a subscriber (MQTT 5.0 section 3.3.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retain {
    /// Cleared: an ordinary delivery.
    Cleared,
    /// As its publisher set it: the subscription asked for that.
    AsPublished,
    /// Set: it was retained before the subscription was made.
    Set,
}

impl Run {
    pub(crate) fn new(topic: TopicName, qos: Qos, at: Timestamp) -> Self {
        let bytes = size_of::<Self>() + topic.as_str().len();
        Self { topic, qos, at, bodies: Vec::new(), bytes, held: Load::default() }
    }

    /// A run of one.
    pub(crate) fn one(topic: TopicName, qos: Qos, at: Timestamp, body: Body) -> Arc<Self> {
        let mut run = Self::new(topic, qos, at);
        run.push(body);
        run.shared()
    }

    /// From here on it is held by whoever has a claim to it, and counts once for all of them.
    pub(crate) fn shared(mut self) -> Arc<Self> {
        self.held = Load::new(self.bytes);
        Arc::new(self)
    }

    pub(crate) fn push(&mut self, body: Body) {
        self.bytes += body.size();
        self.bodies.push(body);
    }

    /// Bytes it holds, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes its texts out of the buffer that they arrived in, which many other messages may share.
    pub(crate) fn take_home(&mut self) {
        self.topic = self.topic.detached();
        for body in &mut self.bodies {
            body.payload = Bytes::copy_from_slice(&body.payload);
        }
    }
}

impl Body {
    fn size(&self) -> usize {
        let carried = self.properties.as_deref().map_or(0, |carried| {
            let user = carried.user_properties.iter().map(|(name, value)| name.len() + value.len() + 48);
            size_of::<Properties>() + user.sum::<usize>()
        });
        size_of::<Self>() + self.payload.len() + carried
    }
}

impl Parcel {
    /// An ordinary delivery of one message that is owed to nobody.
    pub(crate) fn passing(topic: TopicName, qos: Qos, at: Timestamp, body: Body, retain: Retain) -> Self {
        Self { run: Run::one(topic, qos, at, body), sent: 0, qos, retain, identifiers: None }
    }

    /// With what quality of service it is delivered: the smaller of what was published and what was asked for.
    pub(crate) fn delivered_qos(&self) -> Qos {
        self.run.qos.min(self.qos)
    }
}

/// A packet identifier that follows from a number of a session's queue, so that it is the same after a crash without
/// being written (MQTT section 4.4). What the machine chooses itself lies above.
pub(crate) fn packet_id(number: u64) -> u16 {
    (number % PLAIN_IDS) as u16 + 1
}

/// The number in flight under a packet identifier, at or after `first`.
pub(super) fn number_at_or_after(first: u64, id: u16) -> u64 {
    let wanted = u64::from(id).wrapping_sub(1) % PLAIN_IDS;
    first + (wanted + PLAIN_IDS - first % PLAIN_IDS) % PLAIN_IDS
}

/// Identifiers 1 to 32,767 are those of queue numbers.
const PLAIN_IDS: u64 = 32_767;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_identifier_leads_back_to_its_number() {
        for first in [0, 1, 32_765, 32_766, 32_767, 1_000_003] {
            for ahead in [0, 1, 1000, 32_766] {
                let number = first + ahead;
                assert_eq!(number_at_or_after(first, packet_id(number)), number);
            }
        }
    }
}
