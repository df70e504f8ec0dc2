//! The doors: bytes in, bytes out. `tls` knows who is there, `conversation` speaks MQTT with them.

mod challenge;
mod config;
pub(crate) mod control;
mod conversation;
mod greet;
mod hall;
mod handshakes;
mod http;
mod https;
mod proxy;
pub(crate) mod quic;
pub(crate) mod tcp;
pub(crate) mod tls;
mod websocket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;

pub(crate) use config::{Config, Entrance, LimitsConfig};
pub(crate) use greet::Visitor;
pub(crate) use hall::Hall;
pub(crate) use http::serve as serve_http;
pub(crate) use https::serve as serve_https;

use handshakes::Handshakes;
use tls::Tls;
use websocket::{Frames, Web};

/// The way in through one MQTT door over TCP: what lies between its sockets and MQTT.
pub(crate) struct Way {
    name: &'static str,
    proxied: bool,
    tls: Option<Tls>,
    spares_browsers: bool,
    web: Option<Web>,
    anonymous: bool,
    patience: Duration,
    handshakes: Handshakes,
}

/// A connection on which MQTT may begin.
enum Line {
    Plain(TcpStream),
    // Boxed: the state of TLS is moved once, and plain connections need no room for it.
    Secure(Box<TlsStream<TcpStream>>),
    Web(Frames<TcpStream>),
    SecureWeb(Frames<Box<TlsStream<TcpStream>>>),
}

impl Way {
    /// As configured. `tls` is used where the door wants it; `names` are the hosts of this house, whose pages a
    /// WebSocket trusts.
    pub(crate) fn new(entrance: &Entrance<'_>, limits: &LimitsConfig, tls: &Tls, names: &[String]) -> Self {
        let web = entrance.web.map(|(path, origins)| Web {
            path: path.to_owned(),
            origins: origins.to_vec(),
            names: names.to_vec(),
            most: limits.packet as u64,
        });
        Self {
            name: entrance.name,
            proxied: entrance.proxied,
            tls: entrance.tls.then(|| tls.clone()),
            spares_browsers: entrance.spares_browsers,
            web,
            anonymous: entrance.anonymous,
            patience: limits.connect_timeout.0,
            handshakes: Handshakes::new(limits.handshakes),
        }
    }

    /// What comes before MQTT, in this order: PROXY header, TLS, WebSocket. `None` for those who leave without a word,
    /// as those do who only ask whether the door is open.
    async fn arrive(&self, mut stream: TcpStream, from: SocketAddr) -> io::Result<Option<(Line, Visitor)>> {
        let claimed = match self.proxied {
            true => proxy::address(&mut stream).await?.unwrap_or(from),
            false => from,
        };
        let mut visitor = Visitor {
            door: self.name,
            address: Some(claimed),
            certificate: None,
            // A header can claim any address, so it can take this right away but not give it.
            allow_anonymous: self.anonymous && is_loopback(from.ip()) && is_loopback(claimed.ip()),
        };
        if self.tls.is_none() && self.web.is_none() {
            return Ok(Some((Line::Plain(stream), visitor)));
        }
        // Whoever is silent has not begun a handshake, and takes no place from those who have.
        if stream.peek(&mut [0]).await? == 0 {
            return Ok(None);
        }
        let line = self.handshakes.run(self.shake(stream, &mut visitor)).await?;
        Ok(Some((line, visitor)))
    }

    async fn shake(&self, stream: TcpStream, visitor: &mut Visitor) -> io::Result<Line> {
        let Some(tls) = &self.tls else {
            return Ok(match &self.web {
                Some(web) => Line::Web(web.upgrade(stream, visitor).await?),
                None => Line::Plain(stream),
            });
        };
        let (stream, certificate) = match self.spares_browsers {
            true => tls.accept_sparing_browsers(stream).await?,
            false => tls.accept(stream).await?,
        };
        visitor.certificate = certificate;
        let stream = Box::new(stream);
        Ok(match &self.web {
            Some(web) => Line::SecureWeb(web.upgrade(stream, visitor).await?),
            None => Line::Secure(stream),
        })
    }
}

/// Serves MQTT on one socket until told to stop. Each handshake is in the connection's own task.
pub(crate) async fn serve_mqtt(
    way: Arc<Way>,
    hall: Arc<Hall>,
    listener: TcpListener,
    most: usize,
    stop: watch::Receiver<bool>,
) {
    let told = stop.clone();
    tcp::accept(listener, most, stop, move |stream, from| {
        let (way, hall, mut told) = (way.clone(), hall.clone(), told.clone());
        async move {
            // Boxed, so that what a handshake needs is given back when it is done.
            let arrived = tokio::time::timeout(way.patience, Box::pin(way.arrive(stream, from)));
            let arrived = tokio::select! {
                arrived = arrived => arrived.map_err(io::Error::from).flatten(),
                _ = told.changed() => return,
            };
            let (line, visitor) = match arrived {
                Ok(Some(arrived)) => arrived,
                Ok(None) => return,
                Err(error) => return tracing::info!(door = way.name, %error, "a handshake failed"),
            };
            match line {
                Line::Plain(stream) => conversation::serve(hall, stream, visitor, told).await,
                Line::Secure(stream) => conversation::serve(hall, stream, visitor, told).await,
                Line::Web(stream) => conversation::serve(hall, stream, visitor, told).await,
                Line::SecureWeb(stream) => conversation::serve(hall, stream, visitor, told).await,
            }
        }
    })
    .await;
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
