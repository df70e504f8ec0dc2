//! What the journal remembers, in the words of MQTT: messages, who is owed them, sessions and their subscriptions.

use std::sync::Arc;

use bytes::Bytes;

use super::kept::Kept;
use crate::id::{AccountId, SessionId};
use crate::mqtt::{Properties, Qos, TopicName};
use crate::time::Timestamp;

/// One message on a plain topic, as it is kept and passed on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) topic: TopicName,
    pub(crate) payload: Bytes,
    pub(crate) properties: Option<Box<Properties>>,
    pub(crate) qos: Qos,
    /// When it came: `message_expiry` in the properties counts from here.
    pub(crate) at: Timestamp,
}

/// A reference from a session's queue to a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owed {
    pub(crate) session: SessionId,
    /// Its place in the session's queue: unique and rising within the session, never used twice.
    pub(crate) number: u64,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// Subscription identifiers that go with the delivery (MQTT 5.0 section 3.3.2.3.8).
    pub(crate) identifiers: Vec<u32>,
    /// QoS 2: PUBREC came, PUBCOMP has not.
    pub(crate) released: bool,
}

/// All that is known of a session but its queue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SessionState {
    pub(crate) id: SessionId,
    pub(crate) account: AccountId,
    pub(crate) client_id: String,
    /// Seconds that it outlives its connection; `u32::MAX` is for ever.
    pub(crate) expiry: u32,
    pub(crate) created_at: Timestamp,
    /// When its last connection ended; `None` while there is one.
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) subscriptions: Vec<KeptSubscription>,
    /// Identifiers of QoS 2 messages that came and were not released (MQTT section 4.3.3).
    pub(crate) received: Vec<u16>,
    pub(crate) will: Option<KeptWill>,
    /// The next number of its queue.
    pub(crate) next: u64,
}

/// One subscription of a session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeptSubscription {
    pub(crate) filter: String,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) identifier: Option<u32>,
}

/// What to publish when the session's client goes without a goodbye.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeptWill {
    pub(crate) message: Message,
    pub(crate) retain: bool,
    /// Seconds to wait for the client to return.
    pub(crate) delay: u32,
}

/// What a journal held when it was opened.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) sessions: Vec<FoundSession>,
    pub(crate) retained: Vec<(Message, Arc<Kept>)>,
}

/// A session with its queue, by number.
#[derive(Debug)]
pub(crate) struct FoundSession {
    pub(crate) state: SessionState,
    pub(crate) queue: Vec<FoundOwed>,
}

/// One entry of a queue; the message itself stays on disk.
#[derive(Clone, Debug)]
pub(crate) struct FoundOwed {
    pub(crate) owed: Owed,
    pub(crate) kept: Arc<Kept>,
    /// Bytes of topic and payload.
    pub(crate) size: u32,
    pub(crate) expires_at: Option<Timestamp>,
    /// Its client was there after it came, so it may have been sent.
    pub(crate) maybe_sent: bool,
}

/// What is still true, asked while the oldest segment is swept.
///
/// Whoever changes something shows it here *before* the record of the change is appended, or does both under one
/// lock that these functions take too. A message just appended shows here at the latest when its `done` returns. The
/// sweep asks before it copies and again after, so a change meanwhile is never undone by the copy.
pub(crate) trait Present {
    /// A session that exists, as it is now.
    fn session(&self, id: SessionId) -> Option<SessionState>;
    /// A reference that still stands.
    fn owed(&self, session: SessionId, number: u64) -> Option<(Owed, Arc<Kept>)>;
    /// The retained message of a topic.
    fn retained(&self, topic: &TopicName) -> Option<Arc<Kept>>;
}
