//! Certificates: how a device gets one, what it is good for, and how it ends.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::town::client::{Ending, PATIENCE, Refused};
use crate::town::postfix::Postfix;
use crate::town::tools::{Told, tell, tell_line, with_clock};
use crate::town::{Person, Town, mosquitto, text};

/// A key and a request for these names, by openssl.
fn request(folder: &Path, name: &str, subject: &str, more: &[&str]) -> (String, String) {
    let (key, csr) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.csr")));
    let (key, csr) = (text(&key).to_owned(), text(&csr).to_owned());
    let mut words = vec!["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    words.extend(["-keyout", &key, "-out", &csr, "-subj", subject]);
    words.extend(more);
    tell("openssl", &words).well();
    (key, csr)
}

/// `curl` to the https door; the answer's status on the last line.
fn curl(town: &Town, path: &str, words: &[&str]) -> Told {
    let (root, url) = (town.root(), format!("https://localhost:{}{path}", town.door("https").port()));
    let mut all = vec!["-sS", "--cacert", text(&root), "-w", "\n%{http_code}"];
    all.extend(words);
    all.push(&url);
    tell("curl", &all)
}

/// A certificate that an answer of the API holds, as a person's files.
fn keep(town: &Town, name: &str, answer: &serde_json::Value, key: &str) -> Person {
    let folder = town.path(&format!("kept-{}", answer["serial"].as_str().expect("a serial")));
    fs::create_dir(&folder).expect("our own folder");
    for (file, field) in [("cert.pem", "certificate"), ("chain.pem", "chain"), ("root.pem", "root")] {
        fs::write(folder.join(file), answer[field].as_str().expect("PEM")).expect("our own folder");
    }
    fs::copy(key, folder.join("key.pem")).expect("our own folder");
    Person { name: name.into(), serial: answer["serial"].as_str().expect("a serial").into(), folder }
}

fn split(told: Told) -> (String, u16) {
    let out = told.well();
    let (body, status) = out.rsplit_once('\n').expect("a status");
    (body.to_owned(), status.parse().expect("a status"))
}

/// A client that is turned away in the handshake or at CONNECT, with no way in.
fn assert_shut_out(town: &Town, person: &Person) {
    match town.as_person(person).id("back").try_connect() {
        Err(Refused::Closed(_)) => {}
        Err(Refused::Code(code)) => panic!("the handshake went through, and CONNECT says {code:#x}"),
        Ok(_) => panic!("{} is let in", person.name),
    }
}

#[test]
fn a_certificate_by_the_house_names_the_account_by_its_directory_id() {
    let town = Town::start();
    let alice = town.person("alice");
    let (cert, chain, root) = (alice.file("cert.pem"), alice.file("chain.pem"), alice.file("root.pem"));
    tell_line(&format!("openssl verify -CAfile {root} -untrusted {chain} -purpose sslclient {cert}")).well();
    let shown = tell_line(&format!("openssl x509 -in {cert} -noout -ext subjectAltName")).well();
    let id = town.ask("account show alice")["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("urn:uuid:") && shown.contains(&id), "{shown} does not hold {id}");
    town.as_person(&alice).connect().ping();
    let listed = town.ask("cert list --account alice");
    assert_eq!(
        (&listed[0]["serial"], &listed[0]["state"]),
        (&alice.serial.as_str().into(), &"active".into())
    );
    let key = fs::metadata(alice.file("key.pem")).expect("the key");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o077,
        0,
        "others may read the key"
    );
}

#[test]
fn a_request_made_elsewhere_is_signed_and_the_key_never_travels() {
    let town = Town::start();
    town.ask("account add alice");
    let (key, csr) = request(&town.path(""), "phone", "/CN=alice", &[]);
    let out = town.path("out");
    let enrolled = town.ask(&format!("cert enroll alice --out {} --csr {csr}", text(&out)));
    assert!(!out.join("key.pem").exists() && enrolled["key"].is_null());
    fs::copy(key, out.join("key.pem")).expect("our own folder");
    let alice = Person { name: "alice".into(), serial: enrolled["serial"].to_string(), folder: out };
    town.as_person(&alice).connect().ping();
}

#[test]
fn a_request_for_somebody_elses_name_is_refused_and_named() {
    let town = Town::start();
    town.ask("account add alice");
    town.ask("account add bob");
    let bob = town.ask("account show bob")["id"].as_str().expect("an id").to_owned();
    let san = |value: &str| ["-addext".to_owned(), format!("subjectAltName={value}")];
    let cases = [
        ("cn", "/CN=bob", None, "bob"),
        ("mail", "/CN=alice", Some(san("email:bob@corp.example")), "bob@corp.example"),
        ("host", "/CN=alice", Some(san("DNS:mq.corp.example")), "mq.corp.example"),
        ("id", "/CN=alice", Some(san(&format!("URI:{bob}"))), bob.as_str()),
    ];
    for (name, subject, more, foreign) in &cases {
        let more: Vec<&str> = more.iter().flatten().map(String::as_str).collect();
        let (_, csr) = request(&town.path(""), name, subject, &more);
        let out = town.path(&format!("out-{name}"));
        let said = town.refused(3, &format!("cert enroll alice --out {} --csr {csr}", text(&out)));
        assert!(said.contains(foreign), "{said} does not name {foreign}");
        assert!(!out.join("cert.pem").exists());
    }
    assert_eq!(town.ask("cert list --account alice"), serde_json::json!([]));
}

#[test]
fn a_one_time_token_enrols_once_over_https() {
    let town = Town::start();
    town.ask("account add alice");
    let token = town.ask("cert token alice")["token"].as_str().expect("a token").to_owned();
    let (key, csr) = request(&town.path(""), "phone", "/CN=alice", &[]);
    let (bearer, body) = (format!("Authorization: Bearer {token}"), format!("@{csr}"));
    let enroll = || split(curl(&town, "/api/v1/enroll", &["-H", &bearer, "--data-binary", &body]));
    let (answer, status) = enroll();
    assert_eq!(status, 200, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    town.as_person(&keep(&town, "alice", &answer, &key)).connect().ping();
    let (answer, status) = enroll();
    assert_eq!(status, 409, "the token is used up: {answer}");
    assert!(answer.contains("token"), "{answer}");
    let (_, status) =
        split(curl(&town, "/api/v1/enroll", &["-H", "Authorization: Bearer x", "--data-binary", &body]));
    assert_eq!(status, 409);
    let (_, status) = split(curl(&town, "/api/v1/enroll", &["--data-binary", &body]));
    assert_eq!(status, 400);
}

#[test]
fn a_device_renews_with_the_certificate_it_has() {
    let town = Town::start();
    let alice = town.person("alice");
    let (key, csr) = request(&town.path(""), "next", "/CN=alice", &[]);
    let (cert, old_key, body) = (alice.file("cert.pem"), alice.file("key.pem"), format!("@{csr}"));
    let shown = ["--cert", &cert, "--key", &old_key, "--data-binary", &body];
    let (answer, status) = split(curl(&town, "/api/v1/renew", &shown));
    assert_eq!(status, 200, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let renewed = keep(&town, "alice", &answer, &key);
    assert_ne!(renewed.serial, alice.serial);
    town.as_person(&renewed).connect().ping();
    let (_, status) = split(curl(&town, "/api/v1/renew", &["--data-binary", &body]));
    assert_eq!(status, 409, "without a certificate there is nothing to renew");
    // A revoked one renews nothing.
    town.ask(&format!("cert revoke {}", alice.serial));
    assert_ne!(curl(&town, "/api/v1/renew", &shown).code, 0);
}

#[test]
fn a_pkcs12_archive_works_in_an_ordinary_client() {
    let town = Town::start();
    town.ask("account add alice");
    let bob = town.person("bob");
    let out = town.path("out");
    let enrolled = town.ask(&format!("cert enroll alice --out {} --p12", text(&out)));
    let password = format!("pass:{}", enrolled["p12_password"].as_str().expect("a password"));
    let (archive, pem) = (out.join("alice.p12"), out.join("all.pem"));
    tell("openssl", &["pkcs12", "-in", text(&archive), "-passin", &password, "-nodes", "-out", text(&pem)])
        .well();
    let listener = mosquitto::listen(&town, &bob, "b", "from/#");
    mosquitto::publish(&town, text(&pem), text(&pem), "to/bob", "from an archive").well();
    assert_eq!(listener.line(), "from/alice from an archive");
}

#[test]
fn revoking_cuts_the_session_off_within_a_second_and_there_is_no_way_back() {
    let mut town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let second = town.enroll("bob");
    let mut lost = town.as_person(&bob).id("lost-phone").durable().connect().listen("from/#");
    let mut kept = town.as_person(&second).id("desk").durable().connect().listen("from/#");
    let mut other = town.as_person(&alice).id("a").connect();
    let began = Instant::now();
    let revoked = town.ask(&format!("cert revoke {} --reason key-compromise", bob.serial));
    assert_eq!(revoked["sessions_ended"], 1);
    assert_eq!(lost.ending(Duration::from_secs(1)), Ending::Disconnect(0x98));
    eprintln!("cut off {:?} after the verb began", began.elapsed());
    assert_shut_out(&town, &bob);
    town.refused(3, &format!("cert revoke {}", bob.serial));
    // Nobody else is touched.
    kept.ping();
    other.say("to/bob", "new phone?");
    kept.hears("from/alice", "new phone?");
    // A restart forgets nothing.
    town.kill9();
    town.open();
    assert_shut_out(&town, &bob);
    town.as_person(&second).id("desk").durable().connect().ping();
    assert_eq!(town.ask(&format!("cert show {}", bob.serial))["state"], "revoked");
}

#[test]
fn a_revoked_certificate_is_on_the_list_that_everybody_can_fetch() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    town.ask(&format!("cert revoke {} --reason superseded", bob.serial));
    let issuer = town.ask("ca show")["key_id"].as_str().expect("a key id").to_owned();
    let (der, pem, all) = (town.path("crl.der"), town.path("crl.pem"), town.path("all.pem"));
    let url = format!("http://{}/crl/{issuer}.crl", town.door("http"));
    tell("curl", &["-sS", "-f", "-o", text(&der), &url]).well();
    tell("openssl", &["crl", "-inform", "DER", "-in", text(&der), "-out", text(&pem)]).well();
    let chain =
        [alice.file("root.pem"), alice.file("chain.pem")].map(|file| fs::read_to_string(file).expect("PEM"));
    fs::write(&all, chain.concat()).expect("our own folder");
    let verify = |person: &Person| {
        let cert = person.file("cert.pem");
        tell("openssl", &["verify", "-crl_check", "-CAfile", text(&all), "-CRLfile", text(&pem), &cert])
    };
    verify(&alice).well();
    let told = verify(&bob);
    assert!(told.code != 0 && told.err.contains("certificate revoked"), "{told:?}");
    // The command line has the same list.
    assert_eq!(town.cli("ca crl").well().trim(), fs::read_to_string(&pem).expect("PEM").trim());
    let cer = format!("http://{}/ca/{issuer}.cer", town.door("http"));
    tell("curl", &["-sS", "-f", "-o", text(&town.path("ca.der")), &cer]).well();
    tell("openssl", &["x509", "-inform", "DER", "-in", text(&town.path("ca.der")), "-noout"]).well();
    // And nothing else is at that door.
    assert_ne!(tell("curl", &["-sS", "-f", &format!("http://{}/api/v1/status", town.door("http"))]).code, 0);
}

#[test]
fn a_disabled_account_is_cut_off_loses_its_certificates_and_enrols_again_once_enabled() {
    let town = Town::start();
    let bob = town.person("bob");
    town.account("carol", "correct horse");
    let mut device = town.as_person(&bob).id("b").durable().connect();
    let mut plain = town.mqtt().id("c").password("carol", "correct horse").connect();
    for name in ["bob", "carol"] {
        town.ask(&format!("account disable {name}"));
    }
    assert_eq!(device.ending(Duration::from_secs(1)), Ending::Disconnect(0x98));
    assert_eq!(plain.ending(Duration::from_secs(1)), Ending::Disconnect(0x98));
    assert_shut_out(&town, &bob);
    let shown = town.ask(&format!("cert show {}", bob.serial));
    assert_eq!((&shown["state"], &shown["reason"]), (&"revoked".into(), &"affiliation-changed".into()));
    assert_eq!(town.mqtt().password("carol", "correct horse").refused(), 0x86, "which tells nothing");
    town.refused(3, &format!("cert enroll bob --out {}", text(&town.path("late"))));
    town.ask("account enable bob");
    assert_shut_out(&town, &bob);
    assert!(town.as_person(&town.enroll("bob")).id("b").durable().connect().present);
}

#[test]
fn a_removed_account_loses_its_certificates_and_its_name_means_nobody() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut device = town.as_person(&bob).id("b").connect();
    town.ask("account remove bob");
    assert_eq!(device.ending(Duration::from_secs(1)), Ending::Disconnect(0x98));
    assert_eq!(town.ask(&format!("cert show {}", bob.serial))["state"], "revoked");
    assert_shut_out(&town, &bob);
    assert_eq!(town.as_person(&alice).connect().publish("to/bob", "x"), 0x90);
    town.refused(4, "account show bob");
    // Somebody new of that name is somebody else.
    town.ask("account add bob");
    assert_shut_out(&town, &bob);
}

#[test]
fn a_user_name_must_agree_with_the_certificate() {
    let town = Town::start();
    let [alice, _bob] = town.people(["alice", "bob"]);
    town.as_person(&alice).named("alice").connect().ping();
    assert_eq!(town.as_person(&alice).named("bob").refused(), 0x86);
    assert_eq!(town.as_person(&alice).v3().named("bob").refused(), 4, "in the words of 3.1.1");
}

#[test]
fn nobody_without_credentials_or_with_wrong_ones_is_let_in() {
    let town = Town::start();
    town.account("alice", "correct horse");
    assert_eq!(town.mqtts(None).refused(), 0x87);
    assert_eq!(town.mqtt().refused(), 0x87);
    assert_eq!(town.mqtt().password("alice", "wrong").refused(), 0x86);
    assert_eq!(town.mqtt().password("nobody", "wrong").refused(), 0x86);
    assert_eq!(town.mqtt().password("alice", "").refused(), 0x86);
    assert_eq!(town.mqtt().named("alice").refused(), 0x86);
    town.mqtts(None).password("alice", "correct horse").connect().ping();
    let refusals = town.ask("audit list");
    let refusals =
        refusals.as_array().expect("a list").iter().filter(|entry| entry["deed"] == "session.refuse");
    assert_eq!(refusals.count(), 6);
}

#[test]
fn a_certificate_of_another_house_opens_nothing() {
    let (town, elsewhere) = (Town::start(), Town::start());
    town.person("alice");
    let stranger = elsewhere.person("alice");
    assert_shut_out(&town, &stranger);
    let mut none = town.mqtts(None).id("x").open().expect("TCP");
    none.send(&[0x10, 0]).expect("bytes leave");
    assert_ne!(none.ending(PATIENCE), Ending::StillThere);
}

#[test]
fn chain_and_list_are_topics_that_everybody_reads_and_nobody_writes() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut listener = town.as_person(&alice).id("pki").connect().listen("$pki/#");
    let texts: Vec<String> = (0..2).map(|_| listener.hear().text()).collect();
    let (chain, list) = (&texts[0], &texts[1]);
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "{chain}");
    let root = fs::read_to_string(alice.file("root.pem")).expect("PEM");
    assert!(chain.contains(&root) && list.starts_with("-----BEGIN X509 CRL"), "{list}");
    let [all, crl] = ["all.pem", "crl.pem"].map(|name| town.path(name));
    fs::write(&all, chain).expect("our own folder");
    let verify = |list: &str| {
        fs::write(&crl, list).expect("our own folder");
        let cert = bob.file("cert.pem");
        tell("openssl", &["verify", "-crl_check", "-CAfile", text(&all), "-CRLfile", text(&crl), &cert])
    };
    verify(list).well();
    town.ask(&format!("cert revoke {}", bob.serial));
    let told = verify(&listener.hear().text());
    assert!(told.code != 0 && told.err.contains("certificate revoked"), "{told:?}");
    // Whoever asks later sees the same.
    let mut later = town.as_person(&alice).id("later").connect().listen("$pki/crl");
    assert!(!verify(&later.hear().text()).err.is_empty());
    assert_eq!(town.as_person(&alice).connect().publish("$pki/crl", "mine"), 0x87);
}

