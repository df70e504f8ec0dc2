//! SMTP: handing mail to a relay, one recipient at a time.
//!
//! Connections are kept and used again, a bounded number at once. Every answer of the relay becomes an outcome; where
//! TLS is due and fails, the mail waits, and nothing of it is said in the clear.

mod connect;
mod dialogue;
mod tls;
mod trouble;
mod wire;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::envelope::{Envelope, Outcome};
use crate::error::MailError;
use crate::mailbox::is_label;
use crate::relay::{RelayUrl, Security, TlsPolicy};
use dialogue::Conversation;
use tls::Tls;
use trouble::{Stage, Trouble};

/// What the operator decides about the relay. [`SmtpSettings::new`] fills in what can be left alone.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Where mail goes.
    pub relay: RelayUrl,
    /// Whether `smtp://` may go without TLS.
    pub tls: TlsPolicy,
    /// PEM certificates of the only authorities to trust for the relay; `None` trusts those of this machine.
    pub ca_pem: Option<Vec<u8>>,
    /// How to sign in at the relay, where that is wanted.
    pub credentials: Option<Credentials>,
    /// How this machine calls itself: its full name, or an address in brackets.
    pub helo_name: String,
    /// How long the relay may take for each step; a minute by default.
    pub timeout: Duration,
    /// How long the relay may take to read and accept a mail; ten minutes by default, so that a slow relay does not
    /// receive the same mail twice (RFC 5321 §4.5.3.2.6).
    pub final_timeout: Duration,
    /// How many connections at once; four by default.
    pub connections: usize,
}

/// A name and a password for SMTP AUTH (RFC 4954). The password is wiped from memory with the value.
#[derive(Clone)]
pub struct Credentials {
    username: String,
    password: Zeroizing<String>,
}

/// The way to one relay. A clone shares its connections.
#[derive(Clone)]
pub struct Smtp(Arc<Shared>);

struct Shared {
    plan: Plan,
    turns: Semaphore,
    idle: Mutex<Vec<Conversation>>,
}

/// The settings, checked.
struct Plan {
    settings: SmtpSettings,
    security: Security,
    tls: Option<Tls>,
}

impl SmtpSettings {
    /// Mail through `relay`, introducing ourselves as `helo_name`; everything else as it usually is.
    pub fn new(relay: RelayUrl, helo_name: &str) -> Self {
        Self {
            relay,
            tls: TlsPolicy::Auto,
            ca_pem: None,
            credentials: None,
            helo_name: helo_name.to_owned(),
            timeout: Duration::from_secs(60),
            final_timeout: Duration::from_secs(600),
            connections: 4,
        }
    }
}

impl Credentials {
    /// A name and its password.
    pub fn new(username: &str, password: Zeroizing<String>) -> Self {
        Self { username: username.to_owned(), password }
    }
}

impl Smtp {
    /// Checks the settings; connects to nobody yet.
    ///
    /// # Errors
    /// A HELO name that is none, unreadable CA certificates, no trusted CA at all, or a password without TLS.
    pub fn new(settings: SmtpSettings) -> Result<Self, MailError> {
        let security = settings.relay.security(settings.tls);
        if !is_helo_name(&settings.helo_name) {
            return Err(MailError::Helo(settings.helo_name));
        }
        if settings.credentials.is_some() && security == Security::Plain {
            return Err(MailError::PlainCredentials(settings.relay.to_string()));
        }
        let tls = match security {
            Security::Implicit | Security::StartTls => {
                Some(Tls::new(&settings.relay.host(), settings.ca_pem.as_deref())?)
            }
            Security::PlainOnLoopback | Security::Plain => None,
        };
        let turns = Semaphore::new(settings.connections.clamp(1, 256));
        let plan = Plan { settings, security, tls };
        Ok(Self(Arc::new(Shared { plan, turns, idle: Mutex::default() })))
    }

    /// Carries one mail to one recipient.
    pub async fn deliver(&self, envelope: &Envelope, message: &[u8]) -> Outcome {
        // The semaphore is never closed, so the error does not happen; it would only mean "later".
        let Ok(_turn) = self.0.turns.acquire().await else {
            return Trouble::local(Stage::Connect, "mail is shutting down").outcome();
        };
        let mut conversation = match self.idle_or_new().await {
            Ok(conversation) => conversation,
            Err(trouble) => return trouble.outcome(),
        };
        match conversation.carry(envelope, message, &self.0.plan.settings).await {
            Ok(detail) => {
                self.keep(conversation);
                Outcome::Delivered { detail }
            }
            Err(trouble) => {
                if trouble.leaves_the_connection_usable() {
                    self.keep(conversation);
                }
                trouble.outcome()
            }
        }
    }

    /// Says goodbye on idle connections; the next delivery opens a new one.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut *self.0.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for conversation in idle {
            conversation.quit(self.0.plan.settings.timeout).await;
        }
    }

    /// A kept connection that still answers, or a new one. A relay closes idle connections as it likes, so a stale one
    /// is no trouble.
    async fn idle_or_new(&self) -> Result<Conversation, Trouble> {
        while let Some(mut conversation) = self.take_idle() {
            if conversation.start_afresh(self.0.plan.settings.timeout).await {
                return Ok(conversation);
            }
        }
        connect::open(&self.0.plan).await
    }

    fn take_idle(&self) -> Option<Conversation> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, conversation: Conversation) {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conversation);
    }
}

/// RFC 5321 §4.1.1.1: a domain name, or an address literal in brackets.
fn is_helo_name(name: &str) -> bool {
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => literal.strip_prefix("IPv6:").unwrap_or(literal).parse::<IpAddr>().is_ok(),
        None => name.is_ascii() && name.len() <= 253 && name.split('.').all(is_label),
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("relay", &self.0.plan.settings.relay.to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(relay: &str) -> SmtpSettings {
        SmtpSettings::new(RelayUrl::parse(relay).expect("valid"), "chancery.corp.example")
    }

    #[test]
    fn settings_that_cannot_work_are_refused_before_the_first_mail() {
        let helo = SmtpSettings { helo_name: "a\r\nMAIL".to_owned(), ..settings("smtp://localhost") };
        assert!(matches!(Smtp::new(helo), Err(MailError::Helo(_))));
        let ca =
            SmtpSettings { ca_pem: Some(b"no certificate".to_vec()), ..settings("smtps://mx.corp.example") };
        assert!(matches!(Smtp::new(ca), Err(MailError::Ca(_))));
        assert!(
            Smtp::new(SmtpSettings { helo_name: "[IPv6:::1]".to_owned(), ..settings("smtp://localhost") })
                .is_ok()
        );
    }

    #[test]
    fn a_password_never_crosses_a_network_in_the_clear_nor_a_log() {
        let credentials = Some(Credentials::new("chancery", Zeroizing::new("hunter2".to_owned())));
        let plain = SmtpSettings {
            tls: TlsPolicy::None,
            credentials: credentials.clone(),
            ..settings("smtp://mx.corp.example")
        };
        assert!(!format!("{plain:?}").contains("hunter2"));
        assert!(matches!(Smtp::new(plain), Err(MailError::PlainCredentials(_))));
        assert!(Smtp::new(SmtpSettings { credentials, ..settings("smtp://127.0.0.1") }).is_ok());
    }
}
