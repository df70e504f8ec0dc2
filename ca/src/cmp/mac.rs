//! Protection by a shared secret: PasswordBasedMac (RFC 4211 §4.4) and PBMAC1 (RFC 8018 §7.1), in bounded work.

use der::{Any, Decode, Encode, Sequence, asn1::OctetString};
use openssl::{hash::Hasher, pkcs5::pbkdf2_hmac, pkey::PKey, sign::Signer};
use zeroize::Zeroizing;

use super::{
    FailureInfo, Objection,
    digest::{hash, hmac},
    message::AlgorithmIdentifier,
    oid::{self, PASSWORD_BASED_MAC, PBKDF2, PBMAC1},
};
use crate::Failure;

/// How a message was protected with a secret: algorithms, salt and number of rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mac {
    derivation: Derivation,
    salt: Vec<u8>,
    rounds: u32,
    mac: AlgorithmIdentifier,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Derivation {
    /// The hash of secret and salt, hashed again and again.
    PasswordBased(AlgorithmIdentifier),
    /// PBKDF2 with an HMAC, and the length of the key.
    Pbkdf2(AlgorithmIdentifier, usize),
}

impl Mac {
    /// Reads a protection algorithm, if it is one with a secret.
    ///
    /// Fewer than 100 rounds are refused (RFC 4211 §4.4), and so are more than 100,000: the other side chooses how
    /// much work its message makes, before it has proven anything.
    pub(super) fn read(algorithm: &AlgorithmIdentifier) -> Option<Result<Mac, Objection>> {
        let read = match algorithm.algorithm {
            PASSWORD_BASED_MAC => password_based,
            PBMAC1 => pbmac1,
            _ => return None,
        };
        let parameters = algorithm.parameters.clone().unwrap_or_else(Any::null);
        let mac = read(&parameters).ok_or_else(|| bad("its parameters cannot be read or name no known hash"));
        Some(mac.and_then(Mac::bounded))
    }

    /// The same algorithms and rounds with another salt, for the answer.
    pub(super) fn with_salt(&self, salt: [u8; 16]) -> Mac {
        Mac { salt: salt.to_vec(), ..self.clone() }
    }

    /// How the other side is told what it needs to verify.
    pub(super) fn identifier(&self) -> Result<AlgorithmIdentifier, Failure> {
        let salt = OctetString::new(self.salt.as_slice())?;
        let (algorithm, parameters) = match &self.derivation {
            Derivation::PasswordBased(owf) => {
                let parameters = PbmParameter {
                    salt,
                    owf: owf.clone(),
                    iteration_count: self.rounds,
                    mac: self.mac.clone(),
                };
                (PASSWORD_BASED_MAC, parameters.to_der()?)
            }
            Derivation::Pbkdf2(prf, length) => {
                let parameters = Pbkdf2Params {
                    salt,
                    iteration_count: self.rounds,
                    key_length: u16::try_from(*length).ok(),
                    // The default is left out (X.690 §11.5).
                    prf: (prf.algorithm != oid::HMAC_SHA1).then(|| prf.clone()),
                };
                let parameters = Any::from_der(&parameters.to_der()?)?;
                let derivation = AlgorithmIdentifier { algorithm: PBKDF2, parameters: Some(parameters) };
                let scheme = self.mac.clone();
                (PBMAC1, Pbmac1Params { derivation, scheme }.to_der()?)
            }
        };
        Ok(AlgorithmIdentifier { algorithm, parameters: Some(Any::from_der(&parameters)?) })
    }

    /// The MAC of the bytes under the secret.
    pub(super) fn compute(&self, secret: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let key = PKey::hmac(&self.key(secret)?)?;
        let digest = hmac(&self.mac).ok_or(Failure::Key("its MAC algorithm is unknown"))?;
        Ok(Signer::new(digest, &key)?.sign_oneshot_to_vec(bytes)?)
    }

    /// Whether the MAC fits; the comparison takes the same time wherever the two differ.
    pub(super) fn verify(&self, secret: &[u8], bytes: &[u8], mac: &[u8]) -> bool {
        let own = self.compute(secret, bytes).unwrap_or_default();
        !own.is_empty() && own.len() == mac.len() && openssl::memcmp::eq(&own, mac)
    }

