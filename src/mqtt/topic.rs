//! Topics: the names messages are published to, and the filters that select them (MQTT section 4.7).
//!
//! Both are made by parsing, so whoever holds one needs no further check.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::reason::{Breach, Reason};

/// UTF-8 strings carry a two-byte length (MQTT section 1.5.4; 1.5.3 in 3.1.1).
pub(super) const LONGEST_TEXT: usize = u16::MAX as usize;

/// What a shared subscription begins with (MQTT 5.0 section 4.8.2).
pub(super) const SHARE: &str = "$share/";

/// Levels of one name or filter that anybody may ask for. Both are walked level by level, so their depth must be
/// bounded; 200 is what other brokers allow.
pub(crate) const DEEPEST: usize = 200;

/// A topic to publish to: 1 to 65,535 bytes of UTF-8 without NUL and without wildcards.
///
/// Read from the wire it shares the memory of its packet, so a clone is cheap but keeps that packet alive.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TopicName(Bytes);

impl TopicName {
    /// Parses a name from inside the house; the error is the reason to tell whoever asked for it.
    pub(crate) fn parse(name: &str) -> Result<Self, Reason> {
        Self::from_wire(Bytes::copy_from_slice(name.as_bytes())).map_err(|_| Reason::TopicNameInvalid)
    }

    pub(super) fn from_wire(name: Bytes) -> Result<Self, Breach> {
        if name.is_empty() {
            return Err(Breach::protocol("empty topic name"));
        }
        if name.len() > LONGEST_TEXT {
            return Err(Breach::malformed("topic name longer than 65,535 bytes"));
        }
        if std::str::from_utf8(&name).is_err() {
            return Err(Breach::malformed("topic name that is not UTF-8"));
        }
        let mut depth = 1;
        for byte in name.iter() {
            match byte {
                b'/' => depth += 1,
                0 => return Err(Breach::malformed("topic name with a NUL character")),
                b'+' | b'#' => {
                    return Err(Breach::new(Reason::TopicNameInvalid, "topic name with a wildcard"));
                }
                _ => {}
            }
        }
        if depth > DEEPEST {
            return Err(Breach::new(Reason::TopicNameInvalid, "topic name of more than 200 levels"));
        }
        Ok(Self(name))
    }

    /// The same name in memory of its own, for whoever keeps it longer than its packet.
    pub(crate) fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// How many levels it has: 1 without a slash.
    pub(crate) fn levels(&self) -> usize {
        levels(&self.0)
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        // Checked at the door; checking again is what safe code costs.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What a client subscribes with: levels, where `+` stands for one and a final `#` for all that follow.
///
/// `$share/{group}/{filter}` is recognised as a shared subscription (MQTT 5.0 section 4.8.2). Clones are
/// cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TopicFilter {
    text: Arc<str>,
    /// Where the part that selects topics begins: 0 but for a shared subscription.
    path_at: u16,
}

impl TopicFilter {
    /// Parses a filter, from a client or from inside the house.
    pub(crate) fn parse(filter: &str) -> Result<Self, Reason> {
        if filter.len() > LONGEST_TEXT || filter.contains('\0') {
            return Err(Reason::TopicFilterInvalid);
        }
        let path_at = match filter.strip_prefix(SHARE) {
            None => 0,
            Some(shared) => {
                let (group, _) = shared.split_once('/').ok_or(Reason::TopicFilterInvalid)?;
                if group.is_empty() || group.contains(['+', '#']) {
                    return Err(Reason::TopicFilterInvalid);
                }
                SHARE.len() + group.len() + 1
            }
        };
        if !is_well_formed(&filter[path_at..]) {
            return Err(Reason::TopicFilterInvalid);
        }
        let path_at = u16::try_from(path_at).map_err(|_| Reason::TopicFilterInvalid)?;
        Ok(Self { text: filter.into(), path_at })
    }

