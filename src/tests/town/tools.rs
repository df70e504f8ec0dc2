//! Running programs, and waiting for things with a bound.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::Value;

/// What a program did.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    /// Its output, after an exit code of 0.
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// Its output as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {:?}", self.out))
    }
}

/// Runs a program to its end.
pub(crate) fn tell(program: &str, arguments: &[&str]) -> Told {
    run(Command::new(program).args(arguments))
}

/// The same of a command that was put together.
pub(crate) fn run(command: &mut Command) -> Told {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    Told { code, out: text(&output.stdout), err: text(&output.stderr) }
}

/// The same from one line without quotes.
pub(crate) fn tell_line(line: &str) -> Told {
    let words: Vec<&str> = line.split_whitespace().collect();
    tell(words[0], &words[1..])
}

/// Asks until there is an answer or the time is over.
pub(crate) fn poll<T>(bound: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + bound;
    loop {
        match ask() {
            Some(answer) => return Some(answer),
            None if Instant::now() > end => return None,
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Waits, bounded, until something holds; `what` says what did not happen.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let held = poll(Duration::from_secs(20), || holds().then_some(()));
    assert!(held.is_some(), "within 20 s not: {what}");
}

/// Changes a database behind the daemon's back.
pub(crate) fn sql(file: &Path, statements: &str) {
    let name = file.to_str().expect("temporary paths are UTF-8");
    let mut database = SqliteConnection::establish(name).expect("the daemon's database");
    database.batch_execute(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
}

/// What starts a program with its clock shifted. Not the wrapper `faketime` itself: it would stand between us and the
/// daemon, so it is only asked for its library.
pub(crate) fn with_clock(shift: &str) -> Vec<String> {
    let library = tell("faketime", &["-f", shift, "printenv", "LD_PRELOAD"]).well();
    let set = [format!("LD_PRELOAD={}", library.trim()), format!("FAKETIME={shift}")];
    [vec!["env".to_owned(), "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned()], set.to_vec()].concat()
}
