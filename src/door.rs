//! The doors: bytes in, bytes out. `tls` knows who is there, `conversation` speaks MQTT with them.

pub(crate) mod control;
mod conversation;
mod greet;
mod hall;
mod http;
mod https;
pub(crate) mod tcp;
pub(crate) mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use greet::Visitor;
pub(crate) use hall::Hall;
pub(crate) use http::serve as serve_http;
pub(crate) use https::serve as serve_https;

/// `[door]`: each table is one door; a door that is not listed does not open, but for those with a default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) mqtts: Option<Listen>,
    pub(crate) mqtt: Option<Plain>,
    pub(crate) https: Option<Listen>,
    pub(crate) http: Option<Listen>,
    #[serde(default)]
    pub(crate) limits: LimitsConfig,
}

/// A door with addresses and nothing else.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listen {
    pub(crate) listen: Vec<SocketAddr>,
}

/// `[door.mqtt]`: plain TCP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    pub(crate) listen: Vec<SocketAddr>,
    /// Opens the door to other machines although passwords would cross the network readable.
    #[serde(default)]
    pub(crate) allow_plain: bool,
    /// A client without credentials is the principal `guest`; loopback only.
    #[serde(default)]
    pub(crate) allow_anonymous: bool,
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
    /// Connections at each MQTT door.
    pub(crate) connections: usize,
    /// How long a client may take from the handshake to CONNECT.
    pub(crate) connect_timeout: crate::time::Span,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            packet: 1 << 20,
            receive_maximum: 1024,
            topic_aliases: 32,
            connections: 50_000,
            connect_timeout: crate::time::Span(std::time::Duration::from_secs(10)),
        }
    }
}

impl Config {
    /// What is wrong with the doors, all at once.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(plain) = &self.mqtt {
            for address in plain.listen.iter().filter(|address| !is_loopback(address.ip())) {
                if !plain.allow_plain {
                    problems.push(format!("door.mqtt.listen: {address} is not loopback, so passwords would cross the network readable; use [door.mqtts], or set allow_plain = true"));
                }
                if plain.allow_anonymous {
                    problems.push(format!("door.mqtt.allow_anonymous: {address} is not loopback; guests are for this machine only"));
                }
            }
        }
        if self.limits.packet < 256 || self.limits.packet > 256 << 20 {
            problems.push("door.limits.packet: between 256 and 268435456 bytes".into());
        }
        if self.limits.connections == 0 {
            problems.push("door.limits.connections: at least 1".into());
        }
        if self.limits.connect_timeout.0.is_zero() {
            problems.push("door.limits.connect_timeout: longer than \"0s\"".into());
        }
        if self.limits.receive_maximum == 0 || self.limits.receive_maximum > 16_384 {
            problems.push("door.limits.receive_maximum: between 1 and 16384".into());
        }
        problems
    }
}

/// Serves MQTT over plain TCP until told to stop.
pub(crate) async fn serve_mqtt(
    hall: Arc<Hall>,
    listener: TcpListener,
    most: usize,
    anonymous: bool,
    stop: watch::Receiver<bool>,
) {
    let told = stop.clone();
    tcp::accept(listener, most, stop, move |stream, from| {
        let allow_anonymous = anonymous && is_loopback(from.ip());
        let visitor = Visitor { door: "mqtt", address: Some(from), certificate: None, allow_anonymous };
        conversation::serve(hall.clone(), stream, visitor, told.clone())
    })
    .await;
}

/// Serves MQTT over TLS until told to stop. Each handshake is in the connection's own task.
pub(crate) async fn serve_mqtts(
    hall: Arc<Hall>,
    tls: tls::Tls,
    listener: TcpListener,
    most: usize,
    stop: watch::Receiver<bool>,
) {
    let told = stop.clone();
    tcp::accept(listener, most, stop, move |stream, from| {
        let (hall, tls, mut told) = (hall.clone(), tls.clone(), told.clone());
        async move {
            let shaken = tokio::select! {
                shaken = tls.accept(stream) => shaken,
                _ = told.changed() => return,
            };
            match shaken {
                Ok((stream, certificate)) => {
                    let visitor =
                        Visitor { door: "mqtts", address: Some(from), certificate, allow_anonymous: false };
                    conversation::serve(hall, stream, visitor, told).await;
                }
                Err(error) => tracing::info!(door = "mqtts", %error, "a handshake failed"),
            }
        }
    })
    .await;
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
