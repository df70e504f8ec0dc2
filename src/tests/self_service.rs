//! Self-service: people get, renew and revoke their own certificates at `/enroll`, and nobody else's.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::town::browser::Browser;
use crate::town::slapd::{Options, Slapd};
use crate::town::tools::{eventually, sql, tell};
use crate::town::web::{Answer, Web};
use crate::town::{Person, Town, mosquitto, text};

const PASSWORD: &str = "four words make sense";

/// A town in which alice and bob have passwords.
fn town() -> Town {
    let town = Town::start();
    town.account("alice", PASSWORD);
    town.account("bob", PASSWORD);
    town
}

fn try_sign_in(web: &mut Web, name: &str, password: &str) -> Answer {
    web.submit("/enroll/sign-in", "/enroll/sign-in", &[("name", name), ("password", password)])
}

/// Somebody who is signed in.
fn signed_in(town: &Town, name: &str) -> Web {
    let mut web = Web::new(town);
    let page = try_sign_in(&mut web, name, PASSWORD);
    assert!(page.body.contains("What you have"), "{}", page.body);
    web
}

fn is_in(web: &mut Web) -> bool {
    web.get("/enroll").status == 200
}

/// Makes a PKCS#12 file at `page`.
fn archive(web: &mut Web, page: &str, legacy: bool) -> (Vec<u8>, String) {
    let wish = if legacy { "yes" } else { "" };
    let answer = web.submit(page, page, &[("how", "pkcs12"), ("legacy", wish)]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let password = answer.between("<code class=\"once\" data-copy>", "</code>");
    (data(&answer, "application/x-pkcs12"), password)
}

/// The first file of that kind that a page offers as a `data:` address.
fn data(answer: &Answer, kind: &str) -> Vec<u8> {
    let content = answer.between(&format!("href=\"data:{kind};base64,"), "\"").replace("&#43;", "+");
    STANDARD.decode(content).expect("base64")
}

/// A key and a request in PEM, by openssl.
fn request(town: &Town, name: &str) -> (PathBuf, String) {
    let (key, csr) = (town.path(&format!("{name}.key.pem")), town.path(&format!("{name}.csr.pem")));
    let words =
        ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/"];
    tell("openssl", &[&words[..], &["-keyout", text(&key), "-out", text(&csr)]].concat()).well();
    (key, fs::read_to_string(&csr).expect("a request"))
}

/// Enrols a request at `page`; the certificate's file and the key's.
fn enrol(town: &Town, web: &mut Web, page: &str) -> (PathBuf, PathBuf) {
    let name = format!("made-{}", town.ask("cert list").as_array().map_or(0, Vec::len));
    let (key, csr) = request(town, &name);
    let answer = web.submit(page, page, &[("how", "csr"), ("csr", &csr)]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let cert = town.path(&format!("{name}.cert.pem"));
    fs::write(&cert, data(&answer, "application/pem-certificate-chain")).expect("our own folder");
    (cert, key)
}

/// Unpacks an archive into a PEM file, as the page says.
fn unpack(town: &Town, archive: &Path, password: &str, more: &[&str]) -> PathBuf {
    let (pem, pass) = (town.path("unpacked.pem"), format!("pass:{password}"));
    let words = ["pkcs12", "-in", text(archive), "-passin", &pass, "-noenc", "-out", text(&pem)];
    tell("openssl", &[&words[..], more].concat()).well();
    pem
}

fn newest(town: &Town, account: &str) -> Value {
    town.ask(&format!("cert list --account {account}"))[0].clone()
}

/// Entries about a deed, newest first, with their details read.
fn audited(town: &Town, deed: &str) -> Vec<Value> {
    let list = town.ask("audit list");
    let entries = list.as_array().expect("a list").iter().filter(|entry| entry["deed"] == deed);
    let read = |entry: &Value| {
        let details = serde_json::from_str(entry["details"].as_str().unwrap_or_default()).expect("JSON");
        let mut entry = entry.clone();
        entry["details"] = details;
        entry
    };
    entries.map(read).collect()
}

#[test]
fn in_a_real_browser_alice_sets_up_her_computer() {
    let town = town();
    town.person("carol");
    let browser = Browser::start(&town.path("downloads"));
    let page = format!("https://127.0.0.1:{}/enroll", town.door("https").port());
    browser.open(&page);
    browser.fill("#name", "alice");
    browser.fill("#password", PASSWORD);
    browser.click("main button[type=submit]");
    browser.shows("header", "Signed in as alice");
    browser.shows("main", "No certificate yet");

    // A key that never leaves the browser: one file with everything, which the command lines on the page use.
    browser.click("form[data-browser-key] button[type=submit]");
    browser.shows("h1", "Your new certificate");
    browser.click("[data-bundle-file]");
    let pem = browser.download("alice.pem");
    browser.click("a[download='root.pem']");
    let root = browser.download("root.pem");
    assert_eq!(fs::read(root).ok(), fs::read(town.root()).ok());
    browser.click("summary");
    let lines = browser.texts("details[open] pre");
    let [listen, publish] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(publish.contains("-t to/alice"), "{publish}");
    let folder = pem.parent().expect("a folder").to_owned();
    let listener = mosquitto::paste(&town, &folder, listen, "alice-1");
    mosquitto::publish(&town, text(&pem), text(&pem), "to/alice", "by hand").well();
    assert_eq!(listener.line(), "from/alice by hand");
    tell("sh", &["-c", &format!("cd {} && {publish}", text(&folder))]).well();
    assert_eq!(listener.line(), "from/alice note to self");

    let enrolled = &audited(&town, "certificate.enroll")[0];
    let asked = &enrolled["details"]["request"];
    assert_eq!((&asked["front"], &asked["key"]), (&"self-service".into(), &"brought".into()), "{enrolled}");
    assert!(enrolled["actor"].as_str().is_some_and(|actor| actor.contains("alice")), "{enrolled}");

    // The certificate is on the page, and connected.
    browser.open(&page);
    browser.shows("main table", newest(&town, "alice")["serial"].as_str().expect("a serial"));
    assert_eq!(browser.texts("[data-label=Connected]"), ["1"]);
    // Copy buttons are there, and no policy was broken.
    assert!(!browser.texts("button.copy").is_empty());
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|line| !line.contains("Content Security Policy")), "{complaints:?}");
}

