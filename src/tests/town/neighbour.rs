//! What every neighbour needs to be started and spoken to.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Runs a program with this on its standard input, and gives its output. Panics with the program's words when it fails.
pub(crate) fn feed(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    // Written from the side, so that neither the program's output nor our input can fill a pipe that nobody reads.
    let writer = thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the program's output");
    let _ = writer.join();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
