//! Requests as they arrive: envelope first, then proof, and only then what is asked.

use der::{Any, Encode};
use openssl::x509::X509;

use super::{
    Body, FailureInfo, Header, Objection, Protection,
    message::{AlgorithmIdentifier, PkiHeader, PkiMessage, ProtectedPart, decode},
};
use crate::{Certificate, certificate::hex};

/// A message whose envelope was read. Nothing in it is proven before [`verify_mac`](Self::verify_mac) or
/// [`verify_signature`](Self::verify_signature) said so.
#[derive(Clone, Debug)]
pub struct Request {
    header: Header,
    protected: Vec<u8>,
    body: Any,
    protection: Protection,
    proof: Vec<u8>,
    extra_certs: Vec<Vec<u8>>,
}

/// A message that cannot be dealt with. The header, as far as it was read, is enough to answer it; as its protection
/// is not to be relied on, the answer goes unprotected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{objection}")]
pub struct Rejected {
    /// What could be read of the header; otherwise it is empty.
    pub header: Box<Header>,
    /// What is wrong.
    pub objection: Objection,
}

impl Request {
    /// Reads a PKIMessage of at most 16 kB in DER.
    ///
    /// Rejected are: bytes that are not exactly one message; versions other than 2 and 3; a missing transaction
    /// identifier or nonce; protection by unknown algorithms or in more than 100,000 rounds; more than eight
    /// certificates. The body is left for [`body`](Self::body).
    pub fn parse(bytes: &[u8]) -> Result<Request, Rejected> {
        let unread = |objection| Rejected { header: Box::default(), objection };
        let message = read_message(bytes).map_err(unread)?;
        let mut shape: PkiHeader =
            message.header.decode_as().map_err(|error| unread(Objection::from(error)))?;
        let algorithm = shape.protection_alg.take();
        let header = Header::read(shape);
        Request::assemble(&header, algorithm, message)
            .map_err(|objection| Rejected { header: Box::new(header), objection })
    }

