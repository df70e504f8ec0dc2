//! Private keys: made, sealed with a passphrase, opened again, and wiped when no longer needed.

use std::fmt;

use openssl::{
    nid::Nid,
    pkey::{PKey, Private},
    symm::Cipher,
};
use rcgen::{PublicKeyData, SignatureAlgorithm};
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::{Zeroize, Zeroizing};

use crate::{Failure, PublicKey, der, pem};

/// Which curve a private key is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// NIST P-256, signs with SHA-256: devices and servers.
    P256,
    /// NIST P-384, signs with SHA-384: authorities.
    P384,
}

/// An elliptic-curve private key. It cannot be copied or printed, and its bytes are wiped when it is dropped.
pub struct KeyPair {
    kind: KeyKind,
    key: rcgen::KeyPair,
}

impl KeyPair {
    /// Makes a new key.
    pub fn generate(kind: KeyKind) -> Result<KeyPair, Failure> {
        Ok(KeyPair { kind, key: rcgen::KeyPair::generate_for(kind.algorithm())? })
    }

    /// Reads an unencrypted `PRIVATE KEY` block (PKCS#8, RFC 5208).
    pub fn from_pkcs8_pem(text: &str) -> Result<KeyPair, Failure> {
        let der = pem::first(text, "PRIVATE KEY").ok_or(Failure::Key("there is no PKCS#8 PEM block"))?;
        let key = PKey::private_key_from_pkcs8(&der).map_err(|_| Failure::Key("it is not PKCS#8"))?;
        KeyPair::from_openssl(&key)
    }

    /// Opens what [`seal`](Self::seal) made, or any `ENCRYPTED PRIVATE KEY` that OpenSSL can open.
    pub fn open(text: &str, passphrase: &[u8]) -> Result<KeyPair, Failure> {
        let der = pem::first(text, SEALED).ok_or(Failure::Key("there is no encrypted PKCS#8 PEM block"))?;
        check_passphrase(passphrase)?;
        // The variant that takes the passphrase as an argument panics on a NUL byte; this one does not.
        let key = PKey::private_key_from_pkcs8_callback(&der, |buffer| {
            let Some(room) = buffer.get_mut(..passphrase.len()) else { return Ok(0) };
            room.copy_from_slice(passphrase);
            Ok(passphrase.len())
        });
        KeyPair::from_openssl(&key.map_err(|_| Failure::Passphrase)?)
    }

    /// Encrypts the key as an `ENCRYPTED PRIVATE KEY` block: PBES2 with scrypt and AES-256-CBC (RFC 8018, RFC 7914).
    ///
    /// The passphrase is 1 to 1024 arbitrary bytes. Opening takes about 50 ms and 16 MB of memory: enough against
    /// guessing for a random credential, too little for a word that a person remembers.
    pub fn seal(&self, passphrase: &[u8]) -> Result<String, Failure> {
        check_passphrase(passphrase)?;
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        getrandom::fill(&mut salt)?;
        getrandom::fill(&mut iv)?;
        let mut secret = Zeroizing::new([0; 32]);
        openssl::pkcs5::scrypt(
            passphrase,
            &salt,
            COST.into(),
            BLOCK.into(),
            LANES.into(),
            MEMORY,
            &mut secret[..],
        )?;
        let sealed =
            openssl::symm::encrypt(Cipher::aes_256_cbc(), &secret[..], Some(&iv), self.key.serialized_der())?;
        Ok(pem::encode(SEALED, &pbes2(&salt, &iv, &sealed)))
    }

    /// The key as an unencrypted PKCS#8 `PRIVATE KEY` block, as MQTT clients want it.
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem::encode("PRIVATE KEY", self.key.serialized_der()))
    }

    /// The key as PKCS#8 DER, as TLS libraries want it.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.key.serialized_der().to_vec())
    }

    /// The public half.
    pub fn public_key(&self) -> Result<PublicKey, Failure> {
        PublicKey::from_spki(&self.key.subject_public_key_info())
            .map_err(|_| Failure::Key("its public half is unsound"))
    }

    /// The curve.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(crate) fn to_openssl(&self) -> Result<PKey<Private>, Failure> {
        Ok(PKey::private_key_from_pkcs8(self.key.serialized_der())?)
    }

    fn from_openssl(key: &PKey<Private>) -> Result<KeyPair, Failure> {
        let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
        let kind = match curve {
            Some(Nid::X9_62_PRIME256V1) => KeyKind::P256,
            Some(Nid::SECP384R1) => KeyKind::P384,
            _ => return Err(Failure::Key("it is neither P-256 nor P-384")),
        };
        let der = Zeroizing::new(key.private_key_to_pkcs8()?);
        let der = PrivatePkcs8KeyDer::from(der.as_slice());
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, kind.algorithm())?;
        Ok(KeyPair { kind, key })
    }
}

impl KeyKind {
    pub(crate) fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            KeyKind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyKind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        }
    }
}

impl Drop for KeyPair {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KeyPair").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl PublicKeyData for KeyPair {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.kind.algorithm()
    }
}

