//! What the pages do in a real browser, under their policy; what OpenSSL says of a key made there.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/samples/mod.rs"]
mod samples;
#[path = "support/site.rs"]
mod site;

use std::{fs, path::Path, process::Command};

use browser::Browser;
use serde_json::json;
use site::Site;

const LOOK: &str = include_str!("support/look.js");

fn pages() -> Vec<(&'static str, String)> {
    samples::pages(&str::to_owned)
}

fn openssl(arguments: &[&str], input: &Path) -> String {
    let out =
        Command::new("openssl").args(arguments).arg("-in").arg(input).output().expect("openssl is installed");
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

#[test]
fn a_key_made_in_the_browser_signs_its_request_and_stays_there() {
    let site = Site::open(pages(), "enrolled");
    let browser = Browser::open();
    browser.visit(&site.url("enrol"));
    browser.click("form[data-browser-key] button");
    browser.until("return document.querySelector('h1').textContent === 'Certificate for alice'");

    let posted = site.posted();
    let [(path, fields)] = posted.as_slice() else { panic!("{posted:?}") };
    assert_eq!(path, "/accounts/alice/enrol");
    assert_eq!((fields["how"].as_str(), fields["csrf"].as_str()), ("csr", "c5rf-70ken"));
    assert!(!format!("{posted:?}").contains("PRIVATE KEY"));

    let home = tempfile::tempdir().expect("a folder");
    let (request, key) = (home.path().join("csr.pem"), home.path().join("key.pem"));
    fs::write(&request, &fields["csr"]).expect("the request is kept");
    assert!(openssl(&["req", "-verify", "-noout"], &request).contains("verify OK"));
    let text = openssl(&["req", "-noout", "-text", "-nameopt", "utf8"], &request);
    assert!(text.contains("NIST CURVE: P-256") && text.contains("ecdsa-with-SHA256"), "{text}");
    assert_eq!(openssl(&["req", "-noout", "-subject"], &request).trim(), "subject=", "it asks for no name");

    browser.click("[data-key-file]");
    fs::write(&key, browser.downloaded("alice.key.pem")).expect("the key is kept");
    assert_eq!(openssl(&["pkey", "-pubout"], &key), openssl(&["req", "-noout", "-pubkey"], &request));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn openssl_accepts_every_request_whatever_its_numbers() {
    let site = Site::open(pages(), "enrolled");
    let browser = Browser::open();
    browser.visit(&site.url("enrol"));
    // X.690 §8.3.2: no needless leading zero, one before a high bit.
    for (raw, der) in [
        ("0,0,1", "2,1,1"),
        ("128", "2,2,0,128"),
        ("0,0", "2,1,0"),
        ("0,200,7", "2,3,0,200,7"),
        ("127", "2,1,127"),
    ] {
        assert_eq!(browser.run(&format!("return integer(new Uint8Array([{raw}])).join()")), der);
    }
    let made = browser.run(
        "const all = []; for (let i = 0; i < 60; i += 1) all.push((await makeRequest()).csr); return all;",
    );
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("csr.pem");
    for request in made.as_array().expect("requests") {
        fs::write(&file, request.as_str().expect("PEM")).expect("the request is kept");
        assert!(openssl(&["req", "-verify", "-noout"], &file).contains("verify OK"));
    }
}

#[test]
fn a_refused_enrolment_offers_no_key() {
    let site = Site::open(pages(), "message");
    let browser = Browser::open();
    browser.visit(&site.url("enrol"));
    browser.click("form[data-browser-key] button");
    browser.until("return document.querySelector('h1').textContent === 'dmitri cannot be enabled here'");
    assert_eq!(browser.run("return document.querySelector('[data-key-slot]')"), json!(null));
    assert_eq!(browser.run("return document.activeElement.tagName"), "H1", "the answer is announced");
}

#[test]
fn the_other_ways_work_without_javascript() {
    let site = Site::open(pages(), "enrolled-pkcs12");
    let browser = Browser::open();
    browser.tell("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    browser.visit(&site.url("enrol"));
    let shown = |css: &str| browser.run(&format!("return document.querySelector('{css}').checkVisibility()"));
    assert_eq!(
        (shown("form[data-browser-key]"), shown("[data-without-script]")),
        (json!(false), json!(true))
    );

    browser.write("textarea[name=csr]", " by hand");
    browser.click("textarea[name=csr] ~ button, form:has(textarea) button");
    browser.until("return document.querySelector('h1').textContent.startsWith('PKCS#12')");
    let (_, fields) = site.posted().pop().expect("a form");
    assert_eq!((fields["how"].as_str(), fields["csr"].ends_with(" by hand")), ("csr", true));

    browser.click("a[download='alice.p12']");
    assert!(browser.downloaded("alice.p12").starts_with(b"-----BEGIN"), "the sample's bytes");
}

#[test]
fn no_page_breaks_the_policy_or_leaves_anyone_out() {
    let site = Site::open(pages(), "message");
    let browser = Browser::open();
    let mut trouble = Vec::new();
    for (name, _) in pages() {
        browser.visit(&site.url(name));
        for (scheme, width, height) in
            [("light", 1366, 900), ("dark", 1366, 900), ("light", 380, 800), ("dark", 768, 1000)]
        {
            let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
            browser.tell("Emulation.setEmulatedMedia", json!({"features": features}));
            let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
            browser.tell("Emulation.setDeviceMetricsOverride", screen);
            for found in browser.run(LOOK).as_array().expect("a list") {
                trouble.push(format!("{name} {scheme} {width}: {found}"));
            }
        }
        trouble.extend(browser.complaints().into_iter().map(|line| format!("{name}: {line}")));
    }
    assert!(trouble.is_empty(), "{}", trouble.join("\n"));
}

#[test]
fn a_page_that_breaks_the_policy_is_noticed() {
    let site =
        Site::open(vec![("inline", "<!doctype html><p style=\"color: red\">red</p>".to_owned())], "inline");
    let browser = Browser::open();
    browser.visit(&site.url("inline"));
    let complaints = browser.complaints();
    assert!(complaints.iter().any(|line| line.contains("Content Security Policy")), "{complaints:?}");
}

#[test]
fn words_without_a_break_do_not_push_the_page_sideways() {
    let site = Site::open(samples::pages(&|words| words.replace(' ', "").repeat(12)), "message");
    let browser = Browser::open();
    let mut trouble = Vec::new();
    for (name, _) in pages() {
        browser.visit(&site.url(name));
        for width in [380, 1366] {
            let screen = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
            browser.tell("Emulation.setDeviceMetricsOverride", screen);
            let wide = browser
                .run("const page = document.documentElement; return page.scrollWidth - page.clientWidth;");
            if wide != 0 {
                trouble.push(format!("{name} at {width}: {wide} pixels too wide"));
            }
        }
    }
    assert!(trouble.is_empty(), "{}", trouble.join("\n"));
}
