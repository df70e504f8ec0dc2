//! Dovecot, for one thing only: it knows the password, and Postfix asks it.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running Dovecot.
pub(crate) struct Dovecot {
    /// Where it answers questions about passwords.
    pub(crate) at: SocketAddr,
    master: Child,
    guard: Child,
    home: TempDir,
}

impl Dovecot {
    /// Starts it; every account has this password.
    pub(crate) fn knowing(password: &str) -> Self {
        let home = tempfile::Builder::new().prefix("dovecot-").tempdir().expect("a temporary directory");
        let at = TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr()).expect("a free port");
        let conf = home.path().join("dovecot.conf");
        fs::write(&conf, configuration(&home.path().to_string_lossy(), at.port(), password))
            .expect("written");
        let mut command = Command::new("dovecot");
        command
            .arg("-F")
            .arg("-c")
            .arg(conf)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let master = command.spawn().expect("Dovecot is installed");
        let dovecot = Self { at, guard: guard(master.id()), master, home };
        dovecot.wait_until_ready();
        dovecot
    }

    fn wait_until_ready(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.at).and_then(|mut stream| stream.read(&mut [0; 16])).is_err() {
            let log = fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "Dovecot does not start; the log says:\n{log}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Asks Dovecot's master to end its processes and itself as soon as this process is gone, however it went: the guard
/// reads a pipe whose other end only we hold.
fn guard(master: u32) -> Child {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("cat > /dev/null; kill -TERM {master}")).process_group(0);
    command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("every system has a shell")
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        let _ = self.master.wait();
    }
}

fn configuration(home: &str, port: u16, password: &str) -> String {
    format!(
        "base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"
    )
}
