//! Headers: who sends a message to whom, and to which conversation it belongs.

use der::{
    Any, Decode, Encode, Tag,
    asn1::{GeneralizedTime, OctetString},
};
use time::OffsetDateTime;

use super::{
    FailureInfo, Objection,
    message::{InfoTypeAndValue, PkiHeader},
    oid,
};

/// What a message's header says (RFC 9810 §5.1.1).
///
/// A [`Rejected`](super::Rejected) message gives as much of it as could be read; of an accepted one the transaction
/// and the nonce have the lengths given here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The version: 2 (cmp2000) or 3 (cmp2021).
    pub version: u8,
    /// The sender, DER of a GeneralName; under a MAC it proves nothing and is often empty.
    pub sender: Vec<u8>,
    /// The recipient, DER of a GeneralName.
    pub recipient: Vec<u8>,
    /// When the message was made, by its sender's clock.
    pub time: Option<OffsetDateTime>,
    /// senderKID: which secret, or which key, protects the message. The `-ref` of `openssl cmp`.
    pub key_id: Option<Vec<u8>>,
    /// The transaction's identifier, 1 to 64 octets.
    pub transaction: Vec<u8>,
    /// The sender's nonce, 8 to 64 octets, which the answer repeats.
    pub nonce: Vec<u8>,
    /// The nonce of the message that this one answers, if it answers one.
    pub repeated_nonce: Option<Vec<u8>>,
    /// Whether the sender would rather not confirm its certificate (RFC 9810 §5.1.1.1).
    pub implicit_confirm: bool,
    /// The name of the profile asked for (RFC 9810 §5.1.1.4).
    pub profile: Option<String>,
}

impl Header {
    pub(super) fn read(shape: PkiHeader) -> Header {
        let octets = |field: Option<OctetString>| field.map(|octets| octets.as_bytes().to_vec());
        let general_info = shape.general_info.unwrap_or_default();
        Header {
            version: shape.pvno,
            sender: shape.sender.to_der().unwrap_or_default(),
            recipient: shape.recipient.to_der().unwrap_or_default(),
            time: shape.message_time.and_then(time_of),
            key_id: octets(shape.sender_kid),
            transaction: octets(shape.transaction_id).unwrap_or_default(),
            nonce: octets(shape.sender_nonce).unwrap_or_default(),
            repeated_nonce: octets(shape.recip_nonce),
            implicit_confirm: general_info.iter().any(|info| info.info_type == oid::IMPLICIT_CONFIRM),
            profile: general_info.iter().find_map(profile),
        }
    }

    /// Whether a conversation can be held under this header at all.
    pub(super) fn check(&self) -> Result<(), Objection> {
        if !VERSIONS.contains(&self.version) {
            return Err(Objection::new(
                FailureInfo::UnsupportedVersion,
                format!("CMP version {} is not spoken here, only 2 and 3", self.version),
            ));
        }
        if !(1..=64).contains(&self.transaction.len()) {
            let why = "the transaction identifier is missing or longer than 64 octets";
            return Err(Objection::new(FailureInfo::BadDataFormat, why));
        }
        if !(8..=64).contains(&self.nonce.len()) {
            let why = "the sender's nonce is missing or not of 8 to 64 octets";
            return Err(Objection::new(FailureInfo::BadSenderNonce, why));
        }
        Ok(())
    }

    /// The version to answer in: theirs where it is spoken, else the older one.
    pub(super) fn answered_version(&self) -> u8 {
        if VERSIONS.contains(&self.version) { self.version } else { VERSIONS[0] }
    }
}

fn time_of(time: GeneralizedTime) -> Option<OffsetDateTime> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// CertProfileValue is a list for messages with several requests; there is one request, so the first counts.
fn profile(info: &InfoTypeAndValue) -> Option<String> {
    let list = info.info_value.as_ref().filter(|_| info.info_type == oid::CERT_PROFILE)?;
    let names: Vec<Any> = list.decode_as().ok()?;
    let name = names.into_iter().next().filter(|name| name.header().tag() == Tag::Utf8String)?;
    String::from_der(&name.to_der().ok()?).ok()
}

const VERSIONS: [u8; 2] = [2, 3];

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A header that any message may have.
    pub(in crate::cmp) fn shape() -> PkiHeader {
        let octets = |length| OctetString::new(vec![7; length]).ok();
        let nobody = Any::from_der(&[0xA4, 2, 0x30, 0]).expect("a directoryName");
        PkiHeader {
            pvno: 3,
            sender: nobody.clone(),
            recipient: nobody,
            message_time: None,
            protection_alg: None,
            sender_kid: None,
            recip_kid: None,
            transaction_id: octets(16),
            sender_nonce: octets(16),
            recip_nonce: None,
            free_text: None,
            general_info: None,
        }
    }

    #[test]
    fn versions_and_lengths_have_their_bounds() {
        let octets = |length: usize| OctetString::new(vec![7; length]).ok();
        let judge = |change: &dyn Fn(&mut PkiHeader)| {
            let mut header = shape();
            change(&mut header);
            Header::read(header).check().err().map(|objection| objection.info)
        };
        for (version, expected) in [
            (1, Some(FailureInfo::UnsupportedVersion)),
            (2, None),
            (3, None),
            (4, Some(FailureInfo::UnsupportedVersion)),
        ] {
            assert_eq!(judge(&|header| header.pvno = version), expected, "{version}");
        }
        for (length, expected) in [
            (0, Some(FailureInfo::BadDataFormat)),
            (1, None),
            (64, None),
            (65, Some(FailureInfo::BadDataFormat)),
        ] {
            assert_eq!(judge(&|header| header.transaction_id = octets(length)), expected, "{length}");
        }
        for (length, expected) in [
            (7, Some(FailureInfo::BadSenderNonce)),
            (8, None),
            (64, None),
            (65, Some(FailureInfo::BadSenderNonce)),
        ] {
            assert_eq!(judge(&|header| header.sender_nonce = octets(length)), expected, "{length}");
        }
        assert_eq!(judge(&|header| header.sender_nonce = None), Some(FailureInfo::BadSenderNonce));
    }

    #[test]
    fn a_profile_and_an_implicit_confirmation_are_asked_for_in_general_info() {
        let names = vec!["device".to_owned(), "other".to_owned()].to_der().expect("short");
        let info =
            |info_type, value: &[u8]| InfoTypeAndValue { info_type, info_value: Any::from_der(value).ok() };
        let mut asked = shape();
        asked.general_info =
            Some(vec![info(oid::IMPLICIT_CONFIRM, &[5, 0]), info(oid::CERT_PROFILE, &names)]);
        let read = Header::read(asked);
        assert!(read.implicit_confirm);
        assert_eq!(read.profile.as_deref(), Some("device"));

        let mut odd = shape();
        odd.general_info = Some(vec![info(oid::CERT_PROFILE, &[5, 0]), info(oid::CRLS, &names)]);
        let read = Header::read(odd);
        assert!(!read.implicit_confirm && read.profile.is_none());
    }
}
