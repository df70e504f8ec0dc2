//! EST, as curl and strongSwan speak it: a token for the first certificate, the certificate for the next.

use std::fs;

use crate::approval;
use crate::town::tools::tell;
use crate::town::{Person, Town, text};

/// An account, and the name and secret of a token for one of its certificates.
pub(crate) fn token(town: &Town, words: &str) -> String {
    let drawn = town.ask(&format!("cert token alice {words}"));
    format!("{}:{}", drawn["id"].as_str().expect("a name"), drawn["token"].as_str().expect("a secret"))
}

/// A key and a request in DER, by openssl.
pub(crate) fn request(town: &Town, name: &str, subject: &str) -> (String, String) {
    let [key, csr] = ["key.pem", "csr.der"].map(|kind| town.path(&format!("{name}.{kind}")));
    let (key, csr) = (text(&key).to_owned(), text(&csr).to_owned());
    let words =
        ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject];
    tell("openssl", &[&words[..], &["-keyout", &key, "-outform", "DER", "-out", &csr]].concat()).well();
    (key, csr)
}

/// `curl` to a path of the house's EST; the status, and the body.
fn curl(town: &Town, path: &str, words: &[&str]) -> (String, String) {
    let url = format!("https://localhost:{}/.well-known/est/{path}", town.door("https").port());
    let root = town.root();
    let all = [&["-sS", "--cacert", text(&root), "-w", "\n%{http_code}"], words, &[&url]].concat();
    let said = tell("curl", &all).well();
    let (body, status) = said.rsplit_once('\n').expect("a status");
    (status.to_owned(), body.to_owned())
}

/// Posts a request as RFC 7030 wants it, in base64 with line ends.
pub(crate) fn enroll(town: &Town, path: &str, csr: &str, words: &[&str]) -> (String, String) {
    let encoded = town.path("request.b64");
    tell("openssl", &["base64", "-in", csr, "-out", text(&encoded)]).well();
    let body = format!("@{}", text(&encoded));
    let kind = ["-H", "Content-Type: application/pkcs10", "--data-binary", &body];
    curl(town, path, &[&kind[..], words].concat())
}

/// The certificate in an answer, as a person's files.
pub(crate) fn keep(town: &Town, answer: &str, key: &str) -> Person {
    let folder = town.path(&format!("kept-{}", fs::read_dir(town.path("")).expect("our own folder").count()));
    fs::create_dir(&folder).expect("our own folder");
    fs::write(folder.join("p7.b64"), format!("{answer}\n")).expect("our own folder");
    let [encoded, der, cert] = ["p7.b64", "p7.der", "cert.pem"].map(|name| folder.join(name));
    tell("openssl", &["base64", "-d", "-A", "-in", text(&encoded), "-out", text(&der)]).well();
    let print = ["pkcs7", "-inform", "DER", "-in", text(&der), "-print_certs", "-out", text(&cert)];
    tell("openssl", &print).well();
    let issuer = town.ask("ca show");
    fs::write(folder.join("chain.pem"), issuer["chain"].as_str().expect("PEM")).expect("our own folder");
    fs::copy(town.root(), folder.join("root.pem")).expect("our own folder");
    fs::copy(key, folder.join("key.pem")).expect("our own folder");
    let shown = tell("openssl", &["x509", "-in", text(&cert), "-noout", "-serial"]).well();
    let serial = shown.trim().trim_start_matches("serial=").to_owned();
    Person { name: "alice".into(), serial, folder }
}

#[test]
fn curl_enrols_with_a_token_and_renews_with_the_certificate() {
    let town = Town::start();
    town.ask("account add alice --mail alice@corp.example");
    let (key, csr) = request(&town, "phone", "/CN=alice");
    let token = token(&town, "");
    let (status, answer) = enroll(&town, "simpleenroll", &csr, &["-u", &token]);
    assert_eq!(status, "200", "{answer}");
    assert!(!answer.trim_end().contains('\n'), "one line, for strongSwan");
    let phone = keep(&town, &answer, &key);
    town.as_person(&phone).connect().ping();
    // Renewal, by mutual TLS, with a new key.
    let (next, csr) = request(&town, "next", "/CN=alice");
    let (cert, key) = (phone.file("cert.pem"), phone.file("key.pem"));
    let (status, answer) = enroll(&town, "simplereenroll", &csr, &["--cert", &cert, "--key", &key]);
    assert_eq!(status, "200", "{answer}");
    let renewed = keep(&town, &answer, &next);
    assert_ne!(renewed.serial, phone.serial);
    town.as_person(&renewed).connect().ping();
    // The token is used up, and nobody comes without.
    let (status, said) = enroll(&town, "simpleenroll", &csr, &["-u", &token]);
    assert!(status == "401" && said.contains("token"), "{status} {said}");
    let (status, _) = enroll(&town, "simpleenroll", &csr, &[]);
    assert_eq!(status, "401");
}

