//! The console: an admin governs the house from a browser, and nobody else does.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::town::browser::Browser;
use crate::town::tools::tell;
use crate::town::web::{Answer, Web};
use crate::town::{Person, Town, mosquitto, text};

const PASSWORD: &str = "four words make sense";
const PAGES: [&str; 9] = [
    "/",
    "/accounts",
    "/certificates",
    "/sessions",
    "/rooms",
    "/outbox",
    "/peers",
    "/audit",
    "/audit?verify=yes",
];

/// The path of a fresh one-time link.
fn link(town: &Town) -> String {
    let link = town.ask("admin link")["link"].as_str().expect("a link").to_owned();
    let (door, path) = link.split_once("/link/").expect("a link to the console");
    assert_eq!(door, format!("https://127.0.0.1:{}", town.door("https").port()));
    format!("/link/{path}")
}

fn use_link(web: &mut Web, link: &str, name: &str) -> Answer {
    let fields = [("name", name), ("password", PASSWORD), ("again", PASSWORD)];
    web.submit(link, link, &fields)
}

/// Somebody who has just become an admin.
pub(crate) fn admin(town: &Town) -> Web {
    let mut web = Web::new(town);
    assert!(use_link(&mut web, &link(town), "root").body.contains("root"));
    web
}

fn sign_in(web: &mut Web, name: &str, password: &str) -> Answer {
    web.submit("/sign-in", "/sign-in", &[("name", name), ("password", password)])
}

fn is_in(web: &mut Web) -> bool {
    web.get("/").status == 200
}

