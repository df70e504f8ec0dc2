//! The `openssl` command asks whether certificates are good, and judges the answers.

use chancery_ca::{
    CertId, Certificate, Failure, Issued, KeyKind, KeyPair, OcspRefusal, OcspRequest, OcspStatus, Profile,
    Reason, Responder, Serial, Subject,
};
use time::{Duration, OffsetDateTime};

use crate::workshop::{Workshop, alice, key, public};

#[test]
fn openssl_believes_each_status() {
    let desk = Desk::open();
    desk.issue("leaf");
    let at = desk.now - Duration::days(1);
    for (status, said) in [
        (OcspStatus::Good, "leaf.pem: good\n"),
        (OcspStatus::Unknown, "leaf.pem: unknown\n"),
        (OcspStatus::Revoked { at, reason: Reason::Unspecified }, "leaf.pem: revoked\n"),
    ] {
        let request = desk.ask("-cert leaf.pem -no_nonce");
        let judged = desk.judge(&desk.answer(&request, status), "-cert leaf.pem");
        assert!(judged.contains(said) && !judged.contains("Reason:"), "{judged}");
    }
    for (reason, said) in [
        (Reason::KeyCompromise, "keyCompromise (0x1)"),
        (Reason::AffiliationChanged, "affiliationChanged (0x3)"),
        (Reason::Superseded, "superseded (0x4)"),
        (Reason::CessationOfOperation, "cessationOfOperation (0x5)"),
        (Reason::CertificateHold, "certificateHold (0x6)"),
        // Not every openssl has a name for it.
        (Reason::PrivilegeWithdrawn, "(0x9)"),
    ] {
        let request = desk.ask("-cert leaf.pem");
        let judged = desk.judge(&desk.answer(&request, OcspStatus::Revoked { at, reason }), "-cert leaf.pem");
        assert!(judged.contains("leaf.pem: revoked\n"), "{judged}");
        assert!(judged.contains("Revocation Reason: ") && judged.contains(&format!("{said}\n")), "{judged}");
    }
}

