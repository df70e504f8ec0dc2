//! Requests: a public key, the proof that its owner holds the private half, and the names he asks for.

use ::der::{Any, Decode};
use x509_parser::{
    certification_request::X509CertificationRequest,
    cri_attributes::ParsedCriAttribute,
    extensions::{ExtendedKeyUsage, ParsedExtension, X509Extension},
    prelude::FromDer,
    signature_algorithm::SignatureAlgorithm,
    x509::AlgorithmIdentifier,
};

use crate::{
    Name, PublicKey, Refusal, Subject,
    names::{from_general, in_distinguished_name},
    pem, proof,
};

/// A PKCS#10 request (RFC 2986) whose signature was verified with the key inside it.
///
/// Only the key is used for a certificate. The requested names serve as a filter: see [`check_request`].
#[derive(Clone, Debug)]
pub struct Csr {
    key: PublicKey,
    requested: Vec<Name>,
}

impl Csr {
    /// Reads a request of at most 16 kB, PEM or DER.
    ///
    /// Refused are: bytes that are not exactly one request; keys that [`PublicKey`] does not accept; a signature
    /// that the key did not make, or made with a broken hash; CA rights; unknown critical extensions, and any that
    /// stands there twice; unreadable names, more than 10 alternative names or 16 in all. Other extensions, such as a
    /// subjectKeyIdentifier, are passed over.
    pub fn parse(bytes: &[u8]) -> Result<Csr, Refusal> {
        if bytes.len() > MOST_BYTES {
            return Err(Refusal::TooLong { found: bytes.len(), most: MOST_BYTES });
        }
        let der = unwrap_armor(bytes)?;
        let (rest, request) = X509CertificationRequest::from_der(&der).map_err(|_| NOT_PKCS10)?;
        if !rest.is_empty() {
            return Err(Refusal::Malformed("bytes follow its end"));
        }
        let info = &request.certification_request_info;
        // RFC 2986 §4.1 knows one version.
        if info.version.0 != 0 {
            return Err(NOT_PKCS10);
        }
        let key = PublicKey::from_spki(info.subject_pki.raw)?;
        refuse_broken_hash(&request.signature_algorithm)?;
        proof::verify(&der, &request, &key)?;

        let mut requested = in_distinguished_name(&info.subject)?;
        // Of an attribute with several values only the first was read, and what was read is no whole SET.
        if info.iter_attributes().any(|attribute| Any::from_der(attribute.value).is_err()) {
            return Err(Refusal::Malformed("an attribute of it has more than one value"));
        }
        let wished = info.iter_attributes().filter_map(|attribute| match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(request) => Some(&request.extensions),
            _ => None,
        });
        read_extensions(&wished.flatten().collect::<Vec<_>>(), &mut requested)?;
        Csr::proven(key, requested)
    }

    /// A request that came in another form than PKCS#10 and whose proof of possession was verified there.
    pub(crate) fn proven(key: PublicKey, requested: Vec<Name>) -> Result<Csr, Refusal> {
        if requested.len() > MOST_NAMES {
            return Err(Refusal::TooManyNames(MOST_NAMES));
        }
        Ok(Csr { key, requested })
    }

    /// The names asked for: common names, mail attributes and every alternative name, in that order.
    pub fn requested(&self) -> &[Name] {
        &self.requested
    }

    /// The key to be certified.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// Its DER SubjectPublicKeyInfo, byte for byte as requested.
    pub fn spki_der(&self) -> &[u8] {
        self.key.spki_der()
    }

    /// SHA-256 of the SubjectPublicKeyInfo, lower-case hexadecimal.
    pub fn spki_sha256(&self) -> String {
        self.key.spki_sha256()
    }
}

/// Refuses a request for a name that a certificate for the subject will not carry. To drop such a name silently
/// would hide the mistake, or the attempt, from both sides.
pub fn check_request(csr: &Csr, subject: &Subject) -> Result<(), Refusal> {
    match csr.requested.iter().find(|name| !subject.carries(name)) {
        None => Ok(()),
        Some(foreign) => Err(Refusal::ForeignName(foreign.clone())),
    }
}

fn unwrap_armor(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    const SEQUENCE: u8 = 0x30;
    if bytes.first() == Some(&SEQUENCE) {
        return Ok(bytes.to_vec());
    }
    let blocks = std::str::from_utf8(bytes).ok().and_then(pem::decode).ok_or(NOT_PKCS10)?;
    let mut requests = blocks.iter().filter(|block| LABELS.contains(&block.label.as_str()));
    match (requests.next(), requests.next()) {
        (Some(only), None) => Ok(only.der.to_vec()),
        (Some(_), Some(_)) => Err(Refusal::Malformed("it holds more than one request")),
        _ => Err(NOT_PKCS10),
    }
}

