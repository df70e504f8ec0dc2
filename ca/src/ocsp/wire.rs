//! The shapes of OCSP: as much of the ASN.1 in RFC 6960 §4.1.1 and §4.2.1 as is read or written here.

use der::{
    Choice, Enumerated, Sequence,
    asn1::{AnyRef, BitStringRef, GeneralizedTime, IntRef, Null, ObjectIdentifier, OctetStringRef},
};
use x509_cert::{
    ext::{Extensions, pkix::CrlReason},
    spki::AlgorithmIdentifierRef,
};

/// OCSPRequest.
#[derive(Debug, Sequence)]
pub(super) struct Request<'a> {
    pub(super) tbs: TbsRequest<'a>,
    /// Not examined: whoever wants to know whether a certificate is good may know (RFC 6960 §4.1.2).
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) signature: Option<AnyRef<'a>>,
}

/// TBSRequest.
#[derive(Debug, Sequence)]
pub(super) struct TbsRequest<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", default = "v1")]
    pub(super) version: u8,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) requestor: Option<AnyRef<'a>>,
    pub(super) requests: Vec<SingleRequest<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Extensions>,
}

/// Request: one certificate that is asked about.
#[derive(Debug, Sequence)]
pub(super) struct SingleRequest<'a> {
    /// A [`CertId`] in the client's own bytes.
    pub(super) certificate: AnyRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Extensions>,
}

/// CertID.
#[derive(Debug, Sequence)]
pub(super) struct CertId<'a> {
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) name: &'a OctetStringRef,
    pub(super) key: &'a OctetStringRef,
    pub(super) serial: IntRef<'a>,
}

/// OCSPResponse, when it brings an answer.
#[derive(Debug, Sequence)]
pub(super) struct Response<'a> {
    pub(super) status: ResponseStatus,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) bytes: ResponseBytes<'a>,
}

/// OCSPResponseStatus, when it brings an answer; the others are refusals.
#[derive(Clone, Copy, Debug, Enumerated)]
#[repr(u8)]
pub(super) enum ResponseStatus {
    Successful = 0,
}

/// ResponseBytes.
#[derive(Debug, Sequence)]
pub(super) struct ResponseBytes<'a> {
    pub(super) kind: ObjectIdentifier,
    pub(super) response: &'a OctetStringRef,
}

/// BasicOCSPResponse.
#[derive(Debug, Sequence)]
pub(super) struct BasicResponse<'a> {
    /// [`ResponseData`], the very bytes that were signed.
    pub(super) data: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: BitStringRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) certificates: Vec<AnyRef<'a>>,
}

/// ResponseData, whose responder is always named by its key.
#[derive(Debug, Sequence)]
pub(super) struct ResponseData<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", default = "v1")]
    pub(super) version: u8,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(super) responder: &'a OctetStringRef,
    pub(super) produced_at: GeneralizedTime,
    pub(super) responses: Vec<SingleResponse<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Extensions>,
}

/// SingleResponse.
#[derive(Debug, Sequence)]
pub(super) struct SingleResponse<'a> {
    pub(super) certificate: AnyRef<'a>,
    pub(super) status: CertStatus,
    pub(super) this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) next_update: GeneralizedTime,
}

/// CertStatus.
#[derive(Clone, Copy, Debug, Choice)]
pub(super) enum CertStatus {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(RevokedInfo),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

/// RevokedInfo.
#[derive(Clone, Copy, Debug, Sequence)]
pub(super) struct RevokedInfo {
    pub(super) at: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) reason: Option<CrlReason>,
}

/// The only version of requests and answers.
pub(super) fn v1() -> u8 {
    0
}

/// id-pkix-ocsp-basic (RFC 6960 §4.2.1).
pub(super) const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
/// id-pkix-ocsp-nonce (RFC 9654 §2.1).
pub(super) const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
