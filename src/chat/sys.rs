//! `$SYS`: what the house counts, as topics under the names that other brokers made common.
//!
//! For whoever the rules let read `$SYS/…` by name: `#` does not reach it (MQTT section 4.7.2), in rules as in filters.
//! A subscription sees the present values as if they were retained, and later those that changed. Owed to nobody:
//! QoS 0.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::Chat;
use super::acl::{Right, Rights};
use crate::broker::{Body, Identifiers, Parcel, Retain, Session, Subscribed};
use crate::metrics::METRICS;
use crate::mqtt::{Qos, TopicName};
use crate::time::Timestamp;

/// What subscribers were told last.
#[derive(Default)]
pub(super) struct Told(Mutex<BTreeMap<&'static str, String>>);

impl Chat {
    /// Tells subscribers what has changed since the last time.
    pub(crate) fn tell_sys(&self, started: Timestamp, now: Timestamp) {
        let values = self.sys_values(started, now);
        let mut told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in values {
            if told.get(name) == Some(&value) {
                continue;
            }
            if let Ok(topic) = TopicName::parse(&path(name)) {
                self.tell_one(&topic, &value, now);
            }
            told.insert(name, value);
        }
    }

    fn tell_one(&self, topic: &TopicName, value: &str, now: Timestamp) {
        let routes = self.readers(topic);
        let shared = routes.groups.iter().filter_map(|group| group.next(Qos::AtMostOnce, |_| true));
        for route in routes.to.iter().chain(shared) {
            let parcel = saying(topic, value, now, Retain::Cleared, route.identifiers.clone());
            route.session.hand(parcel, self.broker.limits());
        }
    }

    /// A new subscription sees what was told last.
    pub(super) fn show_sys(&self, session: &Arc<Session>, new: &Subscribed, rights: &Rights, now: Timestamp) {
        if !new.filter.path().starts_with("$SYS/") {
            return;
        }
        let told: Vec<(&str, String)> = {
            let told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
            told.iter().map(|(name, value)| (*name, value.clone())).collect()
        };
        for (name, value) in told {
            let Ok(topic) = TopicName::parse(&path(name)) else { continue };
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

fn path(name: &str) -> String {
    format!("$SYS/broker/{name}")
}

fn saying(
    topic: &TopicName,
    value: &str,
    now: Timestamp,
    retain: Retain,
    identifiers: Identifiers,
) -> Parcel {
    let body = Body { payload: Bytes::copy_from_slice(value.as_bytes()), properties: None, retain: true };
    let parcel = Parcel::passing(topic.clone(), Qos::AtMostOnce, now, body, retain);
    Parcel { identifiers, ..parcel }
}