    fn assemble(
        header: &Header,
        algorithm: Option<AlgorithmIdentifier>,
        message: PkiMessage,
    ) -> Result<Request, Objection> {
        header.check()?;
        let protection = Protection::read(algorithm.as_ref(), message.protection.is_some())?;
        let certificates = message.extra_certs.unwrap_or_default();
        if certificates.len() > MOST_CERTIFICATES {
            let text = format!("the message brings more than {MOST_CERTIFICATES} certificates");
            return Err(Objection::new(FailureInfo::BadDataFormat, text));
        }
        let part = ProtectedPart { header: message.header, body: message.body };
        Ok(Request {
            header: header.clone(),
            protected: part.to_der()?,
            body: part.body,
            protection,
            // A proof is whole octets; of anything else nothing is kept, and nothing proves nothing.
            proof: message
                .protection
                .and_then(|bits| bits.as_bytes().map(<[u8]>::to_vec))
                .unwrap_or_default(),
            extra_certs: certificates.iter().map(Encode::to_der).collect::<Result<_, _>>()?,
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How it claims to be protected.
    pub fn protection(&self) -> &Protection {
        &self.protection
    }

    /// Whether it is protected by a MAC under this secret, over the bytes as they arrived.
    pub fn verify_mac(&self, secret: &[u8]) -> bool {
        match &self.protection {
            Protection::Mac(mac) => mac.verify(secret, &self.protected, &self.proof),
            Protection::None | Protection::Signature(_) => false,
        }
    }

    /// The certificate that a signed message names as its signer's: the one with its key identifier, else the first
    /// of those it brings (RFC 9483 §3.3). Whether to trust it is the caller's question.
    pub fn signer(&self) -> Option<Certificate> {
        let Protection::Signature(_) = self.protection else { return None };
        let key_id = self.header.key_id.as_deref().map(hex);
        let readable = || self.extra_certs.iter().filter_map(|der| Certificate::parse(der).ok());
        let named = readable().find(|certificate| key_id.is_some() && certificate.key_id == key_id);
        named.or_else(|| readable().next())
    }

    /// Whether it was signed with the certificate's key, over the bytes as they arrived.
    pub fn verify_signature(&self, signer: &Certificate) -> bool {
        let Protection::Signature(algorithm) = self.protection else { return false };
        let key = X509::from_der(signer.der()).and_then(|x509| x509.public_key());
        key.is_ok_and(|key| algorithm.verify(&key, &self.protected, &self.proof))
    }

    /// The certificates that came along, in DER and in their order.
    pub fn extra_certs(&self) -> &[Vec<u8>] {
        &self.extra_certs
    }

    /// What is asked. Read it once the sender is known: parsing costs more than refusing.
    pub fn body(&self) -> Result<Body, Objection> {
        Body::read(&self.body)
    }
}

fn read_message(bytes: &[u8]) -> Result<PkiMessage, Objection> {
    if bytes.len() > MOST_BYTES {
        let text = format!("the message is {} bytes long; no more than {MOST_BYTES} are read", bytes.len());
        return Err(Objection::new(FailureInfo::BadDataFormat, text));
    }
    decode(bytes, "message")
}

const MOST_BYTES: usize = 16 * 1024;
const MOST_CERTIFICATES: usize = 8;

#[cfg(test)]
mod tests {
    use der::{Tag, TagNumber};

    use super::*;
    use crate::cmp::header::tests::shape;

    fn message(header: &PkiHeader, kind: u32, content: &[u8]) -> PkiMessage {
        let tag = Tag::ContextSpecific { constructed: true, number: TagNumber(kind) };
        let header = Any::encode_from(header).expect("short");
        PkiMessage {
            header,
            body: Any::new(tag, content).expect("short"),
            protection: None,
            extra_certs: None,
        }
    }

    fn parse(message: &PkiMessage) -> Result<Request, Rejected> {
        Request::parse(&message.to_der().expect("short"))
    }

    #[test]
    fn an_unprotected_message_is_read_and_proves_nothing() {
        let request = parse(&message(&shape(), 21, &[0x30, 0])).expect("a question");
        assert_eq!(request.protection(), &Protection::None);
        assert!(!request.verify_mac(b""));
        assert!(request.signer().is_none());
        assert!(matches!(request.body(), Ok(Body::Ask(questions)) if questions.is_empty()));
    }

    #[test]
    fn what_an_authority_says_is_not_what_it_is_asked() {
        for kind in [1, 3, 5, 6, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 26, 27] {
            let request = parse(&message(&shape(), kind, &[0x30, 0])).expect("an envelope");
            assert_eq!(request.body().expect_err("not for us").info, FailureInfo::BadRequest, "{kind}");
        }
    }

    #[test]
    fn one_message_holds_one_request() {
        for kind in [0, 2, 7, 11, 24, 25] {
            let request = parse(&message(&shape(), kind, &[0x30, 0])).expect("an envelope");
            assert_eq!(request.body().expect_err("nothing is asked").info, FailureInfo::BadRequest, "{kind}");
        }
    }

    #[test]
    fn a_rejected_message_still_says_whom_to_answer() {
        let mut header = shape();
        header.pvno = 1;
        let rejected = parse(&message(&header, 21, &[0x30, 0])).expect_err("an old version");
        assert_eq!(rejected.objection.info, FailureInfo::UnsupportedVersion);
        assert_eq!(rejected.header.transaction, [7; 16]);
        assert_eq!(rejected.header.answered_version(), 2);
        let rejected = Request::parse(b"0").expect_err("no message");
        assert_eq!(*rejected.header, Header::default());
    }

    #[test]
    fn masses_are_not_read() {
        let mut crowded = message(&shape(), 21, &[0x30, 0]);
        crowded.extra_certs = Some(vec![Any::null(); 8]);
        assert!(parse(&crowded).is_ok());
        crowded.extra_certs = Some(vec![Any::null(); 9]);
        assert!(parse(&crowded).expect_err("nine").objection.text.contains("more than 8"));
        let rejected = Request::parse(&[0x30; 16 * 1024 + 1]).expect_err("too long");
        assert!(rejected.objection.text.contains("16385"), "{rejected}");
    }

    #[test]
    fn half_a_protection_is_none() {
        let mut half = message(&shape(), 21, &[0x30, 0]);
        half.protection = der::asn1::BitString::from_bytes(b"proof").ok();
        assert_eq!(parse(&half).expect_err("no algorithm").objection.info, FailureInfo::BadMessageCheck);
    }
}
