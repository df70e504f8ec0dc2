//! A domain controller next door: a real Samba on a loopback address of its own.
//!
//! A domain takes ten seconds to make, so it is made once and copied for each test; a copy answers within two. It has an
//! administrator who may replicate, a reader who may do what everybody may, and as many people as a test adds.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::neighbour::feed;
use super::slapd::certificates;

pub(crate) const BASE: &str = "DC=corp,DC=example";
pub(crate) const ADMIN: &str = "Administrator@CORP.EXAMPLE";
/// May read like everybody, and has no right to replicate.
pub(crate) const READER: &str = "reader";
pub(crate) const PASSWORD: &str = "Sesame-2026";
const READY_WITHIN: Duration = Duration::from_secs(30);
/// By this program, which may be all tests together.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// The running controller. Killed when dropped.
pub(crate) struct Samba {
    /// `ldap://127.x.y.z`
    pub(crate) url: String,
    address: String,
    dir: TempDir,
    process: Option<Child>,
}

impl Samba {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        run(Command::new("cp").arg("-a").arg(domain().join(".")).arg(dir.path()));
        // The configuration names its folder.
        let config = dir.path().join("etc/smb.conf");
        let text = fs::read_to_string(&config).expect("smb.conf");
        let made_in = made_in(&text);
        fs::write(&config, text.replace(&made_in, &dir.path().display().to_string())).expect("smb.conf");
        // Samba takes the usual ports; each has an address for itself.
        let (id, number) = (std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.{}.{}.{}", 64 + number % 128, (id >> 8) % 256, id % 254 + 1);
        let mut samba = Self { url: format!("ldap://{address}"), address, dir, process: None };
        samba.launch();
        // An organisational unit for those whom tests are about.
        samba.modify_ldif(&format!(
            "dn: OU=people,{BASE}\nchangetype: add\nobjectClass: organizationalUnit\n\n\
             dn: OU=elsewhere,{BASE}\nchangetype: add\nobjectClass: organizationalUnit\n"
        ));
        samba
    }

    /// Adds somebody who may act, with the password of everybody here.
    pub(crate) fn add_person(&self, login: &str) {
        let quoted: Vec<u8> = format!("\"{PASSWORD}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.modify_ldif(&format!(
            "dn: {}\nchangetype: add\nobjectClass: user\nsAMAccountName: {login}\ndisplayName: {login}\n\
             mail: {login}@corp.example\nuserAccountControl: 512\nunicodePwd:: {}\n",
            self.person_dn(login),
            STANDARD.encode(quoted)
        ));
    }

    /// Adds a group with these people and groups in it.
    pub(crate) fn add_group(&self, name: &str, logins: &[&str]) {
        let members: String =
            logins.iter().map(|login| format!("member: {}\n", self.person_dn(login))).collect();
        self.modify_ldif(&format!(
            "dn: CN={name},OU=people,{BASE}\nchangetype: add\nobjectClass: group\nsAMAccountName: {name}\n{members}"
        ));
    }

    /// Disables an account, as an administrator does there.
    pub(crate) fn disable(&self, login: &str) {
        self.set(login, "userAccountControl", "514");
    }

    /// Replaces one value of somebody's entry.
    pub(crate) fn set(&self, login: &str, attribute: &str, value: &str) {
        let dn = self.person_dn(login);
        self.modify_ldif(&format!(
            "dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n"
        ));
    }

    pub(crate) fn remove(&self, login: &str) {
        self.modify_ldif(&format!("dn: {}\nchangetype: delete\n", self.person_dn(login)));
    }

    pub(crate) fn person_dn(&self, login: &str) -> String {
        format!("CN={login},OU=people,{BASE}")
    }

    /// Applies change records as the administrator. Panics with the tool's words when one is refused.
    pub(crate) fn modify_ldif(&self, ldif: &str) {
        let who = ["-x", "-ZZ", "-H", &self.url, "-D", ADMIN, "-w", PASSWORD];
        // A password is set under TLS only. The certificate is not for this address.
        feed(Command::new("ldapmodify").args(who).env("LDAPTLS_REQCERT", "never"), ldif);
    }

    /// Kills the controller, without warning to anybody connected.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it on the same address with the same domain.
    pub(crate) fn launch(&mut self) {
        let log = File::create(self.dir.path().join("log")).expect("a log file");
        let process = Command::new("samba")
            .args(["-F", "--no-process-group", "-M", "single", "--debug-stdout", "-d0"])
            .arg("-s")
            .arg(self.dir.path().join("etc/smb.conf"))
            .arg("--option=ldap server require strong auth=no")
            .arg("--option=server services=ldap kdc")
            .arg(format!("--option=pid directory={}", self.dir.path().display()))
            .arg(format!("--option=ncalrpc dir={}/ncalrpc", self.dir.path().display()))
            .arg("--option=bind interfaces only=yes")
            .arg(format!("--option=interfaces={}/8", self.address))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("samba (package samba-ad-dc)");
        self.process = Some(process);
        let until = Instant::now() + READY_WITHIN;
        while TcpStream::connect((self.address.as_str(), 389)).is_err() {
            assert!(Instant::now() < until, "samba does not start:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The domain to copy, made by whoever is first.
fn domain() -> PathBuf {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("samba-domain");
    let lock = File::create(made.with_extension("lock")).expect("a lock");
    lock.lock().expect("the lock");
    if !made.exists() {
        let making = made.with_extension("making");
        let _ = fs::remove_dir_all(&making);
        run(Command::new("samba-tool")
            .args(["domain", "provision", "--realm=CORP.EXAMPLE", "--domain=CORP", "--server-role=dc"])
            .args(["--dns-backend=NONE", "--host-name=dc1", "--host-ip=127.0.0.1"])
            .arg("--option=ldap server require strong auth = no")
            .arg(format!("--adminpass={PASSWORD}"))
            .arg(format!("--targetdir={}", making.display())));
        run(Command::new("samba-tool")
            .args(["user", "create", READER, PASSWORD, "-s"])
            .arg(making.join("etc/smb.conf")));
        // Without them each copy would make some of its own, which takes longer than all the rest.
        let tls = making.join("private/tls");
        fs::create_dir_all(&tls).expect("a folder for certificates");
        certificates(&tls);
        for (ours, theirs) in [("server.pem", "cert.pem"), ("server.key", "key.pem")] {
            fs::rename(tls.join(ours), tls.join(theirs)).expect("the server's certificate");
        }
        fs::rename(&making, &made).expect("the domain");
    }
    made
}

/// The folder that a configuration was written for.
fn made_in(config: &str) -> String {
    let line = config.lines().find_map(|line| line.trim().strip_prefix("private dir = "));
    line.and_then(|line| line.strip_suffix("/private")).expect("a private folder").to_owned()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
