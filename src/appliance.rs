//! The appliance's life: build each part with the handles it uses, open the doors, serve, drain in reverse order.

mod demo;
mod init;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use demo::demo;
pub(crate) use init::{InitError, Initialised, init};

use crate::api::{self, Facts, House};
use crate::broker::Broker;
use crate::chat::{Chat, acl};
use crate::config::{self, Config};
use crate::directory::{Directory, DirectoryKind, Ldap};
use crate::door::{self, Hall, tcp, tls::Tls};
use crate::enrollment::{Enrollment, Place};
use crate::mqtt::Limits;
use crate::outbox::Outbox;
use crate::peer::Peers;
use crate::principal::Principal;
use crate::store::Store;
use crate::time;

/// The file in the state directory that holds everything.
const STORE: &str = "chancery.db";
/// How long open connections may take to say goodbye.
const DRAIN: Duration = Duration::from_secs(10);
/// How often small duties are looked at.
const ROUND: Duration = Duration::from_secs(5);

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

/// Two kinds of TLS door: browsers negotiate HTTP, MQTT clients often negotiate nothing.
struct TlsDoors {
    mqtts: Tls,
    https: Tls,
}

#[derive(Default)]
struct Doors(Vec<(&'static str, TcpListener)>);

/// Runs the house in the foreground until it is told to stop.
pub(crate) async fn serve(config: Config, ready_file: Option<PathBuf>) -> Result<()> {
    let appliance = Appliance::build(config).await?;
    appliance.run(ready_file, async |_: &House| Ok(())).await
}

/// Sends the log to the journal where there is one, else to standard error.
pub(crate) fn log(config: &Config) {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    use tracing_subscriber::{EnvFilter, fmt};

    let wanted = config::log_override().unwrap_or_else(|| config.log.level.clone());
    let filter = EnvFilter::try_new(&wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let journal = config::under_journal().then(|| tracing_journald::layer().ok()).flatten();
    let plain = journal.is_none().then(|| fmt::layer().with_writer(std::io::stderr).with_target(false));
    // A second call, as a test harness makes, changes nothing.
    let _ = tracing_subscriber::registry().with(filter).with(journal).with(plain).try_init();
}

impl Appliance {
    /// Builds every part; nothing is served yet.
    async fn build(config: Config) -> Result<Self> {
        let now = time::now();
        let state = &config.appliance.state_dir;
        let lock = lock(state)?;
        let store = Store::open(&state.join(STORE), readers())?;
        let broker = Broker::open(store.clone(), now).await?;
        let credentials = config::credentials();
        let ldap = match (config.directory.kind, &config.directory.ldap) {
            (DirectoryKind::Ldap, Some(settings)) => Some(Ldap::open(settings, credentials.as_deref())?),
            _ => None,
        };
        let directory = Directory::open(store.clone(), broker.clone(), ldap).await?;
        let rules = acl::Rules::compile(&config.acl).map_err(sentences)?;
        let domain = &config.appliance.domain;
        let chat = Chat::new(store.clone(), broker.clone(), directory.clone(), rules, domain);

        let doors = Doors::bind(&config.door)?;
        let http_base = http_base(&config, &doors)?;
        let enrollment = Enrollment::open(
            store.clone(),
            broker.clone(),
            directory.clone(),
            config.authority.clone(),
            Place { state, http_base: &http_base, credentials: credentials.as_deref() },
            now,
        )
        .await?;
        let outbox = Outbox::open(store.clone(), chat.clone(), directory.clone(), &config.mail, domain, credentials.as_deref(), now).await?;
        let peers = Peers::new(store.clone(), &config.dns)?;

        let names = server_names(domain);
        let server = enrollment.server_certificate(&names, now).await?;
        let tls = TlsDoors {
            mqtts: Tls::new(&enrollment, &server, &[])?,
            https: Tls::new(&enrollment, &server, &["h2", "http/1.1"])?,
        };
        let facts = Facts {
            domain: domain.clone(),
            started: now,
            doors: doors.addresses(),
            console_url: console_url(domain, &doors),
        };
        let house = House { store, broker, directory, chat, enrollment, outbox, peers, facts: Arc::new(facts) };
        Ok(Self { config, house, doors, tls, names, _lock: lock })
    }

    /// Opens the doors, tells whoever waits, serves until a signal, drains.
    async fn run(mut self, ready_file: Option<PathBuf>, ready: impl AsyncFnOnce(&House) -> Result<()>) -> Result<()> {
        let control = door::control::bind(&self.config.appliance.control).await?;
        let (stop, stopping) = watch::channel(false);
        let mut served = JoinSet::new();
        let router = api::host_router(self.house.clone());
        served.spawn(door::control::serve(control, self.config.appliance.control.clone(), router, stopping.clone()));
        let addresses = self.house.facts.doors.clone();
        self.open_doors(&mut served, &stopping);
        let Self { config, house, tls, names, .. } = &self;

        let mut duties = JoinSet::new();
        duties.spawn(house.outbox.clone().run(stopping.clone()));
        duties.spawn(keep(house.clone(), tls.mqtts.clone(), tls.https.clone(), names.clone(), config.clone(), stopping.clone()));
        if house.directory.ldap().is_some() {
            duties.spawn(sync(house.directory.clone(), config.directory.sync_every.0, stopping.clone()));
        }

        if let Some(file) = &ready_file {
            write_ready(file, &addresses)?;
        }
        tracing::info!(doors = ?addresses, "the house is open");
        ready(house).await?;
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        wait_for_signal().await?;

        tracing::info!("the house closes");
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        let _ = stop.send(true);
        let all = async { while served.join_next().await.is_some() || duties.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!("some connections did not end in time and were cut");
        }
        if let Some(file) = &ready_file {
            let _ = std::fs::remove_file(file);
        }
        Ok(())
    }

    fn open_doors(&mut self, served: &mut JoinSet<()>, stop: &watch::Receiver<bool>) {
        let limits = &self.config.door.limits;
        let hall = Arc::new(Hall {
            store: self.house.store.clone(),
            broker: self.house.broker.clone(),
            chat: self.house.chat.clone(),
            directory: self.house.directory.clone(),
            enrollment: self.house.enrollment.clone(),
            limits: Limits {
                max_packet: limits.packet,
                receive_maximum: limits.receive_maximum,
                connect_timeout: limits.connect_timeout.0,
            },
        });
        let anonymous = self.config.door.mqtt.as_ref().is_some_and(|door| door.allow_anonymous);
        let web = Router::new().merge(api::device_router(self.house.clone())).merge(crate::console::router(self.house.clone()));
        let public = api::public_router(self.house.clone());
        for (door, listener) in std::mem::take(&mut self.doors.0) {
            let (hall, stop) = (hall.clone(), stop.clone());
            match door {
                "mqtt" => served.spawn(door::serve_mqtt(hall, listener, limits.connections, anonymous, stop)),
                "mqtts" => served.spawn(door::serve_mqtts(hall, self.tls.mqtts.clone(), listener, limits.connections, stop)),
                "https" => served.spawn(door::serve_https(listener, self.tls.https.clone(), web.clone(), stop)),
                _ => served.spawn(door::serve_http(listener, public.clone(), stop)),
            };
        }
    }
}

impl Doors {
    /// Binds every address; several addresses of one door are served alike, the first is the one that is named.
    fn bind(config: &door::Config) -> Result<Self> {
        let listed = |door: &Option<door::Listen>| door.as_ref().map(|door| door.listen.clone()).unwrap_or_default();
        let plain = config.mqtt.as_ref().map(|door| door.listen.clone()).unwrap_or_default();
        let wanted =
            [("mqtt", plain), ("mqtts", listed(&config.mqtts)), ("https", listed(&config.https)), ("http", listed(&config.http))];
        let mut doors = Self::default();
        for (door, addresses) in wanted {
            for address in addresses {
                doors.0.push((door, tcp::bind(address).with_context(|| format!("door {door}"))?));
            }
        }
        Ok(doors)
    }

    fn addresses(&self) -> BTreeMap<&'static str, SocketAddr> {
        let mut addresses = BTreeMap::new();
        for (door, listener) in &self.0 {
            if let Ok(address) = listener.local_addr() {
                addresses.entry(*door).or_insert(address);
            }
        }
        addresses
    }

    fn port(&self, door: &str) -> Option<u16> {
        self.addresses().get(door).map(SocketAddr::port)
    }

    /// The host by which people reach a door: by name where it is open to others.
    fn host(&self, door: &str, domain: &str) -> String {
        match self.addresses().get(door) {
            Some(address) if address.ip().is_loopback() => "localhost".into(),
            _ => domain.to_owned(),
        }
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
    let file = std::fs::File::create(state.join("lock")).with_context(|| format!("cannot write in {}", state.display()))?;
    if file.try_lock().is_err() {
        bail!("{} is in use by another daemon", state.display());
    }
    Ok(file)
}

fn readers() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2)
}

/// Where certificates say that the CRL is.
fn http_base(config: &Config, doors: &Doors) -> Result<String> {
    if let Some(url) = &config.authority.public_url {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let port = doors.port("http").unwrap_or(8080);
    Ok(format!("http://{}:{port}", doors.host("http", &config.appliance.domain)))
}

fn console_url(domain: &str, doors: &Doors) -> String {
    format!("https://{}:{}", doors.host("https", domain), doors.port("https").unwrap_or(8443))
}

fn server_names(domain: &str) -> Vec<String> {
    vec![domain.to_owned(), format!("mq.{domain}"), "localhost".into(), "127.0.0.1".into(), "::1".into()]
}

fn write_ready(file: &Path, doors: &BTreeMap<&'static str, SocketAddr>) -> Result<()> {
    let text = serde_json::json!({ "doors": doors, "pid": std::process::id() }).to_string();
    // Written beside and renamed, so that nobody reads half of it.
    let draft = file.with_extension("draft");
    std::fs::write(&draft, text)
        .and_then(|()| std::fs::rename(&draft, file))
        .with_context(|| format!("cannot write the ready file {}", file.display()))
}

async fn wait_for_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Small duties: feed the watchdog, let sessions and messages expire, renew the CRL and the server certificate.
async fn keep(house: House, mqtts: Tls, https: Tls, names: Vec<String>, config: Config, mut stop: watch::Receiver<bool>) {
    loop {
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        if let Err(error) = round(&house, &mqtts, &https, &names, &config).await {
            tracing::error!(%error, "a round of small duties failed; the next one tries again");
        }
        tokio::select! {
            () = tokio::time::sleep(ROUND) => {}
            _ = stop.changed() => return,
        }
    }
}

async fn round(house: &House, mqtts: &Tls, https: &Tls, names: &[String], config: &Config) -> Result<()> {
    let now = time::now();
    house.broker.expire(now).await?;
    house.enrollment.renew_crl_if_due(now).await;
    let oldest = now.before(config.chat.retention.0);
    while house.store.write(move |tx| tx.expire_messages(oldest)).await? {}
    let ended = now.before(Duration::from_secs(30 * 86_400));
    house.store.write(move |tx| tx.forget_ended(ended)).await?;
    // The one in use comes back unless another is due.
    let server = house.enrollment.server_certificate(names, now).await?;
    mqtts.replace(&server)?;
    https.replace(&server)
}

/// Asks LDAP for everybody, now and then. What goes wrong is told once, until it changes.
async fn sync(directory: Directory, every: Duration, mut stop: watch::Receiver<bool>) {
    let mut trouble = None;
    loop {
        if let Some(result) = directory.sync(&Principal::System, time::now()).await {
            let now = result.as_ref().err().map(ToString::to_string);
            match (&now, &result) {
                (Some(why), _) if now != trouble => tracing::error!(why, "the directory could not be synced; nobody was changed"),
                (None, Ok(report)) if trouble.is_some() || report.added + report.changed + report.removed > 0 => {
                    tracing::info!(people = report.people, added = report.added, changed = report.changed, removed = report.removed, "the directory was synced");
                }
                _ => {}
            }
            trouble = now;
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stop.changed() => return,
        }
    }
}
