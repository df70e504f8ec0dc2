//! What the journal is told of the broker's state, and what it gives back.

use std::sync::Arc;

use super::Broker;
use crate::id::SessionId;
use crate::journal::{Kept, KeptWill, Message, Owed, Present, SessionState};
use crate::mqtt::{TopicName, Will};

/// A will as the journal keeps it; the times of its message count from its publication.
pub(super) fn will_to(will: &Will) -> KeptWill {
    let properties =
        Some(Box::new(will.properties.clone())).filter(|carried| **carried != Default::default());
    let message = Message {
        topic: will.topic.clone(),
        payload: will.payload.clone(),
        properties,
        qos: will.qos,
        at: Default::default(),
    };
    KeptWill { message, retain: will.retain, delay: will.delay }
}

pub(super) fn will_from(kept: KeptWill) -> Will {
    let KeptWill { message, retain, delay } = kept;
    Will {
        topic: message.topic,
        payload: message.payload,
        qos: message.qos,
        retain,
        delay,
        properties: message.properties.map(|carried| *carried).unwrap_or_default(),
    }
}

impl Present for Broker {
    fn session(&self, id: SessionId) -> Option<SessionState> {
        self.by_id(id).filter(|session| session.is_durable()).map(|session| session.as_kept())
    }

    fn owed(&self, session: SessionId, number: u64) -> Option<(Owed, Arc<Kept>)> {
        self.by_id(session)?.owed_now(number)
    }

    fn retained(&self, topic: &TopicName) -> Option<Arc<Kept>> {
        self.retained_now(topic).map(|(_, kept)| kept)
    }
}
