//! Trouble of the machine: a wrong configuration, a damaged store, a full disk, a wrong clock. Each is named with what to
//! do, and nothing acknowledged is lost.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use crate::town::disk::Disk;
use crate::town::tools::{eventually, sql, tell, with_clock};
use crate::town::{Town, text};

#[test]
fn a_wrong_configuration_is_told_in_full_with_line_and_column() {
    let town = Town::plan().unfounded();
    let wrong = "[appliance]\ndomain = \"corp.example\"\ncolour = 1\nstate_dir = 7\n\n[door.mqtts]\nlistn = 1\n\n\
        [mial]\nx = 1\n\n[chat]\nretention = \"soon\"\n";
    fs::write(town.path("chancery.toml"), wrong).expect("our own folder");
    let said = town.refused(2, "check-config");
    let told = town.cli("--json check-config");
    let answer = told.json();
    assert_eq!((told.code, &answer["ok"]), (2, &false.into()));
    let problems = answer["problems"].as_array().expect("problems");
    for (line, column, word) in
        [(3, 1, "colour"), (4, 13, "state_dir"), (7, 1, "listn"), (9, 2, "mial"), (13, 13, "soon")]
    {
        let told = problems.iter().any(|problem| problem["line"] == line && problem["column"] == column);
        assert!(told, "{line}:{column} {word} is not in {answer:#}");
        assert!(said.contains(&format!(":{line}:{column}: ")), "{line}:{column} {word} is not in {said}");
    }
    let mut town = town;
    let (code, log) = town.open_in_vain();
    assert!(code == 2 && log.contains("colour") && log.contains("soon"), "{code} {log}");
    fs::remove_file(town.path("chancery.toml")).expect("our own folder");
    town.refused(2, "check-config");
    assert_eq!(town.open_in_vain().0, 2);
}

#[test]
fn a_text_that_is_no_toml_says_where() {
    let town = Town::plan().unfounded();
    fs::write(town.path("chancery.toml"), "[appliance]\ndomain = \"corp.example\n").expect("our own folder");
    assert!(town.refused(2, "check-config").contains(":2:"));
    fs::write(town.path("chancery.toml"), [0xFF, 0xFE, 0x00]).expect("our own folder");
    town.refused(2, "check-config");
}

