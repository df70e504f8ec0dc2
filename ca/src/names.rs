//! Names: what a request asks for, what a certificate will carry, and when the two are the same.

use std::{fmt, net::IpAddr};

use rcgen::{DistinguishedName, DnType};
use x509_parser::{
    asn1_rs::{self, Any, FromDer, Tag, TaggedExplicit},
    extensions::GeneralName,
    x509::X509Name,
};

use crate::{Failure, Refusal, der};

/// One name in a request or a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// A common name of the subject.
    CommonName(String),
    /// A dNSName.
    Dns(String),
    /// A mail address: rfc822Name, SmtpUTF8Mailbox (RFC 9598), or the old emailAddress attribute.
    Mail(String),
    /// A uniformResourceIdentifier.
    Uri(String),
    /// An iPAddress.
    Ip(IpAddr),
    /// A permanentIdentifier without an assigner (RFC 4043).
    Device(String),
    /// Anything else, by its object identifier or kind.
    Other(String),
}

/// The names that will be in a certificate. They come from the caller's directory, never from the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// CN, 1 to 64 characters; for people to read, never to decide by.
    pub common_name: String,
    /// Mail address; a local part outside ASCII is written as SmtpUTF8Mailbox (RFC 9598).
    pub mail: Option<String>,
    /// O, 1 to 64 characters.
    pub organization: Option<String>,
    /// URIs, the first `urn:uuid:` (RFC 9562) being the one that names the account.
    pub uri: Vec<String>,
    /// Host or domain names, in A-label form.
    pub dns: Vec<String>,
    /// Addresses.
    pub ip: Vec<IpAddr>,
    /// A machine, by the name under which its owner knows it, 1 to 64 characters; written as a permanentIdentifier
    /// without an assigner (RFC 4043).
    pub device: Option<String>,
}

impl Subject {
    /// Whether a certificate for this subject carries the name, in whatever field.
    pub(crate) fn carries(&self, name: &Name) -> bool {
        let dns = |wanted: &str| self.dns.iter().any(|own| own.eq_ignore_ascii_case(wanted));
        let mail = |wanted: &str| self.mail.as_deref().is_some_and(|own| same_mail(own, wanted));
        match name {
            // Common tools put a host or mail address into CN; that asks for nothing new when the name is there anyway.
            Name::CommonName(wanted) => *wanted == self.common_name || dns(wanted) || mail(wanted),
            Name::Dns(wanted) => dns(wanted),
            Name::Mail(wanted) => mail(wanted),
            Name::Uri(wanted) => self.uri.iter().any(|own| same_uri(own, wanted)),
            Name::Ip(wanted) => self.ip.contains(wanted),
            Name::Device(wanted) => self.device.as_ref() == Some(wanted),
            Name::Other(_) => false,
        }
    }

    /// The subject's distinguished name.
    pub(crate) fn distinguished_name(&self) -> Result<DistinguishedName, Failure> {
        let mut name = DistinguishedName::new();
        if let Some(organization) = &self.organization {
            name.push(DnType::OrganizationName, check("organization", organization, short)?);
        }
        name.push(DnType::CommonName, check("common name", &self.common_name, short)?);
        Ok(name)
    }

