//! The appliance's life: build each part with the handles it uses, open the doors, serve, drain in reverse order.

mod demo;
mod doors;
mod duties;
mod init;
mod reload;
mod signer;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use demo::demo;
pub(crate) use init::{Asked, InitError, Made, init};
pub(crate) use signer::{found_signer, signer};

use crate::api::{self, Facts, House};
use crate::broker::Broker;
use crate::chat::{Chat, acl};
use crate::config::{self, Config};
use crate::directory::{Directory, DirectoryKind, Ldap};
use crate::door;
use crate::enrollment::{Enrollment, Place};
use crate::outbox::Outbox;
use crate::peer::Peers;
use crate::store::Store;
use crate::time;
use doors::{Doors, TlsDoors};
use duties::Duties;

/// The file in the state directory that holds everything.
const STORE: &str = "chancery.db";
/// The folder beside it with the journal.
const JOURNAL: &str = "journal";
/// How long open connections may take to say goodbye.
const DRAIN: Duration = Duration::from_secs(10);

/// A house whose doors are bound but not open yet.
struct Appliance {
    config: Config,
    house: House,
    doors: Doors,
    tls: TlsDoors,
    /// Names in the server certificate.
    names: Vec<String>,
    _lock: std::fs::File,
}

/// Runs the house in the foreground until it is told to stop.
pub(crate) async fn serve(config: Config, file: PathBuf, ready_file: Option<PathBuf>) -> Result<()> {
    let appliance = Appliance::build(config).await?;
    appliance.run(Some(file), ready_file, async |_: &House| Ok(())).await
}

