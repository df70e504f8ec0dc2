//! What is said over the signer's socket: one request, one answer, each a frame.
//!
//! A frame is the length of its body (four bytes), the number of the request (eight), both big-endian, and the body,
//! which is one JSON value. Answers bear the number of their request and come in any order. JSON, because both sides
//! have it and an operator can read it; every value has a type here, and what is not known is refused.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use chancery_ca as ca;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Refusal;
use crate::enrollment::Failure;
use crate::time::Timestamp;

/// What both sides must speak.
pub(super) const VERSION: u32 = 3;
/// The longest request, but for lists.
pub(super) const REQUEST: usize = 64 * 1024;
/// The longest frame of all: a list of 16 MiB, which base64 makes a third longer.
pub(super) const LIST: usize = 24 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Request {
    /// The first of every connection.
    Hello {
        version: u32,
    },
    Issue(Box<Issue>),
    Crl(Crl),
    /// Another issuing CA in the place of the one with this key identifier, unless there is one already.
    Roll {
        from: String,
        now: Timestamp,
    },
    /// The certificate that a root elsewhere has made of the signer's request, in PEM.
    Adopt {
        pem: String,
    },
}

/// A certificate that is wanted. The signer makes it from these parts; it signs no bytes that it was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issue {
    /// SubjectPublicKeyInfo in DER.
    pub(super) spki: Der,
    #[serde(with = "Subject")]
    pub(super) subject: ca::Subject,
    #[serde(with = "word")]
    pub(super) profile: ca::Profile,
    pub(super) validity: Duration,
    #[serde(with = "word")]
    pub(super) serial: ca::Serial,
    /// Key identifier of the issuing CA that is to sign it.
    pub(super) issuer: String,
    pub(super) now: Timestamp,
}

/// A list of what was taken back that is wanted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Crl {
    /// Key identifier of the issuing CA whose list it is.
    pub(super) issuer: String,
    /// Which part of it; all of it without one.
    pub(super) shard: Option<Shard>,
    pub(super) revoked: Vec<Revoked>,
    pub(super) number: u64,
    pub(super) now: Timestamp,
    pub(super) next_update: Timestamp,
}

/// Part of a list, by its name.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shard(#[serde(with = "word")] pub(super) ca::Shard);

/// One line of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoked {
    #[serde(with = "word")]
    serial: ca::Serial,
    at: Timestamp,
    #[serde(with = "word")]
    reason: ca::Reason,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Answer {
    Hello(Box<Hello>),
    Certificate(Der),
    List(Der),
    /// The request in this file of the signer's is to be answered first.
    Asked(PathBuf),
    Refused(Refusal),
    /// The signer's own trouble.
    Failed(String),
}

/// Who the signer is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::enrollment) struct Hello {
    /// The issuing CA that signs now.
    pub(super) issuing: Der,
    pub(super) root: Der,
    /// The root's own list, if there is one.
    pub(super) root_crl: Option<Der>,
    /// What the URLs in certificates begin with.
    pub(in crate::enrollment) base: String,
}

impl Hello {
    /// Its certificates: of the issuing CA that signs now, and of the root.
    pub(in crate::enrollment) fn chain(&self) -> Result<ca::Chain, Failure> {
        let (issuing, root) =
            (ca::Certificate::parse(&self.issuing.0)?, ca::Certificate::parse(&self.root.0)?);
        Ok(ca::Chain::new(issuing, root)?)
    }

    /// The root's own list in DER, if there is one.
    pub(in crate::enrollment) fn root_crl(&self) -> Option<Vec<u8>> {
        self.root_crl.as_ref().map(|crl| crl.0.clone())
    }
}

impl From<ca::Revoked> for Revoked {
    fn from(one: ca::Revoked) -> Self {
        Self { serial: one.serial, at: one.at.into(), reason: one.reason }
    }
}

impl From<Revoked> for ca::Revoked {
    fn from(one: Revoked) -> Self {
        Self { serial: one.serial, at: one.at.to_offset(), reason: one.reason }
    }
}

/// Bytes, in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Der(#[serde(with = "base64")] pub(super) Vec<u8>);

/// [`ca::Subject`] in JSON.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ca::Subject", deny_unknown_fields)]
struct Subject {
    common_name: String,
    mail: Option<String>,
    organization: Option<String>,
    uri: Vec<String>,
    dns: Vec<String>,
    ip: Vec<std::net::IpAddr>,
    device: Option<String>,
}

/// One frame.
pub(super) fn frame(number: u64, said: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; HEAD];
    serde_json::to_writer(&mut frame, said)?;
    let length = frame.len() - HEAD;
    let short = u32::try_from(length).ok().filter(|_| length <= LIST);
    let short = short.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "it is too long to be said"))?;
    frame[..4].copy_from_slice(&short.to_be_bytes());
    frame[4..HEAD].copy_from_slice(&number.to_be_bytes());
    Ok(frame)
}

/// Number and length of the next frame; `None` when there is none.
pub(super) async fn head(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(u64, usize)>> {
    let length = match from.read_u32().await {
        Err(why) if why.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        length => length? as usize,
    };
    let number = from.read_u64().await?;
    if length > LIST {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    Ok(Some((number, length)))
}

/// The body of a frame. Memory is taken as the bytes arrive, not as they are announced.
pub(super) async fn body<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> io::Result<T> {
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&bytes)?)
}

const HEAD: usize = 12;

/// Values that have a spelling of their own.
mod word {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &impl Display, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
        from: D,
    ) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

mod base64 {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Option<(u64, Request)>> {
        let mut from = bytes;
        let Some((number, length)) = head(&mut from).await? else { return Ok(None) };
        Ok(Some((number, body(&mut from, length).await?)))
    }

    #[tokio::test]
    async fn a_request_arrives_as_it_was_sent() {
        let subject = ca::Subject {
            common_name: "zoë".into(),
            uri: vec!["urn:uuid:x".into()],
            ip: vec!["::1".parse().unwrap()],
            ..ca::Subject::default()
        };
        let serial = ca::Serial::random().unwrap();
        let now = Timestamp::from_micros(1_795_226_400_000_001);
        let (profile, validity) = (ca::Profile::MailSigning, Duration::from_secs(90));
        let issuer = "0a".into();
        let issue = Issue { spki: Der(vec![0, 255]), subject, profile, validity, serial, issuer, now };
        let sent = frame(7, &Request::Issue(Box::new(issue.clone()))).unwrap();
        let Some((7, Request::Issue(read))) = read(&sent).await.unwrap() else { panic!("something else") };
        assert_eq!(format!("{read:?}"), format!("{issue:?}"));
    }

    #[tokio::test]
    async fn what_is_too_long_cut_off_or_unknown_is_an_error_and_the_end_is_none() {
        assert!(read(b"").await.unwrap().is_none());
        let long = [&u32::MAX.to_be_bytes()[..], &[0; 8]].concat();
        assert_eq!(read(&long).await.unwrap_err().kind(), ErrorKind::InvalidData);
        let whole = frame(1, &Request::Hello { version: VERSION }).unwrap();
        assert!(read(&whole[..whole.len() - 1]).await.is_err());
        for body in [r#"{"sign":"AAAA"}"#, r#"{"hello":{"version":1,"more":2}}"#, "[", ""] {
            let head = [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &[0; 8]].concat();
            assert!(read(&[&head, body.as_bytes()].concat()).await.is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(read(&bytes));
        }
    }
}
