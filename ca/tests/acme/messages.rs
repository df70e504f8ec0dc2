//! Signed messages: requests, bindings and changes of key.

use chancery_ca::acme::{Binding, Jws, Key, KeyChange, NewAccount, Problem, ProblemType};
use openssl::hash::MessageDigest;
use serde_json::{Value, json};

use super::client::{ACCOUNT, ALGORITHMS, Client, NONCE, URL, bind, parse, with, without};

#[test]
fn a_request_of_each_kind_of_key_is_understood() {
    for algorithm in ALGORITHMS {
        let client = Client::new(algorithm);
        let jws = Jws::parse(&client.request("{}")).expect("a request");
        assert_eq!((jws.nonce(), jws.url()), (NONCE, URL));
        assert_eq!(jws.key(), &Key::New(client.key()));
        assert_eq!(client.key().public_key().spki_der(), client.spki());
        assert_eq!(jws.verify(&client.key()).expect("a good signature").as_bytes(), b"{}");

        let stranger = Client::new(algorithm).key();
        assert_eq!(jws.verify(&stranger).expect_err("a refusal").kind(), ProblemType::Malformed);
    }
}

#[test]
fn a_known_account_reads_with_an_empty_payload() {
    let client = Client::new("ES256");
    let header = json!({"alg": "ES256", "nonce": NONCE, "url": URL, "kid": ACCOUNT});
    let jws = parse(&client.sign(&header, "")).expect("a request");
    assert_eq!(jws.key(), &Key::Known(ACCOUNT.to_owned()));
    let key = client.key();
    let payload = jws.verify(&key).expect("a good signature");
    assert_eq!(payload.check_empty(), Ok(()));
    assert!(NewAccount::read(payload).is_err());
}

#[test]
fn a_request_counts_only_at_the_url_it_was_signed_for() {
    let jws = Jws::parse(&Client::new("EdDSA").request("{}")).expect("a request");
    assert_eq!(jws.check_url(URL), Ok(()));
    for other in ["", "https://ca.corp.example/acme/new-order", "https://ca.corp.example/acme/new-account/"] {
        assert_eq!(jws.check_url(other).expect_err("a refusal").kind(), ProblemType::Unauthorized);
    }
}

#[test]
fn an_algorithm_counts_only_with_its_own_kind_of_key() {
    for (algorithm, other) in [("ES256", "ES384"), ("ES384", "RS256"), ("EdDSA", "ES256"), ("RS256", "EdDSA")]
    {
        let (client, key) = (Client::new(algorithm), Client::new(other).key());
        let jws = Jws::parse(&client.request("{}")).expect("a request");
        assert_eq!(jws.verify(&key).expect_err("a refusal").kind(), ProblemType::BadSignatureAlgorithm);
    }
}

const MAC_KEY: [u8; 64] = [7; 64];

fn binding_header(alg: &str) -> Value {
    json!({"alg": alg, "kid": "token-4711", "url": URL})
}

/// Sends a binding in a newAccount request, as the service will see it.
fn sent(client: &Client, binding: &Value) -> Result<Binding, Problem> {
    let request = client.request(json!({"externalAccountBinding": binding}).to_string());
    let jws = Jws::parse(&request).expect("a request");
    let Key::New(key) = jws.key() else { panic!("a new key") };
    let account = NewAccount::read(jws.verify(key).expect("a good signature"))?;
    account.binding(key, jws.url()).map(|binding| binding.expect("a binding"))
}

#[test]
fn a_new_account_is_bound_to_the_owner_of_a_key() {
    let client = Client::new("ES256");
    for (alg, digest) in [
        ("HS256", MessageDigest::sha256()),
        ("HS384", MessageDigest::sha384()),
        ("HS512", MessageDigest::sha512()),
    ] {
        let binding = bind(&binding_header(alg), &client.jwk(), digest, &MAC_KEY);
        let binding = sent(&client, &binding).expect("a binding");
        assert_eq!(binding.kid(), "token-4711");
        assert_eq!(binding.verify(&MAC_KEY), Ok(()));
        let wrong = binding.verify(&[8; 64]).expect_err("a refusal");
        assert_eq!(wrong.kind(), ProblemType::Unauthorized);
        for short in [0, 16, 31] {
            assert!(binding.verify(&MAC_KEY[..short]).is_err(), "{alg} {short}");
        }
    }
}

