//! Domains: parsed once at the door, trusted afterwards.
//!
//! A [`Domain`] is a host or organisation name in the form the DNS compares: lower case, letters, digits and
//! hyphens (RFC 1123 §2.1, RFC 5890 §2.3.1). Internationalised names are taken in their `xn--` form only: two
//! spellings of one peer would be two peers in the ledger.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

/// A domain name without its final dot, at most 253 octets, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

/// Why some text is not a domain name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotADomain {
    /// Nothing, or only a dot.
    #[error("a domain name is missing")]
    Empty,
    /// More than 253 octets (RFC 1035 §3.1 in presentation form).
    #[error("the name is longer than 253 characters")]
    TooLong,
    /// A label is empty, longer than 63 octets, or begins or ends with a hyphen.
    #[error("the label \"{0}\" is not letters, digits and inner hyphens, 1 to 63 of them")]
    Label(String),
    /// A character outside ASCII; the `xn--` form is wanted.
    #[error("the name is not ASCII; write an internationalised name in its xn-- form")]
    NotAscii,
    /// A wildcard stands for many names; a peer is one.
    #[error("a wildcard is not a domain")]
    Wildcard,
    /// An underscore label belongs to a service, not to a domain (RFC 8552).
    #[error("a label that begins with an underscore names a service, not a domain")]
    Underscore,
    /// The last label is a number, so this is an address (RFC 1123 §2.1).
    #[error("this is an address, not a domain name")]
    Address,
}

impl Domain {
    /// The name as text, without a final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the SRV records of a service of this domain stand (RFC 2782): `service("_syn-fed", "_tcp")`.
    pub fn service(&self, service: &str, transport: &str) -> String {
        format!("{service}.{transport}.{}", self.0)
    }

    /// Where the TLSA records of a TCP port of this host stand (RFC 6698 §3).
    pub fn tlsa(&self, port: u16) -> String {
        format!("_{port}._tcp.{}", self.0)
    }
}

impl FromStr for Domain {
    type Err = NotADomain;

    fn from_str(text: &str) -> Result<Self, NotADomain> {
        parse(text, Underscores::Refused).map(Self)
    }
}

/// Whether labels may begin with an underscore.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Underscores {
    /// Names of hosts and organisations.
    Refused,
    /// Owner names of SRV and TLSA records.
    Allowed,
}

/// The name in lower case and without its final dot.
pub(crate) fn parse(text: &str, underscores: Underscores) -> Result<String, NotADomain> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Err(NotADomain::Empty);
    }
    if !text.is_ascii() {
        return Err(NotADomain::NotAscii);
    }
    if text.len() > MAX_NAME {
        return Err(NotADomain::TooLong);
    }
    for label in text.split('.') {
        check(label, underscores)?;
    }
    let last = text.rsplit('.').next().unwrap_or(text);
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotADomain::Address);
    }
    Ok(text.to_ascii_lowercase())
}

fn check(label: &str, underscores: Underscores) -> Result<(), NotADomain> {
    if label == "*" {
        return Err(NotADomain::Wildcard);
    }
    let host_part = match label.strip_prefix('_') {
        Some(_) if underscores == Underscores::Refused => return Err(NotADomain::Underscore),
        Some(rest) => rest,
        None => label,
    };
    let sound = !host_part.is_empty()
        && label.len() <= MAX_LABEL
        && !host_part.starts_with('-')
        && !host_part.ends_with('-')
        && host_part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if sound { Ok(()) } else { Err(NotADomain::Label(label.into())) }
}

const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Domain {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Domain {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<&str, NotADomain>) {
        assert_eq!(text.parse::<Domain>().map(|d| d.to_string()), expected.map(String::from), "{text}");
    }

    #[test]
    fn a_domain_is_lower_case_and_has_no_final_dot() {
        check("MQ.Peer-A.test.", Ok("mq.peer-a.test"));
        check("xn--mnchen-3ya.example", Ok("xn--mnchen-3ya.example"));
        check("localhost", Ok("localhost"));
    }

    #[test]
    fn what_is_no_domain_is_refused_with_its_reason() {
        check("", Err(NotADomain::Empty));
        check(".", Err(NotADomain::Empty));
        check("*.peer-a.test", Err(NotADomain::Wildcard));
        check("_tcp.peer-a.test", Err(NotADomain::Underscore));
        check("münchen.example", Err(NotADomain::NotAscii));
        check("127.0.0.1", Err(NotADomain::Address));
        check("a..test", Err(NotADomain::Label("".into())));
        check("-a.test", Err(NotADomain::Label("-a".into())));
        check("a b.test", Err(NotADomain::Label("a b".into())));
        check(&format!("{}x", "a.".repeat(126)), Ok(&format!("{}x", "a.".repeat(126))));
        check(&format!("{}xy", "a.".repeat(126)), Err(NotADomain::TooLong));
        check(&format!("{}.test", "a".repeat(64)), Err(NotADomain::Label("a".repeat(64))));
    }

    #[test]
    fn service_names_carry_underscores() {
        let peer: Domain = "peer-a.test".parse().expect("a domain");
        assert_eq!(peer.service("_syn-fed", "_tcp"), "_syn-fed._tcp.peer-a.test");
        assert_eq!(peer.tlsa(8885), "_8885._tcp.peer-a.test");
        assert!(parse(&peer.tlsa(8885), Underscores::Allowed).is_ok());
        assert!(parse("_.peer-a.test", Underscores::Allowed).is_err());
    }

    proptest! {
        #[test]
        fn a_parsed_domain_reads_back_as_itself(text in "[A-Za-z0-9.*_-]{0,80}") {
            if let Ok(domain) = text.parse::<Domain>() {
                prop_assert_eq!(domain.as_str().parse::<Domain>(), Ok(domain.clone()));
                prop_assert!(!domain.as_str().contains(|c: char| c.is_ascii_uppercase()));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<Domain>();
        }
    }
}
