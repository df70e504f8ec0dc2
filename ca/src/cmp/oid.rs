//! Object identifiers: the numbers by which messages name algorithms, questions and controls.

use der::asn1::ObjectIdentifier;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// id-PasswordBasedMac (RFC 9481 §6.1.1).
pub(super) const PASSWORD_BASED_MAC: ObjectIdentifier = oid("1.2.840.113533.7.66.13");
/// id-PBMAC1 and id-PBKDF2 (RFC 8018 appendix A).
pub(super) const PBMAC1: ObjectIdentifier = oid("1.2.840.113549.1.5.14");
pub(super) const PBKDF2: ObjectIdentifier = oid("1.2.840.113549.1.5.12");

/// One-way functions (RFC 9481 §2; SHA-1 from RFC 3279 §2.1).
pub(super) const SHA1: ObjectIdentifier = oid("1.3.14.3.2.26");
pub(super) const SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
pub(super) const SHA384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
pub(super) const SHA512: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.3");

/// HMAC under its name of RFC 2985's arc (RFC 8018 §B.1), and the older one for SHA-1 (RFC 4210 appendix D.2).
pub(super) const HMAC_SHA1: ObjectIdentifier = oid("1.2.840.113549.2.7");
pub(super) const HMAC_SHA1_OLD: ObjectIdentifier = oid("1.3.6.1.5.5.8.1.2");
pub(super) const HMAC_SHA256: ObjectIdentifier = oid("1.2.840.113549.2.9");
pub(super) const HMAC_SHA384: ObjectIdentifier = oid("1.2.840.113549.2.10");
pub(super) const HMAC_SHA512: ObjectIdentifier = oid("1.2.840.113549.2.11");

/// Signatures (RFC 9481 §3).
pub(super) const ECDSA_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
pub(super) const ECDSA_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
pub(super) const ECDSA_SHA512: ObjectIdentifier = oid("1.2.840.10045.4.3.4");
pub(super) const RSA_SHA256: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
pub(super) const RSA_SHA384: ObjectIdentifier = oid("1.2.840.113549.1.1.12");
pub(super) const RSA_SHA512: ObjectIdentifier = oid("1.2.840.113549.1.1.13");
pub(super) const ED25519: ObjectIdentifier = oid("1.3.101.112");

/// Public keys that are certified (RFC 5480 §2.1.1, RFC 3279 §2.3.1), and the curves (RFC 5480 §2.1.1.1).
pub(super) const EC_PUBLIC_KEY: ObjectIdentifier = oid("1.2.840.10045.2.1");
pub(super) const RSA_ENCRYPTION: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
pub(super) const P256: ObjectIdentifier = oid("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = oid("1.3.132.0.34");
pub(super) const P521: ObjectIdentifier = oid("1.3.132.0.35");

/// id-regCtrl-oldCertID (RFC 4211 §6.5).
pub(super) const OLD_CERT_ID: ObjectIdentifier = oid("1.3.6.1.5.5.7.5.1.5");
/// id-ce-cRLReasons (RFC 5280 §5.3.1).
pub(super) const CRL_REASON: ObjectIdentifier = oid("2.5.29.21");

/// Information types, id-it (RFC 9810 appendix F).
pub(super) const SIGN_KEY_PAIR_TYPES: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.2");
pub(super) const CURRENT_CRL: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.6");
pub(super) const IMPLICIT_CONFIRM: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.13");
pub(super) const CA_CERTS: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.17");
pub(super) const ROOT_CA_KEY_UPDATE: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.18");
pub(super) const CERT_REQ_TEMPLATE: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.19");
pub(super) const ROOT_CA_CERT: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.20");
pub(super) const CERT_PROFILE: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.21");
pub(super) const CRL_STATUS_LIST: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.22");
pub(super) const CRLS: ObjectIdentifier = oid("1.3.6.1.5.5.7.4.23");
