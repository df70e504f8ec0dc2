//! Account keys: JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2) under the house's rules for public keys.

use std::fmt;

use serde::{Deserialize, de::IgnoredAny};
use sha2::{Digest, Sha256};

use super::{Algorithm, Problem, ProblemType, base64url, json};
use crate::{PublicKey, der};

/// A public key that may own an account: P-256, P-384, Ed25519, or RSA of 2048 to 4096 bits with exponent 65537.
///
/// It prints as the one JSON text that RFC 7638 §3 hashes; that is also the form to keep it in, and
/// [`Jwk::parse`] reads it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    key: PublicKey,
    algorithm: Algorithm,
    canonical: String,
}

impl Jwk {
    /// Reads a JWK. Members that describe no key (`use`, `kid`, …) are passed over (RFC 7517 §4); private ones are
    /// refused, for a key that was sent about is no longer its owner's alone.
    pub fn parse(text: &[u8]) -> Result<Jwk, Problem> {
        let members: Members = json::read("the key", text).map_err(|_| unfit("it is not a JWK"))?;
        Jwk::from_members(&members)
    }

    pub(super) fn from_members(members: &Members) -> Result<Jwk, Problem> {
        if members.holds_secrets() {
            return Err(unfit("it holds private members"));
        }
        let (algorithm, spki, canonical) = match (members.kty.as_str(), members.crv.as_deref()) {
            ("EC", Some("P-256")) => elliptic(members, Algorithm::Es256, "P-256", 32, P256)?,
            ("EC", Some("P-384")) => elliptic(members, Algorithm::Es384, "P-384", 48, P384)?,
            ("OKP", Some("Ed25519")) => edwards(members)?,
            ("RSA", None) => rsa(members)?,
            _ => return Err(unfit("only P-256, P-384, Ed25519 and RSA keys own accounts")),
        };
        let key = PublicKey::from_spki(&spki).map_err(|refusal| bad(refusal.to_string()))?;
        Ok(Jwk { key, algorithm, canonical })
    }

    /// The thumbprint (RFC 7638): base64url of the SHA-256, 43 characters.
    pub fn thumbprint(&self) -> String {
        base64url::encode(Sha256::digest(&self.canonical))
    }

    /// The key as certificates hold it: a certificate may be revoked by its own key (RFC 8555 §7.6).
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The only algorithm that this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Demands that the key made the signature, in the way that it says it was made.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), Problem> {
        if algorithm != self.algorithm {
            let (claimed, fit) = (algorithm.name(), self.algorithm.name());
            let detail = format!("a key of this kind signs with {fit}, not {claimed}");
            return Err(Problem::new(ProblemType::BadSignatureAlgorithm, detail));
        }
        let verified = algorithm.verifies(&self.key, signed, signature);
        verified.then_some(()).ok_or_else(|| Problem::malformed("the signature does not verify"))
    }
}

impl fmt::Display for Jwk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.canonical)
    }
}

/// The members of a JWK that matter here, as they were sent.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Members {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    /// RFC 7518 §6.2.2, §6.3.2 and §6.4: the private ones.
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl Members {
    fn holds_secrets(&self) -> bool {
        let private = [self.d, self.p, self.q, self.dp, self.dq, self.qi, self.oth, self.k];
        private.iter().any(Option::is_some)
    }
}

/// What a key comes to: how it signs, its SubjectPublicKeyInfo, its canonical JSON.
type Parts = (Algorithm, Vec<u8>, String);

