//! Public keys: which ones are certified, and the exact bytes they came in.

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use openssl::{
    bn::BigNum,
    pkey::{PKey, Public},
};
use rcgen::{KeyUsagePurpose, PublicKeyData};
use sha2::{Digest, Sha256};
use x509_parser::{oid_registry as oid, prelude::FromDer, x509::SubjectPublicKeyInfo};

use crate::{Refusal, certificate::hex, weak_key};

/// A public key that may be certified: P-256, P-384, P-521, Ed25519, or RSA of 2048 to 4096 bits with exponent
/// 65537, in the one DER form that RFC 5480, RFC 8410 and RFC 3279 give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) parts: rcgen::SubjectPublicKeyInfo,
}

/// The kinds of key that are certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) and examines the key.
    ///
    /// The curve is read from the key's own parameters, never from the hash that some signature used: a P-384
    /// key may well sign its request with SHA-256 (rustls/rcgen#448).
    pub fn from_spki(der: &[u8]) -> Result<PublicKey, Refusal> {
        let parts = rcgen::SubjectPublicKeyInfo::from_der(der).map_err(|_| Refusal::Key(KINDS))?;
        // One key has one form; another spelling would give one key two fingerprints.
        if parts.subject_public_key_info() != der {
            return Err(NOT_CANONICAL);
        }
        let kind = Kind::of(der).ok_or(Refusal::Key(KINDS))?;
        kind.examine(der, parts.der_bytes())?;
        Ok(PublicKey { spki: der.to_vec(), kind, parts })
    }

    /// The DER SubjectPublicKeyInfo, byte for byte as it was read.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// How something is encrypted for the key: agreed on with an elliptic curve (RFC 5753), sealed with RSA (RFC 3370
    /// §4.2); nothing for Ed25519, which only signs.
    pub(crate) fn use_for_sealing(&self) -> Option<KeyUsagePurpose> {
        match self.kind {
            kind if kind.is_ecdsa() => Some(KeyUsagePurpose::KeyAgreement),
            Kind::Rsa => Some(KeyUsagePurpose::KeyEncipherment),
            _ => None,
        }
    }

    /// SHA-256 of the SubjectPublicKeyInfo, lower-case hexadecimal; what TLSA `3 1 1` records hold (RFC 6698).
    pub fn spki_sha256(&self) -> String {
        hex(&Sha256::digest(&self.spki))
    }
}

impl Kind {
    /// Whether keys of this kind sign by ECDSA.
    pub(crate) fn is_ecdsa(self) -> bool {
        matches!(self, Kind::P256 | Kind::P384 | Kind::P521)
    }

    /// The kind of a key, told by its own parameters.
    fn of(spki: &[u8]) -> Option<Kind> {
        let (_, read) = SubjectPublicKeyInfo::from_der(spki).ok()?;
        let (kind, curve) = (&read.algorithm.algorithm, || read.algorithm.parameters.as_ref()?.as_oid().ok());
        if *kind == oid::OID_PKCS1_RSAENCRYPTION {
            return Some(Kind::Rsa);
        }
        if *kind == oid::OID_SIG_ED25519 {
            return Some(Kind::Ed25519);
        }
        let curves = [
            (oid::OID_EC_P256, Kind::P256),
            (oid::OID_NIST_EC_P384, Kind::P384),
            (oid::OID_NIST_EC_P521, Kind::P521),
        ];
        let curve = (*kind == oid::OID_KEY_TYPE_EC_PUBLIC_KEY).then(curve)??;
        curves.into_iter().find_map(|(known, kind)| (known == curve).then_some(kind))
    }

    /// Whether the key is sound. OpenSSL reads a key of RSA with all its numbers; points are read an order of magnitude
    /// faster by the library that verifies with them.
    fn examine(self, spki: &[u8], bits: &[u8]) -> Result<(), Refusal> {
        match self {
            Kind::Rsa => rsa(spki),
            Kind::Ed25519 if weak_key::is_of_small_order(bits) => {
                Err(Refusal::Key("anybody can sign for this point"))
            }
            Kind::Ed25519 => lies_on(&signature::ED25519, bits),
            Kind::P256 => elliptic(&signature::ECDSA_P256_SHA256_ASN1, bits),
            Kind::P384 => elliptic(&signature::ECDSA_P384_SHA384_ASN1, bits),
            Kind::P521 => elliptic(&signature::ECDSA_P521_SHA512_ASN1, bits),
        }
    }
}

