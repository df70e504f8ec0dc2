//! The clients that people bring: each says back what Alice says to it, in both versions of MQTT.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::town::browser::Browser;
use crate::town::client::Client;
use crate::town::tools::tell;
use crate::town::{Person, Town, mosquitto, text};

const PASSWORD: &str = "a long enough password";

/// Alice, and an account for the client in question.
fn arrange() -> (Town, Client) {
    let town = Town::start();
    let alice = town.person("alice");
    town.account("carol", PASSWORD);
    let alice = town.as_person(&alice).connect().listen("from/#");
    (town, alice)
}

/// Carol's client says back what it hears.
fn says_back(town: &Town, alice: &mut Client, client_id: &str) {
    town.await_listener(client_id);
    alice.say("to/carol", client_id);
    alice.hears("from/carol", &format!("heard {client_id}"));
}

// --- paho (Python) --------------------------------------------------------------------------------------------------

/// A client of paho that says back what it hears. Killed when dropped.
struct Paho(Child);

impl Paho {
    /// `words`: transport, port, version, client id; then for TLS the root certificate, and for a certificate its files.
    fn start(words: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/doors/carol.py");
        // The system's own, for which the package is installed.
        let mut command = Command::new("/usr/bin/python3");
        let child = command.arg(script).args(words).stdin(Stdio::null()).spawn().expect("python3");
        Self(child)
    }
}

impl Drop for Paho {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn paho_speaks_through_tcp_and_websocket_with_and_without_tls() {
    let (town, mut alice) = arrange();
    let root = town.root();
    for version in ["3", "5"] {
        for (door, transport, root) in [
            ("mqtt", "tcp", None),
            ("mqtts", "tcp", Some(text(&root))),
            ("ws", "websockets", None),
            ("wss", "websockets", Some(text(&root))),
        ] {
            let (port, id) = (town.door(door).port().to_string(), format!("paho-{door}-{version}"));
            let words = [transport, &port, version, &id, PASSWORD];
            let _paho = Paho::start(&[&words[..], root.as_slice()].concat());
            says_back(&town, &mut alice, &id);
        }
    }
}

#[test]
fn paho_shows_its_certificate_through_a_websocket() {
    let town = Town::start();
    let [alice, carol] = town.people(["alice", "carol"]);
    let mut alice = town.as_person(&alice).connect().listen("from/#");
    let (root, port) = (town.root(), town.door("wss").port().to_string());
    let (cert, key) = (carol.file("cert.pem"), carol.file("key.pem"));
    let _paho = Paho::start(&["websockets", &port, "5", "paho", "", text(&root), &cert, &key]);
    says_back(&town, &mut alice, "paho");
}

// --- mosquitto ------------------------------------------------------------------------------------------------------

#[test]
fn mosquitto_clients_speak_over_tls_in_both_versions() {
    let town = Town::start();
    let [alice, bob] = town.people(["alice", "bob"]);
    let listener = mosquitto::listen(&town, &bob, "bob-1", "from/#");
    for version in ["311", "5"] {
        let told = publish(&town, &alice, version);
        assert_eq!(told, 0, "{version}");
        assert_eq!(listener.line(), format!("from/alice in {version}"));
    }
}

fn publish(town: &Town, person: &Person, version: &str) -> i32 {
    let (root, port) = (town.root(), town.door("mqtts").port().to_string());
    let (cert, key, message) = (person.file("cert.pem"), person.file("key.pem"), format!("in {version}"));
    let tls = ["-h", "localhost", "-p", &port, "--cafile", text(&root), "--cert", &cert, "--key", &key];
    let words = ["-V", version, "-q", "1", "-t", "to/bob", "-m", &message];
    tell("mosquitto_pub", &[&tls[..], &words].concat()).code
}

// --- rumqttc --------------------------------------------------------------------------------------------------------

#[test]
fn rumqttc_speaks_3_1_1() {
    use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
    let (town, mut alice) = arrange();
    let mut options = MqttOptions::new("rumqttc-3", "127.0.0.1", town.door("mqtt").port());
    options.set_credentials("carol", PASSWORD).set_keep_alive(Duration::from_secs(30));
    let (client, mut connection) = Client::new(options, 10);
    client.subscribe("from/#", QoS::AtLeastOnce).expect("there is room");
    // Ends with the test's process at the latest: the client gives its connection up when the town is gone.
    thread::spawn(move || {
        for event in connection.iter().map_while(Result::ok) {
            if let Event::Incoming(Packet::Publish(heard)) = event {
                let back = [b"heard ", &heard.payload[..]].concat();
                client.publish("to/alice", QoS::AtLeastOnce, false, back).expect("there is room");
            }
        }
    });
    says_back(&town, &mut alice, "rumqttc-3");
}

#[test]
fn rumqttc_speaks_5() {
    use rumqttc::v5::mqttbytes::{QoS, v5::Packet};
    use rumqttc::v5::{Client, Event, MqttOptions};
    let (town, mut alice) = arrange();
    let mut options = MqttOptions::new("rumqttc-5", "127.0.0.1", town.door("mqtt").port());
    options.set_credentials("carol", PASSWORD).set_keep_alive(Duration::from_secs(30));
    let (client, mut connection) = Client::new(options, 10);
    client.subscribe("from/#", QoS::AtLeastOnce).expect("there is room");
    thread::spawn(move || {
        for event in connection.iter().map_while(Result::ok) {
            if let Event::Incoming(Packet::Publish(heard)) = event {
                let back = [b"heard ", &heard.payload[..]].concat();
                client.publish("to/alice", QoS::AtLeastOnce, false, back).expect("there is room");
            }
        }
    });
    says_back(&town, &mut alice, "rumqttc-5");
}

// --- MQTT.js in a browser -------------------------------------------------------------------------------------------

#[test]
fn mqtt_js_speaks_over_wss_in_a_browser() {
    let (town, mut alice) = arrange();
    // The file is fetched once, and checked against its digest each time.
    let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/fetch-mqtt-js");
    let library = tell("sh", &[fetch, env!("CARGO_TARGET_TMPDIR")]).well();
    let page = include_str!("page.html")
        .replace("@LIBRARY@", library.trim())
        .replace("@URL@", &format!("wss://127.0.0.1:{}/mqtt", town.door("wss").port()))
        .replace("@PASSWORD@", PASSWORD);
    let browser = Browser::start(&town.path("downloads"));
    for version in ["4", "5"] {
        let (file, id) = (town.path("page.html"), format!("browser-{version}"));
        std::fs::write(&file, page.replace("@VERSION@", version).replace("@ID@", &id))
            .expect("our own folder");
        browser.open(&format!("file://{}", text(&file)));
        browser.shows("#state", "listening");
        says_back(&town, &mut alice, &id);
        browser.shows("#heard", &format!("from/alice {id}"));
    }
}
