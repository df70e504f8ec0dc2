//! Counters: what the house has done since it started, cheap to add to from anywhere.
//!
//! They are one static, as the log is: counting is no right that a handle would have to stand for, nothing is decided
//! by what was counted, and a queue needs no pointer for it. Whoever has a batch adds once for the batch. Labels come
//! from closed lists, so that the page of metrics cannot grow with what clients do.

mod process;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use process::Process;
pub(crate) use text::{CONTENT_TYPE, Kind, Page};

/// Of this process.
pub(crate) static METRICS: Metrics = Metrics::new();

/// All that is counted; what is only looked at when somebody asks stands with its part.
pub(crate) struct Metrics {
    /// Connections of MQTT and LDAP that are open now.
    pub(crate) connections: Labelled<6>,
    pub(crate) handshakes_done: Labelled<6>,
    pub(crate) handshakes_failed: Labelled<6>,
    /// CONNECT packets by the reason code of their answer.
    pub(crate) connects: ByCode,
    /// Answers to whoever signs in by LDAP.
    pub(crate) binds: Labelled<4>,
    /// Connections that ended because the client broke the protocol or fell silent, by reason code.
    pub(crate) faults: ByCode,
    /// Bytes of MQTT, without what TLS and frames add.
    pub(crate) bytes_received: Count,
    pub(crate) bytes_sent: Count,
    /// Packets of any type.
    pub(crate) packets_received: Count,
    pub(crate) packets_sent: Count,
    /// PUBLISH packets.
    pub(crate) received: Flow,
    pub(crate) sent: Flow,
    /// Deliveries that did not happen, by [`Dropped`].
    dropped: Labelled<5>,
    /// Publications by the reason code with which they were refused.
    pub(crate) refused: ByCode,
    /// How often each [`Limit`] was reached.
    limits: Labelled<11>,
    pub(crate) store_commits: Count,
    /// Certificates that were signed, and those that could not be.
    pub(crate) certificates_issued: Count,
    pub(crate) certificates_failed: Count,
}

/// Doors that MQTT or LDAP is spoken at.
const DOORS: [&str; 6] = ["mqtt", "mqtts", "ws", "wss", "quic", "ldaps"];

/// What somebody hears who signs in by LDAP.
const BINDS: [&str; 4] = ["success", "wrong", "busy", "unavailable"];

/// Why a delivery did not happen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dropped {
    /// The client was too slow, and it had QoS 0.
    Slow,
    /// The house held as much as it may, and it had QoS 0.
    Memory,
    /// Its time was over.
    Expired,
    /// The client reads no packets of its size.
    TooLarge,
    /// It was the turn of a group of which nobody was there.
    Nobody,
}

const DROPPED: [&str; 5] = ["slow", "memory", "expired", "too_large", "nobody"];

/// A limit with a key in the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    AccountConnections,
    AddressConnections,
    ConnectRate,
    HandshakeRate,
    PublishMessages,
    PublishBytes,
    Subscriptions,
    TopicLevels,
    Queue,
    Retained,
    Memory,
}

const LIMITS: [&str; 11] = [
    "account_connections",
    "address_connections",
    "connect_rate",
    "handshake_rate",
    "publish_messages",
    "publish_bytes",
    "subscriptions",
    "topic_levels",
    "queue",
    "retained",
    "memory",
];

impl Metrics {
    const fn new() -> Self {
        Self {
            connections: Labelled::new(DOORS),
            handshakes_done: Labelled::new(DOORS),
            handshakes_failed: Labelled::new(DOORS),
            connects: ByCode::new(),
            binds: Labelled::new(BINDS),
            faults: ByCode::new(),
            bytes_received: Count::new(),
            bytes_sent: Count::new(),
            packets_received: Count::new(),
            packets_sent: Count::new(),
            received: Flow::new(),
            sent: Flow::new(),
            dropped: Labelled::new(DROPPED),
            refused: ByCode::new(),
            limits: Labelled::new(LIMITS),
            store_commits: Count::new(),
            certificates_issued: Count::new(),
            certificates_failed: Count::new(),
        }
    }

    /// So many deliveries did not happen.
    pub(crate) fn drop(&self, why: Dropped, count: u64) {
        self.dropped.at(why as usize).add(count);
    }

    /// Somebody was stopped by a limit.
    pub(crate) fn hit(&self, limit: Limit) {
        self.limits.at(limit as usize).add(1);
    }

