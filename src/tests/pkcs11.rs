//! The issuing CA's key in a PKCS#11 token, for which SoftHSM stands.

use std::fs;
use std::path::Path;

use crate::est::{enroll, keep, request, token};
use crate::signer::verify;
use crate::town::softhsm::SoftHsm;
use crate::town::tools::tell;
use crate::town::{DOMAIN, Town, text};

/// The certificate of a device that enrolled by EST.
fn phone(town: &Town, name: &str) -> crate::town::Person {
    let (key, csr) = request(town, name, "/CN=alice");
    let (status, answer) = enroll(town, "simpleenroll", &csr, &["-u", &token(town, "")]);
    assert_eq!(status, "200", "{answer}");
    keep(town, &answer, &key)
}

/// The public key in a file that openssl reads with these words.
fn public(words: &str, file: &Path) -> String {
    let words: Vec<&str> = words.split(' ').chain(["-in", text(file)]).collect();
    tell("openssl", &words).well()
}

#[test]
fn a_house_whose_key_is_in_a_token_issues_revokes_and_comes_back() {
    let softhsm = SoftHsm::start();
    let mut town = Town::plan().token(&softhsm).start();
    assert!(town.path("state/authority/root.key").exists());
    assert!(!town.path("state/authority/issuing.key").exists());
    town.ask("account add alice --mail alice@corp.example");
    let first = phone(&town, "first");
    assert_eq!(verify(&town, &first.file("cert.pem")).0, 0);
    town.restart();
    let second = phone(&town, "second");
    town.as_person(&second).connect().ping();
    town.ask(&format!("cert revoke {}", first.serial));
    assert_eq!(verify(&town, &second.file("cert.pem")).0, 0);
    let (code, said) = verify(&town, &first.file("cert.pem"));
    assert!(code != 0 && said.contains("revoked"), "{said}");
}

#[test]
fn a_key_that_the_token_holds_already_is_taken() {
    let softhsm = SoftHsm::start();
    let made = softhsm.path("made.pem");
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
    tell("openssl", &[&["genpkey"], &curve[..], &["-out", text(&made)]].concat()).well();
    softhsm.import("issuing", &made);
    let town = Town::plan().token(&softhsm).start();
    let certificate = town.path("state/authority/issuing.pem");
    assert_eq!(public("x509 -noout -pubkey", &certificate), public("pkey -pubout", &made));
    let alice = town.person("alice");
    assert_eq!(verify(&town, &alice.file("cert.pem")).0, 0);
}

#[test]
fn what_stands_between_house_and_key_is_told_with_the_next_step() {
    let softhsm = SoftHsm::start();
    let mut town = Town::plan().token(&softhsm).unfounded();
    let config = fs::read_to_string(town.path("chancery.toml")).expect("our own folder");
    let write = |town: &Town, old: &str, new: &str| {
        assert!(config.contains(old), "{old} is not in {config}");
        fs::write(town.path("chancery.toml"), config.replace(old, new)).expect("our own folder");
    };
    let pin = softhsm.path("pin");
    let wrong = [
        (text(softhsm.module()), "/nonexistent.so", 1, "install the token's module"),
        ("token = \"house\"", "token = \"castle\"", 1, "plug it in, or correct `token`"),
        (text(&pin), "/etc/hostname", 2, "put the right PIN into /etc/hostname"),
    ];
    let init = format!("init --domain {DOMAIN}");
    for (old, new, code, next) in &wrong {
        write(&town, old, new);
        let told = town.refused(*code, &init);
        assert!(told.contains("[authority.pkcs11]") && told.contains(next), "{told}");
    }
    write(&town, "", "");
    town.cli(&init).well();
    let lost = ("key = \"issuing\"", "key = \"other\"", 1, "correct `key`");
    for (old, new, code, next) in wrong.iter().chain([&lost]) {
        write(&town, old, new);
        let (left, told) = town.open_in_vain();
        assert!(left == *code && told.contains("[authority.pkcs11]") && told.contains(next), "{left} {told}");
    }
    write(&town, "", "");
    town.open();
}

#[test]
fn while_the_token_is_away_each_request_hears_so_and_everything_else_goes_on() {
    let softhsm = SoftHsm::start();
    let mut town = Town::plan().token(&softhsm).start();
    let alice = town.person("alice");
    let elsewhere = softhsm.path("pulled-out");
    fs::rename(softhsm.tokens(), &elsewhere).expect("our own folder");
    for _ in 0..3 {
        let told = town.refused(1, &format!("cert enroll alice --out {}", text(&town.path("in-vain"))));
        assert!(told.contains("[authority.pkcs11]") && told.contains("`house`"), "{told}");
    }
    town.as_person(&alice).connect().ping();
    fs::rename(&elsewhere, softhsm.tokens()).expect("our own folder");
    // SoftHSM does not look for a token that it has lost; hardware does, and `ca/tests/pkcs11.rs` loses what it can.
    town.restart();
    let again = town.enroll("alice");
    town.as_person(&again).connect().ping();
    assert_eq!(verify(&town, &again.file("cert.pem")).0, 0);
}
