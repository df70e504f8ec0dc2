//! Requests: every POST of a client is one message signed with an account key (RFC 8555 §6.2).

use serde::de::DeserializeOwned;

use super::{
    Algorithm, Jwk, Problem, ProblemType, base64url,
    flattened::{Flattened, Opened},
    json,
};

/// A request whose form is sound. What it asks for shows when [`Jws::verify`] has found the signature good.
#[derive(Clone, Debug)]
pub struct Jws {
    algorithm: Algorithm,
    nonce: String,
    url: String,
    key: Key,
    payload: Vec<u8>,
    signature: Vec<u8>,
    signed: String,
}

/// The key that a request says it is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The key itself, as newAccount brings it, and revokeCert when a certificate's own key asks.
    New(Jwk),
    /// The URL of an account whose key is known, in all other requests.
    Known(String),
}

impl Jws {
    /// Reads a request of at most 32 kB in the flattened JSON form.
    ///
    /// Refused are: an unprotected header, several signatures, `crit` and `b64`, a member twice; an algorithm that is
    /// not among [`Algorithm::NAMES`]; a missing URL; a nonce that is missing or no base64url (RFC 8555 §6.5.2); both
    /// `jwk` and `kid`, or neither; an unsound key.
    pub fn parse(body: &[u8]) -> Result<Jws, Problem> {
        let Opened { header, payload, signature, signed } = Flattened::parse(body)?.open()?;
        let algorithm = Algorithm::named(&header.alg)?;
        let nonce = header.nonce.ok_or_else(|| Problem::malformed("the request has no nonce"))?;
        if base64url::decode("the nonce", &nonce)?.is_empty() {
            return Err(Problem::malformed("the nonce is empty"));
        }
        let key = match (&header.jwk, header.kid) {
            (Some(jwk), None) => Key::New(Jwk::from_members(&jwk.0)?),
            (None, Some(kid)) => Key::Known(kid),
            _ => return Err(Problem::malformed("a request has either `jwk` or `kid`")),
        };
        Ok(Jws { algorithm, nonce, url: header.url, key, payload, signature, signed })
    }

    /// The nonce, to be used up whatever becomes of the request (RFC 8555 §6.5).
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The URL that the client meant.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Demands that the request came to the URL that it was signed for (RFC 8555 §6.4), letter by letter.
    pub fn check_url(&self, requested: &str) -> Result<(), Problem> {
        if self.url == requested {
            return Ok(());
        }
        let detail = format!("the request is for {requested}, its signature for another URL");
        Err(Problem::new(ProblemType::Unauthorized, detail))
    }

    /// The key that it says it is signed with.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What it asks for, if the key signed it: the new key of the request itself, or the known one of the account.
    pub fn verify(&self, key: &Jwk) -> Result<Payload<'_>, Problem> {
        key.verify(self.algorithm, self.signed.as_bytes(), &self.signature)?;
        Ok(Payload(&self.payload))
    }
}

/// What a verified request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a>(pub(super) &'a [u8]);

impl Payload<'_> {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0
    }

    /// Whether the request only reads: an empty payload, called POST-as-GET (RFC 8555 §6.3).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Demands a request that only reads.
    pub fn check_empty(&self) -> Result<(), Problem> {
        if self.is_empty() { Ok(()) } else { Err(Problem::malformed("this is read with an empty payload")) }
    }

    /// Reads the payload as JSON.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        json::read("the payload", self.0)
    }
}
