//! Retained messages: the last word on each topic, for whoever subscribes later.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use super::Broker;
use super::memory::Load;
use super::session::expires_at;
use crate::journal::{Kept, Message, Records};
use crate::mqtt::{TopicFilter, TopicName};
use crate::time::Timestamp;

/// All of them: a tree of topic levels.
#[derive(Default)]
pub(super) struct Retained {
    root: Node,
    bytes: usize,
    count: usize,
    held: Load,
}

#[derive(Default)]
struct Node {
    below: HashMap<Box<str>, Node>,
    here: Option<Held>,
}

/// A retained message and its place.
pub(crate) type Held = (Arc<Message>, Arc<Kept>);

impl Retained {
    /// Puts a message in the place of the one before, which it gives back; an empty one only clears it (MQTT section
    /// 3.3.1.3).
    pub(super) fn set(&mut self, message: Arc<Message>, kept: Arc<Kept>) -> Option<Held> {
        let before = self.clear(&message.topic);
        if message.payload.is_empty() {
            return before;
        }
        self.bytes += weight(&message);
        self.held.more(weight(&message));
        self.count += 1;
        let mut node = &mut self.root;
        for level in message.topic.as_str().split('/') {
            node = node.below.entry(level.into()).or_default();
        }
        node.here = Some((message.clone(), kept));
        before
    }

    /// Takes the message of a topic away.
    pub(super) fn clear(&mut self, topic: &TopicName) -> Option<Held> {
        let levels: Vec<&str> = topic.as_str().split('/').collect();
        let gone = take(&mut self.root, &levels)?;
        self.bytes -= weight(&gone.0);
        self.held.less(weight(&gone.0));
        self.count -= 1;
        Some(gone)
    }

    /// What is retained on a topic.
    pub(super) fn get(&self, topic: &TopicName) -> Option<&Held> {
        let mut node = &self.root;
        for level in topic.as_str().split('/') {
            node = node.below.get(level)?;
        }
        node.here.as_ref()
    }

    /// What a filter selects, if it has not expired.
    pub(super) fn matching(&self, filter: &TopicFilter, now: Timestamp) -> Vec<Arc<Message>> {
        let levels: Vec<&str> = filter.path().split('/').collect();
        let mut found = Vec::new();
        collect(&self.root, &levels, true, &mut found);
        found.retain(|message| expires_at(message).is_none_or(|at| at > now));
        found
    }

    /// The topics whose messages are over.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<TopicName> {
        let mut all = Vec::new();
        collect(&self.root, &["#"], false, &mut all);
        all.retain(|message| expires_at(message).is_some_and(|at| at <= now));
        all.into_iter().map(|message| message.topic.clone()).collect()
    }

    /// Whether so many more bytes may be retained in the place of what this topic has.
    pub(super) fn has_room(&self, topic: &TopicName, bytes: usize, most: usize) -> bool {
        let before = self.get(topic).map_or(0, |(message, _)| weight(message));
        self.bytes - before + bytes <= most
    }

    /// Bytes and number of messages.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.bytes, self.count)
    }
}

impl Broker {
    /// What a filter selects of the retained messages.
    pub(crate) fn retained_for(&self, filter: &TopicFilter, now: Timestamp) -> Vec<Arc<Message>> {
        self.retained().matching(filter, now)
    }

    /// Whether a message may be retained beside the others.
    pub(crate) fn may_retain(&self, message: &Message) -> bool {
        let most = self.0.config.retained_bytes;
        self.retained().has_room(&message.topic, weight(message), most)
    }

    /// A message takes the place of the last one on its topic, which is given back. That it is not on disk yet is
    /// nothing to wait for: who subscribes now must not see an older one than who is there.
    pub(crate) fn retain(&self, message: Arc<Message>, kept: Arc<Kept>) -> Option<Held> {
        self.retained_mut().set(message, kept)
    }

    /// A message could not be written: the one before stands again, unless there is another by now.
    pub(crate) fn retain_again(&self, failed: &Held, before: Option<Held>) {
        let (topic, mut retained) = (&failed.0.topic, self.retained_mut());
        let others = match retained.get(topic) {
            Some((_, kept)) => !Arc::ptr_eq(kept, &failed.1),
            None => !failed.0.payload.is_empty(),
        };
        if !others {
            retained.clear(topic);
            before.into_iter().for_each(|(message, kept)| _ = retained.set(message, kept));
        }
    }