#[test]
fn an_answer_names_its_signer_by_key_and_brings_the_certificate() {
    for (kind, algorithm) in [(KeyKind::P256, "ecdsa-with-SHA256"), (KeyKind::P384, "ecdsa-with-SHA384")] {
        let desk = Desk::with(kind);
        desk.issue("leaf");
        let request = desk.ask("-cert leaf.pem -no_nonce");
        let text = desk.judge(&desk.answer(&request, OcspStatus::Good), "-cert leaf.pem");
        let serial = desk.responder.signer().serial.expect("our own form").to_string().to_lowercase();
        for expected in ["Responder Id: ", algorithm, "Hash Algorithm: sha1"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(!text.contains("Nonce") && text.replace(':', "").contains(&serial), "{text}");
    }
}

#[test]
fn a_nonce_comes_back_when_there_was_one() {
    let desk = Desk::open();
    desk.issue("leaf");
    let request = desk.ask("-cert leaf.pem -nonce");
    let nonce: String = request.nonce().expect("a nonce").iter().map(|byte| format!("{byte:02X}")).collect();
    let asked = desk.workshop.openssl("ocsp -reqin asked.der -no_nonce -req_text");
    let answered = desk.judge(&desk.answer(&request, OcspStatus::Good), "-cert leaf.pem");
    for text in [asked, answered] {
        // The inner OCTET STRING's tag and length come first.
        assert!(text.contains("OCSP Nonce") && text.contains(&format!("{nonce}\n")), "{text}");
    }
    assert_eq!(desk.ask("-cert leaf.pem -no_nonce").nonce(), None);
}

#[test]
fn the_issuer_is_known_by_every_hash_and_by_no_other() {
    let (desk, elsewhere) = (Desk::open(), Desk::open());
    let issued = desk.issue("leaf");
    for hash in ["sha1", "sha256", "sha384", "sha512"] {
        let request = desk.ask(&format!("-{hash} -cert leaf.pem -no_nonce"));
        let [id] = request.certificates() else { panic!("one certificate") };
        assert!(desk.responder.is_about(id) && !elsewhere.responder.is_about(id), "{hash}");
        assert_eq!(id.serial(), Some(issued.serial));
        let judged = desk.judge(&desk.answer(&request, OcspStatus::Good), &format!("-{hash} -cert leaf.pem"));
        assert!(judged.contains(&format!("Hash Algorithm: {hash}\n")), "{judged}");
    }
    for hash in ["sha224", "sha3-256", "md5"] {
        let request = desk.ask(&format!("-{hash} -cert leaf.pem -no_nonce"));
        assert!(!desk.responder.is_about(&request.certificates()[0]), "{hash}");
    }
}

#[test]
fn several_certificates_are_answered_at_once() {
    let desk = Desk::open();
    desk.issue("one");
    desk.issue("two");
    // By serials that have not the form of ours, for there are askers about anything.
    let request = desk.ask("-cert one.pem -cert two.pem -serial 1 -serial 0x80 -serial 0");
    let serials: Vec<bool> = request.certificates().iter().map(|id| id.serial().is_some()).collect();
    assert_eq!(serials, [true, true, false, false, false]);
    let revoked = OcspStatus::Revoked { at: desk.now, reason: Reason::Superseded };
    let statuses = [OcspStatus::Good, revoked, OcspStatus::Unknown, OcspStatus::Unknown, OcspStatus::Unknown];
    let answers: Vec<_> = request.certificates().iter().cloned().zip(statuses).collect();
    let text = desk.judge(&desk.sign(&answers, request.nonce()), "-cert one.pem -cert two.pem");
    for expected in ["one.pem: good\n", "two.pem: revoked\n", "Serial Number: 80\n"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn the_signature_of_a_request_is_passed_over() {
    let desk = Desk::open();
    desk.issue("leaf");
    let request = desk.ask("-cert leaf.pem -signer leaf.pem -signkey leaf.key");
    let text = desk.workshop.openssl("ocsp -reqin asked.der -no_nonce -req_text");
    assert!(text.contains("Signature Algorithm") && text.contains("Requestor Name"), "{text}");
    let judged = desk.judge(&desk.answer(&request, OcspStatus::Good), "-cert leaf.pem");
    assert!(judged.contains("leaf.pem: good\n"), "{judged}");
}

#[test]
fn an_answer_can_be_signed_before_anybody_asks() {
    let desk = Desk::open();
    let issued = desk.issue("leaf");
    let id = CertId::of(desk.workshop.authority.issuing(), issued.serial).expect("named");
    assert!(desk.responder.is_about(&id));
    assert_eq!(desk.ask("-cert leaf.pem").certificates(), std::slice::from_ref(&id));
    let judged = desk.judge(&desk.sign(&[(id, OcspStatus::Good)], None), "-cert leaf.pem");
    assert!(judged.contains("leaf.pem: good\n"), "{judged}");
}

#[test]
fn refusals_are_understood() {
    let desk = Desk::open();
    desk.issue("leaf");
    for (refusal, said) in [
        (OcspRefusal::MalformedRequest, "malformedrequest (1)"),
        (OcspRefusal::InternalError, "internalerror (2)"),
        (OcspRefusal::TryLater, "trylater (3)"),
        (OcspRefusal::SigRequired, "sigrequired (5)"),
        (OcspRefusal::Unauthorized, "unauthorized (6)"),
    ] {
        desk.workshop.write("answer.der", refusal.to_der());
        let heard =
            match desk.workshop.try_openssl("ocsp -respin answer.der -issuer issuing.pem -cert leaf.pem") {
                Ok(heard) | Err(heard) => heard,
            };
        assert!(heard.contains(said), "{heard}");
    }
}

#[test]
fn only_a_signer_with_its_key_makes_a_responder() {
    let (desk, elsewhere) = (Desk::open(), Desk::open());
    let open =
        |authority: &Certificate, signer: &Certificate, key| Responder::open(authority, signer.clone(), key);
    let (signer, key) = desk.signer(Profile::OcspSigner, KeyKind::P256);
    let again = KeyPair::from_pkcs8_pem(&key.to_pkcs8_pem()).expect("a key");
    assert!(open(desk.workshop.authority.issuing(), &signer, key).is_ok());

    let (client, client_key) = desk.signer(Profile::Client, KeyKind::P256);
    let (_, other_key) = desk.signer(Profile::OcspSigner, KeyKind::P256);
    for (authority, signer, key) in [
        (elsewhere.workshop.authority.issuing(), &signer, again),
        (desk.workshop.authority.issuing(), &client, client_key),
        (desk.workshop.authority.issuing(), &signer, other_key),
    ] {
        assert!(matches!(open(authority, signer, key), Err(Failure::Responder(_))));
    }
}

#[test]
fn no_answer_outlives_the_signer() {
    let desk = Desk::open();
    desk.issue("leaf");
    let request = desk.ask("-cert leaf.pem -no_nonce");
    let answers = [(request.certificates()[0].clone(), OcspStatus::Good)];
    let end = desk.responder.signer().not_after;
    let answer = |this, next, now| desk.responder.answer(&answers, None, this, next, now);

    let late = answer(end, end + Duration::days(9), end).expect("signed in its last second");
    desk.workshop.write("answer.der", late);
    let text = desk.workshop.openssl("ocsp -respin answer.der -noverify -resp_text");
    let updates: Vec<_> =
        text.lines().filter_map(|line| line.split_once("Update: ")).map(|(_, at)| at).collect();
    assert!(matches!(updates[..], [this, next] if this == next), "{text}");

    let second = Duration::seconds(1);
    for (this, next, now) in [
        (desk.now, end, end + second),
        (desk.now, desk.now, desk.responder.signer().not_before - second),
        (desk.now, desk.now - second, desk.now),
        (OffsetDateTime::UNIX_EPOCH - second, end, desk.now),
    ] {
        assert!(matches!(answer(this, next, now), Err(Failure::Validity(_))));
    }
}

#[test]
fn a_damaged_request_never_panics_and_is_never_misread() {
    let desk = Desk::open();
    desk.issue("leaf");
    for options in [
        "-cert leaf.pem",
        "-no_nonce -sha256 -cert leaf.pem",
        "-cert leaf.pem -signer leaf.pem -signkey leaf.key",
    ] {
        desk.ask(options);
        let whole = desk.workshop.read("asked.der");
        for length in 0..whole.len() {
            assert_eq!(
                OcspRequest::parse(&whole[..length]),
                Err(OcspRefusal::MalformedRequest),
                "cut to {length}"
            );
        }
        for place in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[place / 8] ^= 1 << (place % 8);
            let Ok(request) = OcspRequest::parse(&flipped) else { continue };
            for id in request.certificates() {
                assert!(flipped.windows(id.der().len()).any(|window| window == id.der()), "bit {place}");
                let answer = desk.sign(&[(id.clone(), OcspStatus::Unknown)], request.nonce());
                assert!(answer.windows(id.der().len()).any(|window| window == id.der()), "bit {place}");
            }
        }
    }
}

/// A workshop with a responder, in the present: `openssl ocsp` compares the times of an answer with the clock.
struct Desk {
    workshop: Workshop,
    responder: Responder,
    now: OffsetDateTime,
}

impl Desk {
    fn open() -> Desk {
        Desk::with(KeyKind::P256)
    }

    fn with(kind: KeyKind) -> Desk {
        let now = OffsetDateTime::now_utc();
        let workshop = Workshop::open_at(now);
        let (signer, key) = signer(&workshop, Profile::OcspSigner, kind, now);
        let responder = Responder::open(workshop.authority.issuing(), signer, key).expect("a responder");
        Desk { workshop, responder, now }
    }

    fn signer(&self, profile: Profile, kind: KeyKind) -> (Certificate, KeyPair) {
        signer(&self.workshop, profile, kind, self.now)
    }

    /// Issues a client's certificate and lays out `NAME.pem` and `NAME.key`.
    fn issue(&self, name: &str) -> Issued {
        let (key, serial) = (key(), Serial::random().expect("randomness"));
        let authority = &self.workshop.authority;
        let issued = authority.issue(&public(&key), &alice(), Profile::Client, None, serial, self.now);
        let issued = issued.expect("issued");
        self.workshop.write(&format!("{name}.pem"), &issued.pem);
        self.workshop.write(&format!("{name}.key"), key.to_pkcs8_pem().as_bytes());
        issued
    }

    /// Lets `openssl` write a request to `asked.der`.
    fn ask(&self, options: &str) -> OcspRequest {
        self.workshop.openssl(&format!("ocsp -issuer issuing.pem {options} -reqout asked.der"));
        OcspRequest::parse(&self.workshop.read("asked.der")).expect("a request")
    }

    fn answer(&self, request: &OcspRequest, status: OcspStatus) -> Vec<u8> {
        let answers: Vec<_> = request.certificates().iter().map(|id| (id.clone(), status)).collect();
        self.sign(&answers, request.nonce())
    }

    fn sign(&self, answers: &[(CertId, OcspStatus)], nonce: Option<&[u8]>) -> Vec<u8> {
        let next = self.now + Duration::days(1);
        self.responder.answer(answers, nonce, self.now, next, self.now).expect("signed")
    }

    /// What `openssl` makes of an answer about the certificates, with the root as all that it trusts.
    fn judge(&self, answer: &[u8], certificates: &str) -> String {
        self.workshop.write("answer.der", answer);
        let judged = self.workshop.openssl(&format!(
            "ocsp -respin answer.der -resp_text -no_nonce -CAfile root.pem -verify_other issuing.pem \
             -issuer issuing.pem {certificates}"
        ));
        assert!(judged.contains("Response verify OK"), "{judged}");
        judged
    }
}

fn signer(
    workshop: &Workshop,
    profile: Profile,
    kind: KeyKind,
    now: OffsetDateTime,
) -> (Certificate, KeyPair) {
    let subject = Subject { common_name: "ocsp".to_owned(), ..alice() };
    let key = KeyPair::generate(kind).expect("a key");
    let serial = Serial::random().expect("randomness");
    let issued =
        workshop.authority.issue(&public(&key), &subject, profile, None, serial, now).expect("issued");
    (Certificate::parse(&issued.der).expect("a certificate"), key)
}
