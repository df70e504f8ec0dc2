//! Refusals: why something is no proof.

/// Why a proof, a checkpoint or a key is not accepted. The text is fit to be shown to whoever brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LogRefusal {
    /// The bytes have not the form that they should have.
    #[error("this cannot be read: {0}")]
    Malformed(&'static str),
    /// The index is not below the size, or the old tree is larger than the new one.
    #[error("the tree is not as large as that")]
    Beyond,
    /// The checkpoint is not signed by the log, under its name and with its key.
    #[error("the checkpoint is not signed by this log")]
    Unsigned,
    /// A signature claims to be the log's and is not.
    #[error("the signature of the checkpoint is forged or damaged")]
    BadSignature,
    /// The log signed the checkpoint of another one.
    #[error("the checkpoint is of another log")]
    OtherLog,
    /// The proof is about another certificate.
    #[error("the proof is not about this certificate")]
    OtherCertificate,
    /// The hashes do not lead from the leaf to the root.
    #[error("the hashes do not prove that the certificate is in the log")]
    NotIncluded,
    /// The hashes do not lead from one root to the other: something that was in the log is there no more.
    #[error("the hashes do not prove that the log only grew")]
    Inconsistent,
}
