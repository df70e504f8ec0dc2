//! Lists in parts: a certificate names the one that it would be on, and that one is enough to judge it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::signer::{Pair, Signer};
use crate::town::tools::{Told, eventually, tell, tell_line};
use crate::town::{Person, Town, text};

/// Where a certificate says that its list is.
fn address(certificate: &str) -> String {
    let words = ["x509", "-in", certificate, "-noout", "-ext", "crlDistributionPoints"];
    let said = tell("openssl", &words).well();
    said.lines().find_map(|line| line.trim().strip_prefix("URI:")).expect("an address").to_owned()
}

/// The path of that address, which ends in the name of the shard.
fn path(certificate: &str) -> String {
    let address = address(certificate);
    let (_, path) = address.split_once("/crl/").expect("a list");
    format!("/crl/{path}")
}

/// The shard of a serial, by its last digits.
pub(crate) fn shard(serial: &str) -> String {
    let last = u8::from_str_radix(&serial[serial.len() - 2..], 16).expect("hexadecimal");
    format!("{:02X}", last % 64)
}

/// What the door says at a path: status and body, which is kept in this file.
fn fetch(town: &Town, path: &str, file: &str) -> (String, PathBuf) {
    let (file, url) = (town.path(file), format!("http://{}{path}", town.door("http")));
    let words = ["-sS", "--path-as-is", "-w", "%{http_code}", "-o", text(&file), &url];
    (tell("curl", &words).well(), file)
}

/// The list at a path, in PEM.
pub(crate) fn list(town: &Town, path: &str) -> PathBuf {
    let (status, der) = fetch(town, path, "list.der");
    assert_eq!(status, "200", "{path}");
    let pem = town.path(&format!("{}.pem", path.replace('/', "_")));
    tell("openssl", &["crl", "-inform", "DER", "-in", text(&der), "-out", text(&pem)]).well();
    pem
}

fn number(list: &Path) -> u64 {
    let said = tell("openssl", &["crl", "-in", text(list), "-noout", "-crlnumber"]).well();
    u64::from_str_radix(said.trim().trim_start_matches("crlNumber=0x"), 16).expect("a number")
}

/// Root and chain in one file.
fn trust(town: &Town, person: &Person) -> PathBuf {
    let chain = [person.file("root.pem"), person.file("chain.pem")];
    let chain = chain.map(|file| fs::read_to_string(file).expect("PEM")).concat();
    fs::write(town.path("all.pem"), chain).expect("our own folder");
    town.path("all.pem")
}

/// What `openssl verify` says of somebody's certificate with a list alone.
fn verify(town: &Town, person: &Person, list: &Path) -> Told {
    let all = trust(town, person);
    let words =
        ["verify", "-crl_check", "-CAfile", text(&all), "-CRLfile", text(list), &person.file("cert.pem")];
    tell("openssl", &words)
}

fn assert_revoked(told: &Told) {
    assert!(told.code != 0 && told.err.contains("certificate revoked"), "{told:?}");
}

/// Two certificates of one shard, which takes some ten until there are.
fn two_of_a_shard(town: &Town) -> [Person; 2] {
    let mut all = vec![town.person("alice")];
    loop {
        let next = town.enroll("alice");
        match all.iter().position(|other| shard(&other.serial) == shard(&next.serial)) {
            Some(other) => return [all.swap_remove(other), next],
            None => all.push(next),
        }
    }
}

#[test]
fn the_list_that_a_certificate_names_judges_it_and_its_neighbour() {
    let town = Town::start();
    let [good, bad] = two_of_a_shard(&town);
    town.ask(&format!("cert revoke {} --reason key-compromise", bad.serial));
    assert!(path(&good.file("cert.pem")).ends_with(&format!("/{}.crl", shard(&good.serial))));
    let own = list(&town, &path(&good.file("cert.pem")));
    verify(&town, &good, &own).well();
    assert_revoked(&verify(&town, &bad, &own));
    // openssl fetches it by itself where the certificate says.
    let all = trust(&town, &good);
    for (person, said) in [(&good, "OK"), (&bad, "certificate revoked")] {
        let certificate = person.file("cert.pem");
        let told =
            tell("openssl", &["verify", "-crl_check", "-crl_download", "-CAfile", text(&all), &certificate]);
        assert!((told.out.clone() + &told.err).contains(said), "{told:?}");
    }

    // The complete list says the same; that of another shard says nothing of either.
    let own = path(&good.file("cert.pem"));
    let (issuer, name) = own.trim_end_matches(".crl").rsplit_once('/').expect("two parts");
    let whole = list(&town, &format!("{issuer}.crl"));
    verify(&town, &good, &whole).well();
    assert_revoked(&verify(&town, &bad, &whole));
    let other = if name == "00" { "01" } else { "00" };
    let other = list(&town, &format!("{issuer}/{other}.crl"));
    for person in [&good, &bad] {
        let told = verify(&town, person, &other);
        assert!(told.code != 0 && told.err.contains("different CRL scope"), "{told:?}");
    }
}

