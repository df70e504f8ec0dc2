//! The clients that everybody has: `mosquitto_pub` and `mosquitto_sub`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::tools::{Told, tell};
use super::{Person, Town, text};

/// A `mosquitto_sub` that prints what it hears. Killed when dropped.
pub(crate) struct Listener {
    process: Child,
    lines: Receiver<String>,
}

/// Starts one with a person's certificate, subscribed to `filter` with QoS 1, and waits until it listens.
pub(crate) fn listen(town: &Town, person: &Person, client_id: &str, filter: &str) -> Listener {
    let mut arguments = arguments(town, &person.file("cert.pem"), &person.file("key.pem"));
    arguments.extend(["-i", client_id, "-q", "1", "-v", "-t", filter].map(str::to_owned));
    let mut command = Command::new("mosquitto_sub");
    command.args(arguments);
    let listener = start(command);
    town.await_listener(client_id);
    listener
}

/// Starts a client that prints what it hears, by a line for the shell, in a folder; waits until `client_id` listens.
pub(crate) fn paste(town: &Town, folder: &Path, line: &str, client_id: &str) -> Listener {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]).current_dir(folder);
    let listener = start(command);
    town.await_listener(client_id);
    listener
}

/// Publishes once, with QoS 1.
pub(crate) fn publish(town: &Town, cert: &str, key: &str, topic: &str, message: &str) -> Told {
    let mut arguments = arguments(town, cert, key);
    arguments.extend(["-q", "1", "-t", topic, "-m", message].map(str::to_owned));
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    tell("mosquitto_pub", &words)
}

fn arguments(town: &Town, cert: &str, key: &str) -> Vec<String> {
    let (root, port) = (town.root(), town.door("mqtts").port().to_string());
    let words =
        ["-V", "5", "-h", "localhost", "-p", &port, "--cafile", text(&root), "--cert", cert, "--key", key];
    words.map(str::to_owned).to_vec()
}

fn start(mut command: Command) -> Listener {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = command.spawn().expect("mosquitto_sub (package mosquitto-clients)");
    let out = process.stdout.take().expect("a pipe");
    let (sender, lines) = channel();
    thread::spawn(move || {
        BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| sender.send(line).ok())
    });
    Listener { process, lines }
}

impl Listener {
    /// The next line it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).expect("mosquitto_sub prints a line")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
