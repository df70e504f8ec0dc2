//! The authority signs with keys in a token; SoftHSM stands for the hardware.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use chancery_ca::{
    Authority, AuthorityKey, Failure, KeyKind, KeyPair, Profile, Reason, Revoked, Token, TokenFailure,
};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags},
    object::{Attribute, AttributeType, ObjectClass},
    session::UserType,
    types::AuthPin,
};
use rcgen::SigningKey;

use crate::{
    softhsm::{PIN, alone, neighbour, session},
    workshop::{NOW, Workshop, alice, key, public, urls},
};

const BOTH: [KeyKind; 2] = [KeyKind::P256, KeyKind::P384];

fn made(token: &Token, label: &str, kind: KeyKind) -> AuthorityKey {
    token.generate(label, kind).expect("a new key").into()
}

fn found(token: &Token, label: &str) -> AuthorityKey {
    token.find(label).expect("the key").into()
}

fn told<T>(failed: Result<T, Failure>) -> TokenFailure {
    match failed {
        Err(Failure::Token(why)) => why,
        Err(why) => panic!("another failure: {why}"),
        Ok(_) => panic!("no failure"),
    }
}

/// An authority of one key, the issuing CA's, which also signed its own root.
fn authority(token: &Token, kind: KeyKind) -> Workshop {
    let key = made(token, "ca", kind);
    Workshop::with_keys(key.clone(), key)
}

fn signs(workshop: &Workshop) -> Result<Vec<u8>, Failure> {
    workshop.authority.crl(&[], 1, NOW, NOW + Duration::from_secs(60))
}

#[test]
fn what_a_token_signs_is_good_for_openssl() {
    alone(|softhsm| {
        let token = softhsm.open("house");
        for kind in BOTH {
            let issuing = format!("issuing {kind:?}");
            let root = made(&token, &format!("root {kind:?}"), kind);
            let workshop = Workshop::with_keys(root, made(&token, &issuing, kind));
            issue_and_revoke(&workshop);
            let algorithm = if kind == KeyKind::P256 { "ecdsa-with-SHA256" } else { "ecdsa-with-SHA384" };
            assert!(workshop.openssl("x509 -in good.pem -noout -text").contains(algorithm));

            // At the next start, the key is found again.
            let (chain, root) = (workshop.authority.chain_pem(), workshop.authority.root_pem());
            let again = Authority::open(&chain, found(&token, &issuing), &root, urls()).expect("opened");
            assert!(again.crl(&[], 2, NOW, NOW + Duration::from_secs(60)).is_ok());
        }
    });
}

#[test]
fn a_root_in_a_safe_certifies_an_issuing_key_in_a_token() {
    alone(|softhsm| {
        let token = softhsm.open("house");
        let root = KeyPair::generate(KeyKind::P384).expect("a key");
        issue_and_revoke(&Workshop::with_keys(root.into(), made(&token, "issuing", KeyKind::P256)));
    });
}

/// Two certificates of which one is taken back, and lists of both authorities, all judged by openssl.
fn issue_and_revoke(workshop: &Workshop) {
    workshop.issue("good", &public(&key()), &alice(), Profile::Client);
    let bad = workshop.issue("bad", &public(&key()), &alice(), Profile::Client);
    let revoked = [Revoked { serial: bad.serial, at: NOW, reason: Reason::Superseded }];
    let crl = workshop.authority.crl(&revoked, 1, NOW, NOW + Duration::from_secs(600)).expect("a CRL");
    workshop.write("issuing.crl", crl);
    workshop.write("root.crl", &workshop.root_crl);
    for list in ["issuing", "root"] {
        workshop.openssl(&format!("crl -in {list}.crl -inform DER -out {list}.crl.pem"));
    }
    let both = [workshop.read("issuing.crl.pem"), workshop.read("root.crl.pem")].concat();
    workshop.write("both.pem", both);
    workshop.verify("-crl_check_all -CRLfile both.pem", "good.pem").expect("a good chain");
    let said = workshop.verify("-crl_check_all -CRLfile both.pem", "bad.pem").expect_err("it is revoked");
    assert!(said.contains("certificate revoked"), "{said}");
}

