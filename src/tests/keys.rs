//! Keys: signing in with a challenge signed by openssl, and every way in which that fails.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::console::admin;
use crate::town::client::{Client, Dial, Ending, PATIENCE};
use crate::town::packet::{self, AUTH_DATA, AUTH_METHOD, Packet, Properties};
use crate::town::tools::tell;
use crate::town::{DOMAIN, Town, text};

const METHOD: &str = "CHANCERY-SIGN-1";
const NOT_AUTHORIZED: u8 = 0x87;

/// The properties that carry our method with this data.
fn method(data: &[u8]) -> Properties {
    Properties::default().text(AUTH_METHOD, METHOD).text(AUTH_DATA, data)
}

/// A key pair in files.
struct Signer {
    private: PathBuf,
    public: PathBuf,
    /// As 32 hexadecimal digits.
    id: String,
}

impl Signer {
    /// Made by openssl and known to nobody yet.
    fn new(town: &Town, name: &str, algorithm: &str) -> Self {
        let [private, public, der] = ["key", "pub", "der"].map(|kind| town.path(&format!("{name}.{kind}")));
        let mut words = vec!["genpkey", "-algorithm", algorithm, "-out", text(&private)];
        if algorithm == "EC" {
            words.extend(["-pkeyopt", "ec_paramgen_curve:P-256"]);
        }
        tell("openssl", &words).well();
        let shown = ["pkey", "-in", text(&private), "-pubout", "-out"];
        tell("openssl", &[&shown[..], &[text(&public)]].concat()).well();
        tell("openssl", &[&shown[..], &[text(&der), "-outform", "DER"]].concat()).well();
        let digest = tell("openssl", &["dgst", "-sha256", "-r", text(&der)]).well();
        Self { private, public, id: digest[..32].to_owned() }
    }

    /// The same, registered for an account.
    fn of(town: &Town, account: &str, name: &str, algorithm: &str) -> Self {
        let new = Self::new(town, name, algorithm);
        let added = town.ask(&format!("key add {account} {} --name {name}", text(&new.public)));
        assert_eq!(added["id"], new.id.as_str(), "half the SHA-256 of the SubjectPublicKeyInfo");
        new
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let [asked, answer] = ["asked", "answer"].map(|kind| self.private.with_extension(kind));
        fs::write(&asked, message).expect("our own folder");
        let (key, asked, to) = (text(&self.private), text(&asked), text(&answer));
        tell("openssl", &["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", asked, "-out", to]).well();
        fs::read(&answer).expect("a signature")
    }

    /// The signature that the house asks for.
    fn answer(&self, domain: &str, client_id: &str, nonce: &[u8]) -> Vec<u8> {
        self.sign(
            &[METHOD.as_bytes(), b"\0", domain.as_bytes(), b"\0", client_id.as_bytes(), b"\0", nonce]
                .concat(),
        )
    }
}

/// What somebody answers to a challenge.
type Answer<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// Says CONNECT and is challenged.
fn challenged(dial: &Dial) -> (Client, Vec<u8>) {
    let mut client = dial.open().expect("the door is open");
    client.send(&dial.hello()).expect("CONNECT is sent");
    let nonce = nonce(&mut client);
    (client, nonce)
}

fn nonce(client: &mut Client) -> Vec<u8> {
    match client.packet(PATIENCE) {
        Ok(Some(Packet::Auth { code: 0x18 })) => {
            assert_eq!(client.said.texts[&AUTH_METHOD], METHOD.as_bytes());
            let nonce = client.said.texts[&AUTH_DATA].clone();
            assert_eq!(nonce.len(), 32);
            nonce
        }
        other => panic!("{other:?} instead of a challenge"),
    }
}

/// Sends a signature; the code of the CONNACK.
fn answered(client: &mut Client, signature: &[u8]) -> u8 {
    client.send(&packet::auth(0x18, &method(signature))).expect("AUTH is sent");
    match client.packet(PATIENCE) {
        Ok(Some(Packet::ConnAck { code, properties, .. })) => {
            if code == 0 {
                assert_eq!(properties.texts[&AUTH_METHOD], METHOD.as_bytes());
            }
            code
        }
        other => panic!("{other:?} instead of a CONNACK"),
    }
}

