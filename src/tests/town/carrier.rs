//! What carries a client's bytes: TCP, TLS, WebSocket, QUIC; each as a stream that blocks, with a bound.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tungstenite::client::IntoClientRequest;
use tungstenite::{HandshakeError, Message, WebSocket};

use super::client::PATIENCE;

/// Bytes both ways.
pub(crate) trait Stream: Read + Write + Send {
    /// How long the next reads may wait.
    fn wait_at_most(&mut self, bound: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn wait_at_most(&mut self, bound: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(bound))
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn wait_at_most(&mut self, bound: Duration) -> io::Result<()> {
        self.sock.set_read_timeout(Some(bound))
    }
}

/// A WebSocket with the subprotocol `mqtt`; each write is a binary message.
pub(crate) struct Web<S> {
    pub(crate) socket: WebSocket<S>,
    rest: Vec<u8>,
}

impl<S: Stream> Web<S> {
    pub(crate) fn open(stream: S, origin: Option<&str>) -> io::Result<Self> {
        let mut request = "ws://localhost/mqtt".into_client_request().expect("a request");
        request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().expect("a value"));
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().expect("an origin"));
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self { socket, rest: Vec::new() }),
            Err(HandshakeError::Failure(why)) => Err(plain(why)),
            Err(HandshakeError::Interrupted(_)) => Err(ErrorKind::TimedOut.into()),
        }
    }
}

impl<S: Stream> Read for Web<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.socket.read() {
                Ok(Message::Binary(payload)) => self.rest = payload.to_vec(),
                Ok(Message::Close(_)) => return Ok(0),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(other) => return Err(io::Error::other(format!("{other:?} from a server of MQTT"))),
                Err(why) => return Err(plain(why)),
            }
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

impl<S: Stream> Write for Web<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send(Message::binary(bytes.to_vec())).map_err(plain)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush().map_err(plain)
    }
}

impl<S: Stream> Stream for Web<S> {
    fn wait_at_most(&mut self, bound: Duration) -> io::Result<()> {
        self.socket.get_mut().wait_at_most(bound)
    }
}

fn plain(why: tungstenite::Error) -> io::Error {
    match why {
        tungstenite::Error::Io(error) => error,
        tungstenite::Error::Http(answer) => io::Error::other(format!("HTTP {}", answer.status().as_u16())),
        why => io::Error::other(why),
    }
}

/// One stream of a QUIC connection.
pub(crate) struct Quic {
    runtime: Runtime,
    pub(crate) connection: Connection,
    send: SendStream,
    receive: RecvStream,
    patience: Duration,
}

impl Quic {
    pub(crate) fn open(address: SocketAddr, config: Arc<ClientConfig>) -> io::Result<Self> {
        // A thread of its own: QUIC answers the other side while nobody reads.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let crypto = QuicClientConfig::try_from(config).expect("QUIC's first cipher");
        let open = async {
            let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
            endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
            let connection = endpoint.connect(address, "localhost").map_err(io::Error::other)?.await?;
            let (send, receive) = connection.open_bi().await?;
            io::Result::Ok((connection, send, receive))
        };
        let (connection, send, receive) = runtime.block_on(async { timeout(PATIENCE, open).await })??;
        Ok(Self { runtime, connection, send, receive, patience: PATIENCE })
    }

    /// Whether the server lets another stream be opened in time.
    pub(crate) fn opens_another(&self, bound: Duration) -> bool {
        let either = async {
            tokio::select! {
                opened = self.connection.open_bi() => opened.is_ok(),
                opened = self.connection.open_uni() => opened.is_ok(),
            }
        };
        self.runtime.block_on(async { timeout(bound, either).await.unwrap_or(false) })
    }

    /// Whether the server ends the connection in time.
    pub(crate) fn is_closed_within(&self, bound: Duration) -> bool {
        self.runtime.block_on(async { timeout(bound, self.connection.closed()).await.is_ok() })
    }
}

impl Read for Quic {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.runtime.block_on(async { timeout(self.patience, self.receive.read(buffer)).await });
        Ok(read??.unwrap_or(0))
    }
}

impl Write for Quic {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.runtime.block_on(self.send.write(bytes))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Quic {
    fn wait_at_most(&mut self, bound: Duration) -> io::Result<()> {
        self.patience = bound;
        Ok(())
    }
}
