//! Another kind of directory next door: a real 389 Directory Server on a free loopback port.
//!
//! Its own tools only make servers that systemd starts, so the folder is laid out here, from the template that they
//! use: an instance that tells of changes (RFC 4533). It is ready within two seconds.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::neighbour::{feed, free_port};

pub(crate) const BASE: &str = "dc=corp,dc=example";
/// May read everybody.
pub(crate) const SERVICE: &str = "cn=chancery,ou=services,dc=corp,dc=example";
pub(crate) const PASSWORD: &str = "service-secret";
const ADMIN: &str = "cn=admin";
const ADMIN_PASSWORD: &str = "admin-secret";
/// Of the administrator's password, salted with `12345678`: the server takes no other form in its configuration.
const ADMIN_HASH: &str = "{SSHA512}q3ISSKiz5JCEqxF2e/RzlBj55qFjQvGIwK5JYyejpBWU1ZB9u9zXHYCwh/IK+TTq1bUGcQy8m9pRvHJoZSU4ijEyMzQ1Njc4";
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The running server. Killed when dropped.
pub(crate) struct Dirsrv {
    /// `ldap://127.0.0.1:PORT`
    pub(crate) url: String,
    port: u16,
    dir: TempDir,
    process: Option<Child>,
}

impl Dirsrv {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        lay_out(dir.path(), port);
        let mut server = Self { url: format!("ldap://127.0.0.1:{port}"), port, dir, process: None };
        server.launch();
        let unit = |name: &str| {
            format!("dn: ou={name},{BASE}\nchangetype: add\nobjectClass: organizationalUnit\nou: {name}\n\n")
        };
        server.modify_ldif(&format!(
            "dn: {BASE}\nchangetype: add\nobjectClass: domain\ndc: corp\naci: (targetattr=\"*\")(version 3.0; \
             acl \"read\"; allow (read,search,compare) userdn=\"ldap:///{SERVICE}\";)\n\n{}{}{}\
             dn: {SERVICE}\nchangetype: add\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n\
             cn: chancery\nuserPassword: {PASSWORD}\n",
            unit("people"),
            unit("groups"),
            unit("services")
        ));
        server
    }

    /// Adds an account whose password is its name.
    pub(crate) fn add_person(&self, uid: &str) {
        self.modify_ldif(&format!(
            "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\
             mail: {uid}@corp.example\nuserPassword: {uid}\n",
            self.person_dn(uid)
        ));
    }

    /// Adds a group with these accounts in it.
    pub(crate) fn add_group(&self, cn: &str, uids: &[&str]) {
        let members: String = uids.iter().map(|uid| format!("member: {}\n", self.person_dn(uid))).collect();
        self.modify_ldif(&format!(
            "dn: cn={cn},ou=groups,{BASE}\nchangetype: add\nobjectClass: groupOfNames\ncn: {cn}\n{members}"
        ));
    }

    /// Locks an account, as an administrator does there.
    pub(crate) fn disable(&self, uid: &str) {
        self.modify_ldif(&format!(
            "dn: {}\nchangetype: modify\nreplace: nsAccountLock\nnsAccountLock: true\n",
            self.person_dn(uid)
        ));
    }

    pub(crate) fn remove(&self, uid: &str) {
        self.modify_ldif(&format!("dn: {}\nchangetype: delete\n", self.person_dn(uid)));
    }

    pub(crate) fn person_dn(&self, uid: &str) -> String {
        format!("uid={uid},ou=people,{BASE}")
    }

    /// Applies change records as the administrator.
    pub(crate) fn modify_ldif(&self, ldif: &str) {
        let who = ["-x", "-H", &self.url, "-D", ADMIN, "-w", ADMIN_PASSWORD];
        feed(Command::new("ldapmodify").args(who).env("LDAPNOINIT", "1"), ldif);
    }

    /// Kills the server, without warning to anybody connected.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it with the same tree on the same port.
    pub(crate) fn launch(&mut self) {
        let log = File::create(self.dir.path().join("output")).expect("a log file");
        let process = Command::new("ns-slapd")
            .arg("-D")
            .arg(self.dir.path().join("config"))
            .arg("-i")
            .arg(self.dir.path().join("run/pid"))
            .args(["-d", "0"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("ns-slapd (package 389-ds-base)");
        self.process = Some(process);
        let until = Instant::now() + READY_WITHIN;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "ns-slapd does not start:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log/errors")).unwrap_or_default()
    }
}

impl Drop for Dirsrv {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Everything the server looks for, in one folder.
fn lay_out(dir: &Path, port: u16) {
    for name in ["backup", "cert", "config/schema", "db", "ldif", "lock", "log", "run", "tmp"] {
        fs::create_dir_all(dir.join(name)).expect("a folder");
    }
    let (given, config) = (Path::new("/etc/dirsrv"), dir.join("config"));
    for name in ["config/certmap.conf", "config/slapd-collations.conf"] {
        let to = dir.join(name);
        fs::copy(given.join(name), to).expect("a part of the configuration (package 389-ds-base)");
    }
    fs::copy(given.join("schema/99user.ldif"), config.join("schema/99user.ldif")).expect("the local schema");
    fs::write(config.join("dse.ldif"), configuration(dir, port)).expect("dse.ldif");
}

/// The template's configuration with its places filled in, what it takes to tell of changes switched on, and a database for our tree.
fn configuration(dir: &Path, port: u16) -> String {
    let template = fs::read_to_string("/usr/share/dirsrv/data/template-dse.ldif").expect("the template");
    let here = |name: &str| dir.join(name).display().to_string();
    let places = [
        ("schema_dir", here("config/schema")),
        ("config_dir", here("config")),
        ("cert_dir", here("cert")),
        ("bak_dir", here("backup")),
        ("db_dir", here("db")),
        ("db_home_dir", here("db")),
        ("ldif_dir", here("ldif")),
        ("lock_dir", here("lock")),
        ("log_dir", here("log")),
        ("run_dir", here("run")),
        ("tmp_dir", here("tmp")),
        ("inst_dir", here("")),
        ("ldapi", here("run/socket")),
        ("ldapi_enabled", "off".into()),
        ("ldapi_autobind", "off".into()),
        // What it holds need not survive the machine.
        ("db_lib", "bdb\nnsslapd-db-durable-transaction: off".into()),
        ("ds_port", format!("{port}\nnsslapd-listenhost: 127.0.0.1")),
        ("ds_suffix", BASE.into()),
        ("ds_user", "root".into()),
        ("fqdn", "localhost".into()),
        ("instance_name", "town".into()),
        ("rootdn", ADMIN.into()),
        ("ds_passwd", ADMIN_HASH.into()),
    ];
    let filled =
        places.iter().fold(template, |text, (place, value)| text.replace(&format!("%{place}%"), value));
    let on = ["cn=Content Synchronization,", "cn=Retro Changelog Plugin,"];
    let entry = |entry: &str| {
        let is_wanted = on.iter().any(|name| entry.contains(&format!("dn: {name}")));
        let off = "nsslapd-pluginenabled: off";
        if is_wanted { entry.replace(off, "nsslapd-pluginenabled: on") } else { entry.to_owned() }
    };
    let entries: Vec<_> = filled.split("\n\n").map(entry).collect();
    format!(
        "{}

dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsBackendInstance
cn: userRoot
nsslapd-suffix: {BASE}

dn: cn=\"{BASE}\",cn=mapping tree,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsMappingTree
cn: {BASE}
nsslapd-state: backend
nsslapd-backend: userRoot
",
        entries.join("\n\n").trim_end()
    )
}
