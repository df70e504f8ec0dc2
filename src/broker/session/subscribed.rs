//! What a session subscribed to.

use super::Session;
use crate::broker::parcel::Identifiers;
use crate::dialect::plain;
use crate::journal::KeptSubscription;
use crate::mqtt::{Qos, TopicFilter, TopicName};

/// A subscription of a session.
#[derive(Clone, Debug)]
pub(crate) struct Subscribed {
    pub(crate) filter: TopicFilter,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) identifier: Option<u32>,
}

/// How a topic matched a session: the best of its subscriptions, and the identifiers of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) identifiers: Identifiers,
}

impl Subscribed {
    pub(in crate::broker) fn kept(&self) -> KeptSubscription {
        KeptSubscription {
            filter: self.filter.as_str().to_owned(),
            qos: self.qos,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            identifier: self.identifier,
        }
    }

    pub(super) fn found(kept: KeptSubscription) -> Option<Self> {
        Some(Self {
            filter: parse_kept(&kept.filter)?,
            qos: kept.qos,
            no_local: kept.no_local,
            retain_as_published: kept.retain_as_published,
            identifier: kept.identifier,
        })
    }
}

impl Session {
    /// Adds a subscription or replaces the one with the same filter; `true` when there was none.
    pub(in crate::broker) fn subscribe(&self, new: Subscribed) -> bool {
        let mut state = self.state();
        let before = state.subscriptions.len();
        state.subscriptions.retain(|old| old.filter != new.filter);
        let fresh = state.subscriptions.len() == before;
        state.subscriptions.push(new);
        fresh
    }

    pub(in crate::broker) fn unsubscribe(&self, filter: &str) -> bool {
        let mut state = self.state();
        let before = state.subscriptions.len();
        state.subscriptions.retain(|old| old.filter.as_str() != filter);
        state.subscriptions.len() < before
    }

    /// Whether and how the session asked for a topic, shared subscriptions aside.
    pub(crate) fn matching(&self, topic: &TopicName) -> Option<Matched> {
        let state = self.state();
        let own = state.subscriptions.iter().filter(|one| one.filter.group().is_none());
        matched(own.filter(|one| one.filter.matches(topic)))
    }

    /// Whether any subscription could select chat, so that the inbox is worth reading.
    pub(crate) fn wants_chat(&self) -> bool {
        self.state().subscriptions.iter().any(|subscription| {
            let path = subscription.filter.path();
            plain::is_own_view(path) || path.starts_with(['+', '#'])
        })
    }

    /// Whether it subscribed with exactly this filter.
    pub(crate) fn has(&self, filter: &TopicFilter) -> bool {
        self.state().subscriptions.iter().any(|old| old.filter == *filter)
    }

    /// How many filters it subscribed with.
    pub(crate) fn subscription_count(&self) -> usize {
        self.state().subscriptions.len()
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscribed> {
        self.state().subscriptions.clone()
    }
}

/// The best of several matching subscriptions; `None` when there is none.
pub(in crate::broker) fn matched<'a>(subscriptions: impl Iterator<Item = &'a Subscribed>) -> Option<Matched> {
    let mut found: Option<Matched> = None;
    let mut all: Vec<u32> = Vec::new();
    for one in subscriptions {
        let best = found.get_or_insert(Matched {
            qos: one.qos,
            no_local: one.no_local,
            retain_as_published: one.retain_as_published,
            identifiers: None,
        });
        best.qos = best.qos.max(one.qos);
        best.no_local &= one.no_local;
        best.retain_as_published |= one.retain_as_published;
        all.extend(one.identifier);
    }
    found.map(|best| Matched { identifiers: identifiers(all.into_iter()), ..best })
}

pub(super) fn identifiers(all: impl ExactSizeIterator<Item = u32>) -> Identifiers {
    if all.len() == 0 { None } else { Some(all.collect()) }
}

/// Whether a filter text is one that sessions can hold; used when records come back from disk.
fn parse_kept(filter: &str) -> Option<TopicFilter> {
    TopicFilter::parse(filter)
        .inspect_err(|_| tracing::error!(filter, "a stored filter is not valid and is skipped"))
        .ok()
}
