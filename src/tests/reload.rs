//! Reloading: SIGHUP brings other rules, and drops nobody.

use std::fs;

use crate::town::Town;
use crate::town::tools::{eventually, tell};

#[test]
fn other_rules_hold_from_the_next_message_on_and_nobody_is_dropped() {
    let town = Town::plan().rule("any", "both", "open/#").start();
    let alice = town.person("alice");
    let mut client = town.as_person(&alice).id("a").connect().listen("open/#");
    assert_eq!(client.publish("shut/x", "x"), 0x87);
    rewrite(&town, "open/#", "shut/#");
    eventually("the new rules hold", || client.publish("shut/x", "x") != 0x87);
    assert_eq!(client.publish("open/x", "x"), 0x87);
    client.hears_nothing();
    client.ping();
}

#[test]
fn a_configuration_with_problems_changes_nothing() {
    let town = Town::plan().rule("any", "both", "open/#").start();
    let alice = town.person("alice");
    let mut client = town.as_person(&alice).id("a").connect();
    rewrite(&town, "open/#", "open/#/x");
    eventually("the problem is told", || town.log().contains("was not reloaded"));
    client.say("open/x", "x");
    client.ping();
}

/// Puts other words into the configuration, and tells the daemon.
fn rewrite(town: &Town, old: &str, new: &str) {
    let file = town.path("chancery.toml");
    let text = fs::read_to_string(&file).expect("our own file");
    assert!(text.contains(old), "{text}");
    fs::write(&file, text.replace(old, new)).expect("our own folder");
    tell("kill", &["-HUP", &town.pid().to_string()]).well();
}
