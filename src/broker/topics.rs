//! Which sessions subscribed to a plain topic: a tree of filter levels, walked along the levels of a name.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::parcel::Identifiers;
use super::session::{Matched, Session, Subscribed, matched};
use crate::dialect::plain;
use crate::id::SessionId;
use crate::mqtt::{Qos, TopicFilter, TopicName};

/// The tree. Filters that can only select chat are not in it.
#[derive(Default)]
pub(super) struct Topics {
    root: Node,
    /// Whose turn it is in each group, for as long as it has members.
    turns: HashMap<TopicFilter, Arc<AtomicUsize>>,
}

#[derive(Default)]
struct Node {
    below: HashMap<Box<str>, Node>,
    /// What `+` stands for at this level.
    any: Option<Box<Node>>,
    /// Subscriptions with `#` at this level.
    rest: Held,
    /// Subscriptions whose filter ends here.
    here: Held,
}

/// By session and whole filter: several shared subscriptions of one session may end at the same place.
type Held = HashMap<(SessionId, TopicFilter), (Arc<Session>, Subscribed)>;

/// Where messages on one topic go.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) to: Vec<Route>,
    pub(crate) groups: Vec<Group>,
}

/// One session that gets them, and how.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) session: Arc<Session>,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) identifiers: Identifiers,
}

/// The sessions that share a subscription: each message goes to one of them (MQTT 5.0 section 4.8.2).
pub(crate) struct Group {
    pub(crate) members: Vec<Route>,
    /// Counted by all who publish to the group together.
    turn: Arc<AtomicUsize>,
}

impl Routes {
    /// Whether nobody gets anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.to.is_empty() && self.groups.is_empty()
    }
}

impl Route {
    fn new(session: Arc<Session>, matched: Matched) -> Self {
        let Matched { qos, no_local, retain_as_published, identifiers } = matched;
        Self { session, qos, no_local, retain_as_published, identifiers }
    }
}

impl Group {
    /// The member whose turn it is: one that is there, or else one whose queue keeps messages for it. `has_room` is
    /// asked of those whose queue would have to take it.
    pub(crate) fn next(&self, qos: Qos, has_room: impl Fn(&Session) -> bool) -> Option<&Route> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = || {
            let members = 0..self.members.len();
            members.filter_map(|ahead| self.members.get(turn.wrapping_add(ahead) % self.members.len()))
        };
        let owed = |route: &Route| route.session.is_durable() && route.qos.min(qos) > Qos::AtMostOnce;
        let takes = |route: &&Route| !owed(route) || has_room(&route.session);
        let here = in_turn().filter(|route| route.session.is_live()).find(takes);
        here.or_else(|| in_turn().filter(|route| owed(route)).find(takes))
    }
}

impl Topics {
    /// Adds a subscription or replaces the session's one with the same filter.
    pub(super) fn add(&mut self, session: &Arc<Session>, new: &Subscribed) {
        if plain::is_own_view(new.filter.path()) {
            return;
        }
        if new.filter.group().is_some() {
            self.turns.entry(new.filter.clone()).or_default();
        }
        let held = held(&mut self.root, new.filter.path());
        held.insert((session.id, new.filter.clone()), (session.clone(), new.clone()));
    }

    /// Removes a session's subscription with this filter, and the branches that it alone held.
    pub(super) fn remove(&mut self, session: SessionId, filter: &TopicFilter) {
        let levels: Vec<&str> = filter.path().split('/').collect();
        remove(&mut self.root, &levels, &(session, filter.clone()));
        if filter.group().is_some() && !self.has_members(filter) {
            self.turns.remove(filter);
        }
    }

    fn has_members(&self, group: &TopicFilter) -> bool {
        let mut node = &self.root;
        for level in group.path().split('/') {
            let below = match level {
                "#" => return node.rest.keys().any(|(_, filter)| filter == group),
                "+" => node.any.as_deref(),
                level => node.below.get(level),
            };
            match below {
                Some(below) => node = below,
                None => return false,
            }
        }
        node.here.keys().any(|(_, filter)| filter == group)
    }

