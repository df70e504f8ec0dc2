//! Postfix: a real mail server on a free loopback port, with its own configuration, queue and maildirs.
//!
//! It is the final home of one domain and sends nothing further. What it should refuse can be said while it runs.
//! It leaves with its value: dropping a [`Postfix`] kills every process that it started.

use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tempfile::TempDir;

/// The domain whose mail ends here.
pub(crate) const DOMAIN: &str = "corp.example";

/// Who has a mailbox unless a test names others.
const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dave", "chancery"];

/// The unprivileged owner of delivered mail (`nobody` on Debian).
const MAIL_OWNER: u32 = 65534;

/// One running Postfix.
pub(crate) struct Postfix {
    /// Where it takes mail: plain, with STARTTLS offered when started by [`Postfix::start_with_tls`].
    pub(crate) smtp: SocketAddr,
    /// Where it takes mail inside TLS from the first byte; only when started by [`Postfix::start_with_tls`].
    pub(crate) smtps: SocketAddr,
    rejects: Table,
    routes: Table,
    // Before its home, so that nothing writes there any more when that is removed.
    running: Option<Running>,
    home: TempDir,
}

/// The processes of a running server: the one that started it, and the one that ends it.
struct Running {
    starter: Child,
    guard: Child,
}

impl Postfix {
    /// Starts a server without TLS, with mailboxes for alice, bob, carol, dave and chancery.
    pub(crate) fn start() -> Self {
        Self::launch(&PEOPLE, "")
    }

    /// Starts a server whose certificate, for `localhost` and `127.0.0.1`, is signed by [`Postfix::ca_pem`].
    pub(crate) fn start_with_tls() -> Self {
        Self::launch(&PEOPLE, MAIN_TLS)
    }

    /// Starts a server without TLS, with these mailboxes.
    pub(crate) fn start_for(people: &[&str]) -> Self {
        Self::launch(people, "")
    }

    /// Starts a server without TLS, with more lines for its `main.cf`.
    pub(crate) fn start_with(lines: &str) -> Self {
        Self::launch(&PEOPLE, lines)
    }

    /// The certificate of the authority behind this server's certificate, as PEM.
    pub(crate) fn ca_pem(&self) -> Vec<u8> {
        fs::read(self.home.path().join("ca.pem")).expect("this Postfix was started with TLS")
    }