const KINDS: &str = "only P-256, P-384, P-521, Ed25519 and RSA keys are certified";
const NOT_CANONICAL: Refusal = Refusal::Key("it is not in canonical form");

/// OpenSSL's view of the key; it refuses points that are not on the curve.
pub(crate) fn openssl_key(spki: &[u8]) -> Result<PKey<Public>, Refusal> {
    PKey::public_key_from_der(spki).map_err(|_| Refusal::Key("it is not a valid key of its kind"))
}

fn elliptic(curve: &'static dyn VerificationAlgorithm, point: &[u8]) -> Result<(), Refusal> {
    // RFC 5480 §2.2 makes only the uncompressed form mandatory, and common TLS stacks read no other.
    if point.first() != Some(&4) {
        return Err(Refusal::Key("its point is not in uncompressed form"));
    }
    lies_on(curve, point)
}

/// The hash of the algorithm matters to whoever verifies, not to whether a point is sound.
fn lies_on(curve: &'static dyn VerificationAlgorithm, point: &[u8]) -> Result<(), Refusal> {
    let read = ParsedPublicKey::new(curve, point);
    read.map(drop).map_err(|_| Refusal::Key("its point is not on the curve"))
}

/// Size, exponent and what is known to be weak.
fn rsa(spki: &[u8]) -> Result<(), Refusal> {
    let key = openssl_key(spki)?;
    let broken = |_| Refusal::Key("its numbers cannot be read");
    let rsa = key.rsa().map_err(broken)?;
    if !(2048..=4096).contains(&rsa.n().num_bits()) {
        return Err(Refusal::Key("an RSA key has 2048 to 4096 bits"));
    }
    let f4 = BigNum::from_u32(65537).map_err(broken)?;
    if *rsa.e() != f4 {
        return Err(Refusal::Key("an RSA key has the exponent 65537"));
    }
    if let Some(why) = weak_key::modulus(rsa.n()).map_err(broken)? {
        return Err(Refusal::Key(why));
    }
    // OpenSSL reads several spellings, such as a modulus without its sign octet, and writes one.
    let written = key.public_key_to_der().map_err(broken)?;
    if written == spki { Ok(()) } else { Err(NOT_CANONICAL) }
}

#[cfg(test)]
mod tests {
    use openssl::{bn::MsbOption, rsa::Rsa};

    use super::*;

    fn rsa_key(factor: u32, exponent: u32) -> Vec<u8> {
        let mut modulus = BigNum::new().expect("memory");
        // Two high bits set: the product with a small factor still has at least 2048 bits, and at most 4096.
        modulus.rand(2056, MsbOption::TWO_ONES, true).expect("randomness");
        modulus.mul_word(factor).expect("memory");
        let exponent = BigNum::from_u32(exponent).expect("memory");
        let key = Rsa::from_public_components(modulus, exponent).and_then(PKey::from_rsa);
        key.and_then(|key| key.public_key_to_der()).expect("a key")
    }

    #[test]
    fn an_rsa_modulus_with_a_small_factor_is_refused() {
        for factor in [2, 3, 751] {
            assert_eq!(
                PublicKey::from_spki(&rsa_key(factor, 65537)),
                Err(Refusal::Key("its modulus has a small factor"))
            );
        }
    }

    #[test]
    fn an_rsa_exponent_other_than_65537_is_refused() {
        assert_eq!(
            PublicKey::from_spki(&rsa_key(1, 3)),
            Err(Refusal::Key("an RSA key has the exponent 65537"))
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bytes in [&b""[..], b"0", b"\x30\x00", b"\x30\x80\x00\x00"] {
            assert_eq!(PublicKey::from_spki(bytes), Err(Refusal::Key(KINDS)));
        }
    }
}