    /// Takes a topic's retained message away.
    pub(crate) fn clear_retained(&self, topic: &TopicName) {
        self.retained_mut().clear(topic);
        let mut records = Records::new();
        records.cleared(topic);
        self.0.journal.note(records);
    }

    pub(super) fn retained_now(&self, topic: &TopicName) -> Option<(Arc<Message>, Arc<Kept>)> {
        self.retained().get(topic).cloned()
    }

    /// Bytes and number of retained messages.
    pub(crate) fn retained_usage(&self) -> (usize, usize) {
        self.retained().usage()
    }

    pub(super) fn retained(&self) -> RwLockReadGuard<'_, Retained> {
        self.0.retained.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn retained_mut(&self) -> RwLockWriteGuard<'_, Retained> {
        self.0.retained.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that a retained message counts for.
pub(super) fn weight(message: &Message) -> usize {
    message.topic.as_str().len() + message.payload.len() + 256
}

fn take(node: &mut Node, levels: &[&str]) -> Option<Held> {
    let Some((level, rest)) = levels.split_first() else { return node.here.take() };
    let below = node.below.get_mut(*level)?;
    let taken = take(below, rest);
    if below.here.is_none() && below.below.is_empty() {
        node.below.remove(*level);
    }
    taken
}

/// `first`: a leading wildcard does not reach names that begin with `$` (MQTT section 4.7.2).
fn collect(node: &Node, levels: &[&str], first: bool, found: &mut Vec<Arc<Message>>) {
    let reached = |level: &str| !(first && level.starts_with('$'));
    match levels.split_first() {
        None => found.extend(node.here.iter().map(|(message, _)| message.clone())),
        Some((&"#", _)) => {
            found.extend(node.here.iter().map(|(message, _)| message.clone()));
            let below = node.below.iter().filter(|(level, _)| reached(level));
            below.for_each(|(_, below)| collect(below, &["#"], false, found));
        }
        Some((&"+", rest)) => {
            let below = node.below.iter().filter(|(level, _)| reached(level));
            below.for_each(|(_, below)| collect(below, rest, false, found));
        }
        Some((level, rest)) => {
            if let Some(below) = node.below.get(*level) {
                collect(below, rest, false, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::mqtt::Qos;

    fn message(topic: &str, payload: &'static str, expiry: Option<u32>) -> Arc<Message> {
        let properties = expiry.map(|seconds| {
            Box::new(crate::mqtt::Properties { message_expiry: Some(seconds), ..Default::default() })
        });
        let (topic, at) = (TopicName::parse(topic).unwrap(), Timestamp::from_micros(0));
        Arc::new(Message {
            topic,
            payload: Bytes::from_static(payload.as_bytes()),
            properties,
            qos: Qos::AtMostOnce,
            at,
        })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_last_word_stands_until_an_empty_one() {
        let (mut retained, filter) = (Retained::default(), TopicFilter::parse("a/b").unwrap());
        retained.set(message("a/b", "one", None), Kept::pending());
        retained.set(message("a/b", "two", None), Kept::pending());
        assert_eq!(retained.matching(&filter, at(0))[0].payload, "two");
        retained.set(message("a/b", "", None), Kept::pending());
        assert!(retained.matching(&filter, at(0)).is_empty());
        assert_eq!(retained.usage(), (0, 0));
        assert!(retained.root.below.is_empty());
    }

    #[test]
    fn what_has_expired_is_not_given() {
        let mut retained = Retained::default();
        retained.set(message("a", "x", Some(5)), Kept::pending());
        let all = TopicFilter::parse("#").unwrap();
        assert_eq!(retained.matching(&all, at(4)).len(), 1);
        assert!(retained.matching(&all, at(5)).is_empty());
        assert_eq!(retained.expired(at(5)).len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_tree_gives_what_the_filter_selects(
            names in prop::collection::vec("(a|b|\\$x|)(/(a|b|)){0,3}", 1..12),
            filter in "(\\+|a|b|\\$x)(/(\\+|a|b|)){0,2}(/#)?",
        ) {
            let (mut retained, filter) = (Retained::default(), TopicFilter::parse(&filter).unwrap());
            let names: std::collections::BTreeSet<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
            names.iter().for_each(|name| _ = retained.set(message(name, "x", None), Kept::pending()));
            let mut found: Vec<_> =
                retained.matching(&filter, at(0)).iter().map(|message| message.topic.to_string()).collect();
            found.sort();
            let wanted: Vec<_> = names.into_iter().filter(|name| filter.matches(&TopicName::parse(name).unwrap())).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
