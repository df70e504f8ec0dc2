//! The two servers: the real binary with its own authority, and Debian's mosquitto trusting the same clients.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;

use crate::link::Entrance;
use crate::web::Site;

/// The account whose certificate all clients of plain topics show.
pub(crate) const CLIENT: &str = "load";
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Product {
    Chancery,
    Mosquitto,
}

/// Both servers' settings and certificates.
pub(crate) struct Ground {
    folder: TempDir,
    /// Apart from the rest, since the path of a socket has at most 107 bytes (unix(7)).
    socket: TempDir,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) product: Product,
    child: Child,
    plain: SocketAddr,
    tls: SocketAddr,
    /// The web doors, which mosquitto has not.
    http: SocketAddr,
    https: SocketAddr,
}

impl Ground {
    /// Founds the authority and enrols the clients: one for plain topics, and so many pairs a0, b0… who chat.
    pub(crate) fn prepare(pairs: usize) -> Result<Self> {
        // Beside the build and not in /tmp, which is memory on many systems: what is measured is a disk.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let ground = Self { folder, socket: tempfile::tempdir()? };
        fs::write(ground.path("chancery.toml"), ground.chancery_settings())?;
        ground.chancery(&["init", "--domain", "bench.example"])?;
        let daemon = ground.start(Product::Chancery)?;
        ground.enroll(CLIENT)?;
        for at in 0..pairs {
            ground.enroll(&format!("a{at}"))?;
            ground.enroll(&format!("b{at}"))?;
        }
        drop(daemon);
        ground.certify_mosquitto()?;
        Ok(ground)
    }

    pub(crate) fn start(&self, product: Product) -> Result<Server> {
        match product {
            Product::Chancery => self.start_chancery(),
            Product::Mosquitto => self.start_mosquitto(),
        }
    }

    fn start_chancery(&self) -> Result<Server> {
        let file = self.path("ready");
        let _ = fs::remove_file(&file);
        let child = self
            .command()
            .arg("serve")
            .arg("--ready-file")
            .arg(&file)
            .stdout(Stdio::null())
            .spawn()
            .context("chancery serve")?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Server::at(Product::Chancery, child, nowhere, nowhere);
        until(|| ready(&file)).context("chancery did not become ready")?;
        let doors: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
        let door = |name: &str| -> Result<SocketAddr> {
            Ok(doors["doors"][name].as_str().with_context(|| format!("no door {name}"))?.parse()?)
        };
        (server.plain, server.tls) = (door("mqtt")?, door("mqtts")?);
        (server.http, server.https) = (door("http")?, door("https")?);
        Ok(server)
    }

    fn start_mosquitto(&self) -> Result<Server> {
        let (plain, tls) = (free_address()?, free_address()?);
        fs::write(self.path("mosquitto.conf"), self.mosquitto_settings(plain, tls))?;
        let child = Command::new("mosquitto")
            .arg("-c")
            .arg(self.path("mosquitto.conf"))
            .stderr(Stdio::null())
            .spawn()
            .context("mosquitto")?;
        let server = Server::at(Product::Mosquitto, child, plain, tls);
        until(|| [plain, tls].iter().all(|address| TcpStream::connect(address).is_ok()))
            .context("mosquitto did not become ready")?;
        Ok(server)
    }

    fn chancery_settings(&self) -> String {
        format!(
            r#"[appliance]
domain = "bench.example"
state_dir = "{}"
control = "{}"
[door.mqtt]
listen = ["127.0.0.1:0"]
allow_anonymous = true
[door.mqtts]
listen = ["127.0.0.1:0"]
[door.https]
listen = ["127.0.0.1:0"]
[door.http]
listen = ["127.0.0.1:0"]
[acl]
rules = [
  {{ who = "guest", may = "both", topic = "b/#" }},
  {{ who = "any", may = "both", topic = "b/#" }},
]
[log]
level = "error"
"#,
            self.path("state").display(),
            self.control().display()
        )
    }