#[test]
fn everybody_may_ask_for_the_chain_and_for_what_a_request_should_be() {
    let town = Town::start();
    let (status, body) = curl(&town, "cacerts", &[]);
    assert_eq!(status, "200");
    let file = town.path("cacerts");
    fs::write(&file, body).expect("our own folder");
    let der = town.path("cacerts.der");
    tell("openssl", &["base64", "-d", "-A", "-in", text(&file), "-out", text(&der)]).well();
    let printed = tell("openssl", &["pkcs7", "-inform", "DER", "-in", text(&der), "-print_certs"]).well();
    assert!(
        printed.contains("corp.example root CA") && printed.contains("corp.example issuing CA"),
        "{printed}"
    );
    let (status, body) = curl(&town, "csrattrs", &[]);
    assert_eq!(status, "200");
    fs::write(&file, body).expect("our own folder");
    let shown = tell("openssl", &["asn1parse", "-in", text(&file), "-inform", "PEM"]);
    let shown = if shown.code == 0 {
        shown
    } else {
        tell("openssl", &["base64", "-d", "-A", "-in", text(&file), "-out", text(&der)]).well();
        tell("openssl", &["asn1parse", "-inform", "DER", "-in", text(&der)])
    };
    let shown = shown.well();
    assert!(shown.contains("id-ecPublicKey") && shown.contains("prime256v1"), "{shown}");
}

#[test]
fn a_token_is_good_for_its_profile_and_its_names_alone() {
    let town = Town::start();
    town.ask("account add alice");
    let token = token(&town, "--profile server --name web.corp.example");
    let (_, foreign) = request(&town, "foreign", "/CN=mail.corp.example");
    let (key, csr) = request(&town, "web", "/CN=web.corp.example");
    let user = ["-u", &token];
    let (status, said) = enroll(&town, "client/simpleenroll", &csr, &user);
    assert!(status == "400" && said.contains("server"), "{status} {said}");
    let (status, said) = enroll(&town, "simpleenroll", &foreign, &user);
    assert!(status == "400" && said.contains("mail.corp.example"), "{status} {said}");
    let (status, said) = enroll(&town, "server/simpleenroll", &csr, &user);
    assert_eq!(status, "200", "{said}");
    let web = keep(&town, &said, &key);
    let (cert, chain, root) = (web.file("cert.pem"), web.file("chain.pem"), web.file("root.pem"));
    let verify =
        ["verify", "-purpose", "sslserver", "-verify_hostname", "web.corp.example", "-CAfile", &root];
    tell("openssl", &[&verify[..], &["-untrusted", &chain, &cert]].concat()).well();
}

#[test]
fn what_is_no_request_is_refused_in_est_words() {
    let town = Town::start();
    town.ask("account add alice");
    let (_, csr) = request(&town, "phone", "/CN=alice");
    let token = token(&town, "");
    let user = ["-u", token.as_str()];
    let (body, pkcs10) = (format!("@{csr}"), "Content-Type: application/pkcs10");
    let (status, said) = curl(&town, "simpleenroll", &[&user[..], &["--data-binary", &body]].concat());
    assert!(status == "415" && said.contains("application/pkcs10"), "{status} {said}");
    for nonsense in ["!", "AAAA", ""] {
        let words = [&user[..], &["-H", pkcs10, "--data-binary", nonsense]].concat();
        let (status, said) = curl(&town, "simpleenroll", &words);
        assert!(status == "400" && !said.trim().is_empty(), "{nonsense}: {status} {said}");
    }
    let large = town.path("large");
    fs::write(&large, vec![b'A'; 30_000]).expect("our own folder");
    let body = format!("@{}", text(&large));
    let (status, _) =
        curl(&town, "simpleenroll", &[&user[..], &["-H", pkcs10, "--data-binary", &body]].concat());
    assert_eq!(status, "413");
    // After all of this the token still serves, also for DER without base64.
    let (status, said) = enroll(&town, "simpleenroll", &csr, &user);
    assert_eq!(status, "200", "{said}");
}