#[test]
fn every_certificate_is_in_the_log_and_a_command_proves_it_elsewhere() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let line = town.ask("ca log")["log"].as_str().expect("a line").to_owned();
    let file = town.path("proof.json");
    fs::write(&file, town.ask(&format!("cert prove {}", alice.serial)).to_string()).expect("our own folder");
    let verify =
        |log: &str, more: &[&str]| town.say(&[&["cert", "verify", text(&file), "--log", log], more].concat());
    let told = verify(&line, &[]);
    assert!(told.code == 0 && told.out.contains("in the log"), "{told:?}");
    verify(&line, &["--certificate", &alice.file("cert.pem")]).well();
    assert_eq!(verify(&line, &["--certificate", &bob.file("cert.pem")]).code, 3);
    let other = Town::start().ask("ca log")["log"].as_str().expect("a line").to_owned();
    assert_eq!(verify(&other, &[]).code, 3);
    let checked = town.ask("ca log --check");
    assert_eq!(checked["intact"], true, "{checked}");
    // Devices may ask over HTTPS.
    let (body, status) = split(curl(&town, &format!("/api/v1/log/proof/{}", bob.serial), &[]));
    assert_eq!(status, 200, "{body}");
}

#[test]
fn a_client_hears_at_connect_when_to_renew_its_certificate() {
    let town = Town::start();
    let alice = town.person("alice");
    let told = |client: &crate::town::client::Client, name: &str| {
        let found = client.welcome.user.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    let client = town.as_person(&alice).connect();
    let line = town.ask(&format!("cert show {}", alice.serial));
    let (from, until) =
        (told(&client, "renew-from").expect("a time"), told(&client, "renew-until").expect("a time"));
    let (begins, ends) =
        (line["not_before"].as_str().expect("a time"), line["not_after"].as_str().expect("a time"));
    assert!(
        begins < from.as_str() && from < until && until.as_str() < ends,
        "{begins} {from} {until} {ends}"
    );
    town.account("bob", "correct horse");
    assert_eq!(told(&town.mqtt().password("bob", "correct horse").connect(), "renew-from"), None);
}

#[test]
fn an_owner_is_told_in_the_chat_and_by_mail_that_a_certificate_ends() {
    let postfix = Postfix::start();
    let mut town = Town::plan()
        .with("authority.profile.client", "validity = \"4h\"")
        .with("authority", "remind = [\"1h\"]")
        .smtp(&postfix)
        .grace("2s")
        .start();
    let [alice, _carol] = town.people(["alice", "carol"]);
    town.starts_through(&with_clock("+210m"));
    town.restart();
    // The clock of the house has moved on, and hers has not.
    let mut device = town.as_person(&alice).id("a").durable().connect().listen("from/#");
    let told = device.hear();
    assert_eq!(told.topic, "from/chancery");
    assert!(told.text().contains(&alice.serial) && told.text().contains("hours"), "{}", told.text());
    let mails = postfix.wait_for_mail("carol", 1);
    assert!(mails[0].contains("chancery"), "{}", mails[0]);
    // Once, over restarts.
    town.await_taken("alice");
    town.restart();
    town.await_taken("alice");
    assert_eq!(town.as_person(&alice).connect().publish("to/chancery", "thanks"), 0x90);
    town.refused(2, "account add chancery");
}
