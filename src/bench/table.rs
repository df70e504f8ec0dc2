//! The tables: medians of all rounds, both servers side by side, as README.md shows them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::process;
use crate::server::Product;
use crate::tally::Figures;
use crate::workload::Workload;
use crate::yardstick::Yardstick;

/// One run of one workload against one server.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(crate) workload: Workload,
    pub(crate) server: Product,
    pub(crate) round: usize,
    #[serde(flatten)]
    pub(crate) figures: Figures,
}

/// How Chancery begins: the time until its doors are open, and its memory at rest.
pub(crate) struct Beginning {
    pub(crate) took: Duration,
    pub(crate) resident_kib: u64,
}

/// A line of a table: what stands first, whose figures, which of them.
type Row = (&'static str, Workload, Figure);

#[derive(Clone, Copy, PartialEq)]
enum Figure {
    Rate,
    P50,
    P99,
    KibEach,
}

const CORE: [Row; 10] = [
    ("fan-in, 50 publishers to 1 subscriber, QoS 0", Workload::FanIn, Figure::Rate),
    ("fan-out, 1 publisher to 500 subscribers, QoS 0", Workload::FanOut, Figure::Rate),
    ("50 pairs, QoS 1", Workload::Pairs, Figure::Rate),
    ("50 pairs, QoS 1, mutual TLS 1.3", Workload::PairsTls, Figure::Rate),
    (
        "50 pairs, QoS 1, persistent sessions, on disk (mosquitto: in memory)",
        Workload::PairsDurable,
        Figure::Rate,
    ),
    ("latency at 2,000 messages a second, QoS 1, p50", Workload::Latency, Figure::P50),
    ("latency at 2,000 messages a second, QoS 1, p99", Workload::Latency, Figure::P99),
    ("10,000 connections at rest, memory of each", Workload::Idle, Figure::KibEach),
    ("10,000 connections at rest, mutual TLS 1.3, memory of each", Workload::IdleTls, Figure::KibEach),
    ("handshakes, mutual TLS 1.3, up to CONNACK", Workload::IdleTls, Figure::Rate),
];

const CHAT: [Row; 4] = [
    ("messages, 50 pairs", Workload::Chat, Figure::Rate),
    ("latency at that load, p99", Workload::Chat, Figure::P99),
    ("latency at 2,000 messages a second, p50", Workload::ChatLatency, Figure::P50),
    ("latency at 2,000 messages a second, p99", Workload::ChatLatency, Figure::P99),
];

const CERTIFICATES: [Row; 8] = [
    ("enrolments by EST, TLS 1.3, on disk and audited before the answer", Workload::Enroll, Figure::Rate),
    ("time of one, with 256 at a time, p50", Workload::Enroll, Figure::P50),
    ("OCSP answers over HTTP, kept ones", Workload::Ocsp, Figure::Rate),
    ("OCSP answers over HTTP, with a nonce, each signed", Workload::OcspNonce, Figure::Rate),
    ("one more revocation among 100,000, until the list with it is signed, p50", Workload::Crl, Figure::P50),
    ("the same, p99", Workload::Crl, Figure::P99),
    ("from a revocation to the end of the session, one of 10,000, p50", Workload::Revoke, Figure::P50),
    ("the same, p99", Workload::Revoke, Figure::P99),
];

/// What stands between README's marks.
pub(crate) fn text(
    measured: &[Measured],
    beginning: &Beginning,
    yardstick: &Yardstick,
    rounds: usize,
) -> Result<String> {
    let everything: Vec<_> = measured.iter().map(|run| &run.figures).collect();
    Ok(format!(
        "Written by `sh packaging/bench`: Debian's mosquitto and Chancery in the same run, in turn, each started anew for
each measurement, medians of {rounds} rounds; messages of 256 bytes over loopback, MQTT 3.1.1. The load generator has one
thread and shares the processors with the server. CPU is in per cent of one core, server and generator; µs are the
server's processor time for each message or connection.

{core}
Chat between people, QoS 1 over mutual TLS 1.3, each with a certificate of their own. Chancery answers a publication
when it is on disk (`fdatasync`); mosquitto knows no accounts, has a topic for each pair and keeps messages in memory.

{chat}
The authority: each enrolment with a one-time token and a key of its own, 256 clients at a time. `openssl speed
ecdsap256` in the same run makes {signed} signatures and verifies {verified} a second on one core; an enrolment is one of
each, of which a core could do {possible} a second and nothing else: the whole of it runs at {ratio} of that.

{certificates}
Chancery starts in {took} and rests at {rest:.1} MiB. {machine}; other processes took {other:.0} % of
one core meanwhile.
",
        core = table("plain topics", &CORE, measured),
        chat = table("chat", &CHAT, measured),
        certificates = certificates(measured),
        signed = grouped(yardstick.signed),
        verified = grouped(yardstick.verified),
        possible = grouped(yardstick.certificates()),
        ratio = enrolled(measured)
            .map_or("–".into(), |rate| format!("{:.2}", rate / yardstick.certificates())),
        took = micros(beginning.took.as_micros() as f64),
        rest = beginning.resident_kib as f64 / 1024.0,
        machine = process::machine()?,
        other = median(&everything, |run| Some(run.other_cpu)).unwrap_or_default(),
    ))
}

fn table(title: &str, rows: &[Row], measured: &[Measured]) -> String {
    let mut text = format!(
        "| {title} | Chancery | mosquitto | ratio | Chancery CPU, µs | mosquitto CPU, µs |\n|---|--:|--:|--:|--:|--:|\n"
    );
    for &(what, workload, figure) in rows {
        let [ours, theirs] =
            [Product::Chancery, Product::Mosquitto].map(|server| of(measured, workload, server));
        let value = |runs: &[&Figures]| median(runs, |run| figure.of(run));
        let ratio = match (value(&ours), value(&theirs)) {
            (Some(ours), Some(theirs)) if theirs > 0.0 => format!("{:.2}", ours / theirs),
            _ => "–".to_owned(),
        };
        text += &format!(
            "| {what} | {} | {} | {ratio} | {} | {} |\n",
            cell(&ours, figure),
            cell(&theirs, figure),
            cost(&ours),
            cost(&theirs)
        );
    }
    text
}

fn certificates(measured: &[Measured]) -> String {
    let mut text = "| certificates | Chancery | CPU, µs |\n|---|--:|--:|\n".to_owned();
    for &(what, workload, figure) in &CERTIFICATES {
        let runs: Vec<_> = of(measured, workload, Product::Chancery);
        text += &format!("| {what} | {} | {} |\n", cell(&runs, figure), cost(&runs));
    }
    text
}

fn enrolled(measured: &[Measured]) -> Option<f64> {
    median(&of(measured, Workload::Enroll, Product::Chancery), |run| Some(run.per_second))
}

fn of(measured: &[Measured], workload: Workload, server: Product) -> Vec<&Figures> {
    let wanted = |run: &&Measured| run.workload == workload && run.server == server;
    measured.iter().filter(wanted).map(|run| &run.figures).collect()
}

/// A median, and whether something got lost on the way to it.
fn cell(runs: &[&Figures], figure: Figure) -> String {
    let Some(value) = median(runs, |run| figure.of(run)) else { return "–".into() };
    let lost: u64 = runs.iter().map(|run| run.wanted.saturating_sub(run.arrived)).sum();
    let shown = match figure {
        Figure::Rate => format!("{}/s", grouped(value)),
        Figure::P50 | Figure::P99 => micros(value),
        Figure::KibEach => format!("{value:.1} KiB"),
    };
    if lost == 0 { shown } else { format!("{shown}, {} lost", grouped(lost as f64)) }
}

fn cost(runs: &[&Figures]) -> String {
    let of = |field: fn(&Figures) -> f64| median(runs, |run| Some(field(run)));
    match (of(|run| run.server_cpu), of(|run| run.generator_cpu), of(|run| run.server_us_each)) {
        (Some(server), Some(generator), Some(each)) => {
            format!("{server:.0} + {generator:.0} %, {each:.1}")
        }
        _ => "–".into(),
    }
}

impl Figure {
    fn of(self, run: &Figures) -> Option<f64> {
        match self {
            Figure::Rate => Some(run.per_second),
            Figure::P50 => run.p50_us,
            Figure::P99 => run.p99_us,
            Figure::KibEach => run.kib_each,
        }
    }
}

fn median(runs: &[&Figures], field: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
    let mut values: Vec<f64> = runs.iter().filter_map(|run| field(run)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn micros(value: f64) -> String {
    if value < 10_000.0 { format!("{} µs", grouped(value)) } else { format!("{:.1} ms", value / 1e3) }
}

/// 1234567 as 1,234,567.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Puts the text between README's marks.
pub(crate) fn insert(readme: &Path, table: &str) -> Result<()> {
    const MARKS: [&str; 2] = ["<!-- bench -->\n", "<!-- /bench -->"];
    let text = std::fs::read_to_string(readme)?;
    let (before, rest) = text.split_once(MARKS[0]).context("README has no <!-- bench --> mark")?;
    let (_, after) = rest.split_once(MARKS[1]).context("README has no <!-- /bench --> mark")?;
    Ok(std::fs::write(readme, [before, MARKS[0], table, MARKS[1], after].concat())?)
}
