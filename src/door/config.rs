//! `[door]`: which doors open where, and what each asks of those who come.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::websocket::Origin;
use super::{is_loopback, ldaps};
use crate::directory::served::Extent;
use crate::time::Span;

/// Each table is one door; a door that is not listed does not open.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) mqtts: Option<Secure>,
    pub(crate) mqtt: Option<Plain>,
    pub(crate) wss: Option<SecureWeb>,
    pub(crate) ws: Option<PlainWeb>,
    pub(crate) quic: Option<Listen>,
    pub(crate) https: Option<Listen>,
    pub(crate) http: Option<Listen>,
    pub(crate) ldaps: Option<PeopleConfig>,
    #[serde(default)]
    pub(crate) limits: LimitsConfig,
}

/// A door with addresses and nothing else.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    pub(crate) listen: Vec<SocketAddr>,
}

/// `[door.mqtts]`: MQTT over TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secure {
    pub(crate) listen: Vec<SocketAddr>,
    /// A proxy in front says who comes (PROXY protocol v2).
    #[serde(default)]
    pub(crate) proxy_protocol: bool,
}

/// `[door.mqtt]`: plain TCP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    pub(crate) listen: Vec<SocketAddr>,
    #[serde(default)]
    pub(crate) proxy_protocol: bool,
    /// Opens the door to other machines although passwords would cross the network readable.
    #[serde(default)]
    pub(crate) allow_plain: bool,
    /// A client without credentials is the principal `guest`; loopback only.
    #[serde(default)]
    pub(crate) allow_anonymous: bool,
}

/// `[door.wss]`: MQTT over WebSocket over TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecureWeb {
    pub(crate) listen: Vec<SocketAddr>,
    #[serde(default = "default_path")]
    pub(crate) path: String,
    /// Browsers of the Chromium family are asked for a client certificate too, although they give up at it.
    #[serde(default)]
    pub(crate) ask_browsers: bool,
    /// Pages of others that may use the certificate of whoever looks at them.
    #[serde(default)]
    pub(crate) origins: Vec<Origin>,
    #[serde(default)]
    pub(crate) proxy_protocol: bool,
}

/// `[door.ws]`: MQTT over plain WebSocket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlainWeb {
    pub(crate) listen: Vec<SocketAddr>,
    #[serde(default = "default_path")]
    pub(crate) path: String,
    /// Pages of others that may be guests.
    #[serde(default)]
    pub(crate) origins: Vec<Origin>,
    #[serde(default)]
    pub(crate) proxy_protocol: bool,
    #[serde(default)]
    pub(crate) allow_plain: bool,
    #[serde(default)]
    pub(crate) allow_anonymous: bool,
}

/// `[door.ldaps]`: people for mail clients.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeopleConfig {
    pub(crate) listen: Vec<SocketAddr>,
    /// What of each person is served, where it is known.
    #[serde(default = "default_attributes")]
    pub(crate) attributes: Vec<String>,
    /// The name above all people; that of the domain where none is given.
    #[serde(default)]
    pub(crate) suffix: Option<String>,
    /// Whoever asks nothing for so long is disconnected.
    #[serde(default = "default_idle")]
    pub(crate) idle: Span,
    #[serde(default)]
    pub(crate) proxy_protocol: bool,
}

/// `[door.limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsConfig {
    /// Bytes of the largest MQTT packet.
    pub(crate) packet: usize,
    /// Messages in flight with QoS 1 and 2, in each direction.
    pub(crate) receive_maximum: u16,
    /// Topic aliases of one client, in each direction.
    pub(crate) topic_aliases: u16,
    /// The longest keep-alive of a client.
    pub(crate) keep_alive: Span,
    /// Connections at each door of MQTT and of LDAP.
    pub(crate) connections: usize,
    /// Handshakes that each door has under way at a time.
    pub(crate) handshakes: usize,
    /// Connections of one account.
    pub(crate) connections_per_account: usize,
    /// Connections from one address; of IPv6, from one network of 64 bits.
    pub(crate) connections_per_address: usize,
    /// CONNECTs a second from one address.
    pub(crate) connects_per_second: u64,
    /// Handshakes of TLS, WebSocket or QUIC a second from one address.
    pub(crate) handshakes_per_second: u64,
    /// Messages a second that one account may publish.
    pub(crate) publish_messages_per_second: u64,
    /// Bytes a second that one account may publish.
    pub(crate) publish_bytes_per_second: u64,
    /// How long a client may take for its handshake, and from there to CONNECT.
    pub(crate) connect_timeout: Span,
}

