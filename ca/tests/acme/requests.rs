//! What requests ask for: certificates, their end, their renewal.

use chancery_ca::{
    Certificate, Profile, Reason,
    acme::{CertificateId, Finalize, Identifier, Jws, Problem, ProblemType, RevokeCert},
};
use serde_json::{Value, json};

use super::client::{Client, base64};
use crate::workshop::{Workshop, key, public, read_back, server};

/// Reads the payload of a request that a client signed.
fn read<T>(
    payload: &Value,
    reader: impl FnOnce(chancery_ca::acme::Payload<'_>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let client = Client::new("EdDSA");
    let jws = Jws::parse(&client.request(payload.to_string())).expect("a request");
    reader(jws.verify(&client.key()).expect("a good signature"))
}

fn finalize(der: &[u8]) -> Result<Finalize, Problem> {
    read(&json!({"csr": base64(der)}), Finalize::read)
}

fn request(workshop: &Workshop, options: &str) -> Vec<u8> {
    workshop.request("ec -pkeyopt ec_paramgen_curve:P-256", &format!("-outform DER {options}"))
}

fn identifiers(names: &[(&str, &str)]) -> Vec<Identifier> {
    names.iter().map(|(kind, value)| Identifier::parse(kind, value).expect(value)).collect()
}

#[test]
fn a_certificate_request_names_exactly_what_was_ordered() {
    let workshop = Workshop::open();
    let ordered = identifiers(&[
        ("dns", "printer.corp.example"),
        ("ip", "192.0.2.7"),
        ("email", "print@corp.example"),
        ("permanent-identifier", "SN-4711"),
    ]);
    let names = "DNS:Printer.corp.example,IP:192.0.2.7,email:print@CORP.example";
    for subject in ["/", "/CN=printer.corp.example", "/CN=192.0.2.7", "/CN=SN-4711"] {
        let csr = request(&workshop, &format!("-subj {subject} -addext subjectAltName={names}"));
        let finalize = finalize(&csr).expect("a request");
        assert_eq!(finalize.check_names(&ordered), Ok(()), "{subject}");
    }
    for (options, told) in [
        (format!("-subj / -addext subjectAltName={names},DNS:other.example"), "other.example"),
        (format!("-subj /CN=other.example -addext subjectAltName={names}"), "other.example"),
        (format!("-subj / -addext subjectAltName={names},URI:urn:uuid:x"), "urn:uuid:x"),
        (
            "-subj / -addext subjectAltName=DNS:printer.corp.example,IP:192.0.2.7".to_owned(),
            "print@corp.example",
        ),
        ("-subj /".to_owned(), "printer.corp.example"),
    ] {
        let refused = finalize(&request(&workshop, &options)).expect("a request").check_names(&ordered);
        let problem = refused.expect_err("a refusal");
        assert_eq!(problem.kind(), ProblemType::BadCsr);
        assert!(problem.to_string().contains(told), "{problem}");
    }
}

#[test]
fn an_unsound_certificate_request_is_told() {
    let workshop = Workshop::open();
    let mut forged = request(&workshop, "-subj /CN=printer.corp.example");
    *forged.last_mut().expect("bytes") ^= 1;
    let pem = workshop.request("ed25519", "-subj /CN=printer.corp.example");
    let small = workshop.request("rsa:1024", "-outform DER -subj /CN=printer.corp.example");
    for bytes in [&forged[..], &pem, &small, b"", b"0"] {
        assert_eq!(finalize(bytes).expect_err("a refusal").kind(), ProblemType::BadCsr);
    }
    for payload in [json!({}), json!({"csr": 1}), json!({"csr": "MII="}), json!([])] {
        assert_eq!(read(&payload, Finalize::read).expect_err("a refusal").kind(), ProblemType::Malformed);
    }
}

#[test]
fn a_certificate_is_taken_back_for_a_reason() {
    let workshop = Workshop::open();
    let issued = workshop.issue("leaf", &public(&key()), &server(), Profile::Server);
    let sent = |reason: Value| {
        read(&json!({"certificate": base64(&issued.der), "reason": reason}), RevokeCert::read)
    };
    for (code, reason) in [(0, Reason::Unspecified), (1, Reason::KeyCompromise), (4, Reason::Superseded)] {
        let request = sent(json!(code)).expect("a request");
        assert_eq!((request.certificate, request.reason), (read_back(&issued), reason));
    }
    let owner = Client::new("ES256");
    let key = owner.key();
    let own = workshop.issue("own", key.public_key(), &server(), Profile::Server);
    let request = read(&json!({"certificate": base64(&own.der)}), RevokeCert::read).expect("a request");
    assert!(request.is_about(&key) && !request.is_about(&Client::new("ES256").key()));
    let silent = read(&json!({"certificate": base64(&issued.der)}), RevokeCert::read).expect("a request");
    assert_eq!(silent.reason, Reason::Unspecified);
    for code in [2, 7, 8, 10, 11, 255, u64::MAX] {
        assert_eq!(sent(json!(code)).expect_err("a refusal").kind(), ProblemType::BadRevocationReason);
    }
    for other in [json!(-1), json!(1.5), json!("keyCompromise"), json!(1e300)] {
        assert_eq!(sent(other).expect_err("a refusal").kind(), ProblemType::Malformed);
    }
    for der in [&issued.der[1..], b"", &[&issued.der[..], b"0"].concat()] {
        let refused = read(&json!({"certificate": base64(der)}), RevokeCert::read);
        assert_eq!(refused.expect_err("a refusal").kind(), ProblemType::Malformed);
    }
}

#[test]
fn the_name_of_a_certificate_leads_back_to_it() {
    let workshop = Workshop::open();
    let certificate = read_back(&workshop.issue("leaf", &public(&key()), &server(), Profile::Server));
    let id = CertificateId::of(&certificate).expect("a name");
    assert_eq!(id.issuer_key_id(), workshop.authority.key_id());
    assert_eq!(Some(id.serial()), certificate.serial);
    assert_eq!(id.to_string().parse(), Ok(id));

    let root = Certificate::from_pem(&workshop.authority.root_pem()).expect("a certificate");
    assert_eq!(CertificateId::of(&root).is_some(), root.issuer_key_id.is_some());
}