#[test]
fn a_state_that_exists_is_not_made_again_and_one_that_does_not_is_not_served() {
    let town = Town::start();
    let before = town.ask("ca show")["key_id"].clone();
    town.refused(3, "init --domain corp.example");
    town.refused(2, "init --domain other.example");
    assert_eq!(town.ask("ca show")["key_id"], before);
    let mut empty = Town::plan().unfounded();
    let (code, said) = empty.open_in_vain();
    assert!(code == 1 && said.contains("chancery init"), "{code} {said}");
    assert!(empty.refused(5, "account list").contains("control.sock"));
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused_and_the_first_goes_on() {
    let town = Town::start();
    let alice = town.person("alice");
    let mut client = town.as_person(&alice).connect();
    let config = town.path("chancery.toml");
    for control in ["control.sock", "other.sock"] {
        let text_of =
            fs::read_to_string(&config).expect("the configuration").replace("control.sock", control);
        let other = town.path("other.toml");
        fs::write(&other, text_of).expect("our own folder");
        let told = tell(env!("CARGO_BIN_EXE_chancery"), &["serve", "--config", text(&other)]);
        assert!(told.code == 1 && told.err.contains("in use"), "{told:?}");
    }
    client.ping();
    town.ask("status");
}

#[test]
fn a_damaged_database_is_refused_with_what_to_do() {
    for (what, place) in [("the header", 0), ("a page", 4096 * 2)] {
        let mut town = Town::start();
        town.person("alice");
        town.stop();
        // What is still in the write-ahead log would stand before the damage.
        sql(&town.database(), "pragma wal_checkpoint(truncate)");
        let mut file =
            fs::File::options().read(true).write(true).open(town.database()).expect("the database");
        file.seek(SeekFrom::Start(place)).expect("a place");
        file.write_all(&[0xA5; 4096]).expect("damage");
        drop(file);
        let (code, said) = town.open_in_vain();
        assert_eq!(code, 1, "{what}: {said}");
        assert!(
            said.contains("chancery.db") && said.contains("damaged") && said.contains("backup"),
            "{what}: {said}"
        );
    }
}

#[test]
fn a_database_from_the_future_is_refused_and_left_alone() {
    let mut town = Town::start();
    town.person("alice");
    town.stop();
    sql(&town.database(), "insert into __diesel_schema_migrations (version) values ('99991231235959')");
    let (code, said) = town.open_in_vain();
    assert!(code == 1 && said.contains("newer") && said.contains("99991231235959"), "{code} {said}");
    sql(&town.database(), "delete from __diesel_schema_migrations where version = '99991231235959'");
    town.open();
    assert_eq!(town.ask("account show alice")["state"], "active");
}

#[test]
fn a_file_of_another_program_is_not_taken_for_a_store() {
    let mut town = Town::start();
    town.stop();
    sql(&town.database(), "pragma application_id = 12345");
    let (code, said) = town.open_in_vain();
    assert!(code == 1 && said.contains("not a store of Chancery"), "{code} {said}");
}

#[test]
fn a_full_disk_is_told_with_0x97_and_nothing_acknowledged_is_lost() {
    let disk = Disk::of(6);
    let mut town = Town::plan().state_in(&disk.path().join("state")).start();
    let [alice, bob] = town.people(["alice", "bob"]);
    town.as_person(&bob).id("b").durable().connect().listen("from/#").leave();
    let mut sender = town.as_person(&alice).id("a").connect();
    let filler = "x".repeat(20_000);
    let mut kept = Vec::new();
    let full = (0..2000).find_map(|number| {
        let payload = format!("{number} {filler}");
        match sender.publish("to/bob", &payload) {
            0 => {
                kept.push(payload);
                None
            }
            code => Some(code),
        }
    });
    assert_eq!(full, Some(0x97), "after {} messages", kept.len());
    eprintln!("the disk of 6 MB took {} messages of 20 kB", kept.len());
    // It is still there, says so, and keeps saying so.
    sender.ping();
    assert_eq!(sender.publish("to/bob", &filler), 0x97);
    // Somebody else takes what was left for small things.
    let mut rest = fs::File::create(disk.path().join("filler")).expect("room for an empty file");
    while rest.write(&[0; 4096]).is_ok() {}
    eventually("the status says so", || {
        let status = town.cli("--json status");
        let checks = status.json();
        let mut checks = checks["checks"].as_array().expect("checks").iter();
        status.code == 1 && checks.any(|check| check["part"] == "store" && check["verdict"] == "fail")
    });
    assert_eq!(sender.publish("to/bob", "x"), 0x97);
    disk.grow(64);
    sender.say("to/bob", "there is room again");
    kept.push("there is room again".into());
    // A crash at this moment loses nothing either.
    town.kill9();
    town.open();
    let mut reader = town.as_person(&bob).id("b").durable().connect();
    for payload in &kept {
        assert_eq!(reader.hear().text().split(' ').next(), payload.split(' ').next());
    }
    reader.hears_nothing();
    assert_eq!(town.ask("audit verify")["intact"], true);
}

#[test]
fn a_wrong_clock_is_survived_or_named() {
    let mut town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    town.as_person(&bob).id("b").durable().connect().listen("from/#").leave();
    town.as_person(&alice).connect().say("to/bob", "at noon");
    for (shift, works) in [("-1d", false), ("+1d", true), ("+20000d", false)] {
        town.stop();
        town.starts_through(&with_clock(shift));
        if works {
            town.open();
            town.as_person(&alice).connect().say("to/bob", "tomorrow");
        } else {
            let (code, said) = town.open_in_vain();
            assert!(code == 1 && said.contains("clock"), "{shift}: {code} {said}");
        }
        town.starts_through(&[]);
        if town.is_running() { town.restart() } else { town.open() }
    }
    // Back in the present, after messages from the future: nothing is lost and the order is that of commit. (The
    // session itself was to last an hour, and by that clock a day has passed.)
    town.as_person(&alice).connect().say("to/bob", "today");
    let mut reader = town.as_person(&bob).id("b").durable().connect().listen("from/#");
    for text in ["at noon", "tomorrow", "today"] {
        reader.hears("from/alice", text);
    }
    assert_eq!(town.ask("audit verify")["intact"], true);
}

#[test]
fn no_certificate_is_given_by_a_clock_that_went_back_until_somebody_says_that_it_is_right() {
    let mut town = Town::start();
    let [alice] = town.people(["alice"]);
    town.starts_through(&with_clock("+4m"));
    town.restart();
    town.ask("account add bob");
    // Certificates begin five minutes earlier, so that a clock may be set by that much.
    town.starts_through(&[]);
    town.restart();
    town.ask(&format!("cert enroll alice --out {}", text(&town.path("one"))));
    town.starts_through(&with_clock("+3h"));
    town.restart();
    town.ask("account add carol");
    town.starts_through(&[]);
    town.restart();
    let enroll = format!("cert enroll alice --out {}", text(&town.path("two")));
    for _ in 0..2 {
        // What is refused is remembered too, and is no reason to believe the clock.
        let said = town.refused(3, &enroll);
        assert!(said.contains("set the clock") && said.contains("audit accept-clock"), "{said}");
    }
    town.as_person(&alice).connect().say("to/alice", "whoever is in stays in");
    town.ask("audit accept-clock");
    town.ask(&enroll);
    assert_eq!(town.ask("audit verify")["intact"], true);
}
