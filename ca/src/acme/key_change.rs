//! Change of key: the owner of an account takes a new one, and both keys say so (RFC 8555 §7.3.5).

use serde::Deserialize;

use super::{
    Algorithm, Jwk, Payload, Problem,
    flattened::{Flattened, Opened},
    json::Object,
    jwk::Members,
};

/// A change of key that the old key and the new one both signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The key that the account is to have. If another account has it, the answer is a 409 (RFC 8555 §7.3.5).
    pub new_key: Jwk,
}

impl KeyChange {
    /// Reads the inner message of a request that the account's present key signed, and demands that it is for the
    /// same URL, carries no nonce, is signed with the key that it brings, and names this account and its present key.
    pub fn read(
        payload: Payload<'_>,
        url: &str,
        account: &str,
        present_key: &Jwk,
    ) -> Result<KeyChange, Problem> {
        let Opened { header, payload, signature, signed } = Flattened::parse(payload.as_bytes())?.open()?;
        let algorithm = Algorithm::named(&header.alg)?;
        let (Some(jwk), None, None) = (&header.jwk, &header.kid, &header.nonce) else {
            return Err(Problem::malformed("the inner message has the new `jwk`, neither `kid` nor nonce"));
        };
        if header.url != url {
            return Err(Problem::malformed("the inner message is for another URL than the request"));
        }
        let new_key = Jwk::from_members(&jwk.0)?;
        new_key.verify(algorithm, signed.as_bytes(), &signature)?;
        let change: Change = Payload(&payload).read()?;
        if change.account != account {
            return Err(Problem::malformed("the inner message names another account than the request"));
        }
        if Jwk::from_members(&change.old_key.0)? != *present_key {
            return Err(Problem::malformed("the inner message names another key than the account has"));
        }
        Ok(KeyChange { new_key })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    account: String,
    old_key: Object<Members>,
}
