//! The directory: where a client finds everything else (RFC 8555 §7.1.1).

use serde::Serialize;

/// A directory object; every member but the last is a URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    /// Gives nonces.
    pub new_nonce: String,
    /// Opens accounts.
    pub new_account: String,
    /// Takes orders.
    pub new_order: String,
    /// Takes certificates back.
    pub revoke_cert: String,
    /// Changes the keys of accounts.
    pub key_change: String,
    /// Tells when to renew (RFC 9773 §4), if the server does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_info: Option<String>,
    /// About the server.
    pub meta: Meta,
}

/// What a client may want to know beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// The URL of the terms to agree to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms_of_service: Option<String>,
    /// The URL of a page about the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// The names by which CAA records mean this server (RFC 8659).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caa_identities: Vec<String>,
    /// Whether a new account must bring a [`Binding`](super::Binding).
    pub external_account_required: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn a_directory_is_said_in_the_words_of_the_rfc() {
        let directory = Directory {
            new_nonce: "n".to_owned(),
            new_account: "a".to_owned(),
            new_order: "o".to_owned(),
            revoke_cert: "r".to_owned(),
            key_change: "k".to_owned(),
            renewal_info: Some("i".to_owned()),
            meta: Meta { external_account_required: true, ..Meta::default() },
        };
        let said = json!({
            "newNonce": "n", "newAccount": "a", "newOrder": "o", "revokeCert": "r", "keyChange": "k",
            "renewalInfo": "i", "meta": {"externalAccountRequired": true},
        });
        assert_eq!(to_value(directory).expect("JSON"), said);
    }
}
