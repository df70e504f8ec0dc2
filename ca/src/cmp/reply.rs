//! Replies: an answer in its envelope, protected as the request was.

use std::time::Duration;

use der::{
    Any, Decode, Encode, Tag, TagNumber,
    asn1::{BitString, GeneralizedTime, OctetString},
};
use rcgen::SigningKey;
use time::OffsetDateTime;

use super::{
    Answer, Header, Mac, Protection, Rejected, Request, SignatureAlgorithm,
    message::{AlgorithmIdentifier, InfoTypeAndValue, PkiHeader, PkiMessage, ProtectedPart},
    oid,
};
use crate::{Certificate, Failure, KeyPair, certificate::parse_x509};

/// In whose name replies go out.
#[derive(Clone, Copy, Debug)]
pub struct Responder<'a> {
    /// The authority, whose name stands under replies that a secret protects and under unprotected ones.
    pub authority: &'a Certificate,
    /// Who signs the replies to signed requests; without it they go unprotected.
    pub signer: Option<Signer<'a>>,
}

/// Who signs: a certificate, its key, and the certificates above it in DER.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The certificate; its name is the reply's sender.
    pub certificate: &'a Certificate,
    /// Its key.
    pub key: &'a KeyPair,
    /// The certificates from its issuer on.
    pub chain: &'a [&'a [u8]],
}

