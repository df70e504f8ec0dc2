//! `[mail]` as the file has it, checked once, all problems together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chancery_mail::{
    Credentials, MailError, Mailbox, Maildir, MessageId, RelayUrl, RetryTable, Smtp, SmtpSettings, TlsPolicy,
    Transport,
};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::secret::SecretSource;
use crate::store::Account;
use crate::time::Span;

/// `[mail]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// `smtp`, `maildir` or `off`.
    pub(crate) transport: String,
    /// How long a message may wait unacknowledged before mail is sent, and the least time between two mails.
    pub(crate) grace: Span,
    /// How long after the envelope was made the last attempt falls.
    pub(crate) give_up: Span,
    /// Who the mail comes from; `chancery@` the house's domain unless said otherwise.
    pub(crate) from: Option<String>,
    /// For `smtp`: `smtp://host:25`, `smtps://host:465` or `smtp+starttls://host:587`.
    pub(crate) relay: Option<String>,
    /// For `smtp://`: `auto` (STARTTLS but for loopback), `required` or `none`.
    pub(crate) tls: String,
    /// PEM certificates of the only authorities to trust for the relay.
    pub(crate) ca_file: Option<PathBuf>,
    /// How the house calls itself at the relay; its domain unless said otherwise.
    pub(crate) helo: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<SecretSource>,
    /// For `maildir`: the folder below which each account has its own.
    pub(crate) directory: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transport: "off".into(),
            grace: Span(Duration::from_secs(15 * 60)),
            give_up: Span(Duration::from_secs(5 * 24 * 3600)),
            from: None,
            relay: None,
            tls: "auto".into(),
            ca_file: None,
            helo: None,
            username: None,
            password: None,
            directory: None,
        }
    }
}

/// `[mail]`, checked and ready.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) transport: Transport,
    pub(super) from: Mailbox,
    pub(super) grace: Duration,
    pub(super) retries: RetryTable,
    pub(super) domain: Arc<str>,
}

/// Whether the relay's password is read, or only asked for by `check-config`, which may run as anybody.
enum Password<'a> {
    Unread,
    Read { credentials: Option<&'a Path> },
}

impl Config {
    /// What is wrong with the settings, each problem with its key; no secret is read.
    pub(crate) fn check(&self, domain: &str) -> Vec<String> {
        self.ready(domain, &Password::Unread).err().unwrap_or_default()
    }

    /// Reads what the settings name and makes the transport ready; nobody is connected to yet. `credentials` is the
    /// folder in which systemd puts the service's credentials.
    pub(super) fn compile(&self, domain: &str, credentials: Option<&Path>) -> Result<Settings, Vec<String>> {
        self.ready(domain, &Password::Read { credentials })
    }

    fn ready(&self, domain: &str, password: &Password<'_>) -> Result<Settings, Vec<String>> {
        let mut problems = self.times();
        let from = self.from.clone().unwrap_or_else(|| format!("chancery@{domain}"));
        let from = keep(&mut problems, "from", Mailbox::parse(&from));
        // The Message-ID of every notice ends in the domain.
        keep(&mut problems, "from", MessageId::parse(&format!("id@{domain}")));
        let transport = match self.transport.as_str() {
            "off" => Some(Transport::Off),
            "maildir" => self.maildir(&mut problems),
            "smtp" => self.smtp(domain, password, &mut problems),
            other => {
                problems.push(format!("mail.transport: {other:?} is not \"smtp\", \"maildir\" or \"off\""));
                None
            }
        };
        match (transport, from) {
            (Some(transport), Some(from)) if problems.is_empty() => Ok(Settings {
                transport,
                from,
                grace: self.grace.0,
                retries: RetryTable::default().expiring_after(self.give_up.0),
                domain: domain.into(),
            }),
            _ => Err(problems),
        }
    }

    fn times(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.grace.0 < Duration::from_secs(1) {
            problems.push("mail.grace: shorter than 1s, so that mail would overtake the devices".into());
        }
        if self.give_up.0 < self.grace.0 {
            problems
                .push("mail.give_up: shorter than mail.grace, so that mail would be given up untried".into());
        }
        problems
    }

    fn maildir(&self, problems: &mut Vec<String>) -> Option<Transport> {
        match &self.directory {
            Some(root) => Some(Transport::Maildir(Maildir::new(root.clone()))),
            None => {
                problems.push("mail.directory: missing; the maildir transport needs a folder".into());
                None
            }
        }
    }

