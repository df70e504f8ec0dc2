//! The two servers: the real binary with its own authority, and Debian's mosquitto trusting the same clients.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::client::{Identity, Pair};

/// The house, with accounts a0… (authors) and b0… (recipients).
pub(crate) struct Chancery {
    folder: PathBuf,
    child: Child,
    address: SocketAddr,
    pairs: usize,
    pub(crate) start_time: Duration,
    pub(crate) idle_memory_kib: u64,
}

/// Debian's mosquitto with its default settings, mutual TLS added.
pub(crate) struct Mosquitto {
    folder: PathBuf,
    child: Child,
    address: SocketAddr,
}

impl Chancery {
    pub(crate) fn start(folder: &Path, pairs: usize) -> Result<Self> {
        let config = folder.join("chancery.toml");
        let state = folder.join("state");
        std::fs::write(&config, settings(&state, &folder.join("control.sock")))?;
        chancery(folder, &["init", "--domain", "bench.example"])?;
        // Once for the clients' certificates, once to measure a start and a rest.
        let mut setup = Self {
            folder: folder.into(),
            child: serve(folder)?,
            address: ready(folder)?.1,
            pairs,
            start_time: Duration::ZERO,
            idle_memory_kib: 0,
        };
        setup.enroll_everybody()?;
        end(&mut setup.child)?;
        let begun = Instant::now();
        setup.child = serve(folder)?;
        setup.address = ready(folder)?.1;
        setup.start_time = begun.elapsed();
        std::thread::sleep(Duration::from_secs(1));
        setup.idle_memory_kib = resident_kib(setup.child.id())?;
        Ok(setup)
    }

    fn enroll_everybody(&self) -> Result<()> {
        for at in 0..self.pairs {
            for name in [format!("a{at}"), format!("b{at}")] {
                chancery(&self.folder, &["account", "add", &name])?;
                let out = self.folder.join("people").join(&name);
                chancery(&self.folder, &["cert", "enroll", &name, "--out", &out.display().to_string()])?;
            }
        }
        Ok(())
    }

    pub(crate) fn pairs(&self) -> Result<Vec<Pair>> {
        (0..self.pairs)
            .map(|at| {
                let root = self.folder.join("people/a0/root.pem");
                Ok(crate::pair(
                    at,
                    self.address,
                    self.identity("a", at, &root)?,
                    self.identity("b", at, &root)?,
                    true,
                ))
            })
            .collect()
    }

    fn identity(&self, role: &str, at: usize, root: &Path) -> Result<Identity> {
        let folder = self.folder.join("people").join(format!("{role}{at}"));
        let certificate = |path: PathBuf| {
            CertificateDer::from_pem_file(&path).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))
        };
        Ok(Identity {
            chain: vec![certificate(folder.join("cert.pem"))?, certificate(folder.join("chain.pem"))?],
            key: PrivateKeyDer::from_pem_file(folder.join("key.pem"))
                .map_err(|why| anyhow::anyhow!("key: {why}"))?,
            root: certificate(root.into())?,
        })
    }
}

impl Mosquitto {
    pub(crate) fn start(folder: &Path, chancery: &Chancery) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let path = |name: &str| folder.join(name).display().to_string();
        let certificate = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .args(["-keyout", &path("mosquitto.key"), "-out", &path("mosquitto.pem")])
            .stderr(Stdio::null())
            .status()?;
        if !certificate.success() {
            bail!("openssl could not make a certificate for mosquitto");
        }
        let people = chancery.folder.join("people/a0");
        let trust =
            [std::fs::read(people.join("chain.pem"))?, std::fs::read(people.join("root.pem"))?].concat();
        std::fs::write(folder.join("trust.pem"), trust)?;
        let config = format!(
            "listener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\nmax_inflight_messages 0\nuser root\nlog_type error\n",
            path("trust.pem"),
            path("mosquitto.pem"),
            path("mosquitto.key"),
        );
        std::fs::write(folder.join("mosquitto.conf"), config)?;
        let child = Command::new("mosquitto")
            .args(["-c", &path("mosquitto.conf")])
            .stderr(Stdio::null())
            .spawn()
            .context("mosquitto")?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        until(Duration::from_secs(5), || TcpStream::connect(address).is_ok())?;
        Ok(Self { folder: folder.into(), child, address })
    }

    pub(crate) fn pairs(&self, chancery: &Chancery) -> Result<Vec<Pair>> {
        let root = self.folder.join("mosquitto.pem");
        (0..chancery.pairs)
            .map(|at| {
                Ok(crate::pair(
                    at,
                    self.address,
                    chancery.identity("a", at, &root)?,
                    chancery.identity("b", at, &root)?,
                    false,
                ))
            })
            .collect()
    }
}

fn settings(state: &Path, control: &Path) -> String {
    let loopback = "listen = [\"127.0.0.1:0\"]";
    format!(
        "[appliance]\ndomain = \"bench.example\"\nstate_dir = \"{}\"\ncontrol = \"{}\"\n[door.mqtts]\n{loopback}\n[log]\nlevel = \"warn\"\n",
        state.display(),
        control.display()
    )
}

fn chancery(folder: &Path, arguments: &[&str]) -> Result<()> {
    let config = folder.join("chancery.toml");
    let done =
        Command::new(env!("CARGO_BIN_EXE_chancery")).arg("--config").arg(config).args(arguments).output()?;
    if !done.status.success() {
        bail!("chancery {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

fn serve(folder: &Path) -> Result<Child> {
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_chancery"));
    daemon
        .arg("--config")
        .arg(folder.join("chancery.toml"))
        .arg("serve")
        .arg("--ready-file")
        .arg(folder.join("ready"));
    Ok(daemon.spawn()?)
}

/// Waits for the ready file; gives the process and the address of the MQTT door.
fn ready(folder: &Path) -> Result<(u32, SocketAddr)> {
    let file = folder.join("ready");
    until(Duration::from_secs(10), || file.exists())?;
    let ready: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let address = ready["doors"]["mqtts"].as_str().context("no mqtts door")?.parse()?;
    Ok((ready["pid"].as_u64().context("no pid")? as u32, address))
}

fn end(child: &mut Child) -> Result<()> {
    Command::new("kill").arg(child.id().to_string()).status()?;
    child.wait()?;
    Ok(())
}

fn resident_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).context("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
}

fn until(limit: Duration, mut done: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > limit {
            bail!("nothing came up within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

impl Drop for Chancery {
    fn drop(&mut self) {
        let _ = end(&mut self.child);
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = end(&mut self.child);
    }
}
