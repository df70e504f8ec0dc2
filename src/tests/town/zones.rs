//! A signed DNS of its own: a root, `test.` below it, and peers of every kind, on free loopback ports.
//!
//! BIND serves all zones; one unbound forwards without validating, as a plain resolver in an office does, and one
//! validates. Keys and signatures are made afresh at each start. Everything ends with the value.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The running hierarchy.
pub(crate) struct Zones {
    /// A resolver that does not validate, UDP and TCP.
    pub(crate) forwarder: SocketAddr,
    /// A resolver that validates.
    pub(crate) validator: SocketAddr,
    /// The keys of the root, as DNSKEY lines.
    pub(crate) anchors: String,
    /// The same keys as a `trust-anchors` file, for `delv -a`.
    pub(crate) anchor_file: PathBuf,
    // The servers die before their directory goes.
    _servers: [Server; 3],
    _dir: TempDir,
}

static RUNNING: Mutex<Weak<Zones>> = Mutex::new(Weak::new());

impl Zones {
    /// The hierarchy that the tests of this process share; it ends with the last of them.
    pub(crate) fn shared() -> Arc<Zones> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.upgrade().unwrap_or_else(|| {
            let zones = Arc::new(Zones::start());
            *running = Arc::downgrade(&zones);
            zones
        })
    }

    /// Signs the zones and starts the servers; another process may snatch a free port, so three tries.
    pub(crate) fn start() -> Zones {
        let mut trouble = String::new();
        for _ in 0..3 {
            match Zones::try_start() {
                Ok(zones) => return zones,
                Err(why) => trouble = why,
            }
        }
        panic!("the zones do not start: {trouble}")
    }

    fn try_start() -> Result<Zones, String> {
        let dir = tempfile::Builder::new().prefix("zones").tempdir().map_err(|e| e.to_string())?;
        let here = dir.path();
        let [authority, forwarder, validator] = free_ports();

        let anchors = sign_all(here)?;
        let key = anchors.split_whitespace().skip_while(|word| *word != "DNSKEY").skip(1).collect::<Vec<_>>();
        let [flags, protocol, algorithm, key @ ..] = key.as_slice() else { return Err("no root key".into()) };
        let anchor_file = here.join("delv.anchors");
        let line = format!(". static-key {flags} {protocol} {algorithm} \"{}\";", key.concat());
        write(&anchor_file, &format!("trust-anchors {{ {line} }};\n"));
        write(&here.join("root.key"), &anchors);

        let servers = [
            serve_named(here, authority)?,
            serve_unbound(here, "forwarder", forwarder, authority, false)?,
            serve_unbound(here, "validator", validator, authority, true)?,
        ];
        for address in [authority, forwarder, validator] {
            await_answer(address, here)?;
        }
        Ok(Zones { forwarder, validator, anchors, anchor_file, _servers: servers, _dir: dir })
    }
}

/// A zone below `test.`, and how it is spoiled.
struct Plan {
    zone: &'static str,
    how: How,
    records: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Signed,
    Nsec3,
    /// NSEC3 with opt-out.
    OptOut,
    Unsigned,
    /// Data changed after signing.
    Broken,
    /// Signatures ended an hour ago.
    Expired,
    /// Signatures begin in a day.
    Future,
    /// Signatures end in an hour.
    Brief,
    /// The parent names a key that the zone does not have.
    Stray,
    /// The parent names a key, and the zone is served without signatures.
    Stripped,
}

const PEER_RECORDS: &str = "\
_syn-fed._tcp SRV 10 5 8885 mq
mq A 127.0.0.1
mq AAAA ::1
_8885._tcp.mq TLSA 3 1 1 aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11
_8883._tcp.mq TLSA 2 1 1 bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22
_syn-fed TLSA 2 1 1 cc33cc33cc33cc33cc33cc33cc33cc33cc33cc33cc33cc33cc33cc33cc33cc33
host A 192.0.2.66
host TXT \"hello\"
";