/// A door for MQTT over TCP, whatever lies between the two; or for LDAP.
pub(crate) struct Entrance<'a> {
    pub(crate) name: &'static str,
    pub(crate) listen: &'a [SocketAddr],
    pub(crate) tls: bool,
    /// Browsers are asked for no certificate.
    pub(crate) spares_browsers: bool,
    /// The path of its WebSocket, and whose pages may come with credentials that a browser gives by itself.
    pub(crate) web: Option<(&'a str, &'a [Origin])>,
    pub(crate) proxied: bool,
    pub(crate) anonymous: bool,
    /// LDAP is spoken there.
    pub(crate) serves_people: bool,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            packet: 1 << 20,
            receive_maximum: 1024,
            topic_aliases: 32,
            keep_alive: Span(Duration::from_secs(60)),
            connections: 50_000,
            handshakes: 1024,
            connections_per_account: 20_000,
            connections_per_address: 20_000,
            connects_per_second: 100_000,
            handshakes_per_second: 10_000,
            publish_messages_per_second: 5_000_000,
            publish_bytes_per_second: 2 << 30,
            connect_timeout: Span(Duration::from_secs(10)),
        }
    }
}

impl Config {
    /// The doors for MQTT over TCP that are listed, and the one for LDAP.
    pub(crate) fn entrances(&self) -> impl Iterator<Item = Entrance<'_>> {
        let mqtt = self.mqtt.as_ref().map(|door| Entrance {
            name: "mqtt",
            listen: &door.listen,
            tls: false,
            spares_browsers: false,
            web: None,
            proxied: door.proxy_protocol,
            anonymous: door.allow_anonymous,
            serves_people: false,
        });
        let mqtts = self.mqtts.as_ref().map(|door| Entrance {
            name: "mqtts",
            listen: &door.listen,
            tls: true,
            spares_browsers: false,
            web: None,
            proxied: door.proxy_protocol,
            anonymous: false,
            serves_people: false,
        });
        let ws = self.ws.as_ref().map(|door| Entrance {
            name: "ws",
            listen: &door.listen,
            tls: false,
            spares_browsers: false,
            web: Some((&door.path, &door.origins)),
            proxied: door.proxy_protocol,
            anonymous: door.allow_anonymous,
            serves_people: false,
        });
        let wss = self.wss.as_ref().map(|door| Entrance {
            name: "wss",
            listen: &door.listen,
            tls: true,
            spares_browsers: !door.ask_browsers,
            web: Some((&door.path, &door.origins)),
            proxied: door.proxy_protocol,
            anonymous: false,
            serves_people: false,
        });
        let ldaps = self.ldaps.as_ref().map(|door| Entrance {
            name: ldaps::NAME,
            listen: &door.listen,
            tls: true,
            spares_browsers: false,
            web: None,
            proxied: door.proxy_protocol,
            anonymous: false,
            serves_people: true,
        });
        [mqtt, mqtts, ws, wss, ldaps].into_iter().flatten()
    }

    /// What is wrong with the doors, all at once.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mqtt = self.mqtt.as_ref().map(|door| ("mqtt", &door.listen, door.allow_plain));
        let ws = self.ws.as_ref().map(|door| ("ws", &door.listen, door.allow_plain));
        for (name, listen, allowed) in [mqtt, ws].into_iter().flatten() {
            for address in listen.iter().filter(|address| !allowed && !is_loopback(address.ip())) {
                let instead = if name == "ws" { "wss" } else { "mqtts" };
                problems.push(format!("door.{name}.listen: {address} is not loopback, so passwords would cross the network readable; use [door.{instead}], or set allow_plain = true"));
            }
        }
        for door in self.entrances() {
            let name = door.name;
            for address in door.listen.iter().filter(|address| door.anonymous && !is_loopback(address.ip())) {
                problems.push(format!(
                    "door.{name}.allow_anonymous: {address} is not loopback; guests are for this machine only"
                ));
            }
            if door.web.is_some_and(|(path, _)| !path.starts_with('/') || path.contains(['?', '#', ' '])) {
                problems.push(format!("door.{name}.path: begins with / and has no ?, # or space"));
            }
        }
        if let Some(door) = &self.ldaps {
            problems.extend(door.problems());
        }
        problems.extend(self.limits.problems());
        problems
    }
}

