//! Proof of possession: the signature under a request, made with the key inside it (RFC 2986 §4.2).
//!
//! Elliptic keys are verified by the library that TLS has, which is several times faster at it than OpenSSL 3.0 is at
//! reading such a key. OpenSSL verifies whatever else there is, because it knows every hash.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use openssl::x509::X509Req;
use rcgen::PublicKeyData;
use x509_parser::{
    certification_request::X509CertificationRequest, der_parser::oid::Oid, oid_registry as oid,
};

use crate::{
    PublicKey, Refusal,
    csr::NOT_PKCS10,
    der,
    public_key::{Kind, openssl_key},
};

/// Refuses a request that the key did not sign, and one that could be spelled in another way: DER has one.
pub(crate) fn verify(
    der: &[u8],
    request: &X509CertificationRequest<'_>,
    key: &PublicKey,
) -> Result<(), Refusal> {
    let algorithm = &request.signature_algorithm.algorithm;
    let Some(judge) = judge(key.kind, algorithm) else { return by_openssl(der, key) };
    let (signed, signature) = (request.certification_request_info.raw, &*request.signature_value.data);
    // None of these algorithms has parameters (RFC 5758 §3.2, RFC 8410 §3).
    let written = der::value(
        der::SEQUENCE,
        &[
            signed,
            &der::value(der::SEQUENCE, &[&der::value(der::OID, &[algorithm.as_bytes()])]),
            &der::value(der::BITS, &[&[0], signature]),
        ],
    );
    if written != der {
        return Err(NOT_PKCS10);
    }
    UnparsedPublicKey::new(judge, key.parts.der_bytes())
        .verify(signed, signature)
        .map_err(|_| Refusal::BadSignature)
}

fn judge(kind: Kind, algorithm: &Oid<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    let judges: [(_, _, &'static dyn VerificationAlgorithm); 5] = [
        (Kind::P256, oid::OID_SIG_ECDSA_WITH_SHA256, &signature::ECDSA_P256_SHA256_ASN1),
        (Kind::P256, oid::OID_SIG_ECDSA_WITH_SHA384, &signature::ECDSA_P256_SHA384_ASN1),
        (Kind::P384, oid::OID_SIG_ECDSA_WITH_SHA256, &signature::ECDSA_P384_SHA256_ASN1),
        (Kind::P384, oid::OID_SIG_ECDSA_WITH_SHA384, &signature::ECDSA_P384_SHA384_ASN1),
        (Kind::Ed25519, oid::OID_SIG_ED25519, &signature::ED25519),
    ];
    judges.into_iter().find_map(|(of, by, judge)| (of == kind && by == *algorithm).then_some(judge))
}

fn by_openssl(der: &[u8], key: &PublicKey) -> Result<(), Refusal> {
    let request = X509Req::from_der(der).map_err(|_| NOT_PKCS10)?;
    if request.to_der().ok().as_deref() != Some(der) {
        return Err(NOT_PKCS10);
    }
    match request.verify(&*openssl_key(key.spki_der())?) {
        Ok(true) => Ok(()),
        _ => Err(Refusal::BadSignature),
    }
}