const PLANS: &[Plan] = &[
    Plan {
        zone: "peer-a.test",
        how: How::Signed,
        records: "\
alias CNAME mq
alias2 CNAME alias
out CNAME host.peer-b.test.
void CNAME nothing
broken CNAME host.bogus.test.
loop CNAME pool
pool CNAME loop
c1 CNAME c2
c2 CNAME c3
c3 CNAME c4
c4 CNAME c5
c5 CNAME c6
c6 CNAME c7
c7 CNAME c8
c8 CNAME c9
c9 CNAME host
_other._tcp CNAME _syn-fed._tcp
_none._tcp SRV 0 0 0 .
*.wild A 192.0.2.10
*.svc TLSA 3 1 1 dd44dd44dd44dd44dd44dd44dd44dd44dd44dd44dd44dd44dd44dd44dd44dd44
exact.svc TLSA 3 1 1 ee55ee55ee55ee55ee55ee55ee55ee55ee55ee55ee55ee55ee55ee55ee55ee55
",
    },
    Plan { zone: "peer-b.test", how: How::Unsigned, records: "in CNAME mq.peer-a.test.\n" },
    Plan { zone: "peer-c.test", how: How::Nsec3, records: "*.wild A 192.0.2.10\n" },
    Plan { zone: "optout.test", how: How::OptOut, records: "" },
    Plan { zone: "bogus.test", how: How::Broken, records: "" },
    Plan { zone: "expired.test", how: How::Expired, records: "" },
    Plan { zone: "future.test", how: How::Future, records: "" },
    Plan { zone: "brief.test", how: How::Brief, records: "" },
    Plan { zone: "stray.test", how: How::Stray, records: "" },
    Plan { zone: "stripped.test", how: How::Stripped, records: "" },
];

/// Writes and signs every zone, children first, and returns the key of the root.
fn sign_all(here: &Path) -> Result<String, String> {
    let mut test = zone_text("test", "");
    for plan in PLANS {
        test += &format!("{}. NS ns.{}.\n", plan.zone, plan.zone);
        let plain = zone_text(plan.zone, &format!("{PEER_RECORDS}{}", plan.records));
        let delegation = sign(here, plan.zone, plan.how, &plain)?;
        if plan.how != How::Unsigned {
            test += &delegation;
        }
    }
    let mut root = zone_text(".", "test. NS ns.test.\n");
    root += &sign(here, "test", How::Signed, &test)?;
    sign(here, ".", How::Signed, &root)?;
    let key = fs::read_to_string(key_file(here, ".")?).map_err(|e| e.to_string())?;
    Ok(key
        .lines()
        .filter(|line| line.contains("DNSKEY") && !line.starts_with(';'))
        .fold(String::new(), |lines, line| lines + line + "\n"))
}

/// Writes the zone in the state `how` says and returns the DS line for its parent.
fn sign(here: &Path, zone: &str, how: How, plain: &str) -> Result<String, String> {
    let file = here.join(file_name(zone));
    write(&file, plain);
    if how == How::Unsigned {
        return Ok(String::new());
    }
    let key = make_key(here, zone)?;
    if how != How::Stripped {
        let mut signer = Command::new("dnssec-signzone");
        signer.args(["-q", "-z", "-P", "-K", path(here), "-d", path(here), "-o", zone]);
        signer.args(match how {
            How::Nsec3 => &["-3", "-", "-H", "0"][..],
            How::OptOut => &["-3", "-", "-H", "0", "-A"],
            How::Expired => &["-s", "now-864000", "-e", "now-3600"],
            How::Future => &["-s", "now+86400", "-e", "now+864000"],
            How::Brief => &["-s", "now-3600", "-e", "now+3600"],
            _ => &[],
        });
        run(signer.args(["-S", "-f", path(&file), path(&file)]))?;
    }
    if how == How::Broken {
        let signed = fs::read_to_string(&file).map_err(|e| e.to_string())?;
        write(
            &file,
            &signed
                .replace("192.0.2.66", "192.0.2.67")
                .replace("8885 mq", "8886 mq")
                .replace("hello", "hullo"),
        );
    }
    if how == How::Stray {
        let elsewhere = here.join("stray");
        fs::create_dir(&elsewhere).map_err(|e| e.to_string())?;
        return delegation(&make_key(&elsewhere, zone)?);
    }
    delegation(&key)
}

/// One key for everything (CSK): a zone is signed in one call and its parent names one key.
fn make_key(into: &Path, zone: &str) -> Result<PathBuf, String> {
    run(Command::new("dnssec-keygen").args([
        "-q",
        "-a",
        "ECDSAP256SHA256",
        "-f",
        "KSK",
        "-K",
        path(into),
        zone,
    ]))?;
    key_file(into, zone)
}

fn delegation(key: &Path) -> Result<String, String> {
    run(Command::new("dnssec-dsfromkey").args(["-2", path(key)]))
}

fn zone_text(zone: &str, records: &str) -> String {
    let origin = if zone == "." { ".".to_owned() } else { format!("{zone}.") };
    format!(
        "$ORIGIN {origin}\n$TTL 300\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n{records}"
    )
}

fn file_name(zone: &str) -> String {
    format!("{}.zone", if zone == "." { "root" } else { zone })
}

