//! Certificates read back: what one says about itself.

use openssl::x509::X509;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::{certificate::X509Certificate, extensions::ParsedExtension, prelude::FromDer};

use crate::{
    Failure, Name, Serial,
    names::{from_general, in_distinguished_name},
    pem,
};

/// A certificate, presented by somebody or stored, taken apart. Reading proves nothing: whether to trust it is for
/// whoever verified the chain, and for the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// The serial, when it has the form of this craft's serials; other authorities' numbers often have not.
    pub serial: Option<Serial>,
    /// The serial number whatever its form, upper-case hexadecimal.
    pub serial_hex: String,
    /// The subject's distinguished name, for people.
    pub subject: String,
    /// The issuer's distinguished name, for people.
    pub issuer: String,
    /// The issuer's key identifier (RFC 5280 §4.2.1.1), lower-case hexadecimal.
    pub issuer_key_id: Option<String>,
    /// The subject's key identifier (RFC 5280 §4.2.1.2), lower-case hexadecimal.
    pub key_id: Option<String>,
    /// The first common name.
    pub common_name: Option<String>,
    /// The readable subject alternative names, in order.
    pub names: Vec<Name>,
    /// First second of validity.
    pub not_before: OffsetDateTime,
    /// Last second of validity.
    pub not_after: OffsetDateTime,
    /// Whether it may sign certificates (CA:TRUE, and keyCertSign where it has a keyUsage).
    pub is_authority: bool,
    /// SHA-256 of the SubjectPublicKeyInfo, lower-case hexadecimal.
    pub spki_sha256: String,
    /// SHA-256 of the whole certificate, lower-case hexadecimal.
    pub fingerprint_sha256: String,
    der: Vec<u8>,
}

impl Certificate {
    /// Reads one DER certificate; bytes after its end are a failure.
    pub fn parse(der: &[u8]) -> Result<Certificate, Failure> {
        Ok(Certificate::of(&parse_x509(der)?, der))
    }

    /// The same of one that was parsed before.
    pub(crate) fn of(x509: &X509Certificate<'_>, der: &[u8]) -> Certificate {
        let mut certificate = Certificate {
            serial: serial(x509.raw_serial()),
            serial_hex: upper_hex(x509.raw_serial()),
            subject: x509.subject().to_string(),
            issuer: x509.issuer().to_string(),
            issuer_key_id: None,
            key_id: None,
            common_name: common_name(x509),
            names: Vec::new(),
            not_before: x509.validity().not_before.to_datetime(),
            not_after: x509.validity().not_after.to_datetime(),
            is_authority: false,
            spki_sha256: hex(&Sha256::digest(x509.public_key().raw)),
            fingerprint_sha256: hex(&Sha256::digest(der)),
            der: der.to_vec(),
        };
        certificate.read_extensions(x509);
        certificate
    }

    /// Reads the first `CERTIFICATE` block.
    pub fn from_pem(text: &str) -> Result<Certificate, Failure> {
        let der = pem::first(text, LABEL).ok_or(Failure::Certificate("there is no PEM block"))?;
        Certificate::parse(&der)
    }