impl Responder<'_> {
    /// Writes the reply to a request, protected as the request was: by the secret that
    /// [`verify_mac`](Request::verify_mac) found right, or by the signer.
    ///
    /// Without a secret, the reply to a request under a MAC goes unprotected, and so does one to an unprotected
    /// request. The nonce is fresh, and the client repeats it in its next message.
    pub fn reply(
        &self,
        request: &Request,
        secret: Option<&[u8]>,
        answer: &Answer<'_>,
        nonce: [u8; 16],
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, Failure> {
        let header = request.header();
        let reply = Reply::to(header, answer, nonce, now)?;
        match (request.protection(), secret, &self.signer) {
            (Protection::Mac(mac), Some(secret), _) => reply.by_secret(self.authority, header, mac, secret),
            (Protection::Signature(_), _, Some(signer)) => reply.by_signer(signer),
            _ => reply.unprotected(self.authority),
        }
    }

    /// Writes the error that answers a message which could not be read.
    pub fn reject(
        &self,
        rejected: &Rejected,
        nonce: [u8; 16],
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, Failure> {
        let answer = Answer::Error(rejected.objection.clone());
        Reply::to(&rejected.header, &answer, nonce, now)?.unprotected(self.authority)
    }
}

/// A message that is yet to be protected.
struct Reply {
    header: PkiHeader,
    body: Any,
    chain: Vec<Vec<u8>>,
}

impl Reply {
    /// The header belongs to the request's (RFC 9810 §5.1.1): same version and transaction, its nonce repeated.
    fn to(
        request: &Header,
        answer: &Answer<'_>,
        nonce: [u8; 16],
        now: OffsetDateTime,
    ) -> Result<Reply, Failure> {
        let implicit = InfoTypeAndValue { info_type: oid::IMPLICIT_CONFIRM, info_value: Some(Any::null()) };
        let header = PkiHeader {
            pvno: request.answered_version(),
            sender: directory_name(&EMPTY_NAME)?,
            recipient: Any::from_der(&request.sender).or_else(|_| directory_name(&EMPTY_NAME))?,
            message_time: Some(time(now)?),
            protection_alg: None,
            sender_kid: None,
            recip_kid: None,
            transaction_id: octets(&request.transaction)?,
            sender_nonce: octets(&nonce)?,
            recip_nonce: octets(&request.nonce)?,
            free_text: None,
            general_info: answer.implicit_confirm().then(|| vec![implicit]),
        };
        let chain = answer.chain().iter().map(|der| der.to_vec()).collect();
        Ok(Reply { header, body: answer.body()?, chain })
    }

    /// By the client's own algorithms under a fresh salt. The key identifier is the request's too: it names the
    /// secret (RFC 9483 §3.1).
    fn by_secret(
        mut self,
        authority: &Certificate,
        request: &Header,
        mac: &Mac,
        secret: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        let mac = mac.with_salt(salt);
        self.header.sender = name_of(authority)?;
        self.header.sender_kid = octets(request.key_id.as_deref().unwrap_or_default())?;
        self.protect(mac.identifier()?, |bytes| mac.compute(secret, bytes))
    }

    /// The signer's certificate and chain come first among the certificates (RFC 9483 §3.3).
    fn by_signer(mut self, signer: &Signer<'_>) -> Result<Vec<u8>, Failure> {
        self.header.sender = name_of(signer.certificate)?;
        self.header.sender_kid = octets(&signer.certificate.key_identifier()?)?;
        let own = [&[signer.certificate.der()], signer.chain].concat();
        self.chain.retain(|der| !own.contains(&der.as_slice()));
        self.chain.splice(..0, own.iter().map(|der| der.to_vec()));
        let algorithm = SignatureAlgorithm::of(signer.key.kind()).identifier();
        self.protect(algorithm, |bytes| Ok(signer.key.sign(bytes)?))
    }

    fn unprotected(mut self, authority: &Certificate) -> Result<Vec<u8>, Failure> {
        self.header.sender = name_of(authority)?;
        let header = Any::from_der(&self.header.to_der()?)?;
        self.seal(header, None)
    }

    fn protect(
        mut self,
        algorithm: AlgorithmIdentifier,
        proof: impl FnOnce(&[u8]) -> Result<Vec<u8>, Failure>,
    ) -> Result<Vec<u8>, Failure> {
        self.header.protection_alg = Some(algorithm);
        let header = Any::from_der(&self.header.to_der()?)?;
        let part = ProtectedPart { header: header.clone(), body: self.body.clone() };
        let proof = BitString::from_bytes(&proof(&part.to_der()?)?)?;
        self.seal(header, Some(proof))
    }

    fn seal(self, header: Any, protection: Option<BitString>) -> Result<Vec<u8>, Failure> {
        let chain = self.chain.iter().map(|der| Any::from_der(der)).collect::<Result<Vec<_>, _>>()?;
        let extra_certs = (!chain.is_empty()).then_some(chain);
        Ok(PkiMessage { header, body: self.body, protection, extra_certs }.to_der()?)
    }
}

fn name_of(certificate: &Certificate) -> Result<Any, Failure> {
    directory_name(parse_x509(certificate.der())?.subject().as_raw())
}

/// GeneralName's directoryName (RFC 5280 §4.2.1.6).
fn directory_name(name: &[u8]) -> Result<Any, Failure> {
    Ok(Any::new(Tag::ContextSpecific { constructed: true, number: TagNumber(4) }, name)?)
}

fn octets(bytes: &[u8]) -> Result<Option<OctetString>, Failure> {
    if bytes.is_empty() { Ok(None) } else { Ok(Some(OctetString::new(bytes)?)) }
}

fn time(now: OffsetDateTime) -> Result<GeneralizedTime, Failure> {
    let seconds = u64::try_from(now.unix_timestamp())
        .map_err(|_| Failure::Validity("a message cannot be older than 1970"))?;
    Ok(GeneralizedTime::from_unix_duration(Duration::from_secs(seconds))?)
}

/// The Name without any attribute.
const EMPTY_NAME: [u8; 2] = [0x30, 0];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Authority, KeyKind, Organization, Urls,
        cmp::{FailureInfo, Grant, Objection, Order, OrderKind},
    };

    const IR: &[u8] = include_bytes!("../../tests/messages/ir.der");
    const KUR: &[u8] = include_bytes!("../../tests/messages/kur.der");
    const SECRET: &[u8] = b"a one-time token";

    thread_local! {
        static HOUSE: (Certificate, KeyPair, Certificate) = {
            let organization = Organization { name: "Corp".into(), domain: "corp.example".into() };
            let urls = Urls { crl: "http://c/".into(), shards: Vec::new(), issuer: "http://i/".into(), ocsp: None };
            let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).expect("a time");
            let founded = Authority::found(&organization, &urls, KeyKind::P256, now).expect("founded");
            let root = Certificate::from_pem(&founded.root_cert_pem).expect("a certificate");
            let issuing = Certificate::from_pem(&founded.issuing_cert_pem).expect("a certificate");
            (issuing, founded.issuing_key, root)
        };
    }

    fn answers<'a>(text: &str, id: i64, certificate: &'a [u8]) -> Vec<Answer<'a>> {
        let order = Order { kind: OrderKind::Initial, id };
        let why = Objection::new(FailureInfo::NotAuthorized, text);
        let grant = Grant { order, certificate, chain: &[], anchor: None, implicit_confirm: id % 2 == 0 };
        vec![
            Answer::Issued(grant),
            Answer::Waiting(order),
            Answer::Declined(order, why.clone()),
            Answer::Later(order, 60),
            Answer::Withdrawn,
            Answer::NotWithdrawn(why.clone()),
            Answer::Confirmed,
            Answer::Told(Vec::new()),
            Answer::Error(why),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn every_reply_is_read_again_and_proves_itself(
            text in ".{1,100}", id: i64, nonce: [u8; 16], time in 0..4_000_000_000i64,
        ) {
            HOUSE.with(|(issuing, key, root)| {
                let chain = [root.der()];
                let signer = Signer { certificate: issuing, key, chain: &chain };
                let responder = Responder { authority: issuing, signer: Some(signer) };
                let now = OffsetDateTime::from_unix_timestamp(time).expect("a time");
                for answer in answers(&text, id, root.der()) {
                    for (bytes, secret) in [(IR, Some(SECRET)), (KUR, None)] {
                        let request = Request::parse(bytes).expect("recorded");
                        let reply = responder.reply(&request, secret, &answer, nonce, now).expect("written");
                        let read = Request::parse(&reply).expect("read");
                        let (asked, told) = (request.header(), read.header());
                        prop_assert_eq!(&told.transaction, &asked.transaction);
                        prop_assert_eq!(told.repeated_nonce.as_ref(), Some(&asked.nonce));
                        prop_assert_eq!(&told.recipient, &asked.sender);
                        prop_assert_eq!(told.nonce.as_slice(), &nonce);
                        prop_assert_eq!(told.time, Some(now));
                        prop_assert_eq!(told.version, asked.version);
                        prop_assert_eq!(told.implicit_confirm, answer.implicit_confirm());
                        prop_assert_eq!(read.verify_mac(SECRET), secret.is_some());
                        prop_assert_eq!(read.signer(), secret.is_none().then(|| issuing.clone()));
                        prop_assert_eq!(read.verify_signature(issuing), secret.is_none());
                    }
                }
                Ok(())
            })?;
        }
    }
}
