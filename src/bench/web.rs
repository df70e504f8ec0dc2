//! One client's HTTP/1.1 connection, kept alive: over TCP, TLS or the control socket.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::link::Duplex;

/// What one read may bring.
const READ: usize = 16 * 1024;

/// Where to ask.
#[derive(Clone)]
pub(crate) enum Site {
    Plain(SocketAddr),
    Tls(SocketAddr, TlsConnector),
    Control(PathBuf),
}

/// A connection that is open.
pub(crate) struct Web {
    stream: Box<dyn Duplex>,
    input: BytesMut,
}

impl Site {
    pub(crate) async fn enter(&self) -> Result<Web> {
        let stream: Box<dyn Duplex> = match self {
            Site::Plain(address) => Box::new(connect(address).await?),
            Site::Tls(address, tls) => {
                Box::new(tls.connect(ServerName::try_from("localhost")?, connect(address).await?).await?)
            }
            Site::Control(path) => Box::new(UnixStream::connect(path).await?),
        };
        Ok(Web { stream, input: BytesMut::with_capacity(READ) })
    }
}

async fn connect(address: &SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request as it goes over the wire; the head holds whole lines.
pub(crate) fn request(method: &str, path: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

impl Web {
    /// Sends a request and waits for its whole answer: the body of what must be a success.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Bytes> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        loop {
            if let Some((head, whole)) = measure(&self.input)?
                && whole <= self.input.len()
            {
                let answer = self.input.split_to(whole).freeze();
                let said = || String::from_utf8_lossy(&answer).into_owned();
                ensure!(answer.starts_with(b"HTTP/1.1 200 "), "refused: {}", said());
                return Ok(answer.slice(head..));
            }
            self.input.reserve(READ);
            ensure!(self.stream.read_buf(&mut self.input).await? > 0, "the server closed a connection");
        }
    }
}

/// The lengths of an answer's head and of all of it, once the head has come.
fn measure(input: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    for line in std::str::from_utf8(&input[..end])?.lines() {
        if let Some(length) = line.strip_prefix("content-length: ") {
            return Ok(Some((end + 4, end + 4 + length.parse::<usize>().context("a length")?)));
        }
    }
    bail!("an answer without a length")
}
