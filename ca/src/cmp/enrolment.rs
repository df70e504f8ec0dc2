//! Enrolment: certificate requests in CRMF (RFC 4211) and PKCS#10 become the same [`Csr`].
//!
//! Possession is proven before anything else is looked at, and the rules for keys, names and extensions are those
//! of [`Csr::parse`]: whoever may not have a certificate by one form may not have it by the other.

use der::{Any, Encode, Tag, TagNumber};
use x509_parser::{extensions::X509Extension, prelude::FromDer, x509::X509Name};

use super::{
    CertId, FailureInfo, Objection, Order, OrderKind, SignatureAlgorithm,
    message::decode,
    oid,
    template::{AttributeTypeAndValue, CertReqMsg, CertRequest, CertTemplate, OldCertId, PopoSigningKey},
};
use crate::{
    Csr, Name, PublicKey, Refusal,
    csr::{NOT_PKCS10, read_extensions},
    der::SEQUENCE,
    names::in_distinguished_name,
    public_key::openssl_key,
};

/// A certificate is asked for.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// What the answers, now and after each poll, refer to.
    pub order: Order,
    /// The key, of which possession is proven, and the names asked for.
    pub csr: Csr,
    /// The certificate that the new one is to replace, if the client says so.
    pub replaces: Option<CertId>,
}

impl Enrolment {
    /// Reads CertReqMessages with one request.
    pub(super) fn crmf(kind: OrderKind, content: &[u8]) -> Result<Enrolment, Objection> {
        let messages: Vec<CertReqMsg> = decode(content, "certificate request")?;
        let [message] = messages.as_slice() else {
            let text = "a message asks for exactly one certificate here";
            return Err(Objection::new(FailureInfo::BadRequest, text));
        };
        let raw = message.cert_req.to_der()?;
        let request: CertRequest = decode(&raw, "certificate request")?;
        let key = requested_key(&request.cert_template)?;
        prove_possession(message.popo.as_ref(), &raw, &key)?;
        let requested = requested_names(&request.cert_template)?;
        Ok(Enrolment {
            order: Order { kind, id: request.cert_req_id },
            csr: Csr::proven(key, requested)?,
            replaces: request.controls.unwrap_or_default().iter().find_map(old_cert_id).transpose()?,
        })
    }

    /// Reads a PKCS#10 request; in DER only, for PEM is the armour of files.
    pub(super) fn pkcs10(content: &[u8]) -> Result<Enrolment, Objection> {
        if content.first() != Some(&SEQUENCE) {
            return Err(NOT_PKCS10.into());
        }
        let order = Order { kind: OrderKind::Pkcs10, id: -1 };
        Ok(Enrolment { order, csr: Csr::parse(content)?, replaces: None })
    }
}

fn requested_key(wanted: &CertTemplate) -> Result<PublicKey, Objection> {
    let Some(spki) = &wanted.public_key else {
        return Err(template("it has no public key; keys are made by their owners"));
    };
    // The template's tag [6] stands in the place of SEQUENCE, whose content is as received.
    Ok(PublicKey::from_spki(&spki.to_der()?)?)
}

/// RFC 4211 §4.1: with a public key in the template, its owner signs the CertRequest as it is sent.
///
/// The other ways are refused. With raVerified somebody else vouches for possession, and there is nobody here whose
/// word would count. The ways by encryption prove it only when the certificate is used.
fn prove_possession(proof: Option<&Any>, request: &[u8], key: &PublicKey) -> Result<(), Objection> {
    let Some(proof) = proof else { return Err(unproven("a proof of possession is missing")) };
    match proof.header().tag() {
        Tag::ContextSpecific { number: TagNumber(1), constructed: true } => {}
        Tag::ContextSpecific { number: TagNumber(0), .. } => {
            return Err(unproven("possession must be proven by signature, not vouched for"));
        }
        _ => return Err(unproven("possession must be proven by signature")),
    }
    let signed: PopoSigningKey = Any::new(Tag::Sequence, proof.value())?.decode_as()?;
    if signed.poposk_input.is_some() {
        return Err(unproven("possession must be proven over the request itself"));
    }
    let algorithm = SignatureAlgorithm::from_oid(signed.algorithm_identifier.algorithm).ok_or_else(|| {
        Objection::new(FailureInfo::BadAlg, "the proof of possession is of an algorithm not accepted")
    })?;
    let signature = signed.signature.as_bytes().unwrap_or_default();
    match algorithm.verify(&openssl_key(key.spki_der())?, request, signature) {
        true => Ok(()),
        false => Err(Refusal::BadSignature.into()),
    }
}