    fn key(&self, secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match &self.derivation {
            Derivation::PasswordBased(owf) => {
                let digest = hash(owf).ok_or(Failure::Key("its hash is unknown"))?;
                let mut hasher = Hasher::new(digest)?;
                let mut key = Zeroizing::new([secret, &self.salt].concat());
                for _ in 0..self.rounds {
                    hasher.update(&key)?;
                    key = Zeroizing::new(hasher.finish()?.to_vec());
                }
                Ok(key)
            }
            Derivation::Pbkdf2(prf, length) => {
                let digest = hmac(prf).ok_or(Failure::Key("its hash is unknown"))?;
                let mut key = Zeroizing::new(vec![0; *length]);
                pbkdf2_hmac(secret, &self.salt, self.rounds as usize, digest, &mut key)?;
                Ok(key)
            }
        }
    }

    fn bounded(self) -> Result<Mac, Objection> {
        if !(FEWEST_ROUNDS..=MOST_ROUNDS).contains(&self.rounds) {
            return Err(bad(&format!(
                "it takes {FEWEST_ROUNDS} to {MOST_ROUNDS} rounds, not {}",
                self.rounds
            )));
        }
        if self.salt.is_empty() || self.salt.len() > LONGEST_SALT {
            return Err(bad(&format!("its salt has 1 to {LONGEST_SALT} octets")));
        }
        Ok(self)
    }
}

fn password_based(parameters: &Any) -> Option<Mac> {
    let PbmParameter { salt, owf, iteration_count, mac } = parameters.decode_as().ok()?;
    hash(&owf).and(hmac(&mac))?;
    let derivation = Derivation::PasswordBased(owf);
    Some(Mac { derivation, salt: salt.as_bytes().to_vec(), rounds: iteration_count, mac })
}

fn pbmac1(parameters: &Any) -> Option<Mac> {
    let Pbmac1Params { derivation, scheme } = parameters.decode_as().ok()?;
    let pbkdf2 = (derivation.algorithm == PBKDF2).then_some(derivation.parameters?)?;
    let Pbkdf2Params { salt, iteration_count, key_length, prf } = pbkdf2.decode_as().ok()?;
    let prf = prf.unwrap_or(AlgorithmIdentifier { algorithm: oid::HMAC_SHA1, parameters: Some(Any::null()) });
    let digest = hmac(&scheme)?;
    hmac(&prf)?;
    // Without a length the key is as long as the MAC (RFC 9481 §6.1.2 wants it no shorter).
    let length = key_length.map_or(digest.size(), usize::from);
    let derivation = (16..=128).contains(&length).then_some(Derivation::Pbkdf2(prf, length))?;
    Some(Mac { derivation, salt: salt.as_bytes().to_vec(), rounds: iteration_count, mac: scheme })
}

fn bad(why: &str) -> Objection {
    Objection::new(FailureInfo::BadAlg, format!("the message's MAC is not accepted: {why}"))
}

/// PBMParameter (RFC 4211 §4.4).
#[derive(Clone, Debug, Sequence)]
struct PbmParameter {
    salt: OctetString,
    owf: AlgorithmIdentifier,
    iteration_count: u32,
    mac: AlgorithmIdentifier,
}

/// PBMAC1-params (RFC 8018 §A.5).
#[derive(Clone, Debug, Sequence)]
struct Pbmac1Params {
    derivation: AlgorithmIdentifier,
    scheme: AlgorithmIdentifier,
}

/// PBKDF2-params (RFC 8018 §A.2) with the salt in place.
#[derive(Clone, Debug, Sequence)]
struct Pbkdf2Params {
    salt: OctetString,
    iteration_count: u32,
    key_length: Option<u16>,
    prf: Option<AlgorithmIdentifier>,
}

const FEWEST_ROUNDS: u32 = 100;
const MOST_ROUNDS: u32 = 100_000;
const LONGEST_SALT: usize = 128;

