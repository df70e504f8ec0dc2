//! ACME: any bytes as a signed request, and any bytes as what a request with a good signature asks for.

#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_ca::acme::{
    AccountUpdate, Finalize, Jwk, Jws, Key, KeyChange, NewAccount, NewOrder, RevokeCert,
};
use libfuzzer_sys::fuzz_target;
use openssl::pkey::{Id, PKey, Private};
use openssl::sign::Signer;

static KEY: LazyLock<PKey<Private>> =
    LazyLock::new(|| PKey::private_key_from_raw_bytes(&[7; 32], Id::ED25519).expect("any 32 bytes are a key"));
static JWK: LazyLock<Jwk> = LazyLock::new(|| {
    let x = URL_SAFE_NO_PAD.encode(KEY.raw_public_key().expect("a key"));
    Jwk::parse(format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#).as_bytes()).expect("a sound key")
});
const URL: &str = "https://ca.example/acme/new-account";
const ACCOUNT: &str = "https://ca.example/acme/account/1";

fuzz_target!(|bytes: &[u8]| {
    if let Ok(jws) = Jws::parse(bytes) {
        assert!(!jws.nonce().is_empty());
        assert!(jws.verify(&JWK).is_err(), "nobody has the key");
        if let Key::New(key) = jws.key() {
            let again = Jwk::parse(key.to_string().as_bytes()).expect("what was printed is read");
            assert_eq!((again.thumbprint(), &again), (key.thumbprint(), key));
        }
    }
    if let Ok(key) = Jwk::parse(bytes) {
        assert_eq!(Jwk::parse(key.to_string().as_bytes()).as_ref(), Ok(&key));
    }
    asked(bytes);
});

/// Our own signature over the bytes as a payload, which is the only way to have them read.
fn asked(payload: &[u8]) {
    let header = format!(r#"{{"alg":"EdDSA","nonce":"bm9uY2U","url":"{URL}","jwk":{}}}"#, *JWK);
    let [header, payload] = [header.as_bytes(), payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{payload}");
    let signer = Signer::new_without_digest(&KEY);
    let signature = signer.and_then(|mut signer| signer.sign_oneshot_to_vec(signed.as_bytes())).expect("signed");
    let signature = URL_SAFE_NO_PAD.encode(signature);
    let message = format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#);
    let Ok(jws) = Jws::parse(message.as_bytes()) else { return };
    let payload = jws.verify(&JWK).expect("we signed it");
    if let Ok(account) = NewAccount::read(payload)
        && let Ok(Some(binding)) = account.binding(&JWK, URL)
    {
        assert!(!binding.kid().is_empty() && binding.verify(b"a key of 32 bytes that nobody has").is_err());
    }
    if let Ok(order) = NewOrder::read(payload) {
        assert!((1..=10).contains(&order.identifiers.len()));
        let _ = Finalize::read(payload).map(|finalize| finalize.check_names(&order.identifiers));
    }
    let _ = (AccountUpdate::read(payload), Finalize::read(payload), RevokeCert::read(payload));
    assert!(KeyChange::read(payload, URL, ACCOUNT, &JWK).is_err(), "nobody has both keys");
}
