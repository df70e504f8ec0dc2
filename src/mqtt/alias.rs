//! Topic aliases: numbers that stand for topics while a connection lasts (MQTT 5.0 section 3.3.2.3.4).
//!
//! Each direction has a table of its own. Both grow with what is set up and are gone with the connection
//! (\[MQTT-3.3.2-7\]).

use bytes::Bytes;

use super::reason::{Breach, Reason};
use super::topic::TopicName;

/// The aliases that the client has set up, ordered by number.
#[derive(Default)]
pub(super) struct Theirs(Vec<(u16, TopicName)>);

impl Theirs {
    /// The topic that a PUBLISH means; it may set up one of `most` aliases.
    pub(super) fn resolve(
        &mut self,
        name: Bytes,
        alias: Option<u16>,
        most: u16,
    ) -> Result<TopicName, Breach> {
        let Some(alias) = alias else { return TopicName::from_wire(name) };
        if alias == 0 || alias > most {
            return Err(Breach::new(Reason::TopicAliasInvalid, "topic alias 0 or above the maximum"));
        }
        let place = self.0.binary_search_by_key(&alias, |(alias, _)| *alias);
        let known = place.ok().and_then(|at| self.0.get_mut(at));
        if name.is_empty() {
            return known
                .map(|(_, name)| name.clone())
                .ok_or(Breach::protocol("topic alias that was not set up"));
        }
        let name = TopicName::from_wire(name)?;
        match (place, known) {
            (_, Some(known)) if known.1 == name => {}
            (_, Some(known)) => known.1 = name.detached(),
            (Err(at), None) => self.0.insert(at, (alias, name.detached())),
            (Ok(_), None) => {}
        }
        Ok(name)
    }
}

/// How to name the topic of one delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Naming {
    /// By its name alone.
    #[default]
    Name,
    /// By its name, and from now on by this number.
    Introduced(u16),
    /// By this number alone.
    Alias(u16),
}

/// The aliases that we have set up, ordered by topic. First come, first served: they are never given to others.
#[derive(Default)]
pub(super) struct Ours(Vec<(Box<str>, u16)>);

impl Ours {
    /// How to name `topic` to a client that lets us have `most` aliases.
    pub(super) fn name(&self, topic: &str, most: u16) -> Naming {
        if most == 0 {
            return Naming::Name;
        }
        match self.0.binary_search_by(|(known, _)| (**known).cmp(topic)) {
            Ok(at) => self.0.get(at).map_or(Naming::Name, |(_, alias)| Naming::Alias(*alias)),
            Err(_) if self.0.len() < usize::from(most) => Naming::Introduced(self.0.len() as u16 + 1),
            Err(_) => Naming::Name,
        }
    }

    /// Remembers that a topic was introduced.
    pub(super) fn introduced(&mut self, topic: &str, alias: u16) {
        if let Err(at) = self.0.binary_search_by(|(known, _)| (**known).cmp(topic)) {
            self.0.insert(at, (topic.into(), alias));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(table: &mut Theirs, name: &'static str, alias: u16) -> Result<String, Reason> {
        let name = Bytes::from_static(name.as_bytes());
        table.resolve(name, Some(alias), 3).map(|name| name.to_string()).map_err(|breach| breach.reason)
    }

    #[test]
    fn an_alias_stands_for_the_topic_it_was_last_given_with() {
        let mut table = Theirs::default();
        assert_eq!(resolve(&mut table, "", 2), Err(Reason::ProtocolError), "it was not set up");
        for name in ["a/b", "c"] {
            assert_eq!(resolve(&mut table, name, 2), Ok(name.into()));
            assert_eq!(resolve(&mut table, "", 2), Ok(name.into()));
        }
        assert_eq!(resolve(&mut table, "x", 1), Ok("x".into()));
        assert_eq!(resolve(&mut table, "", 2), Ok("c".into()));
        assert_eq!(resolve(&mut table, "a/+", 2), Err(Reason::TopicNameInvalid));
        assert_eq!(table.0.len(), 2);
    }

    #[test]
    fn an_alias_is_neither_zero_nor_above_the_maximum() {
        let mut table = Theirs::default();
        assert_eq!(resolve(&mut table, "a", 0), Err(Reason::TopicAliasInvalid));
        assert_eq!(resolve(&mut table, "a", 4), Err(Reason::TopicAliasInvalid));
        assert_eq!(resolve(&mut table, "a", 3), Ok("a".into()));
        let none = Theirs::default().resolve(Bytes::new(), None, 3);
        assert_eq!(none.unwrap_err().reason, Reason::ProtocolError, "no name and no alias");
    }

    #[test]
    fn we_introduce_topics_until_the_client_s_table_is_full() {
        let mut table = Ours::default();
        assert_eq!(table.name("b", 0), Naming::Name);
        for (topic, alias) in [("b", 1), ("a", 2)] {
            assert_eq!(table.name(topic, 2), Naming::Introduced(alias));
            table.introduced(topic, alias);
            assert_eq!(table.name(topic, 2), Naming::Alias(alias));
        }
        assert_eq!(table.name("c", 2), Naming::Name);
        assert_eq!(table.name("b", 2), Naming::Alias(1));
    }
}
