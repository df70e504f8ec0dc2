//! Hostile requests: some five hundred, each thrown at every front that might read it. Each is refused in the front's
//! own words and audited, none has a certificate issued, and afterwards the house serves as before.
//!
//! They are files. `hostile/manifest.tsv` says what each is and what each front answers; where a front stands with two
//! answers, the same bytes are thrown twice. `hostile/make` wrote them all, and a word between `@` stands for what only
//! a house that runs knows.

mod der;
mod house;
mod jose;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use house::House;

use crate::town::text;
use crate::town::tools::tell;
use crate::town::web::Answer;

/// How long the daemon may take for any of them, on a machine that is busy with other tests.
const PROMPT: Duration = Duration::from_secs(5);
/// By how much it may grow over all of them.
const GROWTH_KIB: u64 = 48 * 1024;

/// A line of the manifest.
struct Entry {
    file: String,
    /// What each of [`FRONTS`] answers; `-` where it is not thrown.
    answers: Vec<String>,
}

const FRONTS: [&str; 5] = ["est", "api", "cmp", "acme", "ocsp"];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/hostile")
}

fn manifest() -> Vec<Entry> {
    let table = fs::read_to_string(corpus().join("manifest.tsv")).expect("the manifest");
    let entry = |line: &str| {
        let mut cells = line.split('\t').map(str::to_owned);
        Entry { file: cells.next().expect("a file"), answers: cells.take(FRONTS.len()).collect() }
    };
    table.lines().skip(1).map(entry).collect()
}

/// Every file of the corpus below a folder, by its path from there.
fn files(root: &Path) -> BTreeSet<String> {
    let folders = ["csr", "cmp", "acme", "ocsp", "http", "helper"];
    let entries = folders.iter().flat_map(|name| fs::read_dir(root.join(name)).expect("a folder").flatten());
    let name = |path: PathBuf| text(path.strip_prefix(root).expect("inside")).to_owned();
    entries.map(|entry| name(entry.path())).collect()
}

#[test]
fn the_manifest_lists_every_file() {
    let listed: BTreeSet<String> = manifest().into_iter().map(|entry| entry.file).collect();
    let there: BTreeSet<String> =
        files(&corpus()).into_iter().filter(|file| !file.starts_with("helper/")).collect();
    assert_eq!(listed, there);
    assert!(listed.len() >= 200, "{}", listed.len());
}

#[test]
fn the_files_are_those_that_their_maker_writes() {
    let fresh = tempfile::tempdir().expect("a temporary folder");
    let maker = corpus().join("make");
    tell("/usr/bin/python3", &["-B", text(&maker), text(fresh.path())]).well();
    assert_eq!(files(fresh.path()), files(&corpus()));
    for file in files(fresh.path()).iter().map(String::as_str).chain(["manifest.tsv"]) {
        let same = fs::read(fresh.path().join(file)).ok() == fs::read(corpus().join(file)).ok();
        assert!(same, "{file} is not what its maker writes");
    }
}

#[test]
fn every_one_is_refused_in_the_fronts_own_words_and_audited_and_none_is_fulfilled() {
    let mut house = House::open();
    let (before, memory) = (house.certificates(), house.memory_kib());
    let mut wrong = Vec::new();
    for (at, front) in FRONTS.iter().enumerate() {
        let (mut thrown, refusals) = (0, house.refusals());
        for entry in manifest().iter().filter(|entry| entry.answers[at] != "-") {
            let content = fs::read(corpus().join(&entry.file)).expect("a file of the corpus");
            let request = house.prepare(front, &entry.file, &content);
            for expected in entry.answers[at].split(", ") {
                let began = Instant::now();
                let answer = house.throw(&request);
                let (said, took) = (judge(front, &answer), began.elapsed());
                thrown += 1;
                if said != expected || took > PROMPT {
                    wrong.push(format!("{} at {front}: {said} and not {expected}, in {took:?}", entry.file));
                    // What was fulfilled used the token up, and nothing after it would be seen.
                    house.take_a_fresh_token();
                }
            }
        }
        // Whoever asks for a status is refused nothing that is his: OCSP is not audited.
        let audited = house.refusals() - refusals;
        if audited != if *front == "ocsp" { 0 } else { thrown } {
            wrong.push(format!("{front}: of {thrown} refusals {audited} are audited"));
        }
    }
    assert!(wrong.is_empty(), "{} are not answered as they should be:\n{}", wrong.len(), wrong.join("\n"));
    let grown = house.memory_kib().saturating_sub(memory);
    assert!(grown < GROWTH_KIB, "the daemon grew by {grown} KiB");
    assert_eq!(house.certificates(), before + house.opened, "nothing was issued");
    house.serves_as_before();
    assert_eq!(house.town.ask("audit verify")["intact"], true);
}

/// What an answer says, in the manifest's words; anything that is not the front's own form is told as it came.
fn judge(front: &str, answer: &Answer) -> String {
    let kind = answer.header("content-type");
    let form = |sound: bool, word: String| match sound {
        true => word,
        false => format!("{} of {kind:?}: {}", answer.status, answer.body),
    };
    let refused = (400..500).contains(&answer.status);
    match front {
        "est" => form(
            refused && kind.starts_with("text/plain") && answer.body.len() > 10,
            answer.status.to_string(),
        ),
        "api" => {
            let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
            form(refused && told["error"].is_string(), answer.status.to_string())
        }
        "cmp" if kind == "application/pkixcmp" => {
            form(answer.status == 200, der::failure(&answer.bytes).unwrap_or("no failure").to_owned())
        }
        "cmp" => form(refused && answer.body.len() > 10, answer.status.to_string()),
        "acme" => {
            let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let word =
                problem["type"].as_str().and_then(|kind| kind.strip_prefix("urn:ietf:params:acme:error:"));
            let sound = refused && kind == "application/problem+json" && problem["status"] == answer.status;
            form(sound && word.is_some(), word.unwrap_or_default().to_owned())
        }
        _ => {
            let malformed = answer.bytes == [0x30, 3, 0x0A, 1, 1] && kind == "application/ocsp-response";
            form(malformed && answer.status == 200, "malformedRequest".to_owned())
        }
    }
}
