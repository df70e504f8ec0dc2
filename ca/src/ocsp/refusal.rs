//! Answers without a signature: why a request gets no other (RFC 6960 §2.3).

/// Why a request is not answered. Nobody signs a refusal, so it says nothing about any certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum OcspRefusal {
    /// The bytes are not one request of the kind that is understood.
    #[error("the request is malformed")]
    MalformedRequest,
    /// The responder is in trouble of its own; another one may do better.
    #[error("the responder failed")]
    InternalError,
    /// The responder lives, but cannot answer now.
    #[error("the responder cannot answer now")]
    TryLater,
    /// Only signed requests are answered.
    #[error("the request must be signed")]
    SigRequired,
    /// The client may not ask, or the responder is none for these certificates (RFC 5019 §2.2.3).
    #[error("the responder does not answer this")]
    Unauthorized,
}

impl OcspRefusal {
    /// The whole OCSPResponse in DER: a SEQUENCE that holds an ENUMERATED and no responseBytes (RFC 6960 §4.2.1).
    pub fn to_der(self) -> [u8; 5] {
        let status = match self {
            OcspRefusal::MalformedRequest => 1,
            OcspRefusal::InternalError => 2,
            OcspRefusal::TryLater => 3,
            // 4 is not used.
            OcspRefusal::SigRequired => 5,
            OcspRefusal::Unauthorized => 6,
        };
        [0x30, 3, 0x0A, 1, status]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_five_bytes_that_end_in_its_code() {
        assert_eq!(OcspRefusal::MalformedRequest.to_der(), [0x30, 3, 0x0A, 1, 1]);
        assert_eq!(OcspRefusal::Unauthorized.to_der(), [0x30, 3, 0x0A, 1, 6]);
    }
}