    fn smtp(&self, domain: &str, password: &Password<'_>, problems: &mut Vec<String>) -> Option<Transport> {
        let relay = match &self.relay {
            Some(relay) => keep(problems, "relay", RelayUrl::parse(relay)),
            None => {
                problems.push(
                    "mail.relay: missing; the smtp transport needs one, as smtp://mx.corp.example:25".into(),
                );
                None
            }
        };
        let tls = match self.tls.as_str() {
            "auto" => TlsPolicy::Auto,
            "required" => TlsPolicy::Required,
            "none" => TlsPolicy::None,
            other => {
                problems.push(format!("mail.tls: {other:?} is not \"auto\", \"required\" or \"none\""));
                TlsPolicy::Required
            }
        };
        let ca_pem = self.ca_file.as_ref().and_then(|path| {
            let read = std::fs::read(path).map_err(|why| format!("{} cannot be read: {why}", path.display()));
            keep(problems, "ca_file", read)
        });
        let credentials = self.credentials(password, problems);
        let helo = self.helo.as_deref().unwrap_or(domain);
        let settings = SmtpSettings { tls, ca_pem, credentials, ..SmtpSettings::new(relay?, helo) };
        match Smtp::new(settings) {
            Ok(smtp) => Some(Transport::Smtp(smtp)),
            Err(error) => {
                problems.push(format!("mail.{}: {error}", key_of(&error)));
                None
            }
        }
    }

    fn credentials(&self, password: &Password<'_>, problems: &mut Vec<String>) -> Option<Credentials> {
        match (&self.username, &self.password) {
            (None, None) => None,
            (Some(username), Some(source)) => {
                let secret = match password {
                    Password::Unread => Some(Zeroizing::new("unread".to_owned())),
                    Password::Read { credentials } => keep(problems, "password", source.read(*credentials)),
                };
                Some(Credentials::new(username, secret?))
            }
            (Some(_), None) => {
                problems.push("mail.password: missing, while mail.username is given".into());
                None
            }
            (None, Some(_)) => {
                problems.push("mail.username: missing, while mail.password is given".into());
                None
            }
        }
    }
}

impl Settings {
    /// Where notices for an account go; `None` when it cannot be told. A maildir is named after the account itself.
    pub(super) fn address(&self, account: &Account) -> Option<String> {
        match &self.transport {
            Transport::Maildir(_) => Some(format!("{}@{}", account.name, self.domain)),
            Transport::Smtp(_) | Transport::Off => {
                account.mail.as_deref().map(str::trim).filter(|mail| !mail.is_empty()).map(str::to_owned)
            }
        }
    }
}

/// The value, or one more problem under the key.
fn keep<T, E: std::fmt::Display>(problems: &mut Vec<String>, key: &str, value: Result<T, E>) -> Option<T> {
    value.map_err(|why| problems.push(format!("mail.{key}: {why}"))).ok()
}

fn key_of(error: &MailError) -> &'static str {
    match error {
        MailError::Helo(_) => "helo",
        MailError::Ca(_) | MailError::NoRoots => "ca_file",
        MailError::PlainCredentials(_) => "password",
        _ => "relay",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(json: serde_json::Value) -> Vec<String> {
        serde_json::from_value::<Config>(json).unwrap().check("corp.example")
    }

    #[test]
    fn mail_is_off_unless_it_is_wanted_and_then_nothing_needs_to_be_said() {
        assert!(matches!(Config::default().compile("corp.example", None).unwrap().transport, Transport::Off));
        let demo = serde_json::json!({ "transport": "maildir", "directory": "mail", "grace": "20s" });
        assert_eq!(problems(demo), [""; 0]);
        let relayed = serde_json::json!({ "transport": "smtp", "relay": "smtp://localhost:2525" });
        assert_eq!(problems(relayed), [""; 0]);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_each_with_its_key() {
        let wrong = problems(serde_json::json!({
            "transport": "smtp", "relay": "mx.corp.example", "from": "nobody", "grace": "0s", "tls": "maybe",
            "ca_file": "/nonexistent/ca.pem", "username": "chancery",
        }));
        let keys: Vec<&str> =
            wrong.iter().filter_map(|problem| problem.split_once(':')).map(|(key, _)| key).collect();
        let all = ["mail.grace", "mail.from", "mail.relay", "mail.tls", "mail.ca_file", "mail.password"];
        assert_eq!(keys, all, "{wrong:#?}");
    }

    #[test]
    fn a_password_is_read_at_start_and_never_by_a_check() {
        let config: Config = serde_json::from_value(serde_json::json!({
            "transport": "smtp", "relay": "smtp://localhost", "username": "chancery",
            "password": { "file": "/nonexistent/relay.password" },
        }))
        .unwrap();
        assert_eq!(config.check("corp.example"), [""; 0]);
        let wrong = config.compile("corp.example", None).unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].starts_with("mail.password: "), "{wrong:?}");
    }

    #[test]
    fn a_maildir_needs_a_folder_and_an_unknown_transport_is_named() {
        assert!(problems(serde_json::json!({ "transport": "maildir" }))[0].starts_with("mail.directory"));
        assert!(problems(serde_json::json!({ "transport": "pigeon" }))[0].contains("pigeon"));
        assert!(serde_json::from_value::<Config>(serde_json::json!({ "relays": "x" })).is_err());
    }
}
