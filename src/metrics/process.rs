//! What the kernel says of this process (proc(5)).

use std::fs;

/// Ticks of a second in what Linux tells programs, on every architecture that Rust's standard library runs on.
const TICKS: f64 = 100.0;

/// A look at this process; zero where the kernel does not say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Process {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) open_files: u64,
    pub(crate) most_files: u64,
    pub(crate) threads: u64,
}

impl Process {
    /// How it is now. Opens a few files that are none.
    pub(crate) fn look() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let (status, stat) = (read("status"), read("stat"));
        Self {
            cpu_seconds: ticks(&stat).unwrap_or_default() as f64 / TICKS,
            resident_bytes: field(&status, "VmRSS:").unwrap_or_default() * 1024,
            // The look itself has one open.
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64).saturating_sub(1),
            most_files: field(&read("limits"), "Max open files").unwrap_or_default(),
            threads: field(&status, "Threads:").unwrap_or_default(),
        }
    }
}

/// The first number behind a name.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Time in user and in kernel mode, the 14th and 15th field. The second, a name, may hold spaces and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself() {
        let me = Process::look();
        assert!(
            me.resident_bytes > 1 << 20 && me.open_files > 2 && me.most_files > 2 && me.threads > 0,
            "{me:?}"
        );
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        assert_eq!(ticks("7 (a) b (c)) S 1 1 1 0 -1 4 1 0 0 0 20 22 0 0 20"), Some(42));
    }
}
