//! The signer: the CA's key in a process of its own, and a house that works with it and without it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::town::client::{Ending, PATIENCE};
use crate::town::plan::Plan;
use crate::town::softhsm::SoftHsm;
use crate::town::tools::{eventually, poll, tell, tell_line};
use crate::town::{DOMAIN, Town, program, text};

/// A house with its signer.
pub(crate) struct Pair {
    pub(crate) town: Town,
    pub(crate) signer: Signer,
}

/// A signer that runs, and a guard that kills it should this process die.
pub(crate) struct Signer {
    process: Child,
    guard: Child,
}

impl Signer {
    pub(crate) fn start(town: &Town) -> Self {
        let log = fs::File::options().create(true).append(true).open(town.path("signer.log"));
        let process = town
            .surround(&mut Command::new(program()))
            .args(["signer", "--socket", text(&socket(town))])
            .args(["--config", text(&town.path("chancery.toml"))])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("our own folder"))
            .spawn()
            .expect("the signer's program");
        let guard = format!("cat > /dev/null; kill -KILL {}", process.id());
        let guard =
            Command::new("sh").args(["-c", &guard]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
        let signer = Self { process, guard: guard.expect("every system has a shell") };
        let listens = poll(Duration::from_secs(60), || UnixStream::connect(socket(town)).ok());
        assert!(listens.is_some(), "the signer does not listen:\n{}", log_of(town));
        signer
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

impl Pair {
    pub(crate) fn start() -> Self {
        Self::found(Town::plan())
    }

    pub(crate) fn found(plan: Plan) -> Self {
        let plan = plan
            .with("authority", "signer = \"@HERE@/signer.sock\"")
            .with("authority", &format!("public_url = \"http://{DOMAIN}\""))
            .with("signer", "state_dir = \"@HERE@/signer\"");
        let mut town = plan.unfounded();
        town.cli(&format!("signer init --domain {DOMAIN}")).well();
        let early = town.refused(1, &format!("init --domain {DOMAIN}"));
        assert!(early.contains("signer.sock") && early.contains("is it running?"), "{early}");
        let signer = Signer::start(&town);
        town.cli(&format!("init --domain {DOMAIN}")).well();
        town.open();
        Self { town, signer }
    }
}

fn socket(town: &Town) -> PathBuf {
    town.path("signer.sock")
}

fn log_of(town: &Town) -> String {
    fs::read_to_string(town.path("signer.log")).unwrap_or_default()
}

/// What `openssl verify` says of a person's certificate, the CRL at hand.
pub(crate) fn verify(town: &Town, certificate: &str) -> (i32, String) {
    let shown = town.ask("ca show");
    fs::write(town.path("chain.pem"), shown["chain"].as_str().expect("PEM")).expect("our own folder");
    let curl = format!("curl -sS --fail http://{}/crl/{}.crl -o ", town.door("http"), key_id(town));
    tell_line(&(curl + text(&town.path("issuing.crl")))).well();
    let (crl, pem) = (town.path("issuing.crl"), town.path("crl.pem"));
    tell_line(&format!("openssl crl -inform DER -in {} -out {}", text(&crl), text(&pem))).well();
    let (root, chain) = (town.root(), town.path("chain.pem"));
    let told = tell_line(&format!(
        "openssl verify -crl_check -CAfile {} -untrusted {} -CRLfile {} {certificate}",
        text(&root),
        text(&chain),
        text(&pem)
    ));
    (told.code, told.out + &told.err)
}

/// The issuing CA's key identifier, as it stands in URLs.
fn key_id(town: &Town) -> String {
    let line = format!("openssl x509 -in {} -noout -ext subjectKeyIdentifier", text(&town.path("chain.pem")));
    let said = tell_line(&line).well();
    said.lines().last().expect("an identifier").trim().replace(':', "").to_lowercase()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Someone who speaks the signer's language without being the daemon.
struct Stranger(UnixStream);

impl Stranger {
    fn at(town: &Town) -> Self {
        let mut stranger = Self(UnixStream::connect(socket(town)).expect("the signer listens"));
        let hello = stranger.ask(&json!({ "hello": { "version": 3 } }));
        assert!(hello["hello"]["issuing"].is_string(), "{hello}");
        stranger
    }

    fn ask(&mut self, request: &Value) -> Value {
        let body = request.to_string();
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        self.0.write_all(&[&length[..], &7_u64.to_be_bytes(), body.as_bytes()].concat()).expect("it listens");
        let mut head = [0; 12];
        self.0.read_exact(&mut head).expect("an answer");
        let mut body = vec![0; u32::from_be_bytes(head[..4].try_into().expect("four")) as usize];
        self.0.read_exact(&mut body).expect("a whole answer");
        serde_json::from_slice(&body).expect("JSON")
    }
}

/// A certificate that the daemon might ask for.
fn wanted(town: &Town, serial: u32) -> Value {
    let issuer = town.ask("ca show")["key_id"].clone();
    let (key, spki) = (town.path("stranger.key"), town.path("stranger.der"));
    let (key, spki) = (text(&key), text(&spki));
    if !Path::new(spki).exists() {
        tell("openssl", &["genpkey", "-algorithm", "ED25519", "-out", key]).well();
        tell("openssl", &["pkey", "-in", key, "-pubout", "-outform", "DER", "-out", spki]).well();
    }
    let now = tell("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]).well();
    json!({ "issue": {
        "spki": STANDARD.encode(fs::read(spki).expect("our own folder")),
        "subject": {
            "common_name": "mallory", "mail": null, "organization": null, "uri": ["urn:uuid:0"], "dns": [],
            "ip": [], "device": null,
        },
        "profile": "client",
        "validity": { "secs": 86_400, "nanos": 0 },
        "serial": format!("{:032X}", (0x40_u128 << 120) + u128::from(serial)),
        "issuer": issuer,
        "now": now.trim(),
    }})
}

#[test]
fn a_house_with_a_signer_issues_and_revokes_and_the_key_is_not_in_its_state() {
    let Pair { town, signer: _signer } = Pair::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    assert_eq!(verify(&town, &alice.file("cert.pem")).0, 0);
    let mut online = town.as_person(&alice).connect();
    town.ask(&format!("cert revoke {} --reason key-compromise", alice.serial));
    assert_eq!(online.ending(PATIENCE), Ending::Disconnect(0x98));
    let (code, said) = verify(&town, &alice.file("cert.pem"));
    assert!(code != 0 && said.contains("revoked"), "{said}");
    assert_eq!(verify(&town, &bob.file("cert.pem")).0, 0);

    let sealed = |path: &PathBuf| {
        fs::read(path).is_ok_and(|bytes| bytes.windows(21).any(|part| part == b"ENCRYPTED PRIVATE KEY"))
    };
    let found: Vec<_> = files(&town.path("state")).into_iter().filter(sealed).collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(town.path("signer/authority/issuing.key").exists());
    let mode = |name: &str| fs::metadata(town.path(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!((mode("signer.sock"), mode("signer"), mode("signer/book")), (0o660, 0o700, 0o600));
    let book = fs::read_to_string(town.path("signer/book")).expect("the book");
    assert!(book.contains(&alice.serial) && book.contains(&bob.serial), "{book}");
}

#[test]
fn the_signers_key_may_be_in_a_token() {
    let softhsm = SoftHsm::start();
    let Pair { town, signer } = Pair::found(Town::plan().token(&softhsm));
    assert!(!town.path("signer/authority/issuing.key").exists());
    drop(signer);
    let _signer = Signer::start(&town);
    let [alice, bob] = town.people(["alice", "bob"]);
    town.ask(&format!("cert revoke {}", bob.serial));
    assert_eq!(verify(&town, &alice.file("cert.pem")).0, 0);
    let (code, said) = verify(&town, &bob.file("cert.pem"));
    assert!(code != 0 && said.contains("revoked"), "{said}");
}

#[test]
fn while_the_signer_is_away_issuing_says_why_and_everything_else_goes_on() {
    let Pair { mut town, signer } = Pair::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut reader = town.as_person(&bob).connect().listen("from/#");
    drop(signer);
    let out = town.path("in-vain");
    let told = town.refused(1, &format!("cert enroll alice --out {}", text(&out)));
    assert!(told.contains("signer.sock") && told.contains("systemctl status chancery-signer"), "{told}");
    let status = town.cli("--json status").json();
    let checks = status["checks"].as_array().expect("a list of checks");
    let check = checks.iter().find(|check| check["part"] == "authority").expect("it is looked at");
    assert!(check["verdict"] == "fail" && check["what"].to_string().contains("signer.sock"), "{check}");
    assert_eq!(town.as_person(&alice).connect().publish("to/bob", "still here"), 0);
    reader.hears("from/alice", "still here");
    town.ask(&format!("cert revoke {}", bob.serial));
    assert_eq!(reader.ending(PATIENCE), Ending::Disconnect(0x98));

    town.restart();
    town.as_person(&alice).connect().ping();
    assert_eq!(verify(&town, &alice.file("cert.pem")).0, 0, "the list of before is shown");
    let _signer = Signer::start(&town);
    let again = town.enroll("alice");
    town.as_person(&again).connect().ping();
    town.ask(&format!("cert revoke {}", again.serial));
    let (code, said) = verify(&town, &bob.file("cert.pem"));
    assert!(code != 0 && said.contains("revoked"), "the list follows: {said}");
}

#[test]
fn the_signer_signs_no_serial_twice_and_not_more_than_it_may() {
    let Pair { town, signer: _signer } = Pair::found(Town::plan().with("signer", "issued_per_day = 6"));
    let mut stranger = Stranger::at(&town);
    let first = stranger.ask(&wanted(&town, 1));
    assert!(first["certificate"].is_string(), "{first}");
    let again = stranger.ask(&wanted(&town, 1));
    assert!(again["refused"]["serial"].is_object(), "{again}");
    let refused = (2..10).map(|serial| stranger.ask(&wanted(&town, serial))).find(|answer| {
        let often = &answer["refused"]["often"];
        *often == json!({ "most": 6, "seconds": 86_400 })
    });
    assert!(refused.is_some());
    town.ask("account add alice");
    let told = town.refused(1, &format!("cert enroll alice --out {}", text(&town.path("out"))));
    assert!(told.contains("6 certificates in 86400 s"), "{told}");
    let log = log_of(&town);
    assert!(log.contains("was used before") && log.contains("6 certificates"), "{log}");
}

#[test]
fn what_is_no_request_ends_its_connection_and_the_signer_stays() {
    let Pair { town, mut signer } = Pair::start();
    for number in 0..200_u32 {
        let mut stranger = UnixStream::connect(socket(&town)).expect("the signer listens");
        let noise: Vec<u8> = (0..2000).map(|at: u32| (at.wrapping_mul(number ^ 0x9E37) >> 3) as u8).collect();
        let _ = stranger.write_all(&noise);
    }
    // What is asked for besides is refused by its type: the signer signs no bytes.
    let mut stranger = Stranger::at(&town);
    let told = stranger.ask(&json!({ "sign": { "bytes": "AAAA" } }));
    assert!(told["refused"]["request"].is_string(), "{told}");
    // Whoever says nothing holds up nobody for long.
    let silent: Vec<_> = (0..20).map(|_| UnixStream::connect(socket(&town)).expect("it listens")).collect();
    let alice = town.person("alice");
    town.as_person(&alice).connect().ping();
    drop(silent);
    assert!(signer.process.try_wait().expect("our child").is_none());
    assert!(!log_of(&town).contains("panicked"));
    eventually("the log tells of it", || log_of(&town).contains("the signer refuses"));
}

#[test]
fn a_signer_of_another_authority_is_not_taken_for_ours() {
    let Pair { mut town, signer } = Pair::start();
    town.stop();
    drop(signer);
    fs::remove_dir_all(town.path("signer")).expect("our own folder");
    town.cli(&format!("signer init --domain {DOMAIN}")).well();
    let _signer = Signer::start(&town);
    let (_, told) = town.open_in_vain();
    assert!(told.contains("another authority"), "{told}");
}
