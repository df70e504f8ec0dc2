//! The configuration: gathers each part's own `Config`, checks everything once, refuses unknown keys.
//!
//! Every problem is reported at once, with file, line and column. This is also the only place that reads the
//! environment. What each key means stands beside it in `packaging/chancery.toml`, which is the embedded default.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::api::metrics;
use crate::chat::acl;
use crate::time::Span;
use crate::{broker, directory, door, enrollment, outbox, peer};

/// Where the packages put it.
pub(crate) const DEFAULT_PATH: &str = "/etc/chancery/chancery.toml";
/// The default file, every key with a sentence.
pub(crate) const DEFAULT_TEXT: &str = include_str!("../packaging/chancery.toml");

/// Everything that can be set.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) appliance: Appliance,
    pub(crate) door: door::Config,
    pub(crate) broker: broker::Config,
    pub(crate) directory: directory::Config,
    pub(crate) authority: enrollment::Config,
    pub(crate) signer: enrollment::SignerConfig,
    pub(crate) mail: outbox::Config,
    pub(crate) dns: peer::Config,
    pub(crate) chat: Chat,
    pub(crate) acl: acl::Config,
    pub(crate) metrics: metrics::Config,
    pub(crate) log: Log,
}

/// `[appliance]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Appliance {
    /// The organisation's domain: what stands after the `@` of its people.
    pub(crate) domain: String,
    /// Further host names and addresses by which clients reach the house; they stand in its certificate.
    #[serde(default)]
    pub(crate) names: Vec<String>,
    #[serde(default = "default_state_dir")]
    pub(crate) state_dir: PathBuf,
    #[serde(default = "default_control")]
    pub(crate) control: PathBuf,
}

