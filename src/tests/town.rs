//! The town: the daemon as a stranger meets it, and the neighbours it works with.
//!
//! A [`Town`] is one running `chancery serve` with its own configuration, state and control socket in a temporary
//! folder, on loopback ports that the system chose. Tests speak to it through its doors and its command line alone.
//! Everything ends with the value; what the daemon wrote to its log is shown when a test fails.

pub(crate) mod browser;
pub(crate) mod carrier;
pub(crate) mod client;
pub(crate) mod dirsrv;
pub(crate) mod disk;
pub(crate) mod mosquitto;
pub(crate) mod neighbour;
pub(crate) mod packet;
pub(crate) mod plan;
pub(crate) mod postfix;
pub(crate) mod samba;
pub(crate) mod slapd;
pub(crate) mod softhsm;
pub(crate) mod tools;
pub(crate) mod web;
pub(crate) mod zones;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use client::Dial;
use plan::Plan;
use tools::{Told, poll, run, tell};

/// The domain of every town.
pub(crate) const DOMAIN: &str = "corp.example";
/// How long the daemon may take to open its doors, on a machine that is busy with other tests.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take to leave.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// One running daemon.
pub(crate) struct Town {
    process: Option<Running>,
    doors: BTreeMap<String, SocketAddr>,
    program: Vec<String>,
    environment: Vec<(String, PathBuf)>,
    // Last, so that nobody writes there any more when it is removed.
    dir: TempDir,
}

/// The daemon, and a guard that kills it should this process die without dropping anything: the guard reads a pipe
/// whose other end only we hold.
struct Running {
    daemon: Child,
    guard: Child,
}

/// An account with a certificate and its files.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// Of the certificate, upper-case hex.
    pub(crate) serial: String,
    /// Holds `cert.pem`, `chain.pem`, `root.pem` and `key.pem`.
    pub(crate) folder: PathBuf,
}

impl Person {
    /// One of the files.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Town {
    /// A town to be arranged.
    pub(crate) fn plan() -> Plan {
        Plan::default()
    }

    /// An ordinary town.
    pub(crate) fn start() -> Self {
        Self::plan().start()
    }

    /// Makes the state and starts the daemon as planned.
    fn found(plan: &Plan) -> Self {
        let town = Self::lay_out(plan);
        let made = town.cli(&format!("init --domain {DOMAIN} --json"));
        assert_eq!(made.code, 0, "init: {}", made.err);
        let mut town = town;
        town.open();
        town
    }

    /// A folder with a configuration, and nothing else.
    fn lay_out(plan: &Plan) -> Self {
        let dir = tempfile::Builder::new().prefix("town-").tempdir().expect("a temporary folder");
        let state = plan.state_dir.clone().unwrap_or_else(|| dir.path().join("state"));
        fs::write(dir.path().join("chancery.toml"), plan.config(dir.path(), &state)).expect("our own folder");
        let environment = plan.environment.clone();
        Self { process: None, doors: BTreeMap::new(), program: Vec::new(), environment, dir }
    }

