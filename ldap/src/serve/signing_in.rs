//! Signing in: what a bind asks the employer, and what follows from the answer (RFC 4513 §5).

use zeroize::Zeroizing;

use super::answer::{Code, Outcome};
use super::directory::Directory;
use super::message::Authentication;
use super::name::Name;
use super::question::{Identity, Login, Question, Verdict};
use super::tree::{Place, Tree};
use crate::folding;

/// A bind of which the outcome depends on the employer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: u32,
    /// Whom the client wants to be taken for.
    wanted: Option<String>,
    directory: Directory,
}

/// What is to be asked, or how the bind ends at once: for nobody, with success.
pub(super) fn begin(
    directory: &Directory,
    id: u32,
    name: &str,
    how: Authentication,
) -> Result<(Pending, Question), Outcome> {
    let pending = |wanted| Pending { id, wanted, directory: directory.clone() };
    match how {
        Authentication::Password(password) => {
            let question = password_question(directory.tree(), name, password)?;
            Ok((pending(None), question))
        }
        Authentication::Sasl { mechanism, credentials } if mechanism == "EXTERNAL" => {
            let wanted = String::from_utf8(credentials.map(|text| text.to_vec()).unwrap_or_default())
                .map_err(|_| Outcome::new(Code::InvalidCredentials, "this is nobody's identity"))?;
            Ok((pending(Some(wanted).filter(|wanted| !wanted.is_empty())), Question::Certificate))
        }
        Authentication::Sasl { .. } | Authentication::Unknown => {
            Err(Outcome::new(Code::AuthMethodNotSupported, "sign in with a password or a certificate"))
        }
    }
}

fn password_question(tree: &Tree, name: &str, password: Zeroizing<Vec<u8>>) -> Result<Question, Outcome> {
    if password.is_empty() {
        // A server that takes this for success lets in whoever leaves the password out (RFC 4513 §5.1.2).
        return Err(match name.is_empty() {
            true => Outcome::new(Code::Success, ""),
            false => Outcome::new(Code::UnwillingToPerform, "a name without a password proves nothing"),
        });
    }
    let wrong = || Outcome::new(Code::InvalidCredentials, "");
    if name.is_empty() {
        return Err(wrong());
    }
    let text = std::str::from_utf8(&password).map_err(|_| wrong())?;
    let password = Zeroizing::new(text.to_owned());
    let parsed = Name::parse(name);
    let login = match parsed.as_ref().map(|name| tree.place(name)) {
        Some(Place::Person(uid)) => Login::Person(uid.to_owned()),
        _ => Login::Other(name.to_owned()),
    };
    Ok(Question::Password { login, password })
}

impl Pending {
    /// Who has signed in, and what is answered.
    pub(super) fn settle(&self, verdict: Verdict) -> (Option<Identity>, Outcome) {
        let no = |code, text| (None, Outcome::new(code, text));
        match verdict {
            Verdict::Is(who) => {
                let taken = self.wanted.as_ref().is_none_or(|wanted| who.is(wanted, self.directory.tree()));
                match taken {
                    true => (Some(who), Outcome::new(Code::Success, "")),
                    false => no(Code::InvalidCredentials, "you are not whom you want to be taken for"),
                }
            }
            // Why is told to nobody: it would tell which accounts there are.
            Verdict::Wrong => no(Code::InvalidCredentials, ""),
            Verdict::NoCertificate => {
                no(Code::InappropriateAuthentication, "the connection began without a certificate")
            }
            Verdict::Busy => no(Code::Busy, "too many attempts; try again later"),
            Verdict::Unavailable => no(Code::Unavailable, "nobody can sign in now"),
        }
    }
}

impl Identity {
    /// The authzId (RFC 4513 §5.2.1.8).
    pub(super) fn authorization(&self, tree: &Tree) -> String {
        match self {
            Self::Person(uid) => format!("dn:{}", tree.person(uid)),
            Self::Other(name) => format!("u:{name}"),
        }
    }

    /// Whether an authzId means this one.
    fn is(&self, wanted: &str, tree: &Tree) -> bool {
        let (Self::Person(own) | Self::Other(own)) = self;
        if let Some(dn) = wanted.strip_prefix("dn:") {
            let theirs = Name::parse(dn);
            return matches!(self, Self::Person(_))
                && theirs.is_some()
                && theirs == Name::parse(&tree.person(own));
        }
        wanted.strip_prefix("u:").is_some_and(|name| folding::value(name) == folding::value(own))
    }
}