/// `[chat]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Chat {
    /// How long messages are kept, whether read or not.
    pub(crate) retention: Span,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`; or a filter of tracing.
    pub(crate) level: String,
}

impl Default for Chat {
    fn default() -> Self {
        Self { retention: Span(std::time::Duration::from_secs(90 * 86_400)) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into() }
    }
}

/// Everything that is wrong with a file.
#[derive(Debug)]
pub(crate) struct Problems {
    pub(crate) file: PathBuf,
    /// Each with line and column where it has a place.
    pub(crate) list: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Line and column, from 1.
    pub(crate) at: Option<(usize, usize)>,
    pub(crate) what: String,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some((line, column)) = problem.at {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {}", problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl Config {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> Result<Self, Problems> {
        Self::parse(path, &text(path)?)
    }

    /// The same for the signer: what the other sections name may not be there where it can see.
    pub(crate) fn load_for_signer(path: &Path) -> Result<Self, Problems> {
        Self::parse_and(check_signing, path, &text(path)?)
    }

    /// Checks a text; `path` is for the messages.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Problems> {
        Self::parse_and(check, path, text)
    }

    fn parse_and(check: fn(&Parts, &mut Vec<Problem>), path: &Path, text: &str) -> Result<Self, Problems> {
        let mut list = Vec::new();
        match read(text, check, &mut list) {
            Some(config) if list.is_empty() => Ok(config),
            _ => Err(Problems { file: path.into(), list }),
        }
    }
}

fn text(path: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot be read: {error}. `chancery init` writes one");
        Problems { file: path.into(), list: vec![Problem { at: None, what }] }
    })
}

/// What the types cannot say, of every part that could be read, whatever is wrong with the others.
fn check(parts: &Parts, list: &mut Vec<Problem>) {
    let mut say = |what: String| list.push(Problem { at: None, what });
    let domain = parts.appliance.as_ref().map(|appliance| appliance.domain.as_str());
    if let Some(domain) = domain.filter(|domain| domain.parse::<peer::Domain>().is_err()) {
        say(format!("appliance.domain: {domain:?} is no domain name"));
    }
    if parts.chat.as_ref().is_some_and(|chat| chat.retention < Span(std::time::Duration::from_secs(3600))) {
        say("chat.retention: at least \"1h\"".into());
    }
    let told = [
        parts.door.as_ref().map(door::Config::problems),
        parts.broker.as_ref().map(broker::Config::problems),
        parts.directory.as_ref().map(directory::Config::problems),
        parts.authority.as_ref().map(enrollment::Config::problems),
        parts.signer.as_ref().map(enrollment::SignerConfig::problems),
        parts.mail.as_ref().zip(domain).map(|(mail, domain)| mail.check(domain)),
        parts.dns.as_ref().map(peer::Config::check),
        parts.acl.as_ref().and_then(|rules| acl::Rules::compile(rules).err()),
    ];
    told.into_iter().flatten().flatten().for_each(&mut say);
}

/// The same of what the signer uses.
fn check_signing(parts: &Parts, list: &mut Vec<Problem>) {
    let told = [
        parts.authority.as_ref().map(enrollment::Config::problems),
        parts.signer.as_ref().map(enrollment::SignerConfig::problems),
    ];
    list.extend(told.into_iter().flatten().flatten().map(|what| Problem { at: None, what }));
}

/// The sections of a file, each read for itself.
struct Parts {
    appliance: Option<Appliance>,
    door: Option<door::Config>,
    directory: Option<directory::Config>,
    authority: Option<enrollment::Config>,
    signer: Option<enrollment::SignerConfig>,
    mail: Option<outbox::Config>,
    dns: Option<peer::Config>,
    broker: Option<broker::Config>,
    chat: Option<Chat>,
    acl: Option<acl::Config>,
    metrics: Option<metrics::Config>,
    log: Option<Log>,
}

/// The folder where systemd puts credentials (`LoadCredential=`).
pub(crate) fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// Whether standard error goes to the journal.
pub(crate) fn under_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

/// A filter of tracing given for one run.
pub(crate) fn log_override() -> Option<String> {
    std::env::var("CHANCERY_LOG").ok()
}

/// A folder for things that need not stay.
pub(crate) fn temporary() -> PathBuf {
    std::env::temp_dir()
}

fn default_state_dir() -> PathBuf {
    "/var/lib/chancery".into()
}

fn default_control() -> PathBuf {
    "/run/chancery/control.sock".into()
}

fn read(text: &str, check: fn(&Parts, &mut Vec<Problem>), list: &mut Vec<Problem>) -> Option<Config> {
    let (mut file, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        list.extend(broken.iter().map(|error| Problem {
            at: error.span().map(|span| place(text, &span)),
            what: error.message().into(),
        }));
        return None;
    }
    let file = file.get_mut();
    let mut part = |name: &str| Section { name: name.to_owned(), value: take(file, name) };
    let sections = [
        "appliance",
        "door",
        "broker",
        "directory",
        "authority",
        "signer",
        "mail",
        "dns",
        "chat",
        "acl",
        "metrics",
        "log",
    ]
    .map(&mut part);
    let known = sections.iter().map(|section| section.name.clone()).collect::<Vec<_>>().join(", ");
    for key in file.keys() {
        let what = format!("[{}] is not known; there are {known}", key.get_ref());
        list.push(Problem { at: Some(place(text, &key.span())), what });
    }
    let [appliance, door, broker, directory, authority, signer, mail, dns, chat, acl, metrics, log] =
        sections;
    // Every section is read even if one is wrong, so that all problems are told at once.
    let parts = Parts {
        appliance: appliance.read(text, list),
        door: door.read(text, list),
        directory: directory.read(text, list),
        authority: authority.read(text, list),
        signer: signer.read(text, list),
        mail: mail.read(text, list),
        dns: dns.read(text, list),
        broker: broker.read(text, list),
        chat: chat.read(text, list),
        acl: acl.read(text, list),
        metrics: metrics.read(text, list),
        log: log.read(text, list),
    };
    check(&parts, list);
    Some(Config {
        appliance: parts.appliance?,
        door: parts.door?,
        directory: parts.directory?,
        authority: parts.authority?,
        signer: parts.signer?,
        mail: parts.mail?,
        dns: parts.dns?,
        broker: parts.broker?,
        chat: parts.chat?,
        acl: parts.acl?,
        metrics: parts.metrics?,
        log: parts.log?,
    })
}

/// One table of the file; an absent one is empty.
struct Section<'i> {
    name: String,
    value: Option<Spanned<DeValue<'i>>>,
}

impl Section<'_> {
    /// Reads the section again and again, each time without the entry that was wrong, to find every wrong one.
    fn read<T: DeserializeOwned>(self, text: &str, list: &mut Vec<Problem>) -> Option<T> {
        let empty = || Spanned::new(0..0, DeValue::Table(DeTable::new()));
        let mut value = self.value.unwrap_or_else(empty);
        let mut sound = true;
        loop {
            let error = match T::deserialize(toml::de::ValueDeserializer::from(value.clone())) {
                Ok(read) => return sound.then_some(read),
                Err(error) => error,
            };
            sound = false;
            let span = error.span().filter(|span| !span.is_empty());
            let at = span.as_ref().map(|span| place(text, span));
            list.push(Problem {
                at,
                what: format!("[{}] {}", self.name, error.message().replace('\n', " ")),
            });
            let removed = span.is_some_and(|span| remove(value.get_mut(), &span));
            if !removed {
                return None;
            }
        }
    }
}

fn take<'i>(file: &mut DeTable<'i>, name: &str) -> Option<Spanned<DeValue<'i>>> {
    let key = file.keys().find(|key| key.get_ref().as_ref() as &str == name)?.clone();
    file.remove(&key)
}

/// Takes the innermost entry out whose key or value holds the span. A table that has a header of its own spans only
/// that header, so every table is looked into.
fn remove(value: &mut DeValue<'_>, span: &Range<usize>) -> bool {
    let holds = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    match value {
        DeValue::Table(table) => {
            if table.iter_mut().any(|(_, inner)| remove(inner.get_mut(), span)) {
                return true;
            }
            let wrong = table.iter().find(|(key, value)| holds(key.span()) || holds(value.span()));
            let key = wrong.map(|(key, _)| key.clone());
            key.is_some_and(|key| table.remove(&key).is_some())
        }
        DeValue::Array(array) => {
            if array.iter_mut().any(|inner| remove(inner.get_mut(), span)) {
                return true;
            }
            let mut rest = DeArray::new();
            array.iter().filter(|inner| !holds(inner.span())).for_each(|inner| rest.push(inner.clone()));
            let found = rest.len() < array.len();
            *array = rest;
            found
        }
        _ => false,
    }
}

/// Line and column of a place, from 1; columns count characters.
fn place(text: &str, span: &Range<usize>) -> (usize, usize) {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<Problem> {
        Config::parse(Path::new("chancery.toml"), text).map_or_else(|problems| problems.list, |_| Vec::new())
    }

    #[test]
    fn the_embedded_default_is_sound() {
        assert_eq!(check(DEFAULT_TEXT), []);
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_place() {
        let text = "[appliance]\ndomain = \"corp.example\"\ncolour = 1\nstate_dir = 7\n\n[door.mqtts]\nlisten = [\"nowhere\"]\nlistn = 1\n\n[mial]\nx = 1\n\n[chat]\nretention = \"soon\"\n";
        let problems = check(text);
        let places: Vec<_> = problems.iter().filter_map(|problem| problem.at).map(|(line, _)| line).collect();
        for line in [3, 4, 7, 8, 10, 14] {
            assert!(places.contains(&line), "line {line} is not among {problems:#?}");
        }
    }

    #[test]
    fn what_is_wrong_with_one_section_hides_nothing_of_another() {
        let text =
            "[appliance]\ndomian = 1\n[door.mqtt]\nlisten = [\"0.0.0.0:1883\"]\n[chat]\nretention = \"1s\"\n";
        let problems = check(text);
        for word in ["domian", "allow_plain", "chat.retention"] {
            assert!(problems.iter().any(|problem| problem.what.contains(word)), "{word}: {problems:#?}");
        }
    }

    #[test]
    fn a_file_without_a_domain_says_so() {
        assert!(check("[chat]\n").iter().any(|problem| problem.what.contains("domain")));
    }

    #[test]
    fn an_open_plain_door_needs_a_word() {
        let text = "[appliance]\ndomain = \"corp.example\"\n[door.mqtt]\nlisten = [\"0.0.0.0:1883\"]\n";
        assert!(check(text).iter().any(|problem| problem.what.contains("allow_plain")));
    }
}
