//! Requests that must not pass, and bytes that must not hurt.

use chancery_ca::acme::{Identifier, Jwk, Jws, Key, NewOrder, ProblemType};
use openssl::hash::MessageDigest;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::client::{ACCOUNT, Client, base64, mac, message, parse, with, without};

fn refused(message: &Value) -> ProblemType {
    parse(message).expect_err("a refusal").kind()
}

#[test]
fn nobody_signs_with_nothing_or_with_the_public_key() {
    let client = Client::new("ES256");
    let under = |alg: &str| with(&client.header(), "alg", json!(alg));
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = message(&under(alg), "{}", |_| Vec::new());
        assert_eq!(refused(&unsigned), ProblemType::BadSignatureAlgorithm, "{alg}");
    }
    // A verifier that let the message choose would take the public key for a MAC key.
    for key in [client.spki(), client.jwk().to_string().into_bytes(), client.key().to_string().into_bytes()] {
        let forged = message(&under("HS256"), "{}", |signed| mac(MessageDigest::sha256(), &key, signed));
        assert_eq!(refused(&forged), ProblemType::BadSignatureAlgorithm);
    }
    for alg in [json!(null), json!(["ES256"]), json!({"alg": "ES256"}), json!(256)] {
        let header = with(&client.header(), "alg", alg);
        assert_eq!(refused(&client.sign(&header, "{}")), ProblemType::Malformed);
    }
}

#[test]
fn a_request_has_one_key_one_nonce_and_one_url() {
    let client = Client::new("ES256");
    let header = client.header();
    for wrong in [
        with(&header, "kid", json!(ACCOUNT)),
        without(&header, "jwk"),
        without(&header, "nonce"),
        with(&header, "nonce", json!("")),
        with(&header, "nonce", json!("not base64url!")),
        with(&header, "nonce", json!("DGyRejmCefe7v4NfDGDKfA==")),
        without(&header, "url"),
        with(&header, "url", json!(["https://ca.corp.example"])),
        without(&header, "alg"),
        with(&header, "crit", json!(["exp"])),
        with(&header, "crit", json!([])),
        with(&header, "crit", json!(null)),
        with(&header, "b64", json!(false)),
        json!({}),
        json!([]),
        json!(null),
    ] {
        assert_eq!(refused(&client.sign(&wrong, "{}")), ProblemType::Malformed, "{wrong}");
    }
    // What means nothing here is passed over (RFC 7515 §4).
    assert!(parse(&client.sign(&with(&header, "typ", json!("JOSE")), "{}")).is_ok());
}

#[test]
fn only_the_flattened_form_is_read() {
    let client = Client::new("ES256");
    let sound = client.sign(&client.header(), "{}");
    let general = json!({"payload": sound["payload"], "signatures": [sound.clone()]});
    let compact =
        format!("{}.{}.{}", sound["protected"], sound["payload"], sound["signature"]).replace('"', "");
    for wrong in [
        with(&sound, "header", json!({"alg": "ES256"})),
        with(&sound, "header", json!(null)),
        with(&sound, "signatures", json!([])),
        without(&sound, "protected"),
        without(&sound, "payload"),
        without(&sound, "signature"),
        with(&sound, "payload", json!(null)),
        with(&sound, "payload", json!({})),
        with(&sound, "payload", json!("e30=")),
        with(&sound, "signature", json!(format!("{}\n", sound["signature"]))),
        general,
        json!(compact),
        json!([sound["protected"], sound["payload"], sound["signature"]]),
    ] {
        assert_eq!(refused(&wrong), ProblemType::Malformed, "{wrong}");
    }
    assert!(parse(&with(&sound, "comment", json!({"any": "thing"}))).is_ok());
}

