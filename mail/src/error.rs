//! What can be wrong before a mail sets out. Once it travels, there are only outcomes.

use thiserror::Error;

/// Why a value was refused, or why something could not be made ready.
#[derive(Debug, Error)]
pub enum MailError {
    /// Not an address that mail can be sent to.
    #[error("{text:?} is not a mail address: {why}")]
    Mailbox {
        /// What was given, shortened.
        text: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// Not a relay that can be connected to.
    #[error(
        "{text:?} is not a mail relay: {why}; write smtp://host:25, smtps://host:465 or smtp+starttls://host:587"
    )]
    Relay {
        /// What was given, shortened, without anything before an `@`.
        text: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// Not an identifier that may stand in a header or an envelope.
    #[error("{text:?} is not {kind}: {why}")]
    Identifier {
        /// Which identifier was wanted.
        kind: &'static str,
        /// What was given, shortened.
        text: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// The name for HELO is not a host name (RFC 5321 §4.1.1.1).
    #[error("{0:?} is not a host name or address for HELO")]
    Helo(String),
    /// A password would cross a network unprotected.
    #[error("credentials for {0} would cross the network in the clear: use TLS, or send without credentials")]
    PlainCredentials(String),
    /// The given authority certificates cannot be read.
    #[error("the relay's CA certificates are not PEM certificates: {0}")]
    Ca(String),
    /// This machine has no bundle of trusted authorities, and none was given.
    #[error("no trusted CA certificates on this machine: install ca-certificates, or name the relay's CA")]
    NoRoots,
    /// The TLS library refused its settings.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// The beginning of a refused text, so that an error stays one readable line.
pub(crate) fn shortened(text: &str) -> String {
    const KEPT: usize = 80;
    match text.char_indices().nth(KEPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
