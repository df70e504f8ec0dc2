//! What the house itself tells, as if it were retained: `$SYS`, what it counts, under the names that other brokers made
//! common, and `$pki`, what its authority publishes.
//!
//! `$SYS/…` is for whoever the rules let read it by name: `#` does not reach it (MQTT section 4.7.2), in rules as in
//! filters. `$pki/…` is for everybody. A subscription sees the present values, and later those that changed. Owed to
//! nobody: QoS 0.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::Chat;
use super::acl::{Right, Rights};
use crate::broker::{Body, Identifiers, Parcel, Retain, Session, Subscribed};
use crate::metrics::METRICS;
use crate::mqtt::{Qos, TopicName};
use crate::time::Timestamp;

/// What subscribers were told last, by topic.
#[derive(Default)]
pub(super) struct Told(Mutex<BTreeMap<String, Bytes>>);

impl Chat {
    /// Tells subscribers what the house counts and has changed since the last time.
    pub(crate) fn tell_sys(&self, started: Timestamp, now: Timestamp) {
        for (name, value) in self.sys_values(started, now) {
            self.proclaim(&format!("$SYS/broker/{name}"), value.into(), now);
        }
    }

    /// Tells subscribers of a topic of the house what it says from now on, unless it says so already.
    pub(crate) fn proclaim(&self, topic: &str, value: Bytes, now: Timestamp) {
        let mut told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(topic) == Some(&value) {
            return;
        }
        if let Ok(topic) = TopicName::parse(topic) {
            self.tell_one(&topic, &value, now);
        }
        told.insert(topic.to_owned(), value);
    }

    fn tell_one(&self, topic: &TopicName, value: &Bytes, now: Timestamp) {
        let routes = self.readers(topic);
        let shared = routes.groups.iter().filter_map(|group| group.next(Qos::AtMostOnce, |_| true));
        for route in routes.to.iter().chain(shared) {
            let parcel = saying(topic, value, now, Retain::Cleared, route.identifiers.clone());
            route.session.hand(parcel, self.broker.limits());
        }
    }

    /// A new subscription sees what was told last.
    pub(super) fn show_told(
        &self,
        session: &Arc<Session>,
        new: &Subscribed,
        rights: &Rights,
        now: Timestamp,
    ) {
        if !new.filter.path().starts_with('$') {
            return;
        }
        let told: Vec<(String, Bytes)> = {
            let told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
            told.iter().map(|(topic, value)| (topic.clone(), value.clone())).collect()
        };
        for (topic, value) in told {
            let Ok(topic) = TopicName::parse(&topic) else { continue };
            if new.filter.matches(&topic) && rights.allow(Right::Subscribe, &topic) {
                let identifiers = new.identifier.map(|id| Arc::from([id]));
                session.hand(saying(&topic, &value, now, Retain::Set, identifiers), self.broker.limits());
            }
        }
    }

    /// The names below `$SYS/broker/`, and what they say now.
    fn sys_values(&self, started: Timestamp, now: Timestamp) -> Vec<(&'static str, String)> {
        let all = self.broker.numbers();
        let (received, sent) = (&METRICS.received, &METRICS.sent);
        let sum = |counts: [u64; 3]| counts.iter().sum::<u64>();
        let numbers = [
            ("clients/connected", all.live as u64),
            ("clients/active", all.live as u64),
            ("clients/disconnected", all.waiting as u64),
            ("clients/inactive", all.waiting as u64),
            ("clients/total", (all.live + all.waiting) as u64),
            ("messages/received", METRICS.packets_received.get()),
            ("messages/sent", METRICS.packets_sent.get()),
            ("messages/stored", (all.retained + all.owed) as u64),
            ("publish/messages/received", sum(received.messages())),
            ("publish/messages/sent", sum(sent.messages())),
            ("publish/messages/dropped", METRICS.dropped().sum()),
            ("publish/bytes/received", sum(received.bytes())),
            ("publish/bytes/sent", sum(sent.bytes())),
            ("bytes/received", METRICS.bytes_received.get()),
            ("bytes/sent", METRICS.bytes_sent.get()),
            ("subscriptions/count", all.subscriptions as u64),
            ("shared_subscriptions/count", all.shared as u64),
            ("retained messages/count", all.retained as u64),
            ("store/messages/count", (all.retained + all.owed) as u64),
            ("store/messages/bytes", all.retained_bytes as u64 + all.owed_bytes),
        ];
        let mut values: Vec<_> = numbers.into_iter().map(|(name, value)| (name, value.to_string())).collect();
        values.push(("version", format!("chancery version {}", env!("CARGO_PKG_VERSION"))));
        values.push(("uptime", format!("{} seconds", now.since(started).as_secs())));
        values
    }
}

fn saying(
    topic: &TopicName,
    value: &Bytes,
    now: Timestamp,
    retain: Retain,
    identifiers: Identifiers,
) -> Parcel {
    let body = Body { payload: value.clone(), properties: None, retain: true };
    let parcel = Parcel::passing(topic.clone(), Qos::AtMostOnce, now, body, retain);
    Parcel { identifiers, ..parcel }
}
