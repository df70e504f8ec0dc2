//! Requests: which certificates a client asks about, read from bytes that anybody may have sent.

use base64::{Engine, engine::general_purpose::STANDARD};
use der::{Decode, asn1::OctetStringRef};
use x509_cert::ext::Extension;

use super::{CertId, OcspRefusal, wire};

/// A request for the status of some certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest {
    certificates: Vec<CertId>,
    nonce: Option<Vec<u8>>,
}

impl OcspRequest {
    /// Reads the body of a POST: one DER OCSPRequest of at most 4 kB that asks about 1 to 16 certificates.
    ///
    /// Refused as malformed are other versions than 1, critical extensions that are not understood, and a nonce that
    /// is not 1 to 128 octets long (RFC 9654 §2.1). Other extensions, the requestor's name and a signature are passed
    /// over.
    pub fn parse(bytes: &[u8]) -> Result<OcspRequest, OcspRefusal> {
        if bytes.len() > MOST_BYTES {
            return Err(MALFORMED);
        }
        let request = wire::Request::from_der(bytes).map_err(|_| MALFORMED)?.tbs;
        if request.version != wire::v1() || !(1..=MOST_CERTIFICATES).contains(&request.requests.len()) {
            return Err(MALFORMED);
        }
        let nonce = nonce(request.extensions.as_deref().unwrap_or_default())?;
        let certificates = request.requests.iter().map(certificate).collect::<Result<_, _>>()?;
        Ok(OcspRequest { certificates, nonce })
    }

    /// Reads the last part of the path of a GET, after its percent signs were resolved: the same request in base64
    /// (RFC 6960 §A.1).
    pub fn from_path(text: &str) -> Result<OcspRequest, OcspRefusal> {
        if text.len() > MOST_TEXT {
            return Err(MALFORMED);
        }
        OcspRequest::parse(&STANDARD.decode(text).map_err(|_| MALFORMED)?)
    }

    /// The certificates asked about, in order.
    pub fn certificates(&self) -> &[CertId] {
        &self.certificates
    }

    /// What the answer must repeat, if anything. A request without it may get an answer that was signed before.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }
}

fn certificate(request: &wire::SingleRequest<'_>) -> Result<CertId, OcspRefusal> {
    if request.extensions.iter().flatten().any(|extension| extension.critical) {
        return Err(MALFORMED);
    }
    CertId::read(request.certificate).ok_or(MALFORMED)
}

fn nonce(extensions: &[Extension]) -> Result<Option<Vec<u8>>, OcspRefusal> {
    let mut nonce = None;
    for extension in extensions {
        if extension.extn_id == wire::NONCE {
            let octets = extension.extn_value.as_bytes();
            let octets = <&OctetStringRef>::from_der(octets).map_err(|_| MALFORMED)?.as_bytes();
            let again = nonce.replace(octets.to_vec()).is_some();
            if again || !(1..=MOST_NONCE).contains(&octets.len()) {
                return Err(MALFORMED);
            }
        } else if extension.critical {
            return Err(MALFORMED);
        }
    }
    Ok(nonce)
}

const MOST_BYTES: usize = 4 * 1024;
const MOST_TEXT: usize = MOST_BYTES.div_ceil(3) * 4;
const MOST_CERTIFICATES: usize = 16;
const MOST_NONCE: usize = 128;
const MALFORMED: OcspRefusal = OcspRefusal::MalformedRequest;

#[cfg(test)]
mod tests {
    use der::{
        Encode,
        asn1::{AnyRef, IntRef, ObjectIdentifier, OctetString},
    };
    use proptest::prelude::*;
    use x509_cert::{ext::Extensions, spki::AlgorithmIdentifierRef};

    use super::*;
    use crate::certificate::serial;

    const OTHER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.3.4");

    #[test]
    fn a_request_asks_about_1_to_16_certificates() {
        let read = |count| OcspRequest::parse(&request(&vec![id(b"name", b"key", b"\x01"); count], None));
        assert_eq!(read(0), Err(MALFORMED));
        assert_eq!(read(16).expect("sound").certificates().len(), 16);
        assert_eq!(read(17), Err(MALFORMED));
    }

    #[test]
    fn a_request_is_at_most_4_kb_and_nothing_follows_it() {
        let long = |name: usize| request(&[id(&vec![7; name], b"key", b"\x01")], None);
        let room = MOST_BYTES - long(1000).len() + 1000;
        assert!(OcspRequest::parse(&long(room)).is_ok());
        assert_eq!(OcspRequest::parse(&long(room + 1)), Err(MALFORMED));
        assert_eq!(OcspRequest::parse(&[&long(9)[..], b"\0"].concat()), Err(MALFORMED));
    }

    #[test]
    fn a_nonce_is_1_to_128_octets_and_comes_once() {
        let read = |extensions| OcspRequest::parse(&request(&[id(b"", b"", b"\x01")], Some(extensions)));
        for length in [1, 32, 128] {
            let request = read(vec![nonce_of(&vec![7; length])]).expect("sound");
            assert_eq!(request.nonce(), Some(&vec![7; length][..]));
        }
        assert_eq!(read(vec![nonce_of(b"")]), Err(MALFORMED));
        assert_eq!(read(vec![nonce_of(&[7; 129])]), Err(MALFORMED));
        assert_eq!(read(vec![nonce_of(b"a"), nonce_of(b"a")]), Err(MALFORMED));
        assert_eq!(read(vec![extension(wire::NONCE, false, b"bare")]), Err(MALFORMED));
    }

