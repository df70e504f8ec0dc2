//! MQTT over QUIC: one bidirectional stream of each connection speaks MQTT (ALPN `mqtt`), nothing else is opened.
//!
//! Certificates are wanted and checked as at the other TLS doors. Nothing is resumed and no data is early, so a revoked
//! certificate cannot come back. Whether a silent client is there is judged by MQTT; QUIC only keeps the path open, so
//! that a keep-alive of 0 [MQTT-3.1.2-21] means here what it means on TCP.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Connection, Endpoint, EndpointConfig, IdleTimeout, Incoming, RecvStream, SendStream, ServerConfig,
    TokioRuntime, TransportConfig, VarInt,
};
use rustls::pki_types::CertificateDer;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::greet::Visitor;
use super::hall::Hall;
use super::handshakes::Handshakes;
use super::tls::Tls;
use super::{LimitsConfig, conversation};
use crate::metrics::METRICS;
use crate::time;

/// The name of the protocol in the handshake (RFC 9001 section 8.1).
pub(crate) const ALPN: &[&str] = &["mqtt"];
/// The name of the door.
pub(crate) const NAME: &str = "quic";
/// A path on which nothing was heard for so long is dead.
const IDLE_MILLIS: u32 = 90_000;
/// Home routers forget a UDP path after half a minute without a packet.
const KEEP_OPEN: Duration = Duration::from_secs(20);
/// Bytes that may be on their way in one direction: what a connection can make us hold.
const WINDOW: u32 = 256 * 1024;
/// How long the last words may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Room in the kernel for packets that come while we are busy.
const SOCKET_BUFFER: usize = 4 << 20;

/// The QUIC door, as its connections need it.
struct Way {
    hall: Arc<Hall>,
    tls: Tls,
    config: ServerConfig,
    patience: Duration,
    handshakes: Handshakes,
}

/// A connection whose stream may speak MQTT.
struct Arrived {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    visitor: Visitor,
}

/// Binds one address. A port of 0 takes a free one.
pub(crate) fn bind(address: SocketAddr) -> Result<UdpSocket> {
    let bind = || -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // `[::]` means everybody, also on systems that would keep IPv4 apart.
            socket.set_only_v6(false)?;
        }
        // The kernel may give less.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    bind().with_context(|| {
        format!("cannot listen on {address}/udp: is the port taken, or the address not this machine's?")
    })
}

/// Serves MQTT on one socket until told to stop.
pub(crate) async fn serve(
    hall: Arc<Hall>,
    tls: Tls,
    socket: UdpSocket,
    limits: LimitsConfig,
    mut stop: watch::Receiver<bool>,
) {
    let (endpoint, way) = match open(hall, tls, socket, &limits) {
        Ok(open) => open,
        Err(error) => return tracing::error!(door = NAME, %error, "the door cannot be opened"),
    };
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => way.receive(incoming, &places, &mut connections, &stop),
                None => break,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            _ = stop.changed() => break,
        }
    }
    endpoint.set_server_config(None);
    while connections.join_next().await.is_some() {}
    endpoint.wait_idle().await;
}

fn open(hall: Arc<Hall>, tls: Tls, socket: UdpSocket, limits: &LimitsConfig) -> Result<(Endpoint, Arc<Way>)> {
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls.current())?));
    config.transport_config(Arc::new(transport()));
    let endpoint =
        Endpoint::new(EndpointConfig::default(), Some(config.clone()), socket, Arc::new(TokioRuntime))?;
    let handshakes = Handshakes::new(limits.handshakes);
    Ok((endpoint, Arc::new(Way { hall, tls, config, patience: limits.connect_timeout.0, handshakes })))
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(WINDOW.into())
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MILLIS))))
        .keep_alive_interval(Some(KEEP_OPEN));
    transport
}

impl Way {
    /// Decides about a first packet. Its address may be forged, so in a crowd the client is asked to send it again
    /// with what was sent to that address (Retry, RFC 9000 section 8.1.2).
    fn receive(
        self: &Arc<Self>,
        incoming: Incoming,
        places: &Arc<Semaphore>,
        connections: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) {
        if self.handshakes.is_crowded() && !incoming.remote_address_validated() {
            let _ = incoming.retry();
            return;
        }
        if !self.hall.gate.may_shake(incoming.remote_address().ip(), time::monotonic()) {
            return incoming.refuse();
        }
        let Ok(place) = places.clone().try_acquire_owned() else { return incoming.refuse() };
        connections.spawn(self.clone().serve(incoming, place, stop.clone()));
    }

    async fn serve(
        self: Arc<Self>,
        incoming: Incoming,
        _place: OwnedSemaphorePermit,
        mut stop: watch::Receiver<bool>,
    ) {
        // Boxed, so that what a handshake needs is given back when it is done.
        let arrived = self.handshakes.run(Box::pin(self.arrive(incoming)));
        let arrived = tokio::select! {
            arrived = tokio::time::timeout(self.patience, arrived) => arrived.map_err(io::Error::from).flatten(),
            _ = stop.changed() => return,
        };
        match arrived {
            Ok(Arrived { connection, send, receive, visitor }) => {
                METRICS.handshakes_done.of(NAME).add(1);
                let arrival = send.stopped();
                let stream = tokio::io::join(receive, send);
                conversation::serve(self.hall.clone(), stream, visitor, stop).await;
                // The stream is finished; closing the connection before its end has arrived would cut it off.
                let _ = tokio::time::timeout(LAST_WORDS, arrival).await;
                connection.close(VarInt::from_u32(0), b"");
            }
            Err(error) => {
                METRICS.handshakes_failed.of(NAME).add(1);
                tracing::info!(door = NAME, %error, "a handshake failed");
            }
        }
    }

    /// The handshake, and the client's stream.
    async fn arrive(&self, incoming: Incoming) -> io::Result<Arrived> {
        // What the next handshake is made with may have changed since the door was opened.
        let crypto = QuicServerConfig::try_from(self.tls.current()).map_err(io::Error::other)?;
        let mut config = self.config.clone();
        config.crypto = Arc::new(crypto);
        let connection = incoming.accept_with(Arc::new(config))?.await?;
        let shown =
            connection.peer_identity().and_then(|shown| shown.downcast::<Vec<CertificateDer<'_>>>().ok());
        let certificate = self.tls.presented(shown.as_deref().map(Vec::as_slice))?;
        let (send, receive) = connection.accept_bi().await?;
        let address = Some(connection.remote_address());
        let visitor = Visitor { door: NAME, address, certificate, allow_anonymous: false };
        Ok(Arrived { connection, send, receive, visitor })
    }
}
