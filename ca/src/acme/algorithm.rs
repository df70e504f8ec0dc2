//! Signature algorithms: the four that sign requests, one for each kind of key (RFC 7518 §3, RFC 8037 §3.1).

use openssl::{
    bn::BigNum,
    ecdsa::EcdsaSig,
    error::ErrorStack,
    hash::MessageDigest,
    pkey::{PKeyRef, Public},
    sign::Verifier,
};

use super::{Problem, ProblemType};
use crate::{PublicKey, public_key::openssl_key};

/// How a request is signed. `none` and the MACs are no such way (RFC 8555 §6.2): with a MAC, whoever knows the public
/// key could sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 4] = [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Rs256];

    /// Their names in `alg`, as `badSignatureAlgorithm` lists them.
    pub const NAMES: [&'static str; 4] =
        [Algorithm::Es256.name(), Algorithm::Es384.name(), Algorithm::EdDsa.name(), Algorithm::Rs256.name()];

    /// Its name in `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Rs256 => "RS256",
        }
    }

    pub(super) fn named(name: &str) -> Result<Algorithm, Problem> {
        let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        let refused =
            || Problem::new(ProblemType::BadSignatureAlgorithm, "this algorithm signs no requests here");
        known.ok_or_else(refused)
    }

    /// Whether the key made the signature. The key must be of the algorithm's kind; [`Jwk`](super::Jwk) sees to it.
    pub(super) fn verifies(self, key: &PublicKey, signed: &[u8], signature: &[u8]) -> bool {
        // What OpenSSL cannot read as a signature is none.
        openssl_key(key.spki_der()).is_ok_and(|key| self.judge(&key, signed, signature).unwrap_or(false))
    }

    fn judge(self, key: &PKeyRef<Public>, signed: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let elliptic = |hash, width| match der_signature(signature, width)? {
            Some(signature) => Verifier::new(hash, key)?.verify_oneshot(&signature, signed),
            None => Ok(false),
        };
        match self {
            Algorithm::Es256 => elliptic(MessageDigest::sha256(), 32),
            Algorithm::Es384 => elliptic(MessageDigest::sha384(), 48),
            Algorithm::EdDsa => Verifier::new_without_digest(key)?.verify_oneshot(signature, signed),
            Algorithm::Rs256 => {
                Verifier::new(MessageDigest::sha256(), key)?.verify_oneshot(signature, signed)
            }
        }
    }
}

/// R and S stand side by side, each of the curve's width (RFC 7518 §3.4); OpenSSL wants them in DER.
fn der_signature(signature: &[u8], width: usize) -> Result<Option<Vec<u8>>, ErrorStack> {
    let Some((r, s)) = signature.split_at_checked(width) else { return Ok(None) };
    if s.len() != width {
        return Ok(None);
    }
    let numbers = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
    numbers.to_der().map(Some)
}

#[cfg(test)]
mod tests {
    use super::{super::base64url, *};
    use crate::acme::Jwk;

    /// RFC 7515 §A.2 and §A.3 sign this payload.
    const JOE: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    fn check(algorithm: Algorithm, key: &str, signed: &str, signature: &str) {
        let key = Jwk::parse(key.as_bytes()).expect("a sound key");
        let signature = base64url::decode("it", signature).expect("base64url");
        let verifies =
            |text: &str, bytes: &[u8]| algorithm.verifies(key.public_key(), text.as_bytes(), bytes);
        assert!(verifies(signed, &signature));
        assert!(!verifies(&signed[1..], &signature));
        for bit in 0..signature.len() * 8 {
            let mut other = signature.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!verifies(signed, &other), "bit {bit}");
        }
        for length in 0..signature.len() {
            assert!(!verifies(signed, &signature[..length]), "cut to {length}");
        }
        assert!(!verifies(signed, &[&signature[..], &[0]].concat()));
        assert!(!verifies(signed, &vec![0; signature.len()]));
    }

    #[test]
    fn the_rsa_example_of_rfc_7515_verifies() {
        let modulus = "\
            ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt\
            0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX\
            ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5\
            IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let key = format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB"}}"#);
        let signature = "\
            cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W\
            2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkS\
            jtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv\
            Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        check(Algorithm::Rs256, &key, &format!("eyJhbGciOiJSUzI1NiJ9.{JOE}"), signature);
    }

    #[test]
    fn the_elliptic_example_of_rfc_7515_verifies() {
        let (x, y) =
            ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        let key = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
        let signature =
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        check(Algorithm::Es256, &key, &format!("eyJhbGciOiJFUzI1NiJ9.{JOE}"), signature);
    }

    #[test]
    fn the_edwards_example_of_rfc_8037_verifies() {
        let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        check(Algorithm::EdDsa, key, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", signature);
    }

    #[test]
    fn each_algorithm_is_found_by_its_name_and_no_other_is() {
        for name in Algorithm::NAMES {
            assert_eq!(Algorithm::named(name).map(Algorithm::name), Ok(name));
        }
        for name in ["none", "None", "HS256", "HS512", "RS1", "PS256", "ES512", "es256", ""] {
            let problem = Algorithm::named(name).expect_err("a refusal");
            assert_eq!(problem.kind(), ProblemType::BadSignatureAlgorithm, "{name}");
        }
    }
}
