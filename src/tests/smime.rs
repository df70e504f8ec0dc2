//! Certificates for mail: whoever wants to encrypt to a person finds the right one, here and in the directory.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::town::slapd::{Options, Slapd};
use crate::town::tools::{Told, eventually, tell};
use crate::town::{Town, text};

/// Dora, and a town that writes certificates into her directory.
fn dora() -> (Slapd, Town) {
    let slapd = Slapd::start(Options::default());
    slapd.add_person("dora", "Dora Dean", "dora@corp.example", "wonderland");
    let writer =
        format!("bind_dn = \"{}\"\nbind_password = {{ file = \"@HERE@/ldap.password\" }}", slapd.writer_dn);
    let town = Town::plan().ldap(&slapd).with("directory.ldap.publish", &writer).start();
    eventually("dora is known", || town.ask("account list").as_array().is_some_and(|all| all.len() == 1));
    (slapd, town)
}

/// A certificate for reading encrypted mail, with its key.
struct MailKey {
    serial: String,
    folder: PathBuf,
}

impl MailKey {
    fn new(town: &Town, account: &str) -> Self {
        let folder = (1..).map(|n| town.path(&format!("{account}-mail-{n}"))).find(|path| !path.exists());
        let folder = folder.expect("numbers do not end");
        let enrolled =
            town.ask(&format!("cert enroll {account} --profile mail-encryption --out {}", text(&folder)));
        Self { serial: enrolled["serial"].as_str().expect("a serial").to_owned(), folder }
    }

    fn der(&self) -> Vec<u8> {
        let (pem, der) = (self.folder.join("cert.pem"), self.folder.join("cert.der"));
        tell("openssl", &["x509", "-in", text(&pem), "-outform", "DER", "-out", text(&der)]).well();
        fs::read(der).expect("a certificate")
    }

    /// Encrypts to a certificate that was found somewhere, and reads it with this key.
    fn reads_what_is_encrypted_to(&self, found: &Path) {
        let [plain, sealed, opened] = ["plain", "sealed", "opened"].map(|name| self.folder.join(name));
        fs::write(&plain, "for dora's eyes").expect("our own folder");
        let seal = ["cms", "-encrypt", "-aes256", "-in", text(&plain), "-out", text(&sealed), text(found)];
        tell("openssl", &seal).well();
        let (cert, key) = (self.folder.join("cert.pem"), self.folder.join("key.pem"));
        let open = ["cms", "-decrypt", "-in", text(&sealed), "-recip", text(&cert), "-inkey", text(&key)];
        tell("openssl", &[&open[..], &["-out", text(&opened)]].concat()).well();
        assert_eq!(fs::read_to_string(opened).expect("a text").trim_end(), "for dora's eyes");
    }
}

/// The API at the control socket.
fn look_up(town: &Town, whose: &str) -> Told {
    let (socket, url) =
        (town.path("control.sock"), format!("http://localhost/api/v1/mail-certificates/{whose}"));
    tell("curl", &["-sS", "--fail-with-body", "--unix-socket", text(&socket), &url])
}

fn found(town: &Town, whose: &str) -> Value {
    look_up(town, whose).json()
}

#[test]
fn the_newest_good_certificate_is_found_by_account_and_by_address() {
    let town = Town::start();
    town.ask("account add alice --mail alice@corp.example");
    assert_eq!(found(&town, "alice")["code"], "not_found");
    let old = MailKey::new(&town, "alice");
    let new = MailKey::new(&town, "alice");
    town.enroll("alice");
    for whose in ["alice", "alice@corp.example", "ALICE@Corp.Example"] {
        let one = found(&town, whose);
        assert_eq!((&one["serial"], &one["account"]), (&Value::from(new.serial.as_str()), &"alice".into()));
    }
    let pem = town.path("found.pem");
    fs::write(&pem, found(&town, "alice")["certificate"].as_str().expect("PEM")).expect("our own folder");
    new.reads_what_is_encrypted_to(&pem);
    // Never one that was revoked, nor one of somebody who may not act.
    town.ask(&format!("cert revoke {}", new.serial));
    assert_eq!(found(&town, "alice")["serial"], Value::from(old.serial.as_str()));
    town.ask("account disable alice");
    assert_eq!(found(&town, "alice")["code"], "not_found");
    town.ask("account enable alice");
    assert_eq!(found(&town, "alice")["code"], "not_found");
    // Nor one that has ended.
    let last = MailKey::new(&town, "alice");
    assert_eq!(found(&town, "alice")["serial"], Value::from(last.serial.as_str()));
    crate::town::tools::sql(&town.database(), "UPDATE certificate SET not_after = not_before + 1");
    assert_eq!(found(&town, "alice")["code"], "not_found");
    assert_ne!(look_up(&town, "nobody@corp.example").code, 0);
}