    /// The delivered mails of `name` that nobody has opened yet, oldest first.
    pub(crate) fn maildir(&self, name: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.home.path().join("mail").join(name).join("new")) else {
            return Vec::new();
        };
        let mut mails: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        mails.sort();
        mails
    }

    /// Waits until `name` has at least `count` mails, and returns their contents, oldest first.
    pub(crate) fn wait_for_mail(&self, name: &str, count: usize) -> Vec<String> {
        let found = || Some(self.maildir(name)).filter(|mails| mails.len() >= count);
        let mails = poll(Duration::from_secs(20), found)
            .unwrap_or_else(|| panic!("{name} has fewer than {count} mails; the log says:\n{}", self.log()));
        mails
            .iter()
            .map(|mail| String::from_utf8_lossy(&fs::read(mail).expect("a mail is readable")).into())
            .collect()
    }

    /// From now on `recipient` is refused at RCPT with `code`, such as 450 or 550.
    pub(crate) fn reject(&self, recipient: &str, code: u16) {
        self.rejects.set(recipient, &format!("{code} {}.7.0 refused by the test", code / 100));
    }

    /// `recipient` is welcome again.
    pub(crate) fn accept(&self, recipient: &str) {
        self.rejects.unset(recipient);
        self.routes.unset(recipient);
    }

    /// From now on mail for `recipient` is accepted and then returned to its sender as a failed delivery (RFC 3464).
    pub(crate) fn bounce_later(&self, recipient: &str) {
        self.routes.set(recipient, "doomed:");
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("mail.log")).unwrap_or_default()
    }

    /// Ends every process; ports, queue and maildirs stay for [`Postfix::start_again`].
    pub(crate) fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        self.signal("TERM");
        let closed = || TcpStream::connect(self.smtp).is_err();
        // The master goes first; a daemon may hold the port a moment longer.
        let mut ended = || running.starter.try_wait().expect("Postfix is our child").is_some() && closed();
        let gone = poll(Duration::from_secs(10), || ended().then_some(()));
        assert!(gone.is_some(), "Postfix does not stop; the log says:\n{}", self.log());
        running.dismiss_guard();
    }

    /// Starts the stopped server again, on the same ports.
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new("postfix");
        command.arg("-c").arg(self.home.path().join("conf")).arg("start-fg");
        let starter = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let starter = starter.expect("Postfix is installed");
        self.running = Some(Running { starter, guard: guard(self.home.path()) });
        let up = poll(Duration::from_secs(20), || greets(self.smtp).then_some(()));
        assert!(up.is_some(), "Postfix does not start; the log says:\n{}", self.log());
    }

    fn launch(people: &[&str], lines: &str) -> Self {
        let home = tempfile::Builder::new().prefix("postfix-").tempdir().expect("a temporary directory");
        let (smtp, smtps) = free_ports();
        let (rejects, routes) = (Table::serve(), Table::serve());
        lay_out(home.path());
        let tls = lines == MAIN_TLS;
        if tls {
            make_certificate(home.path());
        }
        let main = main_cf(home.path(), people, &rejects, &routes) + lines;
        write_old(&home.path().join("conf/main.cf"), &main.replace("@HOME@", &text(home.path())));
        write_old(&home.path().join("conf/master.cf"), &master_cf(smtp, tls.then_some(smtps)));
        let mut postfix = Self { smtp, smtps, rejects, routes, running: None, home };
        postfix.start_again();
        postfix
    }

    /// Signals the master and all its daemons, which form one process group.
    fn signal(&self, name: &str) {
        let Ok(pid) = fs::read_to_string(self.home.path().join("queue/pid/master.pid")) else { return };
        let kill = format!("kill -{name} -{}", pid.trim());
        let _ = Command::new("sh").arg("-c").arg(kill).stderr(Stdio::null()).status();
    }
}

