//! What the kernel tells of a process: its memory, its processor time, the files that it may open.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Files that a server with 10,000 clients, and these clients, may open.
const OPEN_FILES: u32 = 65_536;

/// Time on all processors, in the kernel's steps of 10 ms.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold blanks; utime and stime are the 12th and 13th field behind it (proc(5)).
    let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Time that all processors worked, whoever for.
pub(crate) fn busy_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("an empty stat")?;
    let ticks: Vec<u64> = line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
    // user, nice, system, idle, iowait, irq, softirq, steal; the guests' time behind it is user's already (proc(5)).
    let busy: u64 =
        ticks.iter().take(8).enumerate().filter(|(at, _)| !matches!(at, 3 | 4)).map(|(_, n)| n).sum();
    Ok(Duration::from_millis(busy * 10))
}

pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).context("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
}

/// Lets this process, and the servers that it starts, open enough files.
pub(crate) fn raise_open_files() -> Result<()> {
    let me = std::process::id().to_string();
    // Only root may lift the hard limit; anybody may use it up.
    for limit in [format!("{OPEN_FILES}:{OPEN_FILES}"), format!("{OPEN_FILES}:"), hard_limit()?] {
        let limit = format!("--nofile={limit}");
        let done = Command::new("prlimit").args(["--pid", &me, &limit]).output();
        if done.context("prlimit")?.status.success() {
            return Ok(());
        }
    }
    bail!("the limit of open files could not be raised")
}

/// As an argument of prlimit that makes the soft limit equal to it.
fn hard_limit() -> Result<String> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).context("no limit")?;
    Ok(format!("{}:", line.split_whitespace().nth(4).context("no hard limit")?))
}

/// The machine it ran on.
pub(crate) fn machine() -> Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, name)| name);
    let cores = std::thread::available_parallelism()?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "Machine: {model}, {cores} cores shared by server and load generator, Linux {}",
        kernel.trim()
    ))
}
