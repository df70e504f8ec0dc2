//! Certificate requests: whatever comes is read or refused, and what is read keeps the rules of the house. A request
//! that nobody signed is signed here, so that names and extensions are reached as well.

#![no_main]

mod der;

use std::sync::LazyLock;

use chancery_ca::{Csr, Name, PublicKey, Subject, check_request};
use libfuzzer_sys::fuzz_target;
use openssl::pkey::{Id, PKey, Private};
use openssl::sign::Signer;

static KEY: LazyLock<PKey<Private>> =
    LazyLock::new(|| PKey::private_key_from_raw_bytes(&[7; 32], Id::ED25519).expect("any 32 bytes are a key"));
/// AlgorithmIdentifier of Ed25519 (RFC 8410).
const ED25519: [u8; 7] = [0x30, 5, 6, 3, 0x2B, 0x65, 0x70];

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = PublicKey::from_spki(bytes) {
        assert_eq!(key.spki_der(), bytes);
    }
    for request in [Some(bytes.to_vec()), signed(bytes)].into_iter().flatten() {
        if let Ok(csr) = Csr::parse(&request) {
            judge(&csr);
        }
    }
});

/// The same request for our own key, with our signature; as far as it is a request at all.
fn signed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (_, request, _) = der::first(bytes)?;
    let (_, info, _) = der::first(request)?;
    let (_, _, after_version) = der::first(info)?;
    let (_, _, after_subject) = der::first(after_version)?;
    let (_, _, attributes) = der::first(after_subject)?;
    let before = &info[..info.len() - after_subject.len()];
    let key = KEY.public_key_to_der().ok()?;
    let info = der::value(0x30, &[before, &key, attributes].concat());
    let signature = Signer::new_without_digest(&KEY).ok()?.sign_oneshot_to_vec(&info).ok()?;
    let signature = der::value(3, &[&[0], &signature[..]].concat());
    Some(der::value(0x30, &[&info[..], &ED25519, &signature].concat()))
}

fn judge(csr: &Csr) {
    assert_eq!(PublicKey::from_spki(csr.spki_der()).as_ref(), Ok(csr.public_key()));
    assert!(csr.requested().len() <= 16);
    for name in csr.requested() {
        if let Name::CommonName(text) | Name::Dns(text) | Name::Mail(text) | Name::Uri(text) | Name::Device(text) = name
        {
            assert!((1..=256).contains(&text.len()) && !text.chars().any(char::is_control), "{text:?}");
        }
    }
    let alice = Subject {
        common_name: "alice".into(),
        mail: Some("alice@corp.example".into()),
        uri: vec!["urn:uuid:5f0c9d3e-0000-4000-8000-00000000000a".into()],
        ..Subject::default()
    };
    let passes = check_request(csr, &alice).is_ok();
    let own = |name: &Name| match name {
        Name::CommonName(text) => text == "alice" || is_hers(text),
        Name::Mail(text) => is_hers(text),
        Name::Uri(text) => text.eq_ignore_ascii_case(&alice.uri[0]),
        Name::Dns(_) | Name::Ip(_) | Name::Device(_) | Name::Other(_) => false,
    };
    assert_eq!(passes, csr.requested().iter().all(own), "{:?}", csr.requested());
}

fn is_hers(text: &str) -> bool {
    text.strip_prefix("alice@").is_some_and(|domain| domain.eq_ignore_ascii_case("corp.example"))
}
