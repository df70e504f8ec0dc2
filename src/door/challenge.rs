//! The signed challenge: how a client proves that it holds a registered key (MQTT 5.0 section 4.12).
//!
//! The client names a key, the house draws a number, the client signs it together with the house's domain and its own
//! client id. So a signature is worth nothing at another house, for another client, or at another time.

use bytes::Bytes;

use crate::directory::PublicKey;
use crate::id::random;
use crate::store::KeyId;

/// The authentication method; also the first word of what is signed, so that no other use of the key can be taken for
/// a sign-in.
pub(crate) const METHOD: &str = "CHANCERY-SIGN-1";

/// What a client is asked, once.
pub(crate) struct Challenge {
    /// The key that the client named, if that was an id.
    key: Option<KeyId>,
    nonce: [u8; 32],
}

/// A challenge with the client's answer to it.
pub(crate) struct Proof {
    challenge: Challenge,
    signature: Bytes,
}

impl Challenge {
    /// A fresh one for a client whose authentication data names a key. Without one it is asked all the same: whether a
    /// key is known here is nobody's business.
    pub(crate) fn new(named: Option<&[u8]>) -> Self {
        let key = named.and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
        Self { key, nonce: random() }
    }

    /// The authentication data of our AUTH.
    pub(crate) fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// The client's answer.
    pub(crate) fn answered(self, signature: Option<Bytes>) -> Proof {
        Proof { challenge: self, signature: signature.unwrap_or_default() }
    }
}

impl Proof {
    /// The key that the client says it holds.
    pub(crate) fn key(&self) -> Option<KeyId> {
        self.challenge.key
    }

    /// Whether `key` signed the challenge for this house and this client.
    pub(crate) fn holds(&self, key: &PublicKey, domain: &str, client_id: &str) -> bool {
        key.signed(&signed(domain, client_id, &self.challenge.nonce), &self.signature)
    }
}

/// What is signed: method, domain and client id, each with a zero byte after it, which none of them can hold
/// ([MQTT-1.5.4-2]); then the challenge.
fn signed(domain: &str, client_id: &str, nonce: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(METHOD.len() + domain.len() + client_id.len() + nonce.len() + 3);
    for text in [METHOD, domain, client_id] {
        message.extend_from_slice(text.as_bytes());
        message.push(0);
    }
    message.extend_from_slice(nonce);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_names_method_house_client_and_moment() {
        assert_eq!(signed("corp.example", "phone", b"?"), b"CHANCERY-SIGN-1\0corp.example\0phone\0?");
    }

    #[test]
    fn a_challenge_is_drawn_anew_each_time_and_for_whatever_is_named() {
        let id = "ba7816bf8f01cfea414140de5dae2223";
        let (one, two) = (Challenge::new(Some(id.as_bytes())), Challenge::new(Some(b"\xff")));
        assert_ne!(one.nonce(), two.nonce());
        assert_eq!(one.answered(None).key().map(|key| key.to_string()).as_deref(), Some(id));
        assert_eq!(two.answered(None).key(), None);
        assert_eq!(Challenge::new(None).answered(None).key(), None);
    }
}