fn actors(town: &Town, deed: &str) -> Vec<String> {
    let list = town.ask("audit list");
    let entries = list.as_array().expect("a list").iter().filter(|entry| entry["deed"] == deed);
    entries.map(|entry| entry["actor"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_one_time_link_makes_one_admin() {
    let town = Town::start();
    let link = link(&town);
    let mut web = Web::new(&town);
    // Looking, as mail scanners do, uses nothing up; neither does a password that is too short.
    web.page(&link);
    let fields = [("name", "root"), ("password", "short"), ("again", "short")];
    web.submit(&link, &link, &fields);
    assert!(!is_in(&mut web));
    use_link(&mut web, &link, "root");
    assert!(is_in(&mut web));
    let mut late = Web::new(&town);
    let answer = late.get(&link);
    assert!(
        !is_in(&mut late) && (answer.status != 200 || !answer.body.contains("name=\"again\"")),
        "{}",
        answer.body
    );
    assert_eq!(actors(&town, "admin.create").len(), 1);
    let mut guess = Web::new(&town);
    let answer = guess.get("/link/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert!(!answer.body.contains("name=\"again\""), "{}", answer.body);
}

#[test]
fn an_admin_signs_in_with_a_password_and_out_again() {
    let town = Town::start();
    let mut web = admin(&town);
    let mut stolen = web.copy();
    let csrf = web.page("/").csrf();
    web.post("/sign-out", &[("csrf", &csrf)]);
    assert!(!is_in(&mut web));
    assert!(!is_in(&mut stolen), "a copy of the cookie outlives the sign-out");
    let mut again = Web::new(&town);
    sign_in(&mut again, "root", "not this one");
    assert!(!is_in(&mut again));
    sign_in(&mut again, "nobody", PASSWORD);
    assert!(!is_in(&mut again));
    sign_in(&mut again, "root", PASSWORD);
    assert!(is_in(&mut again));
}

#[test]
fn guessing_passwords_is_slowed_down() {
    let town = Town::start();
    admin(&town);
    let mut web = Web::new(&town);
    for number in 0..6 {
        sign_in(&mut web, "root", &format!("guess number {number}"));
    }
    sign_in(&mut web, "root", PASSWORD);
    assert!(!is_in(&mut web), "the seventh try within a minute is heard");
}

#[test]
fn every_page_is_there_and_none_can_be_made_to_run_foreign_code() {
    let town = Town::start();
    let bob = town.person("bob");
    let evil = "<script>alert(1)</script>";
    town.say(&["account", "add", "eve", "--name", evil]).well();
    town.ask("room create lunch");
    let session = town.as_person(&bob).id("<b>bold</b>").durable().connect();
    let mut web = admin(&town);
    let serial = &bob.serial;
    let more = [
        "/accounts/bob".to_owned(),
        "/accounts/eve".to_owned(),
        "/accounts/bob/enrol".to_owned(),
        format!("/certificates/{serial}"),
        format!("/certificates/{serial}/revoke"),
        "/rooms/lunch".to_owned(),
    ];
    for path in PAGES.iter().copied().chain(more.iter().map(String::as_str)) {
        let answer = web.page(path);
        assert_dressed(path, &answer);
        assert!(answer.header("content-type").starts_with("text/html"), "{path}");
        assert!(!answer.body.contains(evil) && !answer.body.contains("<b>bold"), "{path}: {}", answer.body);
    }
    let missing = web.get("/nothing/here");
    assert_eq!(missing.status, 404);
    assert_dressed("/nothing/here", &missing);
    assert_eq!(web.get("/accounts/nobody").status, 404);
    assert_eq!(web.get("/certificates/00FF").status, 404);
    for file in ["console.css", "console.js", "favicon.svg"] {
        let asset = web.page(&format!("/assets/{file}"));
        assert_eq!(asset.header("x-content-type-options"), "nosniff", "{file}");
    }
    assert_eq!(web.get("/assets/../Cargo.toml").status, 404);
    drop(session);
}

/// Whether a page carries the strict policy and nothing inline.
pub(crate) fn assert_dressed(path: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'"] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
    let body = answer.body.to_lowercase();
    for script in body.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').expect("a tag ends");
        assert!(tag.contains("src=\"/assets/") && rest.starts_with("</script>"), "{path}: <script{tag}>");
    }
    for tag in body.split('<').skip(1).filter_map(|tag| tag.split('>').next()) {
        let inline = tag.contains(" style=") || tag.contains(" onclick=") || tag.contains(" onload=");
        assert!(!inline && !tag.contains("javascript:") && !tag.starts_with("style"), "{path}: <{tag}>");
    }
}

#[test]
fn strangers_see_nothing_and_do_nothing() {
    let town = Town::start();
    town.ask("account add bob");
    let mut web = Web::new(&town);
    for path in PAGES.iter().copied().chain(["/accounts/bob", "/accounts/bob/enrol", "/nothing/here"]) {
        let answer = web.get(path);
        assert_ne!(answer.status, 200, "{path}");
        assert!(!answer.body.contains("bob"), "{path}: {}", answer.body);
        assert_dressed(path, &answer);
    }
    let csrf = web.page("/sign-in").csrf();
    for path in ["/accounts/bob/disable", "/accounts/bob/remove", "/accounts/new", "/accounts/bob/enrol"] {
        let fields = [("csrf", csrf.as_str()), ("confirmed", "yes"), ("account", "eve"), ("how", "pkcs12")];
        let answer = web.post(path, &fields);
        assert!(matches!(answer.status, 303 | 401 | 403), "{path}: {}", answer.status);
    }
    assert_eq!(town.ask("account list").as_array().map(Vec::len), Some(1));
    assert_eq!(town.ask("account show bob")["state"], "active");
    // The whole API is not at this door.
    assert_ne!(web.get("/api/v1/accounts").status, 200);
    assert_ne!(web.post("/api/v1/admin/link", &[]).status, 200);
    assert_eq!(web.page("/livez").body.trim(), "ok");
    assert_eq!(web.page("/readyz").body.trim(), "ok");
}

#[test]
fn a_form_without_its_token_or_from_another_site_changes_nothing() {
    let town = Town::start();
    let mut web = admin(&town);
    let csrf = web.page("/accounts").csrf();
    let other = admin_named(&town, "second").page("/accounts").csrf();
    for token in ["", "x", other.as_str()] {
        assert_eq!(web.post("/accounts/new", &[("account", "eve"), ("csrf", token)]).status, 403, "{token}");
    }
    assert_eq!(web.post("/accounts/new", &[("account", "eve")]).status, 403);
    let fields = [("account", "eve"), ("csrf", csrf.as_str())];
    for header in [
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        assert_eq!(web.post_with("/accounts/new", &[header], &fields).status, 403, "{header:?}");
    }
    let huge = "x".repeat(100_000);
    assert_eq!(web.post("/accounts/new", &[("account", &huge), ("csrf", &csrf)]).status, 413);
    assert_eq!(town.ask("account list"), serde_json::json!([]));
    // And with everything right it does.
    let origin = format!("https://localhost:{}", town.door("https").port());
    let here = [("Origin", origin.as_str()), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(web.post_with("/accounts/new", &here, &fields).status, 303);
    assert_eq!(town.ask("account show eve")["state"], "active");
}

fn admin_named(town: &Town, name: &str) -> Web {
    let mut web = Web::new(town);
    use_link(&mut web, &link(town), name);
    web
}

#[test]
fn the_console_does_what_the_command_line_does() {
    let town = Town::start();
    let mut web = admin(&town);
    let new = [
        ("account", "bob"),
        ("name", "Bob Brown"),
        ("mail", "bob@corp.example"),
        ("password", "correct horse"),
    ];
    web.submit("/accounts", "/accounts/new", &new);
    assert_eq!(town.ask("account show bob")["name"], "Bob Brown");
    let mut client = town.mqtt().id("b").password("bob", "correct horse").durable().connect();
    assert!(web.page("/sessions").body.contains("bob"));
    assert!(web.page("/sessions?topic=from/alice").body.contains("Nobody here would get a message"));
    client.subscribe(&[("from/#", 1)]);
    assert!(web.page("/sessions?topic=from/alice").body.contains("bob"));

    // A dangerous deed is asked about first.
    let asked = web.submit("/accounts/bob", "/accounts/bob/disable", &[]);
    assert!(asked.body.contains("confirmed") && town.ask("account show bob")["state"] == "active");
    web.submit("/accounts/bob", "/accounts/bob/disable", &[("confirmed", "yes")]);
    assert_eq!(town.ask("account show bob")["state"], "disabled");
    assert_ne!(client.ending(std::time::Duration::from_secs(1)), crate::town::client::Ending::StillThere);
    web.submit("/accounts/bob", "/accounts/bob/enable", &[]);
    assert_eq!(town.ask("account show bob")["state"], "active");

    let bob = town.enroll("bob");
    let revoke = format!("/certificates/{}/revoke", bob.serial);
    web.submit(&revoke, &revoke, &[("reason", "key-compromise")]);
    assert_eq!(town.ask(&format!("cert show {}", bob.serial))["state"], "revoked");
    assert!(web.page("/audit").body.contains("certificate.revoke"));
    assert!(
        actors(&town, "certificate.revoke")[0].contains("root"),
        "{:?}",
        actors(&town, "certificate.revoke")
    );

    web.submit("/rooms", "/rooms/new", &[("room", "lunch")]);
    web.submit("/rooms/lunch", "/rooms/lunch/add", &[("account", "bob")]);
    assert_eq!(town.ask("room show lunch")["members"], serde_json::json!(["bob"]));
    web.submit("/peers", "/peers/add", &[("domain", "elsewhere.example")]);
    assert_eq!(town.ask("peer list")[0]["domain"], "elsewhere.example");
    // What is refused changes nothing and says why.
    let twice = web.submit("/accounts", "/accounts/new", &[("account", "bob")]);
    assert!(twice.body.contains("already"), "{}", twice.body);
    assert_eq!(town.ask("audit verify")["intact"], true);
}

#[test]
fn a_request_pasted_into_the_console_is_signed() {
    let town = Town::start();
    town.ask("account add bob");
    let (key, csr) = (town.path("key.pem"), town.path("bob.csr"));
    let words =
        ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=bob"];
    tell("openssl", &[&words[..], &["-keyout", text(&key), "-out", text(&csr)]].concat()).well();
    let request = fs::read_to_string(&csr).expect("a request");
    let answer = admin(&town).submit(
        "/accounts/bob/enrol",
        "/accounts/bob/enrol",
        &[("how", "csr"), ("csr", &request)],
    );
    let chain = data(&answer, "href=\"data:");
    let file = town.path("cert.pem");
    fs::write(&file, chain).expect("our own folder");
    mosquitto::publish(&town, text(&file), text(&key), "to/bob", "note to self").well();
}

/// The content of the first file that a page offers as a `data:` address.
fn data(answer: &Answer, before: &str) -> Vec<u8> {
    let href = answer.between(before, "\"").replace("&#38;", "&").replace("&amp;", "&");
    let (kind, content) = href.split_once(',').expect("a data address");
    match kind.ends_with(";base64") {
        true => STANDARD.decode(percent_decode_str(content).collect::<Vec<u8>>()).expect("base64"),
        false => percent_decode_str(content).collect(),
    }
}

#[test]
fn in_a_real_browser_an_admin_enrols_bob_and_his_files_work_in_an_ordinary_client() {
    let town = Town::start();
    let alice = town.person("alice");
    let browser = Browser::start(&town.path("downloads"));
    let link = town.ask("admin link")["link"].as_str().expect("a link").to_owned();
    browser.open(&link);
    browser.fill("#name", "root");
    browser.fill("#password", PASSWORD);
    browser.fill("#again", PASSWORD);
    browser.click("main button[type=submit]");
    browser.shows("header", "Signed in as root");

    let console = format!("https://127.0.0.1:{}", town.door("https").port());
    browser.open(&format!("{console}/accounts"));
    browser.fill("#account", "bob");
    browser.fill("form[action='/accounts/new'] [name=name]", "Bob Brown");
    browser.click("form[action='/accounts/new'] button[type=submit]");
    browser.shows("main", "bob");

    // A PKCS#12 file, made by the house.
    browser.open(&format!("{console}/accounts/bob/enrol"));
    browser.click("section[aria-labelledby=way-pkcs12] button[type=submit]");
    let password = browser.text("code.once");
    browser.click("a[download$='.p12']");
    let archive = browser.download("bob.p12");
    let pem = town.path("bob.pem");
    let pass = format!("pass:{password}");
    tell("openssl", &["pkcs12", "-in", text(&archive), "-passin", &pass, "-nodes", "-out", text(&pem)])
        .well();
    let folder = town.path("from-console");
    fs::create_dir(&folder).expect("our own folder");
    for name in ["cert.pem", "key.pem"] {
        fs::copy(&pem, folder.join(name)).expect("our own folder");
    }
    let bob = Person { name: "bob".into(), serial: String::new(), folder };
    let listener = mosquitto::listen(&town, &bob, "bob-1", "from/#");
    town.as_person(&alice).connect().say("to/bob", "welcome");
    assert_eq!(listener.line(), "from/alice welcome");

    // A key that never leaves the browser.
    browser.open(&format!("{console}/accounts/bob/enrol"));
    browser.click("form[data-browser-key] button[type=submit]");
    browser.shows("main", "Private key");
    browser.click("[data-key-file]");
    let key = browser.download("bob.key.pem");
    browser.click("section[aria-labelledby=files] a[download]");
    let chain = browser.download(&newest_other(&town, &["bob.p12", "bob.key.pem"]));
    mosquitto::publish(&town, text(&chain), text(&key), "to/alice", "from my own key").well();
    town.as_person(&alice).connect().listen("from/#").hears("from/bob", "from my own key");

    assert!(browser.url().starts_with(&console));
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|line| !line.contains("Content Security Policy")), "{complaints:?}");
}

/// The name of the saved file that is none of these.
fn newest_other(town: &Town, known: &[&str]) -> String {
    let find = || {
        let files = fs::read_dir(town.path("downloads")).ok()?.flatten();
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        let mut others =
            names.filter(|name| !known.contains(&name.as_str()) && !name.ends_with(".crdownload"));
        others.find(|name| !name.starts_with('.'))
    };
    crate::town::tools::poll(std::time::Duration::from_secs(20), find).expect("another file is saved")
}