    pub(crate) fn dropped(&self) -> &Labelled<5> {
        &self.dropped
    }

    pub(crate) fn limits(&self) -> &Labelled<11> {
        &self.limits
    }
}

/// One number. Relaxed: nobody concludes anything from the order of counts.
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, count: u64) {
        if count > 0 {
            self.0.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// For what comes and goes.
    pub(crate) fn sub(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number for each name of a closed list; what is not in it counts with the last.
pub(crate) struct Labelled<const N: usize> {
    names: [&'static str; N],
    counts: [Count; N],
    rest: Count,
}

impl<const N: usize> Labelled<N> {
    const fn new(names: [&'static str; N]) -> Self {
        Self { names, counts: [const { Count::new() }; N], rest: Count::new() }
    }

    /// The number under a name.
    pub(crate) fn of(&self, name: &str) -> &Count {
        self.at(self.names.iter().position(|one| *one == name).unwrap_or(N))
    }

    fn at(&self, place: usize) -> &Count {
        self.counts.get(place).unwrap_or(&self.rest)
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let named = self.names.iter().zip(&self.counts).map(|(name, count)| (*name, count.get()));
        named.chain(std::iter::once(("other", self.rest.get())).filter(|(_, count)| *count > 0))
    }

    pub(crate) fn sum(&self) -> u64 {
        self.each().map(|(_, count)| count).sum()
    }
}

/// A number for each reason code.
pub(crate) struct ByCode([Count; 256]);

impl ByCode {
    const fn new() -> Self {
        Self([const { Count::new() }; 256])
    }

    pub(crate) fn add(&self, code: u8, count: u64) {
        self.0.get(usize::from(code)).iter().for_each(|one| one.add(count));
    }

    /// The codes that have come up.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u8, u64)> {
        let all = (0..=u8::MAX).zip(&self.0).map(|(code, count)| (code, count.get()));
        all.filter(|(_, count)| *count > 0)
    }
}

/// Messages in one direction, by quality of service.
pub(crate) struct Flow {
    messages: [Count; 3],
    bytes: [Count; 3],
}

/// What one batch adds to a flow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    messages: [u64; 3],
    bytes: [u64; 3],
}

impl Traffic {
    /// One message of so many bytes of topic and payload.
    pub(crate) fn add(&mut self, qos: u8, bytes: usize) {
        let at = usize::from(qos).min(2);
        self.messages.get_mut(at).into_iter().for_each(|count| *count += 1);
        self.bytes.get_mut(at).into_iter().for_each(|count| *count += bytes as u64);
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages.iter().sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.iter().sum()
    }
}

impl Flow {
    const fn new() -> Self {
        Self { messages: [const { Count::new() }; 3], bytes: [const { Count::new() }; 3] }
    }

    pub(crate) fn add(&self, batch: &Traffic) {
        self.messages.iter().zip(batch.messages).for_each(|(count, more)| count.add(more));
        self.bytes.iter().zip(batch.bytes).for_each(|(count, more)| count.add(more));
    }

    pub(crate) fn messages(&self) -> [u64; 3] {
        self.messages.each_ref().map(Count::get)
    }

    pub(crate) fn bytes(&self) -> [u64; 3] {
        self.bytes.each_ref().map(Count::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_outside_the_list_counts_as_other() {
        let doors = Labelled::new(DOORS);
        doors.of("wss").add(2);
        doors.of("a door of tomorrow").add(1);
        let seen: Vec<_> = doors.each().filter(|(_, count)| *count > 0).collect();
        assert_eq!((seen, doors.sum()), (vec![("wss", 2), ("other", 1)], 3));
    }

    #[test]
    fn a_batch_is_added_by_quality_of_service() {
        let (flow, mut batch) = (Flow::new(), Traffic::default());
        batch.add(1, 100);
        batch.add(1, 50);
        batch.add(0, 7);
        flow.add(&batch);
        assert_eq!((flow.messages(), flow.bytes()), ([1, 2, 0], [7, 150, 0]));
        assert_eq!((batch.messages(), batch.bytes()), (3, 157));
    }

    #[test]
    fn every_limit_and_every_loss_has_its_name() {
        let metrics = Metrics::new();
        metrics.hit(Limit::Memory);
        metrics.drop(Dropped::Nobody, 3);
        assert_eq!(metrics.limits().each().last(), Some(("memory", 1)));
        assert_eq!(metrics.dropped().each().last(), Some(("nobody", 3)));
    }
}
