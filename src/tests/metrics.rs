//! The house in numbers: metrics, `$SYS`, and who is subscribed to what.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::town::Town;
use crate::town::packet::Delivery;
use crate::town::tools::eventually;
use crate::town::web::{Answer, Web};

/// The numbers by name and labels, and what each name is.
struct Numbers {
    samples: BTreeMap<String, f64>,
    kinds: BTreeMap<String, String>,
}

impl Numbers {
    /// Reads the text format, and finds fault with everything that Prometheus would.
    fn read(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let (mut samples, mut kinds, mut helped) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for line in answer.body.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["#", "HELP", name, _, ..] => assert!(helped.insert(name.to_owned()), "{name} twice"),
                ["#", "TYPE", name, kind] => {
                    assert!(matches!(kind, "counter" | "gauge") && helped.contains(name), "{line}");
                    assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                    kinds.insert(name.to_owned(), kind.to_owned());
                }
                _ => {
                    let (series, value) = line.rsplit_once(' ').expect("a value");
                    let name = series.split('{').next().expect("a name");
                    assert!(kinds.contains_key(name), "{line} has no type");
                    let before = samples.insert(series.to_owned(), value.parse().expect(line));
                    assert_eq!(before, None, "{series} twice");
                }
            }
        }
        Self { samples, kinds }
    }

    fn of(town: &Town) -> Self {
        Self::read(&Web::new(town).get("/metrics"))
    }

    fn get(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("no {series} among {:#?}", self.samples))
    }
}

fn client_ids(sessions: &Value) -> Vec<&str> {
    let all = sessions.as_array().expect("a list");
    all.iter().filter_map(|one| one["client_id"].as_str()).collect()
}

#[test]
fn metrics_count_what_passes_and_name_nobody() {
    let town = Town::plan().guests().rule("guest", "both", "#").start();
    let before = Numbers::of(&town);
    let mut reader = town.mqtt().id("the-reader").durable().connect().listen("secret-topic/#");
    let mut writer = town.mqtt().id("the-writer").connect();
    for _ in 0..10 {
        writer.say("secret-topic/1", "hello");
        reader.hears("secret-topic/1", "hello");
    }
    writer.put(&Delivery { qos: 0, retain: true, ..Delivery::new("secret-topic/2", "kept") });
    reader.hears("secret-topic/2", "kept");
    assert_eq!(town.mqtts(None).refused(), 0x87);
    eventually("the last acknowledgement is counted", || {
        Numbers::of(&town).get("chancery_queue_messages") == 0.0
    });
    let after = Numbers::of(&town);
    let more = |series: &str| after.get(series) - before.samples.get(series).copied().unwrap_or_default();
    assert_eq!(more("chancery_received_messages_total{qos=\"1\"}"), 10.0);
    assert_eq!(more("chancery_received_messages_total{qos=\"0\"}"), 1.0);
    assert_eq!(more("chancery_sent_messages_total{qos=\"1\"}"), 10.0);
    assert_eq!(more("chancery_sent_message_bytes_total{qos=\"1\"}"), 10.0 * 19.0);
    assert_eq!(more("chancery_connects_total{reason=\"success\"}"), 2.0);
    assert_eq!(more("chancery_connects_total{reason=\"not authorized\"}"), 1.0);
    assert_eq!(more("chancery_handshakes_total{door=\"mqtts\"}"), 1.0);
    assert_eq!(after.get("chancery_connections{door=\"mqtt\"}"), 2.0);
    assert_eq!(after.get("chancery_sessions{state=\"live\"}"), 2.0);
    assert_eq!(after.get("chancery_sessions_durable"), 1.0);
    assert_eq!(after.get("chancery_subscriptions"), 1.0);
    assert_eq!(after.get("chancery_retained_messages"), 1.0);
    assert!(more("chancery_journal_commits_total") > 0.0 && after.get("chancery_journal_bytes") > 0.0);
    // CONNECT, ten publications, one with QoS 0; CONNECT, SUBSCRIBE, ten acknowledgements; and a CONNECT in vain.
    assert_eq!(more("chancery_received_packets_total"), 25.0);
    assert_eq!(more("chancery_sent_packets_total"), 2.0 + 1.0 + 10.0 + 10.0 + 1.0 + 1.0);
    assert!(after.get("process_resident_memory_bytes") > 1e6 && after.get("process_open_fds") > 5.0);
    for series in after.samples.keys() {
        assert!(
            !["secret", "the-", "guest", "127.0.0.1"].iter().any(|word| series.contains(word)),
            "{series}"
        );
        assert!(series.starts_with("chancery_") || series.starts_with("process_"), "{series}");
    }
    assert!(after.kinds.len() > 30, "{:?}", after.kinds);
}

