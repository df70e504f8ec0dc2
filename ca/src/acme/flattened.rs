//! The flattened JSON form of a signed message (RFC 7515 §7.2.2), the only one that ACME knows.
//!
//! A request has it, and so have the two messages that travel inside requests: the binding of an account and the
//! change of its key.

use serde::Deserialize;

use super::{
    Problem, base64url,
    json::{self, Object},
    jwk::Members,
};

/// A signed message as it was sent. Nothing about it is known but that it has three texts.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Flattened {
    protected: String,
    payload: String,
    signature: String,
    #[serde(default, deserialize_with = "json::present")]
    header: bool,
    #[serde(default, deserialize_with = "json::present")]
    signatures: bool,
}

/// A message taken apart; its signature is still to be verified.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) header: Header,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// What the signature is about: both texts as they were sent (RFC 7515 §5.2).
    pub(super) signed: String,
}

/// The protected header. Parameters that mean nothing here are passed over (RFC 7515 §4).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) url: String,
    pub(super) nonce: Option<String>,
    pub(super) jwk: Option<Object<Members>>,
    pub(super) kid: Option<String>,
    #[serde(default, deserialize_with = "json::present")]
    crit: bool,
    #[serde(default, deserialize_with = "json::present")]
    b64: bool,
}

impl Flattened {
    /// Reads a message of at most 32 kB, which has room for the longest certificate request.
    pub(super) fn parse(json: &[u8]) -> Result<Flattened, Problem> {
        if json.len() > MOST_BYTES {
            return Err(Problem::malformed("the message is longer than 32768 bytes").with_status(413));
        }
        json::read("the signed message", json)
    }

    /// Decodes the parts under the rules that all messages share (RFC 8555 §6.2).
    pub(super) fn open(&self) -> Result<Opened, Problem> {
        if self.header {
            return Err(Problem::malformed("a message has no unprotected header"));
        }
        if self.signatures {
            return Err(Problem::malformed("a message has one signature"));
        }
        let header = base64url::decode("the protected header", &self.protected)?;
        let header: Header = json::read("the protected header", &header)?;
        if header.crit || header.b64 {
            return Err(Problem::malformed(
                "no extension of JWS is understood: `crit` and `b64` are refused",
            ));
        }
        Ok(Opened {
            header,
            payload: base64url::decode("the payload", &self.payload)?,
            signature: base64url::decode("the signature", &self.signature)?,
            signed: format!("{}.{}", self.protected, self.payload),
        })
    }
}

const MOST_BYTES: usize = 32 * 1024;