#[test]
fn the_private_half_cannot_be_read() {
    alone(|softhsm| {
        let token = softhsm.open("house");
        let made = made(&token, "ca", KeyKind::P384);
        let session = session(&neighbour());
        let private = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label("ca".into())];
        let private = session.find_objects(&private).expect("found")[0];
        let traits = [AttributeType::Sensitive, AttributeType::Extractable, AttributeType::NeverExtractable];
        let traits = session.get_attributes(private, &traits).expect("readable");
        let expected =
            [Attribute::Sensitive(true), Attribute::Extractable(false), Attribute::NeverExtractable(true)];
        assert_eq!(traits, expected);
        let value = session.get_attributes(private, &[AttributeType::Value]).expect("an answer");
        assert!(value.is_empty(), "the private key came out");
        assert!(!format!("{made:?} {token:?}").contains(PIN));
    });
}

#[test]
fn it_is_told_why_a_token_cannot_be_opened() {
    alone(|softhsm| {
        softhsm.make("house");
        let missing = told(Token::open(Path::new("/nonexistent.so"), "house", PIN.as_bytes()));
        assert!(matches!(missing, TokenFailure::Module { .. }), "{missing:?}");
        assert!(missing.to_string().contains("/nonexistent.so"), "{missing}");
        let text = told(Token::open(Path::new("/etc/passwd"), "house", PIN.as_bytes()));
        assert!(matches!(text, TokenFailure::Module { .. }), "{text:?}");

        let absent = told(softhsm.try_open("castle", PIN)).to_string();
        assert!(absent.contains("`castle`") && absent.contains(r#"["house"]"#), "{absent}");

        for wrong in ["7301-beta", "", "\0", &"7".repeat(300)] {
            let refused = told(softhsm.try_open("house", wrong));
            assert_eq!(refused, TokenFailure::WrongPin("house".to_owned()), "{wrong:?}");
        }
        softhsm.try_open("house", PIN).expect("opened");
    });
}

#[test]
fn tokens_of_one_label_are_not_guessed_between() {
    alone(|softhsm| {
        softhsm.make("house");
        softhsm.make("house");
        assert_eq!(told(softhsm.try_open("house", PIN)), TokenFailure::TwoTokens("house".to_owned()));
    });
}

#[test]
fn keys_of_one_label_are_not_guessed_between() {
    alone(|softhsm| {
        softhsm.make("house");
        for id in ["01", "02"] {
            softhsm.import("house", "twin", id, &key().to_pkcs8_pem());
        }
        let token = softhsm.try_open("house", PIN).expect("opened");
        assert!(matches!(told(token.find("twin")), TokenFailure::TwoKeys { half: "private", .. }));
        assert!(matches!(told(token.find("nobody")), TokenFailure::NoKey { half: "private", .. }));
        assert!(matches!(told(token.generate("twin", KeyKind::P256)), TokenFailure::Taken { .. }));
    });
}

#[test]
fn a_key_that_was_brought_along_must_be_fit_for_an_authority() {
    alone(|softhsm| {
        softhsm.make("house");
        let brought = KeyPair::generate(KeyKind::P384).expect("a key");
        softhsm.import("house", "brought", "01", &brought.to_pkcs8_pem());
        let workshop = Workshop::open();
        for (label, id, kind) in [("rsa", "02", "RSA"), ("p521", "03", "EC -pkeyopt ec_paramgen_curve:P-521")]
        {
            workshop.openssl(&format!("genpkey -algorithm {kind} -out other.key"));
            let pem = String::from_utf8(workshop.read("other.key")).expect("PEM");
            softhsm.import("house", label, id, &pem);
        }
        let token = softhsm.try_open("house", PIN).expect("opened");
        let found = token.find("brought").expect("the key");
        assert_eq!(found.kind(), KeyKind::P384);
        assert_eq!(found.public_key().expect("sound"), public(&brought));
        for label in ["rsa", "p521"] {
            let why = told(token.find(label));
            assert!(matches!(why, TokenFailure::Unusable { .. }), "{label}: {why}");
        }
    });
}

#[test]
fn halves_that_are_no_pair_are_noticed() {
    alone(|softhsm| {
        let token = softhsm.open("house");
        made(&token, "one", KeyKind::P256);
        made(&token, "other", KeyKind::P256);
        let session = session(&neighbour());
        let half = |class, label: &str| {
            session.find_objects(&[Attribute::Class(class), Attribute::Label(label.into())]).expect("found")
                [0]
        };
        session.destroy_object(half(ObjectClass::PUBLIC_KEY, "one")).expect("removed");
        assert!(matches!(told(token.find("one")), TokenFailure::NoKey { half: "public", .. }));
        let others = half(ObjectClass::PUBLIC_KEY, "other");
        session.update_attributes(others, &[Attribute::Label("one".into())]).expect("renamed");
        assert!(
            matches!(told(token.find("one")), TokenFailure::Unusable { why, .. } if why.contains("pair"))
        );
    });
}

#[test]
fn eight_threads_sign_at_once() {
    alone(|softhsm| {
        let token = softhsm.open("house");
        let workshop = authority(&token, KeyKind::P256);
        let leaf = public(&key());
        let issued: Vec<_> = thread::scope(|scope| {
            let sign = || (0..25).map(|_| workshop.issue("leaf", &leaf, &alice(), Profile::Client));
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(move || sign().collect::<Vec<_>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("signed")).collect()
        });
        assert_eq!(issued.len(), 200);
        for (at, issued) in issued.iter().enumerate().step_by(20) {
            workshop.write(&format!("{at}.pem"), &issued.pem);
            workshop.verify("", &format!("{at}.pem")).expect("a good chain");
        }
    });
}

#[test]
fn signing_goes_on_when_the_login_is_lost() {
    alone(|softhsm| {
        let token = softhsm.open("house");
        let workshop = authority(&token, KeyKind::P384);
        for _ in 0..3 {
            session(&neighbour()).logout().expect("logged out, with everybody in the process");
            // As often as there are sessions.
            for _ in 0..8 {
                signs(&workshop).expect("signed");
            }
        }
    });
}

#[test]
fn signing_goes_on_when_all_sessions_are_lost() {
    alone(|softhsm| {
        let token = softhsm.open("house");
        let workshop = authority(&token, KeyKind::P384);
        for _ in 0..3 {
            let module = neighbour();
            module.clone().finalize().expect("stopped, for everybody in the process");
            module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).expect("started");
            for _ in 0..8 {
                signs(&workshop).expect("signed");
            }
        }
    });
}

#[test]
fn a_pin_that_was_refused_is_not_tried_again() {
    alone(|softhsm| {
        let token = softhsm.open("house");
        let workshop = authority(&token, KeyKind::P256);
        let neighbour = session(&neighbour());
        let (old, new) = (AuthPin::from(PIN), AuthPin::from("7301-gamma"));
        neighbour.set_pin(&old, &new).expect("changed");
        neighbour.logout().expect("logged out");
        let why = told(signs(&workshop));
        assert_eq!(why, TokenFailure::WrongPin("house".to_owned()));

        neighbour.login(UserType::User, Some(&new)).expect("logged in");
        neighbour.set_pin(&new, &old).expect("changed back");
        neighbour.logout().expect("logged out");
        assert_eq!(told(signs(&workshop)), why);
        softhsm.try_open("house", PIN).expect("opened anew");
    });
}

#[test]
fn how_fast_it_signs() {
    alone(|softhsm| {
        let token = softhsm.open("house");
        for kind in BOTH {
            let key = made(&token, &format!("{kind:?}"), kind);
            for threads in [1, 8] {
                let begun = Instant::now();
                thread::scope(|scope| {
                    for _ in 0..threads {
                        scope.spawn(|| {
                            (0..ROUNDS / threads).for_each(|_| drop(key.sign(b"").expect("signed")))
                        });
                    }
                });
                let rate = f64::from(ROUNDS) / begun.elapsed().as_secs_f64();
                eprintln!("{kind:?}, {threads} at once: {rate:.0} signatures/s");
            }
        }
    });
}

const ROUNDS: u32 = 800;