#[test]
fn the_directory_shows_the_certificate_that_counts_and_loses_it_with_its_revocation() {
    let (slapd, town) = dora();
    // Another authority's certificate is in her entry already, and is nobody's business here.
    let foreign = foreign(&town);
    slapd.modify_ldif(&format!(
        "dn: {}\nchangetype: modify\nadd: userCertificate;binary\nuserCertificate;binary:< file://{}\n",
        slapd.person_dn("dora"),
        text(&foreign)
    ));
    let foreign = fs::read(foreign).expect("a certificate");
    let holds = |own: &[&MailKey]| {
        let mut wanted: Vec<_> = own.iter().map(|one| one.der()).collect();
        wanted.push(foreign.clone());
        let mut held = slapd.certificates("dora");
        wanted.sort();
        held.sort();
        held == wanted
    };
    let first = MailKey::new(&town, "dora");
    eventually("the certificate is in the directory", || holds(&[&first]));
    let shown = town.path("shown.der");
    let ours = slapd.certificates("dora").into_iter().find(|one| *one != foreign).expect("ours");
    fs::write(&shown, ours).expect("our own folder");
    let pem = town.path("shown.pem");
    tell("openssl", &["x509", "-inform", "DER", "-in", text(&shown), "-out", text(&pem)]).well();
    first.reads_what_is_encrypted_to(&pem);
    // A certificate for signing in is nothing to encrypt with.
    town.enroll("dora");
    let second = MailKey::new(&town, "dora");
    eventually("the newer one stands in its place", || holds(&[&second]));
    town.ask(&format!("cert revoke {}", second.serial));
    eventually("the older one is good still, and is back", || holds(&[&first]));
    town.ask(&format!("cert revoke {}", first.serial));
    eventually("both are gone", || holds(&[]));
    let list = town.ask("audit list");
    let told = list.as_array().expect("a list").iter().filter(|entry| entry["deed"] == "directory.publish");
    assert_eq!(told.count(), 4);
    assert_eq!(town.ask("audit verify")["intact"], true);
}

#[test]
fn a_directory_that_was_away_catches_up_through_a_crash_of_the_house() {
    let (mut slapd, mut town) = dora();
    let first = MailKey::new(&town, "dora");
    eventually("the certificate is in the directory", || slapd.certificates("dora") == [first.der()]);
    slapd.stop();
    town.ask(&format!("cert revoke {}", first.serial));
    let second = MailKey::new(&town, "dora");
    eventually("the house has noticed", || town.log().contains("could not be written into the directory"));
    town.kill9();
    town.open();
    slapd.start_again();
    eventually("the directory has caught up", || slapd.certificates("dora") == [second.der()]);
}

#[test]
fn nothing_is_written_where_nobody_asked_for_it() {
    let slapd = Slapd::start(Options::default());
    slapd.add_person("dora", "Dora Dean", "dora@corp.example", "wonderland");
    let mut town = Town::plan().ldap(&slapd).start();
    eventually("dora is known", || town.ask("account list").as_array().is_some_and(|all| all.len() == 1));
    let key = MailKey::new(&town, "dora");
    assert_eq!(found(&town, "dora")["serial"], Value::from(key.serial.as_str()));
    town.stop();
    assert!(slapd.certificates("dora").is_empty());
}

/// A certificate of nobody we know, in DER.
fn foreign(town: &Town) -> PathBuf {
    let (key, der) = (town.path("foreign.key"), town.path("foreign.der"));
    let make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=dora",
    ];
    tell("openssl", &[&make[..], &["-keyout", text(&key), "-outform", "DER", "-out", text(&der)]].concat())
        .well();
    der
}