/// Signs in as it should be done; the client and the code of the CONNACK.
fn tries(dial: Dial, client_id: &str, signer: &Signer) -> (Client, u8) {
    let (mut client, nonce) = challenged(&dial.id(client_id).saying(method(signer.id.as_bytes())));
    let code = answered(&mut client, &signer.answer(DOMAIN, client_id, &nonce));
    (client, code)
}

fn signs_in(dial: Dial, client_id: &str, signer: &Signer) -> Client {
    let (client, code) = tries(dial, client_id, signer);
    assert_eq!(code, 0, "{client_id}");
    client
}

/// Proves itself anew; what the house says to it.
fn again(client: &mut Client, client_id: &str, named: &Signer, signer: &Signer) -> Packet {
    client.send(&packet::auth(0x19, &method(named.id.as_bytes()))).expect("AUTH is sent");
    let nonce = nonce(client);
    let signature = signer.answer(DOMAIN, client_id, &nonce);
    client.send(&packet::auth(0x18, &method(&signature))).expect("AUTH is sent");
    client.packet(PATIENCE).expect("the connection stands").expect("an answer")
}

fn session(town: &Town, client_id: &str) -> Value {
    let sessions = town.ask("session list");
    let sessions = sessions.as_array().expect("a list");
    sessions.iter().find(|one| one["client_id"] == client_id).expect("its session").clone()
}

/// What the audit says of refused clients, the newest first: subject and why.
fn refusals(town: &Town) -> Vec<(String, String)> {
    let list = town.ask("audit list");
    let refused = list.as_array().expect("a list").iter().filter(|entry| entry["deed"] == "session.refuse");
    refused
        .map(|entry| (entry["subject"].as_str().expect("a text").into(), entry["details"].to_string()))
        .collect()
}

/// 5.0 [MQTT-4.12.0-2], [MQTT-4.12.0-5]
#[test]
fn a_client_signs_in_with_a_p_256_or_an_ed25519_key() {
    let town = Town::start();
    town.ask("account add alice");
    for (algorithm, kind) in [("EC", "P-256"), ("ED25519", "Ed25519")] {
        let signer = Signer::of(&town, "alice", kind, algorithm);
        let mut client = signs_in(town.mqtts(None), kind, &signer).listen("from/#");
        client.say("to/alice", kind);
        client.hears("from/alice", kind);
        let session = session(&town, kind);
        assert_eq!((&session["account"], &session["key"]), (&"alice".into(), &signer.id.as_str().into()));
        client.leave();
    }
    let keys = town.ask("key list alice");
    let kinds: Vec<_> = keys.as_array().expect("a list").iter().map(|key| &key["kind"]).collect();
    assert_eq!(kinds, ["P-256", "Ed25519"]);
    assert_eq!(keys, town.ask("key list"));
}

#[test]
fn a_client_without_a_client_id_signs_an_empty_one() {
    let town = Town::start();
    town.ask("account add alice");
    let signer = Signer::of(&town, "alice", "phone", "ED25519");
    let mut client = signs_in(town.mqtt(), "", &signer);
    client.ping();
}

