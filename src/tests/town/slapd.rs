//! A directory next door: a real OpenLDAP server on free loopback ports, with its own tree, certificate and keys.
//!
//! It is ready in about a second and gone when the value is dropped. It promises an entry for every account a test
//! adds, a service account that may read all of it and one that may not read far, and a password policy that can
//! lock people. What the appliance makes of these people is the tests' affair.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::neighbour::{feed, free_port};

const BASE: &str = "dc=corp,dc=example";
const READY_WITHIN: Duration = Duration::from_secs(15);

/// How the server differs from the ordinary one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Lines added to the database section of `slapd.conf`.
    pub(crate) database_lines: String,
    /// Entries that are there from the beginning, as LDIF.
    pub(crate) entries: String,
}

/// The running server. Killed when dropped.
pub(crate) struct Slapd {
    /// `ldap://127.0.0.1:PORT`; offers StartTLS.
    pub(crate) url: String,
    /// `ldaps://127.0.0.1:PORT`.
    pub(crate) ldaps_url: String,
    /// The certificate that vouches for the server's.
    pub(crate) ca_pem: PathBuf,
    /// The suffix of the tree; people are in `ou=people` below it, groups in `ou=groups`.
    pub(crate) base: &'static str,
    /// May change everything.
    pub(crate) admin_dn: String,
    /// The administrator's password.
    pub(crate) admin_password: &'static str,
    /// May read everybody, in pages of any number.
    pub(crate) service_dn: String,
    /// May write certificates into everybody's entry, which the service account may not.
    pub(crate) writer_dn: String,
    /// Is cut off by the server after 500 entries, in pages or not.
    pub(crate) limited_dn: String,
    /// Password of all service accounts.
    pub(crate) service_password: &'static str,
    process: Option<Child>,
    dir: TempDir,
}