/// Who can make two requests with one signature could have the one proven that the key's owner never saw.
fn refuse_broken_hash(algorithm: &AlgorithmIdentifier<'_>) -> Result<(), Refusal> {
    let own = algorithm.algorithm.to_id_string();
    // The library reports algorithms that it does not know on standard error, so it is asked about this one alone.
    let read = (own == RSASSA_PSS).then(|| SignatureAlgorithm::try_from(algorithm));
    let hash = match read {
        Some(Ok(SignatureAlgorithm::RSASSA_PSS(parameters))) => {
            parameters.hash_algorithm_oid().to_id_string()
        }
        _ => own,
    };
    if BROKEN.contains(&hash.as_str()) { Err(Refusal::WeakHash) } else { Ok(()) }
}

/// Adds the names in the requested extensions, and refuses what no requester may have.
pub(crate) fn read_extensions(
    extensions: &[&X509Extension<'_>],
    requested: &mut Vec<Name>,
) -> Result<(), Refusal> {
    for (at, extension) in extensions.iter().enumerate() {
        // RFC 5280 §4.2: of two, one reader would take the first and another the last.
        if extensions[..at].iter().any(|earlier| earlier.oid == extension.oid) {
            return Err(Refusal::Malformed("an extension stands in it twice"));
        }
        read_extension(extension, requested)?;
    }
    Ok(())
}

fn read_extension(extension: &X509Extension<'_>, requested: &mut Vec<Name>) -> Result<(), Refusal> {
    match extension.parsed_extension() {
        ParsedExtension::ParseError { .. } => Err(Refusal::Malformed("an extension in it cannot be read")),
        ParsedExtension::SubjectAlternativeName(names) => {
            if names.general_names.len() > MOST_ALTERNATIVE_NAMES {
                return Err(Refusal::TooManyNames(MOST_ALTERNATIVE_NAMES));
            }
            names
                .general_names
                .iter()
                .try_for_each(|name| from_general(name).map(|name| requested.push(name)))
        }
        ParsedExtension::BasicConstraints(constraints) if constraints.ca => Err(Refusal::AuthorityWanted),
        ParsedExtension::KeyUsage(usage) if usage.key_cert_sign() || usage.crl_sign() => {
            Err(Refusal::AuthorityWanted)
        }
        ParsedExtension::ExtendedKeyUsage(usage) if is_authoritative(usage) => Err(Refusal::AuthorityWanted),
        ParsedExtension::BasicConstraints(_)
        | ParsedExtension::KeyUsage(_)
        | ParsedExtension::ExtendedKeyUsage(_)
        | ParsedExtension::SubjectKeyIdentifier(_) => Ok(()),
        _ if extension.critical => Err(Refusal::CriticalExtension(extension.oid.to_id_string())),
        _ => Ok(()),
    }
}

/// Whoever signs answers of OCSP or CMP speaks for the authority (RFC 6960 §4.2.2.2, RFC 6402 §2.10), and "any purpose"
/// is these as well.
fn is_authoritative(usage: &ExtendedKeyUsage<'_>) -> bool {
    let speaks = usage.other.iter().any(|purpose| CMC.contains(&purpose.to_id_string().as_str()));
    usage.any || usage.ocsp_signing || speaks
}

const MOST_BYTES: usize = 16 * 1024;
const MOST_NAMES: usize = 16;
const MOST_ALTERNATIVE_NAMES: usize = 10;
/// RSA with MD2, MD4, MD5 and SHA-1, in two spellings; ECDSA with SHA-1; SHA-1 as such.
const BROKEN: [&str; 7] = [
    "1.2.840.113549.1.1.2",
    "1.2.840.113549.1.1.3",
    "1.2.840.113549.1.1.4",
    "1.2.840.113549.1.1.5",
    "1.3.14.3.2.29",
    "1.2.840.10045.4.1",
    "1.3.14.3.2.26",
];
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
/// id-kp-cmcCA, cmcRA and cmcArchive (RFC 6402 §2.10).
const CMC: [&str; 3] = ["1.3.6.1.5.5.7.3.27", "1.3.6.1.5.5.7.3.28", "1.3.6.1.5.5.7.3.29"];
/// The second label is what Microsoft's and Netscape's tools write (RFC 7468 §7).
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
pub(crate) const NOT_PKCS10: Refusal = Refusal::Malformed("it is neither PEM nor DER of a PKCS#10 request");
