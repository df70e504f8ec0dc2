//! The shapes of a CMP message, as RFC 9810 appendix F writes them; its tags are explicit.
//!
//! What is only carried, or must keep its bytes, is `Any`. Its content stays as received, and its tag and length
//! have one form in DER, so writing one again gives the very bytes that were read.

use der::{
    Any, Decode, Sequence,
    asn1::{BitString, GeneralizedTime, ObjectIdentifier, OctetString},
};

use super::{FailureInfo, Objection};

/// Reads a whole value of the kind that the caller expects, or says what cannot be read.
pub(super) fn decode<'a, T: Decode<'a>>(der: &'a [u8], what: &str) -> Result<T, Objection> {
    T::from_der(der)
        .map_err(|_| Objection::new(FailureInfo::BadDataFormat, format!("the {what} cannot be read")))
}

/// PKIMessage.
#[derive(Clone, Debug, Sequence)]
pub(super) struct PkiMessage {
    pub(super) header: Any,
    pub(super) body: Any,
    #[asn1(context_specific = "0", optional = "true")]
    pub(super) protection: Option<BitString>,
    #[asn1(context_specific = "1", optional = "true")]
    pub(super) extra_certs: Option<Vec<Any>>,
}

/// ProtectedPart: what a MAC or signature is computed over (§5.1.3).
#[derive(Clone, Debug, Sequence)]
pub(super) struct ProtectedPart {
    pub(super) header: Any,
    pub(super) body: Any,
}

/// PKIHeader.
#[derive(Clone, Debug, Sequence)]
pub(super) struct PkiHeader {
    pub(super) pvno: u8,
    pub(super) sender: Any,
    pub(super) recipient: Any,
    #[asn1(context_specific = "0", optional = "true")]
    pub(super) message_time: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", optional = "true")]
    pub(super) protection_alg: Option<AlgorithmIdentifier>,
    #[asn1(context_specific = "2", optional = "true")]
    pub(super) sender_kid: Option<OctetString>,
    #[asn1(context_specific = "3", optional = "true")]
    pub(super) recip_kid: Option<OctetString>,
    #[asn1(context_specific = "4", optional = "true")]
    pub(super) transaction_id: Option<OctetString>,
    #[asn1(context_specific = "5", optional = "true")]
    pub(super) sender_nonce: Option<OctetString>,
    #[asn1(context_specific = "6", optional = "true")]
    pub(super) recip_nonce: Option<OctetString>,
    #[asn1(context_specific = "7", optional = "true")]
    pub(super) free_text: Option<Vec<Any>>,
    #[asn1(context_specific = "8", optional = "true")]
    pub(super) general_info: Option<Vec<InfoTypeAndValue>>,
}

/// AlgorithmIdentifier (RFC 5280 §4.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct AlgorithmIdentifier {
    pub(super) algorithm: ObjectIdentifier,
    pub(super) parameters: Option<Any>,
}

/// InfoTypeAndValue.
#[derive(Clone, Debug, Sequence)]
pub(super) struct InfoTypeAndValue {
    pub(super) info_type: ObjectIdentifier,
    pub(super) info_value: Option<Any>,
}

/// PKIStatusInfo.
#[derive(Clone, Debug, Sequence)]
pub(super) struct PkiStatusInfo {
    pub(super) status: u8,
    pub(super) status_string: Option<Vec<String>>,
    pub(super) fail_info: Option<BitString>,
}

/// ErrorMsgContent.
#[derive(Clone, Debug, Sequence)]
pub(super) struct ErrorMsgContent {
    pub(super) status: PkiStatusInfo,
    pub(super) error_code: Option<Any>,
    pub(super) error_details: Option<Vec<String>>,
}

/// CertRepMessage.
#[derive(Clone, Debug, Sequence)]
pub(super) struct CertRepMessage {
    #[asn1(context_specific = "1", optional = "true")]
    pub(super) ca_pubs: Option<Vec<Any>>,
    pub(super) response: Vec<CertResponse>,
}

/// CertResponse.
#[derive(Clone, Debug, Sequence)]
pub(super) struct CertResponse {
    pub(super) cert_req_id: i64,
    pub(super) status: PkiStatusInfo,
    pub(super) certified_key_pair: Option<CertifiedKeyPair>,
}

/// CertifiedKeyPair, of which only a certificate in the clear is ever sent.
#[derive(Clone, Debug, Sequence)]
pub(super) struct CertifiedKeyPair {
    #[asn1(context_specific = "0")]
    pub(super) certificate: Any,
}

/// CertStatus, one confirmation.
#[derive(Clone, Debug, Sequence)]
pub(super) struct CertStatus {
    pub(super) cert_hash: OctetString,
    pub(super) cert_req_id: i64,
    pub(super) status_info: Option<PkiStatusInfo>,
    #[asn1(context_specific = "0", optional = "true")]
    pub(super) hash_alg: Option<AlgorithmIdentifier>,
}

/// RevRepContent.
#[derive(Clone, Debug, Sequence)]
pub(super) struct RevRepContent {
    pub(super) status: Vec<PkiStatusInfo>,
}

/// One entry of PollReqContent.
#[derive(Clone, Debug, Sequence)]
pub(super) struct PollReq {
    pub(super) cert_req_id: i64,
}

/// One entry of PollRepContent.
#[derive(Clone, Debug, Sequence)]
pub(super) struct PollRep {
    pub(super) cert_req_id: i64,
    pub(super) check_after: u32,
    pub(super) reason: Option<Vec<String>>,
}
