//! The directory speaks: what changes there is so here at once, without anybody asking.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::console::admin;
use crate::photos;
use crate::town::Town;
use crate::town::client::Ending;
use crate::town::dirsrv::Dirsrv;
use crate::town::plan::Plan;
use crate::town::samba::Samba;
use crate::town::slapd::{Options, Slapd};
use crate::town::tools::eventually;

const SOON: Duration = Duration::from_secs(2);

fn slapd() -> Slapd {
    let slapd = Slapd::start(Options::default());
    slapd.add_person("alice", "Alice Adams", "alice@corp.example", "wonderland");
    slapd.add_person("bob", "Bob Brown", "bob@corp.example", "builder42");
    slapd
}

fn plan(slapd: &Slapd) -> Plan {
    Town::plan().ldap(slapd).with("directory.ldap", "group_filter = \"(objectClass=groupOfNames)\"")
}

fn is_known(town: &Town, name: &str) -> bool {
    town.cli(&format!("account show {name}")).code == 0
}

fn state(town: &Town, name: &str) -> String {
    town.ask(&format!("account show {name}"))["state"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_happened_while_the_house_was_closed_is_so_when_it_opens() {
    let slapd = slapd();
    let mut town = plan(&slapd).start();
    eventually("the people are known", || is_known(&town, "bob"));
    let bob = town.enroll("bob");
    town.stop();
    slapd.disable("bob");
    slapd.remove("alice");
    slapd.add_person("carol", "Carol Clark", "carol@corp.example", "christmas");
    town.open();
    eventually("it is caught up", || is_known(&town, "carol"));
    assert!(!is_known(&town, "alice"));
    assert_eq!(state(&town, "bob"), "disabled");
    eventually("the certificate is revoked", || {
        town.ask(&format!("cert show {}", bob.serial))["state"] == "revoked"
    });
    // Only the difference was told: nobody else was brought in anew.
    assert!(town.log().contains("added: 1, changed: 1, removed: 1"), "{}", town.log());
    town.restart();
    eventually("it is followed", || town.ask("directory test")["followed"]["protocol"].is_string());
    assert_eq!(town.log().matches("the directory was synced").count(), 2, "{}", town.log());
}

#[test]
fn rights_follow_groups_within_groups_while_people_are_connected() {
    let slapd = slapd();
    slapd.add_group("ops", &["alice"]);
    let dn = |group: &str| format!("cn={group},ou=groups,{}", slapd.base);
    // A circle: operators are staff, and the staff is in operators.
    slapd.modify_ldif(&format!(
        "dn: {staff}\nchangetype: add\nobjectClass: groupOfNames\ncn: staff\nmember: {ops}\n\n\
         dn: {ops}\nchangetype: modify\nadd: member\nmember: {staff}\n",
        staff = dn("staff"),
        ops = dn("ops"),
    ));
    let town = plan(&slapd).rule("group:staff", "both", "plant/#").start();
    eventually("the people are known", || is_known(&town, "bob"));
    let mut alice = town.mqtts(None).id("a").password("alice", "wonderland").connect();
    let mut bob = town.mqtts(None).id("b").password("bob", "builder42").connect();
    eventually("alice is staff", || alice.publish("plant/valve", "open") == 0x10);
    assert_eq!(bob.publish("plant/valve", "open"), 0x87);

    let member = |verb: &str, uid: &str| {
        let (ops, person) = (dn("ops"), slapd.person_dn(uid));
        slapd.modify_ldif(&format!("dn: {ops}\nchangetype: modify\n{verb}: member\nmember: {person}\n"));
    };
    member("add", "bob");
    eventually("bob is staff", || bob.publish("plant/valve", "open") == 0x10);
    member("delete", "alice");
    eventually("alice is not", || alice.publish("plant/valve", "open") == 0x87);
    slapd.modify_ldif(&format!("dn: {}\nchangetype: delete\n", dn("staff")));
    eventually("nobody is", || bob.publish("plant/valve", "open") == 0x87);
    let groups = town.ask("account show bob")["groups"].clone();
    assert_eq!(groups, json!(["ops"]));
}

#[test]
fn a_room_follows_its_group() {
    let slapd = slapd();
    slapd.add_group("ops", &["alice"]);
    let town = plan(&slapd).start();
    eventually("the people are known", || is_known(&town, "bob"));
    eventually("alice is in ops", || town.ask("account show alice")["groups"][0] == "ops");
    assert_eq!(town.ask("room create operations --group ops")["members"], json!(["alice"]));
    town.refused(3, "room add operations alice");
    let said = town.refused(3, "room remove operations alice");
    assert!(said.contains("group ops") && said.contains("directory"), "{said}");
    let mut alice = town.mqtts(None).id("a").password("alice", "wonderland").connect();
    let mut bob = town.mqtts(None).id("b").password("bob", "builder42").connect().listen("room/#");
    assert_eq!(bob.publish("room/operations", "anybody?"), 0x87);

    let dn = format!("cn=ops,ou=groups,{}", slapd.base);
    let member = |verb: &str, uid: &str| {
        let person = slapd.person_dn(uid);
        slapd.modify_ldif(&format!("dn: {dn}\nchangetype: modify\n{verb}: member\nmember: {person}\n"));
    };
    member("add", "bob");
    eventually("bob is in the room", || {
        town.ask("room show operations")["members"] == json!(["alice", "bob"])
    });
    alice.say("room/operations", "welcome");
    bob.hears("room/operations/alice", "welcome");
    member("delete", "alice");
    eventually("alice is not", || town.ask("room show operations")["members"] == json!(["bob"]));
    assert_eq!(alice.publish("room/operations", "still here?"), 0x87);
    bob.say("room/operations", "alone now");
    // Whoever is let in besides stays, whatever the group says.
    town.ask("room add operations alice");
    alice.say("room/operations", "back");
    bob.hears("room/operations/alice", "back");
}

#[test]
fn whoever_leaves_the_part_of_the_tree_that_is_ours_has_left() {
    let slapd = slapd();
    slapd.modify_ldif(&format!(
        "dn: ou=former,{}\nchangetype: add\nobjectClass: organizationalUnit\nou: former\n",
        slapd.base
    ));
    let town = Town::plan().ldap_under(&slapd, &format!("ou=people,{}", slapd.base)).start();
    eventually("the people are known", || is_known(&town, "bob"));
    let mut bob = town.mqtts(None).id("b").password("bob", "builder42").connect();
    slapd.modify_ldif(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: uid=bob\ndeleteoldrdn: 1\nnewsuperior: ou=former,{}\n",
        slapd.person_dn("bob"),
        slapd.base
    ));
    assert_eq!(bob.ending(SOON), Ending::Disconnect(0x98));
    assert!(!is_known(&town, "bob") && is_known(&town, "alice"));
}

#[test]
fn a_login_that_is_given_to_somebody_new_opens_nothing_of_the_old_one() {
    let slapd = slapd();
    let town = plan(&slapd).start();
    eventually("the people are known", || is_known(&town, "bob"));
    let before = town.ask("account show bob")["id"].clone();
    let old = town.enroll("bob");
    let mut alice = town.mqtts(None).id("a").password("alice", "wonderland").connect();
    alice.say("to/bob", "for the old bob");
    slapd.remove("bob");
    slapd.add_person("bob", "Bob Baker", "baker@corp.example", "newcomer7");
    eventually("there is another bob", || {
        is_known(&town, "bob") && town.ask("account show bob")["id"] != before
    });
    let mut new = town.mqtts(None).id("b").password("bob", "newcomer7").connect().listen("from/#");
    alice.say("to/bob", "for the new bob");
    new.hears("from/alice", "for the new bob");
    eventually("the old certificate is revoked", || {
        town.ask(&format!("cert show {}", old.serial))["state"] == "revoked"
    });
}

#[test]
fn a_login_of_two_entries_stays_with_whoever_has_it_and_passes_on_when_they_leave() {
    let slapd = slapd();
    let town = plan(&slapd).start();
    eventually("the people are known", || is_known(&town, "alice"));
    let alice = town.ask("account show alice")["id"].clone();
    let mut there = town.as_person(&town.enroll("alice")).id("a").connect();
    slapd.modify_ldif(&format!(
        "dn: cn=Another,ou=people,{}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: alice\ncn: Another\nsn: Another\n",
        slapd.base
    ));
    eventually("the other one is put aside", || town.ask("account list").as_array().map_or(0, Vec::len) == 3);
    assert_eq!(town.ask("account show alice")["id"], alice);
    there.ping();
    let list = town.ask("account list");
    let aside = list.as_array().expect("a list").iter().find(|account| account["name"] == "Another");
    let aside = aside.expect("Another").clone();
    assert_eq!(aside["state"], "disabled", "{aside}");
    assert!(town.log().contains("another entry has the login"), "{}", town.log());

    slapd.remove("alice");
    assert_eq!(there.ending(SOON), Ending::Disconnect(0x98));
    eventually("the name is theirs", || is_known(&town, "alice"));
    assert_eq!(town.ask("account show alice")["id"], aside["id"]);
    assert_eq!(state(&town, "alice"), "active");
}

#[test]
fn a_server_that_dies_and_comes_back_is_followed_again() {
    let mut slapd = slapd();
    let town = plan(&slapd).start();
    eventually("the people are known", || is_known(&town, "bob"));
    let mut bob = town.mqtts(None).id("b").password("bob", "builder42").connect();
    slapd.stop();
    eventually("the house says so", || town.log().contains("the directory could not be followed"));
    bob.ping();
    slapd.start_again();
    slapd.disable("bob");
    assert_eq!(bob.ending(Duration::from_secs(40)), Ending::Disconnect(0x98));
}

#[test]
fn ds389_tells_by_itself_and_is_followed_again_after_its_end_and_ours() {
    let mut server = Dirsrv::start();
    ["alice", "bob", "carol", "dave"].iter().for_each(|name| server.add_person(name));
    let mut town = Town::plan().dirsrv(&server).start();
    eventually("the people are known", || is_known(&town, "dave"));
    let sessions = |town: &Town, name: &str| town.as_person(&town.enroll(name)).id("d").connect();
    let (mut alice, mut bob, mut carol) =
        (sessions(&town, "alice"), sessions(&town, "bob"), sessions(&town, "carol"));
    server.disable("alice");
    assert_eq!(alice.ending(SOON), Ending::Disconnect(0x98));
    server.remove("bob");
    assert_eq!(bob.ending(SOON), Ending::Disconnect(0x98));
    carol.ping();
    assert!(!is_known(&town, "bob"));
    assert_eq!((state(&town, "alice"), state(&town, "carol")), ("disabled".into(), "active".into()));

    server.stop();
    eventually("the house says so", || town.log().contains("the directory could not be followed"));
    carol.ping();
    server.launch();
    server.disable("carol");
    assert_eq!(carol.ending(Duration::from_secs(40)), Ending::Disconnect(0x98));

    town.stop();
    server.remove("dave");
    town.open();
    eventually("it is caught up", || !is_known(&town, "dave"));
}

#[test]
fn active_directory_is_asked_each_second_and_whoever_leaves_there_leaves_here() {
    let samba = Samba::start();
    ["alice", "bob", "carol"].iter().for_each(|name| samba.add_person(name));
    let town =
        Town::plan().samba(&samba).with("directory.ldap.attributes", "photo = \"thumbnailPhoto\"").start();
    eventually("the people are known", || is_known(&town, "carol"));
    let mut sessions =
        ["alice", "bob", "carol"].map(|name| town.as_person(&town.enroll(name)).id("d").connect());
    samba.disable("alice");
    samba.remove("bob");
    for session in &mut sessions[..2] {
        assert_eq!(session.ending(Duration::from_secs(10)), Ending::Disconnect(0x98));
    }
    sessions[2].ping();
    assert!(!is_known(&town, "bob"));
    assert_eq!((state(&town, "alice"), state(&town, "carol")), ("disabled".into(), "active".into()));
    assert_eq!(town.ask("directory test")["followed"]["protocol"], "asked for changes (DirSync)");
    samba.modify_ldif(&format!(
        "dn: {}\nchangetype: modify\nreplace: thumbnailPhoto\nthumbnailPhoto:: {}\n",
        samba.person_dn("carol"),
        STANDARD.encode(photos::taken(200))
    ));
    let mut web = admin(&town);
    eventually("her photo is shown", || web.get("/accounts/carol/photo").status == 200);
}
