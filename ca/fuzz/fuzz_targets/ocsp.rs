//! OCSP requests: posted and in the path they are read the same, and each certificate is named by bytes that came.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_ca::{CertId, OcspRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let request = OcspRequest::parse(bytes);
    assert_eq!(OcspRequest::from_path(&STANDARD.encode(bytes)), request);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = OcspRequest::from_path(text);
    }
    let Ok(request) = request else { return };
    assert!(bytes.len() <= 4096 && (1..=16).contains(&request.certificates().len()));
    assert!(request.nonce().is_none_or(|nonce| (1..=128).contains(&nonce.len())));
    for der in request.certificates().iter().map(CertId::der) {
        assert!(bytes.windows(der.len()).any(|part| part == der), "{der:02x?}");
    }
});
