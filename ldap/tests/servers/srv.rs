//! Servers that DNS names: a real BIND says which, and real OpenLDAP servers are there or not.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use chancery_ldap::{Connector, Error, Settings};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::neighbour::free_port;
use crate::slapd::{Options, Slapd};

#[tokio::test]
async fn servers_that_dns_names_are_found_and_followed() {
    let [first, second] = [(); 2].map(|()| Slapd::start(Options::default()));
    let [dead, one, two] = [free_port(), port(&first), port(&second)];
    let mut dns = Dns::start(&[
        format!("0 0 {one} ldap.elsewhere.example."),
        format!("20 0 {one} localhost."),
        format!("10 0 {dead} LOCALHOST."),
    ]);
    let connector = connector(&first, dns.address);

    let health = connector.check().await.unwrap();
    assert_eq!((health.server, health.security), (url(one), "not encrypted"));
    assert!(matches!(&health.tried[..], [Error::Unreachable { server, .. }] if *server == url(dead)));
    let each = connector.check_each().await;
    let well: Vec<_> = each.iter().map(|(server, checked)| (server.clone(), checked.is_ok())).collect();
    assert_eq!(well, [(url(dead), false), (url(one), true)]);

    dns.stop();
    later().await;
    assert_eq!(connector.check().await.unwrap().server, url(one), "the last answer goes on");

    dns.serve(&[format!("0 0 {two} localhost.")]);
    later().await;
    assert_eq!(connector.check().await.unwrap().server, url(two));
}

#[tokio::test]
async fn whoever_finds_no_server_reads_what_dns_was_asked_for() {
    let slapd = Slapd::start(Options::default());
    let mut dns = Dns::start(&["0 0 0 .".to_owned()]);
    let connector = connector(&slapd, dns.address);
    let error = connector.check().await.unwrap_err();
    assert!(matches!(&error, Error::Unnamed { why, .. } if why.contains("no such service")), "{error}");
    let words = error.to_string();
    assert!(words.starts_with("dns:localhost ") && words.contains("_ldap._tcp.localhost."), "{words}");

    dns.stop();
    later().await;
    let each = connector.check_each().await;
    let [(server, Err(Error::Unnamed { why, .. }))] = &each[..] else { panic!("{each:?}") };
    assert!(server == "dns:localhost" && why.contains("does not answer"), "{why}");
}

fn connector(slapd: &Slapd, dns: SocketAddr) -> Connector {
    let settings = Settings {
        servers: vec!["dns:localhost".to_owned()],
        name_servers: vec![dns],
        starttls: false,
        allow_plain: true,
        bind_dn: slapd.service_dn.clone(),
        base: slapd.base.to_owned(),
        connect_timeout: Duration::from_secs(2),
        ..Settings::default()
    };
    Connector::new(settings, Zeroizing::new(slapd.service_password.to_owned())).expect("good settings")
}

fn port(slapd: &Slapd) -> u16 {
    slapd.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

fn url(port: u16) -> String {
    format!("ldap://localhost:{port}")
}

/// Lets the shortest time pass for which an answer holds.
async fn later() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
}

/// A name server for `localhost`, the one name that leads to this machine everywhere. Killed when dropped.
struct Dns {
    address: SocketAddr,
    process: Option<Child>,
    dir: TempDir,
}

impl Dns {
    fn start(servers: &[String]) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut dns = Self { address, process: None, dir: tempfile::tempdir().expect("a temporary folder") };
        dns.serve(servers);
        dns
    }

    /// Starts with these SRV records, that hold for a second.
    fn serve(&mut self, servers: &[String]) {
        self.stop();
        let (dir, port) = (self.dir.path(), self.address.port());
        let records: String = servers.iter().map(|server| format!("_ldap._tcp SRV {server}\n")).collect();
        let zone =
            format!("$ORIGIN localhost.\n$TTL 1\n@ SOA @ @ 1 1 1 1 1\n@ NS @\n@ A 127.0.0.1\n{records}");
        fs::write(dir.join("zone"), zone).expect("the zone");
        let configuration = format!(
            "options {{ directory \"{}\"; pid-file none; session-keyfile none; recursion no; notify no;\n\
             listen-on-v6 {{ none; }}; listen-on port {port} {{ 127.0.0.1; }}; }};\ncontrols {{ }};\n\
             zone \"localhost\" {{ type primary; file \"zone\"; }};\n",
            dir.display()
        );
        fs::write(dir.join("named.conf"), configuration).expect("named.conf");
        let process = Command::new("named")
            .args(["-g", "-n", "1", "-c"])
            .arg(dir.join("named.conf"))
            .stdin(Stdio::null())
            .stderr(File::create(dir.join("log")).expect("a log file"))
            .spawn();
        self.process = Some(process.unwrap_or_else(|error| panic!("named (package bind9): {error}")));
        let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
        for _ in 0..1000 {
            if log().contains(" running\n") {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("named does not start:\n{}", log());
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stop();
    }
}