#[test]
fn without_a_script_the_house_makes_a_file_whose_password_is_shown_once() {
    let town = town();
    let mut web = signed_in(&town, "alice");
    let (bytes, password) = archive(&mut web, "/enroll", false);
    let file = town.path("alice.p12");
    fs::write(&file, bytes).expect("our own folder");
    let about = tell(
        "openssl",
        &["pkcs12", "-in", text(&file), "-passin", &format!("pass:{password}"), "-info", "-noout"],
    );
    assert!(about.err.contains("AES-256-CBC") && !about.err.contains("RC2"), "{}", about.err);
    let pem = unpack(&town, &file, &password, &[]);
    mosquitto::publish(&town, text(&pem), text(&pem), "to/bob", "hello").well();
    let wrong = tell("openssl", &["pkcs12", "-in", text(&file), "-passin", "pass:wrong", "-noout"]);
    assert_ne!(wrong.code, 0);
    // Neither is shown again.
    assert!(!web.page("/enroll").body.contains(&password));

    // The weak kind is made only for who asks for it.
    let (bytes, password) = archive(&mut web, "/enroll", true);
    fs::write(&file, bytes).expect("our own folder");
    let about =
        ["pkcs12", "-in", text(&file), "-passin", &format!("pass:{password}"), "-info", "-noout", "-legacy"];
    let about = tell("openssl", &about);
    assert!(about.err.contains("3-KeyTripleDES") || about.err.contains("TripleDES"), "{}", about.err);
    let pem = unpack(&town, &file, &password, &["-legacy"]);
    mosquitto::publish(&town, text(&pem), text(&pem), "to/bob", "hello").well();
}

