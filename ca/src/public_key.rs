//! Public keys: which ones are certified, and the exact bytes they came in.

use openssl::{
    bn::BigNum,
    pkey::{Id, PKey, Public},
};
use rcgen::{KeyUsagePurpose, PublicKeyData};
use sha2::{Digest, Sha256};

use crate::{Refusal, certificate::hex, weak_key};

/// A public key that may be certified: P-256, P-384, P-521, Ed25519, or RSA of 2048 to 4096 bits with exponent
/// 65537, in the one DER form that RFC 5480, RFC 8410 and RFC 3279 give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    pub(crate) parts: rcgen::SubjectPublicKeyInfo,
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) and examines the key.
    ///
    /// The curve is read from the key's own parameters, never from the hash that some signature used: a P-384
    /// key may well sign its request with SHA-256 (rustls/rcgen#448).
    pub fn from_spki(der: &[u8]) -> Result<PublicKey, Refusal> {
        let parts = rcgen::SubjectPublicKeyInfo::from_der(der).map_err(|_| Refusal::Key(KINDS))?;
        let key = openssl_key(der)?;
        examine(&key, parts.der_bytes())?;
        // One key has one form; another spelling would give one key two fingerprints. OpenSSL reads several, such as a
        // modulus without its sign octet, and writes one.
        let written = key.public_key_to_der().map_err(|_| Refusal::Key(KINDS))?;
        if parts.subject_public_key_info() != der || written != der {
            return Err(Refusal::Key("it is not in canonical form"));
        }
        Ok(PublicKey { spki: der.to_vec(), parts })
    }

    /// The DER SubjectPublicKeyInfo, byte for byte as it was read.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// How something is encrypted for the key: agreed on with an elliptic curve (RFC 5753), sealed with RSA (RFC 3370
    /// §4.2); nothing for Ed25519, which only signs.
    pub(crate) fn use_for_sealing(&self) -> Option<KeyUsagePurpose> {
        match openssl_key(&self.spki).ok()?.id() {
            Id::EC => Some(KeyUsagePurpose::KeyAgreement),
            Id::RSA => Some(KeyUsagePurpose::KeyEncipherment),
            _ => None,
        }
    }

    /// SHA-256 of the SubjectPublicKeyInfo, lower-case hexadecimal; what TLSA `3 1 1` records hold (RFC 6698).
    pub fn spki_sha256(&self) -> String {
        hex(&Sha256::digest(&self.spki))
    }
}

const KINDS: &str = "only P-256, P-384, P-521, Ed25519 and RSA keys are certified";

/// OpenSSL's view of the key; it refuses points that are not on the curve.
pub(crate) fn openssl_key(spki: &[u8]) -> Result<PKey<Public>, Refusal> {
    PKey::public_key_from_der(spki).map_err(|_| Refusal::Key("it is not a valid key of its kind"))
}

fn examine(key: &PKey<Public>, bits: &[u8]) -> Result<(), Refusal> {
    match key.id() {
        Id::RSA => rsa(key),
        Id::EC => elliptic(key, bits),
        Id::ED25519 if weak_key::is_of_small_order(bits) => {
            Err(Refusal::Key("anybody can sign for this point"))
        }
        Id::ED25519 => Ok(()),
        _ => Err(Refusal::Key(KINDS)),
    }
}

fn elliptic(key: &PKey<Public>, bits: &[u8]) -> Result<(), Refusal> {
    // RFC 5480 §2.2 makes only the uncompressed form mandatory, and common TLS stacks read no other.
    if bits.first() != Some(&4) {
        return Err(Refusal::Key("its point is not in uncompressed form"));
    }
    let sound = key.ec_key().and_then(|key| key.check_key());
    sound.map_err(|_| Refusal::Key("its point is not on the curve"))
}

/// Size, exponent and what is known to be weak.
fn rsa(key: &PKey<Public>) -> Result<(), Refusal> {
    let broken = |_| Refusal::Key("its numbers cannot be read");
    let rsa = key.rsa().map_err(broken)?;
    if !(2048..=4096).contains(&rsa.n().num_bits()) {
        return Err(Refusal::Key("an RSA key has 2048 to 4096 bits"));
    }
    let f4 = BigNum::from_u32(65537).map_err(broken)?;
    if *rsa.e() != f4 {
        return Err(Refusal::Key("an RSA key has the exponent 65537"));
    }
    weak_key::modulus(rsa.n()).map_err(broken)?.map_or(Ok(()), |why| Err(Refusal::Key(why)))
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
