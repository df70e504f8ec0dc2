//! Credentials: by what a directory knows our service account.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// What the service account shows.
#[derive(Clone)]
pub enum Credentials {
    /// Its password, for a simple bind as `bind_dn`.
    Password(Zeroizing<String>),
    /// A certificate shown in the TLS handshake, for SASL EXTERNAL (RFC 4422 appendix A): the server decides which entry
    /// it stands for, and `bind_dn` stays empty.
    Certificate {
        /// PEM file of the certificate and those between it and the root.
        chain: PathBuf,
        /// PEM file of its private key.
        key: PathBuf,
    },
    /// A ticket for this name, such as `chancery@CORP.EXAMPLE`, for SASL GSSAPI (RFC 4752). The system's Kerberos library
    /// gets it with its client keytab, for the server `ldap/HOST`, HOST being as written in the settings and never looked
    /// up. Only builds with the feature `gssapi` can, and `bind_dn` stays empty.
    Kerberos(String),
}

impl From<Zeroizing<String>> for Credentials {
    fn from(password: Zeroizing<String>) -> Self {
        Self::Password(password)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password(_) => f.write_str("Password"),
            Self::Certificate { chain, .. } => f.debug_struct("Certificate").field("chain", chain).finish(),
            Self::Kerberos(name) => f.debug_tuple("Kerberos").field(name).finish(),
        }
    }
}