    /// Nothing bounded that the workloads would reach, nothing written to disk.
    fn mosquitto_settings(&self, plain: SocketAddr, tls: SocketAddr) -> String {
        format!(
            "persistence false
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 0
log_type none
user root
listener {} 127.0.0.1
listener {} 127.0.0.1
tls_version tlsv1.3
require_certificate true
cafile {}
certfile {}
keyfile {}
",
            plain.port(),
            tls.port(),
            self.path("trust.pem").display(),
            self.path("mosquitto.pem").display(),
            self.path("mosquitto.key").display()
        )
    }

    fn enroll(&self, name: &str) -> Result<()> {
        self.chancery(&["account", "add", name])?;
        self.chancery(&["cert", "enroll", name, "--out", &self.person(name).display().to_string()])
    }

    /// A P-256 key as the house has one.
    fn certify_mosquitto(&self) -> Result<()> {
        let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
                       -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";
        let mut openssl = Command::new("openssl");
        openssl.args(request.split_whitespace());
        openssl.arg("-keyout").arg(self.path("mosquitto.key")).arg("-out").arg(self.path("mosquitto.pem"));
        run(&mut openssl)?;
        let person = self.person(CLIENT);
        let trust = [fs::read(person.join("chain.pem"))?, fs::read(person.join("root.pem"))?].concat();
        Ok(fs::write(self.path("trust.pem"), trust)?)
    }

    fn chancery(&self, arguments: &[&str]) -> Result<()> {
        run(self.command().args(arguments))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
        command.arg("--config").arg(self.path("chancery.toml"));
        command
    }

    /// What the client of plain topics shows at a TLS door.
    pub(crate) fn client(&self) -> Result<TlsConnector> {
        self.connector(CLIENT)
    }

    /// How a person proves who they are. The same at both servers; each connection is a full handshake.
    pub(crate) fn connector(&self, name: &str) -> Result<TlsConnector> {
        let person = self.person(name);
        let chain = vec![certificate(&person.join("cert.pem"))?, certificate(&person.join("chain.pem"))?];
        let key = PrivateKeyDer::from_pem_file(person.join("key.pem"))
            .with_context(|| format!("the key of {name}"))?;
        self.shows(chain, key)
    }

    /// The same with a certificate that is in no file.
    pub(crate) fn shows(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<TlsConnector> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.own_file("root.pem"))?)?;
        roots.add(certificate(&self.path("mosquitto.pem"))?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        config.resumption = Resumption::disabled();
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// The socket by which the house takes orders.
    pub(crate) fn control(&self) -> PathBuf {
        self.socket.path().join("control.sock")
    }

    /// What the clients of plain topics were given.
    pub(crate) fn own_file(&self, name: &str) -> PathBuf {
        self.person(CLIENT).join(name)
    }

    fn person(&self, name: &str) -> PathBuf {
        self.path("people").join(name)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Server {
    fn at(product: Product, child: Child, plain: SocketAddr, tls: SocketAddr) -> Self {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { product, child, plain, tls, http: nowhere, https: nowhere }
    }

    /// Where everybody asks.
    pub(crate) fn site(&self) -> Site {
        Site::Plain(self.http)
    }

    /// Where devices ask.
    pub(crate) fn secure_site(&self, tls: TlsConnector) -> Site {
        Site::Tls(self.https, tls)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn entrance(&self, tls: Option<TlsConnector>) -> Entrance {
        Entrance { address: if tls.is_some() { self.tls } else { self.plain }, tls }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.pid().to_string()).status();
        if until(|| matches!(self.child.try_wait(), Ok(Some(_)))).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn certificate(path: &Path) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_file(path).with_context(|| path.display().to_string())
}

fn run(command: &mut Command) -> Result<()> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

fn ready(file: &Path) -> bool {
    fs::read(file).is_ok_and(|text| serde_json::from_slice::<serde_json::Value>(&text).is_ok())
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn until(mut done: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !done() {
        ensure!(begun.elapsed() < PATIENCE, "waited for {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
