//! Another issuing CA takes its turn while everybody is connected.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::est::{enroll, keep, request, token};
use crate::signer::{Pair, Signer};
use crate::town::client::{Client, Ending, PATIENCE};
use crate::town::softhsm::SoftHsm;
use crate::town::tools::{Told, eventually, tell, tell_line};
use crate::town::{Person, Town, text};

/// Live sessions. `SESSIONS=1000` in the environment is the whole measure.
const SESSIONS: usize = 100;
/// Whose they are.
const PEOPLE: usize = 10;

fn sessions() -> usize {
    std::env::var("SESSIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(SESSIONS)
}

/// What the house publishes about the issuer of a certificate: its certificate and its list, in PEM.
fn published(town: &Town, certificate: &str) -> [PathBuf; 2] {
    let words = ["x509", "-in", certificate, "-noout", "-ext", "authorityKeyIdentifier"];
    let said = tell("openssl", &words).well();
    let id = said.lines().last().expect("an identifier").trim().trim_start_matches("keyid:");
    let id = id.replace(':', "").to_lowercase();
    [("ca", "cer", "x509"), ("crl", "crl", "crl")].map(|(path, kind, word)| {
        let [der, pem] = ["der", "pem"].map(|form| town.path(&format!("{id}.{kind}.{form}")));
        let url = format!("http://{}/{path}/{id}.{kind}", town.door("http"));
        tell("curl", &["-sS", "-f", "-o", text(&der), &url]).well();
        tell("openssl", &[word, "-inform", "DER", "-in", text(&der), "-out", text(&pem)]).well();
        pem
    })
}

/// What `openssl verify` says of a certificate, with its issuer's list.
fn verify(town: &Town, certificate: &str) -> Told {
    let ([issuer, list], root) = (published(town, certificate), town.root());
    tell_line(&format!(
        "openssl verify -crl_check -CAfile {} -untrusted {} -CRLfile {} {certificate}",
        text(&root),
        text(&issuer),
        text(&list)
    ))
}

/// What `openssl ocsp` says of it.
fn ocsp(town: &Town, certificate: &str) -> String {
    let ([issuer, _], root) = (published(town, certificate), town.root());
    let url = format!("http://{}/ocsp", town.door("http"));
    let words =
        ["ocsp", "-issuer", text(&issuer), "-cert", certificate, "-CAfile", text(&root), "-url", &url];
    let told = tell("openssl", &words);
    assert!(told.err.contains("Response verify OK"), "{told:?}");
    told.out
}

/// Both say that it is good.
fn is_good(town: &Town, person: &Person) {
    let certificate = person.file("cert.pem");
    verify(town, &certificate).well();
    assert!(ocsp(town, &certificate).contains(": good"));
}

/// The name of whoever issued a certificate in PEM.
fn issuer_of(words: &[&str]) -> String {
    tell("openssl", &[&["x509", "-noout", "-issuer"], words].concat()).well()
}

fn renew_from(client: &Client) -> String {
    let found = client.welcome.user.iter().find(|(key, _)| key == "renew-from");
    found.expect("who has a certificate hears when to renew").1.clone()
}

#[test]
fn nobody_is_dropped_both_chains_are_good_and_either_can_be_taken_back() {
    let mut town = Town::plan().rule("any", "both", "open/#").start();
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let others = (1..PEOPLE).map(|n| format!("person{n}"));
    let people: Vec<Person> =
        std::iter::once("alice".into()).chain(others).map(|name| town.person(&name)).collect();
    let count = sessions();
    let dial = |n: usize| town.as_person(&people[n % PEOPLE]).id(&format!("line{n}"));
    let mut lines: Vec<Client> = (0..count).map(|n| dial(n).connect().listen("open/news")).collect();
    let mut author = town.as_person(&people[0]).id("author").connect();
    assert_eq!(author.publish("open/news", "before"), 0);
    lines.iter_mut().for_each(|line| drop(line.hears("open/news", "before")));
    let ordinary = renew_from(&author);

    let begun = Instant::now();
    let rolled = town.ask("ca roll");
    let took = begun.elapsed();
    assert!(rolled["issuer"].as_str().expect("a name").contains("corp.example CA 2"), "{rolled}");
    let shown = town.ask("ca show");
    assert_eq!(shown["key_id"], rolled["key_id"]);
    assert_eq!(shown["issuers"].as_array().map(Vec::len), Some(2), "{shown}");

    // Messages flow from an old line, and from one with a certificate of the new chain, which comes at once.
    assert_eq!(author.publish("open/news", "from the old"), 0);
    let (key, csr) = request(&town, "phone", "/CN=alice");
    let (status, answer) = enroll(&town, "simpleenroll", &csr, &["-u", &token(&town, "")]);
    assert_eq!(status, "200", "{answer}");
    let new = keep(&town, &answer, &key);
    let mut newcomer = town.as_person(&new).id("new").connect();
    assert_eq!(newcomer.publish("open/news", "from the new"), 0);
    for line in &mut lines {
        line.hears("open/news", "from the old");
        line.hears("open/news", "from the new");
    }
    eprintln!("{count} sessions, none dropped; the roll-over took {} ms", took.as_millis());

    // Old ones come back, and hear to renew earlier; whoever is on the new chain has time.
    let mut back = dial(0).connect();
    assert!(renew_from(&back) < ordinary && renew_from(&newcomer) > ordinary);
    back.ping();
    let old = &people[1];
    assert!(!issuer_of(&["-in", &old.file("cert.pem")]).contains("CA 2"));
    assert!(issuer_of(&["-in", &new.file("cert.pem")]).contains("CA 2"));
    is_good(&town, old);
    is_good(&town, &new);

    // One of the old chain is taken back: its sessions end and no others.
    town.ask(&format!("cert revoke {} --reason key-compromise", old.serial));
    for (n, line) in lines.iter_mut().enumerate().skip(1) {
        match n % PEOPLE {
            1 => assert_eq!(line.ending(PATIENCE), Ending::Disconnect(0x98)),
            _ => line.ping(),
        }
    }
    let told = verify(&town, &old.file("cert.pem"));
    assert!(told.code != 0 && told.err.contains("revoked"), "{told:?}");
    assert!(ocsp(&town, &old.file("cert.pem")).contains(": revoked"));
    is_good(&town, &people[2]);
    is_good(&town, &new);

    town.restart();
    for person in [&people[2], &new] {
        town.as_person(person).connect().ping();
        is_good(&town, person);
    }
}

#[test]
fn the_doors_and_every_front_show_the_new_chain_without_a_restart() {
    let town = Town::start();
    let alice = town.person("alice");
    town.ask("ca roll");
    let root = town.root();
    for door in ["mqtts", "https"] {
        let shown = || {
            let address = town.door(door).to_string();
            let told =
                tell("openssl", &["s_client", "-connect", &address, "-CAfile", text(&root), "-status"]);
            told.out.contains("i:O = corp.example, CN = corp.example CA 2")
                && told.out.contains("Verify return code: 0")
                && told.out.contains("Cert Status: good")
        };
        eventually("the door shows a certificate of the new chain", shown);
    }
    let url = format!("https://localhost:{}/.well-known/est/cacerts", town.door("https").port());
    let body = tell("curl", &["-sS", "--cacert", text(&root), &url]).well();
    let [encoded, der] = ["cacerts.b64", "cacerts.der"].map(|name| town.path(name));
    fs::write(&encoded, body).expect("our own folder");
    tell("openssl", &["base64", "-d", "-A", "-in", text(&encoded), "-out", text(&der)]).well();
    let printed = tell("openssl", &["pkcs7", "-inform", "DER", "-in", text(&der), "-print_certs"]).well();
    let mut reader = town.as_person(&alice).connect().listen("$pki/#");
    let [chain, lists] = [reader.hear().text(), reader.hear().text()];
    assert_eq!((chain.matches("BEGIN CERT").count(), lists.matches("BEGIN X509 CRL").count()), (3, 2));
    for name in ["corp.example root CA", "corp.example issuing CA", "corp.example CA 2"] {
        assert!(printed.contains(name), "{name} is not in {printed}");
    }
}

#[test]
fn the_signer_makes_the_next_issuing_ca_where_the_key_stays() {
    let Pair { mut town, signer } = Pair::found(Town::plan());
    let old = town.person("alice");
    let rolled = town.ask("ca roll");
    assert!(town.path("signer/authority/issuing-2.key").exists());
    assert!(!town.path("state/authority/issuing-2.key").exists());
    let new = town.enroll("alice");
    for person in [&old, &new] {
        is_good(&town, person);
        town.as_person(person).connect().ping();
    }
    drop(signer);
    let _signer = Signer::start(&town);
    town.restart();
    assert_eq!(town.ask("ca show")["key_id"], rolled["key_id"]);
    town.ask(&format!("cert revoke {}", old.serial));
    assert_ne!(verify(&town, &old.file("cert.pem")).code, 0);
    is_good(&town, &new);
    is_good(&town, &town.enroll("alice"));
}

#[test]
fn the_next_key_is_made_in_the_token_also_for_a_house_whose_first_key_lay_in_a_file() {
    let softhsm = SoftHsm::start();
    let mut town = Town::plan().surrounded_by(&softhsm).start();
    let old = town.person("alice");
    town.stop();
    let config = fs::read_to_string(town.path("chancery.toml")).expect("our own folder");
    let token = format!("{config}\n[authority.pkcs11]\n{}\n", softhsm.settings());
    fs::write(town.path("chancery.toml"), token).expect("our own folder");
    town.open();
    town.ask("ca roll");
    assert!(town.path("state/authority/issuing.key").exists());
    assert!(!town.path("state/authority/issuing-2.key").exists());
    let new = town.enroll("alice");
    town.restart();
    for person in [&old, &new] {
        is_good(&town, person);
        town.as_person(person).connect().ping();
    }
}
