//! The two kinds of "no": a refusal answers the one who asked, a failure is the machine's own trouble.

use crate::{Name, Profile, TokenFailure};

/// Why something brought from outside is not accepted. The text is fit to be shown to whoever brought it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request is longer than is read at all.
    #[error("the request is {found} bytes long; no more than {most} are read")]
    TooLong {
        /// Bytes received.
        found: usize,
        /// Bytes allowed.
        most: usize,
    },
    /// The bytes are not one whole PKCS#10 request (RFC 2986).
    #[error("this is not a certificate request: {0}")]
    Malformed(&'static str),
    /// The request was not signed by the key that it carries, so possession is not proven.
    #[error("the request is not signed by its own key")]
    BadSignature,
    /// The request is signed with a hash for which two messages can be found that share one signature.
    #[error("the request is signed with a hash that is broken: sign with SHA-256")]
    WeakHash,
    /// The public key is of a kind, size or form that is not certified.
    #[error("this public key is not accepted: {0}")]
    Key(&'static str),
    /// The request asks for CA:TRUE, keyCertSign or cRLSign, or for a purpose that only an authority gives away.
    #[error("the request asks for the rights of a certification authority")]
    AuthorityWanted,
    /// The request holds a critical extension that is not understood; the OID is given.
    #[error("the request holds the unknown critical extension {0}")]
    CriticalExtension(String),
    /// A requested name is empty, too long, or holds control characters; the kind of name is given.
    #[error("a requested name cannot be read: {0}")]
    UnreadableName(&'static str),
    /// The request lists more names than one certificate may carry.
    #[error("the request lists more than {0} names")]
    TooManyNames(usize),
    /// The request asks for a name that the certificate will not carry.
    #[error("the request asks for a name that is not the subject's: {0}")]
    ForeignName(Name),
    /// The text is not a serial of this authority.
    #[error("a serial is 32 hexadecimal digits, the first between 0 and 7 and not all leading ones zero")]
    Serial,
    /// The text is not the name of a shard.
    #[error("a shard is two upper-case hexadecimal digits, 00 to 3F")]
    Shard,
    /// The text is not one of the words of a closed list; the list is given.
    #[error("expected one of: {0}")]
    Word(String),
}

/// What went wrong inside, or in what the operator supplied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The operating system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// A stored private key cannot be used.
    #[error("the private key cannot be used: {0}")]
    Key(&'static str),
    /// The passphrase is empty or longer than 1024 bytes, or does not open the key.
    #[error("the passphrase does not fit the private key")]
    Passphrase,
    /// Bytes that should be a certificate are not.
    #[error("the certificate cannot be read: {0}")]
    Certificate(&'static str),
    /// Certificates and key do not make an authority.
    #[error("these certificates and this key make no authority: {0}")]
    Authority(&'static str),
    /// Certificates and key do not make an OCSP responder.
    #[error("these certificates and this key make no responder: {0}")]
    Responder(&'static str),
    /// A name supplied for the certificate cannot stand in one.
    #[error("the {what} `{value}` cannot stand in a certificate: {why}")]
    Name {
        /// Which name.
        what: &'static str,
        /// The name.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The profile demands a kind of name that the subject has not.
    #[error("a {profile} certificate needs {needs}")]
    Incomplete {
        /// The profile.
        profile: Profile,
        /// The missing kind of name.
        needs: &'static str,
    },
    /// The validity asked for is impossible at this time or for this profile.
    #[error("the validity is impossible: {0}")]
    Validity(&'static str),
    /// The signed certificate is not the one that was asked for; it must not leave the authority.
    #[error("the signed certificate differs from what was asked: {0}")]
    Differs(&'static str),
    /// These lines, or these URLs, make no list of a shard.
    #[error("the list of the shard cannot be signed: {0}")]
    Shard(&'static str),
    /// The PKCS#12 archive cannot be made from these parts.
    #[error("the PKCS#12 archive cannot be made: {0}")]
    Pkcs12(&'static str),
    /// What the log kept does not fit together.
    #[error("the records of the log cannot be used: {0}")]
    Log(&'static str),
    /// Building or signing failed.
    #[error("signing failed: {0}")]
    Signing(#[from] rcgen::Error),
    /// A hardware token, or the key in it, cannot be used.
    #[error(transparent)]
    Token(#[from] TokenFailure),
    /// A value cannot be written in DER.
    #[error("writing DER failed: {0}")]
    Der(#[from] der::Error),
    /// OpenSSL failed.
    #[error("OpenSSL failed: {0}")]
    OpenSsl(#[from] openssl::error::ErrorStack),
}
