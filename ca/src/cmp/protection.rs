//! Protection: by what a message claims to be authentic.

use super::{FailureInfo, Mac, Objection, SignatureAlgorithm, message::AlgorithmIdentifier};

/// How a message is protected (RFC 9810 §5.1.3). What it claims is proven by
/// [`verify_mac`](super::Request::verify_mac) or [`verify_signature`](super::Request::verify_signature).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Not at all: anybody may have written it.
    None,
    /// By a secret that both sides know.
    Mac(Mac),
    /// By a signature.
    Signature(SignatureAlgorithm),
}

impl Protection {
    /// Reads the algorithm, which stands in the header if and only if a proof stands after the body.
    pub(super) fn read(
        algorithm: Option<&AlgorithmIdentifier>,
        proof: bool,
    ) -> Result<Protection, Objection> {
        let algorithm = match (algorithm, proof) {
            (None, false) => return Ok(Protection::None),
            (Some(algorithm), true) => algorithm,
            _ => return Err(Objection::new(FailureInfo::BadMessageCheck, "the message is half protected")),
        };
        if let Some(mac) = Mac::read(algorithm) {
            return mac.map(Protection::Mac);
        }
        let signature = SignatureAlgorithm::from_oid(algorithm.algorithm).ok_or_else(|| {
            let text = format!("the protection algorithm {} is not accepted", algorithm.algorithm);
            Objection::new(FailureInfo::BadAlg, text)
        })?;
        Ok(Protection::Signature(signature))
    }
}
