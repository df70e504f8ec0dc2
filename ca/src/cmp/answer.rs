//! Answers: what an authority has to say, as the body of a message.

use der::{Any, Decode, Encode, Tag, TagNumber};

use super::{
    Information, Objection, Order, OrderKind,
    message::{
        CertRepMessage, CertResponse, CertifiedKeyPair, ErrorMsgContent, PkiStatusInfo, PollRep,
        RevRepContent,
    },
};
use crate::Failure;

/// What is answered to a request.
#[derive(Clone, Debug)]
pub enum Answer<'a> {
    /// ip, cp or kup: here is the certificate.
    Issued(Grant<'a>),
    /// ip, cp or kup: somebody has to decide first; the client polls.
    Waiting(Order),
    /// ip, cp or kup: no.
    Declined(Order, Objection),
    /// pollRep: still undecided, ask again after so many seconds.
    Later(Order, u32),
    /// rp: the certificate is taken back.
    Withdrawn,
    /// rp: no.
    NotWithdrawn(Objection),
    /// pkiConf: the confirmation was heard.
    Confirmed,
    /// genp: here is what was asked.
    Told(Vec<Information>),
    /// error: the request cannot be dealt with.
    Error(Objection),
}

/// A certificate and what travels with it; all in DER.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The order that it fulfils.
    pub order: Order,
    /// The certificate.
    pub certificate: &'a [u8],
    /// The certificates above it, from its issuer on.
    pub chain: &'a [&'a [u8]],
    /// A root for the client to trust from now on. It is told in an ip only, and must be left out unless a secret
    /// proves to the client who tells it (RFC 9483 §4.1.1).
    pub anchor: Option<&'a [u8]>,
    /// Whether the client need not confirm; only to be granted where it asked for it.
    pub implicit_confirm: bool,
}

impl Answer<'_> {
    pub(super) fn body(&self) -> Result<Any, Failure> {
        match self {
            Answer::Issued(grant) => grant.body(),
            Answer::Waiting(order) => certificate_reply(*order, status(WAITING), None, None),
            Answer::Declined(order, why) => certificate_reply(*order, rejection(why)?, None, None),
            Answer::Later(order, seconds) => {
                let poll = PollRep { cert_req_id: order.id, check_after: *seconds, reason: None };
                body(26, &vec![poll].to_der()?)
            }
            Answer::Withdrawn => body(12, &RevRepContent { status: vec![status(ACCEPTED)] }.to_der()?),
            Answer::NotWithdrawn(why) => body(12, &RevRepContent { status: vec![rejection(why)?] }.to_der()?),
            Answer::Confirmed => body(19, &Any::null().to_der()?),
            Answer::Told(list) => body(22, &Information::content(list)?),
            Answer::Error(why) => {
                let status = rejection(why)?;
                body(23, &ErrorMsgContent { status, error_code: None, error_details: None }.to_der()?)
            }
        }
    }

    /// The certificates that go along outside of the body.
    pub(super) fn chain(&self) -> &[&[u8]] {
        match self {
            Answer::Issued(grant) => grant.chain,
            _ => &[],
        }
    }

    pub(super) fn implicit_confirm(&self) -> bool {
        matches!(self, Answer::Issued(grant) if grant.implicit_confirm)
    }
}

impl Grant<'_> {
    fn body(&self) -> Result<Any, Failure> {
        let pair = CertifiedKeyPair { certificate: Any::from_der(self.certificate)? };
        let anchor = self.anchor.filter(|_| self.order.kind == OrderKind::Initial);
        let anchor = anchor.map(Any::from_der).transpose()?;
        certificate_reply(self.order, status(ACCEPTED), Some(pair), anchor)
    }
}

fn certificate_reply(
    order: Order,
    status: PkiStatusInfo,
    certified_key_pair: Option<CertifiedKeyPair>,
    anchor: Option<Any>,
) -> Result<Any, Failure> {
    let response = vec![CertResponse { cert_req_id: order.id, status, certified_key_pair }];
    let number = match order.kind {
        OrderKind::Initial => 1,
        OrderKind::Another | OrderKind::Pkcs10 => 3,
        OrderKind::KeyUpdate => 8,
    };
    body(number, &CertRepMessage { ca_pubs: anchor.map(|anchor| vec![anchor]), response }.to_der()?)
}

fn status(status: u8) -> PkiStatusInfo {
    PkiStatusInfo { status, status_string: None, fail_info: None }
}

fn rejection(why: &Objection) -> Result<PkiStatusInfo, Failure> {
    Ok(PkiStatusInfo {
        status: REJECTION,
        status_string: Some(vec![why.text.clone()]),
        fail_info: Some(why.info.bit_string()?),
    })
}

fn body(number: u32, content: &[u8]) -> Result<Any, Failure> {
    Ok(Any::new(Tag::ContextSpecific { constructed: true, number: TagNumber(number) }, content)?)
}

/// PKIStatus (RFC 9810 §5.2.3).
const ACCEPTED: u8 = 0;
const REJECTION: u8 = 2;
const WAITING: u8 = 3;
