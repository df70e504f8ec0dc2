//! The log's key: what the others know of a log before it tells them anything.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::{
    error::ErrorStack,
    hash::MessageDigest,
    sign::{Signer, Verifier},
};
use sha2::{Digest, Sha256};

use super::{LogRefusal, Origin};
use crate::{Failure, KeyPair, PublicKey, public_key::openssl_key};

/// The name of a log and the public key that its checkpoints are verified with. The key signs for no other log, and
/// nothing but checkpoints.
///
/// As a text it is one line, `NAME+KEYID+BASE64`, which witnesses and other tools read as a verifier key (C2SP
/// signed-note); the base64 holds a byte for the kind of signature, then the SubjectPublicKeyInfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey {
    origin: Origin,
    key: PublicKey,
}

impl LogKey {
    /// A log signs by ECDSA on P-256, P-384 or P-521; other keys are refused.
    pub fn new(origin: Origin, key: PublicKey) -> Result<LogKey, LogRefusal> {
        let wrong = LogRefusal::Malformed("the key of a log is an elliptic-curve one");
        if key.kind.is_ecdsa() { Ok(LogKey { origin, key }) } else { Err(wrong) }
    }

    /// The name.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// What a signature line names the key by, together with the log's name.
    pub(super) fn id(&self) -> [u8; 4] {
        key_id(&self.key)
    }

    /// Whether the key made the signature.
    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let judge = || -> Result<bool, ErrorStack> {
            let Ok(key) = openssl_key(self.key.spki_der()) else { return Ok(false) };
            Verifier::new(MessageDigest::sha256(), &key)?.verify_oneshot(signature, text.as_bytes())
        };
        // What OpenSSL cannot read as a signature is none.
        judge().unwrap_or(false)
    }
}

/// Signs by ECDSA with SHA-256 whatever the curve (C2SP signed-note, signature type 2): the identifier of the key, and
/// the signature in DER, as `openssl dgst -sha256 -verify` wants it.
pub(super) fn sign(key: &KeyPair, text: &str) -> Result<([u8; 4], Vec<u8>), Failure> {
    let private = key.to_openssl()?;
    let signature = Signer::new(MessageDigest::sha256(), &private)?.sign_oneshot_to_vec(text.as_bytes())?;
    Ok((key_id(&key.public_key()?), signature))
}

/// Of keys that sign by ECDSA the identifier is a hash of the SubjectPublicKeyInfo alone, without the name and the kind
/// of signature that other kinds mix in.
fn key_id(key: &PublicKey) -> [u8; 4] {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(key.spki_der()));
    [a, b, c, d]
}

impl FromStr for LogKey {
    type Err = LogRefusal;

    fn from_str(text: &str) -> Result<LogKey, LogRefusal> {
        let malformed = LogRefusal::Malformed("the key of a log is `NAME+KEYID+BASE64`");
        // The name has no plus, base64 may have some.
        let mut parts = text.splitn(3, '+');
        let (Some(origin), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed);
        };
        let bytes = STANDARD.decode(key).map_err(|_| malformed)?;
        let Some((&ECDSA, spki)) = bytes.split_first() else { return Err(malformed) };
        let key = PublicKey::from_spki(spki).map_err(|_| malformed)?;
        let log = LogKey::new(origin.parse()?, key)?;
        // The identifier, and whatever else could be spelled in two ways.
        if log.to_string() == text { Ok(log) } else { Err(malformed) }
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ECDSA], self.key.spki_der()].concat());
        write!(out, "{}+{:08x}+{key}", self.origin, u32::from_be_bytes(self.id()))
    }
}

/// The kind of signature (C2SP signed-note).
const ECDSA: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyKind;

    fn log(kind: KeyKind) -> LogKey {
        let key = KeyPair::generate(kind).and_then(|key| key.public_key()).expect("a key");
        LogKey::new("pki.corp.example/log".parse().expect("a name"), key).expect("a log")
    }

    #[test]
    fn a_log_survives_its_text_and_no_other_text_is_a_log() {
        for kind in [KeyKind::P256, KeyKind::P384] {
            let log = log(kind);
            let text = log.to_string();
            assert_eq!(text.parse(), Ok(log));
            for place in 0..text.len() {
                let mut other = text.clone().into_bytes();
                // In the name every letter may be another one.
                other[place] ^= if place < 20 { 0x80 } else { 1 };
                let other = String::from_utf8_lossy(&other);
                assert!(other.parse::<LogKey>().is_err(), "{other}");
            }
            assert!(text.to_uppercase().parse::<LogKey>().is_err());
            assert!(text[..text.len() - 4].parse::<LogKey>().is_err());
        }
        assert!("".parse::<LogKey>().is_err());
        assert!("a+b+".parse::<LogKey>().is_err());
    }
}
