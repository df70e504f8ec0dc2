//! Withdrawal: the request to take a certificate back.

use super::{
    CertId, FailureInfo, Objection,
    message::decode,
    oid,
    template::{CertTemplate, Extension, RevDetails},
};
use crate::Reason;

/// A certificate is to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Which one.
    pub certificate: CertId,
    /// Why.
    pub reason: Reason,
}

impl Withdrawal {
    /// Reads RevReqContent (RFC 9810 §5.3.9) about one certificate.
    pub(super) fn read(content: &[u8]) -> Result<Withdrawal, Objection> {
        let list: Vec<RevDetails> = decode(content, "revocation request")?;
        let [details] = list.as_slice() else {
            let text = "a message takes back exactly one certificate here";
            return Err(Objection::new(FailureInfo::BadRequest, text));
        };
        let certificate = certificate(&details.cert_details)?;
        let reason = details.crl_entry_details.iter().flatten().try_fold(Reason::default(), reason)?;
        Ok(Withdrawal { certificate, reason })
    }
}

fn certificate(template: &CertTemplate) -> Result<CertId, Objection> {
    match (&template.issuer, &template.serial_number) {
        (Some(issuer), Some(serial)) => CertId::new(issuer, serial.as_bytes()),
        _ => {
            let text = "a certificate is taken back by its issuer's name and its serial number";
            Err(Objection::new(FailureInfo::BadCertId, text))
        }
    }
}

fn reason(so_far: Reason, extension: &Extension) -> Result<Reason, Objection> {
    /// ENUMERATED of one octet.
    const ENUMERATED: [u8; 2] = [0x0A, 1];
    match (extension.extn_id, extension.extn_value.as_bytes()) {
        (oid::CRL_REASON, [tag, length, number]) if [*tag, *length] == ENUMERATED => {
            Reason::of_code(u64::from(*number)).ok_or_else(|| {
                let text = format!("reason {number} is not one for which certificates are taken back here");
                Objection::new(FailureInfo::BadRequest, text)
            })
        }
        (oid::CRL_REASON, _) => Err(Objection::new(FailureInfo::BadDataFormat, "the reason cannot be read")),
        (other, _) if extension.critical => Err(Objection::new(
            FailureInfo::UnacceptedExtension,
            format!("the critical extension {other} is unknown"),
        )),
        _ => Ok(so_far),
    }
}
