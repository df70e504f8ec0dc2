//! `[authority]`: what the operator decides about certificates.

use std::time::Duration;

use chancery_ca as ca;
use serde::Deserialize;

use crate::secret::SecretSource;
use crate::time::Span;

/// The table `[authority]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// O of the authority's own certificates; without it, the domain. Read once, when the authority is founded.
    pub(crate) organization: Option<String>,
    /// Of the authority's keys. Read once, when the authority is founded.
    pub(crate) curve: Curve,
    /// Opens the authority's keys; without it, a random one that founding writes beside them.
    pub(crate) passphrase: Option<SecretSource>,
    /// How long a person's certificate lives.
    pub(crate) client_validity: Span,
    /// How long a one-time token waits to be used.
    pub(crate) token_ttl: Span,
    /// Where everybody reaches the door `http`, such as `http://pki.corp.example`; it stands in every certificate.
    pub(crate) public_url: Option<String>,
}

/// The curve of the authority's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Curve {
    P256,
    P384,
}

impl From<Curve> for ca::KeyKind {
    fn from(curve: Curve) -> Self {
        match curve {
            Curve::P256 => ca::KeyKind::P256,
            Curve::P384 => ca::KeyKind::P384,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            organization: None,
            curve: Curve::P256,
            passphrase: None,
            client_validity: Span(ca::Profile::Client.validity()),
            token_ttl: Span(DAY),
            public_url: None,
        }
    }
}

impl Config {
    /// What is wrong with it, all at once.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(1..=64).contains(&self.organization.as_deref().map_or(1, |name| name.chars().count())) {
            problems.push("authority.organization: 1 to 64 characters".into());
        }
        if !(HOUR..=ca::Profile::Client.longest()).contains(&self.client_validity.0) {
            problems.push("authority.client_validity: between \"1h\" and \"730d\"".into());
        }
        if !(MINUTE..=DAY).contains(&self.token_ttl.0) {
            problems.push("authority.token_ttl: between \"1m\" and \"24h\"".into());
        }
        if self.public_url.as_deref().is_some_and(|url| !is_plain_http(url)) {
            problems.push(
                "authority.public_url: begins with http:// and names a host, as in \"http://pki.corp.example\"; whoever \
                 checks a certificate must not need one to do so"
                    .into(),
            );
        }
        problems
    }
}

fn is_plain_http(url: &str) -> bool {
    let host = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    host.is_some_and(|rest| !rest.is_empty())
        && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'{')
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(Config::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn every_unsound_value_is_told_at_once() {
        let text = r#"{ "organization": "", "client_validity": "1000d", "token_ttl": "2d", "public_url": "https://x" }"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.problems().len(), 4);
        assert!(serde_json::from_str::<Config>(r#"{ "client_validty": "1h" }"#).is_err());
    }
}