fn requested_names(wanted: &CertTemplate) -> Result<Vec<Name>, Objection> {
    let mut names = Vec::new();
    if let Some(subject) = &wanted.subject {
        match X509Name::from_der(&subject.to_der()?) {
            Ok(([], subject)) => names = in_distinguished_name(&subject)?,
            _ => return Err(template("its subject cannot be read")),
        }
    }
    let raw = wanted.extensions.iter().flatten().map(Encode::to_der).collect::<Result<Vec<_>, _>>()?;
    let mut extensions = Vec::with_capacity(raw.len());
    for der in &raw {
        match X509Extension::from_der(der) {
            Ok(([], extension)) => extensions.push(extension),
            _ => return Err(template("an extension in it cannot be read")),
        }
    }
    read_extensions(&extensions.iter().collect::<Vec<_>>(), &mut names)?;
    Ok(names)
}

fn old_cert_id(control: &AttributeTypeAndValue) -> Option<Result<CertId, Objection>> {
    (control.kind == oid::OLD_CERT_ID).then(|| {
        let id: OldCertId = control.value.decode_as()?;
        CertId::read(&id)
    })
}

fn template(why: &str) -> Objection {
    Objection::new(FailureInfo::BadCertTemplate, format!("the certificate template is not accepted: {why}"))
}

fn unproven(why: &str) -> Objection {
    Objection::new(FailureInfo::BadPop, why)
}

#[cfg(test)]
mod tests {
    use der::{Decode, asn1::OctetString};
    use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer};

    use super::*;
    use crate::{KeyKind, KeyPair, cmp::message::AlgorithmIdentifier};

    type Change = fn(&mut PopoSigningKey);

    fn blank() -> CertTemplate {
        CertTemplate::from_der(&[0x30, 0]).expect("an empty template")
    }

    /// A request with this template, signed by the key.
    fn request(key: &KeyPair, mut wanted: CertTemplate, change: Change) -> Vec<u8> {
        let spki = key.public_key().expect("a key").spki_der().to_vec();
        wanted.public_key = wanted.public_key.or(decode(&spki, "key").ok());
        let request = CertRequest { cert_req_id: 7, cert_template: wanted, controls: None };
        let signed = request.to_der().expect("short");
        let private: PKey<_> = key.to_openssl().expect("a key");
        let signer = Signer::new(MessageDigest::sha256(), &private);
        let signature = signer.and_then(|mut signer| signer.sign_oneshot_to_vec(&signed)).expect("signed");
        let mut proof = PopoSigningKey {
            poposk_input: None,
            algorithm_identifier: AlgorithmIdentifier { algorithm: oid::ECDSA_SHA256, parameters: None },
            signature: der::asn1::BitString::from_bytes(&signature).expect("short"),
        };
        change(&mut proof);
        let tag = Tag::ContextSpecific { constructed: true, number: TagNumber(1) };
        let popo = Any::encode_from(&proof).and_then(|proof| Any::new(tag, proof.value())).ok();
        let cert_req = Any::from_der(&signed).expect("short");
        vec![CertReqMsg { cert_req, popo, reg_info: None }].to_der().expect("short")
    }

    fn read(content: &[u8]) -> Result<Enrolment, Objection> {
        Enrolment::crmf(OrderKind::Initial, content)
    }

    #[test]
    fn a_request_is_proven_over_itself() {
        let key = KeyPair::generate(KeyKind::P256).expect("a key");
        let enrolment = read(&request(&key, blank(), |_| {})).expect("proven");
        assert_eq!(enrolment.order, Order { kind: OrderKind::Initial, id: 7 });
        assert_eq!(enrolment.csr.public_key(), &key.public_key().expect("a key"));
        assert!(enrolment.csr.requested().is_empty() && enrolment.replaces.is_none());

        let changes: [(Change, FailureInfo); 3] = [
            (|proof| proof.poposk_input = Some(Vec::new()), FailureInfo::BadPop),
            (|proof| proof.algorithm_identifier.algorithm = oid::ECDSA_SHA384, FailureInfo::BadPop),
            (|proof| proof.algorithm_identifier.algorithm = oid::HMAC_SHA256, FailureInfo::BadAlg),
        ];
        for (change, info) in changes {
            assert_eq!(read(&request(&key, blank(), change)).expect_err("unproven").info, info);
        }
    }

    #[test]
    fn another_key_than_the_signer_s_is_refused() {
        let (own, other) = (KeyPair::generate(KeyKind::P256), KeyPair::generate(KeyKind::P256));
        let mut foreign = blank();
        let spki = other.and_then(|key| key.public_key()).expect("a key").spki_der().to_vec();
        foreign.public_key = decode(&spki, "key").ok();
        let refused = read(&request(&own.expect("a key"), foreign, |_| {})).expect_err("not his key");
        assert_eq!(refused, Refusal::BadSignature.into());
    }

    #[test]
    fn what_else_a_template_holds_is_passed_over() {
        let key = KeyPair::generate(KeyKind::P256).expect("a key");
        let mut full = blank();
        full.version = Some(2);
        full.serial_number = OctetString::new([1]).ok();
        full.validity = Any::from_der(&[0x30, 0]).and_then(|empty| empty.decode_as()).ok();
        full.issuer = Any::from_der(&[0x30, 0]).ok();
        assert!(full.validity.is_some());
        assert!(read(&request(&key, full, |_| {})).is_ok());
    }
}
