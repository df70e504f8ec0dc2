//! Envelope and outcome: one recipient's trip, and how it ended.

use crate::error::{MailError, shortened};
use crate::mailbox::Mailbox;

/// Who sends, who receives, and the name of this trip. An envelope has exactly one recipient, always: SMTP answers for
/// each recipient apart, and one refused address must not keep the mail from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    from: Mailbox,
    to: Mailbox,
    envid: String,
}

/// How a trip ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next server, or the maildir, has taken the mail and answers for it from now on.
    Delivered {
        /// What the other side said, such as `250 2.0.0 Ok: queued as 4XYZ`.
        detail: String,
    },
    /// Not now; try again.
    Deferred {
        /// The SMTP reply code, when there was a reply.
        code: Option<u16>,
        /// The reason, for a person.
        why: String,
        /// Whether this trip has to wait, or every trip that takes the same way.
        scope: Scope,
        /// The mail was handed over but no answer came: it may have been taken. A resend must carry the same Message-ID.
        ambiguous: bool,
    },
    /// Never; trying again would not help.
    Bounced {
        /// The SMTP reply code, when there was a reply.
        code: Option<u16>,
        /// The reason, for a person.
        why: String,
    },
}

/// What a deferral holds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This envelope only.
    Envelope,
    /// Everything that goes through this relay or into this folder.
    Relay,
}

impl Envelope {
    /// An envelope; `envid` comes back in a delivery report as `Original-Envelope-Id` (RFC 3461 §4.4).
    ///
    /// # Errors
    /// [`MailError::Identifier`] when `envid` is not 1–60 printable ASCII characters without a space.
    pub fn new(from: Mailbox, to: Mailbox, envid: &str) -> Result<Self, MailError> {
        let refuse = |why| MailError::Identifier { kind: "an envelope id", text: shortened(envid), why };
        if !(1..=MAX_ENVID).contains(&envid.len()) {
            return Err(refuse("it has no characters, or more than 60"));
        }
        if !envid.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refuse("it has characters other than printable ASCII"));
        }
        Ok(Self { from, to, envid: envid.to_owned() })
    }

    /// Where reports about this trip go.
    pub fn from(&self) -> &Mailbox {
        &self.from
    }

    /// The one recipient.
    pub fn to(&self) -> &Mailbox {
        &self.to
    }

    /// The name of this trip.
    pub fn envid(&self) -> &str {
        &self.envid
    }
}

/// RFC 3461 §4.4 allows 100 characters after xtext encoding, which may triple some of them.
const MAX_ENVID: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_id_cannot_carry_a_second_command() {
        let mailbox = Mailbox::parse("alice@corp.example").expect("valid");
        let made = |envid: &str| Envelope::new(mailbox.clone(), mailbox.clone(), envid);
        assert_eq!(made("01JD+x=1").expect("valid").envid(), "01JD+x=1");
        for envid in ["", "a b", "a\r\nRSET", "ä", "a\u{7f}", &"x".repeat(61)] {
            assert!(made(envid).is_err(), "{envid:?}");
        }
    }
}