#[test]
fn strongswan_gets_the_chain_enrols_and_renews() {
    let town = Town::start();
    town.ask("account add alice");
    let (key, csr) = request(&town, "phone", "/CN=alice");
    let url = format!("https://localhost:{}", town.door("https").port());
    let root = town.root();
    let ca = town.path("ca");
    let said = tell(
        "pki",
        &["--estca", "--url", &url, "--cacert", text(&root), "--caout", text(&ca), "--outform", "pem"],
    );
    assert_eq!(said.code, 0, "{}", said.err);
    let issuing = town.path("issuing.pem");
    fs::write(&issuing, town.ask("ca show")["chain"].as_str().expect("PEM")).expect("our own folder");
    let token = token(&town, "");
    let est =
        ["--est", "--url", &url, "--cacert", text(&root), "--cacert", text(&issuing), "--outform", "pem"];
    let enrolled = tell("pki", &[&est[..], &["--in", &csr, "--userpass", &token]].concat()).well();
    let cert = town.path("strong.pem");
    fs::write(&cert, &enrolled).expect("our own folder");
    let shown = tell("openssl", &["x509", "-in", text(&cert), "-noout", "-subject"]).well();
    assert!(shown.contains("alice"), "{shown}");
    let (_, next) = request(&town, "next", "/CN=alice");
    let renewed =
        tell("pki", &[&est[..], &["--in", &next, "--cert", text(&cert), "--key", &key]].concat()).well();
    assert!(renewed.contains("BEGIN CERTIFICATE") && renewed != enrolled);
}

#[test]
fn keys_are_made_for_devices_only_where_the_operator_allows_it() {
    let asks = |town: &Town| {
        town.ask("account add alice");
        let (_, csr) = request(town, "phone", "/CN=alice");
        let token = token(town, "");
        enroll(town, "serverkeygen", &csr, &["-u", &token])
    };
    let (status, said) = asks(&Town::start());
    assert!(status == "404" && said.contains("simpleenroll"), "{status} {said}");
    let town = Town::plan().with("authority", "server_key_generation = true").start();
    let (status, said) = asks(&town);
    assert_eq!(status, "200", "{said}");
    let parts: Vec<&str> =
        said.split("\r\n\r\n").skip(1).filter_map(|part| part.split("\r\n").next()).collect();
    let [key, certificate] = parts[..] else { panic!("two parts: {said}") };
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    let file = town.path("made.key");
    // OpenSSL wants lines of 64 letters.
    let lines: Vec<String> =
        key.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into()).collect();
    fs::write(&file, pem.replace(key, &lines.join("\n"))).expect("our own folder");
    town.as_person(&keep(&town, certificate, text(&file))).connect().ping();
}

#[test]
fn a_request_that_an_admin_has_to_agree_to_is_answered_by_202_and_the_same_again_by_the_certificate() {
    let mut town = approval::town("client");
    let (key, csr) = request(&town, "phone", "/CN=alice");
    let token = token(&town, "");
    let ask = |town: &Town| enroll(town, "simpleenroll", &csr, &["-u", &token, "-D", "-"]);
    let (status, said) = ask(&town);
    assert!(status == "202" && said.to_lowercase().contains("retry-after: 5"), "{status} {said}");
    // It waits through a restart, and the token is good for it and nothing else.
    town.restart();
    assert_eq!(ask(&town).0, "202");
    let (_, other) = request(&town, "other", "/CN=alice");
    assert_eq!(enroll(&town, "simpleenroll", &other, &["-u", &token]).0, "401");
    town.ask(&format!("cert approve {}", approval::awaited(&town)));
    let (status, answer) = enroll(&town, "simpleenroll", &csr, &["-u", &token]);
    assert_eq!(status, "200", "{answer}");
    let phone = keep(&town, &answer, &key);
    town.as_person(&phone).connect().ping();
    assert_eq!(enroll(&town, "simpleenroll", &csr, &["-u", &token]), (status, answer));
    // A renewal waits as well.
    let (_, next) = request(&town, "next", "/CN=alice");
    let (cert, key) = (phone.file("cert.pem"), phone.file("key.pem"));
    let renew = || enroll(&town, "simplereenroll", &next, &["--cert", &cert, "--key", &key]);
    assert_eq!(renew().0, "202");
    town.ask(&format!("cert approve {}", approval::awaited(&town)));
    assert_eq!(renew().0, "200");
}

#[test]
fn strongswan_waits_for_an_admin_by_itself() {
    let town = approval::town("client");
    let (_, csr) = request(&town, "phone", "/CN=alice");
    let (token, url) = (token(&town, ""), format!("https://localhost:{}", town.door("https").port()));
    let (root, issuing) = (town.root(), town.path("issuing.pem"));
    fs::write(&issuing, town.ask("ca show")["chain"].as_str().expect("PEM")).expect("our own folder");
    let est =
        ["--est", "--url", &url, "--cacert", text(&root), "--cacert", text(&issuing), "--outform", "pem"];
    let patience = ["--in", &csr, "--userpass", &token, "--interval", "1", "--maxpolltime", "60"];
    let told = approval::approved_meanwhile(&town, || tell("pki", &[&est[..], &patience].concat()));
    assert!(told.out.contains("BEGIN CERTIFICATE"), "{told:?}");
}
