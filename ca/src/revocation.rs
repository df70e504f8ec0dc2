//! Revocation: which certificates are taken back, and the word for why.

use std::{cmp::Ordering, fmt, str::FromStr, time::Duration};

use ::der::{
    Encode,
    asn1::{GeneralizedTime, UtcTime},
};
use openssl::x509::{X509, X509Crl};
use rcgen::{RevocationReason, SigningKey};
use time::OffsetDateTime;

use crate::{
    Certificate, Failure, Refusal, Serial, certificate::parse_x509, der, key::signature_algorithm, pem,
};

/// Why a certificate was taken back (RFC 5280 §5.3.1), in the words of the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No reason is told; a CRL then holds none.
    #[default]
    Unspecified,
    /// The private key is, or may be, in other hands.
    KeyCompromise,
    /// The subject's name or standing in the organisation changed.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is no longer needed: the person left, the device is scrapped.
    CessationOfOperation,
    /// Suspended for a while.
    CertificateHold,
    /// A right that the certificate stood for was withdrawn.
    PrivilegeWithdrawn,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 7] = [
        Reason::Unspecified,
        Reason::KeyCompromise,
        Reason::AffiliationChanged,
        Reason::Superseded,
        Reason::CessationOfOperation,
        Reason::CertificateHold,
        Reason::PrivilegeWithdrawn,
    ];

    /// The word, such as `key-compromise`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Unspecified => "unspecified",
            Reason::KeyCompromise => "key-compromise",
            Reason::AffiliationChanged => "affiliation-changed",
            Reason::Superseded => "superseded",
            Reason::CessationOfOperation => "cessation-of-operation",
            Reason::CertificateHold => "certificate-hold",
            Reason::PrivilegeWithdrawn => "privilege-withdrawn",
        }
    }

    /// The reason with this number, if it is one that a certificate can be taken back for.
    pub(crate) fn of_code(code: u64) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.code() as u64 == code)
    }

    pub(crate) fn code(self) -> RevocationReason {
        match self {
            Reason::Unspecified => RevocationReason::Unspecified,
            Reason::KeyCompromise => RevocationReason::KeyCompromise,
            Reason::AffiliationChanged => RevocationReason::AffiliationChanged,
            Reason::Superseded => RevocationReason::Superseded,
            Reason::CessationOfOperation => RevocationReason::CessationOfOperation,
            Reason::CertificateHold => RevocationReason::CertificateHold,
            Reason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        }
    }
}

impl FromStr for Reason {
    type Err = Refusal;

    fn from_str(word: &str) -> Result<Reason, Refusal> {
        let known = Reason::ALL.into_iter().find(|reason| reason.name() == word);
        known.ok_or_else(|| Refusal::Word(Reason::ALL.map(Reason::name).join(", ")))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// One line of a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Which certificate.
    pub serial: Serial,
    /// When it was taken back; kept to the second.
    pub at: OffsetDateTime,
    /// Why.
    pub reason: Reason,
}

/// Signs a CRL, version 2, with number and authority key identifier (RFC 5280 §5.2): a complete one, or the one of a shard
/// with the URLs of that shard.
///
/// Written here and not by the library that writes certificates, which takes four times as long for a long list.
pub(crate) fn sign_crl(
    key: &impl SigningKey,
    certificate: &Certificate,
    urls: &[String],
    revoked: &[Revoked],
    number: u64,
    now: OffsetDateTime,
    next_update: OffsetDateTime,
) -> Result<Vec<u8>, Failure> {
    let (issuer, algorithm) = (parse_x509(certificate.der())?, signature_algorithm(key));
    let life = [time(now)?, time(next_update)?].concat();
    let extensions = [
        extension(
            AUTHORITY_KEY_ID,
            &der::value(der::SEQUENCE, &[&der::value(KEY_ID, &[&certificate.key_identifier()?])]),
        ),
        extension(CRL_NUMBER, &der::unsigned(&number.to_be_bytes())),
        scope(urls),
    ];
    let extensions = der::value(der::EXPLICIT_0, &[&der::value(der::SEQUENCE, &[&extensions.concat()])]);
    let parts =
        [&der::integer(V2), &algorithm, issuer.subject().as_raw(), &life, &lines(revoked)?, &extensions];
    let list = der::value(der::SEQUENCE, &parts);
    let signature = key.sign(&list)?;
    Ok(der::value(der::SEQUENCE, &[&list, &algorithm, &der::value(der::BITS, &[&[0], &signature])]))
}

/// The critical extension that says which certificates a list is about: those that name one of these URLs (RFC 5280 §5.2.5).
/// Without any it is about all of them, and there is no extension.
fn scope(urls: &[String]) -> Vec<u8> {
    if urls.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = urls.iter().map(|url| der::value(der::URI, &[url.as_bytes()])).collect();
    let point = der::value(der::EXPLICIT_0, &[&der::value(der::IMPLICIT_0, &[&names.concat()])]);
    let parts = [
        &der::value(der::OID, &[ISSUING_DISTRIBUTION_POINT])[..],
        &der::TRUE,
        &der::value(der::OCTETS, &[&der::value(der::SEQUENCE, &[&point])]),
    ];
    der::value(der::SEQUENCE, &parts)
}

/// `revokedCertificates`, which is absent when there are none (RFC 5280 §5.1.2.6).
fn lines(revoked: &[Revoked]) -> Result<Vec<u8>, Failure> {
    let reasons = Reason::ALL.map(told);
    let (mut lines, mut last) = (Vec::with_capacity(revoked.len() * LINE), None);
    for line in revoked {
        // Many are taken back together.
        let at = match last.take().filter(|(at, _)| *at == line.at) {
            Some((_, written)) => written,
            None => time(line.at)?,
        };
        let (serial, reason) = (line.serial.as_bytes(), &reasons[line.reason as usize]);
        // Serials of this craft are positive as they stand, and no line is as long as 128 bytes.
        lines.extend([der::SEQUENCE, (2 + serial.len() + at.len() + reason.len()) as u8]);
        lines.extend([der::INTEGER, serial.len() as u8]);
        lines.extend_from_slice(serial);
        lines.extend_from_slice(&at);
        lines.extend_from_slice(reason);
        last = Some((line.at, at));
    }
    Ok(if revoked.is_empty() { lines } else { der::value(der::SEQUENCE, &[&lines]) })
}

/// The extensions of a line; none for a reason that is not told (RFC 5280 §5.3.1).
fn told(reason: Reason) -> Vec<u8> {
    let code = der::value(der::ENUMERATED, &[&[reason.code() as u8]]);
    match reason {
        Reason::Unspecified => Vec::new(),
        _ => der::value(der::SEQUENCE, &[&extension(REASON_CODE, &code)]),
    }
}

/// An extension that is not critical.
fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    der::value(der::SEQUENCE, &[&der::value(der::OID, &[id]), &der::value(der::OCTETS, &[value])])
}

