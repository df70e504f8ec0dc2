//! `demo`: the main job on loopback, with three people who have certificates, and commands to paste.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Appliance, init};
use crate::api::{self, House};
use crate::config::{self, Config};
use crate::directory::NewAccount;
use crate::enrollment::{Founding, Grant, Request};
use crate::id::random;
use crate::principal::Principal;
use crate::time;

const PEOPLE: [(&str, &str); 3] = [("alice", "Alice"), ("bob", "Bob"), ("carol", "Carol")];
const DOMAIN: &str = "demo.example";

/// Runs a demonstration house. With `dir` its state stays there; without, it is gone at the end.
pub(crate) async fn demo(dir: Option<PathBuf>, ready_file: Option<PathBuf>) -> Result<()> {
    let passing = dir.is_none();
    let dir = dir.unwrap_or_else(|| {
        config::temporary().join(format!("chancery-demo-{}", crate::audit::to_hex(&random::<4>())))
    });
    make_dir(&dir)?;
    let dir = dir.canonicalize()?;
    let result = run(&dir, ready_file).await;
    if passing {
        let _ = std::fs::remove_dir_all(&dir);
    }
    result
}

async fn run(dir: &Path, ready_file: Option<PathBuf>) -> Result<()> {
    let config = configuration(dir)?;
    super::log(&config);
    if !Appliance::exists(&config.appliance.state_dir) {
        init::found(&config, Founding::OwnRoot, time::now()).await?;
    }
    let appliance = Appliance::build(config).await?;
    for (name, display) in PEOPLE {
        settle_in(&appliance.house, dir, name, display).await?;
    }
    write(&dir.join("ca.pem"), appliance.house.enrollment.root_pem().as_bytes())?;
    appliance.run(None, ready_file, async |house: &House| introduce(house, dir).await).await
}

/// Everything on loopback, on the default ports where they are free.
fn configuration(dir: &Path) -> Result<Config> {
    let quoted = |path: PathBuf| serde_json::Value::from(path.display().to_string()).to_string();
    let [mqtt, mqtts, ws, wss, https, http, ldaps] =
        [1883, 8883, 8083, 8884, 8443, 8080, 636].map(free_or_any);
    let quic = free_or_any_udp(14567);
    let text = format!(
        "[appliance]\ndomain = \"{DOMAIN}\"\nstate_dir = {state}\ncontrol = {control}\n\
         [door.mqtt]\nlisten = [\"{mqtt}\"]\n[door.mqtts]\nlisten = [\"{mqtts}\"]\n\
         [door.ws]\nlisten = [\"{ws}\"]\n[door.wss]\nlisten = [\"{wss}\"]\n[door.quic]\nlisten = [\"{quic}\"]\n\
         [door.https]\nlisten = [\"{https}\"]\n[door.http]\nlisten = [\"{http}\"]\n\
         [door.ldaps]\nlisten = [\"{ldaps}\"]\n\
         [mail]\ntransport = \"maildir\"\ndirectory = {mail}\nfrom = \"chancery@{DOMAIN}\"\ngrace = \"20s\"\n\
         [acl]\nrules = [{{ who = \"any\", may = \"both\", topic = \"open/#\" }}]\n[log]\nlevel = \"warn\"\n",
        state = quoted(dir.join("state")),
        control = quoted(dir.join("control.sock")),
        mail = quoted(dir.join("mail")),
    );
    Ok(Config::parse(Path::new("demo"), &text)?)
}

fn free_or_any(port: u16) -> SocketAddr {
    let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (Ipv4Addr::LOCALHOST, if free { port } else { 0 }).into()
}

fn free_or_any_udp(port: u16) -> SocketAddr {
    let free = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (Ipv4Addr::LOCALHOST, if free { port } else { 0 }).into()
}