/// 5.0 [MQTT-4.12.0-4]
#[test]
fn every_wrong_answer_and_every_unknown_key_is_refused_alike() {
    let town = Town::start();
    town.ask("account add alice");
    let (signer, other) = (Signer::of(&town, "alice", "phone", "EC"), Signer::new(&town, "other", "EC"));
    let dial = |data: &[u8]| town.mqtts(None).id("phone").saying(method(data));
    let known = signer.id.as_bytes();
    let (_, earlier) = challenged(&dial(known));
    let answers: [(&str, &[u8], Answer<'_>); 10] = [
        ("another key's signature", known, &|nonce| other.answer(DOMAIN, "phone", nonce)),
        ("an earlier challenge", known, &|_| signer.answer(DOMAIN, "phone", &earlier)),
        ("another client id", known, &|nonce| signer.answer(DOMAIN, "tablet", nonce)),
        ("another house", known, &|nonce| signer.answer("evil.example", "phone", nonce)),
        ("the challenge alone", known, &|nonce| signer.sign(nonce)),
        ("nothing", known, &|_| Vec::new()),
        ("a broken signature", known, &|nonce| {
            let mut signature = signer.answer(DOMAIN, "phone", nonce);
            signature[40] ^= 1;
            signature
        }),
        ("a key that is not registered", other.id.as_bytes(), &|nonce| other.answer(DOMAIN, "phone", nonce)),
        ("no id", b"alice", &|nonce| signer.answer(DOMAIN, "phone", nonce)),
        ("no text", b"\xff", &|nonce| signer.answer(DOMAIN, "phone", nonce)),
    ];
    for (what, named, answer) in answers {
        let (mut client, nonce) = challenged(&dial(named));
        assert_eq!(answered(&mut client, &answer(&nonce)), NOT_AUTHORIZED, "{what}");
        assert_eq!(client.ending(PATIENCE), Ending::Closed, "{what}");
    }
    let refusals = refusals(&town);
    assert_eq!(refusals.len(), 10, "{refusals:?}");
    assert_eq!(refusals.iter().filter(|(subject, _)| *subject == signer.id).count(), 7, "{refusals:?}");
    assert_eq!(refusals.iter().filter(|(_, why)| why.contains("not signed by alice's key")).count(), 7);
    signs_in(town.mqtts(None), "phone", &signer);
}

#[test]
fn whoever_does_not_answer_a_challenge_is_closed_after_the_connect_timeout() {
    let town = Town::plan().with("door.limits", "connect_timeout = \"1s\"").start();
    let (mut client, _) = challenged(&town.mqtts(None).id("phone").saying(method(b"")));
    assert_eq!(client.ending(PATIENCE), Ending::Disconnect(0x80), "in a CONNACK, which has no word for it");
    assert_eq!(client.ending(PATIENCE), Ending::Closed);
}

#[test]
fn a_method_that_is_not_spoken_is_refused_as_such() {
    let town = Town::plan().guests().start();
    for other in ["SCRAM-SHA-256", "chancery-sign-1", ""] {
        let asked = Properties::default().text(AUTH_METHOD, other);
        assert_eq!(town.mqtt().id("a").saying(asked).refused(), 0x8C, "{other}");
    }
}

/// 5.0 [MQTT-4.12.0-5], [MQTT-4.12.1-1]
#[test]
fn whoever_changes_the_method_on_the_way_is_refused() {
    let town = Town::start();
    town.ask("account add alice");
    let signer = Signer::of(&town, "alice", "phone", "ED25519");
    let other = Properties::default().text(AUTH_METHOD, "OTHER");
    let (mut client, _) = challenged(&town.mqtts(None).id("phone").saying(method(signer.id.as_bytes())));
    client.send(&packet::auth(0x18, &other)).expect("AUTH is sent");
    assert_eq!(client.ending(PATIENCE), Ending::Disconnect(0x8C), "in a CONNACK");
    let mut client = signs_in(town.mqtts(None), "phone", &signer);
    client.send(&packet::auth(0x19, &other)).expect("AUTH is sent");
    assert_eq!(client.ending(PATIENCE), Ending::Disconnect(0x8C));
}

#[test]
fn user_name_and_certificate_must_agree_with_the_key() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let signer = Signer::of(&town, "alice", "phone", "ED25519");
    assert_eq!(tries(town.mqtts(None).named("bob"), "a", &signer).1, 0x86);
    assert_eq!(tries(town.mqtts(None).named("nobody"), "a", &signer).1, 0x86);
    assert_eq!(tries(town.as_person(&bob), "a", &signer).1, NOT_AUTHORIZED);
    assert_eq!(tries(town.mqtts(None).named("Alice"), "a", &signer).1, 0);
    assert_eq!(tries(town.as_person(&alice), "a", &signer).1, 0);
    town.ask(&format!("cert revoke {}", alice.serial));
    assert_eq!(tries(town.mqtts(None), "a", &signer).1, 0, "the key still stands");
}