    #[test]
    fn extensions_that_are_not_understood_are_refused_when_critical() {
        let read = |extensions| OcspRequest::parse(&request(&[id(b"", b"", b"\x01")], Some(extensions)));
        assert!(read(vec![extension(OTHER, false, b"")]).is_ok());
        assert_eq!(read(vec![extension(OTHER, true, b"")]), Err(MALFORMED));
        for (critical, read) in [(false, true), (true, false)] {
            let id = id(b"", b"", b"\x01");
            let certificate = AnyRef::from_der(&id).expect("sound");
            let extensions = Some(vec![extension(OTHER, critical, b"")]);
            let single = wire::SingleRequest { certificate, extensions };
            assert_eq!(OcspRequest::parse(&whole(vec![single], None, 0)).is_ok(), read);
        }
    }

    #[test]
    fn a_serial_has_20_octets_and_a_sign_at_most() {
        let read = |serial: &[u8]| OcspRequest::parse(&request(&[id(b"", b"", serial)], None));
        assert!(read(&[&b"\0\xFF"[..], &[0; 19]].concat()).is_ok());
        assert!(read(b"\x80").expect("sound").certificates()[0].serial().is_none());
        assert_eq!(read(&[1; 22]), Err(MALFORMED));
    }

    #[test]
    fn other_versions_are_refused() {
        let id = id(b"", b"", b"\x01");
        let version = |version| {
            let certificate = AnyRef::from_der(&id).expect("sound");
            whole(vec![wire::SingleRequest { certificate, extensions: None }], None, version)
        };
        assert!(OcspRequest::parse(&version(0)).is_ok());
        assert_eq!(OcspRequest::parse(&version(1)), Err(MALFORMED));
    }

    #[test]
    fn a_path_holds_the_same_request() {
        let der = request(&[id(b"name", b"key", b"\x01")], Some(vec![nonce_of(b"n")]));
        assert_eq!(OcspRequest::from_path(&STANDARD.encode(&der)), OcspRequest::parse(&der));
        assert_eq!(OcspRequest::from_path("ä"), Err(MALFORMED));
        assert_eq!(OcspRequest::from_path(&"A".repeat(1 << 20)), Err(MALFORMED));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            ids in prop::collection::vec(
                (
                    prop::collection::vec(any::<u8>(), 0..65),
                    prop::collection::vec(any::<u8>(), 0..65),
                    (1u8..0x80, prop::collection::vec(any::<u8>(), 0..21)),
                ),
                1..=16,
            ),
            nonce in prop::option::of(prop::collection::vec(any::<u8>(), 1..=128)),
        ) {
            let number = |(first, rest): &(u8, Vec<u8>)| [&[*first], &rest[..]].concat();
            let written: Vec<_> = ids.iter().map(|(name, key, serial)| id(name, key, &number(serial))).collect();
            let extensions = nonce.as_deref().map(|nonce| vec![nonce_of(nonce)]);
            let read = OcspRequest::parse(&request(&written, extensions)).expect("sound");
            prop_assert_eq!(read.nonce(), nonce.as_deref());
            prop_assert_eq!(read.certificates().iter().map(CertId::der).collect::<Vec<_>>(), written);
            for (id, (.., own)) in read.certificates().iter().zip(&ids) {
                prop_assert_eq!(id.serial(), serial(&number(own)));
            }
        }

        #[test]
        fn arbitrary_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            prop_assert_eq!(OcspRequest::parse(&bytes), Err(MALFORMED));
            prop_assert_eq!(OcspRequest::from_path(&String::from_utf8_lossy(&bytes)), Err(MALFORMED));
        }
    }

    fn id(name: &[u8], key: &[u8], serial: &[u8]) -> Vec<u8> {
        let named = wire::CertId {
            algorithm: AlgorithmIdentifierRef { oid: OTHER, parameters: None },
            name: OctetStringRef::new(name).expect("short"),
            key: OctetStringRef::new(key).expect("short"),
            serial: IntRef::new(serial).expect("short"),
        };
        named.to_der().expect("short")
    }

    fn nonce_of(octets: &[u8]) -> Extension {
        extension(
            wire::NONCE,
            false,
            &OctetString::new(octets).and_then(|octets| octets.to_der()).expect("short"),
        )
    }

    fn extension(extn_id: ObjectIdentifier, critical: bool, value: &[u8]) -> Extension {
        Extension { extn_id, critical, extn_value: OctetString::new(value).expect("short") }
    }

    fn request(ids: &[Vec<u8>], extensions: Option<Extensions>) -> Vec<u8> {
        let single =
            |id| wire::SingleRequest { certificate: AnyRef::from_der(id).expect("sound"), extensions: None };
        whole(ids.iter().map(|id| single(id)).collect(), extensions, 0)
    }

    fn whole(requests: Vec<wire::SingleRequest<'_>>, extensions: Option<Extensions>, version: u8) -> Vec<u8> {
        let tbs = wire::TbsRequest { version, requestor: None, requests, extensions };
        wire::Request { tbs, signature: None }.to_der().expect("short")
    }
}
