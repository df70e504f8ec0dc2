//! The doors: bytes in, bytes out. `tls` knows who is there, `conversation` speaks MQTT with them, and `crew` lets it
//! take its turns. `ldaps` speaks LDAP with mail clients.

mod challenge;
mod config;
pub(crate) mod control;
mod conversation;
mod crew;
mod greet;
mod hall;
mod handshakes;
mod http;
mod https;
mod ldaps;
mod limits;
mod proxy;
pub(crate) mod quic;
pub(crate) mod tcp;
pub(crate) mod tls;
mod websocket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) use config::{Config, Entrance, LimitsConfig, PeopleConfig};
pub(crate) use crew::Crew;
pub(crate) use greet::Visitor;
pub(crate) use hall::Hall;
pub(crate) use http::serve as serve_http;
pub(crate) use https::serve as serve_https;
pub(crate) use ldaps::People;
pub(crate) use limits::Gate;

use crate::metrics::METRICS;
use crate::time;
use handshakes::Handshakes;
use tls::Tls;
use websocket::Web;

/// The way in through one door of MQTT over TCP, or of LDAP: what lies between its sockets and what is spoken there.
pub(crate) struct Way {
    name: &'static str,
    proxied: bool,
    tls: Option<Tls>,
    spares_browsers: bool,
    web: Option<Web>,
    anonymous: bool,
    patience: Duration,
    handshakes: Handshakes,
    /// Whom those are shown who speak LDAP; without it MQTT is spoken.
    people: Option<People>,
}

/// What every conversation is begun with, whatever carries it.
struct Beginning {
    hall: Arc<Hall>,
    people: Option<People>,
    stop: watch::Receiver<bool>,
}

impl Beginning {
    /// Boxed, because each carrier makes it another type, of another size.
    fn on<S>(self, stream: S, visitor: Visitor) -> BoxFuture<'static, ()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        match self.people {
            None => Box::pin(conversation::serve(self.hall, stream, visitor, self.stop)),
            Some(people) => Box::pin(ldaps::serve(self.hall, people, stream, visitor, self.stop)),
        }
    }
}

impl Way {
    /// As configured. `tls` is used where the door wants it; `names` are the hosts of this house, whose pages a
    /// WebSocket trusts. Where there are `people` to be shown, LDAP is spoken.
    pub(crate) fn new(
        entrance: &Entrance<'_>,
        limits: &LimitsConfig,
        tls: &Tls,
        names: &[String],
        people: Option<People>,
    ) -> Self {
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
            people,
        }
    }

    /// What comes before MQTT or LDAP, in this order: PROXY header, TLS, WebSocket. Gives the conversation that may begin then;
    /// `None` for those who leave without a word, as those do who only ask whether the door is open, and for those
    /// whose address shakes hands too often.
    async fn arrive(
        &self,
        beginning: Beginning,
        mut stream: TcpStream,
        from: SocketAddr,
    ) -> io::Result<Option<BoxFuture<'static, ()>>> {
        let claimed = match self.proxied {
            true => proxy::address(&mut stream).await?.unwrap_or(from),
            false => from,
        };
        let visitor = Visitor {
            door: self.name,
            address: Some(claimed),
            certificate: None,
            // A header can claim any address, so it can take this right away but not give it.
            allow_anonymous: self.anonymous && is_loopback(from.ip()) && is_loopback(claimed.ip()),
        };
        if self.tls.is_none() && self.web.is_none() {
            return Ok(Some(beginning.on(stream, visitor)));
        }
        // Whoever is silent has not begun a handshake, and takes no place from those who have.
        if stream.peek(&mut [0]).await? == 0
            || !beginning.hall.gate.may_shake(claimed.ip(), time::monotonic())
        {
            return Ok(None);
        }
        let begun = self.handshakes.run(self.shake(beginning, stream, visitor)).await?;
        METRICS.handshakes_done.of(self.name).add(1);
        Ok(Some(begun))
    }

    async fn shake(
        &self,
        beginning: Beginning,
        stream: TcpStream,
        mut visitor: Visitor,
    ) -> io::Result<BoxFuture<'static, ()>> {
        let Some(tls) = &self.tls else {
            return match &self.web {
                Some(web) => Ok(beginning.on(web.upgrade(stream, &mut visitor).await?, visitor)),
                None => Ok(beginning.on(stream, visitor)),
            };
        };
        let (stream, certificate) = match self.spares_browsers {
            true => tls.accept_sparing_browsers(stream).await?,
            false => tls.accept(stream).await?,
        };
        visitor.certificate = certificate;
        // The state of TLS is large, and is moved from here to there before it rests.
        let stream = Box::new(stream);
        match &self.web {
            Some(web) => Ok(beginning.on(web.upgrade(stream, &mut visitor).await?, visitor)),
            None => Ok(beginning.on(stream, visitor)),
        }
    }
}

/// Serves those who come by one socket until told to stop. Each handshake is in the connection's own task.
pub(crate) async fn serve_way(
    way: Arc<Way>,
    hall: Arc<Hall>,
    listener: TcpListener,
    most: usize,
    stop: watch::Receiver<bool>,
) {
    let told = stop.clone();
    tcp::accept(listener, most, stop, move |stream, from| {
        let (way, mut told) = (way.clone(), told.clone());
        let beginning = Beginning { hall: hall.clone(), people: way.people.clone(), stop: told.clone() };
        async move {
            let stream = match &way.people {
                // Searches take their turns among the house's other tasks, not among messages.
                Some(_) => Ok(stream),
                None => beginning.hall.crew.adopt(stream),
            };
            let Ok(stream) = stream else { return };
            // Boxed, so that what a handshake needs is given back when it is done.
            let arrived = tokio::time::timeout(way.patience, Box::pin(way.arrive(beginning, stream, from)));
            let arrived = tokio::select! {
                arrived = arrived => arrived.map_err(io::Error::from).flatten(),
                _ = told.changed() => return,
            };
            match arrived {
                Ok(Some(conversation)) => conversation.await,
                Ok(None) => {}
                Err(error) => {
                    METRICS.handshakes_failed.of(way.name).add(1);
                    tracing::info!(door = way.name, %error, "a handshake failed");
                }
            }
        }
    })
    .await;
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