#[test]
fn a_disabled_account_is_refused_and_one_that_is_enabled_again_is_not() {
    let town = Town::start();
    town.ask("account add alice");
    let signer = Signer::of(&town, "alice", "phone", "ED25519");
    let mut live = signs_in(town.mqtts(None), "phone", &signer);
    town.ask("account disable alice");
    assert_eq!(live.ending(PATIENCE), Ending::Disconnect(0x98));
    assert_eq!(tries(town.mqtts(None), "phone", &signer).1, NOT_AUTHORIZED);
    town.ask("account enable alice");
    signs_in(town.mqtts(None), "phone", &signer);
}

#[test]
fn a_client_proves_itself_anew_while_messages_go_on() {
    let town = Town::start();
    town.ask("account add alice");
    let old = Signer::of(&town, "alice", "old", "EC");
    let new = Signer::of(&town, "alice", "new", "ED25519");
    let mut client = signs_in(town.mqtts(None), "phone", &old).listen("from/#");
    for signer in [&old, &new] {
        let answer = again(&mut client, "phone", signer, signer);
        assert!(matches!(answer, Packet::Auth { code: 0 }), "{answer:?}");
        assert_eq!(session(&town, "phone")["key"], signer.id.as_str());
        client.say("to/alice", "still here");
        client.hears("from/alice", "still here");
    }
    town.ask(&format!("key remove {}", old.id));
    client.ping();
    town.ask(&format!("key remove {}", new.id));
    assert_eq!(client.ending(PATIENCE), Ending::Disconnect(0x98));
}

/// 5.0 [MQTT-4.12.1-2]
#[test]
fn a_client_that_cannot_prove_itself_anew_as_who_it_was_is_disconnected() {
    let town = Town::start();
    for name in ["alice", "bob"] {
        town.ask(&format!("account add {name}"));
    }
    let alice = Signer::of(&town, "alice", "hers", "ED25519");
    let bob = Signer::of(&town, "bob", "his", "ED25519");
    let refused = Packet::Disconnect { code: NOT_AUTHORIZED };
    for (named, signer) in [(&alice, &bob), (&bob, &bob), (&bob, &alice)] {
        let mut client = signs_in(town.mqtts(None), "phone", &alice);
        assert_eq!(again(&mut client, "phone", named, signer), refused);
        assert_eq!(client.ending(PATIENCE), Ending::Closed);
    }
    let refusals = refusals(&town);
    assert!(refusals.iter().all(|(subject, _)| subject == "alice"), "{refusals:?}");
    assert_eq!(refusals.len(), 3);
}

#[test]
fn a_removed_key_ends_its_sessions_and_no_others() {
    let town = Town::start();
    let alice = town.person("alice");
    let [lost, kept] = ["lost", "kept"].map(|name| Signer::of(&town, "alice", name, "ED25519"));
    let mut with_lost = signs_in(town.mqtts(None), "lost", &lost);
    let mut with_kept = signs_in(town.mqtts(None), "kept", &kept);
    let mut with_certificate = town.as_person(&alice).id("certified").connect();
    let removed = town.ask(&format!("key remove {}", lost.id.to_uppercase()));
    assert_eq!((&removed["account"], &removed["sessions_ended"]), (&"alice".into(), &1.into()));
    assert_eq!(with_lost.ending(PATIENCE), Ending::Disconnect(0x98));
    with_kept.ping();
    with_certificate.ping();
    assert_eq!(tries(town.mqtts(None), "lost", &lost).1, NOT_AUTHORIZED);
    town.refused(4, &format!("key remove {}", lost.id));
    town.refused(4, "key remove nonsense");

    // Removed between the challenge and the answer.
    let dial = town.mqtts(None).id("kept").saying(method(kept.id.as_bytes()));
    let (mut client, nonce) = challenged(&dial);
    town.ask(&format!("key remove {}", kept.id));
    assert_eq!(answered(&mut client, &kept.answer(DOMAIN, "kept", &nonce)), NOT_AUTHORIZED);
}

