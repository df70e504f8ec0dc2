//! Revocation: a client asks to take a certificate back (RFC 8555 §7.6).

use serde::Deserialize;

use super::{Jwk, Payload, Problem, ProblemType, base64url};
use crate::{Certificate, Reason};

/// A revokeCert request. Whoever holds the account that it was issued to may ask, or its own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeCert {
    /// Which certificate; nobody says yet that it was issued here.
    pub certificate: Certificate,
    /// Why.
    pub reason: Reason,
}

impl RevokeCert {
    /// Reads the request. Reasons that only a list or an authority can have are refused.
    pub fn read(payload: Payload<'_>) -> Result<RevokeCert, Problem> {
        let sent: Sent = payload.read()?;
        let der = base64url::decode("the certificate", &sent.certificate)?;
        let certificate = Certificate::parse(&der);
        let certificate = certificate.map_err(|failure| Problem::malformed(failure.to_string()))?;
        let reason = Reason::of_code(sent.reason).ok_or_else(|| {
            Problem::new(ProblemType::BadRevocationReason, "accepted are the reasons 0, 1, 3, 4, 5, 6 and 9")
        })?;
        Ok(RevokeCert { certificate, reason })
    }

    /// Whether the key is the certificate's own, which needs no account to ask.
    pub fn is_about(&self, key: &Jwk) -> bool {
        self.certificate.spki_sha256 == key.public_key().spki_sha256()
    }
}

#[derive(Deserialize)]
struct Sent {
    certificate: String,
    /// RFC 5280 §5.3.1.
    #[serde(default)]
    reason: u64,
}
