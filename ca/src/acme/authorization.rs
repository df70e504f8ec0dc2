//! Authorizations: for each identifier, the challenges by which a client shows that it is his (RFC 8555 §7.1.4, §8).

use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};

use super::{Identifier, Jwk, Problem, base64url};
use crate::Failure;

/// An authorization object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Authorization {
    /// What is to be shown.
    pub identifier: Identifier,
    /// Whether it was.
    pub status: AuthorizationStatus,
    /// Until when it counts; due when it is valid.
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub expires: Option<OffsetDateTime>,
    /// The ways to show it, of which one suffices.
    pub challenges: Vec<Challenge>,
}

/// Whether an identifier was shown to be the client's (RFC 8555 §7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorizationStatus {
    /// Not yet.
    Pending,
    /// It was.
    Valid,
    /// A challenge failed.
    Invalid,
    /// The client gave it up.
    Deactivated,
    /// It was, too long ago.
    Expired,
    /// The server took it back.
    Revoked,
}

/// A challenge object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Challenge {
    /// Which way, such as `http-01`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The URL to say that the answer is in place.
    pub url: String,
    /// How far it got.
    pub status: ChallengeStatus,
    /// When it was found right.
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub validated: Option<OffsetDateTime>,
    /// Why it was found wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// What the answer is made of, with the account's key: see [`key_authorization`].
    pub token: String,
}

/// How far a challenge got (RFC 8555 §7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChallengeStatus {
    /// The client has not answered.
    Pending,
    /// The answer is being looked at.
    Processing,
    /// It was right.
    Valid,
    /// It was wrong.
    Invalid,
}

/// The answer to a challenge (RFC 8555 §8.1). For `http-01` it is the whole of what the client's server says under
/// `/.well-known/acme-challenge/` and the token, but for white space at the end (§8.3).
pub fn key_authorization(token: &str, account_key: &Jwk) -> String {
    format!("{token}.{}", account_key.thumbprint())
}

/// Draws a token or a nonce: 128 random bits in base64url, 22 characters (RFC 8555 §8.3, §6.5.1). Fails only when the
/// operating system has no randomness to give.
pub fn token() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(base64url::encode(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_authorization_is_said_in_the_words_of_the_rfc() {
        let challenge = Challenge {
            kind: "http-01".to_owned(),
            url: "https://ca.example/acme/chall/1".to_owned(),
            status: ChallengeStatus::Valid,
            validated: Some(datetime!(2026-11-29 12:00:01 UTC)),
            error: None,
            token: "DGyRejmCefe7v4NfDGDKfA".to_owned(),
        };
        let authorization = Authorization {
            identifier: Identifier::Ip([192, 0, 2, 1].into()),
            status: AuthorizationStatus::Valid,
            expires: None,
            challenges: vec![challenge],
        };
        let said = json!({
            "identifier": {"type": "ip", "value": "192.0.2.1"},
            "status": "valid",
            "challenges": [{
                "type": "http-01",
                "url": "https://ca.example/acme/chall/1",
                "status": "valid",
                "validated": "2026-11-29T12:00:01Z",
                "token": "DGyRejmCefe7v4NfDGDKfA",
            }],
        });
        assert_eq!(to_value(authorization).expect("JSON"), said);
    }

    #[test]
    fn an_answer_is_made_of_token_and_thumbprint() {
        let key = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let answer = key_authorization("token", &Jwk::parse(key).expect("a sound key"));
        assert_eq!(answer, "token.kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let (one, other) = (token().expect("randomness"), token().expect("randomness"));
        assert!(one != other && one.len() == 22 && base64url::decode("it", &one).is_ok());
    }
}
