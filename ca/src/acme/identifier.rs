//! Identifiers: what an order asks a certificate for (RFC 8555 §7.1.4).

use std::net::IpAddr;

use serde::{Deserialize, Serialize, Serializer};

use super::{Problem, ProblemType, problem::Subproblem};
use crate::{
    Name, Subject,
    names::{host_form, mail_form, readable, same_mail, same_uri},
};

/// One name that an order asks for, in the one form in which names are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identifier {
    /// A host name in A-labels and lower case; no wildcard.
    Dns(String),
    /// An address (RFC 8738).
    Ip(IpAddr),
    /// The permanent name of a device (draft-ietf-acme-device-attest).
    PermanentIdentifier(String),
    /// A mail address (RFC 8823).
    Email(String),
}

impl Identifier {
    /// Reads an identifier from its type and value.
    pub fn parse(kind: &str, value: &str) -> Result<Identifier, Problem> {
        let raw = RawIdentifier { kind: kind.to_owned(), value: value.to_owned() };
        raw.parse().map_err(|subproblem| Problem::of_identifiers(vec![subproblem]))
    }

    /// Its type, such as `dns`.
    pub fn kind(&self) -> &'static str {
        match self {
            Identifier::Dns(_) => "dns",
            Identifier::Ip(_) => "ip",
            Identifier::PermanentIdentifier(_) => "permanent-identifier",
            Identifier::Email(_) => "email",
        }
    }

    /// Its value.
    pub fn value(&self) -> String {
        match self {
            Identifier::Ip(address) => address.to_string(),
            Identifier::Dns(text) | Identifier::PermanentIdentifier(text) | Identifier::Email(text) => {
                text.clone()
            }
        }
    }

    /// Whether a certificate for the subject carries it; a permanent identifier may be a device, or whoever is meant by
    /// common name or URI.
    pub fn is_of(&self, subject: &Subject) -> bool {
        match self {
            Identifier::Dns(host) => subject.carries(&Name::Dns(host.clone())),
            Identifier::Ip(address) => subject.carries(&Name::Ip(*address)),
            Identifier::Email(mail) => subject.carries(&Name::Mail(mail.clone())),
            Identifier::PermanentIdentifier(text) => {
                [Name::Device(text.clone()), Name::Uri(text.clone())].iter().any(|name| subject.carries(name))
                    || subject.common_name == *text
            }
        }
    }

    /// Whether a certificate request asks for this one by the name.
    pub(super) fn is(&self, name: &Name) -> bool {
        match (self, name) {
            (Identifier::Dns(own), Name::Dns(name)) => own.eq_ignore_ascii_case(name),
            (Identifier::Ip(own), Name::Ip(name)) => own == name,
            (Identifier::Email(own), Name::Mail(name)) => same_mail(own, name),
            (Identifier::PermanentIdentifier(own), Name::Device(name)) => own == name,
            (Identifier::PermanentIdentifier(own), Name::Uri(name)) => same_uri(own, name),
            // Common tools repeat one of the names in CN (RFC 8555 §7.4 lets it stand there).
            (Identifier::Dns(own), Name::CommonName(name)) => own.eq_ignore_ascii_case(name),
            (Identifier::Email(own), Name::CommonName(name)) => same_mail(own, name),
            (own, Name::CommonName(name)) => own.value() == *name,
            _ => false,
        }
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawIdentifier::from(self).serialize(serializer)
    }
}

/// An identifier as it stands in JSON, of whatever type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RawIdentifier {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

impl RawIdentifier {
    pub(super) fn parse(self) -> Result<Identifier, Subproblem> {
        self.read().map_err(|(kind, why)| Subproblem::new(self, kind, why.to_owned()))
    }

    fn read(&self) -> Result<Identifier, (ProblemType, &'static str)> {
        let malformed = |why| (ProblemType::Malformed, why);
        let value = self.value.as_str();
        match self.kind.as_str() {
            "dns" if value.starts_with("*.") => {
                Err((ProblemType::RejectedIdentifier, "wildcards are not certified here"))
            }
            "dns" => match host_form(value) {
                None => Ok(Identifier::Dns(value.to_ascii_lowercase())),
                Some(why) => Err(malformed(why)),
            },
            "ip" => match value.parse::<IpAddr>() {
                // RFC 8738 §3: the form of RFC 5952 §4 and no other, so that texts can be compared.
                Ok(address) if address.to_string() == value => Ok(Identifier::Ip(address)),
                _ => Err(malformed("it is not an address in its shortest form")),
            },
            "permanent-identifier" => match readable(value) {
                Ok(text) => Ok(Identifier::PermanentIdentifier(text)),
                Err(_) => Err(malformed("it is empty, too long or holds control characters")),
            },
            "email" => match (readable(value), mail_form(value)) {
                (Ok(text), None) => Ok(Identifier::Email(text)),
                (_, why) => Err(malformed(why.unwrap_or("it holds control characters"))),
            },
            _ => Err((ProblemType::UnsupportedIdentifier, "identifiers of this type are not certified here")),
        }
    }
}

impl From<&Identifier> for RawIdentifier {
    fn from(identifier: &Identifier) -> RawIdentifier {
        RawIdentifier { kind: identifier.kind().to_owned(), value: identifier.value() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn identifiers_are_read_and_said_in_one_form() {
        for (kind, value) in [
            ("dns", "printer.corp.example"),
            ("ip", "192.0.2.1"),
            ("ip", "2001:db8::1"),
            ("permanent-identifier", "SN 4711/ä"),
            ("email", "Alice@corp.example"),
        ] {
            let identifier = Identifier::parse(kind, value).expect(value);
            assert_eq!(to_value(&identifier).expect("JSON"), json!({"type": kind, "value": value}));
        }
        let upper = Identifier::parse("dns", "Printer.CORP.example").expect("a host");
        assert_eq!(upper.value(), "printer.corp.example");
    }

    #[test]
    fn other_texts_are_refused_and_told() {
        for (kind, value, problem) in [
            ("dns", "", ProblemType::Malformed),
            ("dns", "192.0.2.1", ProblemType::Malformed),
            ("dns", "münchen.example", ProblemType::Malformed),
            ("dns", "corp.example.", ProblemType::Malformed),
            ("dns", "a\0.example", ProblemType::Malformed),
            ("dns", "*.corp.example", ProblemType::RejectedIdentifier),
            ("ip", "2001:db8:0::1", ProblemType::Malformed),
            ("ip", "192.0.2.01", ProblemType::Malformed),
            ("ip", "printer", ProblemType::Malformed),
            ("permanent-identifier", "a\nb", ProblemType::Malformed),
            ("email", "alice", ProblemType::Malformed),
            ("email", "al\u{7}ice@corp.example", ProblemType::Malformed),
            ("TNAuthList", "F83n2a", ProblemType::UnsupportedIdentifier),
            ("DNS", "corp.example", ProblemType::UnsupportedIdentifier),
        ] {
            assert_eq!(Identifier::parse(kind, value).expect_err(value).kind(), problem, "{kind} {value}");
        }
    }
}