#[test]
fn a_wrong_password_lets_nobody_in_and_guessing_is_slowed_down() {
    let town = town();
    let mut web = Web::new(&town);
    for (name, password) in [("alice", "wrong"), ("alice", ""), ("nobody", PASSWORD)] {
        let answer = try_sign_in(&mut web, name, password);
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert!(answer.body.contains("Name or password is wrong"), "{}", answer.body);
        assert!(!is_in(&mut web));
    }
    for _ in 0..4 {
        try_sign_in(&mut web, "alice", "wrong");
    }
    let answer = try_sign_in(&mut web, "alice", PASSWORD);
    assert_eq!(answer.status, 429, "the right one comes too late as well");
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|wait| wait <= 60));
    assert!(!is_in(&mut web));
    // Somebody else from here is not held up.
    try_sign_in(&mut web, "bob", PASSWORD);
    assert!(is_in(&mut web));
    let failures = audited(&town, "self-service.sign-in");
    let why = |why: &str| failures.iter().filter(|entry| entry["details"]["refused"] == why).count();
    assert_eq!((why("wrong password"), why("no such account")), (5, 1), "{failures:#?}");
    assert!(failures.iter().all(|entry| entry["subject"] != "nobody"), "a name may be a password");
    town.ask("account disable alice");
    assert_eq!(try_sign_in(&mut Web::new(&town), "carol", PASSWORD).status, 403);
}

#[test]
fn a_session_is_a_persons_own_and_ends_when_the_person_may_no_longer_act() {
    let town = town();
    let mut web = signed_in(&town, "alice");
    // It opens nothing of the console's.
    for path in ["/", "/accounts", "/certificates", "/accounts/alice/enrol", "/audit"] {
        let answer = web.get(path);
        assert!(answer.status == 303 && answer.header("location") == "/sign-in", "{path}: {}", answer.status);
    }
    let csrf = web.page("/enroll").csrf();
    assert_ne!(web.post("/accounts/bob/disable", &[("csrf", &csrf), ("confirmed", "yes")]).status, 200);
    assert_eq!(town.ask("account show bob")["state"], "active");
    // Nor does an admin's open this page.
    let mut root = crate::console::admin(&town);
    let answer = root.get("/enroll");
    assert!(answer.status == 303 && answer.header("location") == "/enroll/sign-in", "{}", answer.status);
    // Signing out ends copies too.
    let mut stolen = web.copy();
    web.post("/enroll/sign-out", &[("csrf", &csrf)]);
    assert!(!is_in(&mut web) && !is_in(&mut stolen));
    // So does the end of the account.
    let mut web = signed_in(&town, "alice");
    town.ask("account disable alice");
    assert!(!is_in(&mut web));
    assert_eq!(try_sign_in(&mut Web::new(&town), "alice", PASSWORD).status, 403);
}

#[test]
fn a_form_without_its_token_or_from_another_site_changes_nothing() {
    let town = town();
    let (_, csr) = request(&town, "foreign");
    let mut web = signed_in(&town, "alice");
    let csrf = web.page("/enroll").csrf();
    let other = signed_in(&town, "bob").page("/enroll").csrf();
    let wish = |token: &str| {
        [("how", "csr"), ("csr", csr.as_str()), ("csrf", token)].map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    for token in ["", "x", other.as_str()] {
        let fields = wish(token);
        let fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(web.post("/enroll", &fields).status, 403, "{token}");
    }
    let fields = wish(&csrf);
    let fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    for header in [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")] {
        assert_eq!(web.post_with("/enroll", &[header], &fields).status, 403, "{header:?}");
        assert_eq!(web.post_with("/enroll/code", &[header], &fields).status, 403, "{header:?}");
    }
    assert_eq!(town.ask("cert list --account alice"), serde_json::json!([]));
    assert_eq!(web.post("/enroll", &fields).status, 200);
}

#[test]
fn nobody_fills_the_ledger_from_the_page() {
    let town = town();
    let (_, csr) = request(&town, "again");
    let mut web = signed_in(&town, "alice");
    let csrf = web.page("/enroll").csrf();
    let fields = [("how", "csr"), ("csr", csr.as_str()), ("csrf", csrf.as_str())];
    for number in 0..20 {
        assert_eq!(web.post("/enroll", &fields).status, 200, "{number}");
    }
    for path in ["/enroll", "/enroll/code"] {
        let answer = web.post(path, &fields);
        assert!(answer.status == 429 && answer.body.contains("within the hour"), "{path}: {}", answer.body);
    }
    assert_eq!(town.ask("cert list --account alice").as_array().map(Vec::len), Some(20));
    // Others go on, and so does alice an hour later.
    archive(&mut signed_in(&town, "bob"), "/enroll", false);
    sql(&town.database(), "UPDATE certificate SET created_at = created_at - 3600000000");
    assert_eq!(web.post("/enroll", &fields).status, 200);
}

#[test]
fn what_changes_something_wants_the_password_of_the_last_minutes() {
    let town = town();
    let mut web = signed_in(&town, "alice");
    enrol(&town, &mut web, "/enroll");
    let serial = newest(&town, "alice")["serial"].as_str().expect("a serial").to_owned();
    // Six minutes later.
    let pass = |minutes: i64| {
        sql(
            &town.database(),
            &format!("UPDATE self_service_session SET proved_at = proved_at - {}", minutes * 60_000_000),
        );
    };
    pass(6);
    let csrf = web.page("/enroll").csrf();
    let own = format!("/enroll/certificates/{serial}");
    let (revoke, renew) = (format!("{own}/revoke"), format!("{own}/renew"));
    for path in ["/enroll", "/enroll/code", revoke.as_str(), renew.as_str()] {
        let answer = web.post(path, &[("csrf", &csrf), ("how", "pkcs12"), ("reason", "superseded")]);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("Confirm that it is you"), "{path}: {}", answer.body);
    }
    assert_eq!(newest(&town, "alice")["state"], "active");
    // The password once more, and it goes on; the old cookie is over.
    let mut old = web.copy();
    let fields = [("csrf", csrf.as_str()), ("name", "alice"), ("password", PASSWORD)];
    assert_eq!(web.post("/enroll/sign-in", &fields).status, 303);
    assert!(!is_in(&mut old));
    web.submit(&revoke, &revoke, &[("reason", "superseded")]);
    assert_eq!(newest(&town, "alice")["state"], "revoked");
    // After half an hour it is over altogether.
    pass(30);
    assert!(!is_in(&mut web));
}

