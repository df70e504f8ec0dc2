//! The responder: signs what is known about certificates, with a key that its issuing CA lent to it.

use std::fmt;

use der::{
    Encode,
    asn1::{AnyRef, BitStringRef, GeneralizedTime, ObjectIdentifier, OctetString, OctetStringRef},
};
use openssl::hash::MessageDigest;
use rcgen::{PublicKeyData, SigningKey};
use time::OffsetDateTime;
use x509_cert::{
    ext::{Extension, Extensions},
    spki::AlgorithmIdentifierRef,
};

use super::{
    CertId, OcspStatus,
    cert_id::{IssuerHash, key_hash},
    status::time,
    wire,
};
use crate::{Certificate, Failure, KeyKind, KeyPair, certificate::parse_x509};

/// A responder that can sign. Share it behind an `Arc`, and replace it before its certificate ends.
pub struct Responder {
    issuer: Vec<IssuerHash>,
    signer: Certificate,
    key: KeyPair,
    key_hash: Vec<u8>,
}

impl Responder {
    /// Puts a responder together and examines it: the issuer is an authority, it issued the signer's certificate,
    /// for the signing of answers (RFC 6960 §4.2.2.2), and the key is that certificate's.
    pub fn open(issuer: &Certificate, signer: Certificate, key: KeyPair) -> Result<Responder, Failure> {
        if !issuer.is_authority || !signer.is_signed_by(issuer)? {
            return Err(Failure::Responder("the signer's certificate is not issued by the authority"));
        }
        let x509 = parse_x509(signer.der())?;
        let purposes = x509.extended_key_usage().ok().flatten();
        if !purposes.is_some_and(|purposes| purposes.value.ocsp_signing) {
            return Err(Failure::Responder("the signer's certificate is not for OCSP"));
        }
        if x509.public_key().raw != key.subject_public_key_info() {
            return Err(Failure::Responder("the key is not the signer's"));
        }
        let key_hash = key_hash(&signer, MessageDigest::sha1())?;
        Ok(Responder { issuer: IssuerHash::all(issuer)?, signer, key, key_hash })
    }

    /// Whether the certificate claims to be issued by this responder's authority, under SHA-1, SHA-256, SHA-384 or
    /// SHA-512. Of any other, only [`OcspStatus::Unknown`] can be said.
    pub fn is_about(&self, certificate: &CertId) -> bool {
        self.issuer.contains(certificate.issuer())
    }

    /// The signer's certificate: a new one is due before its end.
    pub fn signer(&self) -> &Certificate {
        &self.signer
    }

    /// Signs an answer about each of the certificates, in DER. `this_update` is when the statuses were known to be
    /// right, `next_update` when there is news at the latest, `now` when the answer is made; `nonce` is the
    /// request's, if it has one.
    ///
    /// No answer outlives the signer's certificate, because without it nobody could verify the answer.
    pub fn answer(
        &self,
        certificates: &[(CertId, OcspStatus)],
        nonce: Option<&[u8]>,
        this_update: OffsetDateTime,
        next_update: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, Failure> {
        if !self.signer.is_valid_at(now) {
            return Err(Failure::Validity("the OCSP signer's certificate is not valid at this time"));
        }
        let life = (time(this_update)?, time(next_update.min(self.signer.not_after))?);
        if life.0 > life.1 {
            return Err(Failure::Validity("the answer would end before it begins"));
        }
        let data = wire::ResponseData {
            version: wire::v1(),
            responder: OctetStringRef::new(&self.key_hash)?,
            produced_at: time(now)?,
            responses: certificates.iter().map(|pair| single(pair, life)).collect::<Result<_, _>>()?,
            extensions: nonce.map(echo).transpose()?,
        };
        self.sign(&data.to_der()?)
    }

    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Failure> {
        let signature = self.key.sign(data)?;
        let basic = wire::BasicResponse {
            data: AnyRef::try_from(data)?,
            algorithm: AlgorithmIdentifierRef { oid: algorithm(self.key.kind()), parameters: None },
            signature: BitStringRef::from_bytes(&signature)?,
            certificates: vec![AnyRef::try_from(self.signer.der())?],
        };
        let basic = basic.to_der()?;
        let bytes = wire::ResponseBytes { kind: wire::BASIC, response: OctetStringRef::new(&basic)? };
        Ok(wire::Response { status: wire::ResponseStatus::Successful, bytes }.to_der()?)
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Responder").field("signer", &self.signer.subject).finish_non_exhaustive()
    }
}

fn single(
    (id, status): &(CertId, OcspStatus),
    (this_update, next_update): (GeneralizedTime, GeneralizedTime),
) -> Result<wire::SingleResponse<'_>, Failure> {
    let (certificate, status) = (AnyRef::try_from(id.der())?, status.to_wire()?);
    Ok(wire::SingleResponse { certificate, status, this_update, next_update })
}

/// The extension that ties an answer to its request: an OCTET STRING in the extension's own (RFC 9654 §2.1).
fn echo(nonce: &[u8]) -> Result<Extensions, der::Error> {
    let value = OctetString::new(OctetStringRef::new(nonce)?.to_der()?)?;
    Ok(vec![Extension { extn_id: wire::NONCE, critical: false, extn_value: value }])
}

/// RFC 5758 §3.2, where the parameters are absent.
fn algorithm(kind: KeyKind) -> ObjectIdentifier {
    match kind {
        KeyKind::P256 => ECDSA_WITH_SHA256,
        KeyKind::P384 => ECDSA_WITH_SHA384,
    }
}

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
