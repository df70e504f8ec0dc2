//! Topic names and filters (section 4.7).

use super::Stage;
use crate::town::client::{Client, Ending, PATIENCE};
use crate::town::packet::{self, Delivery, Packet};

/// A filter is refused, one way or the other; nothing is granted.
fn is_no_filter(stage: &Stage, filter: &str) {
    let mut client = stage.client("a");
    client.send(&packet::subscribe(stage.version, 1, &[(filter, 0)])).expect("bytes leave");
    match client.packet(PATIENCE) {
        Ok(Some(Packet::SubAck { codes, .. })) => assert!(codes[0] >= 0x80, "{filter} is granted"),
        Ok(Some(Packet::Disconnect { code })) => {
            assert!([0x81, 0x82, 0x8F].contains(&code), "{filter}: {code:#x}")
        }
        Ok(other) => panic!("{filter}: {other:?}"),
        Err(_) => assert!(!stage.is_5(), "{filter}: closed without a word"),
    }
}

/// Which of these topics a filter hears, when all are published in their order.
fn heard(stage: &Stage, filter: &str, topics: &[&str]) -> Vec<String> {
    let mut reader = stage.client("reader").hearing(filter, 0);
    assert_eq!(reader.subscribe(&[(&stage.topic("the end"), 0)]), [0]);
    let mut voice = stage.client("voice");
    for topic in topics {
        voice.put(&Delivery { qos: 0, ..Delivery::new(topic, "words") });
    }
    voice.put(&stage.letter("the end", "", 0));
    until_the_end(stage, &mut reader)
}

fn until_the_end(stage: &Stage, reader: &mut Client) -> Vec<String> {
    let mut topics = Vec::new();
    loop {
        let heard = reader.hear();
        if heard.topic == stage.topic("the end") {
            return topics;
        }
        topics.push(heard.topic);
    }
}

/// 5.0 [MQTT-4.7.1-1], 3.1.1 [MQTT-4.7.1-2]
#[test]
fn the_multi_level_wildcard_stands_alone_and_last() {
    for stage in Stage::both() {
        for filter in ["a#", "a/#/b", "a/b#", "#/a", "##", "a/##", "+#"] {
            is_no_filter(&stage, filter);
        }
        let topics = ["a", "a/", "a/b", "a/b/c", "ab", "b/a"].map(|leaf| stage.topic(leaf));
        let topics = topics.each_ref().map(String::as_str);
        // It stands for its parent too.
        assert_eq!(heard(&stage, &stage.topic("a/#"), &topics), &topics[..4]);
    }
}

/// 5.0 [MQTT-4.7.1-2], 3.1.1 [MQTT-4.7.1-3]
#[test]
fn the_single_level_wildcard_is_a_whole_level() {
    for stage in Stage::both() {
        for filter in ["a+", "+a", "a/b+/c", "a/+b", "++", "a/+#"] {
            is_no_filter(&stage, filter);
        }
        let topics = ["a/b", "a/", "a", "a/b/c", "/b", "x/b"].map(|leaf| stage.topic(leaf));
        let topics = topics.each_ref().map(String::as_str);
        assert_eq!(heard(&stage, &stage.topic("a/+"), &topics), &topics[..2]);
        assert_eq!(heard(&stage, &stage.topic("+/b"), &topics), [topics[0], topics[4], topics[5]]);
        assert_eq!(heard(&stage, &stage.topic("+"), &topics), [topics[2]]);
    }
}

/// both [MQTT-4.7.2-1]
#[test]
fn a_wildcard_at_the_front_does_not_stand_for_a_dollar() {
    for stage in Stage::both() {
        let (hidden, open) = (format!("$any/{}", stage.id("x")), format!("any/{}", stage.id("x")));
        let filter = format!("+/{}", stage.id("x"));
        assert_eq!(heard(&stage, &filter, &[&hidden, &open]), [&*open]);
        assert_eq!(heard(&stage, &format!("{filter}/#"), &[&hidden, &open]), [&*open]);
    }
}

/// both [MQTT-4.7.3-1]
#[test]
fn a_topic_or_filter_has_at_least_one_character() {
    for stage in Stage::both() {
        is_no_filter(&stage, "");
        let mut client = stage.client("a");
        client.put(&Delivery { qos: 0, ..Delivery::new("", "words") });
        client.ends(&[0x81, 0x82, 0x90, 0x94]);
        // One is enough, and it may be the separator.
        let mut client = stage.client("b");
        assert_eq!(client.subscribe(&[("/", 0), (" ", 0)]), [0, 0]);
    }
}

/// both [MQTT-4.7.3-3]
#[test]
fn a_topic_may_be_as_long_as_can_be_written() {
    for stage in Stage::both() {
        let room = usize::from(u16::MAX) - stage.topic("").len();
        let topic = stage.topic(&"x".repeat(room));
        let mut reader = stage.client("reader").hearing(&topic, 0);
        stage.says(Delivery { qos: 0, ..Delivery::new(&topic, "words") });
        reader.hears(&topic, "words");
    }
}

/// both [MQTT-4.7.3-4]
#[test]
fn topics_are_compared_as_they_are_written() {
    for stage in Stage::both() {
        let leaves =
            ["accounts", "Accounts", "ACCOUNTS", "accounts/", "/accounts", "accounts//", " accounts"];
        // The same letter composed and decomposed, and one that looks the same.
        let letters = ["\u{E4}", "a\u{308}", "\u{430}", "a", "%61"];
        for leaf in leaves.iter().chain(&letters) {
            let all: Vec<String> = leaves.iter().chain(&letters).map(|leaf| stage.topic(leaf)).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            assert_eq!(heard(&stage, &stage.topic(leaf), &all), [stage.topic(leaf)]);
        }
    }
}

/// Levels may be empty, and there may be many (section 4.7.1.1).
#[test]
fn levels_may_be_empty() {
    for stage in Stage::both() {
        let topics = ["/", "//", "a//b", "a/ /b"].map(|leaf| stage.topic(leaf));
        let topics = topics.each_ref().map(String::as_str);
        assert_eq!(heard(&stage, &stage.topic("a/+/b"), &topics), &topics[2..]);
        assert_eq!(heard(&stage, &stage.topic("+/+"), &topics), &topics[..1]);
    }
}

/// A client that publishes what it may not is told so, and stays (5.0 section 3.3.5).
#[test]
fn what_begins_with_a_dollar_is_the_servers() {
    let stage = Stage::in_5();
    let mut client = stage.client("a");
    assert!(client.post(Delivery::new("$SYS/broker/uptime", "for ever")) >= 0x80);
    assert_eq!(client.ending(std::time::Duration::from_millis(100)), Ending::StillThere);
}