#[test]
fn one_certificate_is_renewed_and_revoked_and_other_peoples_are_not_there() {
    let town = town();
    let mut web = signed_in(&town, "alice");
    let (cert, key) = enrol(&town, &mut web, "/enroll");
    let first = newest(&town, "alice")["serial"].as_str().expect("a serial").to_owned();
    let own = format!("/enroll/certificates/{first}");
    enrol(&town, &mut web, &format!("{own}/renew"));
    let second = newest(&town, "alice")["serial"].as_str().expect("a serial").to_owned();
    assert_ne!(first, second);
    let renewed = &audited(&town, "certificate.renew")[0]["details"]["request"];
    assert_eq!(renewed["front"], "self-service", "{renewed}");
    assert!(renewed["ground"].as_str().is_some_and(|ground| ground.contains(&first)), "{renewed}");

    // The old one ends with its session, the new one goes on.
    let folder = town.path("old");
    fs::create_dir(&folder).expect("our own folder");
    fs::copy(&cert, folder.join("cert.pem")).expect("our own folder");
    fs::copy(&key, folder.join("key.pem")).expect("our own folder");
    fs::write(folder.join("chain.pem"), "").expect("our own folder"); // It stands behind the certificate.
    let old = Person { name: "alice".into(), serial: first.clone(), folder };
    let mut phone = town.as_person(&old).id("phone").connect();
    let page =
        web.submit(&format!("{own}/revoke"), &format!("{own}/revoke"), &[("reason", "key-compromise")]);
    assert!(page.body.contains("live sessions cut: 1"), "{}", page.body);
    assert_ne!(phone.ending(std::time::Duration::from_secs(5)), crate::town::client::Ending::StillThere);
    assert!(town.as_person(&old).try_connect().is_err());
    assert_eq!(town.ask(&format!("cert show {second}"))["state"], "active");
    // What is revoked is not renewed.
    let csrf = web.page("/enroll").csrf();
    let again = web.post(&format!("{own}/renew"), &[("csrf", &csrf), ("how", "pkcs12")]);
    assert!(again.status == 409 && again.body.contains("was revoked"), "{}", again.body);

    // Bob finds none of it, and changes none of it.
    let mut bob = signed_in(&town, "bob");
    let hers = format!("/enroll/certificates/{second}");
    let csrf = bob.page("/enroll").csrf();
    assert!(!bob.page("/enroll").body.contains(&second));
    for verb in ["renew", "revoke"] {
        let path = format!("{hers}/{verb}");
        assert_eq!(bob.get(&path).status, 404, "{path}");
        let answer = bob.post(&path, &[("csrf", &csrf), ("how", "pkcs12"), ("reason", "superseded")]);
        assert!(matches!(answer.status, 404 | 409), "{path}: {}", answer.status);
    }
    assert_eq!(town.ask(&format!("cert show {second}"))["state"], "active");
    let refused = audited(&town, "certificate.revoke");
    assert!(
        refused.iter().any(|entry| entry["details"]["refused"]
            .as_str()
            .is_some_and(|why| why.contains("may not decide")))
    );
    assert_eq!(town.ask("cert list --account bob"), serde_json::json!([]));
    // And nobody gets what only an admin gives.
    let csrf = bob.page("/enroll").csrf();
    let answer = bob.post("/enroll", &[("csrf", &csrf), ("how", "pkcs12"), ("purpose", "server")]);
    assert!(matches!(answer.status, 400 | 409), "{}", answer.status);
    assert_eq!(town.ask("audit verify")["intact"], true);
}

