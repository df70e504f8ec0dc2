//! `audit`: the chain of remembered deeds.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, at};
use super::output::Output;
use super::trouble::Trouble;

/// How many entries are asked for at once.
const PAGE: i64 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The newest deeds
    List {
        /// How many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=PAGE))]
        limit: i64,
        /// Only those before this number
        #[arg(long, value_name = "SEQ")]
        before: Option<i64>,
    },
    /// Write every deed, oldest first, one JSON object a line
    Export {
        /// Into a new file instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check that no deed was altered, removed or slipped in
    Verify,
    /// Go on issuing although deeds stand there with later times: they were written by a wrong clock
    AcceptClock,
}

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::List { limit, before } => {
                let fields = ["seq", "at", "actor", "deed", "subject", "details"];
                out.list("deeds", &fields, &page(client, before, limit)?)
            }
            Verb::Export { out: Some(file) } => export_to(client, &file, out),
            Verb::Export { out: None } => export(client, out),
            Verb::AcceptClock => {
                let answer = client.post(&at(&["audit", "clock"]), None)?;
                let said =
                    format!("it is {}: certificates are issued again", super::table::cell(&answer["now"]));
                out.done(&said, &answer)
            }
            Verb::Verify => {
                let answer = client.get_patiently(&at(&["audit", "verify"]))?;
                out.show(&["intact", "entries", "head", "broken"], &answer)?;
                match &answer["intact"] {
                    Value::Bool(true) => Ok(()),
                    _ => Err(Trouble::Failed(format!(
                        "the chain is broken: {}",
                        super::table::cell(&answer["broken"])
                    ))),
                }
            }
        }
    }
}

/// To standard output: a line each, or for a program one object that holds them all.
fn export(client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
    let (json, mut first) = (out.json(), true);
    if json {
        out.text("{\"entries\":[")?;
    }
    each(&mut |before, limit| page(client, before, limit), &mut |entry| {
        let between = if json && !std::mem::take(&mut first) { "," } else { "" };
        out.text(&format!("{between}{entry}{}", if json { "" } else { "\n" }))?;
        Ok(!out.closed())
    })?;
    if json { out.text("]}\n") } else { Ok(()) }
}

/// Into a new file for the caller alone; a line each.
fn export_to(client: &Client, path: &Path, out: &mut Output<'_>) -> Result<(), Trouble> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = BufWriter::new(file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Trouble::Refused(format!("{} exists already: name a new file", path.display()))
        }
        _ => Trouble::file("write", path, &error),
    })?);
    let (mut entries, mut head) = (0, Value::Null);
    each(&mut |before, limit| page(client, before, limit), &mut |entry| {
        writeln!(file, "{entry}").map_err(|error| Trouble::file("write", path, &error))?;
        entries += 1;
        head = entry["hash"].clone();
        Ok(true)
    })?;
    let written = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
    written.map_err(|error| Trouble::file("write", path, &error))?;
    let answer = json!({ "file": path, "entries": entries, "head": head });
    out.done(&format!("{entries} entries written to {}", path.display()), &answer)
}

fn page(client: &Client, before: Option<i64>, limit: i64) -> Result<Value, Trouble> {
    let before = before.map(|before| format!("&before={before}")).unwrap_or_default();
    client.get(&format!("{}?limit={limit}{before}", at(&["audit"])))
}

/// Hands every entry to `take`, oldest first, until it says no. Pages come newest first, so the chain is read in
/// windows from its start; a page that is shorter than its window is filled up, and memory stays one window small.
fn each(
    page: &mut dyn FnMut(Option<i64>, i64) -> Result<Value, Trouble>,
    take: &mut dyn FnMut(&Value) -> Result<bool, Trouble>,
) -> Result<(), Trouble> {
    let newest = entries(page(None, 1)?)?.first().map_or(0, |(seq, _)| *seq);
    let mut done = 0;
    while done < newest {
        let upto = newest.min(done + PAGE);
        let mut window = Vec::new();
        let mut before = upto + 1;
        while before > done + 1 {
            let page = entries(page(Some(before), PAGE)?)?;
            let wanted = page.into_iter().filter(|(seq, _)| (done + 1..before).contains(seq));
            let had = window.len();
            window.extend(wanted);
            match window.last() {
                Some((lowest, _)) if window.len() > had => before = *lowest,
                // Entries that are gone from the chain are for `verify` to tell.
                _ => break,
            }
        }
        for (_, entry) in window.iter().rev() {
            if !take(entry)? {
                return Ok(());
            }
        }
        done = upto;
    }
    Ok(())
}

fn entries(page: Value) -> Result<Vec<(i64, Value)>, Trouble> {
    let Value::Array(entries) = page else { return Err(strange()) };
    entries.into_iter().map(|entry| Ok((entry["seq"].as_i64().ok_or_else(strange)?, entry))).collect()
}

fn strange() -> Trouble {
    Trouble::Failed("the daemon's answer is no page of the audit; are both of one version?".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that `each` hands over from a chain with these numbers, read in pages of at most `cap`.
    fn read(chain: &[i64], cap: usize) -> Vec<i64> {
        let mut page = |before: Option<i64>, limit: i64| {
            let earlier = chain.iter().rev().filter(|seq| before.is_none_or(|before| **seq < before));
            Ok(earlier.take(cap.min(limit as usize)).map(|seq| json!({ "seq": seq })).collect())
        };
        let mut seen = Vec::new();
        each(&mut page, &mut |entry| {
            seen.extend(entry["seq"].as_i64());
            Ok(true)
        })
        .unwrap();
        seen
    }

    #[test]
    fn every_entry_is_exported_once_and_oldest_first() {
        for length in [0, 1, 999, 1000, 1001, 2500] {
            let chain: Vec<i64> = (1..=length).collect();
            assert_eq!(read(&chain, 1000), chain, "{length}");
        }
        let chain: Vec<i64> = (1..=2500).collect();
        assert_eq!(read(&chain, 7), chain, "a daemon that gives shorter pages");
    }

    #[test]
    fn a_chain_with_holes_is_exported_as_it_is() {
        let chain = [2, 3, 900, 3500, 3501];
        assert_eq!(read(&chain, 1000), chain);
    }

    #[test]
    fn the_export_stops_when_nobody_reads() {
        let mut taken = 0;
        let mut page = |_, _| Ok(json!([{ "seq": 2 }, { "seq": 1 }]));
        each(&mut page, &mut |_| {
            taken += 1;
            Ok(false)
        })
        .unwrap();
        assert_eq!(taken, 1);
    }
}