    /// The subject's alternative names (GeneralName, RFC 5280 §4.2.1.6), each once.
    pub(crate) fn alternative_names(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut names = Vec::new();
        for uri in &self.uri {
            names.push(ascii(der::URI, "URI", check("URI", uri, uri_form)?)?);
        }
        if let Some(address) = &self.mail {
            let address = check("mail address", address, mail_form)?;
            names.push(match address.is_ascii() {
                true => der::value(der::MAIL, &[address.as_bytes()]),
                false => other_name(SMTP_UTF8_MAILBOX, &der::value(der::UTF8, &[address.as_bytes()])),
            });
        }
        for host in &self.dns {
            names.push(ascii(der::DNS, "DNS name", check("DNS name", host, host_form)?)?);
        }
        for address in &self.ip {
            names.push(match address {
                IpAddr::V4(four) => der::value(der::IP, &[&four.octets()]),
                IpAddr::V6(six) => der::value(der::IP, &[&six.octets()]),
            });
        }
        if let Some(device) = &self.device {
            let value = der::value(der::UTF8, &[check("device", device, short)?.as_bytes()]);
            names.push(other_name(PERMANENT_IDENTIFIER, &der::value(der::SEQUENCE, &[&value])));
        }
        let mut once = Vec::with_capacity(names.len());
        names.into_iter().for_each(|name| {
            if !once.contains(&name) {
                once.push(name)
            }
        });
        Ok(once)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::CommonName(name) => write!(out, "CN={name}"),
            Name::Dns(name) => write!(out, "DNS:{name}"),
            Name::Mail(name) => write!(out, "email:{name}"),
            Name::Uri(name) => write!(out, "URI:{name}"),
            Name::Ip(address) => write!(out, "IP:{address}"),
            Name::Device(name) => write!(out, "device:{name}"),
            Name::Other(name) => out.write_str(name),
        }
    }
}

/// The names in a distinguished name. Attributes that place the subject somewhere (C, ST, L, O, OU, …) name nobody
/// and are passed over; those that could name somebody (UID, serialNumber, …) are kept as `Other`.
pub(crate) fn in_distinguished_name(name: &X509Name<'_>) -> Result<Vec<Name>, Refusal> {
    let mut names = Vec::new();
    for attribute in name.iter_attributes() {
        let kind = attribute.attr_type().to_id_string();
        if PLACES.contains(&kind.as_str()) {
            continue;
        }
        let text = readable(attribute.as_str().map_err(|_| Refusal::UnreadableName("a subject attribute"))?)?;
        names.push(match kind.as_str() {
            "2.5.4.3" => Name::CommonName(text),
            "1.2.840.113549.1.9.1" => Name::Mail(text),
            _ => Name::Other(format!("{kind}={text}")),
        });
    }
    Ok(names)
}

/// One subject alternative name.
pub(crate) fn from_general(name: &GeneralName<'_>) -> Result<Name, Refusal> {
    Ok(match name {
        GeneralName::RFC822Name(text) => Name::Mail(readable(text)?),
        GeneralName::DNSName(text) => Name::Dns(readable(text)?),
        GeneralName::URI(text) => Name::Uri(readable(text)?),
        GeneralName::IPAddress(bytes) => {
            Name::Ip(address(bytes).ok_or(Refusal::UnreadableName("an IP address"))?)
        }
        GeneralName::OtherName(kind, value) => match (kind.to_id_string().as_str(), inside(value)) {
            ("1.3.6.1.5.5.7.8.9", Some(value)) => Name::Mail(readable(utf8(&value).ok_or(UNREADABLE)?)?),
            ("1.3.6.1.5.5.7.8.3", Some(value)) => match device(&value) {
                Some(name) => Name::Device(readable(name)?),
                None => Name::Other("permanentIdentifier".to_owned()),
            },
            (kind, _) => Name::Other(format!("otherName:{kind}")),
        },
        GeneralName::DirectoryName(_) => Name::Other("directoryName".to_owned()),
        GeneralName::RegisteredID(_) => Name::Other("registeredID".to_owned()),
        GeneralName::X400Address(_) => Name::Other("x400Address".to_owned()),
        GeneralName::EDIPartyName(_) => Name::Other("ediPartyName".to_owned()),
        GeneralName::Invalid(..) => return Err(UNREADABLE),
    })
}

pub(crate) fn readable(text: &str) -> Result<String, Refusal> {
    // A NUL or line break in a name has fooled many a reader of certificates and logs.
    if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(Refusal::UnreadableName("it is empty, too long or holds control characters"));
    }
    Ok(text.to_owned())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The value of an otherName: `[0] EXPLICIT ANY`.