impl PeopleConfig {
    /// What is served, in a house of this domain; or what is wrong with it.
    pub(crate) fn extent(&self, domain: &str) -> Result<Extent, Vec<String>> {
        Extent::new(self.suffix.as_deref(), domain, &self.attributes)
    }

    fn problems(&self) -> Vec<String> {
        // Whether the domain is one is told elsewhere.
        let mut problems = self.extent("corp.example").err().unwrap_or_default();
        if self.idle < Span(Duration::from_secs(1)) {
            problems.push("idle: at least \"1s\"".into());
        }
        problems.into_iter().map(|problem| format!("door.ldaps.{problem}")).collect()
    }
}

impl LimitsConfig {
    fn problems(&self) -> impl Iterator<Item = String> {
        let rules = [
            ((256..=256 << 20).contains(&self.packet), "door.limits.packet: between 256 and 268435456 bytes"),
            (self.connections > 0, "door.limits.connections: at least 1"),
            (self.handshakes > 0, "door.limits.handshakes: at least 1"),
            (self.connections_per_account > 0, "door.limits.connections_per_account: at least 1"),
            (self.connections_per_address > 0, "door.limits.connections_per_address: at least 1"),
            (self.connects_per_second > 0, "door.limits.connects_per_second: at least 1"),
            (self.handshakes_per_second > 0, "door.limits.handshakes_per_second: at least 1"),
            (self.publish_messages_per_second > 0, "door.limits.publish_messages_per_second: at least 1"),
            (self.publish_bytes_per_second > 0, "door.limits.publish_bytes_per_second: at least 1"),
            (self.keep_alive.0.as_secs() > 0, "door.limits.keep_alive: at least \"1s\""),
            (!self.connect_timeout.0.is_zero(), "door.limits.connect_timeout: longer than \"0s\""),
            (
                (1..=16_384).contains(&self.receive_maximum),
                "door.limits.receive_maximum: between 1 and 16384",
            ),
        ];
        rules.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what.to_owned())
    }
}

fn default_path() -> String {
    "/mqtt".into()
}

/// What address books show.
fn default_attributes() -> Vec<String> {
    let names = [
        "uid",
        "cn",
        "sn",
        "givenName",
        "displayName",
        "mail",
        "title",
        "telephoneNumber",
        "userCertificate;binary",
        "entryUUID",
    ];
    names.map(str::to_owned).to_vec()
}

fn default_idle() -> Span {
    Span(Duration::from_secs(300))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let config: Config = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        config.problems().join("\n")
    }

    #[test]
    fn a_plain_door_is_for_this_machine_unless_somebody_says_otherwise() {
        for door in ["mqtt", "ws"] {
            let open = format!("[{door}]\nlisten = [\"0.0.0.0:1883\"]\n");
            assert!(problems(&open).contains("allow_plain"), "{door}");
            assert_eq!(problems(&format!("{open}allow_plain = true\n")), "");
            let guests = format!("{open}allow_plain = true\nallow_anonymous = true\n");
            assert!(problems(&guests).contains("guests are for this machine only"), "{door}");
        }
    }

    #[test]
    fn a_path_begins_with_a_slash() {
        assert!(problems("[wss]\nlisten = []\npath = \"mqtt\"\n").contains("door.wss.path"));
        assert_eq!(problems("[wss]\nlisten = []\npath = \"/\"\n"), "");
    }

    #[test]
    fn what_the_door_for_people_cannot_serve_is_told_at_once() {
        assert_eq!(problems("[ldaps]\nlisten = []\n"), "");
        let told = problems(
            "[ldaps]\nlisten = []\nsuffix = \"corp\"\nattributes = [\"userPassword\"]\nidle = \"0s\"\n",
        );
        for key in ["door.ldaps.suffix: ", "door.ldaps.attributes: \"userPassword\"", "door.ldaps.idle: "] {
            assert!(told.contains(key), "{key}: {told}");
        }
    }

    #[test]
    fn keys_that_a_door_does_not_know_are_refused() {
        for text in
            ["[mqtts]\nlisten = []\nallow_plain = true", "[wss]\nlisten = []\norigins = [\"app.example\"]"]
        {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }
}
