//! Revocation: which certificates are taken back, and the word for why.

use std::{fmt, str::FromStr};

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
    SigningKey,
};
use time::OffsetDateTime;

use crate::{Certificate, Failure, Refusal, Serial, pem};

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

/// Signs a complete CRL, version 2, with number and authority key identifier (RFC 5280 §5.2).
pub(crate) fn sign_crl(
    issuer: &Issuer<'_, impl SigningKey>,
    certificate: &Certificate,
    revoked: &[Revoked],
    number: u64,
    now: OffsetDateTime,
    next_update: OffsetDateTime,
) -> Result<Vec<u8>, Failure> {
    let entry = |revoked: &Revoked| RevokedCertParams {
        serial_number: SerialNumber::from(revoked.serial.as_bytes().to_vec()),
        revocation_time: revoked.at,
        reason_code: Some(revoked.reason.code()),
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: now,
        next_update,
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        // The issuer's own identifier, which need not be a hash that this code would compute.
        key_identifier_method: KeyIdMethod::PreSpecified(certificate.key_identifier()?),
    };
    Ok(list.signed_by(issuer)?.der().to_vec())
}

/// A list in PEM, as the command line of OpenSSL wants it.
pub fn crl_to_pem(der: &[u8]) -> String {
    pem::encode("X509 CRL", der)
}

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
