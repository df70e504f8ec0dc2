//! Binding: a new account proves that it belongs to somebody known here (RFC 8555 §7.3.4).
//!
//! The known one was given the name of a key and the key, out of band. With it he signs the account's public key.

use openssl::{error::ErrorStack, hash::MessageDigest, memcmp, pkey::PKey, sign::Signer};

use super::{
    Jwk, Problem, ProblemType,
    flattened::{Flattened, Opened},
};

/// An external account binding whose form is sound: it is for this account key and this URL. Whether the key that it
/// names signed it, [`Binding::verify`] finds out. It comes from [`NewAccount::binding`](super::NewAccount::binding).
#[derive(Clone, Debug)]
pub struct Binding {
    hash: Hash,
    kid: String,
    mac: Vec<u8>,
    signed: String,
}

impl Binding {
    /// Reads a binding, for the key and the URL of the newAccount request around it.
    pub(super) fn parse(message: &Flattened, account_key: &Jwk, url: &str) -> Result<Binding, Problem> {
        let Opened { header, payload, signature, signed } = message.open()?;
        let hash = Hash::named(&header.alg)?;
        if header.nonce.is_some() || header.jwk.is_some() {
            return Err(Problem::malformed("a binding has neither nonce nor `jwk`"));
        }
        let Some(kid) = header.kid.filter(|kid| !kid.is_empty()) else {
            return Err(Problem::malformed("a binding names its key in `kid`"));
        };
        if header.url != url {
            return Err(Problem::malformed("the binding is for another URL than the request"));
        }
        if Jwk::parse(&payload)? != *account_key {
            return Err(Problem::malformed("the binding is for another key than the request's"));
        }
        Ok(Binding { hash, kid, mac: signature, signed })
    }

    /// The name of the key, as it was given out.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Demands that the key signed the binding. A key is at least as long as the hash (RFC 7518 §3.2): 32 bytes serve
    /// `HS256`, which is what clients commonly use, 64 serve all.
    pub fn verify(&self, mac_key: &[u8]) -> Result<(), Problem> {
        if mac_key.len() < self.hash.bytes() {
            let detail = "the key is too short for this algorithm; HS256 serves a key of 32 bytes";
            return Err(Problem::new(ProblemType::BadSignatureAlgorithm, detail).with_algorithms(&["HS256"]));
        }
        let Ok(mac) = self.hash.mac(mac_key, self.signed.as_bytes()) else {
            return Err(Problem::new(ProblemType::ServerInternal, "the binding could not be verified"));
        };
        // The time that a comparison takes must not tell how much of a guess was right; the length is no secret.
        let right = mac.len() == self.mac.len() && memcmp::eq(&mac, &self.mac);
        let wrong =
            || Problem::new(ProblemType::Unauthorized, "the binding is not signed with the key it names");
        right.then_some(()).ok_or_else(wrong)
    }
}

/// HMAC's hash (RFC 7518 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn named(alg: &str) -> Result<Hash, Problem> {
        match alg {
            "HS256" => Ok(Hash::Sha256),
            "HS384" => Ok(Hash::Sha384),
            "HS512" => Ok(Hash::Sha512),
            _ => Err(Problem::new(ProblemType::BadSignatureAlgorithm, "a binding is signed with a MAC")
                .with_algorithms(&["HS256", "HS384", "HS512"])),
        }
    }

    fn bytes(self) -> usize {
        self.digest().size()
    }

    fn digest(self) -> MessageDigest {
        match self {
            Hash::Sha256 => MessageDigest::sha256(),
            Hash::Sha384 => MessageDigest::sha384(),
            Hash::Sha512 => MessageDigest::sha512(),
        }
    }

    fn mac(self, key: &[u8], signed: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let key = PKey::hmac(key)?;
        Signer::new(self.digest(), &key)?.sign_oneshot_to_vec(signed)
    }
}
