//! Signing in by LDAP: with the password of the directory, or as whoever the certificate names (SASL EXTERNAL).
//!
//! It is the same sign-in as at the other doors, with the same limits, and a refusal is in the audit with the code of
//! LDAP that the client hears. A certificate that was shown and a name that was given must be one person's.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Client;
use crate::directory::served::{Identity, Login, Question, Verdict};
use crate::door::greet::{self, Turned, turned};
use crate::door::limits::Place;
use crate::metrics::METRICS;
use crate::mqtt::Reason;
use crate::principal::Principal;
use crate::time::{self, Timestamp};

/// Who has signed in.
pub(super) struct Guest {
    pub(super) who: Principal,
    /// Among the connections of its account.
    _place: Place,
}

/// How somebody wants to sign in.
struct Attempt {
    /// The account's name, as far as it can be told.
    name: Option<String>,
    how: Question,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Client<S> {
    /// Answers whoever wants to sign in. Until then nobody is there.
    pub(super) async fn sign_in(&mut self, question: Question) {
        let now = time::now();
        self.guest = None;
        let attempt = self.attempt(question);
        let subject = self.subject(&attempt);
        let lacks_certificate =
            matches!(attempt.how, Question::Certificate) && self.visitor.certificate.is_none();
        let (verdict, refused) = match self.admit(attempt, now).await {
            Ok(guest) => {
                let name = name_of(&guest.who);
                self.guest = Some(guest);
                self.patience = Instant::now() + self.people.idle;
                (Verdict::Is(Identity::Person(name)), None)
            }
            Err(turned) if lacks_certificate => (Verdict::NoCertificate, Some(turned)),
            Err(turned) => (verdict(turned.reason), Some(turned)),
        };
        let (result, code) = heard(&verdict);
        self.machine.answer(verdict);
        // The machine also looks at whom a certificate's owner wants to be taken for.
        let other = || turned(Reason::NotAuthorized, "the certificate's owner asked to be somebody else");
        let refused = match self.machine.who() {
            None => Some(refused.unwrap_or_else(other)),
            Some(_) => None,
        };
        let (result, code) = if refused.is_some() && code == 0 { ("wrong", 49) } else { (result, code) };
        METRICS.binds.of(result).add(1);
        if let Some(Turned { why, .. }) = refused {
            greet::note(&self.hall, &self.visitor, subject, code, &why, now).await;
        }
    }

    /// A name may be written as its entry's, bare, or as a mail address.
    fn attempt(&self, how: Question) -> Attempt {
        let directory = &self.hall.directory;
        let name = match &how {
            Question::Certificate => None,
            Question::Password { login: Login::Other(address), .. } if address.contains('@') => {
                let owner = directory.find(address).or_else(|| directory.find_by_mail(address));
                Some(owner.map_or_else(|| address.clone(), |account| account.name.clone()))
            }
            Question::Password { login: Login::Person(name) | Login::Other(name), .. } => Some(name.clone()),
        };
        Attempt { name, how }
    }

    /// Whom the audit names: an account or a certificate. A name that nobody has may be a password typed into the wrong
    /// field.
    fn subject(&self, attempt: &Attempt) -> String {
        let account = attempt.name.as_deref().and_then(|name| self.hall.directory.find(name));
        let certificate = || Some(self.visitor.certificate.as_ref()?.serial.clone());
        let known = account.map(|account| account.name.clone());
        known.or_else(certificate).unwrap_or_else(|| "unknown".into())
    }

    async fn admit(&mut self, attempt: Attempt, now: Timestamp) -> Result<Guest, Turned> {
        let (hall, visitor) = (&*self.hall, &self.visitor);
        hall.gate.may_connect(visitor.address, time::monotonic()).map_err(greet::crowded)?;
        let shown = match &visitor.certificate {
            Some(shown) => Some(greet::by_certificate(hall, shown, now).await?),
            None => None,
        };
        if let Some(owner) = &shown {
            greet::agree(owner, attempt.name.as_deref())?;
        }
        let who = match (attempt.how, attempt.name, shown) {
            (Question::Password { password, .. }, Some(name), _) => {
                greet::sign_in(hall, visitor, &name, password).await?
            }
            (_, _, Some(owner)) => owner,
            _ => return Err(turned(Reason::NotAuthorized, "there was no certificate")),
        };
        let Some(account) = who.account() else {
            return Err(turned(Reason::NotAuthorized, "not a person"));
        };
        let place = hall.gate.enter(account, false, time::monotonic()).map_err(greet::crowded)?;
        Ok(Guest { who, _place: place })
    }
}

fn name_of(who: &Principal) -> String {
    match who {
        Principal::Account(actor) => actor.name.to_string(),
        who => who.to_string(),
    }
}

/// What a client hears of a reason.
fn verdict(reason: Reason) -> Verdict {
    match reason {
        Reason::QuotaExceeded | Reason::ConnectionRateExceeded => Verdict::Busy,
        Reason::ServerUnavailable => Verdict::Unavailable,
        _ => Verdict::Wrong,
    }
}

/// How it is counted, and its result code (RFC 4511 appendix A).
fn heard(verdict: &Verdict) -> (&'static str, u8) {
    match verdict {
        Verdict::Is(_) => ("success", 0),
        Verdict::Wrong => ("wrong", 49),
        Verdict::NoCertificate => ("wrong", 48),
        Verdict::Busy => ("busy", 51),
        Verdict::Unavailable => ("unavailable", 52),
    }
}
