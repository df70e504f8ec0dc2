//! Kills while certificates are issued: no serial is unaccounted for, and none is used twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs7::Pkcs7;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509NameBuilder, X509Req};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

use crate::town::Town;
use crate::town::client::{PATIENCE, tls_config};
use crate::town::web::try_exchange;

/// Of the ordinary run; `KILLS=200` has more of them.
const KILLS: u32 = 20;
const CLIENTS: usize = 8;

/// What the clients, each with an account of its own, were given by all the daemons together.
#[derive(Default)]
struct Office {
    /// Where to enrol at the moment.
    door: Mutex<Option<SocketAddr>>,
    over: AtomicBool,
    given: Mutex<Vec<X509>>,
}

/// A device that enrols again and again, each time with a new token for a new key.
struct Device {
    name: String,
    control: PathBuf,
    config: Arc<ClientConfig>,
    group: EcGroup,
}

#[test]
fn whatever_was_given_before_a_kill_is_in_ledger_and_audit_once() {
    let kills = std::env::var("KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let began = Instant::now();
    let mut town = Town::plan().with("log", "level = \"warn\"").start();
    let office = Arc::new(Office::default());
    let devices: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let device = Device::new(&town, number);
            let office = office.clone();
            thread::spawn(move || device.live(&office))
        })
        .collect();
    let (mut checked, mut serials) = (0, BTreeSet::new());
    for _ in 0..kills {
        *office.door.lock().expect("no panic") = Some(town.door("https"));
        thread::sleep(Duration::from_micros(100_000 + u64::from(crate::durability::random()) % 300_000));
        *office.door.lock().expect("no panic") = None;
        town.kill9();
        town.open();
        let given = office.given.lock().expect("no panic").clone();
        for certificate in &given[checked..] {
            serials.insert(check(&town, certificate));
        }
        checked = given.len();
        assert_eq!(serials.len(), checked, "a serial was given twice");
    }
    office.over.store(true, Ordering::Relaxed);
    devices.into_iter().for_each(|device| device.join().expect("the device is well"));
    let ledger = ledger(&town);
    let given: Vec<_> = serials.iter().filter(|serial| !ledger.contains_key(*serial)).collect();
    assert!(given.is_empty(), "given and not in the ledger: {given:?}");
    let (intended, issued) = audited(&town);
    let known: BTreeSet<String> = ledger.keys().cloned().collect();
    assert_eq!(intended, known, "ledger and audit hold the same serials");
    let active: BTreeSet<String> =
        ledger.iter().filter(|(_, state)| *state == "active").map(|(serial, _)| serial.clone()).collect();
    assert_eq!(issued, active, "what is active was signed, and nothing else");
    eprintln!(
        "{kills} kills, {} serials, {} certificates given, {} only intended, in {:.1?}",
        ledger.len(),
        serials.len(),
        ledger.values().filter(|state| *state == "intended").count(),
        began.elapsed(),
    );
    assert!(checked > kills as usize, "there was something to be lost");
}

/// The serial of a certificate that the ledger has, active and byte by byte.
fn check(town: &Town, certificate: &X509) -> String {
    let serial = certificate.serial_number().to_bn().and_then(|number| number.to_hex_str());
    let serial = serial.expect("a serial").to_string();
    let line = control(&town.path("control.sock"), "GET", &format!("certificates/{serial}")).expect("a line");
    assert_eq!(line["state"], "active", "{serial}");
    let kept = X509::from_pem(line["certificate"].as_str().expect("PEM").as_bytes()).expect("a certificate");
    assert_eq!(kept.to_der().expect("DER"), certificate.to_der().expect("DER"), "{serial}");
    serial
}

/// Serials and states of what the devices' accounts have.
fn ledger(town: &Town) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for number in 0..CLIENTS {
        let list = town.ask(&format!("cert list --account device-{number}"));
        let list = list.as_array().expect("a list");
        assert!(list.len() < 10_000, "a list that may be cut");
        for line in list {
            let field = |name: &str| line[name].as_str().expect("a text").to_owned();
            assert_eq!(all.insert(field("serial"), field("state")), None, "a serial is in the ledger twice");
        }
    }
    all
}

