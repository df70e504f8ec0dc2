//! Information: what an authority tells to whoever asks (RFC 9483 §4.3).

use der::{Any, Decode, Encode, asn1::ObjectIdentifier};

use super::{
    message::{AlgorithmIdentifier, InfoTypeAndValue},
    oid,
};
use crate::Failure;

/// What a general message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The authority's certificates.
    CaCerts,
    /// The root's successor, where there is one.
    RootCaCert,
    /// What a request must contain.
    CertReqTemplate,
    /// The list of revoked certificates, newer than the client's.
    CrlStatusList,
    /// The list of revoked certificates, in the older way of asking.
    CurrentCrl,
    /// The kinds of keys that are certified.
    SignKeyPairTypes,
    /// Something else, by its object identifier.
    Other(String),
}

impl Question {
    pub(super) fn from_oid(number: ObjectIdentifier) -> Question {
        let known = TABLE.iter().find(|(own, ..)| *own == number);
        known.map_or_else(|| Question::Other(number.to_string()), |(_, _, question)| question.clone())
    }
}

/// One answer to one question.
#[derive(Clone, Debug)]
pub struct Information(InfoTypeAndValue);

impl Information {
    /// The answer that there is nothing to tell: the type alone (RFC 9483 §4.3). `None` where the question is not
    /// understood, which no answer can be made to.
    pub fn nothing(question: &Question) -> Option<Information> {
        let (_, answered, _) = TABLE.iter().find(|(_, _, own)| own == question)?;
        Some(Information(InfoTypeAndValue { info_type: *answered, info_value: None }))
    }

    /// The authority's certificates, each in DER.
    pub fn ca_certs(certificates: &[&[u8]]) -> Result<Information, Failure> {
        Information::list(oid::CA_CERTS, certificates)
    }

    /// Lists of revoked certificates, each in DER.
    pub fn crls(lists: &[&[u8]]) -> Result<Information, Failure> {
        Information::list(oid::CRLS, lists)
    }

    /// The list of revoked certificates in DER, for [`Question::CurrentCrl`].
    pub fn current_crl(list: &[u8]) -> Result<Information, Failure> {
        let info_value = Some(Any::from_der(list)?);
        Ok(Information(InfoTypeAndValue { info_type: oid::CURRENT_CRL, info_value }))
    }

    /// The kinds of keys that [`PublicKey`](crate::PublicKey) accepts (RFC 9810 §5.3.19.2).
    pub fn sign_key_pair_types() -> Result<Information, Failure> {
        let curve = |curve: &ObjectIdentifier| AlgorithmIdentifier {
            algorithm: oid::EC_PUBLIC_KEY,
            parameters: Some(Any::from(curve)),
        };
        let mut kinds: Vec<AlgorithmIdentifier> =
            [oid::P256, oid::P384, oid::P521].iter().map(curve).collect();
        kinds.push(AlgorithmIdentifier { algorithm: oid::ED25519, parameters: None });
        kinds.push(AlgorithmIdentifier { algorithm: oid::RSA_ENCRYPTION, parameters: Some(Any::null()) });
        let info_value = Some(Any::from_der(&kinds.to_der()?)?);
        Ok(Information(InfoTypeAndValue { info_type: oid::SIGN_KEY_PAIR_TYPES, info_value }))
    }

    fn list(info_type: ObjectIdentifier, values: &[&[u8]]) -> Result<Information, Failure> {
        let values = values.iter().map(|der| Any::from_der(der)).collect::<Result<Vec<Any>, _>>()?;
        let info_value = Some(Any::from_der(&values.to_der()?)?);
        Ok(Information(InfoTypeAndValue { info_type, info_value }))
    }

    pub(super) fn content(list: &[Information]) -> Result<Vec<u8>, Failure> {
        let list: Vec<InfoTypeAndValue> = list.iter().map(|Information(info)| info.clone()).collect();
        Ok(list.to_der()?)
    }
}

/// How a question is asked, and how it is answered: the root and the CRLs under another type than they are asked by.
const TABLE: [(ObjectIdentifier, ObjectIdentifier, Question); 6] = [
    (oid::CA_CERTS, oid::CA_CERTS, Question::CaCerts),
    (oid::ROOT_CA_CERT, oid::ROOT_CA_KEY_UPDATE, Question::RootCaCert),
    (oid::CERT_REQ_TEMPLATE, oid::CERT_REQ_TEMPLATE, Question::CertReqTemplate),
    (oid::CRL_STATUS_LIST, oid::CRLS, Question::CrlStatusList),
    (oid::CURRENT_CRL, oid::CURRENT_CRL, Question::CurrentCrl),
    (oid::SIGN_KEY_PAIR_TYPES, oid::SIGN_KEY_PAIR_TYPES, Question::SignKeyPairTypes),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_question_has_an_answer() {
        for (asked, answered, question) in TABLE {
            assert_eq!(Question::from_oid(asked), question);
            let Information(nothing) = Information::nothing(&question).expect("known");
            assert!(nothing.info_type == answered && nothing.info_value.is_none());
        }
        let other = Question::from_oid(oid::IMPLICIT_CONFIRM);
        assert_eq!(other, Question::Other("1.3.6.1.5.5.7.4.13".to_owned()));
        assert!(Information::nothing(&other).is_none());
    }

    #[test]
    fn lists_keep_their_values() {
        let (one, two): (&[u8], &[u8]) = (&[0x30, 0], &[0x30, 2, 5, 0]);
        let told = [
            Information::ca_certs(&[one, two]).expect("short"),
            Information::crls(&[two]).expect("short"),
            Information::current_crl(one).expect("short"),
            Information::sign_key_pair_types().expect("short"),
        ];
        let content = Information::content(&told).expect("short");
        let read = Vec::<InfoTypeAndValue>::from_der(&content).expect("a list");
        let count = |at: usize| {
            read[at].info_value.as_ref().map(|list| list.decode_as::<Vec<Any>>().map(|list| list.len()))
        };
        assert_eq!([count(0), count(1), count(2), count(3)], [2, 1, 0, 5].map(|count| Some(Ok(count))));
        assert!(Information::ca_certs(&[b"no DER"]).is_err());
    }
}
