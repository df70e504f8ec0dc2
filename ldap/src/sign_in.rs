//! Signing in: find the person, look whether the account may be used, then let the directory judge the password.

use std::fmt;

use time::OffsetDateTime;

use crate::connector::Connector;
use crate::diagnostic::{self, DISABLED, EXPIRED, OTHER_THAN_PASSWORD};
use crate::disabled::Disabled;
use crate::error::Error;
use crate::people::{Match, Person};

/// The directory's answer. A client hears yes or no; the rest is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// It is them.
    Accepted(Person),
    /// It is not their password, or none was given.
    WrongPassword {
        /// The server's words, with Active Directory's numbers explained.
        diagnostic: String,
    },
    /// Nobody has this login.
    Unknown,
    /// The account is switched off; [`Person::disabled`] says how. The password may not have been tried.
    Disabled(Person),
    /// The server turns them away for now, and not for the password: locked for a while, password expired, wrong hour.
    Refused {
        /// Who it is about.
        person: Person,
        /// The server's words, explained.
        diagnostic: String,
    },
    /// Several entries have this login.
    Ambiguous,
}

impl Connector {
    /// Whether `password` is that of the person with this login. `now` decides who has expired.
    ///
    /// The password goes to the directory in a bind of its own, never when it is empty: servers take that for an
    /// anonymous bind, and say yes (RFC 4513 §5.1.2).
    pub async fn sign_in(&self, login: &str, password: &str, now: OffsetDateTime) -> Result<SignIn, Error> {
        if password.is_empty() {
            return Ok(SignIn::WrongPassword { diagnostic: "no password was given".to_owned() });
        }
        let person = match self.look_up(login, now).await? {
            Match::One(person) => *person,
            Match::None => return Ok(SignIn::Unknown),
            Match::Several(_) => return Ok(SignIn::Ambiguous),
        };
        if person.disabled.is_some() {
            return Ok(SignIn::Disabled(person));
        }
        let (answer, server) = self.ready().await.bind_as(&person.dn, password).await?;
        judge(person, answer.code, &answer.text, server, now)
    }
}

/// What a bind result means (RFC 4511 appendix A.2).
fn judge(
    person: Person,
    code: u32,
    text: &str,
    server: String,
    now: OffsetDateTime,
) -> Result<SignIn, Error> {
    let diagnostic = diagnostic::explain(text);
    let disabled = |person, rule| SignIn::Disabled(Person { disabled: Some(rule), ..person });
    Ok(match (code, diagnostic::sub_code(text)) {
        (0, _) => SignIn::Accepted(person),
        (49, Some(DISABLED)) => disabled(person, Disabled::UserAccountControl),
        (49, Some(EXPIRED)) => disabled(person, Disabled::AccountExpires(now)),
        (49, Some(number)) if OTHER_THAN_PASSWORD.contains(&number) => SignIn::Refused { person, diagnostic },
        // inappropriateAuthentication is what slapd says of an entry without a password.
        (48 | 49, _) => SignIn::WrongPassword { diagnostic },
        // 389 Directory Server: 19 after too many attempts, 53 for a deactivated account.
        (19 | 53, _) => SignIn::Refused { person, diagnostic },
        // Deleted between the search and the bind.
        (32, _) => SignIn::Unknown,
        _ => return Err(Error::Refused { server, doing: "checking a password", code, text: diagnostic }),
    })
}

impl fmt::Display for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(_) => f.write_str("accepted"),
            Self::WrongPassword { diagnostic } => write!(f, "wrong password: {diagnostic}"),
            Self::Unknown => f.write_str("nobody has this login"),
            Self::Disabled(Person { disabled: Some(rule), .. }) => write!(f, "{rule}"),
            Self::Disabled(_) => f.write_str("disabled"),
            Self::Refused { diagnostic, .. } => write!(f, "refused: {diagnostic}"),
            Self::Ambiguous => f.write_str("several entries have this login"),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    fn answer(code: u32, text: &str) -> Result<SignIn, Error> {
        let person = Person {
            id: Uuid::max(),
            dn: "cn=a".to_owned(),
            login: "a".to_owned(),
            name: "A".to_owned(),
            mail: None,
            title: None,
            phone: None,
            locale: None,
            time_zone: None,
            photo: None,
            groups: Vec::new(),
            disabled: None,
            expires: None,
        };
        judge(person, code, text, "ldaps://dc1".to_owned(), datetime!(2026-03-01 12:00 UTC))
    }

    fn active_directory(data: &str) -> SignIn {
        let text =
            format!("80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data {data}, v4563");
        answer(49, &text).unwrap()
    }

    #[test]
    fn active_directory_tells_a_wrong_password_from_a_closed_account() {
        assert!(matches!(active_directory("52e"), SignIn::WrongPassword { .. }));
        assert!(matches!(active_directory("533"), SignIn::Disabled(_)));
        assert!(matches!(active_directory("701"), SignIn::Disabled(_)));
        assert!(matches!(active_directory("775"), SignIn::Refused { .. }));
        assert_eq!(
            active_directory("773").to_string(),
            "refused: the password must be changed first (Active Directory 773)"
        );
    }

    #[test]
    fn only_success_is_success() {
        assert!(matches!(answer(0, "").unwrap(), SignIn::Accepted(_)));
        for code in 1..=123 {
            assert!(!matches!(answer(code, ""), Ok(SignIn::Accepted(_))), "{code}");
        }
        assert!(matches!(answer(52, "closing"), Err(Error::Refused { code: 52, .. })));
    }
}
