//! The benchmark: Chancery beside Debian's mosquitto, and its authority beside `openssl speed`, in the same run.
//!
//! `sh packaging/bench` builds and runs it and writes the tables into README.md. Workload by workload, both servers take
//! their turns, three rounds; the tables have medians. Each measurement is also printed as one line of JSON. Nothing is
//! asserted about speed.

mod asking;
mod certificates;
mod fan;
mod frame;
mod idle;
mod link;
mod pairs;
mod paper;
mod process;
mod revocation;
mod server;
mod table;
mod tally;
mod web;
mod workload;
mod yardstick;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use server::{Ground, Product};
use table::{Beginning, Measured};
use workload::Workload;
use yardstick::Yardstick;

const ROUNDS: usize = 3;

#[derive(Parser)]
struct Options {
    /// One round with small counts; README stays as it is
    #[arg(long)]
    quick: bool,
    /// Only this workload (may be given again); README stays as it is
    #[arg(long, value_name = "NAME")]
    only: Vec<Workload>,
    /// The file between whose marks the tables are written
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    // `cargo bench` says `--bench`. `cargo test` runs this too, without, and there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let options = Options::parse();
    let workloads = if options.only.is_empty() { Workload::value_variants() } else { &options.only };
    let rounds = if options.quick { 1 } else { ROUNDS };

    process::raise_open_files()?;
    let chatters = if workloads.iter().any(|workload| workload.is_chat()) { workload::PAIRS } else { 0 };
    let ground = Ground::prepare(chatters)?;
    // A house of its own, whose ledger and list grow long.
    let authority = Ground::prepare(0)?;
    let beginning = begin(&ground)?;
    let yardstick = Yardstick::measure(options.quick)?;
    say(&serde_json::to_string(&yardstick)?)?;
    let mut measured = Vec::new();
    let mut failed = 0;
    for round in 1..=rounds {
        for &workload in workloads {
            let (ground, servers) = match workload.is_about_certificates() {
                true => (&authority, &[Product::Chancery][..]),
                false => (&ground, &[Product::Chancery, Product::Mosquitto][..]),
            };
            for &server in servers {
                match measure(ground, workload, server, round, options.quick) {
                    Ok(run) => {
                        say(&serde_json::to_string(&run)?)?;
                        measured.push(run);
                    }
                    Err(why) => {
                        failed += 1;
                        let name = serde_json::to_string(&workload)?;
                        writeln!(std::io::stderr().lock(), "round {round}, {name}, {server:?}: {why:#}")?;
                    }
                }
            }
        }
    }
    let text = table::text(&measured, &beginning, &yardstick, rounds)?;
    say(&text)?;
    ensure!(failed == 0, "{failed} measurements failed");
    match options.readme {
        Some(readme) if !options.quick && options.only.is_empty() => table::insert(&readme, &text),
        _ => Ok(()),
    }
}

/// A server that was just started, so that no workload inherits what another one left in memory.
fn measure(
    ground: &Ground,
    workload: Workload,
    product: Product,
    round: usize,
    quick: bool,
) -> Result<Measured> {
    let server = ground.start(product)?;
    // Dropped before the server: the clients go first.
    let runtime = one_thread()?;
    let figures = LocalSet::new().block_on(&runtime, workload.run(ground, &server, quick))?;
    Ok(Measured { workload, server: product, round, figures })
}

fn one_thread() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn begin(ground: &Ground) -> Result<Beginning> {
    let begun = Instant::now();
    let server = ground.start(Product::Chancery)?;
    let took = begun.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    Ok(Beginning { took, resident_kib: process::resident_kib(server.pid())? })
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