#[test]
fn a_revocation_renews_the_shard_of_its_certificate_and_leaves_the_others() {
    let town = Town::start();
    let (alice, bob) = (town.person("alice"), town.person("bob"));
    let own = path(&bob.file("cert.pem"));
    let issuer = own.rsplit_once('/').expect("two parts").0;
    let numbers = || -> Vec<u64> {
        let names = (0..64).map(|shard| format!("{issuer}/{shard:02X}.crl"));
        names.map(|name| number(&list(&town, &name))).collect()
    };
    let before = numbers();
    assert_eq!(numbers(), before, "nothing happened");
    town.ask(&format!("cert revoke {}", bob.serial));
    let after = numbers();
    let changed: Vec<_> = (0..64).filter(|shard| before[*shard] != after[*shard]).collect();
    assert_eq!(changed, [usize::from_str_radix(&shard(&bob.serial), 16).expect("hexadecimal")]);
    assert!(after[changed[0]] > before[changed[0]]);
    assert_revoked(&verify(&town, &bob, &list(&town, &own)));
    verify(&town, &alice, &list(&town, &path(&alice.file("cert.pem")))).well();
}

#[test]
fn strongswan_judges_by_the_list_of_the_shard() {
    let town = Town::start();
    let [good, bad] = two_of_a_shard(&town);
    town.ask(&format!("cert revoke {}", bad.serial));
    let own = list(&town, &path(&good.file("cert.pem")));
    let root = town.root();
    let judge = |person: &Person| {
        let (leaf, issuing) = (person.file("cert.pem"), person.file("chain.pem"));
        tell_line(&format!(
            "pki --verify --in {leaf} --cacert {} --cacert {issuing} --crl {}",
            text(&root),
            text(&own)
        ))
    };
    let told = judge(&good);
    assert!(told.code == 0 && told.out.contains("certificate trusted"), "{told:?}");
    let told = judge(&bad);
    assert!(told.code != 0 && (told.out.clone() + &told.err).contains("revoked"), "{told:?}");
}

#[test]
fn what_is_no_shard_is_not_found_and_nothing_breaks() {
    let town = Town::start();
    let alice = town.person("alice");
    let own = path(&alice.file("cert.pem"));
    let issuer = own.rsplit_once('/').expect("two parts").0;
    let long = "A".repeat(6000);
    let names =
        ["", "2a", "40", "FF", "FFF", "-1", "+1", "%00", "2A%2F", "..", "%2e%2e", "../2A", "../../2A", &long];
    for name in names {
        let (status, _) = fetch(&town, &format!("{issuer}/{name}.crl"), "none");
        assert_eq!(status, "404", "{name}");
    }
    for path in ["/crl/00/00.crl", "/crl//00.crl", &format!("{issuer}/2A"), &format!("{issuer}/2A.crl/")] {
        assert_eq!(fetch(&town, path, "none").0, "404", "{path}");
    }
    assert_eq!(fetch(&town, &format!("{issuer}/%FF.crl"), "none").0, "400");
    assert!(!town.log().contains("panicked"));
    list(&town, &own);
}

#[test]
fn a_house_that_gets_another_address_goes_on_judging_the_certificates_of_before() {
    let mut town = Town::start();
    let (alice, bob) = (town.person("alice"), town.person("bob"));
    let own = [&alice, &bob].map(|person| path(&person.file("cert.pem")));
    let door = town.door("http");
    town.restart();
    assert_ne!(town.door("http"), door, "the system gives another port");
    town.ask(&format!("cert revoke {}", bob.serial));
    verify(&town, &alice, &list(&town, &own[0])).well();
    assert_revoked(&verify(&town, &bob, &list(&town, &own[1])));
}

#[test]
fn while_the_signer_is_away_the_last_list_of_a_shard_is_shown_and_then_it_follows() {
    let Pair { mut town, signer } = Pair::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let own = path(&bob.file("cert.pem"));
    verify(&town, &bob, &list(&town, &own)).well();
    drop(signer);
    town.ask(&format!("cert revoke {}", bob.serial));
    verify(&town, &bob, &list(&town, &own)).well();
    town.restart();
    verify(&town, &bob, &list(&town, &own)).well();
    let issuer = own.rsplit_once('/').expect("two parts").0;
    let unasked = if shard(&bob.serial) == "00" { "01" } else { "00" };
    let (status, told) = fetch(&town, &format!("{issuer}/{unasked}.crl"), "none");
    let told = fs::read_to_string(told).expect("our own folder");
    assert!(status == "503" && told.contains("try again"), "{status} {told}");

    let _signer = Signer::start(&town);
    eventually("the list follows", || {
        verify(&town, &bob, &list(&town, &own)).err.contains("certificate revoked")
    });
    verify(&town, &alice, &list(&town, &path(&alice.file("cert.pem")))).well();
}
