//! The audit: every privileged deed is remembered, and what is altered afterwards shows.

use serde_json::Value;

use crate::town::Town;
use crate::town::tools::sql;

fn deeds(town: &Town) -> Vec<(String, String)> {
    let list = town.ask("audit list");
    let word = |entry: &Value, key: &str| entry[key].as_str().expect("a text").to_owned();
    list.as_array()
        .expect("a list")
        .iter()
        .map(|entry| (word(entry, "deed"), word(entry, "subject")))
        .collect()
}

#[test]
fn privileged_deeds_are_remembered_newest_first() {
    let town = Town::start();
    let bob = town.person("bob");
    town.ask("account disable bob");
    town.ask("account enable bob");
    town.ask("room create lunch");
    let again = town.enroll("bob");
    town.ask(&format!("cert revoke {}", again.serial));
    town.ask("admin link");
    let deeds = deeds(&town);
    let wanted = [
        ("admin.link", "console"),
        ("certificate.revoke", again.serial.as_str()),
        ("room.create", "lunch"),
        ("account.enable", "bob"),
        ("certificate.revoke", bob.serial.as_str()),
        ("account.disable", "bob"),
    ];
    let found: Vec<(&str, &str)> =
        deeds.iter().map(|(deed, subject)| (deed.as_str(), subject.as_str())).collect();
    let mut at = found.iter();
    for deed in wanted {
        assert!(at.any(|found| *found == deed), "{deed:?} is not at its place in {found:?}");
    }
    for deed in ["account.add", "certificate.enroll"] {
        assert!(found.iter().any(|(name, _)| *name == deed), "{deed} is not among {found:?}");
    }
    let verified = town.ask("audit verify");
    assert_eq!((&verified["intact"], &verified["entries"]), (&true.into(), &deeds.len().into()));
    assert_eq!(verified["head"].as_str().map(str::len), Some(64));
}

#[test]
fn no_secret_is_in_the_audit_or_in_the_log() {
    let town = Town::start();
    town.account("alice", "correct horse battery");
    let token = town.ask("cert token alice")["token"].as_str().expect("a token").to_owned();
    let link = town.ask("admin link")["link"].as_str().expect("a link").to_owned();
    let secret = link.rsplit('/').next().expect("a secret");
    town.mqtt().password("alice", "correct horse battery").connect().say("to/alice", "between me and myself");
    town.mqtt().password("alice", "not this one").refused();
    let written = town.cli("audit export").well() + &town.log();
    for hidden in ["correct horse", "not this one", &token, secret, "between me and myself"] {
        assert!(!written.contains(hidden), "{hidden} is written down");
    }
}

#[test]
fn an_altered_entry_breaks_the_chain_and_is_named() {
    let town = Town::start();
    for name in ["alice", "bob", "carol"] {
        town.ask(&format!("account add {name}"));
    }
    assert_eq!(town.ask("audit verify")["intact"], true);
    let entry = town.ask("audit list")[1]["seq"].clone();
    sql(&town.database(), &format!("update audit set subject = 'mallory' where seq = {entry}"));
    let told = town.cli("--json audit verify");
    assert_eq!(told.code, 1, "{told:?}");
    let verified = told.json();
    assert_eq!(verified["intact"], false);
    let broken = verified["broken"].as_str().expect("where it breaks");
    assert!(broken.contains(&entry.to_string()), "{broken} does not name {entry}");
    let said = town.cli("audit verify");
    assert!(said.code == 1 && (said.out + &said.err).contains(&entry.to_string()));
}

#[test]
fn an_entry_taken_out_or_a_tail_cut_off_shows() {
    for (what, forgery) in [
        ("the middle", "delete from audit where seq = (select max(seq) - 1 from audit)"),
        ("the tail", "delete from audit where seq = (select max(seq) from audit)"),
    ] {
        let mut town = Town::start();
        town.ask("account add alice");
        town.ask("account add bob");
        town.stop();
        sql(&town.database(), forgery);
        town.open();
        assert_eq!(town.cli("audit verify").code, 1, "{what} is gone and nothing shows");
    }
}