/// An account with a certificate in DIR/people/NAME; what an earlier run made stays.
async fn settle_in(house: &House, dir: &Path, name: &str, display: &str) -> Result<()> {
    let (who, now) = (Principal::System, time::now());
    if house.directory.find(name).is_none() {
        let mail = Some(format!("{name}@{DOMAIN}"));
        let new = NewAccount { name: name.into(), display: Some(display.into()), mail, password: None };
        house.directory.add(&who, new, now).await?;
    }
    let folder = dir.join("people").join(name);
    if folder.join("cert.pem").exists() {
        return Ok(());
    }
    make_dir(&folder)?;
    let enrolled = house
        .enrollment
        .enroll(&who, name, Grant::client(), Request::MakeKey { p12_password: None, legacy: false }, now)
        .await?;
    write(&folder.join("chain.pem"), enrolled.chain_pem.as_bytes())?;
    if let Some(key) = &enrolled.key_pem {
        write(&folder.join("key.pem"), key.as_bytes())?;
    }
    if let Some((file, password)) = &enrolled.p12 {
        write(&folder.join(format!("{name}.p12")), file)?;
        write(&folder.join(format!("{name}.p12.password")), password.as_bytes())?;
    }
    write(&folder.join("cert.pem"), enrolled.certificate_pem.as_bytes())
}

async fn introduce(house: &House, dir: &Path) -> Result<()> {
    let (link, _) =
        api::console_link(&house.store, &house.facts.console_url, &Principal::System, time::now()).await?;
    let door = house.facts.doors.get("mqtts").context("the demonstration has no MQTT door")?;
    let (host, port) = (door.ip(), door.port());
    let ca = shell(&dir.join("ca.pem"));
    let as_person = |name: &str| {
        let folder = dir.join("people").join(name);
        let (cert, key) = (shell(&folder.join("cert.pem")), shell(&folder.join("key.pem")));
        format!("-V 5 -h {host} -p {port} --cafile {ca} --cert {cert} --key {key}")
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nChancery is open. Console (once, within 15 minutes): {link}")?;
    writeln!(out, "Its certificate is vouched for by {ca}\n")?;
    writeln!(out, "Bob listens, in a second terminal:\n")?;
    writeln!(out, "  mosquitto_sub {} -i bob-1 -q 1 -v -t 'from/#'\n", as_person("bob"))?;
    writeln!(out, "Alice writes to him, in a third:\n")?;
    writeln!(out, "  mosquitto_pub {} -q 1 -t to/bob -m 'hello bob'\n", as_person("alice"))?;
    writeln!(
        out,
        "Carol is away: after 20 s she has one mail in {}\n",
        shell(&dir.join("mail").join("carol"))
    )?;
    writeln!(out, "  mosquitto_pub {} -q 1 -t to/carol -m 'hello carol'\n", as_person("alice"))?;
    if let Some(ldaps) = house.facts.doors.get("ldaps") {
        let folder = dir.join("people").join("alice");
        let (cert, key) = (shell(&folder.join("cert.pem")), shell(&folder.join("key.pem")));
        let base = DOMAIN.split('.').map(|label| format!("dc={label}")).collect::<Vec<_>>().join(",");
        writeln!(out, "Alice looks up Carol's address, as a mail client does:\n")?;
        writeln!(
            out,
            "  LDAPTLS_CACERT={ca} LDAPTLS_CERT={cert} LDAPTLS_KEY={key} \
             ldapsearch -Q -Y EXTERNAL -LLL -H ldaps://{ldaps} -b {base} '(cn=carol*)' mail\n"
        )?;
    }
    let program = std::env::current_exe().map_or_else(|_| "chancery".into(), |path| shell(&path));
    let socket = shell(&dir.join("control.sock"));
    writeln!(out, "Bob's certificate is revoked: he is out at once and cannot come back:\n")?;
    writeln!(out, "  {program} --socket {socket} cert list --account bob")?;
    writeln!(out, "  {program} --socket {socket} cert revoke SERIAL\n")?;
    writeln!(out, "Ctrl-C ends it.")?;
    Ok(out.flush()?)
}

/// A path as a shell takes it.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn make_dir(path: &Path) -> Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make {}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}
