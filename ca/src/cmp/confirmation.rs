//! Confirmation: the client has its certificate, and says whether it will use it.

use std::fmt;

use openssl::hash::{MessageDigest, hash};

use super::{
    FailureInfo, Objection, SignatureAlgorithm,
    digest::hash as named,
    message::{AlgorithmIdentifier, CertStatus, decode},
    oid,
};
use crate::{Certificate, certificate::parse_x509};

/// certConf about one certificate (RFC 9810 §5.3.18).
#[derive(Clone)]
pub struct Confirmation {
    /// certReqId of the request.
    pub id: i64,
    /// Whether the client takes the certificate; if not, it is to be revoked.
    pub accepted: bool,
    /// What the client says about it, unchecked.
    pub text: Option<String>,
    hash: Vec<u8>,
    digest: Option<MessageDigest>,
}

impl Confirmation {
    pub(super) fn read(content: &[u8]) -> Result<Confirmation, Objection> {
        let list: Vec<CertStatus> = decode(content, "confirmation")?;
        let Ok([status]) = <[CertStatus; 1]>::try_from(list) else {
            let text = "a message confirms exactly one certificate here";
            return Err(Objection::new(FailureInfo::BadRequest, text));
        };
        let (accepted, text) = match status.status_info {
            None => (true, None),
            Some(info) => (info.status == ACCEPTED, info.status_string.map(|lines| lines.join("\n"))),
        };
        Ok(Confirmation {
            id: status.cert_req_id,
            accepted,
            text,
            hash: status.cert_hash.as_bytes().to_vec(),
            digest: status.hash_alg.as_ref().map(digest).transpose()?,
        })
    }

    /// Whether this very certificate is confirmed: by the hash that the message names, or else by the one inside
    /// the certificate's own signature.
    pub fn is_of(&self, certificate: &Certificate) -> bool {
        let digest = self.digest.or_else(|| own_digest(certificate));
        let hash = digest.and_then(|digest| hash(digest, certificate.der()).ok());
        hash.is_some_and(|hash| *hash == *self.hash)
    }
}

impl fmt::Debug for Confirmation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Confirmation")
            .field("id", &self.id)
            .field("accepted", &self.accepted)
            .field("text", &self.text)
            .finish_non_exhaustive()
    }
}

/// By SHA-1, another certificate with the same hash might be found by now.
fn digest(algorithm: &AlgorithmIdentifier) -> Result<MessageDigest, Objection> {
    named(algorithm).filter(|_| algorithm.algorithm != oid::SHA1).ok_or_else(|| {
        let text = format!("the hash {} of the confirmation is not accepted", algorithm.algorithm);
        Objection::new(FailureInfo::BadAlg, text)
    })
}

fn own_digest(certificate: &Certificate) -> Option<MessageDigest> {
    let x509 = parse_x509(certificate.der()).ok()?;
    let number = x509.signature_algorithm.algorithm.to_id_string().parse().ok()?;
    SignatureAlgorithm::from_oid(number).map(SignatureAlgorithm::digest)
}

/// PKIStatus (RFC 9810 §5.2.3).
const ACCEPTED: u8 = 0;

#[cfg(test)]
mod tests {
    use der::{Encode, asn1::OctetString};

    use super::*;
    use crate::cmp::message::PkiStatusInfo;

    /// Signed with ecdsa-with-SHA384.
    const CONFIRMED: &[u8] = include_bytes!("../../tests/messages/confirmed.der");

    fn read(digest: MessageDigest, named: Option<der::asn1::ObjectIdentifier>, status: u8) -> Confirmation {
        let hash = hash(digest, CONFIRMED).expect("a hash");
        let text = Some(vec!["so".to_owned(), "so".to_owned()]);
        let status = CertStatus {
            cert_hash: OctetString::new(&*hash).expect("short"),
            cert_req_id: -1,
            status_info: Some(PkiStatusInfo { status, status_string: text, fail_info: None }),
            hash_alg: named.map(|algorithm| AlgorithmIdentifier { algorithm, parameters: None }),
        };
        Confirmation::read(&vec![status].to_der().expect("short")).expect("read")
    }

    #[test]
    fn the_hash_is_the_named_one_or_the_signature_s() {
        let confirmed = Certificate::parse(CONFIRMED).expect("a certificate");
        for (digest, named, fits) in [
            (MessageDigest::sha384(), None, true),
            (MessageDigest::sha256(), None, false),
            (MessageDigest::sha256(), Some(oid::SHA256), true),
            (MessageDigest::sha384(), Some(oid::SHA384), true),
            (MessageDigest::sha512(), Some(oid::SHA512), true),
            (MessageDigest::sha384(), Some(oid::SHA512), false),
        ] {
            assert_eq!(read(digest, named, 0).is_of(&confirmed), fits, "{named:?}");
        }
    }

    #[test]
    fn a_certificate_may_be_refused_with_words() {
        let refused = read(MessageDigest::sha384(), None, 2);
        assert!(!refused.accepted && refused.id == -1);
        assert_eq!(refused.text.as_deref(), Some("so\nso"));
        assert!(read(MessageDigest::sha384(), None, 0).accepted);
    }
}