#[test]
fn a_phone_comes_with_a_code_once() {
    let town = town();
    let mut web = signed_in(&town, "alice");
    let answer = web.submit("/enroll", "/enroll/code", &[]);
    assert!(answer.body.contains("<svg class=\"qr\""), "{}", answer.body);
    let url = answer.between("<code class=\"once\" data-copy>", "</code>");
    let door = format!("https://127.0.0.1:{}", town.door("https").port());
    let path = url.strip_prefix(&door).expect("an address of the door").to_owned();
    assert_eq!(qr_says(&town, &answer.between("<svg class=\"qr\"", "</svg>")), url);

    // The phone knows no password. Looking uses nothing up.
    let mut phone = Web::new(&town);
    assert!(phone.page(&path).body.contains("alice"));
    assert_eq!(phone.get("/enroll").status, 303, "a code opens nothing else");
    let (cert, key) = enrol(&town, &mut phone, &path);
    mosquitto::publish(&town, text(&cert), text(&key), "to/bob", "from my phone").well();
    let asked = &audited(&town, "certificate.enroll")[0]["details"]["request"];
    assert_eq!((&asked["front"], &asked["ground"]), (&"self-service".into(), &"token".into()), "{asked}");
    // It works once; other codes and old ones never.
    assert_eq!(phone.get(&path).status, 404);
    assert_eq!(phone.get("/enroll/phone/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").status, 404);
    let answer = web.submit("/enroll", "/enroll/code", &[]);
    let url = answer.between("<code class=\"once\" data-copy>", "</code>");
    sql(&town.database(), "UPDATE token SET expires_at = expires_at - 601000000 WHERE used_at IS NULL");
    assert_eq!(phone.get(url.strip_prefix(&door).expect("the door")).status, 404);
    // A token for a server is not for phones.
    town.ask("account add carol");
    let token = town.ask("cert token alice --profile server --name web.corp.example");
    assert_eq!(
        phone.get(&format!("/enroll/phone/{}", token["token"].as_str().expect("a token"))).status,
        404
    );
}

/// What the picture says to a reader that is not ours: Chromium draws it, zbar reads it.
fn qr_says(town: &Town, inside: &str) -> String {
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"600\" style=\"background:#fff\"{inside}</svg>"
    );
    let (page, shot) = (town.path("qr.html"), town.path("qr.png"));
    fs::write(&page, format!("<body style=\"margin:0\">{svg}")).expect("our own folder");
    let browser = Browser::start(&town.path("qr-downloads"));
    browser.open(&format!("file://{}", text(&page)));
    fs::write(&shot, browser.screenshot()).expect("our own folder");
    tell("zbarimg", &["--quiet", "--raw", text(&shot)]).well().trim().to_owned()
}

