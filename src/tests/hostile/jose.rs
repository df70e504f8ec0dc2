//! Messages of ACME as their files have them: who signs, the header, the payload, and words to be filled in.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// What a running house knows and the files do not.
#[derive(Default)]
pub(super) struct Words(BTreeMap<String, String>);

impl Words {
    pub(super) fn learn(&mut self, word: &str, meaning: impl Into<String>) {
        self.0.insert(format!("@{word}@"), meaning.into());
    }

    pub(super) fn of(&self, word: &str) -> &str {
        self.0.get(&format!("@{word}@")).unwrap_or_else(|| panic!("nobody knows {word}"))
    }

    pub(super) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (word, meaning)| text.replace(word, meaning))
    }

    /// The flattened form of a message, and of those within it (RFC 7515 §7.2.2).
    pub(super) fn seal(&self, message: &Value) -> Value {
        let (header, payload) = (self.filled(&message["protected"]), self.filled(&message["payload"]));
        let payload = if payload == "" { String::new() } else { payload.to_string() };
        let [header, payload] = [header.to_string(), payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        let signature =
            self.sign(message["sign"].as_str().expect("a signer"), &format!("{header}.{payload}"));
        let mut sealed = message.as_object().expect("a message").clone();
        sealed.remove("sign");
        for (member, text) in
            [("protected", header), ("payload", payload), ("signature", URL_SAFE_NO_PAD.encode(signature))]
        {
            sealed.insert(member.to_owned(), Value::String(text));
        }
        Value::Object(sealed)
    }

    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix("@jwk of ") {
                Some(name) => jwk(name.trim_end_matches('@')),
                None => Value::String(self.fill(text)),
            },
            Value::Array(list) => list.iter().map(|value| self.filled(value)).collect(),
            Value::Object(members) if members.contains_key("sign") => self.seal(value),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.filled(value)))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    fn sign(&self, signer: &str, text: &str) -> Vec<u8> {
        let mac = |key: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
        };
        match signer {
            "nobody" => Vec::new(),
            "public key" => mac(key("alice").public_key().as_ref()),
            // The neutral point, and nothing times the base: it fits every message under the neutral key.
            "identity" => [&[1][..], &[0; 63]].concat(),
            "token" | "used" => {
                mac(&URL_SAFE_NO_PAD.decode(self.of(&format!("{signer} secret"))).expect("base64url"))
            }
            name => key(name).sign(text.as_bytes()).as_ref().to_vec(),
        }
    }
}

/// Everybody's key, the same each time.
fn key(name: &str) -> Ed25519KeyPair {
    let mut seed = [7; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a key")
}

pub(super) fn jwk(name: &str) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(key(name).public_key()) })
}
