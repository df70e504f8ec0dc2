//! Trouble: what a failed step of the conversation means for the envelope.
//!
//! One function decides, from the step and the relay's reply code alone (RFC 5321 §4.2.1).

use std::error::Error;
use std::fmt;

use lettre::transport::smtp::Error as SmtpError;

use crate::envelope::{Outcome, Scope};

/// How far the conversation had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connect,
    Tls,
    Hello,
    SignIn,
    From,
    To,
    Data,
    /// Some of the mail is still here.
    Body,
    /// The final dot is out.
    Dot,
}

/// A step that did not succeed.
#[derive(Debug)]
pub(super) struct Trouble {
    stage: Stage,
    code: Option<u16>,
    why: String,
    /// The mail itself cannot travel through this relay, ever.
    hopeless: bool,
}

impl Trouble {
    /// The relay said no, or the connection broke.
    pub(super) fn smtp(stage: Stage, error: &SmtpError) -> Self {
        let code = error.status().map(u16::from);
        let why = match (code, error.source()) {
            (Some(code), Some(reply)) => format!("{code} {reply}"),
            (_, Some(source)) => format!("{stage}: {source}"),
            (_, None) => format!("{stage}: {error}"),
        };
        Self { stage, code, why, hopeless: false }
    }

    /// Something broke without a reply from the relay.
    pub(super) fn local(stage: Stage, why: impl fmt::Display) -> Self {
        Self { stage, code: None, why: format!("{stage}: {why}"), hopeless: false }
    }

    /// A reply where another was due.
    pub(super) fn reply(stage: Stage, code: u16, text: &str) -> Self {
        Self { stage, code: Some(code), why: format!("{code} {text}"), hopeless: false }
    }

    /// The relay lacks what this mail needs.
    pub(super) fn hopeless(why: &str) -> Self {
        Self { stage: Stage::From, code: None, why: why.to_owned(), hopeless: true }
    }

    /// After an ordinary refusal the connection can carry the next mail.
    pub(super) fn leaves_the_connection_usable(&self) -> bool {
        self.hopeless || self.code.is_some_and(|code| (400..600).contains(&code) && code != CLOSING)
    }

    /// What becomes of the envelope.
    pub(super) fn outcome(self) -> Outcome {
        let Self { stage, code, why, hopeless } = self;
        match verdict(stage, code) {
            _ if hopeless => Outcome::Bounced { code, why },
            Verdict::Bounce => Outcome::Bounced { code, why },
            Verdict::Wait(scope) => {
                // Without an answer to the final dot nobody knows who has the mail (RFC 5321 §4.5.3.2.6).
                let ambiguous = stage == Stage::Dot && code.is_none();
                Outcome::Deferred { code, why, scope, ambiguous }
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Wait(Scope),
    Bounce,
}

fn verdict(stage: Stage, code: Option<u16>) -> Verdict {
    let about_the_mail = matches!(stage, Stage::From | Stage::To | Stage::Data | Stage::Dot);
    match code {
        // A relay that wants TLS or a sign-in first is set up wrongly; the mail is not at fault.
        Some(CLOSING | AUTHENTICATION_REQUIRED) => Verdict::Wait(Scope::Relay),
        Some(400..=499) if about_the_mail => Verdict::Wait(Scope::Envelope),
        Some(500..=599) if about_the_mail => Verdict::Bounce,
        _ => Verdict::Wait(Scope::Relay),
    }
}

/// RFC 5321 §3.8: the relay says so before it hangs up.
const CLOSING: u16 = 421;
/// RFC 4954 §6, RFC 3207 §4.
const AUTHENTICATION_REQUIRED: u16 = 530;

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting to the relay",
            Self::Tls => "protecting the connection with TLS",
            Self::Hello => "greeting the relay",
            Self::SignIn => "signing in at the relay",
            Self::From => "naming the sender",
            Self::To => "naming the recipient",
            Self::Data => "announcing the mail",
            Self::Body => "handing over the mail",
            Self::Dot => "waiting for the relay to take the mail",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permanent_no_about_the_mail_bounces_and_a_temporary_one_waits() {
        for stage in [Stage::From, Stage::To, Stage::Data, Stage::Dot] {
            assert_eq!(verdict(stage, Some(550)), Verdict::Bounce);
            assert_eq!(verdict(stage, Some(452)), Verdict::Wait(Scope::Envelope));
        }
    }

    #[test]
    fn trouble_with_the_relay_itself_never_bounces_a_mail() {
        for stage in [Stage::Connect, Stage::Tls, Stage::Hello, Stage::SignIn] {
            for code in [None, Some(421), Some(450), Some(535), Some(554)] {
                assert_eq!(verdict(stage, code), Verdict::Wait(Scope::Relay), "{stage:?} {code:?}");
            }
        }
        for code in [None, Some(421), Some(530), Some(250), Some(354)] {
            assert_eq!(verdict(Stage::From, code), Verdict::Wait(Scope::Relay), "{code:?}");
        }
    }

    #[test]
    fn only_silence_after_the_final_dot_is_ambiguous() {
        let ambiguous =
            |trouble: Trouble| matches!(trouble.outcome(), Outcome::Deferred { ambiguous: true, .. });
        assert!(ambiguous(Trouble::local(Stage::Dot, "gone")));
        assert!(!ambiguous(Trouble::local(Stage::Body, "gone")));
        assert!(!ambiguous(Trouble::reply(Stage::Dot, 451, "later")));
        assert!(!ambiguous(Trouble::reply(Stage::Dot, 421, "closing")));
    }
}