    /// The filter as the client wrote it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The part that selects topics: the whole filter, or what follows the group of a shared subscription.
    pub(crate) fn path(&self) -> &str {
        self.text.get(usize::from(self.path_at)..).unwrap_or_default()
    }

    /// How many levels the part that selects topics has, wildcards included.
    pub(crate) fn levels(&self) -> usize {
        levels(self.path().as_bytes())
    }

    /// The group of a shared subscription.
    pub(crate) fn group(&self) -> Option<&str> {
        self.text.get(SHARE.len()..usize::from(self.path_at).checked_sub(1)?)
    }

    /// Whether every topic that `other` selects is selected too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        if hides(self.path(), other.path()) {
            return false;
        }
        let mut theirs = other.path().split('/');
        for ours in self.path().split('/') {
            if ours == "#" {
                return true;
            }
            match theirs.next() {
                Some(level) if level != "#" && (ours == "+" || ours == level) => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }

    /// Whether there is a topic that both select.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        if hides(self.path(), other.path()) || hides(other.path(), self.path()) {
            return false;
        }
        let (mut ours, mut theirs) = (self.path().split('/'), other.path().split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some(one), Some(other)) if one == "+" || other == "+" || one == other => {}
                _ => return false,
            }
        }
    }

    /// Whether a message published to `name` is selected (MQTT section 4.7).
    pub(crate) fn matches(&self, name: &TopicName) -> bool {
        let (path, name) = (self.path().as_bytes(), &name.0[..]);
        // Names that begin with `$` are the server's own: a leading wildcard does not reach them (4.7.2).
        if name.first() == Some(&b'$') && matches!(path.first(), Some(b'+' | b'#')) {
            return false;
        }
        let mut levels = name.split(|&byte| byte == b'/');
        for wanted in path.split(|&byte| byte == b'/') {
            if wanted == b"#" {
                return true;
            }
            match levels.next() {
                Some(level) if wanted == b"+" || wanted == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

fn levels(path: &[u8]) -> usize {
    1 + path.iter().filter(|byte| **byte == b'/').count()
}

/// A leading wildcard does not reach names that begin with `$` (MQTT section 4.7.2).
fn hides(wide: &str, narrow: &str) -> bool {
    wide.starts_with(['+', '#']) && narrow.starts_with('$')
}

/// A wildcard fills its level, and `#` only the last one (MQTT section 4.7.1).
fn is_well_formed(path: &str) -> bool {
    let deepest = path.rsplit('/').next().unwrap_or_default();
    let above = &path[..path.len() - deepest.len()];
    !path.is_empty()
        && levels(path.as_bytes()) <= DEEPEST
        && !above.contains('#')
        && (deepest == "#" || !deepest.contains('#'))
        && path.split('/').all(|level| level == "+" || !level.contains('+'))
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(filter: &str, name: &str) -> bool {
        TopicFilter::parse(filter).unwrap().matches(&TopicName::parse(name).unwrap())
    }

    #[test]
    fn a_plus_stands_for_exactly_one_level() {
        assert!(check("sport/+/player1", "sport/tennis/player1"));
        assert!(check("sport/+", "sport/"));
        assert!(check("+/+", "/finance"));
        assert!(!check("+", "/finance"));
        assert!(!check("sport/+", "sport"));
    }

    #[test]
    fn a_hash_stands_for_the_parent_and_everything_below() {
        for name in ["sport", "sport/", "sport/tennis", "sport/tennis/player1"] {
            assert!(check("sport/#", name), "{name}");
        }
        assert!(!check("sport/#", "sports"));
        assert!(check("#", "/"));
    }

    #[test]
    fn a_leading_wildcard_does_not_reach_dollar_topics() {
        assert!(!check("#", "$pki/ca"));
        assert!(!check("+/ca", "$pki/ca"));
        assert!(check("$pki/#", "$pki/ca"));
        assert!(check("$pki/+", "$pki/ca"));
        assert!(check("a/+", "a/$b"));
    }

    #[test]
    fn names_and_filters_have_two_hundred_levels_at_most() {
        let deep = |levels: usize| vec!["a"; levels].join("/");
        assert!(TopicName::parse(&deep(200)).is_ok() && TopicFilter::parse(&deep(200)).is_ok());
        assert!(TopicName::parse(&deep(201)).is_err() && TopicFilter::parse(&deep(201)).is_err());
    }

    #[test]
    fn the_first_character_may_be_any_script() {
        assert!(check("ä/+", "ä/1"));
        assert!(check("#", "日本/東京"));
        assert!(check("+", "🦀"));
        assert!(!check("ä", "a"));
    }

    #[test]
    fn a_misplaced_wildcard_makes_no_filter() {
        for filter in ["", "a#", "#/a", "a/#/b", "a+", "+a/b", "a/b+/c", "##", "++", "a/+#", "nul\0"] {
            assert_eq!(TopicFilter::parse(filter), Err(Reason::TopicFilterInvalid), "{filter:?}");
        }
        for filter in ["/", "//", "+", "#", "/+", "+/#", "a//b", "$SYS/#", " "] {
            assert!(TopicFilter::parse(filter).is_ok(), "{filter:?}");
        }
    }

    #[test]
    fn a_shared_subscription_is_recognised_and_selects_by_its_path() {
        let filter = TopicFilter::parse("$share/ops/sensors/+").unwrap();
        assert_eq!((filter.group(), filter.path()), (Some("ops"), "sensors/+"));
        assert!(filter.matches(&TopicName::parse("sensors/1").unwrap()));
        assert_eq!(TopicFilter::parse("sensors/+").unwrap().group(), None);
        for broken in
            ["$share/", "$share/ops", "$share/ops/", "$share//a", "$share/o+/a", "$share/#/a", "$share/g/a#"]
        {
            assert_eq!(TopicFilter::parse(broken), Err(Reason::TopicFilterInvalid), "{broken}");
        }
    }

    #[test]
    fn a_topic_name_has_text_and_no_wildcard() {
        for name in ["", "a/+", "a#", "nul\0", &"x".repeat(65_536)] {
            assert_eq!(TopicName::parse(name), Err(Reason::TopicNameInvalid));
        }
        assert_eq!(TopicName::parse(&"x".repeat(65_535)).unwrap().as_str().len(), 65_535);
        let surrogate = Bytes::from_static(b"a/\xED\xA0\x80");
        assert_eq!(TopicName::from_wire(surrogate).unwrap_err().reason, Reason::MalformedPacket);
    }

    /// The rules of section 4.7 said again, by recursion over the levels.
    fn model(filter: &[&str], name: &[&str]) -> bool {
        match (filter, name) {
            (["#"], _) => true,
            ([], []) => true,
            ([wanted, filter @ ..], [level, name @ ..]) => {
                (*wanted == "+" || wanted == level) && model(filter, name)
            }
            _ => false,
        }
    }

    proptest! {
        // A bug leaves a test with its story, not a file of seeds.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn matching_agrees_with_the_naive_model(
            filter in "(\\+|#|[aä$]?)(/(\\+|[aä$]?)){0,4}(/#)?",
            name in "[aä$]?(/[aä$]?){0,4}",
        ) {
            if let (Ok(parsed), Ok(topic)) = (TopicFilter::parse(&filter), TopicName::parse(&name)) {
                let levels: Vec<&str> = filter.split('/').collect();
                let below: Vec<&str> = name.split('/').collect();
                let hidden = name.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'));
                prop_assert_eq!(parsed.matches(&topic), !hidden && model(&levels, &below));
            }
        }

        #[test]
        fn parsing_any_text_never_panics(text in "(\\$share)?\\PC{0,12}") {
            if let Ok(filter) = TopicFilter::parse(&text) {
                prop_assert!(filter.as_str().ends_with(filter.path()));
            }
            let _ = TopicName::parse(&text);
        }
    }
}
