//! Objections: a "no" in the words of CMP, for the machine and for the person.

use der::asn1::BitString;

use crate::{Failure, Refusal};

/// Why a request is not fulfilled: what the client's program reads, and what its user reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Objection {
    /// The reason by number.
    pub info: FailureInfo,
    /// The reason in words, fit to be shown to whoever asked.
    pub text: String,
}

impl Objection {
    /// An objection from a reason and its words.
    pub fn new(info: FailureInfo, text: impl Into<String>) -> Objection {
        Objection { info, text: text.into() }
    }
}

impl From<Refusal> for Objection {
    fn from(refusal: Refusal) -> Objection {
        let info = match &refusal {
            Refusal::BadSignature => FailureInfo::BadPop,
            Refusal::WeakHash => FailureInfo::BadAlg,
            Refusal::Malformed(_) | Refusal::TooLong { .. } | Refusal::UnreadableName(_) => {
                FailureInfo::BadDataFormat
            }
            Refusal::CriticalExtension(_) => FailureInfo::UnacceptedExtension,
            Refusal::Serial => FailureInfo::BadCertId,
            _ => FailureInfo::BadCertTemplate,
        };
        Objection::new(info, refusal.to_string())
    }
}

impl From<der::Error> for Objection {
    fn from(_: der::Error) -> Objection {
        Objection::new(FailureInfo::BadDataFormat, "the message is not well-formed")
    }
}

/// PKIFailureInfo (RFC 9810 §5.2.3): each reason is one bit of a BIT STRING, counted from the most significant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FailureInfo {
    /// An algorithm is unknown or not allowed.
    BadAlg = 0,
    /// The MAC or signature does not fit the message.
    BadMessageCheck = 1,
    /// Such a request is not permitted or not supported.
    BadRequest = 2,
    /// The message's time is too far from the authority's.
    BadTime = 3,
    /// No certificate fits the identifier.
    BadCertId = 4,
    /// The bytes are not what they should be.
    BadDataFormat = 5,
    /// The request was meant for another authority.
    WrongAuthority = 6,
    /// The requester's data is wrong.
    IncorrectData = 7,
    /// The time stamp is missing.
    MissingTimeStamp = 8,
    /// Possession of the private key was not proven.
    BadPop = 9,
    /// The certificate was revoked already.
    CertRevoked = 10,
    /// The certificate was confirmed already.
    CertConfirmed = 11,
    /// The message is protected in the wrong way, such as by a signature instead of a password.
    WrongIntegrity = 12,
    /// The message does not repeat the authority's nonce.
    BadRecipientNonce = 13,
    /// The authority's time source is not available.
    TimeNotAvailable = 14,
    /// The policy asked for is not offered.
    UnacceptedPolicy = 15,
    /// The extension asked for is not offered.
    UnacceptedExtension = 16,
    /// Information asked for is not available.
    AddInfoNotAvailable = 17,
    /// The sender's nonce is missing or of the wrong length.
    BadSenderNonce = 18,
    /// The certificate asked for is not one that will be issued.
    BadCertTemplate = 19,
    /// The signer of the message is unknown or not trusted.
    SignerNotTrusted = 20,
    /// The transaction identifier is in use already.
    TransactionIdInUse = 21,
    /// The version of the message is not spoken.
    UnsupportedVersion = 22,
    /// The sender may not do this.
    NotAuthorized = 23,
    /// The authority cannot answer now.
    SystemUnavail = 24,
    /// The authority failed.
    SystemFailure = 25,
    /// The same certificate was requested already.
    DuplicateCertReq = 26,
}

impl FailureInfo {
    /// The number of the bit.
    pub fn bit(self) -> u8 {
        self as u8
    }

    /// A named bit list ends with its last set bit (X.690 §11.2.2).
    pub(super) fn bit_string(self) -> Result<BitString, Failure> {
        let (byte, within) = (usize::from(self.bit() / 8), self.bit() % 8);
        let mut bytes = vec![0; byte + 1];
        bytes[byte] = 0x80 >> within;
        Ok(BitString::new(7 - within, bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use der::Encode;

    use super::*;

    #[test]
    fn each_reason_is_one_bit_and_no_zero_follows_it() {
        let der = |info: FailureInfo| info.bit_string().expect("short").to_der().expect("short");
        assert_eq!(der(FailureInfo::BadAlg), [3, 2, 7, 0x80]);
        assert_eq!(der(FailureInfo::BadRequest), [3, 2, 5, 0x20]);
        assert_eq!(der(FailureInfo::BadPop), [3, 3, 6, 0, 0x40]);
        assert_eq!(der(FailureInfo::DuplicateCertReq), [3, 5, 5, 0, 0, 0, 0x20]);
    }

    #[test]
    fn a_refusal_keeps_its_words() {
        let objection = Objection::from(Refusal::BadSignature);
        assert_eq!(objection.info, FailureInfo::BadPop);
        assert_eq!(objection.text, Refusal::BadSignature.to_string());
    }
}
