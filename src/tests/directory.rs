//! People from LDAP: a real OpenLDAP server next door says who they are and whether that is their password.

use std::fs;
use std::time::Duration;

use crate::town::client::{Ending, Refused};
use crate::town::slapd::{Options, Slapd};
use crate::town::tools::{eventually, poll, tell};
use crate::town::web::Web;
use crate::town::{Person, Town, text};

/// A directory with alice and bob, who is in ops.
fn slapd() -> Slapd {
    let slapd = Slapd::start(Options::default());
    slapd.add_person("alice", "Alice Adams", "alice@corp.example", "wonderland");
    slapd.add_person("bob", "Bob Brown", "bob@corp.example", "builder42");
    slapd.add_group("ops", &["bob"]);
    slapd
}

/// A town that knows everybody there.
fn town(slapd: &Slapd) -> Town {
    let town = Town::plan().ldap(slapd).rule("group:ops", "both", "ops/#").start();
    eventually("the people are known", || count(&town) == 2);
    town
}

fn count(town: &Town) -> usize {
    town.ask("account list").as_array().map_or(0, Vec::len)
}

#[test]
fn people_sign_in_with_the_password_of_the_directory_and_write_to_each_other() {
    let slapd = slapd();
    let town = town(&slapd);
    let mut bob = town.mqtts(None).id("b").password("bob", "builder42").durable().connect().listen("from/#");
    let mut alice = town.mqtts(None).id("a").password("Alice", "wonderland").connect();
    alice.say("to/bob", "hello");
    bob.hears("from/alice", "hello");
    assert_eq!(town.mqtts(None).password("bob", "wrong").refused(), 0x86);
    assert_eq!(town.mqtts(None).password("bob", "").refused(), 0x86);
    assert_eq!(town.mqtts(None).password("nobody", "x").refused(), 0x86);
    assert_eq!(town.mqtts(None).password("*", "builder42").refused(), 0x86);
    // Groups are the directory's.
    bob.say("ops/door", "open");
    assert_eq!(alice.publish("ops/door", "open"), 0x87);
    let shown = town.ask("account show bob");
    assert_eq!((&shown["source"], &shown["name"]), (&"ldap".into(), &"Bob Brown".into()));
    assert_eq!(shown["mail"], "bob@corp.example");
    town.refused(3, "account remove bob");
    let test = town.ask("directory test");
    let server = &test["servers"][0];
    assert_eq!(
        (&test["kind"], &test["ok"], &server["sees_people"]),
        (&"ldap".into(), &true.into(), &true.into()),
        "{test}"
    );
    assert_eq!(server["advice"], serde_json::json!([]), "{test}");
}

#[test]
fn a_sync_brings_who_is_new_and_cuts_off_who_is_disabled_or_gone() {
    let slapd = slapd();
    let town = town(&slapd);
    slapd.add_person("carol", "Carol Clark", "carol@corp.example", "christmas");
    eventually("carol is known", || count(&town) == 3);
    assert_eq!(town.ask("directory sync")["changed"], 0, "nothing is left to do");
    let bob = town.enroll("bob");
    let mut by_certificate = town.as_person(&bob).id("b1").connect();
    let mut by_password = town.mqtts(None).id("b2").password("bob", "builder42").connect();
    let mut carol = town.mqtts(None).id("c").password("carol", "christmas").connect();
    slapd.disable("bob");
    slapd.remove("carol");
    for client in [&mut by_certificate, &mut by_password, &mut carol] {
        assert_eq!(client.ending(Duration::from_secs(2)), Ending::Disconnect(0x98));
    }
    assert_revoked(&town, &bob, "affiliation-changed");
    assert_eq!(town.mqtts(None).password("bob", "builder42").refused(), 0x86);
    assert_eq!(town.mqtts(None).password("carol", "christmas").refused(), 0x86);
    slapd.enable("bob");
    eventually("bob is back", || town.ask("account show bob")["state"] == "active");
    let bob = town.enroll("bob");
    town.as_person(&bob).connect().ping();
    // What an admin disabled here, the directory does not enable.
    town.ask("account disable bob");
    town.ask("directory sync");
    assert_revoked(&town, &bob, "affiliation-changed");
    assert_eq!(town.mqtts(None).password("bob", "builder42").refused(), 0x86);
}

/// The ledger and the list say so, and no handshake goes through.
fn assert_revoked(town: &Town, person: &Person, reason: &str) {
    let show = || town.ask(&format!("cert show {}", person.serial));
    eventually("the certificate is revoked", || show()["state"] == "revoked");
    assert_eq!(show()["reason"], reason);
    let list = town.path("now.crl");
    fs::write(&list, town.cli("ca crl").well()).expect("our own folder");
    let list = tell("openssl", &["crl", "-in", text(&list), "-noout", "-text"]).well();
    assert!(list.contains(&person.serial), "{list}");
    assert!(matches!(town.as_person(person).try_connect(), Err(Refused::Closed(_))));
}

