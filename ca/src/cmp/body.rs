//! Bodies: what a message asks for. Only what a client sends to an authority has a meaning here.

use der::{Any, Tag, TagNumber};

use super::{
    Confirmation, Enrolment, FailureInfo, Objection, OrderKind, Question, Withdrawal,
    message::{ErrorMsgContent, InfoTypeAndValue, PollReq, decode},
};

/// PKIBody (RFC 9810 §5.1.2), as far as an authority is asked.
#[derive(Clone, Debug)]
pub enum Body {
    /// ir, cr, kur, p10cr: a certificate is wanted.
    Enrol(Box<Enrolment>),
    /// rr: a certificate is to be taken back.
    Withdraw(Withdrawal),
    /// certConf: a certificate is taken or not.
    Confirm(Confirmation),
    /// genm: something is to be told.
    Ask(Vec<Question>),
    /// pollReq: is the request of this certReqId decided by now?
    Poll(i64),
    /// error: the client ends the conversation, in these words, unchecked.
    Error(String),
}

impl Body {
    pub(super) fn read(body: &Any) -> Result<Body, Objection> {
        let Tag::ContextSpecific { constructed: true, number: TagNumber(number) } = body.header().tag()
        else {
            return Err(Objection::new(FailureInfo::BadDataFormat, "the message has no body"));
        };
        let content = body.value();
        let enrolment = |enrolment: Result<Enrolment, Objection>| Ok(Body::Enrol(Box::new(enrolment?)));
        match number {
            0 => enrolment(Enrolment::crmf(OrderKind::Initial, content)),
            2 => enrolment(Enrolment::crmf(OrderKind::Another, content)),
            4 => enrolment(Enrolment::pkcs10(content)),
            7 => enrolment(Enrolment::crmf(OrderKind::KeyUpdate, content)),
            11 => Withdrawal::read(content).map(Body::Withdraw),
            21 => questions(content).map(Body::Ask),
            23 => error(content).map(Body::Error),
            24 => Confirmation::read(content).map(Body::Confirm),
            25 => poll(content).map(Body::Poll),
            _ => {
                let text = format!("messages of kind {number} are not dealt with here");
                Err(Objection::new(FailureInfo::BadRequest, text))
            }
        }
    }
}

fn questions(content: &[u8]) -> Result<Vec<Question>, Objection> {
    let list: Vec<InfoTypeAndValue> = decode(content, "general message")?;
    Ok(list.iter().map(|info| Question::from_oid(info.info_type)).collect())
}

fn error(content: &[u8]) -> Result<String, Objection> {
    let error: ErrorMsgContent = decode(content, "error message")?;
    let told = [error.status.status_string, error.error_details];
    Ok(told.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n"))
}

fn poll(content: &[u8]) -> Result<i64, Objection> {
    let list: Vec<PollReq> = decode(content, "poll request")?;
    match list.as_slice() {
        [one] => Ok(one.cert_req_id),
        _ => Err(Objection::new(FailureInfo::BadRequest, "a message polls for exactly one certificate here")),
    }
}