/// RFC 7518 §6.2.1: both coordinates in the full width of the curve. Whether the point is on it, `PublicKey` knows.
fn elliptic(
    members: &Members,
    algorithm: Algorithm,
    name: &str,
    width: usize,
    curve: &[u8],
) -> Result<Parts, Problem> {
    let ((x, x_text), (y, y_text)) = (octets(&members.x)?, octets(&members.y)?);
    if x.len() != width || y.len() != width {
        return Err(unfit("its coordinates are not as long as its curve demands"));
    }
    let kind = [der::value(der::OID, &[EC_PUBLIC_KEY]), der::value(der::OID, &[curve])].concat();
    let canonical = format!(r#"{{"crv":"{name}","kty":"EC","x":"{x_text}","y":"{y_text}"}}"#);
    Ok((algorithm, spki(&kind, &[&[UNCOMPRESSED], &x, &y]), canonical))
}

/// RFC 8037 §2, RFC 8410 §4.
fn edwards(members: &Members) -> Result<Parts, Problem> {
    let (x, text) = octets(&members.x)?;
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{text}"}}"#);
    Ok((Algorithm::EdDsa, spki(&der::value(der::OID, &[ED25519]), &[&x]), canonical))
}

/// RFC 7518 §6.3.1, RFC 3279 §2.3.1.
fn rsa(members: &Members) -> Result<Parts, Problem> {
    let ((n, n_text), (e, e_text)) = (octets(&members.n)?, octets(&members.e)?);
    let key = der::value(der::SEQUENCE, &[&positive(&n)?, &positive(&e)?]);
    let kind = [der::value(der::OID, &[RSA_ENCRYPTION]), der::NULL.to_vec()].concat();
    let canonical = format!(r#"{{"e":"{e_text}","kty":"RSA","n":"{n_text}"}}"#);
    Ok((Algorithm::Rs256, spki(&kind, &[&key]), canonical))
}

/// A member's bytes, with its text, which stands for no other bytes.
fn octets(member: &Option<String>) -> Result<(Vec<u8>, &str), Problem> {
    let text = member.as_deref().ok_or_else(|| unfit("a member that its kind demands is missing"))?;
    let bytes = base64url::decode("a member", text).map_err(|_| unfit("a member is not base64url"))?;
    Ok((bytes, text))
}

/// The INTEGER of a number in the fewest octets (RFC 7518 §2, Base64urlUInt).
fn positive(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    match bytes.first() {
        None | Some(0) => Err(unfit("a number is not written in the fewest octets")),
        Some(0x80..) => Ok(der::value(der::INTEGER, &[&[0], bytes])),
        Some(_) => Ok(der::value(der::INTEGER, &[bytes])),
    }
}

/// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) of an algorithm and the key's bits.
fn spki(kind: &[u8], bits: &[&[u8]]) -> Vec<u8> {
    let bits = der::value(der::BITS, &[&[0], &bits.concat()]);
    der::value(der::SEQUENCE, &[&der::value(der::SEQUENCE, &[kind]), &bits])
}

fn unfit(why: &str) -> Problem {
    bad(format!("this account key is not accepted: {why}"))
}

fn bad(detail: String) -> Problem {
    Problem::new(ProblemType::BadPublicKey, detail)
}

/// The first octet of a point that is written with both coordinates (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;
/// 1.2.840.10045.2.1 (RFC 5480 §2.1.1).
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// 1.2.840.10045.3.1.7 and 1.3.132.0.34 (RFC 5480 §2.1.1.1).
const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
/// 1.3.101.112 (RFC 8410 §3).
const ED25519: &[u8] = &[0x2B, 0x65, 0x70];
/// 1.2.840.113549.1.1.1 (RFC 3279 §2.3.1).
const RSA_ENCRYPTION: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn parse(json: &str) -> Result<Jwk, Problem> {
        Jwk::parse(json.as_bytes())
    }

    #[test]
    fn the_examples_have_the_thumbprints_of_their_rfcs() {
        // RFC 7638 §3.1 and RFC 8037 §A.3.
        let modulus = "\
            0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_B\
            JECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F\
            DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4\
            vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let rsa = format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}"#);
        let edwards = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        for (key, thumbprint) in [
            (rsa.as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            (edwards, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ] {
            assert_eq!(parse(key).expect("a sound key").thumbprint(), thumbprint);
        }
    }

    #[test]
    fn a_key_survives_its_canonical_form() {
        let written = format!(r#"{{"y":"{Y}", "use":"sig", "x":"{X}", "crv":"P-256", "kty":"EC"}}"#);
        let key = parse(&written).expect("a sound key");
        assert_eq!(key.to_string(), format!(r#"{{"crv":"P-256","kty":"EC","x":"{X}","y":"{Y}"}}"#));
        assert_eq!(parse(&key.to_string()), Ok(key));
    }

    #[test]
    fn unsound_keys_are_refused() {
        let long = "A".repeat(20_000);
        for key in [
            // Off the curve, short, padded, without a coordinate, under another curve's name.
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{Y}","y":"{X}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"AQ"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}=","y":"{Y}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-384","x":"{X}","y":"{Y}"}}"#),
            format!(r#"{{"kty":"EC","crv":"secp256k1","x":"{X}","y":"{Y}"}}"#),
            format!(r#"{{"kty":"EC","x":"{X}","y":"{Y}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{zero}","y":"{zero}"}}"#, zero = "A".repeat(43)),
            // Twice the same member.
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","x":"{X}","y":"{Y}"}}"#),
            // Private members, and a key that is nothing else.
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","d":"{X}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","k":{{"a":[1]}}}}"#),
            format!(r#"{{"kty":"oct","k":"{X}"}}"#),
            // Ed25519 keys have 32 octets; X25519 keys sign nothing.
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}{X}"}}"#),
            format!(r#"{{"kty":"OKP","crv":"X25519","x":"{X}"}}"#),
            // RSA: small, even, zero first, empty, enormous, with other exponents.
            format!(r#"{{"kty":"RSA","n":"{X}","e":"AQAB"}}"#),
            format!(r#"{{"kty":"RSA","n":"_{}","e":"AQAB"}}"#, "A".repeat(341)),
            format!(r#"{{"kty":"RSA","n":"AP{X}","e":"AQAB"}}"#),
            r#"{"kty":"RSA","n":"","e":"AQAB"}"#.to_owned(),
            format!(r#"{{"kty":"RSA","n":"_{long}","e":"AQAB"}}"#),
            format!(r#"{{"kty":"RSA","n":"_{}","e":"Aw"}}"#, "w".repeat(341)),
            format!(r#"{{"kty":"RSA","n":"_{}","e":"AAEAAQ"}}"#, "w".repeat(341)),
            "{}".to_owned(),
            "[]".to_owned(),
            String::new(),
        ] {
            let problem = parse(&key).expect_err(&key);
            assert_eq!(problem.kind(), ProblemType::BadPublicKey, "{key}");
        }
    }
}