impl rcgen::SigningKey for KeyPair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        rcgen::SigningKey::sign(&self.key, message)
    }
}

/// The AlgorithmIdentifier of what an authority's key signs, in DER.
pub(crate) fn signature_algorithm(key: &impl PublicKeyData) -> Vec<u8> {
    let p384 = key.algorithm() == KeyKind::P384.algorithm();
    let algorithm = if p384 { ECDSA_WITH_SHA384 } else { ECDSA_WITH_SHA256 };
    der::value(der::SEQUENCE, &[&der::value(der::OID, &[algorithm])])
}

fn check_passphrase(passphrase: &[u8]) -> Result<(), Failure> {
    // OpenSSL hands its callback a buffer of 1024 bytes.
    if (1..=1024).contains(&passphrase.len()) { Ok(()) } else { Err(Failure::Passphrase) }
}

/// EncryptedPrivateKeyInfo (RFC 5958 §3) by hand: the binding that writes one knows only PBKDF2 with 2048 rounds.
fn pbes2(salt: &[u8], iv: &[u8], sealed: &[u8]) -> Vec<u8> {
    let cost = [der::integer(COST), der::integer(BLOCK), der::integer(LANES)].concat();
    let scrypt = der::value(der::SEQUENCE, &[&der::value(der::OCTETS, &[salt]), &cost]);
    let derivation = der::value(der::SEQUENCE, &[&der::value(der::OID, &[ID_SCRYPT]), &scrypt]);
    let cipher =
        der::value(der::SEQUENCE, &[&der::value(der::OID, &[AES_256_CBC]), &der::value(der::OCTETS, &[iv])]);
    let scheme = der::value(der::SEQUENCE, &[&derivation, &cipher]);
    let algorithm = der::value(der::SEQUENCE, &[&der::value(der::OID, &[ID_PBES2]), &scheme]);
    der::value(der::SEQUENCE, &[&algorithm, &der::value(der::OCTETS, &[sealed])])
}

const SEALED: &str = "ENCRYPTED PRIVATE KEY";
/// scrypt's N, r and p (RFC 7914 §2), the ones of `openssl pkcs8 -scrypt`; OpenSSL opens no more than 32 MB.
const COST: u32 = 16384;
const BLOCK: u32 = 8;
const LANES: u32 = 1;
const MEMORY: u64 = 32 * 1024 * 1024;
/// 1.2.840.10045.4.3.2 and .3 (RFC 5758 §3.2).
const ECDSA_WITH_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
const ECDSA_WITH_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03];
/// 1.2.840.113549.1.5.13 (RFC 8018 §A.4).
const ID_PBES2: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, 0x0D];
/// 1.3.6.1.4.1.11591.4.11 (RFC 7914 §7).
const ID_SCRYPT: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x04, 0x0B];
/// 2.16.840.1.101.3.4.1.42 (RFC 3565 §4.1).
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2A];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_with_its_passphrase_only() {
        for kind in [KeyKind::P256, KeyKind::P384] {
            let key = KeyPair::generate(kind).expect("sound");
            // A NUL and a byte that is not UTF-8: credentials are bytes, not text.
            let sealed = key.seal(b"s\0e\xFFcret").expect("sound");
            let again = KeyPair::open(&sealed, b"s\0e\xFFcret").expect("sound");
            assert_eq!(again.kind(), kind);
            assert_eq!(again.public_key().expect("sound"), key.public_key().expect("sound"));
            assert!(matches!(KeyPair::open(&sealed, b"s\0e\xFFcreT"), Err(Failure::Passphrase)));
            assert!(matches!(KeyPair::open(&sealed, b"s"), Err(Failure::Passphrase)));
        }
    }

    #[test]
    fn a_passphrase_is_1_to_1024_bytes() {
        let key = KeyPair::generate(KeyKind::P256).expect("sound");
        assert!(matches!(key.seal(b""), Err(Failure::Passphrase)));
        assert!(matches!(key.seal(&[7; 1025]), Err(Failure::Passphrase)));
        let sealed = key.seal(&[7; 1024]).expect("sound");
        assert!(KeyPair::open(&sealed, &[7; 1024]).is_ok());
        assert!(matches!(KeyPair::open(&sealed, b""), Err(Failure::Passphrase)));
    }

    #[test]
    fn a_key_never_prints_itself() {
        let key = KeyPair::generate(KeyKind::P256).expect("sound");
        assert_eq!(format!("{key:?}"), "KeyPair { kind: P256, .. }");
    }

    #[test]
    fn a_plain_key_comes_back() {
        let key = KeyPair::generate(KeyKind::P384).expect("sound");
        let again = KeyPair::from_pkcs8_pem(&key.to_pkcs8_pem()).expect("sound");
        assert_eq!(again.public_key().expect("sound"), key.public_key().expect("sound"));
        assert!(matches!(KeyPair::from_pkcs8_pem("nothing"), Err(Failure::Key(_))));
    }
}
