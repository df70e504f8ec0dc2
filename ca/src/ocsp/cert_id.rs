//! How a client names a certificate: by hashes of its issuer's name and key, and by its serial (RFC 6960 §4.1.1).

use der::{
    Decode, Encode,
    asn1::{AnyRef, IntRef, ObjectIdentifier, OctetStringRef},
};
use openssl::hash::{MessageDigest, hash};
use x509_cert::spki::AlgorithmIdentifierRef;

use super::wire;
use crate::{
    Certificate, Failure, Serial,
    certificate::{parse_x509, serial},
};

/// A certificate as a client names it. An answer repeats it byte for byte, for there are clients that compare bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertId {
    der: Vec<u8>,
    issuer: IssuerHash,
    serial: Option<Serial>,
}

impl CertId {
    /// Names a certificate as most clients do, with SHA-1: for answers signed before anybody asks, or stapled.
    pub fn of(issuer: &Certificate, serial: Serial) -> Result<CertId, Failure> {
        let issuer = IssuerHash::new(issuer, SHA_1, MessageDigest::sha1())?;
        let named = wire::CertId {
            algorithm: AlgorithmIdentifierRef { oid: SHA_1, parameters: Some(AnyRef::NULL) },
            name: OctetStringRef::new(&issuer.name)?,
            key: OctetStringRef::new(&issuer.key)?,
            serial: IntRef::new(serial.as_bytes())?,
        };
        Ok(CertId { der: named.to_der()?, issuer, serial: Some(serial) })
    }

    /// The serial, when it has the form of this craft's serials. A certificate with another was not issued here.
    pub fn serial(&self) -> Option<Serial> {
        self.serial
    }

    /// Whether it is named as this authority's, under SHA-1, SHA-256, SHA-384 or SHA-512.
    pub fn is_of(&self, issuer: &Certificate) -> Result<bool, Failure> {
        Ok(IssuerHash::all(issuer)?.contains(&self.issuer))
    }

    /// The DER as the client wrote it.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Takes a client's name for a certificate apart. `None` when it is no CertID, or holds an impossible serial.
    pub(super) fn read(raw: AnyRef<'_>) -> Option<CertId> {
        // DER has one spelling for each value, so writing again what was read gives the bytes that came.
        let der = raw.to_der().ok()?;
        let named = wire::CertId::from_der(&der).ok()?;
        let issuer = IssuerHash {
            algorithm: named.algorithm.oid,
            name: named.name.as_bytes().to_vec(),
            key: named.key.as_bytes().to_vec(),
        };
        let number = named.serial.as_bytes();
        let serial = serial(number);
        (number.len() <= MOST_SERIAL).then_some(CertId { der, issuer, serial })
    }

    pub(super) fn issuer(&self) -> &IssuerHash {
        &self.issuer
    }
}

/// An issuer as one hash function shows it. Two of different functions are never alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct IssuerHash {
    algorithm: ObjectIdentifier,
    name: Vec<u8>,
    key: Vec<u8>,
}

impl IssuerHash {
    /// The issuer under every hash function by which clients may name it.
    pub(super) fn all(issuer: &Certificate) -> Result<Vec<IssuerHash>, Failure> {
        let functions = [
            (SHA_1, MessageDigest::sha1()),
            (SHA_256, MessageDigest::sha256()),
            (SHA_384, MessageDigest::sha384()),
            (SHA_512, MessageDigest::sha512()),
        ];
        functions.into_iter().map(|(algorithm, digest)| IssuerHash::new(issuer, algorithm, digest)).collect()
    }

    fn new(
        issuer: &Certificate,
        algorithm: ObjectIdentifier,
        digest: MessageDigest,
    ) -> Result<IssuerHash, Failure> {
        let name = hash(digest, parse_x509(issuer.der())?.subject().as_raw())?.to_vec();
        Ok(IssuerHash { algorithm, name, key: key_hash(issuer, digest)? })
    }
}

/// The hash of a certificate's public key, of the bits alone without tag and length (RFC 6960 §4.1.1).
pub(super) fn key_hash(certificate: &Certificate, digest: MessageDigest) -> Result<Vec<u8>, Failure> {
    let x509 = parse_x509(certificate.der())?;
    Ok(hash(digest, &x509.public_key().subject_public_key.data)?.to_vec())
}

/// 20 octets (RFC 5280 §4.1.2.2), and one for the sign.
const MOST_SERIAL: usize = 21;
/// RFC 3279 §2.1; here it hides nothing and proves nothing, it only points.
const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
/// RFC 5754 §2, as the next two.
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
