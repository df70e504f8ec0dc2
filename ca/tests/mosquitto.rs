//! An ordinary MQTT broker and ordinary MQTT clients use the authority's certificates.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use chancery_ca::{Flavor, Profile, Reason, Revoked, Serial, pkcs12};
use time::OffsetDateTime;

use crate::workshop::{Workshop, alice, key, public, server};

#[test]
fn mosquitto_lets_in_an_archive_of_ours_and_keeps_out_a_revoked_one() {
    let now = OffsetDateTime::now_utc();
    let workshop = Workshop::open_at(now);
    lay_out_server(&workshop, now);
    lay_out_client(&workshop, "alice", now);
    let revoked = lay_out_client(&workshop, "gone", now);
    let list = [Revoked { serial: revoked, at: now, reason: Reason::AffiliationChanged }];
    workshop.write(
        "list.der",
        workshop.authority.crl(&list, 1, now, now + Duration::from_secs(600)).expect("a CRL"),
    );
    workshop.openssl("crl -inform DER -in list.der -out list.pem");

    let broker = Broker::start(&workshop);
    let alice = broker.publish(&workshop, "alice");
    assert!(alice.status.success(), "{}", String::from_utf8_lossy(&alice.stderr));
    let gone = broker.publish(&workshop, "gone");
    assert!(!gone.status.success(), "a revoked client came in");
}

fn lay_out_server(workshop: &Workshop, now: OffsetDateTime) {
    let serving = key();
    let serial = Serial::random().expect("randomness");
    let issued = workshop.authority.issue(&public(&serving), &server(), Profile::Server, None, serial, now);
    workshop.write("server.pem", issued.expect("issued").pem + &workshop.authority.chain_pem());
    workshop.write("server.key", serving.to_pkcs8_pem().as_bytes());
}

/// The client's PEM files come out of its PKCS#12 archive, as a person would get them.
fn lay_out_client(workshop: &Workshop, name: &str, now: OffsetDateTime) -> Serial {
    let device = key();
    let serial = Serial::random().expect("randomness");
    let issued = workshop.authority.issue(&public(&device), &alice(), Profile::Client, None, serial, now);
    let chain = workshop.authority.chain_der();
    let der = issued.expect("issued").der;
    workshop.write(
        "a.p12",
        pkcs12(&der, &device, &chain, "correct-horse", name, Flavor::Modern).expect("packed"),
    );
    workshop.openssl(&format!("pkcs12 -in a.p12 -passin pass:correct-horse -nokeys -out {name}.pem"));
    workshop.openssl(&format!("pkcs12 -in a.p12 -passin pass:correct-horse -nodes -nocerts -out {name}.key"));
    serial
}

struct Broker {
    process: Child,
    port: u16,
}

impl Broker {
    fn start(workshop: &Workshop) -> Broker {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|door| door.local_addr()).expect("a port").port();
        let file = |name: &str| workshop.path(name).display().to_string();
        let config = format!(
            "user root\nlistener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\ncrlfile {}\n\
             require_certificate true\nallow_anonymous true\n",
            file("root.pem"),
            file("server.pem"),
            file("server.key"),
            file("list.pem"),
        );
        workshop.write("mosquitto.conf", config);
        let process = Command::new("mosquitto")
            .args(["-c", &file("mosquitto.conf")])
            .env("PATH", PATH)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        let broker = Broker { process, port };
        let limit = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < limit, "mosquitto did not come up");
            thread::sleep(Duration::from_millis(20));
        }
        broker
    }

    fn publish(&self, workshop: &Workshop, who: &str) -> Output {
        let file = |name: String| workshop.path(&name).display().to_string();
        Command::new("mosquitto_pub")
            .args(["-h", "localhost", "-p", &self.port.to_string(), "-q", "1", "-t", "t", "-m", "hello"])
            .args(["--cafile", &file("root.pem".to_owned())])
            .args(["--cert", &file(format!("{who}.pem")), "--key", &file(format!("{who}.key"))])
            .output()
            .expect("mosquitto_pub is installed")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian keeps the broker where ordinary accounts have no path to.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
