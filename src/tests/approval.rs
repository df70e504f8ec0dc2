//! Approval: where the operator wants it so, a request waits until an admin agrees, whichever way it came.

use std::fs;
use std::time::Duration;

use crate::town::browser::Browser;
use crate::town::tools::{poll, tell};
use crate::town::web::Web;
use crate::town::{Town, text};

/// A town with alice, in which an admin agrees to certificates of this profile.
pub(crate) fn town(profile: &str) -> Town {
    let town = Town::plan().with(&format!("authority.profile.{profile}"), "approval = true").start();
    town.ask("account add alice --mail alice@corp.example");
    town.root();
    town
}

/// Waits for the one request that waits.
pub(crate) fn awaited(town: &Town) -> String {
    let request = || town.ask("cert pending")[0]["request"].as_str().map(str::to_owned);
    poll(Duration::from_secs(30), request).expect("a request waits")
}

/// Agrees to the next request, while somebody asks again and again.
pub(crate) fn approved_meanwhile<T: Send>(town: &Town, ask: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let asking = scope.spawn(ask);
        let request = awaited(town);
        town.ask(&format!("cert approve {request}"));
        asking.join().expect("whoever asks")
    })
}

fn request(town: &Town, name: &str) -> String {
    let [key, csr] = ["key", "csr"].map(|kind| town.path(&format!("{name}.{kind}")));
    let words = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let files = ["-subj", "/CN=alice", "-keyout", text(&key), "-out", text(&csr)];
    tell("openssl", &[&words[..], &files].concat()).well();
    text(&csr).to_owned()
}

#[test]
fn the_command_line_says_that_a_request_waits_and_hands_out_what_was_approved() {
    let town = town("client");
    let csr = request(&town, "phone");
    let out = town.path("phone");
    let line = format!("cert enroll alice --csr {csr} --out {}", text(&out));
    let told = town.cli(&line).well();
    let id = awaited(&town);
    assert!(told.contains("waits") && told.contains(&id) && !out.exists(), "{told}");
    assert_eq!(town.ask(&line)["state"], "waiting");
    let listed = &town.ask("cert pending")[0];
    assert_eq!((&listed["account"], &listed["profile"]), (&"alice".into(), &"client".into()));
    let status = town.cli("--json status").json()["checks"].to_string();
    assert!(status.contains("1 request waits"), "{status}");
    town.refused(2, &format!("cert enroll alice --out {}", text(&out)));

    let serial = town.ask(&format!("cert approve {id}"))["serial"].clone();
    assert_eq!(town.ask(&line)["serial"], serial);
    assert!(out.join("cert.pem").exists());
    town.refused(4, &format!("cert approve {id}"));
    town.refused(4, "cert deny 0011");
    assert_eq!(town.ask("audit verify")["intact"], true);
}

#[test]
fn a_device_with_a_token_hears_202_until_an_admin_agrees_or_denies() {
    let town = town("client");
    let [phone, laptop] = ["phone", "laptop"].map(|name| request(&town, name));
    let asks = |csr: &str, token: &str| {
        let url = format!("https://localhost:{}/api/v1/enroll", town.door("https").port());
        let (root, bearer, body) = (town.root(), format!("Authorization: Bearer {token}"), format!("@{csr}"));
        let words = ["-sS", "-i", "--cacert", text(&root), "-H", &bearer, "--data-binary", &body, &url];
        tell("curl", &words).well().to_lowercase()
    };
    let token = || town.ask("cert token alice")["token"].as_str().expect("a token").to_owned();
    let (first, second) = (token(), token());
    let told = asks(&phone, &first);
    assert!(told.starts_with("http/2 202") || told.starts_with("http/1.1 202"), "{told}");
    assert!(told.contains("retry-after: 5") && told.contains("\"state\":\"waiting\""), "{told}");
    town.ask(&format!("cert deny {}", awaited(&town)));
    assert!(asks(&phone, &first).contains("denied"));
    asks(&laptop, &second);
    town.ask(&format!("cert approve {}", awaited(&town)));
    assert!(asks(&laptop, &second).contains("begin certificate"));
}

#[test]
fn in_a_real_browser_an_admin_sees_a_request_and_agrees() {
    let town = town("client");
    let csr = request(&town, "phone");
    let line = format!("cert enroll alice --csr {csr} --out {}", text(&town.path("phone")));
    town.ask(&line);
    let browser = Browser::start(&town.path("downloads"));
    let link = town.ask("admin link")["link"].as_str().expect("a link").to_owned();
    browser.open(&link);
    browser.fill("#name", "root");
    for field in ["#password", "#again"] {
        browser.fill(field, "a long enough password");
    }
    browser.click("main button[type=submit]");
    browser.shows("header", "Signed in as root");
    let console = format!("https://127.0.0.1:{}", town.door("https").port());
    browser.open(&format!("{console}/certificates"));
    browser.click("a[href='/pending']");
    browser.shows("main", "alice");
    browser.click("form[action$='/approve'] button");
    browser.shows("main", "was approved");
    let serial = browser.url().rsplit('/').next().expect("a serial").to_owned();
    assert_eq!(town.ask(&line)["serial"], serial.as_str());
    let deeds = town.ask("audit list").to_string();
    assert!(deeds.contains("certificate.approve") && deeds.contains("admin:root"), "{deeds}");
}

#[test]
fn the_console_denies_without_a_script() {
    let town = town("client");
    let csr = request(&town, "phone");
    let line = format!("cert enroll alice --csr {csr} --out {}", text(&town.path("phone")));
    town.ask(&line);
    let id = awaited(&town);
    let mut web = Web::new(&town);
    let link = town.ask("admin link")["link"].as_str().expect("a link").to_owned();
    let link = link.split_once("/link/").map(|(_, secret)| format!("/link/{secret}")).expect("a link");
    let word = "a long enough password";
    web.submit(&link, &link, &[("name", "root"), ("password", word), ("again", word)]);
    web.submit("/pending", &format!("/pending/{id}/deny"), &[]);
    assert!(fs::read_dir(town.path("phone")).is_err() && town.refused(3, &line).contains("denied"));
    // Somebody else was quicker.
    assert!(web.submit("/pending", &format!("/pending/{id}/approve"), &[]).body.contains("no request"));
}
