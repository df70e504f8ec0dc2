//! What the employer is asked while somebody signs in, and what may be answered.

use std::fmt;

use zeroize::Zeroizing;

/// Who is this? Answered with a [`Verdict`].
pub enum Question {
    /// Somebody gave a name and a password.
    Password {
        /// Who they say they are.
        login: Login,
        /// Wiped when dropped; never empty.
        password: Zeroizing<String>,
    },
    /// Somebody points to the certificate that they showed when the connection began (SASL EXTERNAL, RFC 4422
    /// appendix A).
    Certificate,
}

/// Who somebody says they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The uid in the name of an entry below `ou=people`, whether or not there is one.
    Person(String),
    /// Anything else, such as a bare uid or a mail address. Many programs send one where the standard wants a name.
    Other(String),
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A person, by the uid of their card.
    Person(String),
    /// A program or an administrator, by any name.
    Other(String),
}

/// What the employer says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is they.
    Is(Identity),
    /// Nobody whom the password or the certificate proves.
    Wrong,
    /// There was no certificate.
    NoCertificate,
    /// Too many ask at once, or this one too often.
    Busy,
    /// It cannot be told now.
    Unavailable,
}

/// Without the password.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { login, .. } => {
                f.debug_struct("Password").field("login", login).finish_non_exhaustive()
            }
            Self::Certificate => f.write_str("Certificate"),
        }
    }
}
