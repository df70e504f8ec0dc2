//! Orders: a client asks for one certificate, and how far it got (RFC 8555 §7.1.3, §7.4).

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, serde::rfc3339};

use super::{CertificateId, Identifier, Payload, Problem, identifier::RawIdentifier, json::Object};

/// A newOrder request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// What the certificate is to be for: 1 to 10 identifiers, each once, in the client's order.
    pub identifiers: Vec<Identifier>,
    /// Which certificate the new one is to replace (RFC 9773 §5).
    pub replaces: Option<CertificateId>,
}

impl NewOrder {
    /// Reads the request. All refused identifiers are told at once; a wish for a validity is refused, because the
    /// profile decides it and RFC 8555 §7.4 lets no other be given silently.
    pub fn read(payload: Payload<'_>) -> Result<NewOrder, Problem> {
        let wish: Wish = payload.read()?;
        if wish.not_before.is_some() || wish.not_after.is_some() {
            return Err(Problem::malformed(
                "the validity is not the client's choice: leave out notBefore and notAfter",
            ));
        }
        if !(1..=MOST_IDENTIFIERS).contains(&wish.identifiers.len()) {
            return Err(Problem::malformed("an order has 1 to 10 identifiers"));
        }
        let (mut identifiers, mut refused) = (Vec::new(), Vec::new());
        for Object(raw) in wish.identifiers {
            match raw.parse() {
                Ok(again) if identifiers.contains(&again) => {}
                Ok(identifier) => identifiers.push(identifier),
                Err(subproblem) => refused.push(subproblem),
            }
        }
        if !refused.is_empty() {
            return Err(Problem::of_identifiers(refused));
        }
        let replaces = wish.replaces.map(|text| text.parse()).transpose()?;
        Ok(NewOrder { identifiers, replaces })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    identifiers: Vec<Object<RawIdentifier>>,
    not_before: Option<String>,
    not_after: Option<String>,
    replaces: Option<String>,
}

/// An order object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// How far it got.
    pub status: OrderStatus,
    /// Until when it can be fulfilled; due while it is pending or valid.
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub expires: Option<OffsetDateTime>,
    /// What the certificate is for.
    pub identifiers: Vec<Identifier>,
    /// Why it came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// The URLs of its authorizations.
    pub authorizations: Vec<String>,
    /// The URL that takes the certificate request.
    pub finalize: String,
    /// The URL of the certificate, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Which certificate this one replaces (RFC 9773 §5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<CertificateId>,
}

/// How far an order got (RFC 8555 §7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// Authorizations are missing.
    Pending,
    /// The certificate request is awaited.
    Ready,
    /// The certificate is being made.
    Processing,
    /// There is a certificate.
    Valid,
    /// It came to nothing.
    Invalid,
}

const MOST_IDENTIFIERS: usize = 10;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, to_value};
    use time::macros::datetime;

    use super::{super::ProblemType, *};

    fn read(order: &Value) -> Result<NewOrder, Problem> {
        NewOrder::read(Payload(order.to_string().as_bytes()))
    }

    fn host(name: &str) -> Value {
        json!({"type": "dns", "value": name})
    }

    #[test]
    fn an_order_asks_for_each_name_once() {
        let order = json!({"identifiers": [host("a.example"), host("b.example"), host("A.example")]});
        let order = read(&order).expect("an order");
        assert_eq!(
            order.identifiers,
            ["a.example", "b.example"].map(|name| Identifier::Dns(name.to_owned()))
        );
        assert_eq!(order.replaces, None);
    }

    #[test]
    fn none_and_too_many_are_refused_and_so_is_a_wish_for_a_validity() {
        let hosts = |count| vec![host("a.example"); count];
        assert!(read(&json!({"identifiers": hosts(10)})).is_ok());
        assert!(read(&json!({"identifiers": hosts(11)})).is_err());
        assert!(read(&json!({"identifiers": []})).is_err());
        assert!(read(&json!({})).is_err());
        for wish in ["notBefore", "notAfter"] {
            let refused = read(&json!({"identifiers": hosts(1), wish: "2027-01-01T00:00:00Z"}));
            assert_eq!(refused.expect_err("a refusal").kind(), ProblemType::Malformed);
        }
        assert!(read(&json!({"identifiers": hosts(1), "replaces": "nothing"})).is_err());
    }

    #[test]
    fn every_refused_identifier_is_told() {
        let order =
            json!({"identifiers": [host("*.a.example"), host("a.example"), {"type": "x", "value": "y"}]});
        let problem = read(&order).expect_err("a refusal");
        assert_eq!(problem.kind(), ProblemType::Compound);
        let said = to_value(&problem).expect("JSON");
        assert_eq!(said["subproblems"][0]["identifier"], host("*.a.example"));
        assert_eq!(said["subproblems"][1]["type"], "urn:ietf:params:acme:error:unsupportedIdentifier");
        assert_eq!(said["subproblems"][2], Value::Null);

        let one = read(&json!({"identifiers": [host("*.a.example")]})).expect_err("a refusal");
        assert_eq!(one.kind(), ProblemType::RejectedIdentifier);
    }

    #[test]
    fn an_order_is_said_in_the_words_of_the_rfc() {
        let mut order = Order {
            status: OrderStatus::Pending,
            expires: Some(datetime!(2026-11-29 12:00 UTC)),
            identifiers: vec![Identifier::Dns("a.example".to_owned())],
            error: None,
            authorizations: vec!["https://ca.example/acme/authz/1".to_owned()],
            finalize: "https://ca.example/acme/order/1/finalize".to_owned(),
            certificate: None,
            replaces: None,
        };
        let said = json!({
            "status": "pending",
            "expires": "2026-11-29T12:00:00Z",
            "identifiers": [host("a.example")],
            "authorizations": ["https://ca.example/acme/authz/1"],
            "finalize": "https://ca.example/acme/order/1/finalize",
        });
        assert_eq!(to_value(&order).expect("JSON"), said);
        order.expires = None;
        order.error = Some(Problem::new(ProblemType::ServerInternal, "the ledger is full"));
        let said = to_value(&order).expect("JSON");
        assert_eq!(said.get("expires"), None);
        assert_eq!(said["error"]["type"], "urn:ietf:params:acme:error:serverInternal");
    }
}