/// UTCTime through 2049, GeneralizedTime from then on, in whole seconds (RFC 5280 §5.1.2.4).
fn time(at: OffsetDateTime) -> Result<Vec<u8>, Failure> {
    let seconds = u64::try_from(at.unix_timestamp()).map_err(|_| Failure::Validity("it lies before 1970"))?;
    let since = Duration::from_secs(seconds);
    let time = match UtcTime::from_unix_duration(since) {
        Ok(time) => time.to_der(),
        Err(_) => GeneralizedTime::from_unix_duration(since)?.to_der(),
    };
    Ok(time?)
}

impl Certificate {
    /// Whether a list in DER bears this authority's name and signature.
    pub fn has_signed_list(&self, der: &[u8]) -> Result<bool, Failure> {
        let list = X509Crl::from_der(der)?;
        let own = X509::from_der(self.der())?;
        let named = list.issuer_name().try_cmp(own.subject_name())? == Ordering::Equal;
        Ok(named && list.verify(&*own.public_key()?)?)
    }
}

/// The list in the first PEM block, in DER.
pub fn crl_from_pem(text: &str) -> Option<Vec<u8>> {
    pem::first(text, LIST).map(|der| der.to_vec())
}

/// A list in PEM, as the command line of OpenSSL wants it.
pub fn crl_to_pem(der: &[u8]) -> String {
    pem::encode(LIST, der)
}

const LIST: &str = "X509 CRL";
/// The version that has extensions (RFC 5280 §5.1.2.1).
const V2: u32 = 1;
/// The bytes of a usual line.
const LINE: usize = 49;
/// Tag of AuthorityKeyIdentifier's keyIdentifier, `[0] IMPLICIT` (RFC 5280 §4.2.1.1).
const KEY_ID: u8 = 0x80;
/// id-ce-authorityKeyIdentifier, 2.5.29.35.
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1D, 0x23];
/// id-ce-cRLNumber, 2.5.29.20.
const CRL_NUMBER: &[u8] = &[0x55, 0x1D, 0x14];
/// id-ce-issuingDistributionPoint, 2.5.29.28.
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1D, 0x1C];
/// id-ce-cRLReasons, 2.5.29.21.
const REASON_CODE: &[u8] = &[0x55, 0x1D, 0x15];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_found_by_its_name() {
        for reason in Reason::ALL {
            assert_eq!(reason.to_string().parse(), Ok(reason));
            assert_eq!(Reason::of_code(reason.code() as u64), Some(reason));
        }
        assert!(
            "keyCompromise".parse::<Reason>().expect_err("a refusal").to_string().contains("key-compromise")
        );
    }
}
