//! A root that is made and used on a host without network, and a house whose issuing CA it certifies.

use std::fs;
use std::path::{Path, PathBuf};

use crate::signer::{Signer, verify};
use crate::town::plan::Plan;
use crate::town::softhsm::SoftHsm;
use crate::town::tools::{Told, tell};
use crate::town::{DOMAIN, Town, text};

/// A host without network: a folder, and the program without a configuration.
struct Cellar<'a> {
    town: &'a Town,
    /// Where the root's key is, in the words of the command line.
    key: String,
}

impl<'a> Cellar<'a> {
    fn at(town: &'a Town) -> Self {
        let passphrase = town.path("root.passphrase");
        fs::write(&passphrase, "correct horse battery staple\n").expect("our own folder");
        Self { town, key: format!("--passphrase-file {}", text(&passphrase)) }
    }

    fn folder(&self) -> PathBuf {
        self.town.path("ceremony")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn root(&self, words: &str) -> Told {
        self.town.cli(&format!("--json ca root {} {words}", text(&self.folder())))
    }

    fn does(&self, words: &str) -> serde_json::Value {
        let told = self.root(&format!("{words} {}", self.key));
        assert_eq!(told.code, 0, "{words}: {}{}", told.out, told.err);
        told.json()
    }

    /// Makes a house's issuing CA out of its request.
    fn sign(&self, request: &Path) {
        self.does(&format!("--sign {} --public-url http://{DOMAIN}:8080", text(request)));
    }

    /// The transcript's own commands, as it says that they are to be run.
    fn check_by_hand(&self) -> Told {
        let script = format!("cd {} && sed -n 's/^[$] //p' transcript.txt | sh -eu", text(&self.folder()));
        tell("sh", &["-c", &script])
    }
}

/// `init` in two steps, the ceremony between them.
fn found_under(cellar: &Cellar<'_>, init: &str) -> PathBuf {
    let town = cellar.town;
    let root = cellar.file("root.pem");
    let asked = town.ask(&format!("{init} --domain {DOMAIN} --root {}", text(&root)));
    let request = PathBuf::from(asked["request"].as_str().expect("a path"));
    cellar.sign(&request);
    let answer = [cellar.file("issuing-1.pem"), cellar.file("root-1.crl")];
    let words = format!("--issuing {} --root-crl {}", text(&answer[0]), text(&answer[1]));
    town.cli(&format!("{init} --domain {DOMAIN} {words}")).well();
    request
}

#[test]
fn a_house_under_a_root_that_never_saw_a_network_issues_revokes_and_gets_the_roots_next_list() {
    let mut town = Town::plan().unfounded();
    {
        let cellar = Cellar::at(&town);
        let made = cellar.does(&format!("--domain {DOMAIN} --organization Corp"));
        assert_eq!(made["sha256"].as_str().map(str::len), Some(64), "{made}");
        found_under(&cellar, "init");
    }
    assert!(!town.path("state/authority/root.key").exists());
    town.open();
    let [alice, bob] = town.people(["alice", "bob"]);
    town.ask(&format!("cert revoke {}", bob.serial));
    assert_eq!(verify(&town, &alice.file("cert.pem")).0, 0);
    let (code, said) = verify(&town, &bob.file("cert.pem"));
    assert!(code != 0 && said.contains("revoked"), "{said}");

    let cellar = Cellar::at(&town);
    cellar.does("--crl");
    let next = cellar.file("root-2.crl");
    let adopt = format!("ca adopt {}", text(&next));
    assert_eq!(town.ask(&adopt)["list"]["number"], 2);
    assert!(town.refused(3, &adopt).contains("not newer"));
    let foreign = town.path("foreign.crl");
    fs::write(&foreign, town.cli("ca crl").well()).expect("our own folder");
    assert!(town.refused(3, &format!("ca adopt {}", text(&foreign))).contains("root has signed"));
    let root = town.ask("ca show")["root"].as_str().expect("PEM").to_owned();
    assert_eq!(root, fs::read_to_string(cellar.file("root.pem")).expect("a file"));

    // The next issuing CA.
    let asked = town.ask("ca roll");
    assert_eq!(asked["request"], town.ask("ca roll")["request"], "one request until it is answered");
    cellar.sign(Path::new(asked["request"].as_str().expect("a path")));
    let adopted = town.ask(&format!("ca adopt {}", text(&cellar.file("issuing-2.pem"))));
    assert!(adopted["issuer"]["issuer"].as_str().is_some_and(|name| name.contains("CA 2")), "{adopted}");
    let carol = town.person("carol");
    assert_eq!(verify(&town, &carol.file("cert.pem")).0, 0);
    town.as_person(&carol).connect().ping();
    town.as_person(&alice).connect().ping();

    cellar.check_by_hand().well();
    let checked = cellar.root("--verify").json();
    assert!(checked["intact"] == true && checked["files"] == 7, "{checked}");
}

#[test]
fn what_was_changed_in_a_ceremonys_folder_shows_by_hand_and_by_program() {
    let town = Town::plan().unfounded();
    let cellar = Cellar::at(&town);
    cellar.does(&format!("--domain {DOMAIN}"));
    found_under(&cellar, "init");
    cellar.check_by_hand().well();
    for name in ["root.pem", "root-1.crl", "issuing-1.csr", "issuing-1.pem"] {
        let (file, kept) = (cellar.file(name), fs::read(cellar.file(name)).expect("a file"));
        fs::write(&file, [&kept[..], b"\n"].concat()).expect("our own folder");
        assert_ne!(cellar.check_by_hand().code, 0, "{name}");
        let told = cellar.root("--verify");
        assert!(told.code == 1 && told.err.contains(name), "{name}: {told:?}");
        fs::write(&file, kept).expect("our own folder");
    }
    // A certificate that was signed beside the protocol.
    fs::copy(cellar.file("issuing-1.pem"), cellar.file("issuing-7.pem")).expect("our own folder");
    let told = cellar.root("--verify");
    assert!(told.code == 1 && told.err.contains("issuing-7.pem"), "{told:?}");
}

#[test]
fn nothing_wrong_is_signed_or_taken() {
    let town = Town::plan().unfounded();
    let cellar = Cellar::at(&town);
    cellar.does(&format!("--domain {DOMAIN}"));
    assert_eq!(cellar.root(&format!("--domain {DOMAIN} {}", cellar.key)).code, 3, "a root is there");

    // A request of somebody else, and one that is none.
    let (key, csr) = (town.path("key.pem"), town.path("other.csr"));
    let words = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let files = ["-subj", "/CN=evil.example issuing CA", "-keyout", text(&key), "-out", text(&csr)];
    tell("openssl", &[&words[..], &files].concat()).well();
    let sign = |file: &Path| {
        cellar.root(&format!("--sign {} --public-url http://{DOMAIN} {}", text(file), cellar.key))
    };
    let told = sign(&csr);
    assert!(told.code == 3 && told.err.contains("evil.example"), "{told:?}");
    assert_eq!(sign(&key).code, 3);
    assert!(!cellar.file("issuing-1.pem").exists());

    let asked = town.ask(&format!("init --domain {DOMAIN} --root {}", text(&cellar.file("root.pem"))));
    let request = PathBuf::from(asked["request"].as_str().expect("a path"));
    assert!(town.refused(3, &format!("init --domain {DOMAIN}")).contains("waits in"));
    let serve = town.cli("serve");
    assert!(serve.code == 1 && serve.err.contains("chancery init"), "{serve:?}");
    // The answer to another request, and a list of another root.
    cellar.sign(&request);
    let answer = |issuing: &Path, list: &Path| {
        town.cli(&format!("init --domain {DOMAIN} --issuing {} --root-crl {}", text(issuing), text(list)))
    };
    let (issuing, list) = (cellar.file("issuing-1.pem"), cellar.file("root-1.crl"));
    let told = answer(&cellar.file("root.pem"), &list);
    assert!(told.code == 3 && told.err.contains("no answer to this house's request"), "{told:?}");
    let foreign = town.path("foreign.crl");
    let pem = fs::read_to_string(&list).expect("a file");
    fs::write(&foreign, pem.replacen('M', "N", 1)).expect("our own folder");
    assert_eq!(answer(&issuing, &foreign).code, 3);
    answer(&issuing, &list).well();

    let wrong = town.path("wrong");
    fs::write(&wrong, "incorrect horse").expect("our own folder");
    let told = cellar.root(&format!("--crl --passphrase-file {}", text(&wrong)));
    assert!(told.code == 1 && told.err.contains("root.key"), "{told:?}");
}

#[test]
fn the_roots_key_may_be_in_a_token_and_the_issuing_cas_with_the_signer() {
    let softhsm = SoftHsm::start();
    let plan: Plan = Town::plan().surrounded_by(&softhsm);
    let mut town = plan
        .with("authority", &format!("signer = \"@HERE@/signer.sock\"\npublic_url = \"http://{DOMAIN}\""))
        .with("signer", "state_dir = \"@HERE@/signer\"")
        .unfounded();
    let cellar = Cellar { town: &town, key: softhsm.words() };
    cellar.does(&format!("--domain {DOMAIN}"));
    assert!(!cellar.file("root.key").exists());
    let told = town.refused(3, &format!("init --domain {DOMAIN} --root {}", text(&cellar.file("root.pem"))));
    assert!(told.contains("signer init"), "{told}");
    found_under(&cellar, "signer init");
    cellar.check_by_hand().well();
    let _signer = Signer::start(&town);
    town.cli(&format!("init --domain {DOMAIN}")).well();
    town.open();
    let alice = town.person("alice");
    assert_eq!(verify(&town, &alice.file("cert.pem")).0, 0);
    let cellar = Cellar { town: &town, key: softhsm.words() };
    let asked = town.ask("ca roll");
    cellar.sign(Path::new(asked["request"].as_str().expect("a path")));
    town.ask(&format!("ca adopt {}", text(&cellar.file("issuing-2.pem"))));
    let bob = town.person("bob");
    assert_eq!(verify(&town, &bob.file("cert.pem")).0, 0);
    let kept: Vec<_> = ["root.key", "passphrase", "issuing.key"]
        .into_iter()
        .filter(|name| town.path("state/authority").join(name).exists())
        .collect();
    assert!(kept.is_empty(), "{kept:?}");
}