fn key_file(here: &Path, zone: &str) -> Result<PathBuf, String> {
    let start = if zone == "." { "K.+".to_owned() } else { format!("K{zone}.+") };
    let found = fs::read_dir(here).map_err(|e| e.to_string())?.filter_map(Result::ok).find(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with(&start) && name.ends_with(".key")
    });
    found.map(|entry| entry.path()).ok_or_else(|| format!("no key for {zone}"))
}

fn serve_named(here: &Path, at: SocketAddr) -> Result<Server, String> {
    let mut config = format!(
        "options {{ directory \"{}\"; pid-file none; session-keyfile none; recursion no; notify no;\n\
         dnssec-validation no; allow-transfer {{ none; }}; listen-on-v6 {{ none; }};\n\
         listen-on port {} {{ 127.0.0.1; }}; }};\ncontrols {{ }};\n",
        path(here),
        at.port(),
    );
    for zone in all_zones() {
        config += &format!("zone \"{zone}\" {{ type primary; file \"{}\"; }};\n", file_name(zone));
    }
    let file = here.join("named.conf");
    write(&file, &config);
    Server::start(here, "named", Command::new("named").args(["-g", "-n", "1", "-c", path(&file)]))
}

fn serve_unbound(
    here: &Path,
    role: &str,
    at: SocketAddr,
    authority: SocketAddr,
    validates: bool,
) -> Result<Server, String> {
    let modules = if validates { "validator iterator" } else { "iterator" };
    let anchor = if validates {
        // Without tolerance for clocks: unbound would take signatures up to a day past their end.
        format!(
            "trust-anchor-file: \"{}/root.key\"\n  val-sig-skew-min: 0\n  val-sig-skew-max: 0",
            path(here)
        )
    } else {
        String::new()
    };
    let mut config = format!(
        "server:\n  interface: 127.0.0.1@{}\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  directory: \"{}\"\n  \
         use-syslog: no\n  verbosity: 1\n  num-threads: 1\n  do-ip6: no\n  access-control: 127.0.0.0/8 allow\n  \
         do-not-query-localhost: no\n  local-zone: \"test.\" nodefault\n  module-config: \"{modules}\"\n  {anchor}\n\
         remote-control:\n  control-enable: no\n",
        at.port(),
        path(here),
    );
    // Name servers on free ports cannot be found through NS records, so each zone says where it is served.
    for zone in all_zones() {
        config += &format!(
            "stub-zone:\n  name: \"{zone}\"\n  stub-addr: {}@{}\n",
            authority.ip(),
            authority.port()
        );
    }
    let file = here.join(format!("{role}.conf"));
    write(&file, &config);
    Server::start(here, role, Command::new("unbound").args(["-d", "-p", "-c", path(&file)]))
}

fn all_zones() -> impl Iterator<Item = &'static str> {
    [".", "test"].into_iter().chain(PLANS.iter().map(|plan| plan.zone))
}

/// A server that is killed with the value.
struct Server(Child);

impl Server {
    fn start(here: &Path, name: &str, command: &mut Command) -> Result<Server, String> {
        let log = fs::File::create(here.join(format!("{name}.log"))).map_err(|e| e.to_string())?;
        let err = log.try_clone().map_err(|e| e.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(err).spawn();
        child.map(Server).map_err(|e| format!("{name}: {e}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the server answers for the root, at most ten seconds.
fn await_answer(address: SocketAddr, here: &Path) -> Result<(), String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    socket.set_read_timeout(Some(Duration::from_millis(200))).map_err(|e| e.to_string())?;
    let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01";
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        let mut reply = [0; 1500];
        let heard = socket.send_to(question, address).and_then(|_| socket.recv(&mut reply));
        if heard.is_ok_and(|length| length > 12) && reply[3] & 15 == 0 {
            return Ok(());
        }
        sleep(Duration::from_millis(20));
    }
    let logs = ["named.log", "forwarder.log", "validator.log"];
    let logs: Vec<_> = logs.iter().filter_map(|log| fs::read_to_string(here.join(log)).ok()).collect();
    Err(format!("{address} does not answer\n{}", logs.join("\n")))
}

/// Ports that are free for both UDP and TCP at this moment.
fn free_ports() -> [SocketAddr; 3] {
    let mut held = Vec::new();
    while held.len() < 3 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let address = tcp.local_addr().expect("its address");
        if let Ok(udp) = UdpSocket::bind(address) {
            held.push((address, tcp, udp));
        }
    }
    [held[0].0, held[1].0, held[2].0]
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).expect("the directory is writable");
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}