    /// A folder of the test's own, gone with the town.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The store's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path("state").join("chancery.db")
    }

    /// Where a door listens.
    pub(crate) fn door(&self, name: &str) -> SocketAddr {
        *self.doors.get(name).unwrap_or_else(|| panic!("no door {name} among {:?}", self.doors))
    }

    /// What the daemon wrote to standard error, from its first start.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    // --- its life -----------------------------------------------------------------------------------------------

    /// Starts the daemon and waits until its doors are open.
    pub(crate) fn open(&mut self) {
        self.launch();
        let opened = poll(READY_WITHIN, || self.hears_of_ready());
        assert!(opened == Some(true), "the daemon does not open:\n{}", self.log());
    }

    /// Starts the daemon although it cannot run, and returns its exit code and what it said.
    pub(crate) fn open_in_vain(&mut self) -> (i32, String) {
        let before = self.log().len();
        self.launch();
        let code = poll(READY_WITHIN, || {
            let running = self.process.as_mut().expect("just launched");
            running.daemon.try_wait().expect("our child").map(|status| status.code().unwrap_or(-1))
        });
        self.kill9();
        (code.expect("a daemon that cannot run ends by itself"), self.log()[before..].to_owned())
    }

    /// The daemon is gone without a word.
    pub(crate) fn kill9(&mut self) {
        self.process = None;
        let _ = fs::remove_file(self.path("ready"));
    }

    /// Asks the daemon to leave; it does so with exit code 0 within ten seconds.
    pub(crate) fn stop(&mut self) {
        let mut running = self.process.take().expect("the daemon runs");
        let began = Instant::now();
        tell("kill", &["-TERM", &running.daemon.id().to_string()]).well();
        let left = poll(STOPS_WITHIN, || running.daemon.try_wait().expect("our child"));
        let left = left.unwrap_or_else(|| panic!("the daemon does not leave on SIGTERM:\n{}", self.log()));
        assert!(left.success(), "it left with {left} after {:?}:\n{}", began.elapsed(), self.log());
        let _ = fs::remove_file(self.path("ready"));
    }

    /// A clean stop and a start; the doors are elsewhere afterwards.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.open();
    }

    /// Whether the daemon still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|running| matches!(running.daemon.try_wait(), Ok(None)))
    }

    /// The daemon's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("the daemon runs").daemon.id()
    }

    /// From the next start on the daemon is run by another program, such as `faketime`.
    pub(crate) fn starts_through(&mut self, program: &[String]) {
        self.program = program.to_vec();
    }

    fn launch(&mut self) {
        let log =
            fs::File::options().create(true).append(true).open(self.path("log")).expect("our own folder");
        let daemon = program();
        let program: Vec<&str> = self.program.iter().map(String::as_str).chain([&*daemon]).collect();
        let daemon = self
            .surround(Command::new(program[0]).args(&program[1..]))
            .arg("serve")
            .arg("--config")
            .arg(self.path("chancery.toml"))
            .arg("--ready-file")
            .arg(self.path("ready"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon's program");
        let guard = format!("cat > /dev/null; kill -KILL {}", daemon.id());
        let guard =
            Command::new("sh").args(["-c", &guard]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
        self.process = Some(Running { daemon, guard: guard.expect("every system has a shell") });
    }

    /// Gives a program the surroundings of this town.
    pub(crate) fn surround<'a>(&self, program: &'a mut Command) -> &'a mut Command {
        let ours = self.environment.iter().map(|(name, value)| (name, value));
        program.env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET").envs(ours)
    }

    /// `Some(true)` when the ready file is there, `Some(false)` when the daemon is not any more.
    fn hears_of_ready(&mut self) -> Option<bool> {
        if let Ok(text) = fs::read_to_string(self.path("ready")) {
            let ready: Value = serde_json::from_str(&text).expect("the ready file is JSON");
            let doors = ready["doors"].as_object().expect("the ready file names doors");
            let address =
                |value: &Value| value.as_str().and_then(|text| text.parse().ok()).expect("an address");
            self.doors = doors.iter().map(|(name, value)| (name.clone(), address(value))).collect();
            return Some(true);
        }
        (!self.is_running()).then_some(false)
    }

    // --- its command line ---------------------------------------------------------------------------------------

    /// A verb with its words as one line, as a person at a shell says it.
    pub(crate) fn cli(&self, line: &str) -> Told {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.say(&words)
    }

    /// The same with words that hold spaces.
    pub(crate) fn say(&self, words: &[&str]) -> Told {
        let (config, socket) = (self.path("chancery.toml"), self.path("control.sock"));
        let mut all = vec!["--config", text(&config), "--socket", text(&socket)];
        all.extend(words);
        run(self.surround(Command::new(program()).args(all)))
    }

    /// A verb that succeeds: its answer as JSON.
    pub(crate) fn ask(&self, line: &str) -> Value {
        let told = self.cli(&format!("--json {line}"));
        assert_eq!(told.code, 0, "chancery {line}: {}\n{}", told.err, told.out);
        told.json()
    }

    /// A verb that is refused or fails with this exit code: what it said on standard error.
    pub(crate) fn refused(&self, code: i32, line: &str) -> String {
        let told = self.cli(line);
        assert_eq!(told.code, code, "chancery {line}: {}\n{}", told.err, told.out);
        told.err
    }

    // --- its people ---------------------------------------------------------------------------------------------

    /// An account with a mail address and a certificate for one device.
    pub(crate) fn person(&self, name: &str) -> Person {
        self.ask(&format!("account add {name} --mail {name}@{DOMAIN}"));
        self.enroll(name)
    }

    /// Several of them.
    pub(crate) fn people<const N: usize>(&self, names: [&str; N]) -> [Person; N] {
        names.map(|name| self.person(name))
    }

    /// An account with a password.
    pub(crate) fn account(&self, name: &str, password: &str) {
        let file = self.path("password");
        fs::write(&file, password).expect("our own folder");
        self.ask(&format!("account add {name} --password-file {}", text(&file)));
    }

    /// One more certificate for an account.
    pub(crate) fn enroll(&self, name: &str) -> Person {
        let folder = (1..).map(|n| self.path(&format!("{name}-{n}"))).find(|path| !path.exists());
        let folder = folder.expect("numbers do not end");
        let enrolled = self.ask(&format!("cert enroll {name} --out {}", text(&folder)));
        let serial = enrolled["serial"].as_str().expect("a serial").to_owned();
        Person { name: name.to_owned(), serial, folder }
    }

    /// A client at the TLS door, with a person's certificate or without.
    pub(crate) fn mqtts(&self, person: Option<&Person>) -> Dial {
        let root = self.root();
        Dial::tls(self.door("mqtts"), &root, person)
    }

    /// A client with a person's certificate.
    pub(crate) fn as_person(&self, person: &Person) -> Dial {
        self.mqtts(Some(person))
    }

    /// A client at the plain door.
    pub(crate) fn mqtt(&self) -> Dial {
        Dial::plain(self.door("mqtt"))
    }

    /// A client at the plain WebSocket door.
    pub(crate) fn ws(&self) -> Dial {
        Dial::plain(self.door("ws")).web()
    }

    /// A client at the secure WebSocket door, with a person's certificate or without.
    pub(crate) fn wss(&self, person: Option<&Person>) -> Dial {
        Dial::tls(self.door("wss"), &self.root(), person).web()
    }

    /// A client at the QUIC door, with a person's certificate or without.
    pub(crate) fn quic(&self, person: Option<&Person>) -> Dial {
        Dial::quic(self.door("quic"), &self.root(), person)
    }

    /// The file with the root certificate.
    pub(crate) fn root(&self) -> PathBuf {
        let file = self.path("root.pem");
        if !file.exists() {
            let shown = self.ask("ca show");
            let draft = self.path(&format!("root-{:?}.draft", std::thread::current().id()));
            fs::write(&draft, shown["root"].as_str().expect("the root in PEM")).expect("our own folder");
            fs::rename(&draft, &file).expect("our own folder");
        }
        file
    }

    /// Waits until every message to an account has been acknowledged by one of its devices.
    pub(crate) fn await_taken(&self, account: &str) {
        let waiting = || self.ask(&format!("account show {account}"))["waiting"] == 0;
        tools::eventually("the acknowledgements are settled", waiting);
    }

    /// Waits until a client of this id is connected with at least one subscription.
    pub(crate) fn await_listener(&self, client_id: &str) {
        let listens = || {
            let sessions = self.ask("session list");
            let listens = |one: &Value| {
                one["client_id"] == client_id
                    && one["state"] == "live"
                    && one["subscriptions"].as_array().is_some_and(|all| !all.is_empty())
            };
            sessions.as_array()?.iter().any(listens).then_some(())
        };
        poll(Duration::from_secs(20), listens).unwrap_or_else(|| panic!("{client_id} does not listen"));
    }
}

/// The binary; `CHANCERY_PROGRAM` names another, for whoever measures.
pub(crate) fn program() -> String {
    std::env::var("CHANCERY_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_chancery").into())
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        // Its number may belong to somebody else from here on.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("--- the daemon's log\n{log}---");
        } else {
            assert!(!log.contains("panicked at"), "a panic, whatever the test looked at:\n{log}");
        }
    }
}

/// A path as a word.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}
