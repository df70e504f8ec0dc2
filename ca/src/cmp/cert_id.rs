//! Certificates by issuer and serial number, as clients name the one to be renewed or taken back.

use der::{Any, Decode, Encode, Tag, TagNumber};

use super::{FailureInfo, Objection, template::OldCertId};
use crate::{Certificate, Serial, certificate::parse_x509};

/// One certificate of one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertId {
    /// DER of the issuer's Name.
    issuer: Vec<u8>,
    /// The content of the INTEGER.
    serial: Vec<u8>,
}

impl CertId {
    pub(super) fn new(issuer: &Any, serial: &[u8]) -> Result<CertId, Objection> {
        Ok(CertId { issuer: issuer.to_der()?, serial: serial.to_vec() })
    }

    /// From CertId, whose issuer is a GeneralName and must be a directoryName.
    pub(super) fn read(id: &OldCertId) -> Result<CertId, Objection> {
        let directory_name = Tag::ContextSpecific { constructed: true, number: TagNumber(4) };
        let number = id.serial_number.header().tag() == Tag::Integer;
        if id.issuer.header().tag() != directory_name || !number {
            let text = "a certificate is named by its issuer's name and its serial number";
            return Err(Objection::new(FailureInfo::BadCertId, text));
        }
        CertId::new(&Any::from_der(id.issuer.value())?, id.serial_number.value())
    }

    /// The serial, when it has the form of this craft's serials; another is of no certificate issued here.
    pub fn serial(&self) -> Option<Serial> {
        Serial::from_bytes(self.serial.as_slice().try_into().ok()?).ok()
    }

    /// Whether the issuer's name is the authority's.
    pub fn is_of(&self, authority: &Certificate) -> bool {
        parse_x509(authority.der()).is_ok_and(|x509| x509.subject().as_raw() == self.issuer)
    }

    /// Whether this very certificate is meant.
    pub fn names(&self, certificate: &Certificate) -> bool {
        parse_x509(certificate.der())
            .is_ok_and(|x509| x509.issuer().as_raw() == self.issuer && x509.raw_serial() == self.serial)
    }
}
