//! What can go wrong between us and a directory: which server, what happened, what to do.
//!
//! These are failures. Expected answers, such as a wrong password, are part of the return types.

use std::time::Duration;

/// Why the directory gave no answer. Cheap to clone, so that everybody who waited hears the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection to the server.
    #[error("{server} cannot be reached: {why}; check the name, the port, the firewall and that it runs")]
    Unreachable {
        /// As written in the settings.
        server: String,
        /// The system's words.
        why: String,
    },
    /// The TLS handshake failed.
    #[error(
        "{server} cannot be trusted: {why}; ca_file must hold the authority that signed its certificate, and the \
             certificate must name the host as it stands here"
    )]
    Tls {
        /// As written in the settings.
        server: String,
        /// The TLS library's words.
        why: String,
    },
    /// The server does not offer TLS on its plain port.
    #[error("{server} refuses StartTLS (result {code}: {text}); give it a certificate, or use ldaps://")]
    StartTls {
        /// As written in the settings.
        server: String,
        /// Result code of RFC 4511 appendix A.
        code: u32,
        /// The server's words.
        text: String,
    },
    /// The server does not accept our own account. Not tried again for half a minute, lest it be locked.
    #[error("{server} refuses the service account (result {code}: {text}); check bind_dn and bind_password")]
    ServiceAccount {
        /// As written in the settings.
        server: String,
        /// Result code of RFC 4511 appendix A.
        code: u32,
        /// The server's words, with Active Directory's numbers explained.
        text: String,
    },
    /// There is no ticket for the server, or it does not take ours, or is not who it should be. Not tried again for half a
    /// minute either.
    #[error(
        "{server} cannot be signed in to by Kerberos: {why}; check kerberos, the client keytab, the clock, and that the KDC \
             knows ldap/HOST, with the host as it stands here"
    )]
    Kerberos {
        /// As written in the settings.
        server: String,
        /// The Kerberos library's words.
        why: String,
    },
    /// No answer in time.
    #[error("{server} did not answer within {limit:?} while {doing}; it hangs or is overloaded")]
    TimedOut {
        /// As written in the settings.
        server: String,
        /// What was asked.
        doing: &'static str,
        /// The limit of the settings.
        limit: Duration,
    },
    /// The connection ended in the middle of an operation, or the server broke the protocol.
    #[error("the connection to {server} was lost while {doing}: {why}")]
    Lost {
        /// As written in the settings.
        server: String,
        /// What was asked.
        doing: &'static str,
        /// What is known of the end.
        why: String,
    },
    /// The server answered the whole operation with a result other than success.
    #[error("{server} refuses {doing} (result {code}: {text}){}", hint(*.code))]
    Refused {
        /// As written in the settings.
        server: String,
        /// What was asked.
        doing: &'static str,
        /// Result code of RFC 4511 appendix A.
        code: u32,
        /// The server's words.
        text: String,
    },
    /// The server began a list and did not finish it. Nothing of it may be used.
    #[error("{server} broke a list off after {received} entries (result {code}: {text}){}", hint(*.code))]
    Partial {
        /// As written in the settings.
        server: String,
        /// How many entries had come.
        received: usize,
        /// Result code of RFC 4511 appendix A.
        code: u32,
        /// The server's words.
        text: String,
    },
    /// The one entry that was asked for cannot be used.
    #[error(
        "the entry {dn} cannot be used: {why}; correct it in the directory, or the attributes in the settings"
    )]
    Malformed {
        /// Name of the entry.
        dn: String,
        /// What it lacks.
        why: String,
    },
    /// DNS names no server for a domain of the settings.
    #[error(
        "{server} leads to no server: {why}; have DNS name servers within the domain by SRV records at {record}, or write \
             their own names in servers"
    )]
    Unnamed {
        /// As written in the settings.
        server: String,
        /// The name that DNS was asked for.
        record: String,
        /// What DNS said, or that it said nothing.
        why: String,
    },
    /// Every server of the settings failed.
    #[error("no directory server answers: {}", .tried.iter().map(Error::to_string).collect::<Vec<_>>().join(" | "))]
    NoServer {
        /// One failure for each server, in the order of the attempts.
        tried: Vec<Error>,
    },
    /// Too many questions at once; this one was not sent.
    #[error("too many people ask the directory at once, and it does not keep up; try again")]
    Busy,
}

impl Error {
    /// Whether another connection, perhaps to another server, may do better at once.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// Whether the server should rest before it is asked again.
    pub(crate) fn blames_server(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Lost { .. } => true,
            // Certificates are renewed server by server: another one may be in order.
            Self::Tls { .. } | Self::StartTls { .. } => true,
            // busy and unavailable (RFC 4511 appendix A.1)
            Self::ServiceAccount { code, .. } | Self::Refused { code, .. } | Self::Partial { code, .. } => {
                matches!(code, 51 | 52)
            }
            Self::Kerberos { .. } | Self::Malformed { .. } | Self::Unnamed { .. } => false,
            Self::NoServer { .. } | Self::Busy => false,
        }
    }

    /// Whether it is about our own account: asked elsewhere or at once, it could be locked.
    pub(crate) fn is_about_us(&self) -> bool {
        matches!(self, Self::ServiceAccount { .. } | Self::Kerberos { .. })
    }

    /// Whether it is about the one entry that was asked about: other questions may go well.
    pub fn is_about_the_entry(&self) -> bool {
        match self {
            Self::Malformed { .. } => true,
            // busy, unavailable and unwilling are about the server
            Self::Refused { code, .. } => !matches!(code, 51..=53),
            _ => false,
        }
    }
}

/// What an administrator can do about a result code.
fn hint(code: u32) -> &'static str {
    match code {
        3 | 4 | 11 => {
            "; raise the server's limits for the service account: it must be able to read everybody"
        }
        8 | 13 => "; the server wants encryption: use ldaps:// or starttls = true",
        10 => "; the server sends us elsewhere: name the right server, or a base that it holds",
        32 => "; base names an entry that does not exist, or that the service account may not see",
        34 => "; a name is misspelt: check base and bind_dn",
        50 => "; the service account may not do this: grant it",
        51 | 52 => "; the server is overloaded or going down",
        _ => "",
    }
}
