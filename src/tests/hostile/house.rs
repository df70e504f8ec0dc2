//! The house at which they are thrown: alice and bob, a certificate, accounts of ACME, tokens that live, are spoilt and
//! are used.

use std::fs;

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::jose::Words;
use super::{corpus, der};
use crate::town::Town;
use crate::town::web::{Answer, Line, Web};

pub(super) struct House {
    pub(super) town: Town,
    https: Line,
    http: Line,
    words: Words,
    /// How many transactions of CMP were begun.
    begun: u64,
    /// How many certificates were issued so that something could be thrown at what follows.
    pub(super) opened: usize,
    /// What the open transaction was answered with.
    answered: Option<Vec<u8>>,
}

/// A request as it goes over the line, so that the very same can go twice.
pub(super) struct Request {
    plain: bool,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    announced: usize,
}

impl House {
    pub(super) fn open() -> Self {
        let town = Town::start();
        for name in ["alice", "bob"] {
            town.ask(&format!("account add {name} --mail {name}@corp.example"));
        }
        let (https, http) = (Line::https(&town), Line::http(&town));
        let mut house =
            Self { town, https, http, words: Words::default(), begun: 0, opened: 0, answered: None };
        house.words.learn("base", format!("https://{}/acme", house.https.host()));
        let first = Web::new(&house.town).get("/acme/new-nonce");
        house.words.learn("nonce", first.header("replay-nonce"));
        house.hand_out_tokens();
        house.issue_to_bob();
        house.lose_a_key();
        house.open_accounts();
        house
    }

    fn token(&self, account: &str) -> (String, String) {
        let drawn = self.town.ask(&format!("cert token {account}"));
        let field = |name: &str| drawn[name].as_str().expect("a text").to_owned();
        (field("id"), field("token"))
    }

    fn hand_out_tokens(&mut self) {
        for name in ["token", "spoilt", "used", "open"] {
            let (id, secret) = self.token("alice");
            let basic = STANDARD.encode(match name {
                "spoilt" => format!("{id}:wrong"),
                _ => format!("{id}:{secret}"),
            });
            let suffix = if name == "token" { "basic".into() } else { format!("basic {name}") };
            self.words.learn(&suffix, basic);
            self.words.learn(&format!("{name} secret"), secret);
            self.words.learn(name, id);
        }
    }

    fn issue_to_bob(&mut self) {
        let (_, secret) = self.token("bob");
        let issued = self.fulfilled("api", "helper/bob.der", &secret);
        let pem = issued["certificate"].as_str().expect("PEM");
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(lines).expect("PEM");
        self.words.learn("bob's certificate", URL_SAFE_NO_PAD.encode(&der));
        let serial = issued["serial"].as_str().expect("a serial").to_owned();
        // The content of authorityKeyIdentifier (RFC 5280 §4.2.1.1) begins nine octets behind its number.
        let at = der.windows(3).position(|part| part == [0x55, 0x1D, 0x23]).expect("an issuer's key") + 9;
        let id = [&der[at..at + 20], &octets(&serial)].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        self.words.learn("id of bob's certificate", id);
        self.words.learn("bob's serial", serial);
    }

    /// A certificate of alice's that is revoked; its token is the used one.
    fn lose_a_key(&mut self) {
        let secret = self.words.of("used secret").to_owned();
        let issued = self.fulfilled("api", "helper/alice-lost.der", &secret);
        self.town.ask(&format!(
            "cert revoke {} --reason key-compromise",
            issued["serial"].as_str().expect("a serial")
        ));
    }

