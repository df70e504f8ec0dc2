//! A door for a served directory, as an employer has one: sockets, TLS, and who may sign in.
//!
//! It stands on a loopback port, in a thread of its own, and is gone with the program.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use chancery_ldap::serve::{
    Allowed, Card, Conversation, Directory, Identity, Limits, Login, Next, Question, Tree, Verdict,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::slapd;

pub(crate) const SUFFIX: &str = "dc=corp,dc=example";
pub(crate) const SERVICE: &str = "cn=reader,dc=corp,dc=example";

pub(crate) struct Door {
    pub(crate) url: String,
    pub(crate) dir: TempDir,
    directory: Arc<Mutex<Directory>>,
}

/// What a tool said: exit code, standard output, standard error.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) error: String,
}

impl Door {
    pub(crate) fn open(cards: impl IntoIterator<Item = Card>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        slapd::certificates(dir.path());
        // Alice's own certificate, for SASL EXTERNAL.
        slapd::openssl(
            dir.path(),
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout alice.key -out alice.csr -subj /CN=alice",
        );
        fs::write(
            dir.path().join("alice.ext"),
            "extendedKeyUsage=clientAuth\nbasicConstraints=critical,CA:false\n",
        )
        .expect("the extensions");
        slapd::openssl(
            dir.path(),
            "x509 -req -in alice.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile alice.ext -out alice.pem",
        );
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let url = format!("ldaps://127.0.0.1:{}", listener.local_addr().expect("its address").port());
        let door = Self { url, directory: Arc::new(Mutex::new(snapshot(cards))), dir };
        let (tls, directory) = (door.tls(), Arc::clone(&door.directory));
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(accept(listener, tls, directory));
        });
        door
    }

    /// People change: later searches see these.
    pub(crate) fn replace(&self, cards: impl IntoIterator<Item = Card>) {
        *self.directory.lock().expect("a directory") = snapshot(cards);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs one of OpenLDAP's tools as `who`, with their password.
    pub(crate) fn tool_as(&self, who: &str, password: &str, tool: &str, arguments: &[&str]) -> Said {
        let mut all = vec!["-x", "-D", who, "-w", password];
        all.extend(arguments);
        self.tool(tool, &all)
    }

    pub(crate) fn tool(&self, tool: &str, arguments: &[&str]) -> Said {
        let output = Command::new(tool)
            .args(["-H", &self.url])
            .args(arguments)
            // No settings of the machine's or of whoever runs the tests.
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env("LDAPCONF", self.path("none"))
            .env("LDAPTLS_CACERT", self.path("ca.pem"))
            .env("LDAPTLS_CERT", self.path("alice.pem"))
            .env("LDAPTLS_KEY", self.path("alice.key"))
            .output()
            .unwrap_or_else(|error| panic!("{tool} (package ldap-utils): {error}"));
        Said {
            code: output.status.code().expect("an exit code"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            error: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn tls(&self) -> TlsAcceptor {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.path("ca.pem")).expect("a certificate"))
            .expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&provider),
        );
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients.allow_unauthenticated().build().expect("a verifier"))
            .with_single_cert(
                vec![CertificateDer::from_pem_file(self.path("server.pem")).expect("a certificate")],
                PrivateKeyDer::from_pem_file(self.path("server.key")).expect("a key"),
            )
            .expect("a certificate and its key");
        TlsAcceptor::from(Arc::new(config))
    }
}

fn snapshot(cards: impl IntoIterator<Item = Card>) -> Directory {
    Directory::new(&Tree::new(SUFFIX).expect("a suffix"), Allowed::default(), cards)
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, directory: Arc<Mutex<Directory>>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, directory) = (tls.clone(), Arc::clone(&directory));
        tokio::spawn(async move {
            // Clients end their connections in many ways; none of them is the door's trouble.
            let _ = serve(stream, tls, &directory).await;
        });
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, directory: &Mutex<Directory>) -> std::io::Result<()> {
    let mut stream = tls.accept(stream).await?;
    let certified = stream.get_ref().1.peer_certificates().is_some();
    let mut conversation = Conversation::new(Limits::default());
    let mut bytes = vec![0; 4096];
    loop {
        let snapshot = directory.lock().expect("a directory").clone();
        match conversation.next(&snapshot) {
            Next::Write(bytes) => stream.write_all(&bytes).await?,
            Next::Ask(question) => conversation.answer(verdict(&question, certified)),
            Next::Again => tokio::task::yield_now().await,
            Next::Read => match stream.read(&mut bytes).await? {
                0 => return Ok(()),
                count => conversation.receive(&bytes[..count]),
            },
            Next::End => return stream.shutdown().await,
        }
    }
}

/// Everybody's password is their uid backwards; that of the service account is `secret`.
fn verdict(question: &Question, certified: bool) -> Verdict {
    match question {
        Question::Password { login: Login::Person(uid), password }
            if password.chars().rev().eq(uid.chars()) =>
        {
            Verdict::Is(Identity::Person(uid.clone()))
        }
        Question::Password { login: Login::Other(name), password }
            if name == SERVICE && **password == "secret" =>
        {
            Verdict::Is(Identity::Other("reader".to_owned()))
        }
        Question::Password { .. } => Verdict::Wrong,
        Question::Certificate if certified => Verdict::Is(Identity::Person("alice".to_owned())),
        Question::Certificate => Verdict::NoCertificate,
    }
}