fn inside(value: &[u8]) -> Option<Any<'_>> {
    let (rest, inner) = TaggedExplicit::<Any<'_>, asn1_rs::Error, 0>::from_der(value).ok()?;
    rest.is_empty().then(|| inner.into_inner())
}

fn utf8<'a>(value: &Any<'a>) -> Option<&'a str> {
    if value.tag() == Tag::Utf8String { std::str::from_utf8(value.data).ok() } else { None }
}

/// A PermanentIdentifier that holds an identifier and nothing else.
fn device<'a>(value: &Any<'a>) -> Option<&'a str> {
    let (rest, name) = Any::from_der(value.data).ok()?;
    if value.tag() == Tag::Sequence && rest.is_empty() { utf8(&name) } else { None }
}

/// OtherName, `[0]` of GeneralName.
fn other_name(kind: &[u8], value: &[u8]) -> Vec<u8> {
    der::value(der::OTHER_NAME, &[&der::value(der::OID, &[kind]), &der::value(der::EXPLICIT_0, &[value])])
}

/// The local part decides by its exact bytes, the domain in ASCII case-insensitively (RFC 5321 §2.4).
pub(crate) fn same_mail(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((a, at)), Some((b, bt))) => a == b && at.eq_ignore_ascii_case(bt),
        _ => false,
    }
}

/// UUIDs are the same in either case (RFC 9562 §4); other URIs are compared as they stand.
pub(crate) fn same_uri(one: &str, other: &str) -> bool {
    let uuid = one.get(..9).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:uuid:"));
    one == other || uuid && one.eq_ignore_ascii_case(other)
}

/// A check names what is wrong with a text, or nothing.
type Check = fn(&str) -> Option<&'static str>;

fn check<'a>(what: &'static str, value: &'a str, form: Check) -> Result<&'a str, Failure> {
    let control = value.chars().any(char::is_control).then_some("it holds control characters");
    let empty = value.is_empty().then_some("it is empty");
    match empty.or(control).or_else(|| form(value)) {
        None => Ok(value),
        Some(why) => Err(Failure::Name { what, value: value.escape_debug().to_string(), why }),
    }
}

fn ascii(tag: u8, what: &'static str, value: &str) -> Result<Vec<u8>, Failure> {
    let wrong = || Failure::Name { what, value: value.to_owned(), why: "it is not ASCII" };
    if value.is_ascii() { Ok(der::value(tag, &[value.as_bytes()])) } else { Err(wrong()) }
}

/// RFC 5280 appendix A.1: ub-common-name and ub-organization-name.
fn short(value: &str) -> Option<&'static str> {
    (value.chars().count() > 64).then_some("it is longer than 64 characters")
}

fn uri_form(value: &str) -> Option<&'static str> {
    let (scheme, rest) = value.split_once(':').unwrap_or_default();
    let letters = scheme.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && scheme.chars().all(|sign| sign.is_ascii_alphanumeric() || "+-.".contains(sign));
    let sound = letters && !rest.is_empty() && !value.contains(' ') && value.len() <= LONGEST;
    (!sound).then_some("it is not an absolute URI")
}

pub(crate) fn mail_form(value: &str) -> Option<&'static str> {
    let Some((local, domain)) = value.rsplit_once('@') else { return Some("it has no @") };
    if local.is_empty() || local.len() > 64 || value.len() > 254 || local.contains([' ', '@']) {
        return Some("its local part is unsound");
    }
    // RFC 9598 §3: even beside a local part outside ASCII, the domain is in A-labels.
    host_form(domain)
}

pub(crate) fn host_form(value: &str) -> Option<&'static str> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // An address among host names matches in no client; it belongs among the addresses (RFC 9525 §2).
    let sound = value.len() <= 253 && value.split('.').all(label) && value.parse::<IpAddr>().is_err();
    (!sound).then_some("it is not a host name in A-label form")
}

