//! Which sessions subscribed to a plain topic: a tree of filter levels, walked along the levels of a name.

use std::collections::HashMap;
use std::sync::Arc;

use super::session::{Matched, NewSubscription, Session, matched};
use crate::dialect::plain;
use crate::id::SessionId;
use crate::mqtt::TopicName;

/// The tree. Filters that can only select chat are not in it.
#[derive(Default)]
pub(super) struct Topics {
    root: Node,
}

#[derive(Default)]
struct Node {
    below: HashMap<Box<str>, Node>,
    /// Subscriptions whose filter ends here.
    here: Vec<(Arc<Session>, NewSubscription)>,
}

impl Topics {
    /// Adds a subscription or replaces the session's one with the same filter.
    pub(super) fn add(&mut self, session: &Arc<Session>, new: &NewSubscription) {
        if plain::is_own_view(new.filter.path()) {
            return;
        }
        let mut node = &mut self.root;
        for level in new.filter.path().split('/') {
            node = node.below.entry(level.into()).or_default();
        }
        node.here.retain(|(holder, old)| holder.id != session.id || old.filter != new.filter);
        node.here.push((session.clone(), new.clone()));
    }

    /// Removes a session's subscription with this filter, and the branches that it alone held.
    pub(super) fn remove(&mut self, session: SessionId, filter: &str) {
        let levels: Vec<&str> = filter.split('/').collect();
        remove(&mut self.root, &levels, session, filter);
    }

    /// Every session with a filter that selects the name, once, with the best of its matching subscriptions.
    pub(super) fn matching(&self, name: &TopicName) -> Vec<(Arc<Session>, Matched)> {
        let mut found: HashMap<SessionId, (Arc<Session>, Vec<&NewSubscription>)> = HashMap::new();
        let levels: Vec<&str> = name.as_str().split('/').collect();
        collect(&self.root, &levels, name.as_str().starts_with('$'), &mut |session, subscription| {
            found.entry(session.id).or_insert_with(|| (session.clone(), Vec::new())).1.push(subscription);
        });
        found
            .into_values()
            .filter_map(|(session, subscriptions)| Some((session, matched(subscriptions.into_iter())?)))
            .collect()
    }
}

/// `reserved`: names that begin with `$` are not reached by a leading wildcard (MQTT §4.7.2).
fn collect<'a>(
    node: &'a Node,
    levels: &[&str],
    reserved: bool,
    found: &mut impl FnMut(&'a Arc<Session>, &'a NewSubscription),
) {
    if let (Some(all), false) = (node.below.get("#"), reserved) {
        all.here.iter().for_each(|(session, new)| found(session, new)); // Also when nothing is left: `sport/#` selects `sport`.
    }
    let Some((level, rest)) = levels.split_first() else {
        return node.here.iter().for_each(|(session, new)| found(session, new));
    };
    if let Some(exact) = node.below.get(*level) {
        collect(exact, rest, false, found);
    }
    if let (Some(any), false) = (node.below.get("+"), reserved) {
        collect(any, rest, false, found);
    }
}

/// Says whether the node is empty by now.
fn remove(node: &mut Node, levels: &[&str], session: SessionId, filter: &str) -> bool {
    match levels.split_first() {
        None => node.here.retain(|(holder, old)| holder.id != session || old.filter.as_str() != filter),
        Some((level, rest)) => {
            if node.below.get_mut(*level).is_some_and(|below| remove(below, rest, session, filter)) {
                node.below.remove(*level);
            }
        }
    }
    node.here.is_empty() && node.below.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::broker::{Hello, Live};
    use crate::id::AccountId;
    use crate::mqtt::{Qos, TopicFilter, Version};
    use crate::time::Timestamp;

    fn session(client_id: &str) -> Arc<Session> {
        let now = Timestamp::from_micros(1_000_000);
        let live = Live {
            serial: None,
            address: None,
            version: Version::V5,
            door: "mqtt",
            since: now,
            ending: None,
        };
        let (account, client_id) = (AccountId::GUEST, client_id.into());
        Arc::new(Session::new(&Hello { account, client_id, clean_start: true, expiry: 0, live }, now))
    }

    fn subscription(filter: &str) -> NewSubscription {
        let filter = TopicFilter::parse(filter).unwrap();
        NewSubscription { filter, qos: Qos::AtLeastOnce, no_local: false, identifier: None }
    }

    #[test]
    fn a_session_that_matches_twice_is_found_once_with_the_best_quality() {
        let (mut topics, session) = (Topics::default(), session("a"));
        topics.add(&session, &NewSubscription { qos: Qos::AtMostOnce, ..subscription("open/+") });
        topics.add(&session, &subscription("open/#"));
        let found = topics.matching(&TopicName::parse("open/x").unwrap());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1.qos, Qos::AtLeastOnce);
    }

    #[test]
    fn nothing_is_left_of_a_tree_whose_subscriptions_are_gone() {
        let (mut topics, session) = (Topics::default(), session("a"));
        for filter in ["a/b/c", "a/+/c", "#"] {
            topics.add(&session, &subscription(filter));
        }
        for filter in ["a/b/c", "a/+/c", "#"] {
            topics.remove(session.id, filter);
        }
        assert!(topics.root.below.is_empty() && topics.root.here.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_tree_finds_what_the_filters_select(
            filters in prop::collection::vec("(\\+|a|b|\\$x)(/(\\+|a|b|)){0,2}(/#)?", 1..12),
            name in "(a|b|\\$x|)(/(a|b|)){0,3}",
        ) {
            prop_assume!(!name.is_empty());
            let (mut topics, name) = (Topics::default(), TopicName::parse(&name).unwrap());
            let sessions: Vec<_> = filters.iter().map(|filter| (session(filter), subscription(filter))).collect();
            sessions.iter().for_each(|(session, new)| topics.add(session, new));
            let mut found: Vec<_> = topics.matching(&name).into_iter().map(|(session, _)| session.id).collect();
            let mut wanted: Vec<_> =
                sessions.iter().filter(|(_, new)| new.filter.matches(&name)).map(|(session, _)| session.id).collect();
            found.sort();
            wanted.sort();
            prop_assert_eq!(found, wanted);
        }
    }
}
