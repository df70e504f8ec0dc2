//! Clients of the three protocols, small ones: what they send is put together here, byte by byte.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use axum::{Extension, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::pkcs7::Pkcs7;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::requests::Asked;
use super::*;

const ACME: &str = "https://localhost/acme";

/// What devices may ask, without TLS around it; nobody shows a certificate.
pub(super) struct Doors(Router);

impl Doors {
    pub(super) fn of(enrollment: &Enrollment) -> Self {
        Self(router(enrollment.clone()).layer(Extension(Shown(None))))
    }

    /// Status, nonce and body.
    async fn ask(&self, request: Request<Body>) -> (u16, String, Vec<u8>) {
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let nonce = headers.get("replay-nonce").map_or("", |nonce| nonce.to_str().unwrap()).to_owned();
        (status, nonce, to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
    }

    /// Enrols by EST; an answer of 200 is DER of PKCS#7.
    pub(super) async fn est(&self, (id, secret): &(String, String), csr: &[u8]) -> (u16, Vec<u8>) {
        let request = Request::post("/.well-known/est/simpleenroll")
            .header(header::CONTENT_TYPE, "application/pkcs10")
            .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
            .body(STANDARD.encode(csr).into());
        let (status, _, body) = self.ask(request.unwrap()).await;
        (status, if status == 200 { STANDARD.decode(body).unwrap() } else { body })
    }

    /// Enrols by CMP's p10cr under a MAC; the whole answer.
    pub(super) async fn cmp(&self, token: &(String, String), csr: &[u8]) -> Vec<u8> {
        let request = Request::post("/.well-known/cmp")
            .header(header::CONTENT_TYPE, "application/pkixcmp")
            .body(p10cr(token, csr).into());
        let (status, _, body) = self.ask(request.unwrap()).await;
        assert_eq!(status, 200);
        body
    }
}

/// The certificates of a certs-only PKCS#7.
pub(super) fn certificates(der: &[u8]) -> Vec<Vec<u8>> {
    let message = Pkcs7::from_der(der).unwrap();
    let certificates = message.signed().and_then(|signed| signed.certificates()).unwrap();
    certificates.iter().map(|certificate| certificate.to_der().unwrap()).collect()
}

/// A p10cr under PasswordBasedMac, which wants no confirmation (RFC 9810 §5.1, RFC 4211 §4.4).
fn p10cr((id, secret): &(String, String), csr: &[u8]) -> Vec<u8> {
    const ROUNDS: u8 = 100;
    let salt = crate::id::random::<16>();
    let sha256 = tlv(SEQUENCE, &[&tlv(OID, &[SHA256])]);
    let mac = tlv(SEQUENCE, &[&tlv(OID, &[HMAC_SHA256])]);
    let parameters = tlv(SEQUENCE, &[&tlv(OCTETS, &[&salt]), &sha256, &tlv(INTEGER, &[&[ROUNDS]]), &mac]);
    let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[PASSWORD_BASED_MAC]), &parameters]);
    let nobody = tlv(0xA4, &[&tlv(SEQUENCE, &[])]);
    let field = |number: u8, octets: &[u8]| tlv(0xA0 | number, &[&tlv(OCTETS, &[octets])]);
    let implicit = tlv(SEQUENCE, &[&tlv(OID, &[IMPLICIT_CONFIRM]), &[5, 0]]);
    let header = tlv(
        SEQUENCE,
        &[
            &tlv(INTEGER, &[&[2]]),
            &nobody,
            &nobody,
            &tlv(0xA1, &[&algorithm]),
            &field(2, id.as_bytes()),
            &field(4, &crate::id::random::<16>()),
            &field(5, &crate::id::random::<16>()),
            &tlv(0xA8, &[&tlv(SEQUENCE, &[&implicit])]),
        ],
    );
    let body = tlv(0xA4, &[csr]);
    let mut key = [secret.as_bytes(), &salt].concat();
    for _ in 0..ROUNDS {
        key = Sha256::digest(&key).to_vec();
    }
    let proof = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &tlv(SEQUENCE, &[&header, &body]));
    let proof = tlv(0xA0, &[&tlv(BITS, &[&[0], proof.as_ref()])]);
    tlv(SEQUENCE, &[&header, &body, &proof])
}

/// One value of DER.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let head = match length {
        0..=127 => vec![tag, length as u8],
        128..=255 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content].concat()
}

/// An account of ACME that was bound to a token.
pub(super) struct Acme {
    key: EcdsaKeyPair,
    account: String,
    urn: String,
}

