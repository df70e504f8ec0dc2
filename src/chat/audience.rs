//! Who would hear: the sessions that a message on some topic reaches now.

use std::sync::Arc;

use super::Chat;
use super::acl::Right;
use crate::broker::{Route, Routes, Session};
use crate::dialect::plain;
use crate::id::AccountId;
use crate::mqtt::{Qos, TopicName};

impl Chat {
    /// The sessions with a subscription that selects the topic and with the right to read it; of a group that shares
    /// one, all members. Of chat each account sees its own view, so there it is who would see that topic at all.
    pub(crate) fn audience(&self, topic: &TopicName) -> Vec<Arc<Session>> {
        if plain::is_own_view(topic.as_str()) {
            let asked = |one: &Arc<Session>| one.account != AccountId::GUEST && one.matching(topic).is_some();
            return self.broker.all().into_iter().filter(asked).collect();
        }
        let Routes { to, groups } = match plain::is_presence(topic.as_str()) {
            true => self.broker.routes(topic, |session| session.account != AccountId::GUEST),
            false => self.readers(topic),
        };
        let all = to.into_iter().chain(groups.into_iter().flat_map(|group| group.members));
        // Nothing is kept for a client that is away and asked for QoS 0.
        let reached = |route: &Route| route.session.is_live() || route.qos > Qos::AtMostOnce;
        let mut found: Vec<_> = all.filter(reached).map(|route| route.session).collect();
        found.sort_by_key(|session| session.id);
        found.dedup_by_key(|session| session.id);
        found
    }

    /// Where messages on a plain topic, or one of the house's own, go.
    pub(super) fn readers(&self, topic: &TopicName) -> Routes {
        self.broker.routes(topic, |reader| self.rights(reader).allow(Right::Subscribe, topic))
    }
}
