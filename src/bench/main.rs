//! The benchmark: durable chat beside Debian's mosquitto, over mutual TLS, in the same run.
//!
//! `sh packaging/bench` builds and runs it and writes the table into README.md. Each scenario is run in turn against
//! both servers, three rounds, and medians are reported. Chancery answers a publication after it is on disk
//! (`fdatasync`); mosquitto keeps everything in memory, as Debian ships it. A message counts when its recipient has
//! read it and written the acknowledgement.

mod client;
mod server;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use client::{Pair, Run};
use server::{Chancery, Mosquitto};

/// Pairs of an author and a recipient, each with a connection and a certificate of its own.
const PAIRS: usize = 50;
/// Publications that an author may have unacknowledged.
const WINDOW: usize = 50;
/// Messages of one throughput round, over all pairs.
const MESSAGES: usize = 100_000;
/// Messages a second, and seconds, of one latency round.
const RATE: usize = 2_000;
const SECONDS: usize = 5;
const ROUNDS: usize = 3;
/// Bytes of one message.
const SIZE: usize = 256;

fn main() -> Result<()> {
    // `cargo test` runs benches with `--test`: there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let chancery = Chancery::start(folder.path(), PAIRS)?;
    let mosquitto = Mosquitto::start(folder.path(), &chancery)?;
    let mut results = [Results::default(), Results::default()];
    for round in 1..=ROUNDS {
        for (at, pairs) in [chancery.pairs()?, mosquitto.pairs(&chancery)?].into_iter().enumerate() {
            let full = runtime.block_on(client::run(
                &pairs,
                Run::Window { messages: MESSAGES, window: WINDOW, size: SIZE },
            ))?;
            let paced = runtime
                .block_on(client::run(&pairs, Run::Rate { rate: RATE, seconds: SECONDS, size: SIZE }))?;
            say(&format!(
                "round {round} {}: {:.0}/s, p50 {:?}, p99 {:?}",
                NAMES[at], full.rate, paced.p50, paced.p99
            ))?;
            results[at].add(&full, &paced);
        }
    }
    let table = table(&results, chancery.start_time, chancery.idle_memory_kib)?;
    say(&table)?;
    if let Some(readme) = std::env::args().skip_while(|argument| argument != "--readme").nth(1) {
        insert(Path::new(&readme), &table)?;
    }
    Ok(())
}

const NAMES: [&str; 2] = ["chancery", "mosquitto"];

#[derive(Default)]
struct Results {
    rate: Vec<f64>,
    full_p99: Vec<Duration>,
    p50: Vec<Duration>,
    p99: Vec<Duration>,
}

impl Results {
    fn add(&mut self, full: &client::Figures, paced: &client::Figures) {
        self.rate.push(full.rate);
        self.full_p99.push(full.p99);
        self.p50.push(paced.p50);
        self.p99.push(paced.p99);
    }
}

fn table(results: &[Results; 2], start: Duration, idle_kib: u64) -> Result<String> {
    let [ours, theirs] = results;
    let rate = |results: &Results| median(&results.rate, f64::total_cmp);
    let time = |times: &[Duration]| median(times, Duration::cmp);
    let row = |what: &str, ours: Duration, theirs: Duration| {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64().max(1e-9);
        format!("| {what} | {} | {} | {ratio:.2} |\n", millis(ours), millis(theirs))
    };
    let (mine, other) = (rate(ours), rate(theirs));
    let mut text = String::from(
        "| 50 pairs, 256 B, QoS 1, mutual TLS 1.3 | Chancery, on disk | mosquitto, in memory | ratio |\n|---|---|---|---|\n",
    );
    text += &format!(
        "| messages a second, publish to acknowledged by recipient | {mine:.0} | {other:.0} | {:.2} |\n",
        mine / other
    );
    text += &row("p99 latency at that load", time(&ours.full_p99), time(&theirs.full_p99));
    text += &row(&format!("p50 latency at {RATE} messages a second"), time(&ours.p50), time(&theirs.p50));
    text += &row(&format!("p99 latency at {RATE} messages a second"), time(&ours.p99), time(&theirs.p99));
    text += &format!(
        "\nChancery starts in {} and idles at {:.1} MiB. {}\n",
        millis(start),
        idle_kib as f64 / 1024.0,
        machine()?
    );
    Ok(text)
}

fn median<T: Copy>(values: &[T], order: impl Fn(&T, &T) -> std::cmp::Ordering) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_by(order);
    sorted[sorted.len() / 2]
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// The machine it ran on.
fn machine() -> Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    let cores = std::thread::available_parallelism()?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "Machine: {model}, {cores} cores shared by server and load generator, Linux {}; medians of {ROUNDS} rounds.",
        kernel.trim()
    ))
}

/// Puts the table between its marks.
fn insert(readme: &Path, table: &str) -> Result<()> {
    const MARKS: [&str; 2] = ["<!-- bench -->\n", "<!-- /bench -->"];
    let text = std::fs::read_to_string(readme)?;
    let (before, rest) = text.split_once(MARKS[0]).context("README has no <!-- bench --> mark")?;
    let Some((_, after)) = rest.split_once(MARKS[1]) else { bail!("README has no <!-- /bench --> mark") };
    ensure!(!table.is_empty(), "an empty table");
    Ok(std::fs::write(readme, [before, MARKS[0], table, MARKS[1], after].concat())?)
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

/// How long ago, for payloads that carry their time of sending.
fn micros_since(epoch: Instant) -> u64 {
    epoch.elapsed().as_micros() as u64
}

/// Who talks to whom about what.
fn pair(
    at: usize,
    address: std::net::SocketAddr,
    author: client::Identity,
    recipient: client::Identity,
    chat: bool,
) -> Pair {
    let (topic, filter) = match chat {
        true => (format!("to/b{at}"), "from/#".to_owned()),
        false => (format!("bench/{at}"), format!("bench/{at}")),
    };
    Pair { address, author, recipient, topic, filter }
}
