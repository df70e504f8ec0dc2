//! Problems: the one way of saying no in ACME (RFC 8555 §6.7, RFC 9457).

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Algorithm, Identifier, identifier::RawIdentifier};
use crate::Refusal;

/// Why a request is refused, or why an order or a challenge came to nothing. Serialized, it is the body of the answer,
/// of the type [`Problem::CONTENT_TYPE`]; the text is fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    #[serde(rename = "type")]
    kind: ProblemType,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    algorithms: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subproblems: Vec<Subproblem>,
}

/// What is wrong with one of several identifiers (RFC 8555 §6.7.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Subproblem {
    #[serde(rename = "type")]
    kind: ProblemType,
    detail: String,
    identifier: RawIdentifier,
}

impl Problem {
    /// The media type of a problem on its way (RFC 9457 §3).
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// A problem with the type's usual status. A refused signature algorithm names those that would do.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Problem {
        let algorithms = if kind == ProblemType::BadSignatureAlgorithm { &Algorithm::NAMES[..] } else { &[] };
        Problem { kind, status: kind.status(), detail: detail.into(), algorithms, subproblems: Vec::new() }
    }

    /// The request is not what RFC 8555 says it should be.
    pub fn malformed(detail: impl Into<String>) -> Problem {
        Problem::new(ProblemType::Malformed, detail)
    }

    /// The same with another HTTP status: 404 for what does not exist, 409 for a key that is another account's.
    pub fn with_status(mut self, status: u16) -> Problem {
        self.status = status;
        self
    }

    /// The same, telling what is wrong with one identifier.
    pub fn with_subproblem(self, of: &Identifier, kind: ProblemType, detail: impl Into<String>) -> Problem {
        self.and(Subproblem::new(RawIdentifier::from(of), kind, detail.into()))
    }

    /// One problem for several identifiers: of their common type, else `compound`.
    pub(super) fn of_identifiers(subproblems: Vec<Subproblem>) -> Problem {
        let mut kinds = subproblems.iter().map(|subproblem| subproblem.kind);
        let first = kinds.next().unwrap_or(ProblemType::Compound);
        let kind = if kinds.all(|kind| kind == first) { first } else { ProblemType::Compound };
        subproblems.into_iter().fold(Problem::new(kind, "some identifiers are refused"), Problem::and)
    }

    /// The same, naming other algorithms that would do.
    pub(super) fn with_algorithms(mut self, algorithms: &'static [&'static str]) -> Problem {
        self.algorithms = algorithms;
        self
    }

    /// Its type.
    pub fn kind(&self) -> ProblemType {
        self.kind
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    fn and(mut self, subproblem: Subproblem) -> Problem {
        self.subproblems.push(subproblem);
        self
    }
}

impl Subproblem {
    pub(super) fn new(identifier: RawIdentifier, kind: ProblemType, detail: String) -> Subproblem {
        Subproblem { kind, detail, identifier }
    }
}

/// The types of problems: those of RFC 8555 §6.7, and `alreadyReplaced` of RFC 9773 §7.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemType {
    /// The account does not exist.
    AccountDoesNotExist,
    /// The certificate to be replaced has a successor already.
    AlreadyReplaced,
    /// The certificate was revoked before.
    AlreadyRevoked,
    /// The certificate request is not accepted.
    BadCsr,
    /// The nonce was not issued here, or was used.
    BadNonce,
    /// The account key is not accepted.
    BadPublicKey,
    /// The reason for revocation is not accepted.
    BadRevocationReason,
    /// The signature algorithm is not accepted.
    BadSignatureAlgorithm,
    /// A CAA record forbids it (RFC 8659).
    Caa,
    /// Several things are wrong; the subproblems tell which.
    Compound,
    /// The client could not be reached for validation.
    Connection,
    /// A DNS query failed during validation.
    Dns,
    /// A new account must be bound to an external one.
    ExternalAccountRequired,
    /// The answer to a challenge is wrong.
    IncorrectResponse,
    /// A contact URL is unsound.
    InvalidContact,
    /// The request is malformed.
    Malformed,
    /// The order cannot be finalized yet, or any more.
    OrderNotReady,
    /// Too many requests.
    RateLimited,
    /// The identifier is not certified for this client.
    RejectedIdentifier,
    /// The server's own trouble.
    ServerInternal,
    /// TLS failed during validation.
    Tls,
    /// The client is not authorized.
    Unauthorized,
    /// A contact URL is of a scheme that is not supported.
    UnsupportedContact,
    /// An identifier is of a type that is not supported.
    UnsupportedIdentifier,
    /// A person must visit a page first.
    UserActionRequired,
}

