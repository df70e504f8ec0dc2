//! One client's connection, plain or over mutual TLS 1.3.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::frame::{self, Frames};

/// What one read may bring.
const READ: usize = 64 * 1024;

/// Where clients enter a server, and how.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<TlsConnector>,
}

/// A connection that the server has accepted. One at rest holds no buffer, since many thousands are held at a time.
pub(crate) struct Link {
    stream: Box<dyn Duplex>,
    input: BytesMut,
    /// Bytes of the input that were handed out by the last read.
    read: usize,
}

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl Entrance {
    pub(crate) async fn enter(&self, client_id: &str, clean: bool) -> Result<Link> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Duplex> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => Box::new(tls.connect(ServerName::try_from("localhost")?, tcp).await?),
        };
        let mut link = Link { stream, input: BytesMut::new(), read: 0 };
        link.send(&frame::connect(client_id, clean)).await?;
        let mut answer = frame::CONNECTED;
        link.stream.read_exact(&mut answer).await.context("no CONNACK")?;
        // The second byte of the body tells whether the session was there before.
        answer[2] = 0;
        ensure!(answer == frame::CONNECTED, "not let in: {answer:02x?}");
        Ok(link)
    }
}

impl Link {
    pub(crate) async fn subscribe(&mut self, filter: &str, qos: u8) -> Result<()> {
        self.send(&frame::subscribe(filter, qos)).await?;
        let mut answer = [0; 5];
        self.stream.read_exact(&mut answer).await.context("no SUBACK")?;
        ensure!(answer.starts_with(&frame::SUBSCRIBED) && answer[4] == qos, "not subscribed: {answer:02x?}");
        Ok(())
    }

    /// Whether the server still answers.
    pub(crate) async fn ping(&mut self) -> Result<()> {
        self.send(&frame::PING).await?;
        let mut answer = [0; 2];
        self.stream.read_exact(&mut answer).await?;
        ensure!(answer == frame::PONG, "no answer to a ping: {answer:02x?}");
        Ok(())
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn end(&mut self) {
        while self.read().await.is_ok() {}
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Waits for at least one whole packet and gives all that have come. Dropped while it waits, it loses nothing.
    pub(crate) async fn read(&mut self) -> Result<Frames<'_>> {
        self.input.advance(std::mem::take(&mut self.read));
        while self.read == 0 {
            if self.input.capacity() - self.input.len() < READ / 16 {
                self.input.reserve(READ);
            }
            let count = self.stream.read_buf(&mut self.input).await?;
            ensure!(count > 0, "the server closed a connection");
            self.read = Frames::whole(&self.input);
        }
        Ok(Frames::of(&self.input[..self.read]))
    }
}
