//! Transport: the one way by which mail leaves, as the operator chose it.

use crate::envelope::{Envelope, Outcome, Scope};
use crate::maildir::Maildir;
use crate::smtp::Smtp;

/// How mail leaves this machine. A clone takes the same way and shares its connections.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Into a folder of this machine.
    Maildir(Maildir),
    /// Through a relay.
    Smtp(Smtp),
    /// Not at all: every envelope waits until mail is switched on, or expires.
    Off,
}

impl Transport {
    /// Carries one mail to one recipient. `message` is a whole RFC 5322 message, as a notice builds it.
    pub async fn deliver(&self, envelope: &Envelope, message: &[u8]) -> Outcome {
        match self {
            Self::Maildir(maildir) => maildir.deliver(envelope, message).await,
            Self::Smtp(smtp) => smtp.deliver(envelope, message).await,
            Self::Off => Outcome::Deferred {
                code: None,
                why: "mail is switched off".to_owned(),
                scope: Scope::Relay,
                ambiguous: false,
            },
        }
    }

    /// Says goodbye on idle connections; the next delivery opens a new one.
    pub async fn close(&self) {
        if let Self::Smtp(smtp) = self {
            smtp.close().await;
        }
    }
}