#[test]
fn an_admin_removes_a_key_in_the_console_after_a_question() {
    let town = Town::start();
    town.ask("account add alice");
    let signer = Signer::of(&town, "alice", "phone", "ED25519");
    let mut client = signs_in(town.mqtts(None), "phone", &signer);
    let mut web = admin(&town);
    assert!(web.page("/sessions").body.contains(&signer.id), "how the client came in");
    let remove = format!("/keys/{}/remove", signer.id);
    assert!(web.submit("/accounts/alice", &remove, &[]).body.contains("confirmed"));
    client.ping();
    web.submit("/accounts/alice", &remove, &[("confirmed", "yes")]);
    assert_eq!(client.ending(PATIENCE), Ending::Disconnect(0x98));
    assert_eq!(town.ask("key list"), Value::Array(Vec::new()));
    assert!(!web.page("/accounts/alice").body.contains(&signer.id));
}

#[test]
fn a_key_belongs_to_one_account_until_that_is_removed() {
    let town = Town::start();
    for name in ["alice", "bob"] {
        town.ask(&format!("account add {name}"));
    }
    let signer = Signer::of(&town, "alice", "phone", "EC");
    let file = text(&signer.public).to_owned();
    assert!(town.refused(3, &format!("key add alice {file}")).contains("already"));
    assert!(town.refused(3, &format!("key add bob {file}")).contains("somebody else's"));
    town.refused(4, &format!("key add nobody {file}"));
    town.refused(4, "key list nobody");
    let mut live = signs_in(town.mqtts(None), "phone", &signer);
    town.ask("account remove alice");
    assert_eq!(live.ending(PATIENCE), Ending::Disconnect(0x98));
    assert_eq!(town.ask("key list"), Value::Array(Vec::new()));
    town.ask(&format!("key add bob {file}"));
    assert_eq!(tries(town.mqtts(None).named("bob"), "phone", &signer).1, 0);
}

#[test]
fn an_account_has_at_most_twenty_keys() {
    let town = Town::start();
    town.ask("account add alice");
    let all: Vec<Signer> = (0..20).map(|n| Signer::of(&town, "alice", &format!("k{n}"), "ED25519")).collect();
    let more = Signer::new(&town, "more", "ED25519");
    let add = format!("key add alice {}", text(&more.public));
    assert!(town.refused(3, &add).contains("20 keys"));
    town.ask(&format!("key remove {}", all[7].id));
    town.ask(&add);
}

#[test]
fn only_public_keys_of_the_two_kinds_are_registered() {
    let town = Town::start();
    town.ask("account add alice");
    let signer = Signer::new(&town, "phone", "ED25519");
    let add = |file: &str| format!("key add alice {file}");
    assert!(town.refused(2, &add(text(&signer.private))).contains("nobody else's"));
    let rsa = Signer::new(&town, "rsa", "RSA");
    assert!(town.refused(2, &add(text(&rsa.public))).contains("Ed25519"));
    fs::write(town.path("words"), "no key").expect("our own folder");
    town.refused(2, &add(text(&town.path("words"))));
    town.refused(2, &format!("{} --name {}", add(text(&signer.public)), "x".repeat(65)));
    // The same key in DER.
    assert_eq!(town.ask(&add(text(&town.path("phone.der"))))["id"], signer.id.as_str());
    signs_in(town.mqtts(None), "phone", &signer);
}

#[test]
fn what_is_done_with_keys_is_in_the_audit() {
    let town = Town::start();
    town.ask("account add alice");
    let signer = Signer::of(&town, "alice", "phone", "EC");
    town.ask(&format!("key remove {}", signer.id));
    let list = town.ask("audit list");
    let about = |deed: &str| {
        let found = list.as_array().expect("a list").iter().find(|entry| entry["deed"] == deed);
        let entry = found.unwrap_or_else(|| panic!("{deed} is not in the audit"));
        (entry["subject"].as_str().expect("a text").to_owned(), entry["details"].to_string())
    };
    let (subject, details) = about("key.add");
    assert_eq!(subject, "alice");
    assert!(
        details.contains(&signer.id) && details.contains("P-256") && details.contains("phone"),
        "{details}"
    );
    let (subject, details) = about("key.remove");
    assert_eq!(subject, signer.id);
    assert!(details.contains("alice"), "{details}");
    assert_eq!(town.ask("audit verify")["intact"], true);
}
