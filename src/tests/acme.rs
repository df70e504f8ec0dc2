//! ACME, as certbot and lego speak it: a token is bound once, and from then on they renew by themselves.

use std::fs;

use crate::approval;
use crate::town::tools::{Told, tell};
use crate::town::{Town, text};

const HOST: &str = "web.corp.example";

/// A town with alice, who answers for a host.
struct Desk {
    town: Town,
    id: String,
    secret: String,
}

impl Desk {
    fn open(words: &str) -> Self {
        let town = Town::start();
        town.ask("account add alice --mail alice@corp.example");
        town.root();
        Self::of(town, words)
    }

    fn of(town: Town, words: &str) -> Self {
        let drawn = town.ask(&format!("cert token alice {words}"));
        let field = |name: &str| drawn[name].as_str().expect("a text").to_owned();
        Self { id: field("id"), secret: field("token"), town }
    }

    fn server(&self) -> String {
        format!("https://localhost:{}/acme/directory", self.town.door("https").port())
    }

    fn certbot(&self, line: &str) -> Told {
        let (root, folder) = (self.town.root(), self.town.path("certbot"));
        let (bundle, folder) = (format!("REQUESTS_CA_BUNDLE={}", text(&root)), text(&folder));
        let server = self.server();
        let places =
            ["--config-dir", folder, "--work-dir", folder, "--logs-dir", folder, "--server", &server];
        let words: Vec<&str> = line.split_whitespace().collect();
        tell("env", &[&[bundle.as_str(), "certbot"], &words[..], &places, &["--non-interactive"]].concat())
    }

    fn lego(&self, head: &str, verb: &str) -> Told {
        let (root, folder) = (self.town.root(), self.town.path("lego"));
        let bundle = format!("LEGO_CA_CERTIFICATES={}", text(&root));
        let line = format!(
            "--server {} --email alice@corp.example --accept-tos --path {} --http --http.port 127.0.0.1:0 {head} {verb}",
            self.server(),
            text(&folder)
        );
        let words: Vec<&str> = line.split_whitespace().collect();
        tell("env", &[&[bundle.as_str(), "lego"], &words[..]].concat())
    }

    fn certificates(&self) -> Vec<serde_json::Value> {
        let list = self.town.ask("cert list --account alice");
        list.as_array().expect("a list").clone()
    }

    /// Whether a chain is one for the host.
    fn verify(&self, chain: &str) {
        let root = self.town.root();
        let verify = ["verify", "-purpose", "sslserver", "-verify_hostname", HOST, "-CAfile", text(&root)];
        tell("openssl", &[&verify[..], &["-untrusted", chain, chain]].concat()).well();
    }
}

#[test]
fn certbot_binds_a_token_gets_a_certificate_renews_and_revokes_it() {
    let desk = Desk::open(&format!("--profile server --name {HOST}"));
    let binding = format!("--eab-kid {} --eab-hmac-key {}", desk.id, desk.secret);
    let told = desk.certbot(&format!(
        "certonly --standalone --agree-tos -m alice@corp.example --key-type ecdsa {binding} -d {HOST}"
    ));
    assert_eq!(told.code, 0, "{told:?}");
    let chain = desk.town.path(&format!("certbot/live/{HOST}/fullchain.pem"));
    desk.verify(text(&chain));
    let first = fs::read_to_string(&chain).expect("a chain");
    // Without the token: the account is bound. Another issuing CA makes no difference to it.
    desk.town.ask("ca roll");
    let told = desk.certbot("renew --force-renewal --no-random-sleep-on-renew");
    assert_eq!(told.code, 0, "{told:?}");
    assert_ne!(fs::read_to_string(&chain).expect("a chain"), first);
    desk.verify(text(&chain));
    assert_eq!(desk.certificates().len(), 2);
    let told =
        desk.certbot(&format!("revoke --cert-name {HOST} --reason superseded --no-delete-after-revoke"));
    assert_eq!(told.code, 0, "{told:?}");
    let states: Vec<_> = desk.certificates().iter().map(|line| line["state"].clone()).collect();
    assert!(states.contains(&"revoked".into()) && states.contains(&"active".into()), "{states:?}");
    // Another host was not granted.
    let told = desk.certbot("certonly --standalone --key-type ecdsa -d mail.corp.example");
    assert!(told.code != 0 && (told.out + &told.err).contains("mail.corp.example"));
    // And whoever leaves renews nothing.
    desk.town.ask("account disable alice");
    assert_ne!(desk.certbot("renew --force-renewal --no-random-sleep-on-renew").code, 0);
}