/// Some readers of JSON take an array for an object whose names are left out.
#[test]
fn an_array_is_no_object() {
    let client = Client::new("ES256");
    let jwk = client.jwk();
    let header = with(&client.header(), "jwk", json!([jwk["kty"], jwk["crv"], jwk["x"], jwk["y"]]));
    assert_eq!(refused(&client.sign(&header, "{}")), ProblemType::Malformed);
    let order = client.request(r#"{"identifiers": [["dns", "a.example"]]}"#);
    let order = NewOrder::read(Jws::parse(&order).expect("a request").verify(&client.key()).expect("signed"));
    assert_eq!(order.expect_err("a refusal").kind(), ProblemType::Malformed);
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let client = Client::new("ES256");
    let sound = client.sign(&client.header(), "{}").to_string();
    for name in ["protected", "payload", "signature"] {
        let twice = sound.replacen('{', &format!(r#"{{"{name}":"","#), 1);
        assert_eq!(Jws::parse(twice.as_bytes()).expect_err("a refusal").kind(), ProblemType::Malformed);
    }
    let header = client.header().to_string();
    for name in ["alg", "nonce", "url", "jwk"] {
        let value = &client.header()[name];
        let twice = header.replacen('{', &format!(r#"{{"{name}":{value},"#), 1);
        let (protected, payload) = (base64(twice), base64("{}"));
        let signature = client.signature(format!("{protected}.{payload}").as_bytes());
        let request = json!({"protected": protected, "payload": payload, "signature": base64(signature)});
        assert_eq!(refused(&request), ProblemType::Malformed, "{name}");
    }
}

#[test]
fn unsound_account_keys_are_refused() {
    let client = Client::new("ES256");
    let small = Client::with_rsa(1024);
    let mut off = client.jwk();
    off["x"] = client.jwk()["y"].clone();
    for (signer, jwk) in [
        (&small, small.jwk()),
        (&client, off),
        (&client, with(&client.jwk(), "d", json!("AQ"))),
        (&client, with(&client.jwk(), "crv", json!("P-521"))),
        (&client, json!({"kty": "oct", "k": "AAAA"})),
    ] {
        let request = signer.sign(&with(&signer.header(), "jwk", jwk), "{}");
        assert_eq!(refused(&request), ProblemType::BadPublicKey, "{request}");
    }
}

#[test]
fn depth_size_and_bytes_that_are_no_text_are_refused() {
    let client = Client::new("ES256");
    let deep = |open: &str, count| open.repeat(count);
    for body in [
        deep("[", 32_000),
        deep(r#"{"a":"#, 6_000),
        format!(r#"{{"protected":{}"#, deep("[", 30_000)),
        format!(r#"{{"comment":{}"#, deep("[", 30_000)),
        r#"{"protected":1e999999999,"payload":"","signature":""}"#.to_owned(),
        format!(r#"{{"comment":{},"payload":""}}"#, "9".repeat(30_000)),
        format!(r#"{{"comment":-1e{}}}"#, "9".repeat(30_000)),
        String::new(),
    ] {
        assert_eq!(Jws::parse(body.as_bytes()).expect_err("a refusal").kind(), ProblemType::Malformed);
    }
    // The same inside the header.
    for header in
        [deep("[", 20_000), deep(r#"{"alg":"#, 3_000), format!(r#"{{"url":{}}}"#, "9".repeat(20_000))]
    {
        let request = json!({"protected": base64(header), "payload": "", "signature": ""});
        assert_eq!(refused(&request), ProblemType::Malformed);
    }
    let long = with(&client.sign(&client.header(), "{}"), "signature", json!("A".repeat(32_768)));
    assert_eq!(parse(&long).expect_err("a refusal").status(), 413);

    let sound = client.request("{}");
    for place in 0..sound.len() {
        let bytes = [&sound[..place], b"\xFF", &sound[place..]].concat();
        assert!(Jws::parse(&bytes).is_err(), "a byte at {place}");
    }
}

/// Neither with the key that it brings nor with the key that it should be signed with.
fn never_verifies(body: &[u8], key: &Jwk) -> bool {
    Jws::parse(body).map_or(true, |jws| {
        let own = if let Key::New(own) = jws.key() { own } else { key };
        jws.verify(own).is_err() && jws.verify(key).is_err()
    })
}

#[test]
fn no_part_of_a_request_can_be_changed_or_left_out() {
    for algorithm in ["ES256", "EdDSA"] {
        let client = Client::new(algorithm);
        let (whole, key) = (client.request(r#"{"contact":[]}"#), client.key());
        assert!(!never_verifies(&whole, &key));
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(never_verifies(&flipped, &key), "bit {bit}");
        }
        for place in 0..whole.len() {
            assert!(never_verifies(&whole[..place], &key), "cut to {place}");
            assert!(
                never_verifies(&[&whole[..place], &whole[place + 1..]].concat(), &key),
                "without {place}"
            );
        }
    }
}

thread_local! {
    static SIGNER: Client = Client::new("ES256");
}

proptest! {
    #[test]
    fn a_changed_character_never_verifies(place in any::<prop::sample::Index>(), sign in "[ -~]") {
        SIGNER.with(|client| {
            let mut body = client.request("{}");
            let changed = place.get_mut(&mut body);
            prop_assume!(*changed != sign.as_bytes()[0]);
            *changed = sign.as_bytes()[0];
            prop_assert!(never_verifies(&body, &client.key()));
            Ok(())
        })?;
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(Jws::parse(&bytes).is_err());
        prop_assert!(Jwk::parse(&bytes).is_err());
    }

    #[test]
    fn arbitrary_members_are_read_or_not_but_never_panic(
        header in any_json(),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        signature in prop::collection::vec(any::<u8>(), 0..128),
    ) {
        SIGNER.with(|client| {
            // Into a sound header if it can be, or in its place.
            let header = match header {
                Value::Object(members) => members
                    .into_iter()
                    .fold(client.header(), |header, (name, value)| with(&header, &name, value)),
                other => other,
            };
            let sent = message(&header, &payload, |_| signature);
            prop_assert!(never_verifies(sent.to_string().as_bytes(), &client.key()));
            Ok(())
        })?;
    }

    #[test]
    fn arbitrary_identifiers_are_read_or_not_but_never_panic(
        kind in "dns|ip|email|permanent-identifier|.{0,8}",
        value in "[a-z0-9.:*@-]{0,40}|.{0,300}",
    ) {
        if let Ok(identifier) = Identifier::parse(&kind, &value) {
            prop_assert_eq!(Identifier::parse(identifier.kind(), &identifier.value()), Ok(identifier));
        }
    }
}

/// JSON in the names that matter.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "ES256|RS256|EdDSA|none|EC|RSA|OKP|P-256|AQAB|[A-Za-z0-9_-]{0,48}|.{0,20}".prop_map(Value::from),
    ];
    let name = "alg|jwk|kid|nonce|url|crit|kty|crv|x|y|n|e|d|k";
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
