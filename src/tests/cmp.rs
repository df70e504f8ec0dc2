//! CMP, as `openssl cmp` speaks it: a first certificate, another one, an update, a revocation; by secret and by
//! signature.

use std::fs;

use crate::approval;
use crate::town::tools::{Told, tell};
use crate::town::{Person, Town, text};

/// A town with alice, and a folder in which `openssl` works.
struct Desk {
    town: Town,
}

impl Desk {
    fn open() -> Self {
        let town = Town::start();
        town.ask("account add alice --mail alice@corp.example");
        Self::of(town)
    }

    fn of(town: Town) -> Self {
        for name in ["first", "second", "third"] {
            let key = town.path(&format!("{name}.key"));
            let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
            tell("openssl", &[&["genpkey"], &curve[..], &["-out", text(&key)]].concat()).well();
        }
        fs::write(town.path("issuing.pem"), town.ask("ca show")["chain"].as_str().expect("PEM"))
            .expect("our own folder");
        town.root();
        Self { town }
    }

    /// A line of options with `@NAME` for the files of the folder.
    fn say(&self, line: &str) -> Told {
        let server = format!("localhost:{}", self.town.door("https").port());
        let folder = text(&self.town.path("")).to_owned();
        let file = |word: &str| match word.strip_prefix('@') {
            Some(name) => format!("{}/{name}", folder.trim_end_matches('/')),
            None => word.to_owned(),
        };
        let head = format!(
            "cmp -server {server} -path /.well-known/cmp -tls_used -tls_trusted @root.pem -no_proxy localhost {line}"
        );
        let words: Vec<String> = head.split_whitespace().map(file).collect();
        tell("openssl", &words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Options for a fresh token of alice's.
    fn token(&self, words: &str) -> String {
        let drawn = self.town.ask(&format!("cert token alice {words}"));
        let field = |name: &str| drawn[name].as_str().expect("a text").to_owned();
        format!("-ref {} -secret pass:{}", field("id"), field("token"))
    }

    fn signed(&self, name: &str) -> String {
        format!("-cert @{name}.pem -key @{name}.key -trusted @root.pem -untrusted @issuing.pem")
    }

    /// The certificate in NAME.pem with NAME.key, as a person's files.
    fn person(&self, name: &str) -> Person {
        let folder = self.town.path(&format!("kept-{name}"));
        fs::create_dir(&folder).expect("our own folder");
        for (from, to) in [
            (format!("{name}.pem"), "cert.pem"),
            (format!("{name}.key"), "key.pem"),
            ("issuing.pem".into(), "chain.pem"),
            ("root.pem".into(), "root.pem"),
        ] {
            fs::copy(self.town.path(&from), folder.join(to)).expect("our own folder");
        }
        let cert = folder.join("cert.pem");
        let serial = tell("openssl", &["x509", "-in", text(&cert), "-noout", "-serial"])
            .well()
            .trim()
            .trim_start_matches("serial=")
            .to_owned();
        Person { name: "alice".into(), serial, folder }
    }

    fn enrolled(&self) {
        let token = self.token("");
        self.say(&format!("-cmd ir {token} -newkey @first.key -subject /CN=alice -certout @first.pem"))
            .well();
    }

    fn state(&self, serial: &str) -> String {
        self.town.ask(&format!("cert show {serial}"))["state"].as_str().expect("a state").to_owned()
    }
}

#[test]
fn a_token_gives_a_first_certificate_once() {
    let desk = Desk::open();
    let token = desk.token("");
    let ir = format!(
        "-cmd ir {token} -newkey @first.key -subject /CN=alice -certout @first.pem -cacertsout @ca.pem"
    );
    desk.say(&ir).well();
    let phone = desk.person("first");
    desk.town.as_person(&phone).connect().ping();
    // The root came along, and is the town's.
    let roots = [desk.town.path("ca.pem"), desk.town.root()]
        .map(|file| tell("openssl", &["x509", "-in", text(&file), "-noout", "-fingerprint"]).well());
    assert_eq!(roots[0], roots[1]);
    let again = desk.say(&ir);
    assert_ne!(again.code, 0, "the token is used up");
    let list = desk.town.ask("cert list --account alice");
    assert_eq!(list.as_array().map(Vec::len), Some(1));
}

#[test]
fn cr_p10cr_and_implicit_confirmation_work_with_a_token_each() {
    let desk = Desk::open();
    let token = desk.token("");
    let id = desk.town.ask("account show alice")["id"].as_str().expect("an id").to_owned();
    desk.say(&format!(
        "-cmd cr {token} -newkey @first.key -subject /CN=alice -sans {id} -implicit_confirm -certout @first.pem"
    ))
    .well();
    desk.town.as_person(&desk.person("first")).connect().ping();
    let csr = desk.town.path("second.csr");
    let key = desk.town.path("second.key");
    tell("openssl", &["req", "-new", "-key", text(&key), "-subj", "/CN=alice", "-out", text(&csr)]).well();
    let token = desk.token("");
    desk.say(&format!("-cmd p10cr {token} -csr @second.csr -certout @second.pem")).well();
    desk.town.as_person(&desk.person("second")).connect().ping();
}

#[test]
fn an_update_is_proven_by_the_old_certificate_or_by_a_token() {
    let desk = Desk::open();
    desk.enrolled();
    let signed = desk.signed("first");
    desk.say(&format!("-cmd kur {signed} -newkey @second.key -certout @second.pem")).well();
    let renewed = desk.person("second");
    desk.town.as_person(&renewed).connect().ping();
    let token = desk.token("");
    desk.say(&format!("-cmd kur {token} -oldcert @second.pem -newkey @third.key -certout @third.pem")).well();
    desk.town.as_person(&desk.person("third")).connect().ping();
    // A revoked certificate updates nothing.
    desk.town.ask(&format!("cert revoke {}", desk.person("first").serial));
    let told = desk.say(&format!("-cmd kur {signed} -newkey @second.key -certout @never.pem"));
    assert!(told.code != 0 && !desk.town.path("never.pem").exists(), "{told:?}");
}

#[test]
fn a_certificate_is_taken_back_by_its_holder_or_by_a_token_of_its_account() {
    let desk = Desk::open();
    desk.enrolled();
    let phone = desk.person("first");
    let mut session = desk.town.as_person(&phone).connect();
    let (signed, token) = (desk.signed("first"), desk.token(""));
    desk.say(&format!("-cmd kur {signed} -newkey @second.key -certout @second.pem")).well();
    let second = desk.person("second");
    desk.say(&format!("-cmd rr {token} -oldcert @second.pem -revreason 4")).well();
    assert_eq!(desk.town.ask(&format!("cert show {}", second.serial))["reason"], "superseded");
    desk.say(&format!("-cmd rr {signed} -oldcert @first.pem -revreason 1")).well();
    assert_eq!(desk.state(&phone.serial), "revoked");
    use crate::town::client::{Ending, PATIENCE};
    assert_eq!(session.ending(PATIENCE), Ending::Disconnect(0x98));
    // Somebody else's is not hers to take back.
    let bob = desk.town.person("bob");
    fs::copy(bob.file("cert.pem"), desk.town.path("bob.pem")).expect("our own folder");
    let token = desk.token("");
    let told = desk.say(&format!("-cmd rr {token} -oldcert @bob.pem -revreason 1"));
    assert_ne!(told.code, 0, "{told:?}");
    assert_eq!(desk.state(&bob.serial), "active");
}

#[test]
fn refusals_come_in_cmps_own_words() {
    let desk = Desk::open();
    let drawn = desk.town.ask("cert token alice");
    let id = drawn["id"].as_str().expect("a name");
    let ir = "-cmd ir -newkey @first.key -certout @never.pem";
    let wrong =
        desk.say(&format!("{ir} -ref {id} -secret pass:wrong -subject /CN=alice -unprotected_errors"));
    assert!(wrong.code != 0 && wrong.out.contains("badMessageCheck"), "{wrong:?}");
    let nobody =
        desk.say(&format!("{ir} -ref nobody -secret pass:wrong -subject /CN=alice -unprotected_errors"));
    assert!(nobody.code != 0 && nobody.out.contains("badMessageCheck"), "{nobody:?}");
    let token = desk.token("");
    let foreign = desk.say(&format!("{ir} {token} -subject /CN=bob"));
    assert!(foreign.code != 0 && foreign.out.contains("badCertTemplate"), "{foreign:?}");
    assert!(foreign.out.contains("bob"), "{foreign:?}");
    let stranger = Town::start();
    let carol = stranger.person("carol");
    for (from, to) in [("cert.pem", "carol.pem"), ("key.pem", "carol.key")] {
        fs::copy(carol.file(from), desk.town.path(to)).expect("our own folder");
    }
    let signed = "-cert @carol.pem -key @carol.key -trusted @root.pem -unprotected_errors";
    let told = desk.say(&format!("-cmd kur {signed} -newkey @second.key -certout @never.pem"));
    assert!(told.code != 0 && told.out.contains("signerNotTrusted"), "{told:?}");
    assert!(!desk.town.path("never.pem").exists());
    let refusals = desk.town.ask("audit list");
    let refusals =
        refusals.as_array().expect("a list").iter().filter(|entry| entry["deed"] == "certificate.enroll");
    assert!(refusals.count() >= 4, "each is audited");
}

#[test]
fn the_chain_is_told_to_whoever_asks() {
    let desk = Desk::open();
    let told = desk.say("-cmd genm -infotype caCerts -unprotected_requests -unprotected_errors -verbosity 7");
    let token = desk.token("");
    let protected = desk.say(&format!("-cmd genm {token} -infotype signKeyPairTypes"));
    assert_eq!(protected.code, 0, "{protected:?} {told:?}");
}

#[test]
fn what_is_no_message_is_answered_in_http_or_in_cmp() {
    let desk = Desk::open();
    let root = desk.town.root();
    let url = format!("https://localhost:{}/.well-known/cmp", desk.town.door("https").port());
    let post = |kind: &str, body: &str| {
        let header = format!("Content-Type: {kind}");
        let words = ["-sS", "--cacert", text(&root), "-o", "/dev/null", "-w", "%{http_code}", "-H", &header];
        tell("curl", &[&words[..], &["--data-binary", body, &url]].concat()).well()
    };
    assert_eq!(post("application/pkcs10", "x"), "415");
    assert_eq!(post("application/pkixcmp", "x"), "200", "an error message");
    assert_eq!(post("application/pkixcmp", &"x".repeat(30_000)), "413");
}

#[test]
fn openssl_polls_until_an_admin_agrees() {
    let desk = Desk::of(approval::town("client"));
    let ir = |name: &str, token: &str| {
        format!("-cmd ir {token} -newkey @{name}.key -subject /CN=alice -certout @{name}.pem")
    };
    let token = desk.token("");
    let told = approval::approved_meanwhile(&desk.town, || desk.say(&ir("first", &token)));
    assert_eq!(told.code, 0, "{told:?}");
    assert!((told.out + &told.err).contains("polling"), "it asked more than once");
    let phone = desk.person("first");
    desk.town.as_person(&phone).connect().ping();
    // By signature, and as PKCS#10.
    let update = format!("-cmd kur {} -newkey @second.key -certout @second.pem", desk.signed("first"));
    let told = approval::approved_meanwhile(&desk.town, || desk.say(&update));
    assert_eq!(told.code, 0, "{told:?}");
    let csr = desk.town.path("third.csr");
    let key = desk.town.path("third.key");
    tell("openssl", &["req", "-new", "-key", text(&key), "-subj", "/CN=alice", "-out", text(&csr)]).well();
    let token = desk.token("");
    let line = format!("-cmd p10cr {token} -csr @third.csr -certout @third.pem");
    let told = approval::approved_meanwhile(&desk.town, || desk.say(&line));
    assert_eq!(told.code, 0, "{told:?}");
}

#[test]
fn openssl_that_polls_hears_of_a_denial() {
    let desk = Desk::of(approval::town("client"));
    let token = desk.token("");
    let ir = format!("-cmd ir {token} -newkey @first.key -subject /CN=alice -certout @first.pem");
    let told = std::thread::scope(|scope| {
        let asking = scope.spawn(|| desk.say(&ir));
        desk.town.ask(&format!("cert deny {}", approval::awaited(&desk.town)));
        asking.join().expect("openssl")
    });
    assert!(told.code != 0 && (told.out + &told.err).contains("denied"), "openssl says why");
}
