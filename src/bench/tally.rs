//! Counting and timing a run: what has come, when, and what it cost the processors.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::process;

/// Nothing has come for so long: the rest is lost.
const STALLED: Duration = Duration::from_secs(3);

/// The clients of a run. They never finish by themselves, so the first that ends has failed.
pub(crate) type Crew = JoinSet<Result<Infallible>>;

/// What has come so far. Shared by the clients of one run, which live on one thread.
pub(crate) struct Tally {
    epoch: Instant,
    wanted: u64,
    arrived: Cell<u64>,
    last: Cell<Instant>,
    latencies: RefCell<Vec<u32>>,
    moved: Notify,
    complete: Notify,
}

impl Tally {
    pub(crate) fn of(wanted: u64) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            epoch: now,
            wanted,
            arrived: Cell::new(0),
            last: Cell::new(now),
            latencies: RefCell::new(Vec::new()),
            moved: Notify::new(),
            complete: Notify::new(),
        })
    }

    /// Microseconds since the run was planned: what messages are stamped with.
    pub(crate) fn now(&self) -> u64 {
        self.epoch.elapsed().as_micros() as u64
    }

    /// So many have come with one read.
    pub(crate) fn add(&self, count: u64) {
        self.arrived.set(self.arrived.get() + count);
        self.last.set(Instant::now());
        self.moved.notify_waiters();
        if self.arrived.get() >= self.wanted {
            self.complete.notify_one();
        }
    }

    pub(crate) fn add_latency(&self, micros: u64) {
        self.latencies.borrow_mut().push(u32::try_from(micros).unwrap_or(u32::MAX));
    }

    pub(crate) fn arrived(&self) -> u64 {
        self.arrived.get()
    }

    /// Waits until more has come.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Waits until everything has come, or nothing comes any more.
    pub(crate) async fn settle(&self, crew: &mut Crew) -> Result<()> {
        loop {
            let before = self.arrived();
            tokio::select! {
                () = self.complete.notified() => return Ok(()),
                ended = crew.join_next() => match ended.context("a run without clients")?? {
                    Err(why) => return Err(why),
                },
                () = tokio::time::sleep(STALLED) => if self.arrived() == before { return Ok(()) },
            }
        }
    }
}

/// The begin of a run's measured part, after everybody is connected.
pub(crate) struct Watch {
    server: u32,
    begun: Instant,
    server_time: Duration,
    own_time: Duration,
    busy_time: Duration,
}

/// What one run showed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) wanted: u64,
    pub(crate) arrived: u64,
    pub(crate) seconds: f64,
    pub(crate) per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<f64>,
    /// Per cent of one core.
    pub(crate) server_cpu: f64,
    pub(crate) generator_cpu: f64,
    /// All others on this machine: much of it makes the figures worthless.
    pub(crate) other_cpu: f64,
    /// The server's microseconds on processors for each message (or connection).
    pub(crate) server_us_each: f64,
    /// The server's memory at the end.
    pub(crate) resident_kib: u64,
    /// What its memory grew by for each connection that it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kib_each: Option<f64>,
}

impl Watch {
    pub(crate) fn start(server: u32) -> Result<Self> {
        Ok(Self {
            server,
            begun: Instant::now(),
            server_time: process::cpu_time(server)?,
            own_time: process::cpu_time(std::process::id())?,
            busy_time: process::busy_time()?,
        })
    }

    /// The time counts until the last message came.
    pub(crate) fn stop(self, tally: &Tally) -> Result<Figures> {
        let took = tally.last.get().saturating_duration_since(self.begun).as_secs_f64().max(1e-6);
        let server_time = (process::cpu_time(self.server)? - self.server_time).as_secs_f64();
        let own_time = (process::cpu_time(std::process::id())? - self.own_time).as_secs_f64();
        let other_time = (process::busy_time()? - self.busy_time).as_secs_f64() - server_time - own_time;
        let mut latencies = tally.latencies.take();
        latencies.sort_unstable();
        let share = |part: usize| latencies.get(latencies.len().saturating_sub(1) * part / 100);
        Ok(Figures {
            wanted: tally.wanted,
            arrived: tally.arrived(),
            seconds: took,
            per_second: tally.arrived() as f64 / took,
            p50_us: share(50).copied().map(f64::from),
            p99_us: share(99).copied().map(f64::from),
            server_cpu: 100.0 * server_time / took,
            generator_cpu: 100.0 * own_time / took,
            // Where something got lost this also covers the wait for it, in which server and generator rest.
            other_cpu: 100.0 * other_time.max(0.0) / self.begun.elapsed().as_secs_f64(),
            server_us_each: 1e6 * server_time / tally.arrived().max(1) as f64,
            resident_kib: process::resident_kib(self.server)?,
            kib_each: None,
        })
    }
}
