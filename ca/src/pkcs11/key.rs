//! A key in a token: it signs there, in a few sessions side by side.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use cryptoki::{
    context::Pkcs11,
    error::Error,
    mechanism::Mechanism,
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
};
use openssl::hash::MessageDigest;
use rcgen::{PublicKeyData, SignatureAlgorithm};
use sha2::{Digest, Sha256, Sha384};

use super::{Token, TokenFailure, wire};
use crate::{Failure, KeyKind, PublicKey, public_key::openssl_key};

/// A key pair whose private half lives in a token. Signing waits for the token, so it belongs where waiting is
/// allowed.
pub struct TokenKey {
    token: Token,
    label: String,
    kind: KeyKind,
    point: Vec<u8>,
    /// No session may be used by two threads at once (PKCS#11 2.11 §6.6.6). Each is opened when it is first needed.
    desks: Vec<Mutex<Option<Desk>>>,
    turn: AtomicUsize,
    trouble: Mutex<Option<TokenFailure>>,
}

/// A session, and the private key under a number that is good as long as the user stays logged in (PKCS#11, C_Logout).
struct Desk {
    session: Session,
    key: ObjectHandle,
}

impl TokenKey {
    pub(super) fn open(token: Token, label: &str) -> Result<TokenKey, Failure> {
        let desk = Desk::open(&token, label)?;
        let (kind, point) = public_half(&token, &desk.session, label)?;
        let later = (1..token.sessions(MOST_DESKS)?).map(|_| Mutex::default());
        let desks = [Mutex::new(Some(desk))].into_iter().chain(later).collect();
        let (turn, trouble) = (AtomicUsize::new(0), Mutex::new(None));
        let key = TokenKey { token, label: label.to_owned(), kind, point, desks, turn, trouble };
        key.try_out()?;
        Ok(key)
    }

    /// The public half.
    pub fn public_key(&self) -> Result<PublicKey, Failure> {
        let key = PublicKey::from_spki(&self.subject_public_key_info());
        key.map_err(|_| self.unusable("its public half is unsound").into())
    }

    /// The curve.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Why the last signature that failed did so.
    pub(crate) fn trouble(&self) -> Option<TokenFailure> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ECDSA-Sig-Value of the message.
    ///
    /// The digest is made here, so that a token at the end of a wire gets few bytes, and one that knows no hash will
    /// do. What a session refuses that signed before is asked once more of a new one: sessions end when a token is
    /// pulled out, and modules tell this by many different codes.
    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, TokenFailure> {
        let digest = match self.kind {
            KeyKind::P256 => Sha256::digest(message).to_vec(),
            KeyKind::P384 => Sha384::digest(message).to_vec(),
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut desk = self.desks[turn % self.desks.len()].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*desk
            && let Ok(raw) = open.sign(&digest)
        {
            return self.read(&raw);
        }
        // Closed before the next one is opened: afterwards, its number might be that one's.
        *desk = None;
        let open = desk.insert(Desk::open(&self.token, &self.label)?);
        self.read(&open.sign(&digest).map_err(|why| self.token.broken(&why))?)
    }

    fn read(&self, raw: &[u8]) -> Result<Vec<u8>, TokenFailure> {
        wire::signature(self.kind, raw).ok_or_else(|| self.unusable("its signatures have another length"))
    }

    /// One signature, verified with the public half: two keys that only share a label would otherwise go unnoticed
    /// until somebody else verifies a certificate.
    fn try_out(&self) -> Result<(), Failure> {
        let public = openssl_key(self.public_key()?.spki_der());
        let public = public.map_err(|_| self.unusable("its public half is unsound"))?;
        let hash = match self.kind {
            KeyKind::P256 => MessageDigest::sha256(),
            KeyKind::P384 => MessageDigest::sha384(),
        };
        let mut verifier = openssl::sign::Verifier::new(hash, &public)?;
        if verifier.verify_oneshot(&self.signature(TRIAL)?, TRIAL)? {
            Ok(())
        } else {
            Err(self.unusable("its public and private halves are no pair").into())
        }
    }

    fn unusable(&self, why: &'static str) -> TokenFailure {
        TokenFailure::Unusable { token: self.token.label(), key: self.label.clone(), why }
    }
}

impl Desk {
    fn open(token: &Token, label: &str) -> Result<Desk, TokenFailure> {
        let session = token.session(Pkcs11::open_ro_session)?;
        let key = token.only(&session, ObjectClass::PRIVATE_KEY, label)?;
        Ok(Desk { session, key })
    }

    fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, Error> {
        self.session.sign(&Mechanism::Ecdsa, self.key, digest)
    }
}

/// Curve and point of the public key of this label.
fn public_half(token: &Token, session: &Session, label: &str) -> Result<(KeyKind, Vec<u8>), TokenFailure> {
    let unusable = |why| TokenFailure::Unusable { token: token.label(), key: label.to_owned(), why };
    let key = token.only(session, ObjectClass::PUBLIC_KEY, label)?;
    let read = session.get_attributes(key, &[AttributeType::EcParams, AttributeType::EcPoint]);
    // A key of another kind has neither attribute.
    let (mut curve, mut point) = (Vec::new(), Vec::new());
    for attribute in read.map_err(|why| token.broken(&why))? {
        match attribute {
            Attribute::EcParams(value) => curve = value,
            Attribute::EcPoint(value) => point = value,
            _ => {}
        }
    }
    let kind = wire::kind(&curve).ok_or_else(|| unusable("it is neither P-256 nor P-384"))?;
    let point = wire::point(kind, &point).ok_or_else(|| unusable("its point is not in uncompressed form"))?;
    Ok((kind, point.to_vec()))
}

impl PublicKeyData for TokenKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.kind.algorithm()
    }
}

impl rcgen::SigningKey for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signature(message).map_err(|why| {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            rcgen::Error::RemoteKeyError
        })
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("TokenKey");
        out.field("token", &self.token).field("label", &self.label).field("kind", &self.kind);
        out.finish_non_exhaustive()
    }
}

/// Enough to hide the way to a token in the network behind other signatures.
const MOST_DESKS: usize = 4;
const TRIAL: &[u8] = b"Does this key sign?";
