//! Public keys that accounts sign with: reading them strictly, and checking what they signed.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

/// What stands before the point of a P-256 key in uncompressed form (RFC 5480 section 2.2). One key has one spelling, or
/// it would have two ids.
const P256: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
/// What stands before an Ed25519 key (RFC 8410 section 4).
const ED: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// A sound Ed25519 key that nobody registers: what is checked where the named key is unknown, so that it takes as long.
/// It is the base point of the curve (RFC 8032 section 5.1).
pub(crate) const NOBODYS: &[u8] =
    b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x58\x66\x66\x66\x66\x66\x66\x66\
    \x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66";

/// A key of a kind that is registered here.
pub(crate) struct PublicKey {
    kind: Kind,
    spki: Vec<u8>,
    key: ParsedPublicKey,
}

/// The algorithm that a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ECDSA with SHA-256, signatures in DER (RFC 3279 section 2.2.3).
    P256,
    /// Signatures of 64 bytes (RFC 8032).
    Ed25519,
}

/// Why it is no key to register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAKey {
    #[error("there is no public key in it: give PEM with BEGIN PUBLIC KEY (`openssl pkey -in KEY -pubout`)")]
    Absent,
    #[error("only P-256 keys (with the point uncompressed) and Ed25519 keys sign in")]
    Kind,
    #[error("it is not a valid key of its kind")]
    Invalid,
}

impl PublicKey {
    /// Reads the first public key of a PEM text (RFC 7468 section 13).
    pub(crate) fn from_pem(text: &str) -> Result<Self, NotAKey> {
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| NotAKey::Absent)?;
        Self::from_spki(&spki)
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    pub(crate) fn from_spki(spki: &[u8]) -> Result<Self, NotAKey> {
        let (kind, bits) = match (spki.strip_prefix(P256), spki.strip_prefix(ED)) {
            (Some(point), _) if point.len() == 65 && point.first() == Some(&4) => (Kind::P256, point),
            (_, Some(bits)) if bits.len() == 32 => (Kind::Ed25519, bits),
            _ => return Err(NotAKey::Kind),
        };
        let key = ParsedPublicKey::new(kind.algorithm(), bits).map_err(|_| NotAKey::Invalid)?;
        Ok(Self { kind, spki: spki.to_vec(), key })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The SubjectPublicKeyInfo in DER.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Whether this key signed the message.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl Kind {
    /// As lists show it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::P256 => "P-256",
            Kind::Ed25519 => "Ed25519",
        }
    }

    fn algorithm(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Kind::P256 => &ECDSA_P256_SHA256_ASN1,
            Kind::Ed25519 => &ED25519,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

    use super::*;

    fn p256() -> (EcdsaKeyPair, Vec<u8>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        (pair, spki)
    }

    fn ed25519() -> (Ed25519KeyPair, Vec<u8>) {
        let pair = Ed25519KeyPair::generate().unwrap();
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        (pair, spki)
    }

    #[test]
    fn what_a_key_signed_is_known_as_its_own() {
        let (pair, spki) = p256();
        let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
        let key = PublicKey::from_spki(&spki).unwrap();
        assert_eq!((key.kind(), key.spki()), (Kind::P256, &spki[..]));
        assert!(key.signed(b"message", signature.as_ref()));
        assert!(!key.signed(b"another", signature.as_ref()) && !key.signed(b"message", b""));

        let (pair, spki) = ed25519();
        let key = PublicKey::from_spki(&spki).unwrap();
        assert_eq!((key.kind(), key.spki()), (Kind::Ed25519, &spki[..]));
        assert!(key.signed(b"message", pair.sign(b"message").as_ref()));
        assert!(!key.signed(b"message", signature.as_ref()), "somebody else's, of another kind");
    }

    #[test]
    fn nobodys_key_is_sound() {
        assert_eq!(PublicKey::from_spki(NOBODYS).ok().map(|key| key.kind()), Some(Kind::Ed25519));
    }

    #[test]
    fn one_key_has_one_spelling() {
        let refused = |spki: &[u8]| PublicKey::from_spki(spki).err();
        let (_, good) = p256();
        assert_eq!(refused(&good), None);
        for cut in 0..good.len() {
            assert_eq!(refused(&good[..cut]), Some(NotAKey::Kind), "{cut} bytes");
        }
        assert_eq!(refused(&[&good[..], &[0]].concat()), Some(NotAKey::Kind));
        let mut compressed = [P256, &[2], &good[27..59]].concat();
        assert_eq!(refused(&compressed), Some(NotAKey::Kind));
        (compressed[1], compressed[24]) = (0x39, 0x22);
        assert_eq!(refused(&compressed), Some(NotAKey::Kind));
        let beside_the_curve = [P256, &[4], &[7; 64]].concat();
        assert_eq!(refused(&beside_the_curve), Some(NotAKey::Invalid));
    }

    #[test]
    fn pem_may_have_words_around_it_but_not_a_private_key_in_it() {
        let (_, spki) = ed25519();
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &spki);
        let armoured = |label: &str| {
            format!("alice's telephone\n-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
        };
        assert_eq!(PublicKey::from_pem(&armoured("PUBLIC KEY")).ok().unwrap().spki(), spki);
        for text in
            ["", "alice", &armoured("PRIVATE KEY"), "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----"]
        {
            assert_eq!(PublicKey::from_pem(text).err(), Some(NotAKey::Absent), "{text}");
        }
    }
}
