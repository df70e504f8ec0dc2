//! OCSP as everybody asks it: over plain HTTP, and stapled at the doors.

use std::fs;

use crate::town::tools::{Told, tell};
use crate::town::{Person, Town, text};

/// `openssl ocsp` with a nonce, as it asks by default.
fn ask(town: &Town, person: &Person, words: &[&str]) -> Told {
    let url = format!("http://{}/ocsp", town.door("http"));
    let (cert, chain, root) = (person.file("cert.pem"), person.file("chain.pem"), person.file("root.pem"));
    let all = ["-issuer", &chain, "-cert", &cert, "-CAfile", &root, "-url", &url];
    tell("openssl", &[&["ocsp"], words, &all[..]].concat())
}

#[test]
fn openssl_asks_over_http_and_hears_of_a_revocation_at_once() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    for words in [&["-nonce"][..], &["-no_nonce"], &["-sha256"]] {
        let told = ask(&town, &bob, words);
        assert!(
            told.out.contains(": good") && told.err.contains("Response verify OK"),
            "{words:?}: {told:?}"
        );
    }
    town.ask(&format!("cert revoke {} --reason key-compromise", bob.serial));
    let told = ask(&town, &bob, &["-no_nonce"]);
    assert!(told.out.contains(": revoked") && told.out.contains("keyCompromise"), "{told:?}");
    assert!(ask(&town, &alice, &[]).out.contains(": good"));
    let stranger = Town::start().person("alice");
    let told = ask(&town, &stranger, &[]);
    assert!(!told.out.contains(": good"), "{told:?}");
}

#[test]
fn an_answer_can_be_fetched_by_its_path_and_says_how_long_it_may_be_kept() {
    let town = Town::start();
    let alice = town.person("alice");
    let [request, answer] = ["asked.der", "answer.der"].map(|name| town.path(name));
    let (cert, chain) = (alice.file("cert.pem"), alice.file("chain.pem"));
    tell("openssl", &["ocsp", "-no_nonce", "-issuer", &chain, "-cert", &cert, "-reqout", text(&request)])
        .well();
    let encoded = tell("openssl", &["base64", "-A", "-in", text(&request)]).well();
    let escaped = encoded.trim().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    for path in [encoded.trim(), &escaped] {
        let url = format!("http://{}/ocsp/{path}", town.door("http"));
        let headers = tell("curl", &["-sS", "-f", "-D", "-", "-o", text(&answer), &url]).well();
        assert!(headers.contains("application/ocsp-response") && headers.contains("max-age="), "{headers}");
        let judged = ["ocsp", "-no_nonce", "-respin", text(&answer), "-issuer", &chain, "-cert", &cert];
        let told = tell("openssl", &[&judged[..], &["-CAfile", &alice.file("root.pem")]].concat());
        assert!(told.out.contains(": good"), "{told:?}");
    }
    // What is no request is refused in OCSP's own words, five bytes of them.
    let url = format!("http://{}/ocsp", town.door("http"));
    tell("curl", &["-sS", "-f", "-o", text(&answer), "--data-binary", "nonsense", &url]).well();
    assert_eq!(fs::read(&answer).expect("an answer"), [0x30, 3, 0x0A, 1, 1]);
}

#[test]
fn the_doors_staple_an_answer_about_their_own_certificate() {
    let town = Town::start();
    let root = town.root();
    for door in ["mqtts", "https"] {
        let address = town.door(door).to_string();
        let words =
            ["s_client", "-connect", &address, "-servername", "localhost", "-CAfile", text(&root), "-status"];
        let told = tell("openssl", &words);
        assert!(told.out.contains("OCSP Response Status: successful"), "{door}: {told:?}");
        assert!(told.out.contains("Cert Status: good"), "{door}: {told:?}");
    }
}
