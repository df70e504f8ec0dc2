//! Messages recorded from `openssl cmp` (under `messages/`), read whole, and refused when cut or bent.

use chancery_ca::{
    Certificate, Reason,
    cmp::{Body, Enrolment, Protection, Request},
};
use proptest::prelude::*;

use crate::{desk::SECRET, workshop::UUID};

const RECORDED: [(&str, &[u8]); 7] = [
    ("ir", include_bytes!("messages/ir.der")),
    ("cr", include_bytes!("messages/cr.der")),
    ("p10cr", include_bytes!("messages/p10cr.der")),
    ("kur", include_bytes!("messages/kur.der")),
    ("rr", include_bytes!("messages/rr.der")),
    ("certconf", include_bytes!("messages/certconf.der")),
    ("genm", include_bytes!("messages/genm.der")),
];

/// The certificate that the recorded certConf is about.
const CONFIRMED: &[u8] = include_bytes!("messages/confirmed.der");

fn recorded(name: &str) -> Request {
    let (_, bytes) = RECORDED.iter().find(|(own, _)| *own == name).expect("a recorded message");
    Request::parse(bytes).expect("a whole message")
}

fn signer() -> Certificate {
    recorded("kur").signer().expect("a signer")
}

/// By the secret, or by this certificate and no other.
fn is_proven(request: &Request, known: &Certificate) -> bool {
    match request.protection() {
        Protection::None => false,
        Protection::Mac(_) => request.verify_mac(SECRET),
        Protection::Signature(_) => {
            request.verify_signature(known) && request.signer().is_some_and(|signer| signer == *known)
        }
    }
}

#[test]
fn whole_messages_are_read_and_proven() {
    for (name, _) in RECORDED {
        let request = recorded(name);
        assert!(is_proven(&request, &signer()), "{name}");
        assert!(!request.verify_mac(b"a one-time tokem"), "{name}");
        assert_eq!((request.header().version, request.header().nonce.len()), (2, 16), "{name}");
        let body = request.body().expect("a body");
        match (name, body) {
            ("ir" | "cr" | "p10cr" | "kur", Body::Enrol(enrolment)) => enrolled(name, &enrolment),
            ("rr", Body::Withdraw(withdrawal)) => {
                assert_eq!(withdrawal.reason, Reason::KeyCompromise);
                assert!(withdrawal.certificate.serial().is_some());
            }
            ("certconf", Body::Confirm(confirmation)) => {
                let confirmed = Certificate::parse(CONFIRMED).expect("a certificate");
                assert!(confirmation.accepted && confirmation.is_of(&confirmed));
                assert!(!confirmation.is_of(&signer()));
            }
            ("genm", Body::Ask(questions)) => assert_eq!(questions.len(), 1),
            (_, body) => panic!("{name}: {body:?}"),
        }
    }
    assert!(recorded("ir").header().implicit_confirm);
    assert_eq!(recorded("ir").header().key_id.as_deref(), Some(&b"device"[..]));
}

fn enrolled(name: &str, enrolment: &Enrolment) {
    let names: Vec<String> = enrolment.csr.requested().iter().map(ToString::to_string).collect();
    assert_eq!(names[0], "CN=alice.smith", "{name}");
    assert_eq!(names.get(1).is_some_and(|uri| uri.contains(UUID)), matches!(name, "cr" | "kur"), "{name}");
    assert_eq!(enrolment.order.id, if name == "p10cr" { -1 } else { 0 });
    assert_eq!(enrolment.replaces.as_ref().map(|id| id.names(&signer())), (name == "kur").then_some(true));
}

#[test]
fn a_message_that_is_cut_off_is_no_message() {
    for (name, whole) in RECORDED {
        for length in 0..whole.len() {
            assert!(Request::parse(&whole[..length]).is_err(), "{name} cut to {length}");
        }
        assert!(Request::parse(&[whole, b"\0"].concat()).is_err(), "{name}");
    }
}

/// The bits of a PKCS#10 request are bent in `hostile`, and a cr is an ir under another number.
#[test]
fn no_bit_of_a_message_can_be_changed() {
    for name in ["ir", "kur", "rr", "certconf", "genm"] {
        let (original, known) = (recorded(name), signer());
        let (_, whole) = RECORDED.iter().find(|(own, _)| *own == name).expect("recorded");
        for place in 0..whole.len() * 8 {
            let mut bent = whole.to_vec();
            bent[place / 8] ^= 1 << (place % 8);
            let Ok(request) = Request::parse(&bent) else { continue };
            if request.extra_certs() == original.extra_certs() {
                let _ = request.body();
                assert!(!is_proven(&request, &known), "{name}, bit {place}");
            } else if request.extra_certs().first() != original.extra_certs().first() {
                // The certificates are outside of the protection (RFC 9810 §5.1.3), but the signer's own must fit.
                assert_ne!(request.signer().as_ref(), Some(&known), "{name}, bit {place}");
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_rejected_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(Request::parse(&bytes).is_err());
    }

    #[test]
    fn damaged_messages_are_read_or_not_but_never_panic(
        which in 0..RECORDED.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = RECORDED[which].1.to_vec();
        for (place, byte) in changes {
            *place.get_mut(&mut bytes) = byte;
        }
        if let Ok(request) = Request::parse(&bytes) {
            let _ = (request.body(), request.signer());
        }
    }
}
