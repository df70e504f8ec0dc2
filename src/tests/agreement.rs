//! What the ledger says of a certificate, the lists and the OCSP answers say too, to anybody who asks: of every serial.

use std::fs;

use serde_json::{Value, json};

use crate::shards;
use crate::town::tools::tell;
use crate::town::{Person, Town, text};

/// A certificate of a profile, as the host orders it.
fn order(town: &Town, profile: &str, names: &[&str]) -> String {
    let (socket, body) =
        (town.path("control.sock"), json!({ "profile": profile, "names": names }).to_string());
    let url = "http://localhost/api/v1/accounts/alice/certificates";
    let words = ["-sS", "-f", "--unix-socket", text(&socket), "-H", "Content-Type: application/json"];
    let said = tell("curl", &[&words[..], &["-d", &body, url]].concat()).well();
    serde_json::from_str::<Value>(&said).expect("JSON")["serial"].as_str().expect("a serial").to_owned()
}

/// By the list, and by OCSP.
fn is_good(town: &Town, alice: &Person, certificate: &str) -> (bool, bool) {
    let [file, all, crl] = ["one.pem", "all.pem", "crl.pem"].map(|name| town.path(name));
    fs::write(&file, certificate).expect("our own folder");
    let words = ["verify", "-crl_check", "-CAfile", text(&all), "-CRLfile", text(&crl), text(&file)];
    let listed = tell("openssl", &words);
    assert!(listed.code == 0 || listed.err.contains("certificate revoked"), "{listed:?}");
    let (url, chain) = (format!("http://{}/ocsp", town.door("http")), alice.file("chain.pem"));
    let words = ["ocsp", "-issuer", &chain, "-cert", text(&file), "-CAfile", text(&all), "-url", &url];
    let answered = tell("openssl", &words);
    let (good, revoked) = (answered.out.contains(": good"), answered.out.contains(": revoked"));
    assert!(good != revoked && answered.err.contains("Response verify OK"), "{answered:?}");
    (listed.code == 0, good)
}

/// Whether the list of its shard holds a serial.
fn is_on_shard(town: &Town, serial: &str) -> bool {
    let issuer = town.ask("ca show")["key_id"].as_str().expect("an identifier").to_owned();
    let list = shards::list(town, &format!("/crl/{issuer}/{}.crl", shards::shard(serial)));
    let lines = tell("openssl", &["crl", "-in", text(&list), "-noout", "-text"]).well();
    lines.contains(&format!("Serial Number: {serial}\n"))
}

#[test]
fn lists_and_answers_agree_with_the_ledger_on_every_serial() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let profiles = [
        ("client", &[][..]),
        ("session", &[]),
        ("mail-signing", &[]),
        ("mail-encryption", &[]),
        ("device", &["laptop 7"]),
        ("server", &["web.corp.example"]),
        ("peer", &["corp.example"]),
    ];
    // Two of each, of which one is taken back, each time for another reason.
    let reasons = [
        "unspecified",
        "key-compromise",
        "affiliation-changed",
        "superseded",
        "cessation-of-operation",
        "certificate-hold",
        "privilege-withdrawn",
    ];
    for ((profile, names), reason) in profiles.into_iter().zip(reasons) {
        order(&town, profile, names);
        let lost = order(&town, profile, names);
        town.ask(&format!("cert revoke {lost} --reason {reason}"));
    }
    town.ask("account disable bob");
    let chain = [alice.file("root.pem"), alice.file("chain.pem")];
    let chain = chain.map(|file| fs::read_to_string(file).expect("PEM")).concat();
    fs::write(town.path("all.pem"), chain).expect("our own folder");
    fs::write(town.path("crl.pem"), town.cli("ca crl").well()).expect("our own folder");
    // The first answer has its signer certified, which is in the ledger as well.
    let own = fs::read_to_string(alice.file("cert.pem")).expect("PEM");
    assert_eq!(is_good(&town, &alice, &own), (true, true));

    let ledger = town.ask("cert list");
    let ledger = ledger.as_array().expect("lines");
    assert!(ledger.len() >= 18, "{ledger:?}");
    let mut revoked = 0;
    for line in ledger {
        let serial = line["serial"].as_str().expect("a serial");
        let shown = town.ask(&format!("cert show {serial}"));
        let stands = shown["state"] == "active";
        assert!(stands || shown["state"] == "revoked", "{shown}");
        let certificate = shown["certificate"].as_str().expect("PEM");
        assert_eq!(is_good(&town, &alice, certificate), (stands, stands), "{shown}");
        assert_eq!(is_on_shard(&town, serial), !stands, "{shown}");
        revoked += usize::from(!stands);
    }
    assert!(ledger.iter().any(|line| line["serial"] == *bob.serial), "{ledger:?}");
    assert!(revoked >= 7, "{ledger:?}");
    assert_eq!(town.ask("ca show")["crl"]["entries"], revoked);
}
