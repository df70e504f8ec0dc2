//! The guide: how the clients that people use are set up here, with the house's addresses and the person's names.

use chancery_admin_ui::self_service::{Guide, Settings};
use serde_json::json;

use crate::api::Facts;
use crate::console::enrol::file_stem;
use crate::console::page::command_line;
use crate::dialect::plain;
use crate::store::Account;

/// What a client is told, whichever it is.
struct Client<'a> {
    host: &'a str,
    port: String,
    account: &'a str,
    /// Key, certificate and chain in one file.
    pem: String,
    id: String,
    /// Where the person writes a first note, to be read on another device.
    own: String,
}

/// The guide for one account.
pub(super) fn of(facts: &Facts, account: &Account, rooms: &[String]) -> Guide {
    let file = file_stem(&account.name);
    let client = Client {
        host: facts.host().trim_matches(['[', ']']),
        port: facts.port("mqtts").unwrap_or(8883).to_string(),
        account: &account.name,
        pem: format!("{file}.pem"),
        id: format!("{file}-1"),
        own: plain::to_topic(&account.name),
    };
    Guide {
        addresses: addresses(facts, &account.name),
        topics: topics(rooms),
        clients: vec![
            client.mosquitto(),
            client.mqttx(),
            client.mqtt_explorer(),
            client.paho(),
            client.mqtt_js(facts),
        ],
    }
}

fn addresses(facts: &Facts, account: &str) -> Vec<(String, String)> {
    let host = facts.host();
    let at = |label: &str, door: &str, scheme: &str, path: &str| {
        Some((label.to_owned(), format!("{scheme}{host}:{}{path}", facts.port(door)?)))
    };
    let own = |label: &str, value: &str| Some((label.to_owned(), value.to_owned()));
    let all = [
        at("MQTT over TLS", "mqtts", "mqtts://", ""),
        at("Over WebSocket", "wss", "wss://", &facts.websocket_path),
        at("Over QUIC", "quic", "", ""),
        own("User name", account),
        own("Trusted root", ROOT),
    ];
    all.into_iter().flatten().collect()
}

fn topics(rooms: &[String]) -> Vec<(String, String)> {
    let fixed = [
        ("to/NAME", "publish: a message for somebody"),
        ("from/#", "subscribe: what others write to you"),
        ("receipt/#", "subscribe: what became of your messages"),
        ("presence/#", "subscribe: who is there"),
    ];
    let mut topics: Vec<_> =
        fixed.iter().map(|(topic, meaning)| (topic.to_string(), meaning.to_string())).collect();
    topics.extend(rooms.iter().map(|room| (plain::room_topic(room), "publish: to your room".to_owned())));
    if !rooms.is_empty() {
        topics.push(("room/#".into(), "subscribe: what is said in your rooms".into()));
    }
    topics
}

impl Client<'_> {
    fn mosquitto(&self) -> Settings {
        let line = |program: &str, words: &[&str]| {
            let tls = ["-V", "5", "-h", self.host, "-p", &self.port, "--cafile", ROOT];
            let own = ["--cert", &self.pem, "--key", &self.pem, "-q", "1"];
            command_line(program, &[&tls[..], &own, words].concat())
        };
        Settings {
            client: "mosquitto".into(),
            fields: Vec::new(),
            snippets: vec![
                line("mosquitto_sub", &["-i", &self.id, "-v", "-t", "from/#"]),
                line("mosquitto_pub", &["-t", &self.own, "-m", "note to self"]),
            ],
        }
    }

    fn mqttx(&self) -> Settings {
        self.form(
            "MQTTX",
            &[
                ("Client ID", &self.id),
                ("Host: protocol", "mqtts://"),
                ("Host", self.host),
                ("Port", &self.port),
                ("Username", self.account),
                ("SSL/TLS", "on"),
                ("SSL Secure", "on"),
                ("Certificate", "CA or Self signed certificates"),
                ("CA File", ROOT),
                ("Client Certificate File", &self.pem),
                ("Client key file", &self.pem),
                ("MQTT Version", "5.0"),
                ("New Subscription", "from/#"),
            ],
        )
    }

    fn mqtt_explorer(&self) -> Settings {
        self.form(
            "MQTT Explorer",
            &[
                ("Protocol", "mqtt://"),
                ("Host", self.host),
                ("Port", &self.port),
                ("Username", self.account),
                ("Encryption (tls)", "on"),
                ("Validate certificate", "on"),
                ("Advanced: MQTT Client ID", &self.id),
                ("Advanced: Subscriptions", "from/#"),
                ("Certificates: Server Certificate (CA)", ROOT),
                ("Certificates: Client Certificate", &self.pem),
                ("Certificates: Client Key", &self.pem),
            ],
        )
    }

    fn form(&self, client: &str, fields: &[(&str, &str)]) -> Settings {
        let fields = fields.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
        Settings { client: client.into(), fields: fields.collect(), snippets: Vec::new() }
    }

    /// Texts are written as JSON writes them, which both languages read.
    fn paho(&self) -> Settings {
        let (host, pem, id, account) =
            (json!(self.host), json!(self.pem), json!(self.id), json!(self.account));
        let program = format!(
            r#"import paho.mqtt.client as mqtt

def on_connect(client, userdata, flags, reason, properties):
    client.subscribe("from/#", qos=1)

def on_message(client, userdata, message):
    print(message.topic, message.payload.decode(), flush=True)

client = mqtt.Client(client_id={id}, protocol=mqtt.MQTTv5)
client.username_pw_set({account})
client.tls_set("{ROOT}", {pem}, {pem})
client.on_connect, client.on_message = on_connect, on_message
client.connect({host}, {port})
client.loop_forever()
"#,
            port = self.port
        );
        Settings { client: "Python: paho-mqtt".into(), fields: Vec::new(), snippets: vec![program] }
    }

    fn mqtt_js(&self, facts: &Facts) -> Settings {
        let url = json!(format!("mqtts://{}:{}", facts.host(), self.port));
        let (pem, id, account) = (json!(self.pem), json!(self.id), json!(self.account));
        let program = format!(
            r#"const fs = require("node:fs");
const mqtt = require("mqtt");

const pem = fs.readFileSync({pem});
const client = mqtt.connect({url}, {{
  protocolVersion: 5, clientId: {id}, username: {account},
  ca: fs.readFileSync("{ROOT}"), cert: pem, key: pem,
}});
client.on("connect", () => client.subscribe("from/#", {{ qos: 1 }}));
client.on("message", (topic, message) => console.log(topic, message.toString()));
"#
        );
        Settings { client: "JavaScript: MQTT.js on Node".into(), fields: Vec::new(), snippets: vec![program] }
    }
}

/// The file with the root certificate, as it is handed over.
const ROOT: &str = "root.pem";
