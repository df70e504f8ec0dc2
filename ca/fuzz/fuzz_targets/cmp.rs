//! CMP messages: whatever comes is read or rejected, in bounded work, and nobody is believed.

#![no_main]

use chancery_ca::cmp::{Body, Protection, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let request = match Request::parse(bytes) {
        Ok(request) => request,
        Err(rejected) => {
            assert!(!rejected.objection.text.is_empty());
            return;
        }
    };
    let header = request.header();
    assert!((1..=64).contains(&header.transaction.len()) && (8..=64).contains(&header.nonce.len()));
    assert!(request.extra_certs().len() <= 8);
    // No input knows this secret, nor a key to any certificate that it could bring and that counted here.
    assert!(!request.verify_mac(b"a secret that nobody has"));
    match (request.protection(), request.signer()) {
        (Protection::Signature(_), Some(signer)) => drop(request.verify_signature(&signer)),
        (Protection::Signature(_), None) => {}
        (Protection::Mac(_) | Protection::None, signer) => assert!(signer.is_none()),
    }
    match request.body() {
        Ok(Body::Enrol(enrolment)) => assert!(enrolment.csr.requested().len() <= 16),
        Ok(_) => {}
        Err(objection) => assert!(!objection.text.is_empty()),
    }
});