    /// Every session with a filter that selects the name and that `may` read it: once, with the best of its matching
    /// subscriptions, and again for each group in which it shares one.
    pub(super) fn routes(&self, name: &TopicName, may: impl Fn(&Session) -> bool) -> Routes {
        let mut own: HashMap<SessionId, (Arc<Session>, Vec<&Subscribed>)> = HashMap::new();
        let mut groups: HashMap<&TopicFilter, Vec<Route>> = HashMap::new();
        let levels: Vec<&str> = name.as_str().split('/').collect();
        collect(&self.root, &levels, name.as_str().starts_with('$'), &mut |(session, subscribed)| {
            if !may(session) {
                return;
            }
            if subscribed.filter.group().is_none() {
                own.entry(session.id).or_insert_with(|| (session.clone(), Vec::new())).1.push(subscribed);
            } else if let Some(matched) = matched(std::iter::once(subscribed)) {
                groups.entry(&subscribed.filter).or_default().push(Route::new(session.clone(), matched));
            }
        });
        let to = own
            .into_values()
            .filter_map(|(session, all)| Some(Route::new(session, matched(all.into_iter())?)));
        let groups = groups.into_iter().map(|(filter, members)| Group {
            members,
            turn: self.turns.get(filter).cloned().unwrap_or_default(),
        });
        Routes { to: to.collect(), groups: groups.collect() }
    }
}

/// Where a filter's subscriptions are held.
fn held<'a>(root: &'a mut Node, path: &str) -> &'a mut Held {
    let mut node = root;
    for level in path.split('/') {
        node = match level {
            "#" => return &mut node.rest,
            "+" => node.any.get_or_insert_default(),
            level => node.below.entry(level.into()).or_default(),
        };
    }
    &mut node.here
}

/// `reserved`: names that begin with `$` are not reached by a leading wildcard (MQTT section 4.7.2).
fn collect<'a>(
    node: &'a Node,
    levels: &[&str],
    reserved: bool,
    found: &mut impl FnMut(&'a (Arc<Session>, Subscribed)),
) {
    if !reserved {
        node.rest.values().for_each(&mut *found); // Also when nothing is left: `sport/#` selects `sport`.
    }
    let Some((level, rest)) = levels.split_first() else { return node.here.values().for_each(found) };
    if let Some(exact) = node.below.get(*level) {
        collect(exact, rest, false, found);
    }
    if let (Some(any), false) = (&node.any, reserved) {
        collect(any, rest, false, found);
    }
}

/// Says whether the node is empty by now.
fn remove(node: &mut Node, levels: &[&str], key: &(SessionId, TopicFilter)) -> bool {
    match levels.split_first() {
        None => _ = node.here.remove(key),
        Some((&"#", _)) => _ = node.rest.remove(key),
        Some((&"+", below)) => {
            if node.any.as_mut().is_some_and(|any| remove(any, below, key)) {
                node.any = None;
            }
        }
        Some((level, below)) => {
            if node.below.get_mut(*level).is_some_and(|exact| remove(exact, below, key)) {
                node.below.remove(*level);
            }
        }
    }
    node.is_empty()
}

impl Node {
    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.rest.is_empty() && self.any.is_none() && self.below.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::broker::{Hello, Live};
    use crate::id::AccountId;
    use crate::mqtt::Version;
    use crate::time::Timestamp;

    fn session(client_id: &str) -> Arc<Session> {
        let now = Timestamp::from_micros(1_000_000);
        let (account, client_id) = (AccountId::GUEST, client_id.into());
        let hello = Hello { account, client_id, clean_start: true, expiry: 0, will: None, live: live() };
        Arc::new(Session::new(&hello, now))
    }

    fn live() -> Live {
        Live {
            serial: None,
            key: None,
            address: None,
            version: Version::V5,
            door: "mqtt",
            since: Timestamp::from_micros(1_000_000),
            bell: Arc::default(),
        }
    }

