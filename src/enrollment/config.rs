//! `[authority]`: what the operator decides about certificates.

use std::collections::BTreeMap;
use std::path::PathBuf;
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
    /// A PKCS#11 token that holds the issuing CA's key; without it, the key lies sealed in a file.
    pub(crate) pkcs11: Option<Pkcs11>,
    /// Socket of the process that holds the authority's keys; without it, this one does.
    pub(crate) signer: Option<PathBuf>,
    /// Whether devices may have their keys made here (EST's serverkeygen): the key travels then.
    pub(crate) server_key_generation: bool,
    /// Rules by profile; a profile that is not named has its own.
    pub(crate) profile: BTreeMap<String, ProfileConfig>,
    /// How long a one-time token waits to be used.
    pub(crate) token_ttl: Span,
    /// How long before a certificate ends its owner is told, if it has no successor.
    pub(crate) remind: Vec<Span>,
    /// How long a request waits for an admin.
    pub(crate) approval_ttl: Span,
    /// Where everybody reaches the door `http`, such as `http://pki.corp.example`; it stands in every certificate.
    pub(crate) public_url: Option<String>,
}

/// The table `[authority.pkcs11]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pkcs11 {
    /// The shared object that speaks for the token.
    pub(crate) module: PathBuf,
    /// The token's label.
    pub(crate) token: String,
    /// The label of the issuing CA's key, which founding makes where it is not there.
    pub(crate) key: String,
    /// The PIN of the token's user.
    pub(crate) pin: SecretSource,
}

/// A table `[authority.profile.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProfileConfig {
    /// How long a certificate lives.
    pub(crate) validity: Option<Span>,
    /// Whether an admin has to agree to each.
    pub(crate) approval: bool,
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
            pkcs11: None,
            signer: None,
            server_key_generation: false,
            profile: BTreeMap::new(),
            token_ttl: Span(DAY),
            remind: [14, 7, 1].map(|days| Span(DAY * days)).into(),
            approval_ttl: Span(WEEK),
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
        problems.extend(self.pkcs11.iter().flat_map(Pkcs11::problems));
        for (name, rules) in &self.profile {
            let place = format!("authority.profile.{name}");
            match name.parse::<ca::Profile>() {
                Err(why) => problems.push(format!("{place}: there is no such profile; {why}")),
                Ok(profile) => problems.extend(rules.problems(&place, profile)),
            }
        }
        if !(MINUTE..=DAY).contains(&self.token_ttl.0) {
            problems.push("authority.token_ttl: between \"1m\" and \"24h\"".into());
        }
        if self.remind.len() > 10 || self.remind.iter().any(|span| !(HOUR..=DAY * 365).contains(&span.0)) {
            problems.push("authority.remind: at most ten times between \"1h\" and \"365d\"".into());
        }
        if !(HOUR..=MONTH).contains(&self.approval_ttl.0) {
            problems.push("authority.approval_ttl: between \"1h\" and \"30d\"".into());
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

impl Config {
    /// How long certificates of a profile live.
    pub(crate) fn validity(&self, profile: ca::Profile) -> Duration {
        let ruled = self.profile.get(profile.name()).and_then(|rules| rules.validity);
        ruled.map_or(profile.validity(), |span| span.0)
    }

    /// Whether an admin has to agree to each certificate of a profile.
    pub(crate) fn approval(&self, profile: ca::Profile) -> bool {
        self.profile.get(profile.name()).is_some_and(|rules| rules.approval)
    }
}

impl Pkcs11 {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.module.is_absolute() {
            problems.push(
                "authority.pkcs11.module: the whole path, as in \"/usr/lib/softhsm/libsofthsm2.so\"".into(),
            );
        }
        // PKCS#11 keeps 32 bytes for a token's label (CK_TOKEN_INFO).
        if !(1..=32).contains(&self.token.len()) {
            problems.push("authority.pkcs11.token: the token's label, 1 to 32 bytes".into());
        }
        if self.key.is_empty() {
            problems.push("authority.pkcs11.key: the label of a key".into());
        }
        problems
    }
}

impl ProfileConfig {
    fn problems(&self, place: &str, profile: ca::Profile) -> Option<String> {
        let longest = profile.longest();
        let wrong = self.validity.is_some_and(|length| !(HOUR..=longest).contains(&length.0));
        wrong.then(|| format!("{place}.validity: between \"1h\" and \"{}d\"", longest.as_secs() / 86_400))
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
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(Config::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn every_unsound_value_is_told_at_once() {
        let text = r#"{ "organization": "", "token_ttl": "2d", "approval_ttl": "31d", "remind": ["1m"],
            "public_url": "https://x",
            "pkcs11": { "module": "softhsm2.so", "token": "", "key": "", "pin": { "file": "pin" } },
            "profile": { "client": { "validity": "1000d" }, "session": { "validity": "25h" }, "root": {} } }"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.problems().len(), 11, "{:?}", config.problems());
        assert!(
            serde_json::from_str::<Config>(r#"{ "profile": { "client": { "validty": "1h" } } }"#).is_err()
        );
    }
}
