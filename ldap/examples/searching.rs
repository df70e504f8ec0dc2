//! How long a search of a large directory takes: `cargo run --release -p chancery-ldap --example searching [people]`.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use chancery_ldap::serve::{Allowed, Card, Conversation, Directory, Identity, Limits, Next, Tree, Verdict};
use uuid::Uuid;

const SUFFIX: &str = "dc=corp,dc=example";
const FIRST: [&str; 16] = [
    "Alice", "Bob", "Carol", "David", "Erika", "Frank", "Gisela", "Heinz", "Ines", "Jörg", "Karin", "Lars",
    "Maria", "Nora", "Otto", "Petra",
];
const LAST: [&str; 16] = [
    "Adams", "Müller", "Schmidt", "Smith", "Fischer", "Weber", "Meyer", "Wagner", "Becker", "Schulz",
    "Hoffmann", "Koch", "Richter", "Klein", "Wolf", "Novák",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let people = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse::<usize>())?;
    let mut out = io::stdout().lock();
    let before = resident();
    let begun = Instant::now();
    let directory = Directory::new(&Tree::new(SUFFIX)?, Allowed::default(), (0..people).map(card));
    let took = begun.elapsed();
    let memory = resident().saturating_sub(before) >> 20;
    writeln!(out, "snapshot of {people}: {took:.1?}, {memory} MiB")?;

    let classes = item(0xa3, "objectClass", &[(4, "inetOrgPerson")]);
    let names = ["mail", "cn", "givenName", "sn", "displayName"];
    let contains = |text: &str| names.map(|name| like(name, 0x81, text)).concat();
    let begins = |text: &str| names.map(|name| like(name, 0x80, text)).concat();
    let addresses = ["p000007@corp.example", "p012345@corp.example", "p054321@corp.example"];
    let addresses = addresses.map(|address| item(0xa3, "mail", &[(4, address)])).concat();
    for (what, filter) in [
        ("completion, few", tlv(0xa0, &[&classes, &tlv(0xa1, &[&contains("p05432")])])),
        ("completion, none", tlv(0xa0, &[&classes, &tlv(0xa1, &[&contains("xyzzy")])])),
        ("completion, a sixteenth", tlv(0xa0, &[&classes, &tlv(0xa1, &[&contains("smi")])])),
        ("beginnings, none", tlv(0xa0, &[&tlv(0x87, &[b"mail"]), &tlv(0xa1, &[&begins("xyzzy")])])),
        ("three certificates by address", tlv(0xa1, &[&addresses])),
        ("by uid", item(0xa3, "uid", &[(4, "p054321")])),
        ("eighty comparisons that most pass", tlv(0xa0, &[&like("cn", 0x81, "e").repeat(80)])),
        ("everybody", tlv(0x87, &[b"objectClass"])),
    ] {
        let runs = 20;
        let results: Vec<_> = (0..runs).map(|_| search(&directory, &filter)).collect();
        let median = |mut times: Vec<Duration>| {
            times.sort();
            times[times.len() / 2]
        };
        let whole = median(results.iter().map(|result| result.whole).collect());
        let step = results.iter().map(|result| result.step).max().unwrap_or_default();
        writeln!(out, "{what}: {whole:.1?}, {} bytes, longest step {step:.1?}", results[0].bytes)?;
    }
    Ok(())
}

fn card(number: usize) -> Card {
    let (first, last) = (FIRST[number % 16], LAST[number / 16 % 16]);
    Card {
        uid: format!("p{number:06}"),
        cn: format!("{first} {last}"),
        sn: Some(last.to_owned()),
        given_name: Some(first.to_owned()),
        display_name: Some(format!("{last}, {first}")),
        mail: vec![format!("p{number:06}@corp.example"), format!("{first}.{last}.{number}@corp.example")],
        title: Some("Engineer".to_owned()),
        entry_uuid: Uuid::from_u128(number as u128),
        ..Card::default()
    }
}

struct Done {
    whole: Duration,
    step: Duration,
    bytes: usize,
}

/// One search by somebody who has signed in, with no limit.
fn search(directory: &Directory, filter: &[u8]) -> Done {
    let mut conversation = Conversation::new(Limits { entries: usize::MAX, ..Limits::default() });
    let bind = tlv(0x60, &[&[2, 1, 3], &tlv(4, &[b"alice"]), &tlv(0x80, &[b"secret"])]);
    conversation.receive(&tlv(0x30, &[&[2, 1, 1], &bind]));
    let numbers = [0x0a, 1, 2, 0x0a, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    let request = tlv(0x63, &[&tlv(4, &[SUFFIX.as_bytes()]), &numbers, filter, &tlv(0x30, &[])]);
    conversation.receive(&tlv(0x30, &[&[2, 1, 2], &request]));
    let begun = Instant::now();
    let mut done = Done { whole: Duration::ZERO, step: Duration::ZERO, bytes: 0 };
    loop {
        let step = Instant::now();
        let next = conversation.next(directory);
        done.step = done.step.max(step.elapsed());
        match next {
            Next::Write(bytes) => done.bytes += bytes.len(),
            Next::Ask(_) => conversation.answer(Verdict::Is(Identity::Person("alice".to_owned()))),
            Next::Again => {}
            Next::Read | Next::End => break,
        }
    }
    done.whole = begun.elapsed();
    done
}

fn like(name: &str, place: u8, text: &str) -> Vec<u8> {
    tlv(0xa4, &[&tlv(4, &[name.as_bytes()]), &tlv(0x30, &[&tlv(place, &[text.as_bytes()])])])
}

fn item(tag: u8, name: &str, values: &[(u8, &str)]) -> Vec<u8> {
    let values: Vec<_> = values.iter().map(|(tag, value)| tlv(*tag, &[value.as_bytes()])).collect();
    tlv(tag, &[&tlv(4, &[name.as_bytes()]), &values.concat()])
}

/// One BER value of at most 64 kB.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [.., high, low] = content.len().to_be_bytes();
    [&[tag, 0x82, high, low], content.as_slice()].concat()
}

/// Memory of the process, where the system tells.
fn resident() -> usize {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    told.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0_usize) * 4096
}
