//! Hashes: how leaves and nodes are named (RFC 9162 §2.1.1).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};

use super::LogRefusal;

/// A SHA-256 hash in the tree. As a text, and in JSON, it is base64, as in a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The root of the tree without leaves: the hash of nothing.
    pub fn of_nothing() -> Hash {
        Hash(Sha256::digest([]).into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The leaf of a certificate, from its DER.
pub fn leaf_hash(certificate_der: &[u8]) -> Hash {
    digest(LEAF, [certificate_der, &[]])
}

/// The node above two others.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    digest(NODE, [&left.0, &right.0])
}

/// The root over perfect trees that stand side by side, from the largest to the smallest.
pub(super) fn root_over(peaks: &[Hash]) -> Hash {
    let joined = peaks.iter().copied().rev().reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_else(Hash::of_nothing)
}

/// The first byte keeps leaves and nodes apart: nobody can sell the two children of a node for a certificate.
fn digest(kind: u8, parts: [&[u8]; 2]) -> Hash {
    Hash(Sha256::new().chain_update([kind]).chain_update(parts[0]).chain_update(parts[1]).finalize().into())
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Hash {
        Hash(bytes)
    }
}

impl FromStr for Hash {
    type Err = LogRefusal;

    fn from_str(text: &str) -> Result<Hash, LogRefusal> {
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Hash).ok_or(LogRefusal::Malformed("a hash is 32 bytes in base64"))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        // Owned, because JSON may spell the slash of base64 with an escape.
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

const LEAF: u8 = 0;
const NODE: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_no_node_and_no_plain_hash() {
        let (left, right) = (leaf_hash(b"left"), leaf_hash(b"right"));
        let both = [*left.as_bytes(), *right.as_bytes()].concat();
        assert_ne!(node_hash(&left, &right), leaf_hash(&both));
        assert_ne!(node_hash(&left, &right), node_hash(&right, &left));
        assert_ne!(leaf_hash(b""), Hash::of_nothing());
    }

    #[test]
    fn a_hash_has_one_text() {
        let hash = Hash::from([0xFF; 32]);
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(serde_json::to_string(&hash).expect("JSON"), format!("{text:?}"));
        let escaped = format!("{text:?}").replace('/', "\\/");
        assert_eq!(serde_json::from_str::<Hash>(&escaped).expect("a hash"), hash);
        for other in
            ["", &text[1..], &text.replace('=', ""), &text.replace("8=", "9="), &text.replace('/', "_")]
        {
            assert!(other.parse::<Hash>().is_err(), "{other}");
        }
    }
}
