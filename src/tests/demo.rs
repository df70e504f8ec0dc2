//! The demonstration: one command, and everything it prints works when pasted.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::town::text;
use crate::town::tools::{eventually, poll, tell};

/// A running `chancery demo`. Killed when dropped.
struct Demo {
    process: Child,
    /// What it printed.
    lines: Vec<String>,
    dir: PathBuf,
    ready: Value,
    _home: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let (dir, ready) = (home.path().join("demo"), home.path().join("ready"));
        let mut process = Command::new(env!("CARGO_BIN_EXE_chancery"))
            .args(["demo", "--dir", text(&dir), "--ready-file", text(&ready)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the daemon's program");
        let printed = follow(process.stdout.take().expect("a pipe"));
        let open = poll(Duration::from_secs(60), || fs::read_to_string(&ready).ok())
            .expect("the demonstration opens");
        let until = Instant::now() + Duration::from_secs(20);
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.contains("Ctrl-C")) && Instant::now() < until {
            lines.extend(printed.recv_timeout(Duration::from_secs(20)));
        }
        Self { process, lines, dir, ready: serde_json::from_str(&open).expect("JSON"), _home: home }
    }

    /// The printed command that begins so.
    fn command(&self, start: &str, holds: &str) -> &str {
        let found = self
            .lines
            .iter()
            .map(|line| line.trim())
            .find(|line| line.contains(start) && line.contains(holds));
        found.unwrap_or_else(|| panic!("no {start} … {holds} in {:#?}", self.lines))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The lines of a stream as they come.
fn follow(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| sender.send(line).ok())
    });
    lines
}

fn shell(command: &str) -> String {
    tell("sh", &["-c", command]).well()
}

#[test]
fn the_printed_commands_work_when_pasted() {
    let demo = Demo::start();
    for name in ["alice", "bob", "carol"] {
        for file in ["cert.pem", "key.pem", "chain.pem", &format!("{name}.p12")] {
            assert!(demo.dir.join("people").join(name).join(file).exists(), "{name} has no {file}");
        }
    }
    assert!(demo.dir.join("ca.pem").exists());
    assert!(demo.lines.iter().any(|line| line.contains("https://127.0.0.1:") && line.contains("/link/")));
    for door in ["mqtt", "mqtts", "https", "http", "ldaps"] {
        let address = demo.ready["doors"][door].as_str().unwrap_or_default();
        assert!(address.starts_with("127.0.0.1:"), "{door} is at {address:?}");
    }
    let socket = demo.dir.join("control.sock");
    let ask = |line: &str| {
        let words =
            [&["--socket", text(&socket), "--json"][..], &line.split(' ').collect::<Vec<_>>()].concat();
        tell(env!("CARGO_BIN_EXE_chancery"), &words)
    };
    assert_eq!(ask("status").code, 0, "{:?}", ask("status"));

    let listen = format!("exec {}", demo.command("mosquitto_sub", "from/#"));
    let mut bob = Command::new("sh").args(["-c", &listen]).stdout(Stdio::piped()).spawn().expect("a shell");
    let heard = follow(bob.stdout.take().expect("a pipe"));
    eventually("bob listens", || ask("session list").out.contains("from/#"));
    shell(demo.command("mosquitto_pub", "to/bob"));
    assert_eq!(heard.recv_timeout(Duration::from_secs(20)).as_deref(), Ok("from/alice hello bob"));

    let found = shell(demo.command("ldapsearch", "carol"));
    assert!(found.contains("mail: carol@demo.example\n"), "{found}");

    // Carol is away, and hears of it by mail once the grace is over.
    shell(demo.command("mosquitto_pub", "to/carol"));
    let began = Instant::now();
    let certificates = ask(&format!("cert list{}", " --account bob")).json();
    let serial = certificates[0]["serial"].as_str().expect("a serial");
    shell(&demo.command("cert revoke", "SERIAL").replace("SERIAL", serial));
    eventually("bob is cut off", || {
        matches!(bob.try_wait(), Ok(Some(_))) || !ask("session list").out.contains("live")
    });
    let _ = bob.kill();
    let _ = bob.wait();

    let mailbox = demo.dir.join("mail").join("carol").join("new");
    let mails =
        || fs::read_dir(&mailbox).ok().map(|all| all.flatten().map(|mail| mail.path()).collect::<Vec<_>>());
    let mails =
        poll(Duration::from_secs(40), || mails().filter(|mails| !mails.is_empty())).expect("mail for carol");
    assert!(began.elapsed() > Duration::from_secs(15), "mail after {:?}", began.elapsed());
    let mail = fs::read_to_string(&mails[0]).expect("a mail");
    assert!(mails.len() == 1 && mail.contains("alice") && !mail.contains("hello carol"), "{mail}");
}
