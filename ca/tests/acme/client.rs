//! A client: a key made by OpenSSL, and the messages that it signs.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_ca::acme::{Jwk, Jws, Problem};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey},
    ecdsa::EcdsaSig,
    hash::{MessageDigest, hash},
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
};
use serde_json::{Value, json};

pub(crate) const URL: &str = "https://ca.corp.example/acme/new-account";
pub(crate) const ACCOUNT: &str = "https://ca.corp.example/acme/account/1";
pub(crate) const NONCE: &str = "DGyRejmCefe7v4NfDGDKfA";
pub(crate) const ALGORITHMS: [&str; 4] = ["ES256", "ES384", "EdDSA", "RS256"];

pub(crate) struct Client {
    pub(crate) algorithm: &'static str,
    key: PKey<Private>,
}

impl Client {
    pub(crate) fn new(algorithm: &'static str) -> Client {
        let key = match algorithm {
            "ES256" => elliptic(Nid::X9_62_PRIME256V1),
            "ES384" => elliptic(Nid::SECP384R1),
            "EdDSA" => PKey::generate_ed25519().expect("a key"),
            _ => Rsa::generate(2048).and_then(PKey::from_rsa).expect("a key"),
        };
        Client { algorithm, key }
    }

    /// A client with an RSA key of another size.
    pub(crate) fn with_rsa(bits: u32) -> Client {
        let key = Rsa::generate(bits).and_then(PKey::from_rsa).expect("a key");
        Client { algorithm: "RS256", key }
    }

    /// The public key as the client writes it.
    pub(crate) fn jwk(&self) -> Value {
        match self.algorithm {
            "ES256" => self.point("P-256", 32),
            "ES384" => self.point("P-384", 48),
            "EdDSA" => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64(self.key.raw_public_key().expect("a key"))})
            }
            _ => {
                let key = self.key.rsa().expect("an RSA key");
                json!({"kty": "RSA", "n": base64(key.n().to_vec()), "e": base64(key.e().to_vec())})
            }
        }
    }

    /// The public key as it is read.
    pub(crate) fn key(&self) -> Jwk {
        Jwk::parse(self.jwk().to_string().as_bytes()).expect("a sound key")
    }

    pub(crate) fn spki(&self) -> Vec<u8> {
        self.key.public_key_to_der().expect("a key")
    }

    /// The protected header of a request with a new key.
    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm, "nonce": NONCE, "url": URL, "jwk": self.jwk()})
    }

    /// A signed request with a new key.
    pub(crate) fn request(&self, payload: impl AsRef<[u8]>) -> Vec<u8> {
        self.sign(&self.header(), payload).to_string().into_bytes()
    }

    /// A message under whatever header, signed as the key can.
    pub(crate) fn sign(&self, header: &Value, payload: impl AsRef<[u8]>) -> Value {
        message(header, payload, |signed| self.signature(signed))
    }

    pub(crate) fn signature(&self, signed: &[u8]) -> Vec<u8> {
        match self.algorithm {
            "ES256" => self.numbers(MessageDigest::sha256(), 32, signed),
            "ES384" => self.numbers(MessageDigest::sha384(), 48, signed),
            "EdDSA" => Signer::new_without_digest(&self.key)
                .and_then(|mut signer| signer.sign_oneshot_to_vec(signed))
                .expect("a signature"),
            _ => Signer::new(MessageDigest::sha256(), &self.key)
                .and_then(|mut signer| signer.sign_oneshot_to_vec(signed))
                .expect("a signature"),
        }
    }

    fn point(&self, curve: &str, width: i32) -> Value {
        let key = self.key.ec_key().expect("an elliptic key");
        let mut context = BigNumContext::new().expect("memory");
        let (mut x, mut y) = (BigNum::new().expect("memory"), BigNum::new().expect("memory"));
        key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).expect("a point");
        let text = |number: &BigNum| base64(number.to_vec_padded(width).expect("room"));
        json!({"kty": "EC", "crv": curve, "x": text(&x), "y": text(&y)})
    }

    fn numbers(&self, digest: MessageDigest, width: i32, signed: &[u8]) -> Vec<u8> {
        let hashed = hash(digest, signed).expect("a hash");
        let signature = EcdsaSig::sign(&hashed, &self.key.ec_key().expect("a key")).expect("a signature");
        let padded = [signature.r().to_vec_padded(width), signature.s().to_vec_padded(width)];
        padded.map(|number| number.expect("room")).concat()
    }
}

/// A message in the flattened form.
pub(crate) fn message(
    header: &Value,
    payload: impl AsRef<[u8]>,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Value {
    let (protected, payload) = (base64(header.to_string()), base64(payload));
    let signature = base64(sign(format!("{protected}.{payload}").as_bytes()));
    json!({"protected": protected, "payload": payload, "signature": signature})
}

/// A binding as its owner signs it.
pub(crate) fn bind(header: &Value, account_key: &Value, digest: MessageDigest, mac_key: &[u8]) -> Value {
    message(header, account_key.to_string(), |signed| mac(digest, mac_key, signed))
}

pub(crate) fn mac(digest: MessageDigest, key: &[u8], signed: &[u8]) -> Vec<u8> {
    let key = PKey::hmac(key).expect("a key");
    Signer::new(digest, &key).and_then(|mut signer| signer.sign_oneshot_to_vec(signed)).expect("a MAC")
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn parse(message: &Value) -> Result<Jws, Problem> {
    Jws::parse(message.to_string().as_bytes())
}

/// The same object with another value under the name.
pub(crate) fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut other = object.clone();
    other[name] = value;
    other
}

/// The same object without the name.
pub(crate) fn without(object: &Value, name: &str) -> Value {
    let mut other = object.clone();
    other.as_object_mut().expect("an object").remove(name);
    other
}

fn elliptic(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).expect("a curve");
    EcKey::generate(&group).and_then(PKey::from_ec_key).expect("a key")
}