impl ProblemType {
    /// The last part of its URN, such as `badNonce`.
    pub fn name(self) -> &'static str {
        match self {
            ProblemType::AccountDoesNotExist => "accountDoesNotExist",
            ProblemType::AlreadyReplaced => "alreadyReplaced",
            ProblemType::AlreadyRevoked => "alreadyRevoked",
            ProblemType::BadCsr => "badCSR",
            ProblemType::BadNonce => "badNonce",
            ProblemType::BadPublicKey => "badPublicKey",
            ProblemType::BadRevocationReason => "badRevocationReason",
            ProblemType::BadSignatureAlgorithm => "badSignatureAlgorithm",
            ProblemType::Caa => "caa",
            ProblemType::Compound => "compound",
            ProblemType::Connection => "connection",
            ProblemType::Dns => "dns",
            ProblemType::ExternalAccountRequired => "externalAccountRequired",
            ProblemType::IncorrectResponse => "incorrectResponse",
            ProblemType::InvalidContact => "invalidContact",
            ProblemType::Malformed => "malformed",
            ProblemType::OrderNotReady => "orderNotReady",
            ProblemType::RateLimited => "rateLimited",
            ProblemType::RejectedIdentifier => "rejectedIdentifier",
            ProblemType::ServerInternal => "serverInternal",
            ProblemType::Tls => "tls",
            ProblemType::Unauthorized => "unauthorized",
            ProblemType::UnsupportedContact => "unsupportedContact",
            ProblemType::UnsupportedIdentifier => "unsupportedIdentifier",
            ProblemType::UserActionRequired => "userActionRequired",
        }
    }

    /// Its usual HTTP status. RFC 8555 fixes those of §6.2, §7.3.3 and §7.4, RFC 9773 §5 the 409; the others are what
    /// ACME servers commonly answer.
    fn status(self) -> u16 {
        match self {
            ProblemType::Caa
            | ProblemType::ExternalAccountRequired
            | ProblemType::IncorrectResponse
            | ProblemType::OrderNotReady
            | ProblemType::Unauthorized
            | ProblemType::UserActionRequired => 403,
            ProblemType::AlreadyReplaced => 409,
            ProblemType::RateLimited => 429,
            ProblemType::ServerInternal => 500,
            _ => 400,
        }
    }
}

impl fmt::Display for ProblemType {
    /// The URN.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "urn:ietf:params:acme:error:{}", self.name())
    }
}

impl Serialize for ProblemType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A refused certificate request, which a bad key inside is a part of (RFC 8555 §6.7).
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        Problem::new(ProblemType::BadCsr, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn a_problem_is_said_in_the_words_of_the_rfc() {
        let problem = Problem::new(ProblemType::BadNonce, "this nonce was used");
        let said = json!({
            "type": "urn:ietf:params:acme:error:badNonce", "status": 400, "detail": "this nonce was used",
        });
        assert_eq!(to_value(&problem).expect("JSON"), said);
        assert_eq!(to_value(problem.with_status(409)).expect("JSON")["status"], 409);
    }

    #[test]
    fn a_refused_algorithm_names_those_that_would_do() {
        let problem = Problem::new(ProblemType::BadSignatureAlgorithm, "no");
        let said = to_value(problem).expect("JSON");
        assert_eq!(said["algorithms"], json!(["ES256", "ES384", "EdDSA", "RS256"]));
    }

    #[test]
    fn each_identifier_has_its_own_subproblem() {
        let host = Identifier::Dns("other.example".to_owned());
        let problem = Problem::new(ProblemType::Unauthorized, "not all of these are yours");
        let problem = problem.with_subproblem(&host, ProblemType::RejectedIdentifier, "it is not yours");
        let said = to_value(problem).expect("JSON");
        assert_eq!(said["status"], 403);
        let about = json!({
            "type": "urn:ietf:params:acme:error:rejectedIdentifier",
            "detail": "it is not yours",
            "identifier": {"type": "dns", "value": "other.example"},
        });
        assert_eq!(said["subproblems"], json!([about]));
    }
}