/// Sends the log to the journal where there is one, else to standard error.
pub(crate) fn log(config: &Config) {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    use tracing_subscriber::{EnvFilter, fmt};

    let wanted = config::log_override().unwrap_or_else(|| config.log.level.clone());
    // The resolver's library writes whole DNS messages at `warn` for every zone that is not in order.
    let wanted = format!("{wanted},hickory_net=error,hickory_resolver=error,hickory_proto=error");
    let filter = EnvFilter::try_new(&wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let journal = config::under_journal().then(|| tracing_journald::layer().ok()).flatten();
    let plain = journal.is_none().then(|| {
        fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
    });
    // A second call, as a test harness makes, changes nothing.
    let _ = tracing_subscriber::registry().with(filter).with(journal).with(plain).try_init();
}

impl Appliance {
    /// Builds every part; nothing is served yet.
    async fn build(config: Config) -> Result<Self> {
        let now = time::now();
        raise_file_limit(config.door.limits.connections);
        let state = &config.appliance.state_dir;
        let lock = lock(state)?;
        let store = Store::open(&state.join(STORE), readers())?;
        let broker = Broker::open(store.clone(), &state.join(JOURNAL), config.broker.clone(), now).await?;
        let (credentials, name_servers) = (config::credentials(), config.dns.name_servers());
        let ldap = match (config.directory.kind, &config.directory.ldap) {
            (DirectoryKind::Ldap, Some(settings)) => {
                Some(Ldap::open(&config.directory, settings, credentials.as_deref(), &name_servers)?)
            }
            _ => None,
        };
        let directory = Directory::open(store.clone(), broker.clone(), ldap).await?;
        let rules = acl::Rules::compile(&config.acl).map_err(sentences)?;
        let domain = &config.appliance.domain;
        let chat = Chat::new(store.clone(), broker.clone(), directory.clone(), rules, domain);

        chat.wills_of_the_lost();

        let doors = Doors::bind(&config.door)?;
        let http_base = doors::http_base(&config, &doors)?;
        let enrollment = Enrollment::open(
            store.clone(),
            broker.clone(),
            chat.clone(),
            directory.clone(),
            config.authority.clone(),
            Place { state, http_base: &http_base, credentials: credentials.as_deref() },
            now,
        )
        .await?;
        let outbox = Outbox::open(
            store.clone(),
            chat.clone(),
            directory.clone(),
            &config.mail,
            domain,
            credentials.as_deref(),
            now,
        )
        .await?;
        let peers = Peers::new(store.clone(), &config.dns)?;

        let metrics_token = config.metrics.token(credentials.as_deref())?;
        let names = doors::server_names(&config);
        let server = enrollment.server_certificate(&names, now).await?;
        let tls = TlsDoors::new(&enrollment, &server)?;
        let facts = Facts {
            domain: domain.clone(),
            started: now,
            doors: doors.addresses(),
            websocket_path: config.door.wss.as_ref().map(|door| door.path.clone()).unwrap_or_default(),
            console_url: doors::console_url(domain, &doors),
            credentials,
            name_servers,
            admin_groups: config.directory.admin_groups.clone(),
        };
        let facts = Arc::new(facts);
        let house = House { store, broker, directory, chat, enrollment, outbox, peers, metrics_token, facts };
        Ok(Self { config, house, doors, tls, names, _lock: lock })
    }

    /// Opens the doors, tells whoever waits, serves until a signal, drains.
    async fn run(
        mut self,
        file: Option<PathBuf>,
        ready_file: Option<PathBuf>,
        ready: impl AsyncFnOnce(&House) -> Result<()>,
    ) -> Result<()> {
        let (told_to_stop, hangups) = (signals()?, reload::hangups()?);
        let control = door::control::bind(&self.config.appliance.control, 0o600).await?;
        let (stop, stopping) = watch::channel(false);
        let mut served = JoinSet::new();
        let router = api::host_router(self.house.clone());
        served.spawn(door::control::serve(
            control,
            self.config.appliance.control.clone(),
            router,
            stopping.clone(),
        ));
        let addresses = self.house.facts.doors.clone();
        let doors = std::mem::take(&mut self.doors);
        doors.open(&self.house, &self.config.door, &self.tls, &self.names, &mut served, &stopping)?;
        let Self { config, house, tls, names, .. } = &self;

        let mut busy = JoinSet::new();
        busy.spawn(house.outbox.clone().run(stopping.clone()));
        let small = Duties {
            house: house.clone(),
            tls: tls.clone(),
            names: names.clone(),
            retention: config.chat.retention.0,
        };
        busy.spawn(reload::run(hangups, file, small.clone(), stopping.clone()));
        busy.spawn(small.run(stopping.clone()));
        if let Some(following) = house.directory.follow(&config.directory).await? {
            busy.spawn(duties::follow(house.clone(), following, stopping.clone()));
        }
        busy.spawn(duties::develop(house.directory.clone(), stopping.clone()));
        if house.directory.publishes() {
            busy.spawn(duties::publish(house.enrollment.clone(), stopping.clone()));
        }

        if let Some(file) = &ready_file {
            write_ready(file, &addresses)?;
        }
        tracing::info!(doors = ?addresses, "the house is open");
        ready(house).await?;
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        told_to_stop.await;

        tracing::info!("the house closes");
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        let _ = stop.send(true);
        let all = async { while served.join_next().await.is_some() || busy.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!("some connections did not end in time and were cut");
        }
        if let Some(file) = &ready_file {
            let _ = std::fs::remove_file(file);
        }
        Ok(())
    }
}

/// Several problems as one error.
fn sentences(problems: Vec<String>) -> anyhow::Error {
    anyhow::anyhow!(problems.join("; "))
}

/// Only one daemon may have the state: two would each believe its own picture of it.
fn lock(state: &Path) -> Result<std::fs::File> {
    if !state.join("authority").is_dir() {
        bail!("{} holds no state: run `chancery init --domain …` first", state.display());
    }
    let file = std::fs::File::create(state.join("lock"))
        .with_context(|| format!("cannot write in {}", state.display()))?;
    if file.try_lock().is_err() {
        bail!("{} is in use by another daemon", state.display());
    }
    Ok(file)
}

/// Every connection is an open file, and what systems grant at first is far fewer than may come.
fn raise_file_limit(connections: usize) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(most) if most > connections as u64 => {}
        Ok(most) => tracing::info!(most, connections, "fewer files may be open than connections are allowed"),
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}

fn readers() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2)
}

fn write_ready(file: &Path, doors: &BTreeMap<&'static str, SocketAddr>) -> Result<()> {
    let text = serde_json::json!({ "doors": doors, "pid": std::process::id() }).to_string();
    // Written beside and renamed, so that nobody reads half of it.
    let draft = file.with_extension("draft");
    std::fs::write(&draft, text)
        .and_then(|()| std::fs::rename(&draft, file))
        .with_context(|| format!("cannot write the ready file {}", file.display()))
}

/// The signals that end the house, listened for from the moment this is called.
fn signals() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