impl Acme {
    pub(super) async fn bind(house: &House, doors: &Doors, name: &str) -> Self {
        let document = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let mut client = Self { key: document, account: String::new(), urn: house.id(name).to_urn() };
        let (id, secret) = house.drawn().await;
        let url = format!("{ACME}/new-account");
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &URL_SAFE_NO_PAD.decode(secret).unwrap());
        let binding =
            jws(&json!({ "alg": "HS256", "kid": id, "url": url }), &client.jwk().to_string(), |signed| {
                hmac::sign(&secret, signed).as_ref().to_vec()
            });
        let wanted = json!({ "termsOfServiceAgreed": true, "externalAccountBinding": binding });
        let account = client.ask(doors, &url, &wanted.to_string()).await.unwrap();
        let account: Value = serde_json::from_slice(&account).unwrap();
        client.account = account["orders"].as_str().unwrap().trim_end_matches("/orders").to_owned();
        client
    }

    /// Orders what the account is known by, with its mail address where the request names that; the chain, or why not.
    pub(super) async fn order(&self, doors: &Doors, asked: &Asked) -> Result<String, String> {
        let permanent = |value: &str| json!({ "type": "permanent-identifier", "value": value });
        let mut identifiers = vec![permanent("alice"), permanent(&self.urn)];
        identifiers.extend(asked.mail.map(|mail| json!({ "type": "email", "value": mail })));
        let wanted = json!({ "identifiers": identifiers }).to_string();
        let order = self.ask(doors, &format!("{ACME}/new-order"), &wanted).await?;
        let order: Value = serde_json::from_slice(&order).unwrap();
        let csr = json!({ "csr": URL_SAFE_NO_PAD.encode(&asked.der) }).to_string();
        let done = self.ask(doors, order["finalize"].as_str().unwrap(), &csr).await?;
        let done: Value = serde_json::from_slice(&done).unwrap();
        let chain = self.ask(doors, done["certificate"].as_str().unwrap(), "").await?;
        Ok(String::from_utf8(chain).unwrap())
    }

    /// A signed request under a fresh nonce: the body, or the problem's detail.
    async fn ask(&self, doors: &Doors, url: &str, payload: &str) -> Result<Vec<u8>, String> {
        let local = |path: &str| Request::builder().uri(path.to_owned()).header(header::HOST, "localhost");
        let (_, nonce, _) = doors.ask(local("/acme/new-nonce").body(Body::empty()).unwrap()).await;
        let mut header = json!({ "alg": "ES256", "nonce": nonce, "url": url });
        match self.account.is_empty() {
            true => header["jwk"] = self.jwk(),
            false => header["kid"] = json!(self.account),
        }
        let random = SystemRandom::new();
        let body = jws(&header, payload, |signed| self.key.sign(&random, signed).unwrap().as_ref().to_vec());
        let path = url.strip_prefix("https://localhost").unwrap();
        let request = local(path).method("POST").header(header::CONTENT_TYPE, "application/jose+json");
        let (status, _, body) = doors.ask(request.body(body.to_string().into()).unwrap()).await;
        if status < 300 {
            return Ok(body);
        }
        let problem: Value = serde_json::from_slice(&body).unwrap();
        Err(problem["detail"].as_str().unwrap().to_owned())
    }

    fn jwk(&self) -> Value {
        // An uncompressed point: 4, x, y.
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }
}

/// A message in the flattened form (RFC 7515 §7.2.2).
fn jws(header: &Value, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Value {
    let [protected, payload] =
        [header.to_string(), payload.to_owned()].map(|text| URL_SAFE_NO_PAD.encode(text));
    let signature = URL_SAFE_NO_PAD.encode(sign(format!("{protected}.{payload}").as_bytes()));
    json!({ "protected": protected, "payload": payload, "signature": signature })
}

const INTEGER: u8 = 2;
const BITS: u8 = 3;
const OCTETS: u8 = 4;
const OID: u8 = 6;
const SEQUENCE: u8 = 0x30;
/// 2.16.840.1.101.3.4.2.1.
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 1.2.840.113549.2.9.
const HMAC_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, 0x09];
/// 1.2.840.113533.7.66.13.
const PASSWORD_BASED_MAC: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF6, 0x7D, 0x07, 0x42, 0x0D];
/// 1.3.6.1.5.5.7.4.13.
const IMPLICIT_CONFIRM: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x04, 0x0D];