#[test]
fn lego_binds_a_token_gets_a_certificate_renews_and_revokes_it() {
    let desk = Desk::open(&format!("--profile server --name {HOST}"));
    let binding = format!("--eab --kid {} --hmac {} --domains {HOST}", desk.id, desk.secret);
    let told = desk.lego(&binding, "run");
    assert_eq!(told.code, 0, "{told:?}");
    let chain = desk.town.path(&format!("lego/certificates/{HOST}.crt"));
    desk.verify(text(&chain));
    // lego wants to be told the binding again, and does not use it: the account is there.
    let told = desk.lego(&binding, "renew --days 90 --no-random-sleep");
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(desk.certificates().len(), 2);
    let told = desk.lego(&binding, "revoke --reason 4");
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        desk.certificates().iter().any(|line| line["state"] == "revoked" && line["reason"] == "superseded")
    );
}

#[test]
fn an_account_without_a_token_or_with_a_wrong_one_is_refused() {
    let desk = Desk::open(&format!("--profile server --name {HOST}"));
    let wrong = desk.secret.chars().rev().collect::<String>();
    for binding in [String::new(), format!("--eab --kid {} --hmac {wrong}", desk.id)] {
        let told = desk.lego(&format!("{binding} --domains {HOST}"), "run");
        assert_ne!(told.code, 0, "{told:?}");
        fs::remove_dir_all(desk.town.path("lego")).expect("lego's folder");
    }
    assert!(desk.certificates().is_empty());
    let refusals = desk.town.ask("audit list");
    let refusals = refusals.as_array().expect("a list").iter();
    assert!(refusals.filter(|entry| entry["deed"] == "certificate.enroll").count() >= 2, "each is audited");
}

#[test]
fn the_directory_and_the_renewal_window_are_there_for_everybody() {
    let desk = Desk::open("");
    let root = desk.town.root();
    let get = |url: &str| -> serde_json::Value {
        let told = tell("curl", &["-sS", "-f", "--cacert", text(&root), url]).well();
        serde_json::from_str(&told).expect("JSON")
    };
    let directory = get(&desk.server());
    assert_eq!(directory["meta"]["externalAccountRequired"], true);
    let alice = desk.town.enroll("alice");
    let cert = alice.file("cert.pem");
    let shown = tell("openssl", &["x509", "-in", &cert, "-noout", "-ext", "authorityKeyIdentifier"]).well();
    let hex = |text: &str| -> Vec<u8> {
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        (0..digits.len() / 2)
            .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hex"))
            .collect()
    };
    let key = hex(shown.lines().last().expect("a line").trim().trim_start_matches("keyid:"));
    use base64::Engine;
    let encode = |bytes: Vec<u8>| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let id = format!("{}.{}", encode(key), encode(hex(&alice.serial)));
    let info = get(&format!("{}/{id}", directory["renewalInfo"].as_str().expect("a URL")));
    let window = &info["suggestedWindow"];
    let (start, end) = (window["start"].as_str().expect("a time"), window["end"].as_str().expect("a time"));
    assert!(start < end, "{info}");
    desk.town.ask("ca roll");
    let rolled = get(&format!("{}/{id}", directory["renewalInfo"].as_str().expect("a URL")));
    assert!(rolled["suggestedWindow"]["start"].as_str().expect("a time") < start, "{rolled}");
    desk.town.ask(&format!("cert revoke {}", alice.serial));
    let info = get(&format!("{}/{id}", directory["renewalInfo"].as_str().expect("a URL")));
    assert!(info["suggestedWindow"]["end"].as_str().expect("a time") < start, "{info}");
}

#[test]
fn lego_and_certbot_wait_while_an_order_is_processing() {
    let desk = Desk::of(approval::town("server"), &format!("--profile server --name {HOST}"));
    let binding = format!("--eab --kid {} --hmac {} --domains {HOST}", desk.id, desk.secret);
    let told = approval::approved_meanwhile(&desk.town, || desk.lego(&binding, "run"));
    assert_eq!(told.code, 0, "{told:?}");
    desk.verify(text(&desk.town.path(&format!("lego/certificates/{HOST}.crt"))));
    let desk = Desk::of(desk.town, &format!("--profile server --name {HOST}"));
    let line = format!(
        "certonly --standalone --agree-tos -m alice@corp.example --key-type ecdsa --eab-kid {} --eab-hmac-key {} -d {HOST}",
        desk.id, desk.secret
    );
    let told = approval::approved_meanwhile(&desk.town, || desk.certbot(&line));
    assert_eq!(told.code, 0, "{told:?}");
    desk.verify(text(&desk.town.path(&format!("certbot/live/{HOST}/fullchain.pem"))));
}

#[test]
fn an_order_that_an_admin_denies_is_invalid() {
    let desk = Desk::of(approval::town("server"), &format!("--profile server --name {HOST}"));
    let binding = format!("--eab --kid {} --hmac {} --domains {HOST}", desk.id, desk.secret);
    let told = std::thread::scope(|scope| {
        let asking = scope.spawn(|| desk.lego(&binding, "run"));
        desk.town.ask(&format!("cert deny {}", approval::awaited(&desk.town)));
        asking.join().expect("lego")
    });
    assert_ne!(told.code, 0, "{told:?}");
    assert!(desk.certificates().is_empty());
}
