//! What is known about a certificate, and how an answer says it.

use std::time::Duration;

use der::asn1::{GeneralizedTime, Null};
use time::OffsetDateTime;
use x509_cert::ext::pkix::CrlReason;

use super::wire;
use crate::{Failure, Reason};

/// What is known about one certificate (RFC 6960 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspStatus {
    /// It was issued and not taken back.
    Good,
    /// It was taken back.
    Revoked {
        /// When; told to the second.
        at: OffsetDateTime,
        /// Why; not told when unspecified.
        reason: Reason,
    },
    /// It was not issued here.
    Unknown,
}

impl OcspStatus {
    pub(super) fn to_wire(self) -> Result<wire::CertStatus, Failure> {
        Ok(match self {
            OcspStatus::Good => wire::CertStatus::Good(Null),
            OcspStatus::Revoked { at, reason } => {
                wire::CertStatus::Revoked(wire::RevokedInfo { at: time(at)?, reason: told(reason) })
            }
            OcspStatus::Unknown => wire::CertStatus::Unknown(Null),
        })
    }
}

/// An unspecified reason is left out, as in a CRL (RFC 5280 §5.3.1).
fn told(reason: Reason) -> Option<CrlReason> {
    match reason {
        Reason::Unspecified => None,
        Reason::KeyCompromise => Some(CrlReason::KeyCompromise),
        Reason::AffiliationChanged => Some(CrlReason::AffiliationChanged),
        Reason::Superseded => Some(CrlReason::Superseded),
        Reason::CessationOfOperation => Some(CrlReason::CessationOfOperation),
        Reason::CertificateHold => Some(CrlReason::CertificateHold),
        Reason::PrivilegeWithdrawn => Some(CrlReason::PrivilegeWithdrawn),
    }
}

/// GeneralizedTime in whole seconds (RFC 5280 §4.1.2.5.2).
pub(super) fn time(at: OffsetDateTime) -> Result<GeneralizedTime, Failure> {
    let seconds = u64::try_from(at.unix_timestamp()).map_err(|_| Failure::Validity("it lies before 1970"))?;
    Ok(GeneralizedTime::from_unix_duration(Duration::from_secs(seconds))?)
}