#[test]
fn what_a_slow_reader_misses_is_counted() {
    let town =
        Town::plan().guests().rule("guest", "both", "#").with("broker", "queue_memory = 65536").start();
    let mut lazy = town.mqtt().id("lazy").connect();
    assert_eq!(lazy.subscribe(&[("a", 0)]), [0]);
    let mut writer = town.mqtt().id("writer").connect();
    let payload = "x".repeat(50_000);
    let dropped = || Numbers::of(&town).get("chancery_deliveries_dropped_total{reason=\"slow\"}");
    eventually("the reader is too slow", || {
        (0..50).for_each(|_| writer.say("a", &payload));
        dropped() > 0.0
    });
    drop(lazy);
}

#[test]
fn sys_is_for_those_whom_a_rule_lets_read_it_by_name() {
    let plan = Town::plan().guests().rule("account:alice", "subscribe", "$SYS/#");
    let town = plan.rule("any", "both", "#").rule("guest", "both", "#").start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut other = town.as_person(&bob).id("bob").connect();
    assert_eq!(other.subscribe(&[("$SYS/#", 0)]), [0x87]);
    assert_eq!(other.subscribe(&[("#", 0)]), [0]);
    let mut admin = town.as_person(&alice).id("alice").connect();
    assert_eq!(admin.subscribe(&[("$SYS/broker/version", 1)]), [1]);
    let version = admin.hear();
    assert_eq!((version.topic.as_str(), version.retain, version.qos), ("$SYS/broker/version", true, 0));
    assert!(version.text().starts_with("chancery version "), "{version:?}");
    // What changes is told again, within ten seconds and not as retained.
    assert_eq!(admin.subscribe(&[("$SYS/broker/publish/messages/received", 0)]), [0]);
    let first = admin.hear();
    let mut writer = town.mqtt().id("writer").connect();
    (0..5).for_each(|_| writer.say("x", "y"));
    let later = admin.hear();
    let count = |heard: &Delivery| heard.text().parse::<u64>().expect("a number");
    assert!(!later.retain && count(&later) >= count(&first) + 5, "{first:?} {later:?}");
    // Nobody writes there, and `#` does not show it.
    assert_eq!(admin.publish("$SYS/broker/version", "mine"), 0x87);
    // It shows all else: who is there, and what is said.
    let mut seen = Vec::new();
    while seen.iter().filter(|topic| *topic == "x").count() < 5 {
        seen.push(other.hear().topic);
    }
    assert!(seen.iter().all(|topic| !topic.starts_with('$')), "{seen:?}");
}

#[test]
fn the_common_names_of_sys_are_there() {
    let town = Town::plan().rule("any", "subscribe", "$SYS/#").start();
    let alice = town.person("alice");
    let mut admin = town.as_person(&alice).id("alice").connect();
    assert_eq!(admin.subscribe(&[("$SYS/broker/#", 0)]), [0]);
    let mut heard = BTreeSet::new();
    let wanted = [
        "bytes/received",
        "bytes/sent",
        "clients/connected",
        "clients/total",
        "messages/received",
        "messages/sent",
        "publish/messages/dropped",
        "publish/messages/received",
        "publish/messages/sent",
        "retained messages/count",
        "subscriptions/count",
        "uptime",
        "version",
    ];
    while !wanted.iter().all(|name| heard.contains(&format!("$SYS/broker/{name}"))) {
        heard.insert(admin.hear().topic);
    }
}

#[test]
fn the_sessions_that_would_hear_a_topic_are_those_with_a_subscription_and_the_right() {
    let plan = Town::plan().rule("account:alice", "both", "plant/#");
    let town = plan.rule("any", "subscribe", "plant/public/#").start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let mut phone = town.as_person(&alice).id("phone").connect();
    assert_eq!(phone.subscribe(&[("plant/+/valve", 2), ("other/#", 0), ("from/#", 1)])[0], 2);
    town.as_person(&alice).id("away").durable().connect().listen("$share/g/plant/#").leave();
    let mut wide = town.as_person(&bob).id("wide").connect();
    assert_eq!(wide.subscribe(&[("plant/#", 1)]), [1]);

    let private = town.ask("session list --topic plant/secret/valve");
    assert_eq!(client_ids(&private), ["away", "phone"], "{private}");
    assert_eq!(private[1]["subscriptions"][0]["filter"], "plant/+/valve", "{private}");
    assert_eq!(private[1]["subscriptions"].as_array().map(Vec::len), Some(1), "{private}");
    assert_eq!(client_ids(&town.ask("session list --topic plant/public/valve")), ["away", "phone", "wide"]);
    assert_eq!(client_ids(&town.ask("session list --topic from/bob")), ["phone"]);
    assert!(client_ids(&town.ask("session list --topic nothing")).is_empty());
    assert!(town.refused(2, "session list --topic plant/#").contains("no topic name"));

    let mut writer = town.as_person(&alice).id("writer").connect();
    assert_eq!(writer.publish("plant/secret/valve", "open"), 0);
    let all = town.ask("session list");
    let away = all.as_array().expect("a list").iter().find(|one| one["client_id"] == "away").expect("away");
    let shown = town.ask(&format!("session show {}", away["session"].as_str().expect("an id")));
    assert_eq!(
        (&shown["owed"], &shown["in_flight"], &shown["expiry_s"]),
        (&1.into(), &0.into(), &3600.into()),
        "{shown}"
    );
}