#[test]
fn people_of_a_directory_sign_in_with_its_password() {
    let mut slapd = Slapd::start(Options::default());
    slapd.add_person("dora", "Dora Dean", "dora@corp.example", "wonderland");
    slapd.add_person("erik", "Erik Egan", "erik@corp.example", "wonderland");
    let town = Town::plan().ldap(&slapd).start();
    eventually("both are known", || town.ask("account list").as_array().is_some_and(|all| all.len() == 2));
    let mut web = Web::new(&town);
    assert_eq!(try_sign_in(&mut web, "dora", "wrong").status, 403);
    let page = try_sign_in(&mut web, "Dora", "wonderland");
    assert!(page.body.contains("Dora Dean") && page.body.contains("dora@corp.example"), "{}", page.body);
    enrol(&town, &mut web, "/enroll");
    // Who has a mail address may have certificates for mail as well.
    web.submit("/enroll", "/enroll", &[("how", "pkcs12"), ("purpose", "mail-encryption")]);
    let for_mail = newest(&town, "dora");
    assert_eq!(for_mail["profile"], "mail-encryption");
    let renew = format!("/enroll/certificates/{}/renew", for_mail["serial"].as_str().expect("a serial"));
    assert!(!web.page(&renew).body.contains("data-browser-key"), "mail programs import archives");
    archive(&mut web, &renew, false);
    assert_ne!(newest(&town, "dora")["serial"], for_mail["serial"]);
    assert_eq!(newest(&town, "dora")["profile"], "mail-encryption");
    slapd.stop();
    let answer = try_sign_in(&mut Web::new(&town), "erik", "wonderland");
    assert!(answer.status == 503 && answer.body.contains("cannot be asked now"), "{}", answer.body);
}

#[test]
fn the_settings_on_the_page_work_as_they_stand() {
    let town = town();
    let mut web = signed_in(&town, "alice");
    let (cert, key) = enrol(&town, &mut web, "/enroll");
    let folder = town.path("home");
    fs::create_dir(&folder).expect("our own folder");
    let pem = [fs::read(key).expect("a key"), fs::read(cert).expect("a certificate")].concat();
    fs::write(folder.join("alice.pem"), pem).expect("our own folder");
    fs::copy(town.root(), folder.join("root.pem")).expect("our own folder");
    let page = web.page("/enroll");
    let shown = |client: &str| {
        let part = page.between(&format!("<summary>{client}</summary>"), "</details>");
        let text = part.split("data-copy>").nth(1).and_then(|rest| rest.split('<').next()).expect("a text");
        text.replace("&#34;", "\"").replace("&#39;", "'").replace("&#62;", ">").replace("&#60;", "<")
    };
    fs::write(folder.join("hear.py"), shown("Python: paho-mqtt")).expect("our own folder");
    // The system's own, for which the package is installed.
    let listener = mosquitto::paste(&town, &folder, "/usr/bin/python3 -u hear.py", "alice-1");
    let program = folder.join("hear.js");
    fs::write(&program, shown("JavaScript: MQTT.js on Node")).expect("our own folder");
    tell("node", &["--check", text(&program)]).well();
    let bob = town.enroll("bob");
    town.as_person(&bob).connect().say("to/alice", "hello");
    assert_eq!(listener.line(), "from/bob hello");
    let port = town.door("mqtts").port();
    for client in ["MQTTX", "MQTT Explorer"] {
        let part = page.between(&format!("<summary>{client}</summary>"), "</details>");
        assert!(part.contains(&format!(">{port}<")) && part.contains(">alice.pem<"), "{part}");
    }
}

#[test]
fn every_page_is_dressed_and_none_can_be_made_to_run_foreign_code() {
    let town = Town::start();
    let file = town.path("password");
    fs::write(&file, PASSWORD).expect("our own folder");
    let evil = "<script>alert(1)</script>";
    town.say(&["account", "add", "eve", "--name", evil, "--password-file", text(&file)]).well();
    let mut web = signed_in(&town, "eve");
    enrol(&town, &mut web, "/enroll");
    let serial = newest(&town, "eve")["serial"].as_str().expect("a serial").to_owned();
    let own = format!("/enroll/certificates/{serial}");
    for path in ["/enroll".to_owned(), format!("{own}/renew"), format!("{own}/revoke")] {
        let answer = web.page(&path);
        crate::console::assert_dressed(&path, &answer);
        assert!(!answer.body.contains(evil), "{path}");
    }
    let mut stranger = Web::new(&town);
    crate::console::assert_dressed("/enroll/sign-in", &stranger.page("/enroll/sign-in"));
    assert_eq!(stranger.get("/enroll/nothing").status, 404);
    assert_eq!(web.get("/enroll/certificates/00FF/revoke").status, 404);
    assert_eq!(web.get("/enroll/code").status, 405);
}
