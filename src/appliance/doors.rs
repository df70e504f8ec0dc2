//! The doors of an appliance: bound before anything else is built, opened when all of it stands.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::{self, House};
use crate::config::Config;
use crate::directory::served::Served;
use crate::door::{self, Crew, Gate, Hall, Way, quic, tcp, tls::Tls};
use crate::enrollment::{Enrollment, ServerCertificate};
use crate::mqtt::Limits;
use crate::time;

/// Bound sockets by the name of their door; the first address of a door is the one that is named.
#[derive(Default)]
pub(super) struct Doors(Vec<(&'static str, Bound)>);

enum Bound {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// TLS for each kind of client: clients of MQTT and LDAP often negotiate no protocol, browsers and QUIC do.
#[derive(Clone)]
pub(super) struct TlsDoors {
    mqtt: Tls,
    web: Tls,
    quic: Tls,
}

impl TlsDoors {
    pub(super) fn new(enrollment: &Enrollment, server: &ServerCertificate) -> Result<Self> {
        Ok(Self {
            mqtt: Tls::new(enrollment, server, &[])?,
            web: Tls::new(enrollment, server, &["http/1.1"])?,
            quic: Tls::new(enrollment, server, quic::ALPN)?,
        })
    }

    /// Uses another server certificate from the next handshakes on.
    pub(super) fn replace(&self, server: &ServerCertificate) -> Result<()> {
        [&self.mqtt, &self.web, &self.quic].into_iter().try_for_each(|tls| tls.replace(server))
    }
}

impl Doors {
    /// Binds every address that is listed.
    pub(super) fn bind(config: &door::Config) -> Result<Self> {
        let mut bound = Vec::new();
        let web = [("https", &config.https), ("http", &config.http)];
        let web = web.into_iter().filter_map(|(name, door)| Some((name, door.as_ref()?.listen.as_slice())));
        let mqtt = config.entrances().map(|entrance| (entrance.name, entrance.listen));
        for (name, addresses) in mqtt.chain(web) {
            for address in addresses {
                let socket = tcp::bind(*address).with_context(|| format!("door {name}"))?;
                bound.push((name, Bound::Tcp(socket)));
            }
        }
        for address in config.quic.iter().flat_map(|door| &door.listen) {
            bound.push((quic::NAME, Bound::Udp(quic::bind(*address).context("door quic")?)));
        }
        Ok(Self(bound))
    }

    /// Where each door listens.
    pub(super) fn addresses(&self) -> BTreeMap<&'static str, SocketAddr> {
        let mut addresses = BTreeMap::new();
        for (door, bound) in &self.0 {
            let address = match bound {
                Bound::Tcp(socket) => socket.local_addr(),
                Bound::Udp(socket) => socket.local_addr(),
            };
            if let Ok(address) = address {
                addresses.entry(*door).or_insert(address);
            }
        }
        addresses
    }

    /// Serves at each of them until told to stop.
    pub(super) fn open(
        self,
        house: &House,
        config: &door::Config,
        tls: &TlsDoors,
        names: &[String],
        served: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> Result<()> {
        let limits = &config.limits;
        let hands = std::thread::available_parallelism().map_or(1, usize::from);
        let hall = hall(house, limits, Crew::engage(hands).context("no thread for the doors")?);
        let console = Router::new()
            .merge(api::device_router(house.clone()))
            .merge(crate::enrollment::router(house.enrollment.clone()))
            .merge(crate::console::router(house.clone()));
        let public = Router::new()
            .merge(api::public_router(house.clone()))
            .merge(crate::enrollment::public_router(house.enrollment.clone()));
        let people = config.ldaps.as_ref().map(|door| people(house, door)).transpose()?;
        let ways: BTreeMap<_, _> = config
            .entrances()
            .map(|entrance| {
                let tls = if entrance.web.is_some() { &tls.web } else { &tls.mqtt };
                let people = people.clone().filter(|_| entrance.serves_people);
                (entrance.name, Arc::new(Way::new(&entrance, limits, tls, names, people)))
            })
            .collect();
        for (name, bound) in self.0 {
            let stop = stop.clone();
            match (bound, ways.get(name)) {
                (Bound::Udp(socket), _) => {
                    served.spawn(quic::serve(hall.clone(), tls.quic.clone(), socket, limits.clone(), stop))
                }
                (Bound::Tcp(socket), Some(way)) => {
                    served.spawn(door::serve_way(way.clone(), hall.clone(), socket, limits.connections, stop))
                }
                (Bound::Tcp(socket), None) if name == "https" => {
                    served.spawn(door::serve_https(socket, tls.web.clone(), console.clone(), stop))
                }
                (Bound::Tcp(socket), None) => served.spawn(door::serve_http(socket, public.clone(), stop)),
            };
        }
        Ok(())
    }

    fn port(&self, door: &str) -> Option<u16> {
        self.addresses().get(door).map(SocketAddr::port)
    }

    /// The host by which people reach a door: by name where it is open to others.
    fn host(&self, door: &str, domain: &str) -> String {
        match self.addresses().get(door) {
            // By address: a bare system does not know the name `localhost`, and others look for it at ::1 first.
            Some(SocketAddr::V4(address)) if address.ip().is_loopback() => address.ip().to_string(),
            Some(SocketAddr::V6(address)) if address.ip().is_loopback() => format!("[{}]", address.ip()),
            _ => domain.to_owned(),
        }
    }
}

/// Those who are served to mail clients, with the certificates that enrollment has for them.
fn people(house: &House, door: &door::PeopleConfig) -> Result<door::People> {
    let extent = door.extent(&house.facts.domain);
    let extent = extent.map_err(super::sentences).context("[door.ldaps]")?;
    let enrollment = house.enrollment.clone();
    let certificates = move || {
        let enrollment = enrollment.clone();
        async move { enrollment.mail_certificates(time::now()).await }.boxed()
    };
    let served = Served::new(&house.directory, extent, certificates);
    Ok(door::People { served, idle: door.idle.0 })
}

fn hall(house: &House, limits: &door::LimitsConfig, crew: Crew) -> Arc<Hall> {
    Arc::new(Hall {
        store: house.store.clone(),
        broker: house.broker.clone(),
        chat: house.chat.clone(),
        directory: house.directory.clone(),
        enrollment: house.enrollment.clone(),
        limits: Limits {
            max_packet: limits.packet,
            receive_maximum: limits.receive_maximum,
            topic_aliases: limits.topic_aliases,
            keep_alive: u16::try_from(limits.keep_alive.0.as_secs()).unwrap_or(u16::MAX),
            connect_timeout: limits.connect_timeout.0,
        },
        domain: house.facts.domain.as_str().into(),
        gate: Gate::new(limits, time::monotonic()),
        crew,
    })
}

/// Where certificates say that the CRL is.
pub(super) fn http_base(config: &Config, doors: &Doors) -> Result<String> {
    if let Some(url) = &config.authority.public_url {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let port = doors.port("http").unwrap_or(8080);
    Ok(format!("http://{}:{port}", doors.host("http", &config.appliance.domain)))
}

pub(super) fn console_url(domain: &str, doors: &Doors) -> String {
    format!("https://{}:{}", doors.host("https", domain), doors.port("https").unwrap_or(8443))
}

/// Names in the server certificate.
pub(super) fn server_names(config: &Config) -> Vec<String> {
    let domain = &config.appliance.domain;
    let mut names =
        vec![domain.clone(), format!("mq.{domain}"), "localhost".into(), "127.0.0.1".into(), "::1".into()];
    names.extend(
        config.appliance.names.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>(),
    );
    names
}
