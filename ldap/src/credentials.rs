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
        }
    }
}
