//! Who may do what.
//!
//! Chat is judged by membership: everybody may write to a person, members to their room. Plain topics are judged by
//! the ordered rules of `[acl]`: the first that fits decides, and when none fits the answer is no. Plain functions of
//! values; nothing here asks a disk or a clock.

use serde::Deserialize;

use crate::mqtt::{TopicFilter, TopicName};
use crate::principal::Principal;

/// Stands for the name of who acts.
const ACCOUNT: &str = "{account}";

/// `[acl]` as the file has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) rules: Vec<RuleConfig>,
}

/// One rule as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleConfig {
    /// `any` account, `guest`, `account:NAME` or `group:NAME`.
    pub(crate) who: String,
    /// `publish`, `subscribe`, `both`, or `none` to refuse.
    pub(crate) may: String,
    /// A topic filter; `{account}` stands for the name of who acts.
    pub(crate) topic: String,
}

/// What somebody wants to do with a plain topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Publish,
    Subscribe,
}

/// The rules, checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    who: Who,
    publish: bool,
    subscribe: bool,
    topic: Pattern,
}

/// Most rules name nobody and are parsed once; the others are completed with the name of who acts.
#[derive(Clone, Debug)]
enum Pattern {
    Fixed(TopicFilter),
    WithAccount(String),
}

#[derive(Clone, Debug)]
enum Who {
    Any,
    Guest,
    Account(String),
    Group(String),
}

impl Rules {
    /// Checks the rules; all problems at once, each with the number of its rule.
    pub(crate) fn compile(config: &Config) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut rules = Vec::new();
        for (at, rule) in config.rules.iter().enumerate() {
            match compile(rule) {
                Ok(rule) => rules.push(rule),
                Err(why) => problems.push(format!("acl.rules, rule {}: {why}", at + 1)),
            }
        }
        if problems.is_empty() { Ok(Self(rules)) } else { Err(problems) }
    }

    /// Whether the rules allow it.
    pub(crate) fn allow(&self, who: &Principal, right: Right, topic: &TopicName) -> bool {
        self.0
            .iter()
            .find(|rule| rule.who.is(who) && rule.covers(who, topic))
            .is_some_and(|rule| rule.allows(right))
    }

    /// Whether a filter could ever yield something, so that a hopeless one is refused at SUBSCRIBE: somebody whom no
    /// rule lets read anything may read nothing. What a wider filter yields is judged for each message.
    pub(crate) fn may_read_some(&self, who: &Principal) -> bool {
        self.0.iter().any(|rule| rule.who.is(who) && rule.subscribe)
    }
}

impl Rule {
    fn covers(&self, who: &Principal, topic: &TopicName) -> bool {
        match (&self.topic, who) {
            (Pattern::Fixed(filter), _) => filter.matches(topic),
            // A name cannot widen the rule: it fits only where it is a plain level.
            (Pattern::WithAccount(text), Principal::Account(actor))
                if !actor.name.contains(['/', '+', '#']) =>
            {
                TopicFilter::parse(&text.replace(ACCOUNT, &actor.name))
                    .is_ok_and(|filter| filter.matches(topic))
            }
            (Pattern::WithAccount(_), _) => false,
        }
    }

    fn allows(&self, right: Right) -> bool {
        match right {
            Right::Publish => self.publish,
            Right::Subscribe => self.subscribe,
        }
    }
}

impl Who {
    fn is(&self, who: &Principal) -> bool {
        match (self, who) {
            (Who::Any, Principal::Account(_)) | (Who::Guest, Principal::Guest) => true,
            (Who::Account(name), Principal::Account(actor)) => **name == *actor.name,
            (Who::Group(name), Principal::Account(actor)) => actor.groups.contains(name),
            _ => false,
        }
    }
}

fn compile(rule: &RuleConfig) -> Result<Rule, String> {
    let who = match rule.who.split_once(':') {
        None if rule.who == "any" => Who::Any,
        None if rule.who == "guest" => Who::Guest,
        Some(("account", name)) if !name.is_empty() => Who::Account(name.to_lowercase()),
        Some(("group", name)) if !name.is_empty() => Who::Group(name.to_owned()),
        _ => {
            return Err(format!(
                "who = {:?} is not `any`, `guest`, `account:NAME` or `group:NAME`",
                rule.who
            ));
        }
    };
    let (publish, subscribe) = match rule.may.as_str() {
        "publish" => (true, false),
        "subscribe" => (false, true),
        "both" => (true, true),
        "none" => (false, false),
        other => return Err(format!("may = {other:?} is not `publish`, `subscribe`, `both` or `none`")),
    };
    let sample = TopicFilter::parse(&rule.topic.replace(ACCOUNT, "a")).map_err(|_| {
        format!("topic = {:?} is no topic filter (`+` fills a level, `#` the last)", rule.topic)
    })?;
    let topic = match rule.topic.contains(ACCOUNT) {
        true => Pattern::WithAccount(rule.topic.clone()),
        false => Pattern::Fixed(sample),
    };
    Ok(Rule { who, publish, subscribe, topic })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AccountId;
    use crate::principal::Actor;

    fn person(name: &str, groups: &[&str]) -> Principal {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        Principal::Account(Actor { id: AccountId::GUEST, name: name.into(), groups: groups.into() })
    }

    fn rules(rules: &[(&str, &str, &str)]) -> Rules {
        let rules = rules
            .iter()
            .map(|(who, may, topic)| RuleConfig {
                who: (*who).into(),
                may: (*may).into(),
                topic: (*topic).into(),
            })
            .collect();
        Rules::compile(&Config { rules }).unwrap()
    }

    fn check(rules: &Rules, who: &Principal, right: Right, topic: &str) -> bool {
        rules.allow(who, right, &TopicName::parse(topic).unwrap())
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_none_means_no() {
        let rules = rules(&[("any", "none", "open/secret/#"), ("any", "both", "open/#")]);
        let bob = person("bob", &[]);
        assert!(check(&rules, &bob, Right::Publish, "open/a"));
        assert!(!check(&rules, &bob, Right::Publish, "open/secret/a"));
        assert!(!check(&rules, &bob, Right::Subscribe, "closed"));
    }

    #[test]
    fn guests_and_groups_have_only_their_own_rules() {
        let rules =
            rules(&[("guest", "subscribe", "news/#"), ("group:ops", "publish", "sensors/{account}/#")]);
        assert!(check(&rules, &Principal::Guest, Right::Subscribe, "news/x"));
        assert!(!check(&rules, &person("bob", &[]), Right::Subscribe, "news/x"));
        assert!(check(&rules, &person("bob", &["ops"]), Right::Publish, "sensors/bob/1"));
        assert!(!check(&rules, &person("bob", &["ops"]), Right::Publish, "sensors/eve/1"));
        assert!(!check(&rules, &person("bob", &[]), Right::Publish, "sensors/bob/1"));
    }

    #[test]
    fn a_name_with_wildcards_does_not_widen_a_rule() {
        let rules = rules(&[("any", "both", "home/{account}/#")]);
        assert!(!check(&rules, &person("+", &[]), Right::Subscribe, "home/eve/x"));
    }

    #[test]
    fn wrong_rules_are_named_all_at_once() {
        let bad = |who: &str, may: &str, topic: &str| RuleConfig {
            who: who.into(),
            may: may.into(),
            topic: topic.into(),
        };
        let config = Config {
            rules: vec![bad("all", "both", "a"), bad("any", "write", "a"), bad("any", "both", "a#")],
        };
        assert_eq!(Rules::compile(&config).unwrap_err().len(), 3);
    }
}
