//! `[broker]`: bounds of what sessions may hold.

use serde::Deserialize;

use super::QueueLimits;
use crate::journal::Options;
use crate::mqtt::DEEPEST;
use crate::time::Span;

/// `[broker]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default, from = "Keys")]
pub(crate) struct Config {
    pub(crate) queue: QueueLimits,
    session_expiry: Span,
    pub(crate) subscriptions: usize,
    /// Levels of a topic or filter.
    pub(crate) topic_levels: usize,
    pub(crate) retained_bytes: usize,
    pub(crate) memory_bytes: usize,
    pub(crate) journal_bytes: u64,
}

/// As the file has them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    queue_messages: usize,
    queue_bytes: u64,
    queue_memory: usize,
    session_expiry: Span,
    subscriptions: usize,
    topic_levels: usize,
    retained_bytes: usize,
    memory_bytes: usize,
    journal_bytes: u64,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            queue_messages: 100_000,
            queue_bytes: 128 << 20,
            queue_memory: 4 << 20,
            session_expiry: Span(std::time::Duration::from_secs(30 * 86_400)),
            subscriptions: 1000,
            topic_levels: DEEPEST,
            retained_bytes: 64 << 20,
            memory_bytes: 2 << 30,
            journal_bytes: 4 << 30,
        }
    }
}

impl From<Keys> for Config {
    fn from(keys: Keys) -> Self {
        Self {
            queue: QueueLimits {
                messages: keys.queue_messages,
                bytes: keys.queue_bytes,
                passing: keys.queue_memory,
            },
            session_expiry: keys.session_expiry,
            subscriptions: keys.subscriptions,
            topic_levels: keys.topic_levels,
            retained_bytes: keys.retained_bytes,
            memory_bytes: keys.memory_bytes,
            journal_bytes: keys.journal_bytes,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Keys::default().into()
    }
}

impl Config {
    /// The journal's part of it.
    pub(super) fn journal(&self) -> Options {
        Options { most: self.journal_bytes, ..Options::default() }
    }

    /// Seconds that a session may outlive its connection.
    pub(crate) fn longest_expiry(&self) -> u32 {
        u32::try_from(self.session_expiry.0.as_secs()).unwrap_or(u32::MAX)
    }

    /// What the types cannot say.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.queue.messages == 0 || self.queue.bytes == 0 {
            problems.push("broker.queue_messages and broker.queue_bytes: at least 1".into());
        }
        if self.queue.passing < 64 << 10 {
            problems.push("broker.queue_memory: at least 65536 bytes".into());
        }
        if self.subscriptions == 0 {
            problems.push("broker.subscriptions: at least 1".into());
        }
        if !(1..=DEEPEST).contains(&self.topic_levels) {
            problems.push(format!("broker.topic_levels: between 1 and {DEEPEST}"));
        }
        if self.memory_bytes < 16 << 20 {
            problems.push("broker.memory_bytes: at least 16777216".into());
        }
        if self.journal_bytes < 64 << 20 {
            problems.push("broker.journal_bytes: at least 67108864".into());
        }
        problems
    }
}
