//! The suite held to both specifications: each number of their appendices B is tested here or has a reason not to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The normative statements of 5.0: sections with their numbers.
const OF_5: &str = "
    1.5.4:1-3 1.5.5:1 1.5.7:1 2.1.3:1 2.2.1:2-6 2.2.2:1
    3.1.0:1-2 3.1.2:1-30 3.1.3:1-12 3.1.4:1-6 3.2.0:1-2 3.2.2:1-22 3.3.1:1-13 3.3.2:1-20 3.3.4:1-10
    3.4.2:1-3 3.5.2:1-3 3.6.1:1 3.6.2:1-3 3.7.2:1-3 3.8.1:1 3.8.3:1-5 3.8.4:1-8 3.9.2:1-2 3.9.3:1-2
    3.10.1:1 3.10.3:1-2 3.10.4:1-6 3.11.2:1-2 3.11.3:1-2 3.12.4:1
    3.14.0:1 3.14.1:1 3.14.2:1-4 3.14.4:1-3 3.15.1:1 3.15.2:1-3
    4.1.0:1-2 4.2.0:1 4.3.1:1 4.3.2:1-5 4.3.3:1-13 4.4.0:1-2 4.5.0:1-2 4.6.0:1-6 4.7.0:1 4.7.1:1-2 4.7.2:1 4.7.3:1-4
    4.8.2:1-6 4.9.0:1-3 4.12.0:1-7 4.12.1:1-2 4.13.1:1 4.13.2:1 6.0.0:1-4";

/// Those of 3.1.1; the one that its appendix calls 3-8.3-4 is 3.8.3-4 here.
const OF_3: &str = "
    1.5.3:1-3 2.2.2:1-2 2.3.1:1-7
    3.1.0:1-2 3.1.2:1-24 3.1.3:1-11 3.1.4:1-5 3.2.0:1 3.2.2:1-6 3.3.1:1-12 3.3.2:1-3 3.3.4:1 3.3.5:1-2
    3.6.1:1 3.8.1:1 3.8.3:1-4 3.8.4:1-6 3.9.3:1-2 3.10.1:1 3.10.3:1-2 3.10.4:1-6 3.12.4:1 3.14.1:1 3.14.4:1-3
    4.1.0:1-2 4.3.1:1 4.3.2:1-2 4.3.3:1-2 4.4.0:1 4.5.0:1-2 4.6.0:1-6 4.7.1:1-3 4.7.2:1 4.7.3:1-4 4.8.0:1-2
    6.0.0:1-4 7.0.0:1-2 7.1.1:1 7.1.2:1";

/// Statements that no test holds the server to, and why. Sections with their numbers, as above.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "5.0",
        "3.1.2:20-21 3.2.2:4-5 3.2.2:11 3.2.2:14 3.2.2:18 3.2.2:21",
        "what a client sends, or does with a CONNACK",
    ),
    ("5.0", "3.3.2:10 3.3.4:8 4.5.0:2 4.6.0:1-4", "how a client receives and answers"),
    ("5.0", "3.1.2:30 4.12.0:3", "what a client sends while it is being authenticated"),
    (
        "5.0",
        "3.15.2:2-3 4.12.0:2 4.12.0:4-5 4.12.1:1-2",
        "needs a method: told where people sign in with a key",
    ),
    ("3.1.1", "2.3.1:2-3 3.1.2:23 3.14.4:2", "what a client sends"),
    ("3.1.1", "4.5.0:2 4.6.0:1-4 7.1.2:1", "how a client receives, answers and is connected"),
    ("3.1.1", "4.8.0:2", "a transient error cannot be brought about from outside"),
    ("3.1.1", "7.0.0:1", "for servers that connect to others; this one does so in a protocol of its own"),
    ("3.1.1", "7.0.0:2", "every test here, none of which uses an extension"),
];

type Statements = BTreeSet<(&'static str, String)>;

/// Every statement that a list stands for.
fn spelled_out(version: &'static str, list: &str) -> Vec<(&'static str, String)> {
    let number = |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("{text} in a list"));
    let each = list.split_whitespace().flat_map(|entry| {
        let (section, numbers) = entry.split_once(':').unwrap_or_else(|| panic!("{entry} in a list"));
        let (first, last) = match numbers.split_once('-') {
            Some((first, last)) => (number(first), number(last)),
            None => (number(numbers), number(numbers)),
        };
        (first..=last).map(move |number| (version, format!("{section}-{number}")))
    });
    each.collect()
}

fn both_appendices() -> Statements {
    spelled_out("5.0", OF_5).into_iter().chain(spelled_out("3.1.1", OF_3)).collect()
}

/// The statements that a source names, each behind the version that has it.
fn cited(text: &str) -> Statements {
    let mut found = Statements::new();
    for line in text.lines() {
        let mut versions: &[&'static str] = &[];
        for word in line.split(|c: char| c.is_whitespace() || ",:\"/()".contains(c)) {
            match word {
                "5.0" => versions = &["5.0"],
                "3.1.1" => versions = &["3.1.1"],
                "both" => versions = &["5.0", "3.1.1"],
                _ => {
                    let number = word.strip_prefix("[MQTT-").and_then(|rest| rest.strip_suffix(']'));
                    found.extend(
                        number.iter().flat_map(|number| {
                            versions.iter().map(|version| (*version, (*number).to_owned()))
                        }),
                    );
                }
            }
        }
    }
    found
}

/// The tests of this suite, and the rules of its reader.
fn sources() -> BTreeMap<String, String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests");
    let chapters =
        fs::read_dir(tests.join("conformance")).expect("the suite").flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = chapters.filter(|path| !path.ends_with("statements.rs")).collect();
    paths.push(tests.join("town/packet/rules.rs"));
    let read = |path: &Path| (path.display().to_string(), fs::read_to_string(path).expect("a source"));
    paths.iter().map(|path| read(path)).collect()
}

#[test]
fn every_statement_is_tested_or_has_a_reason_not_to_be() {
    let all = both_appendices();
    let tested: Statements = sources().values().flat_map(|text| cited(text)).collect();
    let listed = ELSEWHERE.iter().flat_map(|(version, list, _)| spelled_out(version, list));
    let listed: Statements = listed.collect();
    let unknown: Vec<_> = tested.union(&listed).filter(|one| !all.contains(*one)).collect();
    assert!(unknown.is_empty(), "no such statements: {unknown:?}");
    let twice: Vec<_> = tested.intersection(&listed).collect();
    assert!(twice.is_empty(), "tested, and listed as if they were not: {twice:?}");
    let missing: Vec<_> = all.iter().filter(|one| !tested.contains(*one) && !listed.contains(*one)).collect();
    assert!(missing.is_empty(), "neither tested nor listed: {missing:#?}");
}

#[test]
fn the_appendices_are_complete() {
    // What the standards of March 2019 and October 2014 have.
    assert_eq!(spelled_out("5.0", OF_5).len(), 251);
    assert_eq!(spelled_out("3.1.1", OF_3).len(), 141);
    assert_eq!(both_appendices().len(), 251 + 141);
}

#[test]
fn statements_are_found_where_they_are_named() {
    let text = "/// both [MQTT-1.2.3-4] [MQTT-5.6.7-8], 5.0 [MQTT-1.1.1-1]: why\n// [MQTT-9.9.9-9]";
    let found: Vec<_> =
        cited(text).into_iter().map(|(version, number)| format!("{version} {number}")).collect();
    assert_eq!(found, ["3.1.1 1.2.3-4", "3.1.1 5.6.7-8", "5.0 1.1.1-1", "5.0 1.2.3-4", "5.0 5.6.7-8"]);
}
