//! The shapes of certificate requests in CRMF (RFC 4211 appendix B), whose tags are implicit.

use der::{
    Any, Sequence,
    asn1::{BitString, ObjectIdentifier, OctetString},
};

use super::message::AlgorithmIdentifier;

/// CertReqMsg. The request keeps its bytes, because possession is proven over them.
#[derive(Clone, Debug, Sequence)]
pub(super) struct CertReqMsg {
    pub(super) cert_req: Any,
    pub(super) popo: Option<Any>,
    pub(super) reg_info: Option<Any>,
}

/// CertRequest.
#[derive(Clone, Debug, Sequence)]
pub(super) struct CertRequest {
    pub(super) cert_req_id: i64,
    pub(super) cert_template: CertTemplate,
    pub(super) controls: Option<Vec<AttributeTypeAndValue>>,
}

/// CertTemplate. A number's content is read as octets, so that a serial stays as it was written.
#[derive(Clone, Debug, Sequence)]
#[asn1(tag_mode = "IMPLICIT")]
pub(super) struct CertTemplate {
    #[asn1(context_specific = "0", optional = "true")]
    pub(super) version: Option<u8>,
    #[asn1(context_specific = "1", optional = "true")]
    pub(super) serial_number: Option<OctetString>,
    #[asn1(context_specific = "2", optional = "true")]
    pub(super) signing_alg: Option<AlgorithmIdentifier>,
    #[asn1(context_specific = "3", optional = "true", tag_mode = "EXPLICIT")]
    pub(super) issuer: Option<Any>,
    #[asn1(context_specific = "4", optional = "true")]
    pub(super) validity: Option<OptionalValidity>,
    #[asn1(context_specific = "5", optional = "true", tag_mode = "EXPLICIT")]
    pub(super) subject: Option<Any>,
    #[asn1(context_specific = "6", optional = "true")]
    pub(super) public_key: Option<Vec<Any>>,
    #[asn1(context_specific = "7", optional = "true")]
    pub(super) issuer_uid: Option<BitString>,
    #[asn1(context_specific = "8", optional = "true")]
    pub(super) subject_uid: Option<BitString>,
    #[asn1(context_specific = "9", optional = "true")]
    pub(super) extensions: Option<Vec<Any>>,
}

/// OptionalValidity: unlike a certificate's, either end may be missing.
#[derive(Clone, Debug, Sequence)]
pub(super) struct OptionalValidity {
    #[asn1(context_specific = "0", optional = "true")]
    pub(super) not_before: Option<Any>,
    #[asn1(context_specific = "1", optional = "true")]
    pub(super) not_after: Option<Any>,
}

/// POPOSigningKey.
#[derive(Clone, Debug, Sequence)]
pub(super) struct PopoSigningKey {
    #[asn1(context_specific = "0", optional = "true", tag_mode = "IMPLICIT")]
    pub(super) poposk_input: Option<Vec<Any>>,
    pub(super) algorithm_identifier: AlgorithmIdentifier,
    pub(super) signature: BitString,
}

/// AttributeTypeAndValue.
#[derive(Clone, Debug, Sequence)]
pub(super) struct AttributeTypeAndValue {
    pub(super) kind: ObjectIdentifier,
    pub(super) value: Any,
}

/// CertId.
#[derive(Clone, Debug, Sequence)]
pub(super) struct OldCertId {
    pub(super) issuer: Any,
    pub(super) serial_number: Any,
}

/// RevDetails (RFC 9810 §5.3.9).
#[derive(Clone, Debug, Sequence)]
pub(super) struct RevDetails {
    pub(super) cert_details: CertTemplate,
    pub(super) crl_entry_details: Option<Vec<Extension>>,
}

/// Extension (RFC 5280 §4.1).
#[derive(Clone, Debug, Sequence)]
pub(super) struct Extension {
    pub(super) extn_id: ObjectIdentifier,
    #[asn1(default = "bool::default")]
    pub(super) critical: bool,
    pub(super) extn_value: OctetString,
}
