//! The key of an authority: in this process's memory, or in a token that signs for it.

use std::sync::Arc;

use rcgen::{PublicKeyData, SignatureAlgorithm};

use crate::{Failure, KeyKind, KeyPair, PublicKey, TokenKey};

/// A key that an authority signs with. Clones are the same key.
#[derive(Clone, Debug)]
pub enum AuthorityKey {
    /// Opened from where it lay sealed.
    Held(Arc<KeyPair>),
    /// Asked to sign where it lives.
    Token(Arc<TokenKey>),
}

impl AuthorityKey {
    /// The public half.
    pub fn public_key(&self) -> Result<PublicKey, Failure> {
        match self {
            AuthorityKey::Held(key) => key.public_key(),
            AuthorityKey::Token(key) => key.public_key(),
        }
    }

    /// The curve.
    pub fn kind(&self) -> KeyKind {
        match self {
            AuthorityKey::Held(key) => key.kind(),
            AuthorityKey::Token(key) => key.kind(),
        }
    }

    /// Puts the token's own words in the place of "remote key error", which is all that the library in between can
    /// say. Of several signatures that fail at once, the last one speaks for all.
    pub(crate) fn explain(&self, why: Failure) -> Failure {
        match (self, why) {
            (AuthorityKey::Token(key), Failure::Signing(rcgen::Error::RemoteKeyError)) => {
                key.trouble().map_or(Failure::Signing(rcgen::Error::RemoteKeyError), Failure::Token)
            }
            (_, why) => why,
        }
    }
}

impl From<KeyPair> for AuthorityKey {
    fn from(key: KeyPair) -> AuthorityKey {
        AuthorityKey::Held(Arc::new(key))
    }
}

impl From<TokenKey> for AuthorityKey {
    fn from(key: TokenKey) -> AuthorityKey {
        AuthorityKey::Token(Arc::new(key))
    }
}

impl PublicKeyData for AuthorityKey {
    fn der_bytes(&self) -> &[u8] {
        match self {
            AuthorityKey::Held(key) => key.der_bytes(),
            AuthorityKey::Token(key) => key.der_bytes(),
        }
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.kind().algorithm()
    }
}

impl rcgen::SigningKey for AuthorityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match self {
            AuthorityKey::Held(key) => rcgen::SigningKey::sign(&**key, message),
            AuthorityKey::Token(key) => rcgen::SigningKey::sign(&**key, message),
        }
    }
}
