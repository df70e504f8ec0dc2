//! `[signer]`: what the operator decides about the process that holds the CA's key.

use std::path::PathBuf;
use std::time::Duration;

use chancery_ca as ca;
use serde::Deserialize;

use crate::time::Span;

/// The table `[signer]`. What an authority is made of stands in `[authority]`, for both processes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where keys and book are.
    pub(crate) state_dir: PathBuf,
    /// Who may ask besides root and the signer's own account: names or numbers of accounts of this machine.
    pub(crate) clients: Vec<String>,
    /// What may be issued; without it, every profile.
    pub(crate) profiles: Option<Vec<String>>,
    pub(crate) issued_per_second: u64,
    pub(crate) issued_per_minute: u64,
    pub(crate) issued_per_day: u64,
    /// How far the clock of whoever asks may be from the signer's.
    pub(crate) clock_skew: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "/var/lib/chancery-signer".into(),
            clients: vec!["chancery".into()],
            profiles: None,
            issued_per_second: 100,
            issued_per_minute: 2_000,
            issued_per_day: 50_000,
            clock_skew: Span(Duration::from_secs(5 * 60)),
        }
    }
}

impl Config {
    /// What is wrong with it, all at once.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for name in self.profiles.iter().flatten() {
            if let Err(why) = name.parse::<ca::Profile>() {
                problems.push(format!("signer.profiles: there is no profile {name}; {why}"));
            }
        }
        if [self.issued_per_second, self.issued_per_minute, self.issued_per_day].contains(&0) {
            problems.push("signer.issued_per_…: at least 1; to issue nothing, stop the signer".into());
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&self.clock_skew.0) {
            problems.push("signer.clock_skew: between \"1s\" and \"1h\"".into());
        }
        problems
    }

    pub(super) fn profiles(&self) -> Vec<ca::Profile> {
        match &self.profiles {
            None => ca::Profile::ALL.to_vec(),
            Some(names) => names.iter().filter_map(|name| name.parse().ok()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_every_unsound_value_is_told() {
        assert_eq!(Config::default().problems(), Vec::<String>::new());
        let text = r#"{ "profiles": ["client", "root"], "issued_per_day": 0, "clock_skew": "2h" }"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.problems().len(), 3, "{:?}", config.problems());
        assert_eq!(config.profiles(), [ca::Profile::Client]);
    }
}