#[test]
fn a_leavers_live_session_and_certificate_end_with_the_entry() {
    let slapd = slapd();
    let town = town(&slapd);
    let (alice, bob) = (town.enroll("alice"), town.enroll("bob"));
    let mut leaver = town.as_person(&alice).id("a").connect();
    let mut stays = town.as_person(&bob).id("b").connect();
    slapd.remove("alice");
    assert_eq!(leaver.ending(Duration::from_secs(2)), Ending::Disconnect(0x98));
    stays.ping();
    assert_revoked(&town, &alice, "cessation-of-operation");
    let deeds = town.ask("audit list");
    let deeds = deeds.as_array().expect("a list").iter();
    let of_alice: Vec<_> = deeds
        .filter(|entry| entry["subject"] == "alice" || entry["subject"] == alice.serial.as_str())
        .map(|entry| entry["deed"].as_str().unwrap_or_default())
        .collect();
    assert!(of_alice.starts_with(&["certificate.revoke", "account.leave"]), "{of_alice:?}");
}

#[test]
fn a_broken_search_takes_nobody_away_until_an_admin_has_seen_whom() {
    let slapd = slapd();
    slapd.add_people("clerk", 8);
    let mut town = Town::plan().ldap(&slapd).start();
    eventually("the people are known", || count(&town) == 10);
    let clerk = town.enroll("clerk0001");
    let mut live = town.as_person(&clerk).id("c").connect();

    // Somebody moves most of the company out of the filter.
    let config = fs::read_to_string(town.path("chancery.toml")).expect("the configuration");
    let narrow = "[directory.ldap]\nuser_filter = \"(&(objectClass=inetOrgPerson)(!(uid=clerk*)))\"\n";
    let broken = config.replace("[directory.ldap]\n", narrow);
    assert_ne!(broken, config);
    fs::write(town.path("chancery.toml"), &broken).expect("our own folder");
    town.restart();
    drop(live);
    let held = || town.ask("directory held")["leaving"].as_array().map_or(0, Vec::len);
    eventually("the brake holds the change", || held() == 8);
    let told = town.refused(3, "directory sync");
    assert!(told.contains("8 of 10") && told.contains("directory held"), "{told}");
    assert_eq!(town.ask(&format!("cert show {}", clerk.serial))["state"], "active");
    live = town.as_person(&clerk).id("c").connect();

    // It is told wherever an admin looks.
    let status = town.cli("--json status").json();
    let checks = status["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["part"] == "directory").expect("a check of the directory");
    assert_eq!(check["verdict"], "fail", "{check}");
    let told = town.cli("directory held").well();
    assert!(told.contains("clerk0007") && told.contains("no longer in the directory"), "{told}");
    let metrics = Web::new(&town).get("/metrics").body;
    assert!(metrics.contains("chancery_directory_held_people 8"), "{metrics}");
    let mut admin = Web::new(&town);
    let link = town.ask("admin link")["link"].as_str().expect("a link").to_owned();
    let link = link.split_once("/link/").map(|(_, secret)| format!("/link/{secret}")).expect("a link");
    let (name, password) = ("root", "a long enough password");
    admin.submit(&link, &link, &[("name", name), ("password", password), ("again", password)]);
    assert!(admin.page("/").body.contains("8 of 10 active people is held"));
    let deeds = town.ask("audit list");
    let holds = deeds.as_array().expect("a list").iter().filter(|entry| entry["deed"] == "directory.hold");
    assert_eq!(holds.count(), 1, "the same change is held once: {deeds}");

    // A release is of the change that was seen, and of no other.
    town.refused(3, "directory release 0011223344556677");
    let change = town.ask("directory held")["change"].as_str().expect("a change").to_owned();
    slapd.remove("alice");
    town.refused(3, &format!("directory release {change}"));
    live.ping();
    let change = town.ask("directory held")["change"].as_str().expect("a change").to_owned();
    assert_eq!(town.ask(&format!("directory release {change}"))["cut_off"], 9);
    assert_eq!(live.ending(Duration::from_secs(1)), Ending::Disconnect(0x98));
    assert_revoked(&town, &clerk, "cessation-of-operation");
    assert_eq!(count(&town), 1);
    assert_eq!(town.ask("directory held"), serde_json::json!({}));
}

#[test]
fn a_directory_that_shows_nobody_is_not_a_company_that_left() {
    let slapd = slapd();
    let mut town = town(&slapd);
    let bob = town.enroll("bob");
    let config = fs::read_to_string(town.path("chancery.toml")).expect("the configuration");
    let narrow = "[directory.ldap]\nuser_filter = \"(uid=nobody)\"\n";
    fs::write(town.path("chancery.toml"), config.replace("[directory.ldap]\n", narrow))
        .expect("our own folder");
    town.restart();
    assert!(town.cli("directory sync").err.contains("lists nobody"));
    eventually("the house says so", || town.log().contains("the directory lists nobody"));
    town.as_person(&bob).connect().ping();
    assert_eq!(count(&town), 2);
}

#[test]
fn while_the_directory_is_down_certificates_go_on_and_passwords_hear_0x88() {
    let mut slapd = slapd();
    let mut town = town(&slapd);
    let bob = town.enroll("bob");
    let mut there = town.as_person(&bob).id("b").connect();
    slapd.stop();
    // While it runs …
    assert_eq!(town.mqtts(None).password("alice", "wonderland").refused(), 0x88);
    assert_eq!(town.cli("directory sync").code, 1);
    assert_eq!(count(&town), 2, "an unreachable directory disables nobody");
    there.ping();
    // … and at a start.
    town.restart();
    assert_eq!(town.mqtts(None).password("alice", "wonderland").refused(), 0x88);
    town.as_person(&bob).connect().ping();
    let status = town.cli("--json status").json();
    let checks = status["checks"].as_array().expect("checks");
    let directory =
        checks.iter().find(|check| check["part"] == "directory").expect("a check of the directory");
    assert_eq!(directory["verdict"], "warn", "{directory}");
    slapd.start_again();
    let back = || town.mqtts(None).password("alice", "wonderland").try_connect().ok();
    poll(Duration::from_secs(20), back).expect("sign-in works again").ping();
}

#[test]
fn a_decision_is_explained_from_the_entry_to_the_door() {
    let slapd = slapd();
    let filter = "user_filter = \"(&(objectClass=inetOrgPerson)(!(title=Robot)))\"";
    let town = Town::plan().ldap(&slapd).with("directory.ldap", filter).start();
    eventually("the people are known", || count(&town) == 2);
    let explained = |name: &str| town.ask(&format!("directory explain {name}"));
    let bob = explained("Bob");
    assert_eq!((&bob["may_act"], &bob["decision"]), (&true.into(), &"may act".into()), "{bob}");
    assert_eq!(bob["known"]["groups"], serde_json::json!(["ops"]));
    let entry = &bob["entries"][0];
    assert_eq!(
        (&entry["passes_user_filter"], &entry["attributes"]["mail"][0]),
        (&true.into(), &"bob@corp.example".into())
    );

    slapd.disable("bob");
    eventually("bob may not act", || explained("bob")["may_act"] == false);
    let bob = explained("bob");
    assert_eq!(bob["decision"], "may not act: locked by an administrator (pwdAccountLockedTime)", "{bob}");
    assert_eq!(bob["entries"][0]["attributes"]["pwdAccountLockedTime"][0], "000001010000Z");
    assert_eq!(town.mqtts(None).password("bob", "builder42").refused(), 0x86, "every door agrees");
    town.ask("account disable alice");
    assert_eq!(explained("alice")["decision"], "may not act: disabled by an admin");

    slapd.modify_ldif(&format!(
        "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: r2\ncn: R2\nsn: R2\ntitle: Robot\n",
        slapd.person_dn("r2")
    ));
    let robot = town.cli("directory explain r2").well();
    assert!(
        robot.contains("user_filter does not let the entry") && robot.contains("passes_user_filter"),
        "{robot}"
    );
    assert_eq!(explained("nobody")["decision"], "is nobody here");
}

#[test]
fn a_sync_can_be_seen_before_it_is_done_under_other_settings_too() {
    let slapd = slapd();
    let town = town(&slapd);
    let preview = |words: &str| town.ask(&format!("directory preview {words}"));
    assert_eq!(preview("")["changes"], serde_json::json!([]));
    let config = fs::read_to_string(town.path("chancery.toml")).expect("the configuration");
    let narrow = "[directory.ldap]\nuser_filter = \"(uid=bob)\"\n";
    let other = town.path("other.toml");
    fs::write(&other, config.replace("[directory.ldap]\n", narrow)).expect("our own folder");
    let seen = preview(&format!("--with {}", text(&other)));
    let line = &seen["changes"][0];
    assert_eq!(
        (&line["account"], &line["what"], &seen["removed"]),
        (&"alice".into(), &"remove".into(), &1.into()),
        "{seen}"
    );
    assert_eq!(count(&town), 2, "nothing was done");
    fs::write(&other, "[directory.ldap]\nservers = []\nbase = \"\"\n").expect("our own folder");
    town.refused(2, &format!("directory preview --with {}", text(&other)));
    let shown = town.cli(&format!("directory preview --with {}", text(&town.path("chancery.toml")))).well();
    assert!(shown.contains("held"), "{shown}");
}

#[test]
fn in_an_outage_whoever_signed_in_today_may_do_so_again() {
    let mut slapd = slapd();
    let mut town = Town::plan().ldap(&slapd).with("directory.ldap", "password_ttl = \"0s\"").start();
    eventually("the people are known", || count(&town) == 2);
    town.mqtts(None).id("b").password("bob", "builder42").connect().ping();
    slapd.stop();
    // The hash takes its time, which nobody waited for.
    eventually("bob is let in", || town.mqtts(None).password("bob", "builder42").try_connect().is_ok());
    town.restart();
    town.mqtts(None).id("b").password("bob", "builder42").connect().ping();
    assert_eq!(town.mqtts(None).password("bob", "wrong").refused(), 0x86);
    assert_eq!(town.mqtts(None).password("alice", "wonderland").refused(), 0x88, "she was not here today");
    town.ask("account disable bob");
    assert_eq!(town.mqtts(None).password("bob", "builder42").refused(), 0x86);
}

#[test]
fn a_password_that_was_accepted_is_good_until_the_entry_changes() {
    let slapd = slapd();
    let town = town(&slapd);
    town.mqtts(None).id("b").password("bob", "builder42").connect().ping();
    let change = format!(
        "dn: {}\nchangetype: modify\nreplace: userPassword\nuserPassword: changed43\n",
        slapd.person_dn("bob")
    );
    slapd.modify_ldif(&change);
    eventually("the old one is refused", || {
        town.mqtts(None).password("bob", "builder42").try_connect().is_err()
    });
    town.mqtts(None).id("b").password("bob", "changed43").connect().ping();
}

#[test]
fn wrong_passwords_are_counted_at_all_doors_together() {
    let slapd = slapd();
    let town = town(&slapd);
    let mut web = Web::new(&town);
    let mut try_web = |name: &str, password: &str| {
        let fields = [("name", name), ("password", password)];
        web.submit("/enroll/sign-in", "/enroll/sign-in", &fields).status
    };
    for _ in 0..3 {
        assert_eq!(town.mqtts(None).password("Bob", "wrong").refused(), 0x86);
    }
    for _ in 0..2 {
        assert_eq!(try_web("bob", "wrong"), 403);
    }
    // Nobody hears whether the sixth is right.
    assert_eq!(town.mqtts(None).password("bob", "builder42").refused(), 0x9f);
    assert_eq!(try_web("bob", "builder42"), 429);
    let refusal = &town.ask("audit list")[0];
    assert!(refusal["details"].to_string().contains("too many wrong passwords"), "{refusal}");
    town.mqtts(None).password("alice", "wonderland").connect().ping();
}

#[test]
fn a_town_whose_directory_is_down_from_the_first_moment_opens_and_catches_up() {
    let mut slapd = slapd();
    slapd.stop();
    let town = Town::plan().ldap(&slapd).start();
    assert_eq!(count(&town), 0);
    assert_eq!(town.mqtts(None).password("alice", "wonderland").refused(), 0x88);
    slapd.start_again();
    poll(Duration::from_secs(20), || (town.cli("directory sync").code == 0).then_some(())).expect("a sync");
    town.mqtts(None).password("alice", "wonderland").connect().ping();
}

#[test]
fn somebody_renamed_in_the_directory_is_the_same_account() {
    let slapd = slapd();
    let town = town(&slapd);
    let bob = town.enroll("bob");
    let before = town.ask("account show bob")["id"].clone();
    let dn = slapd.person_dn("bob");
    slapd.modify_ldif(&format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=robert\ndeleteoldrdn: 1\n"));
    town.ask("directory sync");
    town.refused(4, "account show bob");
    assert_eq!(town.ask("account show robert")["id"], before);
    let mut alice =
        town.mqtts(None).id("a").password("alice", "wonderland").durable().connect().listen("from/#");
    town.as_person(&bob).connect().say("to/alice", "new name, same certificate");
    alice.hears("from/robert", "new name, same certificate");
}

/// Names are unique, so a swap once undid the whole sync at every turn.
#[test]
fn two_people_who_swap_their_names_keep_their_ids() {
    let slapd = slapd();
    let town = town(&slapd);
    let id = |name: &str| town.ask(&format!("account show {name}"))["id"].clone();
    let (alice, bob) = (id("alice"), id("bob"));
    let rename = |from: String, to: &str| {
        slapd.modify_ldif(&format!("dn: {from}\nchangetype: modrdn\nnewrdn: uid={to}\ndeleteoldrdn: 1\n"));
    };
    rename(slapd.person_dn("alice"), "aside");
    rename(slapd.person_dn("bob"), "alice");
    rename(slapd.person_dn("aside"), "bob");
    town.ask("directory sync");
    assert_eq!((id("bob"), id("alice")), (alice, bob));
}