/// The serials that the audit holds for the devices: those that were intended, and those that were signed.
fn audited(town: &Town) -> (BTreeSet<String>, BTreeSet<String>) {
    assert_eq!(town.ask("audit verify")["intact"], true);
    let (mut intended, mut issued) = (BTreeSet::new(), BTreeSet::new());
    let mut before = i64::MAX;
    loop {
        let path = format!("audit?before={before}&limit=1000");
        let page = control(&town.path("control.sock"), "GET", &path).expect("a page");
        let page = page.as_array().expect("a page").clone();
        let Some(last) = page.last() else { return (intended, issued) };
        before = last["seq"].as_i64().expect("a number");
        for entry in &page {
            let of_device = entry["subject"].as_str().is_some_and(|subject| subject.starts_with("device-"));
            let details: Value =
                serde_json::from_str(entry["details"].as_str().expect("a text")).expect("JSON");
            let Some(serial) = details["serial"].as_str().filter(|_| of_device) else { continue };
            let kept = match entry["deed"].as_str() {
                Some("certificate.enroll") => &mut intended,
                Some("certificate.issue") => &mut issued,
                _ => continue,
            };
            assert!(kept.insert(serial.to_owned()), "{serial} is in the audit twice");
        }
    }
}

impl Device {
    fn new(town: &Town, number: usize) -> Self {
        let name = format!("device-{number}");
        town.ask(&format!("account add {name}"));
        let config = tls_config(&town.root(), None, &["http/1.1"]);
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
        Self { name, control: town.path("control.sock"), config, group }
    }

    fn live(&self, office: &Office) {
        while !office.over.load(Ordering::Relaxed) {
            let door = *office.door.lock().expect("no panic");
            let enrolled = door.and_then(|door| self.enroll(door));
            match enrolled {
                Some(certificate) => office.given.lock().expect("no panic").push(certificate),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Nothing, where the daemon dies meanwhile.
    fn enroll(&self, door: SocketAddr) -> Option<X509> {
        let token = control(&self.control, "POST", &format!("accounts/{}/tokens", self.name))?;
        let (id, secret) = (token["id"].as_str()?, token["token"].as_str()?);
        let credentials = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let body = STANDARD.encode(self.request());
        let socket = TcpStream::connect_timeout(&door, PATIENCE).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        let name = ServerName::try_from("localhost").expect("a host name");
        let connection = ClientConnection::new(self.config.clone(), name).expect("a TLS client");
        let mut stream = StreamOwned::new(connection, socket);
        let headers = [("Content-Type", "application/pkcs10"), ("Authorization", credentials.as_str())];
        let said = said(&mut stream, "POST", "/.well-known/est/simpleenroll", &headers, body.as_bytes())?;
        let der = STANDARD.decode(said).expect("base64");
        let message = Pkcs7::from_der(&der).expect("PKCS#7");
        let certificates = message.signed().and_then(|signed| signed.certificates()).expect("certificates");
        certificates.get(0).map(ToOwned::to_owned)
    }

    fn request(&self) -> Vec<u8> {
        let key = EcKey::generate(&self.group).and_then(PKey::from_ec_key).expect("a key");
        let mut subject = X509NameBuilder::new().expect("memory");
        subject.append_entry_by_nid(Nid::COMMONNAME, &self.name).expect("a name");
        let mut request = X509Req::builder().expect("memory");
        request.set_subject_name(&subject.build()).expect("a name");
        request.set_pubkey(&key).expect("a key");
        request.sign(&key, MessageDigest::sha256()).expect("a signature");
        request.build().to_der().expect("DER")
    }
}

/// An order over the control socket; nothing, where nobody answers.
fn control(socket: &Path, method: &str, path: &str) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let said = said(&mut stream, method, &format!("/api/v1/{path}"), &[], b"")?;
    Some(serde_json::from_str(&said).expect("JSON"))
}

/// The body of an answer, which is a success; nothing, where the other side dies before its end.
fn said(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<String> {
    let answer = try_exchange(stream, method, "localhost", path, headers, body)?;
    if answer.header("content-length") != answer.body.len().to_string() {
        return None;
    }
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
    Some(answer.body)
}