    /// The certificate as it was read.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.der)
    }

    /// The common name, if there is one, then every alternative name in order.
    pub fn all_names(&self) -> impl Iterator<Item = Name> {
        self.common_name.iter().map(|name| Name::CommonName(name.clone())).chain(self.names.iter().cloned())
    }

    /// The URIs among the alternative names, in order.
    pub fn uris(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| if let Name::Uri(uri) = name { Some(uri.as_str()) } else { None })
    }

    /// The DNS names among the alternative names, in order.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.names
            .iter()
            .filter_map(|name| if let Name::Dns(host) = name { Some(host.as_str()) } else { None })
    }

    /// The UUID of the first `urn:uuid:` name (RFC 9562), lower case: which directory entry this certificate names.
    pub fn account_uuid(&self) -> Option<String> {
        self.uris().find_map(uuid)
    }

    /// Whether `now` lies within the validity, both ends included (RFC 5280 §4.1.2.5).
    pub fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// The bytes of the subject's key identifier.
    pub(crate) fn key_identifier(&self) -> Result<Vec<u8>, Failure> {
        let x509 = parse_x509(&self.der)?;
        let identifier = x509.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
        identifier.ok_or(Failure::Certificate("it has no key identifier"))
    }

    /// Whether the issuer bears the name of this certificate's, and its key made the signature. OpenSSL verifies
    /// because it knows every algorithm that an operator's own root may use.
    pub(crate) fn is_signed_by(&self, issuer: &Certificate) -> Result<bool, Failure> {
        let names = parse_x509(&self.der)?.issuer().as_raw() == parse_x509(&issuer.der)?.subject().as_raw();
        let key = X509::from_der(&issuer.der)?.public_key()?;
        let signature = X509::from_der(&self.der)?.verify(&key).unwrap_or(false);
        Ok(names && signature)
    }

    /// The bytes of the issuer's key identifier.
    pub(crate) fn issuer_key_identifier(&self) -> Option<Vec<u8>> {
        let x509 = parse_x509(&self.der).ok()?;
        x509.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
            _ => None,
        })
    }

    fn read_extensions(&mut self, x509: &X509Certificate<'_>) {
        // RFC 5280 §6.1.4 (n): a certificate without keyUsage is not limited by it.
        let (mut ca, mut signs) = (false, true);
        for extension in x509.iter_extensions() {
            match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    self.issuer_key_id = id.key_identifier.as_ref().map(|id| hex(id.0));
                }
                ParsedExtension::SubjectKeyIdentifier(id) => self.key_id = Some(hex(id.0)),
                ParsedExtension::SubjectAlternativeName(names) => {
                    self.names.extend(names.general_names.iter().filter_map(|name| from_general(name).ok()));
                }
                ParsedExtension::BasicConstraints(constraints) => ca = constraints.ca,
                ParsedExtension::KeyUsage(usage) => signs = usage.key_cert_sign(),
                _ => {}
            }
        }
        self.is_authority = ca && signs;
    }
}

/// One whole certificate and nothing after it.
pub(crate) fn parse_x509(der: &[u8]) -> Result<X509Certificate<'_>, Failure> {
    match X509Certificate::from_der(der) {
        Ok(([], x509)) => Ok(x509),
        Ok(_) => Err(Failure::Certificate("bytes follow its end")),
        Err(_) => Err(Failure::Certificate("it is not DER of X.509")),
    }
}

/// The bytes as other Rust TLS libraries take them.
pub(crate) fn borrowed(der: &[u8]) -> CertificateDer<'_> {
    CertificateDer::from(der)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    digits(bytes, b"0123456789abcdef")
}

/// Upper-case hexadecimal.
pub(crate) fn upper_hex(bytes: &[u8]) -> String {
    digits(bytes, b"0123456789ABCDEF")
}

fn digits(bytes: &[u8], of: &[u8; 16]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(of[usize::from(half)]))
        .collect()
}

/// A serial number of this craft's own form.
pub(crate) fn serial(raw: &[u8]) -> Option<Serial> {
    Serial::from_bytes(raw.try_into().ok()?).ok()
}

fn common_name(x509: &X509Certificate<'_>) -> Option<String> {
    let names = in_distinguished_name(x509.subject()).ok()?;
    names.into_iter().find_map(|name| if let Name::CommonName(name) = name { Some(name) } else { None })
}

fn uuid(uri: &str) -> Option<String> {
    let (scheme, digits) = uri.split_at_checked(9)?;
    let shape = digits.len() == 36
        && digits.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    (scheme.eq_ignore_ascii_case("urn:uuid:") && shape).then(|| digits.to_ascii_lowercase())
}

pub(crate) const LABEL: &str = "CERTIFICATE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_uuid_names_an_account() {
        let own = "5f0c9d3e-0000-4000-8000-00000000000a";
        assert_eq!(uuid(&format!("urn:uuid:{own}")).as_deref(), Some(own));
        assert_eq!(uuid(&format!("URN:UUID:{}", own.to_uppercase())).as_deref(), Some(own));
        for uri in
            ["urn:uuid:", "urn:uuid:alice", "urn:uuid:5f0c9d3e-0000-4000-8000-00000000000ä", "urn:üüid:", ""]
        {
            assert_eq!(uuid(uri), None, "{uri}");
        }
        assert_eq!(uuid(&format!("urn:uuid:{own}0")), None);
        assert_eq!(uuid(&format!("urn:uuid:{}", own.replace('-', "0"))), None);
    }
}
