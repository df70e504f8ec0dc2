//! Who may do what.
//!
//! Chat is judged by membership: everybody may write to a person, members to their room. Plain topics are judged by
//! the ordered rules of `[acl]`: the first that fits decides, and when none fits the answer is no. The rules that
//! concern one client are picked and completed once, as its [`Rights`]. Plain functions of values; nothing here asks
//! a disk or a clock.

use serde::Deserialize;

use crate::mqtt::{TopicFilter, TopicName};
use crate::principal::Principal;

/// Stands for the name of who acts.
const ACCOUNT: &str = "{account}";
/// Stands for the client id.
const DEVICE: &str = "{device}";

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
    /// A topic filter; `{account}` stands for the name of who acts, `{device}` for its client id.
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
    topic: String,
}

#[derive(Clone, Debug)]
enum Who {
    Any,
    Guest,
    Account(String),
    Group(String),
}

/// What one client may do with plain topics: the rules that concern it, in their order.
#[derive(Debug, Default)]
pub(crate) struct Rights(Vec<Ruled>);

#[derive(Debug)]
struct Ruled {
    topic: TopicFilter,
    publish: bool,
    subscribe: bool,
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

    /// The rights of a principal on one client installation.
    pub(crate) fn rights(&self, who: &Principal, client_id: &str) -> Rights {
        let ruled = |rule: &Rule| {
            let topic = TopicFilter::parse(&complete(&rule.topic, who, client_id)?).ok()?;
            Some(Ruled { topic, publish: rule.publish, subscribe: rule.subscribe })
        };
        let own = self.0.iter().filter(|rule| rule.who.is(who)).filter_map(ruled);
        Rights(published().into_iter().chain(own).collect())
    }

    /// Whether rights depend on the client id, not only on the account.
    pub(crate) fn name_devices(&self) -> bool {
        self.0.iter().any(|rule| rule.topic.contains(DEVICE))
    }
}

impl Rights {
    /// Whether the rules allow it.
    pub(crate) fn allow(&self, right: Right, topic: &TopicName) -> bool {
        self.0.iter().find(|rule| rule.topic.matches(topic)).is_some_and(|rule| match right {
            Right::Publish => rule.publish,
            Right::Subscribe => rule.subscribe,
        })
    }

    /// Whether a filter could yield something, so that a hopeless one is refused at SUBSCRIBE. What a filter wider
    /// than the rights yields is judged for each topic.
    pub(crate) fn may_subscribe(&self, filter: &TopicFilter) -> bool {
        for rule in &self.0 {
            if rule.topic.covers(filter) {
                return rule.subscribe;
            }
            if rule.subscribe && rule.topic.overlaps(filter) {
                return true;
            }
        }
        false
    }
}

/// What the authority publishes is for everybody to read and nobody to write, whatever the rules say.
fn published() -> Option<Ruled> {
    let topic = TopicFilter::parse("$pki/#").ok()?;
    Some(Ruled { topic, publish: false, subscribe: true })
}

/// Puts names into a rule's topic; `None` where a name is no plain level and could widen the rule.
fn complete(topic: &str, who: &Principal, client_id: &str) -> Option<String> {
    let fill = |topic: String, variable: &str, name: &str| {
        if !topic.contains(variable) {
            return Some(topic);
        }
        let plain = !name.is_empty() && !name.contains(['/', '+', '#']) && !name.starts_with('$');
        plain.then(|| topic.replace(variable, name))
    };
    // The client id last: it is the client's own choice, and must not bring in a variable.
    let account = match who {
        Principal::Account(actor) => &*actor.name,
        _ => "",
    };
    if client_id.contains(ACCOUNT) && topic.contains(DEVICE) {
        return None;
    }
    fill(fill(topic.to_owned(), ACCOUNT, account)?, DEVICE, client_id)
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
    let sample = rule.topic.replace(ACCOUNT, "a").replace(DEVICE, "d");
    TopicFilter::parse(&sample).map_err(|_| {
        format!("topic = {:?} is no topic filter (`+` fills a level, `#` the last)", rule.topic)
    })?;
    Ok(Rule { who, publish, subscribe, topic: rule.topic.clone() })
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
        rules.rights(who, "phone").allow(right, &TopicName::parse(topic).unwrap())
    }

    fn subscribes(rules: &Rules, filter: &str) -> bool {
        rules.rights(&person("bob", &[]), "phone").may_subscribe(&TopicFilter::parse(filter).unwrap())
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
    fn a_client_id_stands_for_itself_and_for_nothing_wider() {
        let rules = rules(&[("any", "both", "home/{account}/{device}/#")]);
        let may = |client_id: &str, topic: &str| {
            rules
                .rights(&person("bob", &[]), client_id)
                .allow(Right::Publish, &TopicName::parse(topic).unwrap())
        };
        assert!(may("phone", "home/bob/phone/x"));
        assert!(!may("phone", "home/bob/tablet/x") && !may("phone", "home/eve/phone/x"));
        assert!(
            !may("+", "home/bob/tablet/x") && !may("", "home/bob//x") && !may("{account}", "home/bob/bob/x")
        );
    }

    #[test]
    fn a_filter_is_refused_only_where_it_can_yield_nothing() {
        let rules = rules(&[
            ("any", "none", "open/secret/#"),
            ("any", "subscribe", "open/#"),
            ("any", "publish", "in/+"),
        ]);
        for filter in ["open/#", "open/a", "#", "+/a", "open/+/x", "$share/g/open/a"] {
            assert!(subscribes(&rules, filter), "{filter}");
        }
        for filter in ["open/secret/#", "open/secret", "open/secret/+", "in/1", "in/+", "else", "$SYS/#"] {
            assert!(!subscribes(&rules, filter), "{filter}");
        }
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