const LONGEST: usize = 256;
const UNREADABLE: Refusal = Refusal::UnreadableName("an alternative name");
/// id-on-SmtpUTF8Mailbox, 1.3.6.1.5.5.7.8.9 (RFC 9598 §3).
const SMTP_UTF8_MAILBOX: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x09];
/// id-on-permanentIdentifier, 1.3.6.1.5.5.7.8.3 (RFC 4043 §2).
const PERMANENT_IDENTIFIER: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x03];
/// C, L, ST, street, O, OU, title, postalCode, DC.
const PLACES: [&str; 9] = [
    "2.5.4.6",
    "2.5.4.7",
    "2.5.4.8",
    "2.5.4.9",
    "2.5.4.10",
    "2.5.4.11",
    "2.5.4.12",
    "2.5.4.17",
    "0.9.2342.19200300.100.1.25",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Subject {
        Subject {
            common_name: "Alice".to_owned(),
            mail: Some("Alice@corp.example".to_owned()),
            uri: vec!["urn:uuid:5f0c9d3e-0000-4000-8000-00000000000a".to_owned()],
            dns: vec!["alice.corp.example".to_owned()],
            ip: vec![IpAddr::from([127, 0, 0, 1])],
            ..Subject::default()
        }
    }

    #[test]
    fn own_names_are_carried_in_any_spelling_that_means_the_same() {
        for name in [
            Name::CommonName("Alice".to_owned()),
            Name::CommonName("alice.corp.example".to_owned()),
            Name::CommonName("Alice@corp.example".to_owned()),
            Name::Mail("Alice@CORP.example".to_owned()),
            Name::Dns("ALICE.corp.example".to_owned()),
            Name::Uri("URN:UUID:5F0C9D3E-0000-4000-8000-00000000000A".to_owned()),
            Name::Ip(IpAddr::from([127, 0, 0, 1])),
        ] {
            assert!(alice().carries(&name), "{name}");
        }
    }

    #[test]
    fn foreign_names_are_not_carried() {
        for name in [
            Name::CommonName("alice".to_owned()),
            Name::Mail("alice@corp.example".to_owned()),
            Name::Mail("corp.example".to_owned()),
            Name::Dns("corp.example".to_owned()),
            Name::Dns("*.corp.example".to_owned()),
            Name::Uri("urn:uuid:5f0c9d3e-0000-4000-8000-00000000000b".to_owned()),
            Name::Ip(IpAddr::from([127, 0, 0, 2])),
            Name::Other("0.9.2342.19200300.100.1.1=Alice".to_owned()),
        ] {
            assert!(!alice().carries(&name), "{name}");
        }
    }

    #[test]
    fn names_that_cannot_stand_in_a_certificate_are_told() {
        let wrong: [fn(&mut Subject); 12] = [
            |subject| subject.common_name.clear(),
            |subject| subject.common_name = "x".repeat(65),
            |subject| subject.common_name = "alice\0".to_owned(),
            |subject| subject.organization = Some(String::new()),
            |subject| subject.mail = Some("alice".to_owned()),
            |subject| subject.mail = Some("a@b@corp.example".to_owned()),
            |subject| subject.mail = Some("alice@münchen.example".to_owned()),
            |subject| subject.uri.push("nowhere".to_owned()),
            |subject| subject.uri.push("urn:ü".to_owned()),
            |subject| subject.dns.push("*.corp.example".to_owned()),
            |subject| subject.dns.push("corp.example.".to_owned()),
            |subject| subject.dns.push("-corp.example".to_owned()),
        ];
        for (number, spoil) in wrong.into_iter().enumerate() {
            let mut subject = alice();
            spoil(&mut subject);
            let names = subject.distinguished_name().and_then(|_| subject.alternative_names());
            assert!(matches!(names, Err(Failure::Name { .. })), "case {number}");
        }
    }

    #[test]
    fn each_alternative_name_stands_once() {
        let mut subject = alice();
        subject.dns.push("alice.corp.example".to_owned());
        assert_eq!(subject.alternative_names().expect("sound").len(), 4);
    }
}