impl Slapd {
    /// Makes the tree and the certificates, and starts the server on ports that were free a moment ago.
    pub(crate) fn start(options: Options) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        certificates(dir.path());
        fs::create_dir(dir.path().join("db")).expect("a folder for the database");
        fs::write(dir.path().join("slapd.conf"), configuration(dir.path(), &options)).expect("slapd.conf");
        seed(dir.path(), &options.entries);
        let mut slapd = Self {
            url: String::new(),
            ldaps_url: String::new(),
            ca_pem: dir.path().join("ca.pem"),
            base: BASE,
            admin_dn: format!("cn=admin,{BASE}"),
            admin_password: "admin-secret",
            service_dn: format!("cn=chancery,ou=services,{BASE}"),
            writer_dn: format!("cn=writer,ou=services,{BASE}"),
            limited_dn: format!("cn=limited,ou=services,{BASE}"),
            service_password: "service-secret",
            process: None,
            dir,
        };
        // Another test may take a port between our look and the server's bind: look again.
        for _ in 0..5 {
            slapd.url = format!("ldap://127.0.0.1:{}", free_port());
            slapd.ldaps_url = format!("ldaps://127.0.0.1:{}", free_port());
            if slapd.launch() {
                return slapd;
            }
        }
        panic!("slapd does not start:\n{}", slapd.log());
    }

    /// Adds an account and returns its `entryUUID`.
    pub(crate) fn add_person(&self, uid: &str, cn: &str, mail: &str, password: &str) -> String {
        self.modify_ldif(&format!(
            "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {cn}\nsn: {cn}\nmail: {mail}\n\
             userPassword: {password}\n",
            self.person_dn(uid)
        ));
        self.entry_uuid(&self.person_dn(uid))
    }

    /// Adds `count` accounts at once: `PREFIX0000`, `PREFIX0001`, and so on; their password is their uid.
    pub(crate) fn add_people(&self, prefix: &str, count: usize) {
        let mut ldif = String::new();
        for number in 0..count {
            let uid = format!("{prefix}{number:04}");
            ldif += &format!(
                "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: Person {number}\nsn: {number}\n\
                 mail: {uid}@corp.example\nuserPassword: {uid}\n\n",
                self.person_dn(&uid)
            );
        }
        self.modify_ldif(&ldif);
    }

    /// Adds a group with these accounts in it; the server notes it in each member's `memberOf`.
    pub(crate) fn add_group(&self, cn: &str, uids: &[&str]) {
        let members: String = uids.iter().map(|uid| format!("member: {}\n", self.person_dn(uid))).collect();
        self.modify_ldif(&format!(
            "dn: cn={cn},ou=groups,{BASE}\nchangetype: add\nobjectClass: groupOfNames\ncn: {cn}\n{members}"
        ));
    }

    /// Locks an account for good, as an administrator does with the password policy overlay.
    pub(crate) fn disable(&self, uid: &str) {
        self.modify_ldif(&format!(
            "dn: {}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n",
            self.person_dn(uid)
        ));
    }

    /// Lifts what [`Slapd::disable`] did.
    pub(crate) fn enable(&self, uid: &str) {
        self.modify_ldif(&format!(
            "dn: {}\nchangetype: modify\ndelete: pwdAccountLockedTime\n",
            self.person_dn(uid)
        ));
    }

    /// Replaces the bytes of a photo.
    pub(crate) fn set_photo(&self, uid: &str, attribute: &str, photo: &[u8]) {
        let (dn, photo) = (self.person_dn(uid), STANDARD.encode(photo));
        self.modify_ldif(&format!(
            "dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}:: {photo}\n"
        ));
    }

    /// Deletes an account.
    pub(crate) fn remove(&self, uid: &str) {
        self.modify_ldif(&format!("dn: {}\nchangetype: delete\n", self.person_dn(uid)));
    }

    /// Applies change records (RFC 2849) as the administrator. Panics with the tool's words when one is refused.
    pub(crate) fn modify_ldif(&self, ldif: &str) {
        self.feed("ldapmodify", &[], ldif);
    }

    /// The name of the entry of an account added here.
    pub(crate) fn person_dn(&self, uid: &str) -> String {
        format!("uid={uid},ou=people,{BASE}")
    }

    /// Kills the server, without warning to anybody connected.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts the stopped server again: same ports, same tree.
    pub(crate) fn start_again(&mut self) {
        assert!(self.launch(), "slapd does not come back:\n{}", self.log());
    }

    /// The certificates in the entry of an account added here, in DER.
    pub(crate) fn certificates(&self, uid: &str) -> Vec<Vec<u8>> {
        let (dn, attribute) = (self.person_dn(uid), "userCertificate;binary");
        let found =
            self.feed("ldapsearch", &["-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", &dn, attribute], "");
        let values = found.lines().filter_map(|line| line.strip_prefix("userCertificate;binary:: "));
        values.map(|value| STANDARD.decode(value).expect("base64")).collect()
    }

    fn entry_uuid(&self, dn: &str) -> String {
        let found =
            self.feed("ldapsearch", &["-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", dn, "entryUUID"], "");
        let line = found.lines().find_map(|line| line.strip_prefix("entryUUID: "));
        line.expect("an entryUUID").to_owned()
    }

    fn feed(&self, tool: &str, arguments: &[&str], input: &str) -> String {
        let who = ["-x", "-H", &self.url, "-D", &self.admin_dn, "-w", self.admin_password];
        feed(Command::new(tool).args(who).args(arguments).env("LDAPNOINIT", "1"), input)
    }

    fn launch(&mut self) -> bool {
        let log = fs::File::create(self.dir.path().join("log")).expect("a log file");
        let mut process = Command::new("/usr/sbin/slapd")
            .args(["-d", "0", "-h", &format!("{} {}", self.url, self.ldaps_url), "-f"])
            .arg(self.dir.path().join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("slapd (package slapd): {error}"));
        let until = Instant::now() + READY_WITHIN;
        let addresses =
            [&self.url, &self.ldaps_url].map(|url| url.rsplit('/').next().unwrap_or_default().to_owned());
        while Instant::now() < until && matches!(process.try_wait(), Ok(None)) {
            if addresses.iter().all(|address| TcpStream::connect(address).is_ok()) {
                self.process = Some(process);
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = process.kill();
        let _ = process.wait();
        false
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An authority and a server's certificate for loopback: `ca.pem`, `ca.key`, `server.pem`, `server.key`.
pub(crate) fn certificates(dir: &Path) {
    let sentence = "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n\
                    basicConstraints=critical,CA:false\n";
    fs::write(dir.join("server.ext"), sentence).expect("the extensions");
    openssl(
        dir,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ca.key -out ca.pem \
                  -subj /CN=Directory-CA -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign",
    );
    openssl(
        dir,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr \
                  -subj /CN=localhost",
    );
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext \
                  -out server.pem",
    );
}

/// Runs OpenSSL's tool in a folder.
pub(crate) fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(dir).output();
    let output = output.unwrap_or_else(|error| panic!("openssl (package openssl): {error}"));
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn configuration(dir: &Path, options: &Options) -> String {
    let dir = dir.display();
    let lines = &options.database_lines;
    format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
moduleload syncprov
pidfile {dir}/slapd.pid
argsfile {dir}/slapd.args
threads 4
TLSCACertificateFile {dir}/ca.pem
TLSCertificateFile {dir}/server.pem
TLSCertificateKeyFile {dir}/server.key
sizelimit 500
access to dn.base=\"\" by * read
access to dn.base=\"cn=Subschema\" by * read
database mdb
suffix \"{BASE}\"
rootdn \"cn=admin,{BASE}\"
rootpw admin-secret
directory {dir}/db
maxsize 1073741824
dbnosync
index objectClass,uid,entryUUID,entryCSN eq
limits dn.exact=\"cn=chancery,ou=services,{BASE}\" size=unlimited size.prtotal=unlimited time=unlimited
limits dn.exact=\"cn=limited,ou=services,{BASE}\" size=500 size.prtotal=500
access to attrs=userCertificate by dn.exact=\"cn=writer,ou=services,{BASE}\" write by users read
access to attrs=userPassword by anonymous auth by self write by * none
access to * by users read by * none
{lines}
overlay memberof
overlay ppolicy
ppolicy_default \"cn=default,ou=policies,{BASE}\"
overlay syncprov
syncprov-sessionlog 1000
"
    )
}

fn seed(dir: &Path, entries: &str) {
    let unit = |name: &str| format!("dn: ou={name},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n\n");
    let service = |name: &str| {
        format!(
            "dn: cn={name},ou=services,{BASE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n\
             cn: {name}\nuserPassword: service-secret\n\n"
        )
    };
    let ldif = [
        format!("dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: corp\no: Corp\n\n"),
        unit("people"),
        unit("groups"),
        unit("services"),
        unit("policies"),
        service("chancery"),
        service("writer"),
        service("limited"),
        format!(
            "dn: cn=default,ou=policies,{BASE}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: default\n\
             pwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 50\n\n"
        ),
        entries.to_owned(),
    ]
    .concat();
    fs::write(dir.join("seed.ldif"), ldif).expect("the first entries");
    let output = Command::new("/usr/sbin/slapadd")
        .args(["-q", "-f", "slapd.conf", "-l", "seed.ldif"])
        .current_dir(dir)
        .output()
        .unwrap_or_else(|error| panic!("slapadd (package slapd): {error}"));
    assert!(output.status.success(), "slapadd: {}", String::from_utf8_lossy(&output.stderr));
}

mod tests {
    use super::{Options, Slapd};

    #[test]
    fn the_directory_next_door_keeps_its_people_through_a_restart() {
        let mut slapd =
            Slapd::start(Options { database_lines: "index mail eq".to_owned(), ..Options::default() });
        let id = slapd.add_person("alice", "Alice Adams", "alice@corp.example", "wonderland");
        slapd.add_people("extra", 2);
        slapd.add_group("ops", &["alice", "extra0000"]);
        slapd.disable("alice");
        slapd.enable("alice");
        slapd.remove("extra0001");
        slapd.stop();
        slapd.start_again();
        assert_eq!(slapd.entry_uuid(&slapd.person_dn("alice")), id);
        assert!(
            slapd.base.starts_with("dc=") && slapd.ca_pem.exists() && slapd.ldaps_url.starts_with("ldaps://")
        );
        assert!(
            slapd.service_dn != slapd.limited_dn
                && slapd.service_dn != slapd.writer_dn
                && !slapd.service_password.is_empty()
        );
    }
}
