//! Mail: what no device takes is told of by mail, once in a while, and never by its words. The relay is a real Postfix.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::town::client::Client;
use crate::town::postfix::Postfix;
use crate::town::tools::{eventually, poll};
use crate::town::{Person, Town};

const SECRET: &str = "the-launch-code-is-1234";

/// Alice at the door, hearing what becomes of her messages.
fn author(town: &Town, alice: &Person) -> Client {
    town.as_person(alice).id("a").durable().connect().listen("receipt/#")
}

/// The envelopes, newest first, once this holds of the newest.
fn envelope(town: &Town, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let found = poll(Duration::from_secs(20), || {
        let list = town.ask("outbox list");
        list.get(0).filter(|newest| holds(newest)).cloned()
    });
    found.unwrap_or_else(|| panic!("{what} is not in {:#}\n{}", town.ask("outbox list"), town.log()))
}

#[test]
fn whoever_is_away_gets_one_mail_in_a_window_and_never_the_words() {
    let postfix = Postfix::start();
    let town = Town::plan().smtp(&postfix).grace("2s").start();
    let [alice, _carol] = town.people(["alice", "carol"]);
    let mut alice = author(&town, &alice);
    let began = Instant::now();
    for number in 0..3 {
        alice.say("to/carol", &format!("{SECRET} {number}"));
    }
    let mails = postfix.wait_for_mail("carol", 1);
    assert!(began.elapsed() >= Duration::from_secs(2), "mail overtook the grace: {:?}", began.elapsed());
    let mail = &mails[0];
    assert!(!mail.contains(SECRET) && !mail.contains("launch"), "{mail}");
    assert!(mail.contains("3 messages") && mail.contains("alice"), "{mail}");
    assert!(mail.contains("From: ") && mail.contains("chancery@corp.example"), "{mail}");
    for _ in 0..3 {
        assert_eq!(alice.hear().text(), "mailed");
    }
    // More arrive all the time: at most one mail per window tells of them.
    let began = Instant::now();
    let mut said = 0;
    while began.elapsed() < Duration::from_secs(5) {
        alice.say("to/carol", SECRET);
        said += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    let mails = postfix.wait_for_mail("carol", 2);
    assert!((2..=5).contains(&mails.len()), "{} mails for {said} messages in five seconds", mails.len());
    // They are still owed to a device.
    assert_eq!(town.ask("account show carol")["waiting"], 3 + said);
}

#[test]
fn what_is_read_in_time_needs_no_mail() {
    let postfix = Postfix::start_for(&["carol"]);
    let town = Town::plan().smtp(&postfix).grace("2s").start();
    let [alice, carol] = town.people(["alice", "carol"]);
    let mut alice = author(&town, &alice);
    alice.say("to/carol", "quick");
    let mut device = town.as_person(&carol).id("c").durable().connect().listen("from/#");
    device.hears("from/alice", "quick");
    assert_eq!(alice.hear().text(), "delivered");
    let later = Instant::now() + Duration::from_secs(4);
    eventually("the grace is over", || Instant::now() > later);
    assert_eq!(postfix.maildir("carol").len(), 0);
    let envelopes = town.ask("outbox list");
    assert!(
        envelopes.as_array().expect("a list").iter().all(|one| one["state"] == "cancelled"),
        "{envelopes}"
    );
}

#[test]
fn a_relay_that_is_down_defers_and_later_delivers() {
    let mut postfix = Postfix::start();
    let town = Town::plan().smtp(&postfix).grace("1s").start();
    let [alice, _carol] = town.people(["alice", "carol"]);
    postfix.stop();
    let mut alice = author(&town, &alice);
    alice.say("to/carol", SECRET);
    let waiting = envelope(&town, "a deferred envelope", |one| one["state"] == "deferred");
    assert_eq!(waiting["account"], "carol");
    assert!(!waiting["next_at"].is_null() && !waiting["detail"].is_null(), "{waiting}");
    alice.ping();
    let status = town.cli("--json status").json();
    let outbox =
        status["checks"].as_array().and_then(|all| all.iter().find(|check| check["part"] == "outbox"));
    assert_eq!(outbox.expect("a check of the outbox")["verdict"], "warn");
    postfix.start_again();
    town.ask(&format!("outbox retry {}", waiting["id"].as_str().expect("an id")));
    assert!(postfix.wait_for_mail("carol", 1)[0].contains("alice"));
    envelope(&town, "a delivered envelope", |one| one["state"] == "delivered");
    assert_eq!(alice.hear().text(), "mailed");
}

#[test]
fn an_envelope_survives_kill_9_and_is_not_sent_twice() {
    let mut postfix = Postfix::start();
    let mut town = Town::plan().smtp(&postfix).grace("1s").start();
    let [alice, _carol] = town.people(["alice", "carol"]);
    postfix.stop();
    town.as_person(&alice).connect().say("to/carol", SECRET);
    let before = envelope(&town, "a deferred envelope", |one| one["state"] == "deferred");
    town.kill9();
    postfix.start_again();
    town.open();
    assert_eq!(
        town.ask(&format!("outbox show {}", before["id"].as_str().expect("an id")))["id"],
        before["id"]
    );
    town.cli(&format!("outbox retry {}", before["id"].as_str().expect("an id")));
    postfix.wait_for_mail("carol", 1);
    envelope(&town, "a delivered envelope", |one| one["state"] == "delivered");
    assert_eq!(postfix.maildir("carol").len(), 1);
}

#[test]
fn an_address_that_nobody_has_bounces_and_the_author_hears_why() {
    let postfix = Postfix::start();
    postfix.reject("carol@corp.example", 550);
    let town = Town::plan().smtp(&postfix).grace("1s").start();
    let [alice, _carol] = town.people(["alice", "carol"]);
    let mut alice = author(&town, &alice);
    alice.say("to/carol", SECRET);
    let bounced = envelope(&town, "a bounced envelope", |one| one["state"] == "bounced");
    assert!(bounced["detail"].as_str().is_some_and(|why| why.contains("550")), "{bounced}");
    let receipt = alice.hear();
    assert!(receipt.topic.starts_with("receipt/") && receipt.text().starts_with("failed: "), "{receipt:?}");
    // Once the address works, an admin tries again.
    postfix.accept("carol@corp.example");
    town.ask(&format!("outbox retry {}", bounced["id"].as_str().expect("an id")));
    postfix.wait_for_mail("carol", 1);
    assert_eq!(town.ask("account show carol")["waiting"], 1);
}

#[test]
fn a_relay_that_says_later_is_asked_later_and_an_admin_may_cancel() {
    let postfix = Postfix::start_with("smtpd_client_restrictions = defer\n");
    let town = Town::plan().smtp(&postfix).grace("1s").start();
    let [alice, _carol] = town.people(["alice", "carol"]);
    town.as_person(&alice).connect().say("to/carol", SECRET);
    let waiting = envelope(&town, "a deferred envelope", |one| one["state"] == "deferred");
    let id = waiting["id"].as_str().expect("an id");
    assert_eq!(town.ask(&format!("outbox cancel {id}"))["state"], "cancelled");
    town.refused(3, &format!("outbox cancel {id}"));
    town.refused(4, "outbox show 01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_eq!(postfix.maildir("carol").len(), 0);
}

#[test]
fn a_relay_may_be_spoken_to_in_tls_and_a_late_bounce_comes_to_the_sender() {
    let postfix = Postfix::start_with_tls();
    postfix.bounce_later("carol@corp.example");
    let town = Town::plan().smtps(&postfix).grace("1s").start();
    let [alice, _carol] = town.people(["alice", "carol"]);
    town.as_person(&alice).connect().say("to/carol", SECRET);
    envelope(&town, "an envelope the relay took", |one| one["state"] == "delivered");
    let report = &postfix.wait_for_mail("chancery", 1)[0];
    assert!(report.contains("carol@corp.example"), "{report}\n{}", postfix.log());
}

#[test]
fn an_account_without_an_address_waits_without_mail() {
    let postfix = Postfix::start();
    let town = Town::plan().smtp(&postfix).grace("1s").start();
    let alice = town.person("alice");
    town.ask("account add dave");
    town.as_person(&alice).connect().say("to/dave", SECRET);
    town.ask("account add carol --mail carol@corp.example");
    town.as_person(&alice).connect().say("to/carol", SECRET);
    postfix.wait_for_mail("carol", 1);
    assert_eq!(town.ask("account show dave")["waiting"], 1);
    assert_eq!(postfix.maildir("dave").len(), 0);
}
