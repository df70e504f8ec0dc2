//! Proofs: issued with a certificate, carried as JSON, checked by whoever knows the log's key.

use chancery_ca::{
    Profile,
    log::{Checkpoint, LogKey, LogRefusal, Proof, leaf_hash, verify_consistency},
};

use super::{checkpoint::log_key, keeper::Keeper};
use crate::workshop::{Workshop, alice, key, public, server};

struct Logged {
    certificate: Vec<u8>,
    proof: Proof,
    log: LogKey,
}

/// A certificate in a log of a hundred, at the place 70.
fn logged() -> Logged {
    let workshop = Workshop::open();
    let certificate = workshop.issue("leaf", &public(&key()), &alice(), Profile::Client).der;
    let mut keeper = Keeper::with(70);
    let leaf = leaf_hash(&certificate);
    keeper.append(leaf);
    (71..100).for_each(|index| keeper.append(super::keeper::leaf(index)));
    let key = key();
    let log = log_key("pki.corp.example/log", &key);
    let checkpoint = Checkpoint::of(log.origin().clone(), &keeper.frontier).sign(&key).expect("signed");
    let hashes = keeper.inclusion(70, 100).expect("inside");
    Logged { certificate, proof: Proof { index: 70, leaf, hashes, checkpoint }, log }
}

#[test]
fn a_certificate_is_proven_to_be_in_the_log() {
    let Logged { certificate, proof, log } = logged();
    let json = serde_json::to_vec(&proof).expect("JSON");
    assert!(json.len() < 1000, "{} bytes", json.len());
    let read = Proof::parse(&json).expect("a proof");
    assert_eq!(read, proof);
    let log: LogKey = log.to_string().parse().expect("what the stranger was told");
    let checkpoint = read.verify(&certificate, &log).expect("in the log");
    assert_eq!(checkpoint.size, 100);
}

#[test]
fn a_proof_is_good_for_one_certificate_and_one_log() {
    let Logged { certificate, proof, log } = logged();
    let other = Workshop::open().issue("leaf", &public(&key()), &server(), Profile::Server).der;
    assert_eq!(proof.verify(&other, &log), Err(LogRefusal::OtherCertificate));
    let claimed = Proof { leaf: leaf_hash(&other), ..proof.clone() };
    assert_eq!(claimed.verify(&other, &log), Err(LogRefusal::NotIncluded));
    assert_eq!(
        proof.verify(&certificate, &log_key("pki.corp.example/log", &key())),
        Err(LogRefusal::Unsigned)
    );
    for index in [69, 71, 99, 6] {
        let moved = Proof { index, ..proof.clone() };
        assert_eq!(moved.verify(&certificate, &log), Err(LogRefusal::NotIncluded), "{index}");
    }
    for index in [100, u64::MAX] {
        assert_eq!(Proof { index, ..proof.clone() }.verify(&certificate, &log), Err(LogRefusal::Beyond));
    }
}

#[test]
fn no_part_of_a_proof_can_be_changed() {
    let Logged { certificate, proof, log } = logged();
    let json = serde_json::to_vec(&proof).expect("JSON");
    for place in 0..json.len() * 8 {
        let mut flipped = json.clone();
        flipped[place / 8] ^= 1 << (place % 8);
        let held = Proof::parse(&flipped).and_then(|proof| proof.verify(&certificate, &log));
        assert!(held.is_err(), "bit {place}");
    }
    for length in 0..json.len() {
        assert!(Proof::parse(&json[..length]).is_err(), "cut to {length}");
    }
}

#[test]
fn json_of_another_shape_is_refused() {
    let proof = logged().proof;
    let json = serde_json::to_string(&proof).expect("JSON");
    let values = serde_json::json!([proof.index, proof.leaf, proof.hashes, proof.checkpoint]);
    assert!(Proof::parse(json.as_bytes()).is_ok());
    for other in [
        json.replace("{\"index\":70", "{\"index\":70,\"index\":70"),
        json.replace("{\"index\":70", "{\"index\":70,\"more\":1"),
        json.replace("\"index\":70", "\"index\":-1"),
        json.replace("\"index\":70", "\"index\":18446744073709551616"),
        json.replace("\"index\":70", "\"index\":7e1"),
        json.replace("\"index\":70,", ""),
        format!("[{json}]"),
        values.to_string(),
        format!("{json}{json}"),
        format!("{json}{}", " ".repeat(200_000)),
    ] {
        assert!(matches!(Proof::parse(other.as_bytes()), Err(LogRefusal::Malformed(_))), "{other:.80}");
    }
}

#[test]
fn the_checkpoint_of_a_proof_is_compared_with_the_one_seen_before() {
    let key = key();
    let log = log_key("log", &key);
    let keeper = Keeper::with(100);
    let seen = Checkpoint::of(log.origin().clone(), &Keeper::with(64).frontier);
    let told = Checkpoint::of(log.origin().clone(), &keeper.frontier);
    let proof = keeper.consistency(seen.size, told.size).expect("grown");
    assert_eq!(verify_consistency(seen.size, &seen.root, told.size, &told.root, &proof), Ok(()));
}
