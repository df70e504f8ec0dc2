//! Checkpoints: signed by the log, checked by a stranger with a shell, forged by others.

use std::process::Command;

use chancery_ca::{
    KeyKind, KeyPair,
    log::{Checkpoint, LogKey, LogRefusal},
};

use super::keeper::Keeper;
use crate::workshop::{Workshop, key, public};

pub(super) fn log_key(name: &str, key: &KeyPair) -> LogKey {
    LogKey::new(name.parse().expect("a name"), public(key)).expect("a key that signs checkpoints")
}

fn checkpoint(name: &str, size: u64) -> Checkpoint {
    Checkpoint::of(name.parse().expect("a name"), &Keeper::with(size).frontier)
}

#[test]
fn a_stranger_checks_the_signature_with_openssl() {
    for kind in [KeyKind::P256, KeyKind::P384] {
        let workshop = Workshop::open();
        let key = KeyPair::generate(kind).expect("a key");
        let note = checkpoint("pki.corp.example/log", 9).sign(&key).expect("signed");
        workshop.write("checkpoint", &note);
        workshop.write("log.spki", public(&key).spki_der());
        workshop.openssl("pkey -pubin -inform DER -in log.spki -out log.pem");
        // The text is what stands above the last empty line; a signature begins with four bytes that name its key.
        let shell = r"
            sed '/^$/,$d' checkpoint > text
            sed -n 's|^— pki.corp.example/log ||p' checkpoint | base64 -d | tail -c +5 > signature";
        let done = Command::new("sh").args(["-ec", shell]).current_dir(workshop.path(".")).status();
        assert!(done.expect("a shell").success());
        let check = "dgst -sha256 -verify log.pem -signature signature text";
        assert!(workshop.openssl(check).contains("Verified OK"));
        let text = String::from_utf8(workshop.read("text")).expect("text");
        assert_eq!(text, checkpoint("pki.corp.example/log", 9).to_string());
        workshop.write("text", text.replace("\n9\n", "\n8\n"));
        assert!(workshop.try_openssl(check).is_err());
    }
}

#[test]
fn what_the_log_signed_is_read_back() {
    let key = key();
    let log = log_key("log", &key);
    for size in [0, 1, 9] {
        let checkpoint = checkpoint("log", size);
        assert_eq!(Checkpoint::open(&checkpoint.sign(&key).expect("signed"), &log), Ok(checkpoint));
    }
}

#[test]
fn no_part_of_a_checkpoint_can_be_changed() {
    let key = key();
    let log = log_key("log", &key);
    let note = checkpoint("log", 9).sign(&key).expect("signed");
    for place in 0..note.len() * 8 {
        let mut flipped = note.clone().into_bytes();
        flipped[place / 8] ^= 1 << (place % 8);
        let flipped = String::from_utf8_lossy(&flipped);
        assert!(Checkpoint::open(&flipped, &log).is_err(), "{flipped}");
    }
    for length in (0..note.len()).filter(|length| note.is_char_boundary(*length)) {
        assert!(Checkpoint::open(&note[..length], &log).is_err(), "cut to {length}");
    }
    assert!(Checkpoint::open(&format!("{note}\n"), &log).is_err());
    assert!(Checkpoint::open(&note.replace("\n9\n", "\n8\n"), &log) == Err(LogRefusal::BadSignature));
}

#[test]
fn the_checkpoint_of_another_log_is_refused() {
    let (own, other) = (key(), key());
    let note = checkpoint("log", 9).sign(&own).expect("signed");
    assert_eq!(Checkpoint::open(&note, &log_key("log", &other)), Err(LogRefusal::Unsigned));
    assert_eq!(Checkpoint::open(&note, &log_key("other", &own)), Err(LogRefusal::Unsigned));
    // The log's signature below, but another log's name within.
    let renamed = checkpoint("other", 9).sign(&own).expect("signed").replace("— other ", "— log ");
    assert_eq!(Checkpoint::open(&renamed, &log_key("log", &own)), Err(LogRefusal::OtherLog));
}

#[test]
fn witnesses_may_sign_as_well_and_the_log_once() {
    let key = key();
    let log = log_key("log", &key);
    let note = checkpoint("log", 9).sign(&key).expect("signed");
    let (text, own) = note.split_once("\n\n").expect("two parts");
    let witness = "— witness.example AQIDBGZpdmU=\n";
    let namesake = "— log AQIDBGZpdmU=\n";
    for lines in [[own, witness, namesake], [witness, namesake, own]] {
        let signed = format!("{text}\n\n{}", lines.concat());
        assert_eq!(Checkpoint::open(&signed, &log), Ok(checkpoint("log", 9)));
    }
    let others = format!("{text}\n\n{witness}{namesake}");
    assert_eq!(Checkpoint::open(&others, &log), Err(LogRefusal::Unsigned));
    assert!(matches!(Checkpoint::open(&format!("{note}{own}"), &log), Err(LogRefusal::Malformed(_))));
}

#[test]
fn keys_that_do_not_sign_checkpoints_are_refused() {
    let workshop = Workshop::open();
    for kind in ["ed25519", "rsa:2048"] {
        let key = workshop.csr(kind, "-subj /CN=log").public_key().clone();
        let refused = LogKey::new("log".parse().expect("a name"), key);
        assert!(matches!(refused, Err(LogRefusal::Malformed(_))), "{kind}");
    }
}
