//! The command line: every verb for people and for programs, and exit codes that a script can rely on.

use crate::town::tools::tell;
use crate::town::{Town, text};

/// A town in which every list has something.
fn lived_in() -> (Town, String) {
    let town =
        Town::plan().grace("1s").with("mail", "transport = \"maildir\"\ndirectory = \"@HERE@/mail\"").start();
    let [alice, bob] = town.people(["alice", "bob"]);
    town.ask("room create lunch");
    town.ask("room add lunch bob");
    town.ask("peer add elsewhere.example");
    town.as_person(&bob).id("b").durable().connect().listen("room/#").leave();
    town.as_person(&alice).connect().say("to/bob", "are you there?");
    crate::town::tools::eventually("an envelope is made", || {
        town.ask("outbox list") != serde_json::json!([])
    });
    (town, alice.serial)
}

#[test]
fn a_list_is_an_array_and_anything_else_an_object_and_both_read_well() {
    let (town, serial) = lived_in();
    let id = |line: &str, key: &str| town.ask(line)[0][key].as_str().expect("an id").to_owned();
    let (session, envelope) = (id("session list", "session"), id("outbox list", "id"));
    let lists =
        ["account list", "cert list", "room list", "session list", "outbox list", "peer list", "audit list"];
    for line in lists {
        let answer = town.ask(line);
        let rows = answer.as_array().unwrap_or_else(|| panic!("{line}: {answer}"));
        assert!(!rows.is_empty() && rows.iter().all(serde_json::Value::is_object), "{line}: {answer}");
        let people = town.cli(line).well();
        assert!(people.lines().count() > rows.len() && !people.starts_with('['), "{line}:\n{people}");
        let (heading, first) = (people.lines().next(), people.lines().nth(1));
        assert!(
            heading.is_some_and(|line| line == line.to_uppercase()) && first.is_some(),
            "{line}:\n{people}"
        );
    }
    let shows = [
        "account show bob".to_owned(),
        format!("cert show {serial}"),
        "ca show".into(),
        "room show lunch".into(),
        format!("session show {session}"),
        format!("outbox show {envelope}"),
        "peer show elsewhere.example".into(),
        "status".into(),
        "directory test".into(),
        "audit verify".into(),
        "admin link".into(),
        "cert token bob".into(),
        "check-config".into(),
    ];
    for line in shows {
        assert!(town.ask(&line).is_object(), "{line}");
        let people = town.cli(&line).well();
        assert!(!people.trim().is_empty() && !people.trim_start().starts_with('{'), "{line}:\n{people}");
    }
}

#[test]
fn lists_tell_what_the_surface_promises() {
    let (town, serial) = lived_in();
    let has = |line: &str, keys: &[&str]| {
        let answer = town.ask(line);
        let row = if answer.is_array() { answer[0].clone() } else { answer };
        for key in keys {
            assert!(row.get(*key).is_some(), "{line} has no {key}: {row}");
        }
    };
    has("account list", &["account", "name", "source", "state"]);
    has("cert list", &["serial", "account", "profile", "state", "not_before", "not_after"]);
    has("session list", &["session", "account", "client_id", "state", "queued"]);
    has("outbox list", &["id", "account", "route", "state", "attempts", "next_at"]);
    has("audit list", &["seq", "at", "actor", "deed", "subject"]);
    has("status", &["version", "domain", "uptime_s", "doors", "checks"]);
    let shown = town.ask(&format!("cert show {serial}"));
    let until = shown["not_after"].as_str().expect("a time");
    assert!(until.ends_with('Z') && until.contains('T'), "{until}");
    assert!(serial.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()), "{serial}");
    let status = town.ask("status");
    assert!(
        status["checks"].as_array().expect("checks").iter().all(|check| check["verdict"] == "ok"),
        "{status:#}"
    );
}

#[test]
fn files_of_a_certificate_are_not_overwritten_and_belong_to_the_caller_alone() {
    let town = Town::start();
    let bob = town.person("bob");
    let again = format!("cert enroll bob --out {}", text(&bob.folder));
    town.refused(3, &again);
    assert_eq!(
        town.ask("cert list --account bob").as_array().map(Vec::len),
        Some(1),
        "nothing was issued in vain"
    );
    town.ask(&format!("{again} --force"));
    assert_eq!(town.ask("cert list --account bob").as_array().map(Vec::len), Some(2));
    let mode = |path: &std::path::Path| {
        let meta = std::fs::metadata(path).expect("a file");
        std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777
    };
    assert_eq!((mode(&bob.folder), mode(&bob.folder.join("key.pem"))), (0o700, 0o600));
}

#[test]
fn state_and_socket_let_nobody_else_in() {
    let town = Town::start();
    town.person("bob");
    for name in ["state", "state/chancery.db", "state/authority", "control.sock"] {
        let meta = std::fs::metadata(town.path(name)).expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions());
        assert!(mode & 0o077 == 0 || name == "state/chancery.db", "{name} has mode {mode:o}");
    }
    // Keys at rest are sealed: not one of them is readable PEM.
    let keys = tell("grep", &["-rlE", "BEGIN (EC |RSA )?PRIVATE KEY", text(&town.path("state/authority"))]);
    assert_eq!(keys.out, "", "keys of the authority lie open");
    // Somebody without the right to the socket gets nothing.
    let socket = town.path("control.sock");
    let words =
        ["-u", "nobody", "--", env!("CARGO_BIN_EXE_chancery"), "--socket", text(&socket), "account", "list"];
    let told = tell("runuser", &words);
    assert_ne!(told.code, 0, "{told:?}");
    assert!(!told.out.contains("bob"));
}

#[test]
fn the_audit_is_exported_whole_and_in_order() {
    let town = Town::start();
    for number in 0..30 {
        town.ask(&format!("account add person{number}"));
    }
    let file = town.path("audit.jsonl");
    town.cli(&format!("audit export --out {}", text(&file))).well();
    let written = std::fs::read_to_string(&file).expect("the export");
    let seqs: Vec<i64> = written
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["seq"].as_i64().expect("a number")
        })
        .collect();
    assert!(seqs.len() > 30 && seqs.iter().copied().eq(1..=seqs.len() as i64), "{seqs:?}");
    assert_eq!(town.cli("audit export").well(), written);
    let page = town.ask("audit list --limit 5 --before 10");
    let page: Vec<_> = page.as_array().expect("a list").iter().map(|entry| entry["seq"].as_i64()).collect();
    assert_eq!(page, [Some(9), Some(8), Some(7), Some(6), Some(5)]);
}
