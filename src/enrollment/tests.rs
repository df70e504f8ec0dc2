//! What enrollment promises, as sentences. Requests are made, and answers are judged, by the `openssl` command.

mod approval;
mod crl;
mod enroll;
mod found;
mod fronts;
mod log;
mod ocsp;
mod own;
mod reminder;
mod revoke;
mod roll;
mod shards;
mod token;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::audit::Entry;
use crate::directory::NewAccount;
use crate::id::AccountId;
use crate::time;

const BASE: &str = "http://pki.corp.example";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A house with `alice` and `bob`.
struct House {
    folder: TempDir,
    store: Store,
    broker: Broker,
    directory: Directory,
    enrollment: Enrollment,
    cfg: Config,
    now: Timestamp,
}

impl House {
    async fn new() -> Self {
        Self::ruled(Config::default()).await
    }

    /// One in which the operator decided otherwise.
    async fn ruled(cfg: Config) -> Self {
        let (folder, now) = (tempfile::tempdir().unwrap(), time::now());
        found(&folder, now).await.unwrap();
        let store = Store::open(&folder.path().join("chancery.db"), 2).unwrap();
        let broker = Broker::open(store.clone(), &folder.path().join("journal"), Default::default(), now)
            .await
            .unwrap();
        let directory = Directory::open(store.clone(), broker.clone(), None).await.unwrap();
        for name in ["alice", "bob"] {
            let mail = Some(format!("{name}@corp.example"));
            let new = NewAccount { name: name.into(), mail, ..NewAccount::default() };
            directory.add(&Principal::Host, new, now).await.unwrap();
        }
        let enrollment = open(&folder, &store, &broker, &directory, &cfg, now).await.unwrap();
        Self { folder, store, broker, directory, enrollment, cfg, now }
    }

    /// The same house after a restart.
    async fn restarted(&self, now: Timestamp) -> Enrollment {
        open(&self.folder, &self.store, &self.broker, &self.directory, &self.cfg, now).await.unwrap()
    }

    fn id(&self, name: &str) -> AccountId {
        self.directory.find(name).unwrap().id
    }

    fn principal(&self, name: &str) -> Principal {
        Directory::principal(&self.directory.find(name).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new key in a file of this name.
    fn key(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", text(&path)]);
        path
    }

    /// A request for `CN=…` and, if given, alternative names.
    fn csr(&self, key: &Path, name: &str, others: Option<&str>) -> Vec<u8> {
        let (subject, others) =
            (format!("/CN={name}"), others.map(|names| format!("subjectAltName={names}")));
        let mut args = vec!["req", "-new", "-key", text(key), "-subj", &subject];
        args.extend(others.iter().flat_map(|names| ["-addext", names]));
        openssl(&args).into_bytes()
    }

    /// Alice's or bob's new certificate on a new key.
    async fn enrolled(&self, name: &str) -> Enrolled {
        let csr = self.csr(&self.key(&format!("{name}.key")), name, None);
        self.enrollment
            .enroll(&Principal::Host, name, Grant::client(), Request::Csr(csr), self.now)
            .await
            .unwrap()
    }

    /// A token for a client of this account, and its end.
    async fn token(&self, name: &str) -> (String, Timestamp) {
        let drawn = self.enrollment.token(&Principal::Host, name, Grant::client(), self.now).await.unwrap();
        (drawn.secret.to_string(), drawn.until)
    }

    fn presented(&self, enrolled: &Enrolled) -> Presented {
        let der = ca::Certificate::from_pem(&enrolled.certificate_pem).unwrap().der().to_vec();
        self.enrollment.identify(&der).unwrap()
    }

    /// What `openssl verify` says of a certificate: chain, purpose and both CRLs.
    fn verify(&self, certificate_pem: &str, purpose: &str) -> String {
        let own = &self.enrollment;
        let issuers = own.authority.issuers();
        let root_id = issuers.current().root().key_id.clone().unwrap();
        let mut trusted = own.root_pem();
        issuers.all().for_each(|issuer| trusted += &issuer.chain_pem());
        for issuer in issuers.all().map(|issuer| issuer.key_id()).chain([root_id.as_str()]) {
            std::fs::write(self.path("one.crl"), &*own.crl_of(issuer).unwrap()).unwrap();
            trusted += &openssl(&["crl", "-inform", "DER", "-in", text(&self.path("one.crl"))]);
        }
        let (trust, leaf) = (self.path("trust.pem"), self.path("leaf.pem"));
        std::fs::write(&trust, trusted).unwrap();
        std::fs::write(&leaf, certificate_pem).unwrap();
        say(&["verify", "-crl_check_all", "-purpose", purpose, "-CAfile", text(&trust), text(&leaf)]).1
    }

    /// The audit, oldest first; its chain must be intact.
    async fn audit(&self) -> Vec<Entry> {
        let verified = self.store.read(|view| view.verify_audit()).await.unwrap();
        assert!(verified.intact, "{verified:?}");
        let mut entries = self.store.read(|view| view.audit_entries(None, 1000)).await.unwrap();
        entries.reverse();
        entries
    }

    /// The deeds about certificates, each with its actor; refused ones end with a question mark.
    async fn deeds(&self) -> Vec<String> {
        let told = |entry: Entry| {
            let mark = if entry.details.contains("\"refused\"") { "?" } else { "" };
            format!("{} {}{mark}", entry.actor, entry.deed)
        };
        let deeds = self.audit().await.into_iter().filter(|entry| entry.deed.starts_with("certificate."));
        deeds.map(told).collect()
    }
}

async fn found(folder: &TempDir, now: Timestamp) -> Result<Founded, Failure> {
    let place = Place { state: folder.path(), http_base: BASE, credentials: None };
    Enrollment::found(&Config::default(), "corp.example", place, Founding::OwnRoot, now).await
}

async fn open(
    folder: &TempDir,
    store: &Store,
    broker: &Broker,
    directory: &Directory,
    cfg: &Config,
    now: Timestamp,
) -> Result<Enrollment, Failure> {
    let place = Place { state: folder.path(), http_base: BASE, credentials: None };
    let rules = crate::chat::acl::Rules::default();
    let chat = Chat::new(store.clone(), broker.clone(), directory.clone(), rules, "corp.example");
    Enrollment::open(store.clone(), broker.clone(), chat, directory.clone(), cfg.clone(), place, now).await
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs `openssl`, which must succeed.
fn openssl(args: &[&str]) -> String {
    let (success, said) = say(args);
    assert!(success, "openssl {args:?}: {said}");
    said
}

fn say(args: &[&str]) -> (bool, String) {
    let done = Command::new("openssl").args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.success(), if done.status.success() { text(&done.stdout) } else { text(&done.stderr) })
}
