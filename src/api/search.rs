//! Searching the ledger: what somebody typed, for the API, the command line and the console.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::{House, Refused};
use crate::store::{LedgerFilter, Standing};
use crate::time::{Span, Timestamp};

/// What is asked for; an empty text asks for nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Search {
    pub(crate) account: String,
    /// The beginning of the serial, in either case, with or without colons.
    pub(crate) serial: String,
    /// A part of one of the names, of at least three letters.
    pub(crate) name: String,
    pub(crate) profile: String,
    pub(crate) state: String,
    /// RFC 3339, a day, or a length of time from now.
    pub(crate) expires_before: String,
    pub(crate) expires_after: String,
    /// SHA-256 of the public key, in hexadecimal.
    pub(crate) key: String,
    /// How many lines are wanted.
    pub(crate) limit: Option<i64>,
    /// The serial of the last line of the page before.
    pub(crate) after: String,
}

/// The states by their words.
pub(crate) const STATES: [(&str, Standing); 5] = [
    ("active", Standing::InForce),
    ("ending", Standing::Ending),
    ("expired", Standing::Expired),
    ("revoked", Standing::Revoked),
    ("intended", Standing::Intended),
];

impl Search {
    /// From the names and values of a form.
    pub(crate) fn read(fields: &BTreeMap<String, String>) -> Result<Self, Refused> {
        serde_json::from_value(json!(fields)).map_err(|error| Refused::BadRequest(error.to_string()))
    }

    /// What it asks for, by the names of the fields.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = [
            ("state", &self.state),
            ("account", &self.account),
            ("serial", &self.serial),
            ("name", &self.name),
            ("profile", &self.profile),
            ("expires_before", &self.expires_before),
            ("expires_after", &self.expires_after),
            ("key", &self.key),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, given(value)?)))
    }

    /// What the ledger is asked; every part that makes no sense is refused with what would.
    pub(crate) fn filter(&self, house: &House, now: Timestamp) -> Result<LedgerFilter, Refused> {
        let account = match self.account.trim() {
            "" => None,
            name => {
                let found = house.directory.find(name);
                Some(found.ok_or_else(|| Refused::NotFound(format!("there is no account {name}")))?.id)
            }
        };
        Ok(LedgerFilter {
            account,
            standing: given(&self.state).map(standing).transpose()?,
            profile: given(&self.profile).map(str::to_owned),
            serial: given(&self.serial).map(|text| hex(text, "serial", 1..=40)).transpose()?,
            name: given(&self.name).map(part).transpose()?,
            key: given(&self.key).map(|text| hex(text, "key", 64..=64)).transpose()?.map(|hex| bytes(&hex)),
            ends_before: given(&self.expires_before).map(|text| moment(text, now)).transpose()?,
            ends_after: given(&self.expires_after).map(|text| moment(text, now)).transpose()?,
        })
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn standing(word: &str) -> Result<Standing, Refused> {
    let known = STATES.iter().find(|(known, _)| *known == word).map(|(_, standing)| *standing);
    known.ok_or_else(|| {
        let words = STATES.map(|(word, _)| word).join(", ");
        Refused::BadRequest(format!("{word:?} is no state of a certificate: {words}"))
    })
}

/// Upper-case hexadecimal of so many digits.
fn hex(text: &str, what: &str, digits: std::ops::RangeInclusive<usize>) -> Result<String, Refused> {
    let hex: String = text.chars().filter(|c| *c != ':').collect::<String>().to_ascii_uppercase();
    match hex.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits.contains(&hex.len()) {
        true => Ok(hex),
        false => Err(Refused::BadRequest(format!(
            "{text:?} is no {what}: {} to {} hexadecimal digits",
            digits.start(),
            digits.end()
        ))),
    }
}

/// The bytes of an even number of digits.
fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

/// Shorter parts stand in too many names to be of use, and the index has none of them.
fn part(text: &str) -> Result<String, Refused> {
    match (3..=253).contains(&text.chars().count()) {
        true => Ok(text.to_lowercase()),
        false => Err(Refused::BadRequest("a part of a name has 3 to 253 letters".into())),
    }
}

fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Refused> {
    if let Ok(Span(span)) = text.parse() {
        return Ok(now.after(span));
    }
    let read = |text: &str| serde_json::from_value(json!(text)).ok();
    read(text).or_else(|| read(&format!("{text}T00:00:00Z"))).ok_or_else(|| {
        let forms = "2026-12-31, 2026-12-31T12:00:00Z, or 30d for in thirty days";
        Refused::BadRequest(format!("{text:?} is no time: write {forms}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_a_moment_or_a_length() {
        let now: Timestamp = moment("2026-12-01T12:00:00Z", Timestamp::from_micros(0)).ok().unwrap();
        let read = |text: &str| moment(text, now).ok().map(|at| at.to_string());
        assert_eq!(read("2026-12-31"), Some("2026-12-31T00:00:00Z".into()));
        assert_eq!(read("30d"), Some("2026-12-31T12:00:00Z".into()));
        for wrong in ["", "soon", "2026-13-01", "-1d"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn digits_are_read_in_either_case_and_with_colons() {
        assert_eq!(hex("0a:Ff", "serial", 1..=40).ok().as_deref(), Some("0AFF"));
        for wrong in ["", "xyz", "0a%", &"0".repeat(41)] {
            assert!(hex(wrong, "serial", 1..=40).is_err(), "{wrong}");
        }
        assert!(part("ab").is_err() && part("Ab%").is_ok_and(|part| part == "ab%"));
        assert!(standing("valid").is_err() && standing("active").is_ok());
    }
}