#[cfg(test)]
mod tests {
    use der::asn1::ObjectIdentifier;
    use proptest::prelude::*;

    use super::*;

    const HASHES: [ObjectIdentifier; 4] = [oid::SHA1, oid::SHA256, oid::SHA384, oid::SHA512];
    const HMACS: [ObjectIdentifier; 5] =
        [oid::HMAC_SHA1, oid::HMAC_SHA1_OLD, oid::HMAC_SHA256, oid::HMAC_SHA384, oid::HMAC_SHA512];

    fn algorithm(algorithm: ObjectIdentifier) -> AlgorithmIdentifier {
        AlgorithmIdentifier { algorithm, parameters: Some(Any::null()) }
    }

    fn mac(pbkdf2: bool, hash: usize, hmac: usize, rounds: u32) -> Mac {
        let derivation = match pbkdf2 {
            true => Derivation::Pbkdf2(algorithm(HMACS[hash]), 32),
            false => Derivation::PasswordBased(algorithm(HASHES[hash])),
        };
        Mac { derivation, salt: vec![7; 16], rounds, mac: algorithm(HMACS[hmac]) }
    }

    fn again(mac: &Mac) -> Result<Mac, Objection> {
        Mac::read(&mac.identifier().expect("short")).expect("a MAC")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_verifies(
            pbkdf2: bool, hash in 0..4usize, hmac in 0..5usize, rounds in 100..300u32, salt: [u8; 16],
        ) {
            let mac = mac(pbkdf2, hash, hmac, rounds).with_salt(salt);
            let read = again(&mac);
            prop_assert_eq!(read.as_ref(), Ok(&mac));
            let tag = mac.compute(b"secret", b"bytes").expect("computed");
            prop_assert!(mac.verify(b"secret", b"bytes", &tag));
            prop_assert!(!mac.verify(b"Secret", b"bytes", &tag));
            prop_assert!(!mac.verify(b"secret", b"Bytes", &tag));
            prop_assert!(!mac.verify(b"secret", b"bytes", &tag[1..]));
            prop_assert!(!mac.with_salt(salt.map(|byte| !byte)).verify(b"secret", b"bytes", &tag));
        }
    }

    /// The answers are those of Python's hashlib and hmac.
    #[test]
    fn macs_are_the_ones_that_others_compute() {
        for (mac, expected) in [
            (mac(false, 1, 1, 500), "96946cb4053e73bc06e68497317d03044ecdd4e1"),
            (mac(false, 3, 2, 500), "01350b309090fdc9b87791846a7af414413c6b6affc99e2b71032a3b08584583"),
            (mac(true, 2, 2, 1000), "79c86940f69d6bf11aef77ed92dfb4e8227338c3009475a29a08a3c6c44f14df"),
        ] {
            let tag = mac.compute(b"secret", b"bytes").expect("computed");
            assert_eq!(crate::certificate::hex(&tag), expected);
        }
    }

    #[test]
    fn too_few_and_too_many_rounds_are_refused() {
        for pbkdf2 in [false, true] {
            for (rounds, sound) in [(0, false), (99, false), (100, true), (100_000, true), (100_001, false)] {
                let read = again(&mac(pbkdf2, 1, 2, rounds));
                assert_eq!(read.is_ok(), sound, "{rounds}");
            }
            let refused = again(&mac(pbkdf2, 1, 2, u32::MAX)).expect_err("too many");
            assert_eq!(refused.info, FailureInfo::BadAlg);
        }
    }

    #[test]
    fn unknown_hashes_and_other_protections_are_no_mac() {
        let md5 = AlgorithmIdentifier {
            algorithm: ObjectIdentifier::new_unwrap("1.2.840.113549.2.5"),
            parameters: None,
        };
        let derivation = Derivation::PasswordBased(md5);
        let weak = Mac { derivation, ..mac(false, 0, 0, 500) };
        assert_eq!(again(&weak).expect_err("unknown").info, FailureInfo::BadAlg);
        assert!(Mac::read(&algorithm(oid::ECDSA_SHA256)).is_none());
    }
}