#[test]
fn a_binding_is_for_one_key_and_one_url() {
    let client = Client::new("ES256");
    let (header, key) = (binding_header("HS256"), client.jwk());
    let sha256 = MessageDigest::sha256();
    let bound = |header: &Value, key: &Value| bind(header, key, sha256, &MAC_KEY);
    for (binding, kind) in [
        (bound(&header, &Client::new("ES256").jwk()), ProblemType::Malformed),
        (bound(&header, &with(&key, "d", json!("AQ"))), ProblemType::BadPublicKey),
        (bound(&header, &json!({})), ProblemType::BadPublicKey),
        (bound(&with(&header, "url", json!("https://elsewhere.example")), &key), ProblemType::Malformed),
        (bound(&with(&header, "nonce", json!(NONCE)), &key), ProblemType::Malformed),
        (bound(&with(&header, "jwk", key.clone()), &key), ProblemType::Malformed),
        (bound(&with(&header, "kid", json!("")), &key), ProblemType::Malformed),
        (bound(&without(&header, "kid"), &key), ProblemType::Malformed),
        (bound(&with(&header, "alg", json!("none")), &key), ProblemType::BadSignatureAlgorithm),
        (
            client.sign(&with(&header, "alg", json!("ES256")), key.to_string()),
            ProblemType::BadSignatureAlgorithm,
        ),
        (with(&bound(&header, &key), "header", json!({})), ProblemType::Malformed),
    ] {
        assert_eq!(sent(&client, &binding).expect_err("a refusal").kind(), kind, "{binding}");
    }

    // The MAC covers all of it, and no part of a MAC will do.
    let whole = bound(&header, &key);
    for signature in ["", "AA", &"A".repeat(43)] {
        let binding = sent(&client, &with(&whole, "signature", json!(signature))).expect("a binding");
        assert_eq!(binding.verify(&MAC_KEY).expect_err("a refusal").kind(), ProblemType::Unauthorized);
    }
}

/// Sends a change of key, as the service will see it.
fn changed(old: &Client, inner: &Value) -> Result<KeyChange, Problem> {
    let header = json!({"alg": old.algorithm, "nonce": NONCE, "url": URL, "kid": ACCOUNT});
    let jws = parse(&old.sign(&header, inner.to_string())).expect("a request");
    let Key::Known(account) = jws.key() else { panic!("a known key") };
    KeyChange::read(jws.verify(&old.key()).expect("a good signature"), jws.url(), account, &old.key())
}

#[test]
fn a_change_of_key_is_signed_by_both_keys() {
    let (old, new) = (Client::new("RS256"), Client::new("ES384"));
    let header = json!({"alg": "ES384", "jwk": new.jwk(), "url": URL});
    let change = json!({"account": ACCOUNT, "oldKey": old.jwk()});
    let inner = |header: &Value, change: &Value| new.sign(header, change.to_string());
    assert_eq!(changed(&old, &inner(&header, &change)).expect("a change").new_key, new.key());

    for (inner, kind) in [
        (inner(&with(&header, "nonce", json!(NONCE)), &change), ProblemType::Malformed),
        (inner(&with(&header, "kid", json!(ACCOUNT)), &change), ProblemType::Malformed),
        (inner(&without(&header, "jwk"), &change), ProblemType::Malformed),
        (inner(&with(&header, "url", json!("https://elsewhere.example")), &change), ProblemType::Malformed),
        (inner(&with(&header, "alg", json!("none")), &change), ProblemType::BadSignatureAlgorithm),
        // Signed by the old key, or by nobody.
        (
            old.sign(&with(&header, "alg", json!("RS256")), change.to_string()),
            ProblemType::BadSignatureAlgorithm,
        ),
        (with(&inner(&header, &change), "signature", json!("")), ProblemType::Malformed),
        // About another account, or another old key.
        (
            inner(&header, &with(&change, "account", json!("https://ca.corp.example/acme/account/2"))),
            ProblemType::Malformed,
        ),
        (inner(&header, &with(&change, "oldKey", new.jwk())), ProblemType::Malformed),
        (inner(&header, &without(&change, "oldKey")), ProblemType::Malformed),
    ] {
        assert_eq!(changed(&old, &inner).expect_err("a refusal").kind(), kind, "{inner}");
    }
}
