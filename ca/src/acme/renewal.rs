//! Renewal information: when the server would like a certificate to be renewed (ARI, RFC 9773).

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use time::{OffsetDateTime, serde::rfc3339};

use super::{Problem, base64url};
use crate::{Certificate, Serial, certificate::hex};

/// Which certificate is meant: its issuer's key identifier and its serial (RFC 9773 §4.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateId {
    issuer_key: Vec<u8>,
    serial: Serial,
}

impl CertificateId {
    /// The name of a certificate; none when it has no authority key identifier or a serial of another form than this
    /// craft's.
    pub fn of(certificate: &Certificate) -> Option<CertificateId> {
        Some(CertificateId { issuer_key: certificate.issuer_key_identifier()?, serial: certificate.serial? })
    }

    /// The issuer's key identifier, lower-case hexadecimal, as [`Authority::key_id`](crate::Authority::key_id) has it.
    pub fn issuer_key_id(&self) -> String {
        hex(&self.issuer_key)
    }

    /// The serial.
    pub fn serial(&self) -> Serial {
        self.serial
    }
}

impl FromStr for CertificateId {
    type Err = Problem;

    fn from_str(text: &str) -> Result<CertificateId, Problem> {
        let (key, serial) = text.split_once('.').ok_or_else(|| unknown("it has no dot"))?;
        let (key, serial) = (base64url::decode("it", key)?, base64url::decode("it", serial)?);
        if key.is_empty() || key.len() > LONGEST_KEY {
            return Err(unknown("no authority here has this key identifier"));
        }
        // The serial is the content of the DER INTEGER, sign byte and all; those of this craft have none.
        let serial = <[u8; 16]>::try_from(serial).ok().and_then(|bytes| Serial::from_bytes(bytes).ok());
        let serial = serial.ok_or_else(|| unknown("no authority here gives such serials"))?;
        Ok(CertificateId { issuer_key: key, serial })
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", base64url::encode(&self.issuer_key), base64url::encode(self.serial.as_bytes()))
    }
}

impl Serialize for CertificateId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A renewalInfo object (RFC 9773 §4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalInfo {
    /// When to renew: the client draws a moment in it.
    pub suggested_window: Window,
    /// The URL of a page that says why, when there is something to say.
    #[serde(rename = "explanationURL", skip_serializing_if = "Option::is_none")]
    pub explanation_url: Option<String>,
}

/// A span of time; the end is later than the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The first moment.
    #[serde(with = "rfc3339")]
    pub start: OffsetDateTime,
    /// The last moment.
    #[serde(with = "rfc3339")]
    pub end: OffsetDateTime,
}

fn unknown(why: &str) -> Problem {
    Problem::malformed(format!("this names no certificate: {why}"))
}

/// Key identifiers are hashes; SHA-512 is the longest in use.
const LONGEST_KEY: usize = 64;

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_certificate_is_named_by_issuer_and_serial() {
        // The key identifier of RFC 9773 §4.1, with a serial of this craft's.
        let text = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.QAAAAAAAAAAAAAAAAAAAAQ";
        let id: CertificateId = text.parse().expect("a name");
        assert_eq!(id.issuer_key_id(), "69885b6b87464041e1b37b847ba0ae2cde01c8d4");
        assert_eq!(id.serial().to_string(), "40000000000000000000000000000001");
        assert_eq!(id.to_string(), text);
        assert_eq!(to_value(id).expect("JSON"), text);
    }

    #[test]
    fn other_names_are_refused() {
        for text in [
            "",
            ".",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ",
            // The example of RFC 9773 §4.1: a sound name of another authority's certificate.
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ=.QAAAAAAAAAAAAAAAAAAAAQ",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.QAAAAAAAAAAAAAAAAAAAAQ.",
            ".QAAAAAAAAAAAAAAAAAAAAQ",
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.gAAAAAAAAAAAAAAAAAAAAQ",
        ] {
            assert!(text.parse::<CertificateId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_is_said_in_the_words_of_the_rfc() {
        let info = RenewalInfo {
            suggested_window: Window {
                start: datetime!(2027-01-01 0:00 UTC),
                end: datetime!(2027-01-02 0:00 UTC),
            },
            explanation_url: Some("https://ca.example/why".to_owned()),
        };
        let said = json!({
            "suggestedWindow": {"start": "2027-01-01T00:00:00Z", "end": "2027-01-02T00:00:00Z"},
            "explanationURL": "https://ca.example/why",
        });
        assert_eq!(to_value(info).expect("JSON"), said);
    }
}