/// Kills the daemons, which form one process group of their own, as soon as this process is gone, however it went: the
/// guard reads a pipe whose other end only we hold.
fn guard(home: &Path) -> Child {
    let kill = "cat > /dev/null; kill -KILL -$(tr -d ' ' < queue/pid/master.pid)";
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(kill)
        .current_dir(home)
        .process_group(0)
        .stdin(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().expect("every system has a shell")
}

impl Running {
    /// The guard must not kill by a number that may belong to somebody else by then.
    fn dismiss_guard(&mut self) {
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        let _ = self.starter.kill();
        let _ = self.starter.wait();
    }
}

/// Directories with the owners that the daemons expect once they have dropped their privileges.
fn lay_out(home: &Path) {
    fs::set_permissions(home, Permissions::from_mode(0o755)).expect("our own directory");
    for name in ["conf", "queue", "data", "mail"] {
        fs::create_dir(home.join(name)).expect("a fresh directory");
    }
    chown(home.join("data"), Some(uid_of("postfix")), None).expect("this test runs as root");
    chown(home.join("mail"), Some(MAIL_OWNER), Some(MAIL_OWNER)).expect("this test runs as root");
}

/// Postfix waits for seconds before it believes a configuration that somebody may still be writing, so this one is old.
fn write_old(path: &Path, content: &str) {
    fs::write(path, content).expect("our own directory");
    let file = File::options().append(true).open(path).expect("our own file");
    file.set_modified(UNIX_EPOCH).expect("our own file");
}

fn uid_of(account: &str) -> u32 {
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let line = passwd.lines().find(|line| line.split(':').next() == Some(account));
    let uid = line.and_then(|line| line.split(':').nth(2)).and_then(|uid| uid.parse().ok());
    uid.expect("the postfix package made its account")
}

fn main_cf(home: &Path, people: &[&str], rejects: &Table, routes: &Table) -> String {
    let mailboxes: Vec<String> = people.iter().map(|name| format!("{name}@{DOMAIN}={name}/")).collect();
    format!(
        "compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
myhostname = mx.{DOMAIN}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtpd_peername_lookup = no
alias_maps =
alias_database =
local_recipient_maps =
default_transport = error:no outside mail
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = inline:{{{mailboxes}}}
virtual_uid_maps = static:{MAIL_OWNER}
virtual_gid_maps = static:{MAIL_OWNER}
smtpd_recipient_restrictions = check_recipient_access tcp:{rejects}
transport_maps = tcp:{routes}
smtpd_client_connection_count_limit = 0
",
        home = text(home),
        mailboxes = mailboxes.join(", "),
        rejects = rejects.at,
        routes = routes.at,
    )
}

const MAIN_TLS: &str = "smtpd_tls_security_level = may
smtpd_tls_cert_file = @HOME@/server.pem
smtpd_tls_key_file = @HOME@/server.key
";

fn master_cf(smtp: SocketAddr, smtps: Option<SocketAddr>) -> String {
    let wrapped = smtps.map(|at| format!("{at} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"));
    format!("{smtp} inet n - n - - smtpd\n{}{MASTER}", wrapped.unwrap_or_default())
}

const MASTER: &str = "cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
pickup unix n - n 60 1 pickup
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
doomed unix - n n - - pipe user=nobody argv=/bin/false
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

/// An authority, and one certificate by it.
fn make_certificate(home: &Path) {
    let leaf = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    fs::write(home.join("leaf.ext"), leaf).expect("the extensions");
    // Each authority has its own name, so that two of them are two strangers and not one with a broken signature.
    let authority = home.file_name().unwrap_or_default().to_string_lossy();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let ca = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign";
    openssl(home, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN={authority} {ca}"));
    openssl(home, &format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    openssl(
        home,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile leaf.ext -out server.pem",
    );
}

fn openssl(home: &Path, arguments: &str) {
    let done =
        Command::new("openssl").args(arguments.split(' ')).current_dir(home).output().expect("openssl runs");
    assert!(done.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A lookup table that Postfix asks over TCP (tcp_table(5)), so that a change holds from the next command on,
/// without a reload.
struct Table {
    at: SocketAddr,
    rows: Arc<Mutex<HashMap<String, String>>>,
}

impl Table {
    /// Serves an empty table; the thread ends with the test process.
    fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let table = Self { at: listener.local_addr().expect("an address"), rows: Arc::default() };
        let rows = table.rows.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let rows = rows.clone();
                thread::spawn(move || answer(stream, &rows));
            }
        });
        table
    }

    fn set(&self, key: &str, value: &str) {
        self.rows.lock().expect("no thread panics here").insert(key.to_owned(), value.replace(' ', "%20"));
    }

    fn unset(&self, key: &str) {
        self.rows.lock().expect("no thread panics here").remove(key);
    }
}

fn answer(stream: TcpStream, rows: &Mutex<HashMap<String, String>>) {
    let Ok(mut reply) = stream.try_clone() else { return };
    for question in BufReader::new(stream).lines().map_while(Result::ok) {
        let key = question.strip_prefix("get ").unwrap_or_default();
        let found = rows.lock().expect("no thread panics here").get(key).cloned();
        let line = found.map_or("500 none\n".to_owned(), |value| format!("200 {value}\n"));
        if reply.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}

/// Whether a server at `at` says 220.
fn greets(at: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect_timeout(&at, Duration::from_millis(500)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut banner = String::new();
    BufReader::new(&stream).read_line(&mut banner).is_ok_and(|_| banner.starts_with("220"))
        && (&stream).write_all(b"QUIT\r\n").is_ok()
}

/// Two ports that were free a moment ago, held together so that they differ.
fn free_ports() -> (SocketAddr, SocketAddr) {
    let (one, two) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
    let at = |listener: std::io::Result<TcpListener>| listener.and_then(|bound| bound.local_addr());
    (at(one).expect("a free port"), at(two).expect("a free port"))
}

/// Asks until there is an answer or the time is over.
fn poll<T>(bound: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + bound;
    loop {
        match ask() {
            Some(answer) => return Some(answer),
            None if Instant::now() > end => return None,
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
