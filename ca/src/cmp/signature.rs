//! Signatures over messages and requests: which algorithms count, and whether one fits.

use der::asn1::ObjectIdentifier;
use openssl::{
    hash::MessageDigest,
    pkey::{Id, PKey, Public},
    sign::Verifier,
};

use super::{message::AlgorithmIdentifier, oid};
use crate::KeyKind;

/// A signature algorithm of RFC 9481 §3, without the ones that nobody should use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ecdsa-with-SHA256.
    EcdsaSha256,
    /// ecdsa-with-SHA384.
    EcdsaSha384,
    /// ecdsa-with-SHA512.
    EcdsaSha512,
    /// sha256WithRSAEncryption.
    RsaSha256,
    /// sha384WithRSAEncryption.
    RsaSha384,
    /// sha512WithRSAEncryption.
    RsaSha512,
    /// Ed25519.
    Ed25519,
}

use SignatureAlgorithm::*;

impl SignatureAlgorithm {
    /// The algorithm of this number, if it is one of them. None of them has parameters that say anything.
    pub(super) fn from_oid(number: ObjectIdentifier) -> Option<SignatureAlgorithm> {
        ALL.into_iter().find(|algorithm| algorithm.oid() == number)
    }

    /// The algorithm of this authority's own keys.
    pub(super) fn of(kind: KeyKind) -> SignatureAlgorithm {
        match kind {
            KeyKind::P256 => EcdsaSha256,
            KeyKind::P384 => EcdsaSha384,
        }
    }

    /// Its number, without parameters: ECDSA must have none (RFC 5758 §3.2).
    pub(super) fn identifier(self) -> AlgorithmIdentifier {
        AlgorithmIdentifier { algorithm: self.oid(), parameters: None }
    }

    fn oid(self) -> ObjectIdentifier {
        match self {
            EcdsaSha256 => oid::ECDSA_SHA256,
            EcdsaSha384 => oid::ECDSA_SHA384,
            EcdsaSha512 => oid::ECDSA_SHA512,
            RsaSha256 => oid::RSA_SHA256,
            RsaSha384 => oid::RSA_SHA384,
            RsaSha512 => oid::RSA_SHA512,
            Ed25519 => oid::ED25519,
        }
    }

    /// The hash inside; for Ed25519 the one that certificates signed with it are confirmed by (RFC 9481 §3.3).
    pub(super) fn digest(self) -> MessageDigest {
        match self {
            EcdsaSha256 | RsaSha256 => MessageDigest::sha256(),
            EcdsaSha384 | RsaSha384 => MessageDigest::sha384(),
            EcdsaSha512 | RsaSha512 | Ed25519 => MessageDigest::sha512(),
        }
    }

    /// Whether the key made the signature over the message with this very algorithm.
    pub(super) fn verify(self, key: &PKey<Public>, message: &[u8], signature: &[u8]) -> bool {
        let kind = match self {
            EcdsaSha256 | EcdsaSha384 | EcdsaSha512 => Id::EC,
            RsaSha256 | RsaSha384 | RsaSha512 => Id::RSA,
            Ed25519 => Id::ED25519,
        };
        let verifier = match self {
            Ed25519 => Verifier::new_without_digest(key),
            _ => Verifier::new(self.digest(), key),
        };
        let verified = verifier.and_then(|mut verifier| verifier.verify_oneshot(signature, message));
        key.id() == kind && verified.unwrap_or(false)
    }
}

const ALL: [SignatureAlgorithm; 7] =
    [EcdsaSha256, EcdsaSha384, EcdsaSha512, RsaSha256, RsaSha384, RsaSha512, Ed25519];

#[cfg(test)]
mod tests {
    use openssl::{rsa::Rsa, sign::Signer};

    use super::*;

    #[test]
    fn a_signature_fits_its_key_its_message_and_its_algorithm_only() {
        let rsa = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
        let edwards = PKey::generate_ed25519().expect("a key");
        let curve = crate::KeyPair::generate(KeyKind::P256).expect("a key").to_openssl().expect("a key");
        for (key, algorithm, other) in
            [(rsa, RsaSha256, RsaSha512), (edwards, Ed25519, EcdsaSha256), (curve, EcdsaSha384, EcdsaSha256)]
        {
            let signer = match algorithm {
                Ed25519 => Signer::new_without_digest(&key),
                _ => Signer::new(algorithm.digest(), &key),
            };
            let signature = signer.and_then(|mut signer| signer.sign_oneshot_to_vec(b"yes")).expect("signed");
            let public =
                key.public_key_to_der().and_then(|der| PKey::public_key_from_der(&der)).expect("a key");
            assert!(algorithm.verify(&public, b"yes", &signature), "{algorithm:?}");
            assert!(!algorithm.verify(&public, b"no", &signature), "{algorithm:?}");
            assert!(!algorithm.verify(&public, b"yes", b""), "{algorithm:?}");
            assert!(!other.verify(&public, b"yes", &signature), "{algorithm:?}");
        }
    }
}