    /// What our own API issues for a request of the corpus.
    fn fulfilled(&mut self, front: &str, file: &str, secret: &str) -> Value {
        let content = fs::read(corpus().join(file)).expect("a file of the corpus");
        let mut request = self.prepare(front, "csr/good", &content);
        request.headers = vec![("Authorization".into(), format!("Bearer {secret}"))];
        let answer = self.throw(&request);
        assert_eq!(answer.status, 200, "{file}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Accounts of ACME for alice, for bob, and one that is gone; orders of the first two.
    fn open_accounts(&mut self) {
        for (name, account) in [("alice", "alice"), ("bob", "bob"), ("gone", "alice")] {
            let (id, secret) = self.token(account);
            let live = self.words.of("token secret").to_owned();
            self.words.learn("token secret", secret);
            let key = format!("@jwk of {name}@");
            let binding = json!({
                "sign": "token",
                "protected": { "alg": "HS256", "kid": id, "url": "@url@" },
                "payload": key,
            });
            let protected = json!({ "alg": "EdDSA", "nonce": "@nonce@", "url": "@url@", "jwk": key });
            let payload = json!({ "externalAccountBinding": binding });
            let made = self.acme(
                "/acme/new-account",
                &json!({ "sign": name, "protected": protected, "payload": payload }),
            );
            let url = made.header("location").to_owned();
            self.words.learn("token secret", live);
            self.words.learn(&format!("{name}'s id"), url.rsplit('/').next().expect("a URL"));
            self.words.learn(name, url);
        }
        for (name, word) in [("alice", "order"), ("bob", "bob's order")] {
            let identifiers = json!({ "identifiers": [{ "type": "permanent-identifier", "value": name }] });
            let made = self.acme("/acme/new-order", &asked(name, &identifiers));
            self.words.learn(word, made.header("location").rsplit('/').next().expect("a URL"));
        }
        self.acme("/acme/account/@gone's id@", &asked("gone", &json!({ "status": "deactivated" })));
    }

    fn acme(&mut self, to: &str, message: &Value) -> Answer {
        let request = self.signed(to, message);
        let answer = self.throw(&request);
        assert!((200..300).contains(&answer.status), "{to}: {}", answer.body);
        answer
    }

    // --- throwing -----------------------------------------------------------------------------------------------

    /// A file of the corpus in the form in which a front would take it.
    pub(super) fn prepare(&mut self, front: &str, file: &str, content: &[u8]) -> Request {
        let folder = file.split('/').next().unwrap_or_default();
        match (folder, front) {
            ("csr", "est") => {
                let pem = content.starts_with(b"-----");
                let body = if pem { content.to_vec() } else { STANDARD.encode(content).into_bytes() };
                let headers = [("Content-Type", "application/pkcs10"), ("Authorization", "Basic @basic@")];
                self.post("/.well-known/est/simpleenroll", &headers, body)
            }
            ("csr", "api") => {
                self.post("/api/v1/enroll", &[("Authorization", "Bearer @token secret@")], content.to_vec())
            }
            ("csr", "cmp") => {
                let header = fs::read(corpus().join("helper/header.der")).expect("a file of the corpus");
                let (body, proof) =
                    (der::value(0xA4, content), der::value(0xA0, &der::value(3, &[&[0], MAC].concat())));
                let message = der::value(0x30, &[header, body, proof].concat());
                self.message(&message)
            }
            ("csr", _) => {
                let payload = json!({ "csr": URL_SAFE_NO_PAD.encode(content) });
                self.signed("/acme/order/@order@/finalize", &asked("alice", &payload))
            }
            ("cmp", _) => self.message(content),
            ("acme", _) => {
                let read: Value = serde_json::from_slice(content).expect("JSON");
                self.signed(read["to"].as_str().expect("a path"), &read["message"])
            }
            ("ocsp", _) => Request { plain: true, ..self.post("/ocsp", &[], content.to_vec()) },
            _ => Request { plain: front == "ocsp", ..self.whole(content) },
        }
    }

    /// Says it, and keeps the nonce that comes with every answer of ACME.
    pub(super) fn throw(&mut self, request: &Request) -> Answer {
        let headers: Vec<_> =
            request.headers.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let line = if request.plain { &mut self.http } else { &mut self.https };
        let answer = line.say(&request.method, &request.path, &headers, &request.body, request.announced);
        match answer.header("replay-nonce") {
            "" => {}
            nonce => self.words.learn("nonce", nonce),
        }
        answer
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Request {
        let headers =
            headers.iter().map(|(name, text)| ((*name).to_owned(), self.words.fill(text))).collect();
        let (method, path, announced) = ("POST".into(), self.words.fill(path), body.len());
        Request { plain: false, method, path, headers, body, announced }
    }

    /// A file that is a whole HTTP request: its line, its headers, an empty line, its body.
    fn whole(&self, content: &[u8]) -> Request {
        let at = content.windows(2).position(|pair| pair == b"\n\n").expect("an empty line");
        let (head, body) = (String::from_utf8_lossy(&content[..at]).into_owned(), &content[at + 2..]);
        let (line, headers) = head.split_once('\n').unwrap_or((&head, ""));
        let (method, path) = line.split_once(' ').expect("a method");
        let headers: Vec<_> = headers.lines().filter_map(|line| line.split_once(": ")).collect();
        let mut request = Request { method: method.into(), ..self.post(path, &headers, body.to_vec()) };
        if body == b"@megabyte@" {
            // Whoever announces a megabyte hears no once a small part of it was read.
            (request.body, request.announced) = (vec![b'A'; 64 * 1024], 1 << 20);
        }
        request
    }

    fn signed(&mut self, to: &str, message: &Value) -> Request {
        let path = self.words.fill(to);
        self.words.learn("url", format!("https://{}{path}", self.https.host()));
        let body = self.words.seal(message).to_string().into_bytes();
        self.post(&path, &[("Content-Type", "application/jose+json")], body)
    }

    // --- CMP ----------------------------------------------------------------------------------------------------

    /// A message with everything filled in, its MAC last.
    fn message(&mut self, template: &[u8]) -> Request {
        self.begun += 1;
        let transaction = [&b"message "[..], &self.begun.to_be_bytes()].concat();
        let in_open = holds(template, OPEN);
        let answered = if in_open { self.answered() } else { ANSWERED.to_vec() };
        let (token, secret) = if in_open { ("open", "open secret") } else { ("token", "token secret") };
        let serial = octets(self.words.of("bob's serial"));
        let mut message = template.to_vec();
        for (word, meaning) in [
            (FRESH, &transaction[..]),
            (ANSWERED, &answered),
            (TOKEN, self.words.of(token).as_bytes()),
            (SPOILT, self.words.of("spoilt").as_bytes()),
            (BOBS, &serial),
        ] {
            replace(&mut message, word, meaning);
        }
        if holds(&message, MAC) {
            let mac = proof(&message, self.words.of(secret));
            replace(&mut message, MAC, &mac);
        }
        self.post("/.well-known/cmp", &[("Content-Type", "application/pkixcmp")], message)
    }

    /// The nonce in the answer to a request whose certificate is still to be confirmed.
    fn answered(&mut self) -> Vec<u8> {
        if let Some(nonce) = &self.answered {
            return nonce.clone();
        }
        self.answered = Some(ANSWERED.to_vec());
        let good = fs::read(corpus().join("helper/alice.der")).expect("a file of the corpus");
        let mut header = fs::read(corpus().join("helper/header.der")).expect("a file of the corpus");
        replace(&mut header, FRESH, OPEN);
        let (body, proof) =
            (der::value(0xA4, &good), der::value(0xA0, &der::value(3, &[&[0], MAC].concat())));
        let request = self.message(&der::value(0x30, &[header, body, proof].concat()));
        let answer = self.throw(&request);
        assert_eq!(der::failure(&answer.bytes), None, "a good request");
        self.opened += 1;
        let nonce = der::header_field(&answer.bytes, 0xA5).expect("a nonce");
        self.answered = Some(nonce.clone());
        nonce
    }

    // --- what became of it --------------------------------------------------------------------------------------

    pub(super) fn certificates(&self) -> usize {
        self.town.ask("cert list --account alice").as_array().map_or(0, Vec::len)
            + self.town.ask("cert list --account bob").as_array().map_or(0, Vec::len)
    }

    pub(super) fn refusals(&self) -> usize {
        self.town.cli("audit export").well().lines().filter(|line| line.contains("refused")).count()
    }

    /// What the daemon holds in memory.
    pub(super) fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.town.pid())).expect("our child");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// The good request goes through every front, with the token that all the hostile ones showed.
    pub(super) fn serves_as_before(&mut self) {
        let good = fs::read(corpus().join("helper/alice.der")).expect("a file of the corpus");
        for front in ["est", "api", "cmp", "acme"] {
            let request = self.prepare(front, "csr/good", &good);
            let answer = self.throw(&request);
            assert!(
                answer.status == 200 && der::failure(&answer.bytes).is_none(),
                "{front}: {}",
                answer.body
            );
            self.take_a_fresh_token();
        }
    }

    /// A token for whatever comes next.
    pub(super) fn take_a_fresh_token(&mut self) {
        let (id, secret) = self.token("alice");
        self.words.learn("basic", STANDARD.encode(format!("{id}:{secret}")));
        self.words.learn("token secret", secret);
        self.words.learn("token", id);
    }
}

fn asked(name: &str, payload: &Value) -> Value {
    let protected = json!({ "alg": "EdDSA", "nonce": "@nonce@", "url": "@url@", "kid": format!("@{name}@") });
    json!({ "sign": name, "protected": protected, "payload": payload })
}

/// PasswordBasedMac (RFC 4211 §4.4) with the parameters that the corpus has, over header and body.
fn proof(message: &[u8], secret: &str) -> Vec<u8> {
    let whole = der::values(message);
    let parts = der::values(whole[0].2);
    let protected = der::value(0x30, &[parts[0].1, parts[1].1].concat());
    let mut key = [secret.as_bytes(), b"sixteen-salts-ok"].concat();
    for _ in 0..500 {
        key = digest::digest(&digest::SHA256, &key).as_ref().to_vec();
    }
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &protected).as_ref().to_vec()
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}

fn replace(bytes: &mut [u8], word: &[u8], meaning: &[u8]) {
    assert_eq!(word.len(), meaning.len());
    while let Some(at) = bytes.windows(word.len()).position(|part| part == word && part != meaning) {
        bytes[at..at + word.len()].copy_from_slice(meaning);
    }
}

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let octet = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hex");
    digits.chunks(2).map(octet).collect()
}

// As the corpus has them.
const FRESH: &[u8] = b"transaction-here";
const OPEN: &[u8] = b"open-transaction";
const ANSWERED: &[u8] = b"nonce-of-answer!";
const TOKEN: &[u8] = b"token's-name";
const SPOILT: &[u8] = b"other's-name";
const BOBS: &[u8] = b"serial-of-bob's!";
const MAC: &[u8] = b"the-mac-of-header-and-body-here!";
