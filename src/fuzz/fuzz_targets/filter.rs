//! Topic names and filters: what parses, and what matches, against the rules of MQTT 5.0 sections 4.7 and 4.8.2
//! written down naively.

#![no_main]

#[path = "../../mqtt/mod.rs"]
mod mqtt;

use libfuzzer_sys::fuzz_target;
use mqtt::{TopicFilter, TopicName};

fuzz_target!(|texts: (bool, &str, &str, &str)| {
    let (shared, filter, name, other) = texts;
    // A word that no fuzzer finds by chance.
    let filter = &if shared { format!("$share/{filter}") } else { filter.to_owned() };
    let levels: Vec<&str> = name.split('/').collect();
    let topic = TopicName::parse(name);
    let plain = !name.is_empty() && name.len() <= 65_535 && levels.len() <= 200;
    assert_eq!(topic.is_ok(), plain && !name.contains(['\0', '+', '#']), "{name:?}");

    let parsed = TopicFilter::parse(filter);
    let path = well_formed(filter);
    assert_eq!(parsed.as_ref().ok().map(TopicFilter::path), path, "{filter:?}");
    let (Ok(parsed), Ok(topic), Some(path)) = (parsed, topic, path) else { return };
    assert_eq!(parsed.as_str(), filter);
    assert_eq!(parsed.group().is_some(), path.len() < filter.len());

    let wanted: Vec<&str> = path.split('/').collect();
    let hidden = name.starts_with('$') && matches!(wanted.first(), Some(&"+" | &"#"));
    assert_eq!(parsed.matches(&topic), !hidden && selects(&wanted, &levels), "{filter:?} {name:?}");

    // One topic can show that two filters overlap, and that one does not cover the other.
    let Ok(other) = TopicFilter::parse(other) else { return };
    let (here, there) = (parsed.matches(&topic), other.matches(&topic));
    assert!(!(here && there) || parsed.overlaps(&other) && other.overlaps(&parsed), "{filter:?} {other:?}");
    assert!(here || !there || !parsed.covers(&other), "{filter:?} {other:?} {name:?}");
    assert!(parsed.covers(&parsed) && parsed.overlaps(&parsed), "{filter:?}");
});

/// The part of a filter that selects topics, if the filter is one.
fn well_formed(filter: &str) -> Option<&str> {
    let path = match filter.strip_prefix("$share/") {
        None => filter,
        Some(shared) => {
            let (group, path) = shared.split_once('/')?;
            (!group.is_empty() && !group.contains(['+', '#'])).then_some(path)?
        }
    };
    let levels: Vec<&str> = path.split('/').collect();
    let last = levels.len() - 1;
    let fine = |(at, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => at == last,
        level => !level.contains(['+', '#']),
    };
    let short = filter.len() <= 65_535 && levels.len() <= 200;
    (!path.is_empty() && short && !filter.contains('\0') && levels.iter().enumerate().all(fine))
        .then_some(path)
}

fn selects(wanted: &[&str], levels: &[&str]) -> bool {
    match (wanted, levels) {
        (["#"], _) | ([], []) => true,
        ([first, wanted @ ..], [level, levels @ ..]) => {
            (*first == "+" || first == level) && selects(wanted, levels)
        }
        _ => false,
    }
}