    fn subscription(filter: &str) -> Subscribed {
        let filter = TopicFilter::parse(filter).unwrap();
        let (qos, identifier) = (Qos::AtLeastOnce, Some(7));
        Subscribed { filter, qos, no_local: false, retain_as_published: false, identifier }
    }

    fn routes(topics: &Topics, name: &str) -> Routes {
        topics.routes(&TopicName::parse(name).unwrap(), |_| true)
    }

    #[test]
    fn a_session_that_matches_twice_is_found_once_with_the_best_quality_and_all_identifiers() {
        let (mut topics, session) = (Topics::default(), session("a"));
        topics.add(&session, &Subscribed { qos: Qos::AtMostOnce, ..subscription("open/+") });
        topics.add(&session, &subscription("open/#"));
        let found = routes(&topics, "open/x").to;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].qos, Qos::AtLeastOnce);
        assert_eq!(found[0].identifiers.as_deref(), Some(&[7, 7][..]));
    }

    #[test]
    fn a_shared_subscription_is_a_group_for_each_name_and_filter() {
        let mut topics = Topics::default();
        let (first, second) = (session("a"), session("b"));
        for filter in ["$share/g/open/+", "$share/h/open/+", "$share/g/open/#", "open/x"] {
            topics.add(&first, &subscription(filter));
        }
        topics.add(&second, &subscription("$share/g/open/+"));
        let found = routes(&topics, "open/x");
        let mut sizes: Vec<_> = found.groups.iter().map(|group| group.members.len()).collect();
        sizes.sort();
        assert_eq!((found.to.len(), sizes), (1, vec![1, 1, 2]));
    }

    #[test]
    fn the_members_of_a_group_take_turns_and_one_that_is_away_without_a_queue_is_passed_over() {
        let mut topics = Topics::default();
        let sessions = [session("a"), session("b"), session("c")];
        sessions.iter().for_each(|one| topics.add(one, &subscription("$share/g/x")));
        let found = routes(&topics, "x");
        assert!(found.groups[0].next(Qos::AtLeastOnce, |_| true).is_none());
        let _here: Vec<_> = sessions[..2].iter().map(|one| one.attach(live(), 0, false)).collect();
        let mut taken: Vec<_> = (0..6)
            .map(|_| found.groups[0].next(Qos::AtMostOnce, |_| true).unwrap().session.client_id.to_string())
            .collect();
        taken.sort();
        assert!(taken.contains(&"a".into()) && taken.contains(&"b".into()) && !taken.contains(&"c".into()));
    }

    #[test]
    fn nothing_is_left_of_a_tree_whose_subscriptions_are_gone() {
        let (mut topics, session) = (Topics::default(), session("a"));
        for filter in ["a/b/c", "a/+/c", "#", "+", "$share/g/a/#"] {
            topics.add(&session, &subscription(filter));
        }
        for filter in ["a/b/c", "a/+/c", "#", "+", "$share/g/a/#"] {
            topics.remove(session.id, &TopicFilter::parse(filter).unwrap());
        }
        assert!(topics.root.is_empty() && topics.turns.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_tree_finds_what_the_filters_select(
            filters in prop::collection::vec("(\\+|a|b|\\$x)(/(\\+|a|b|)){0,2}(/#)?", 1..12),
            name in "(a|b|\\$x|)(/(a|b|)){0,3}",
        ) {
            prop_assume!(!name.is_empty());
            let (mut topics, topic) = (Topics::default(), TopicName::parse(&name).unwrap());
            let sessions: Vec<_> = filters.iter().map(|filter| (session(filter), subscription(filter))).collect();
            sessions.iter().for_each(|(session, new)| topics.add(session, new));
            let mut found: Vec<_> = routes(&topics, &name).to.into_iter().map(|route| route.session.id).collect();
            let mut wanted: Vec<_> =
                sessions.iter().filter(|(_, new)| new.filter.matches(&topic)).map(|(session, _)| session.id).collect();
            found.sort();
            wanted.sort();
            prop_assert_eq!(found, wanted);
        }
    }
}
