//! The wire: a connection to one server, encrypted before anything is said on it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::answer::{self, Answer};
use crate::diagnostic;
use crate::error::Error;
use crate::guard;
use crate::request;
use crate::settings::{Security, Server};

/// Bytes in both directions, whatever carries them.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<W: AsyncRead + AsyncWrite + Send + Unpin> Wire for W {}

/// Connects within `limit`: name, TCP, StartTLS where it is wanted, TLS handshake.
pub(crate) async fn dial(
    server: &Server,
    tls: Option<&Arc<rustls::ClientConfig>>,
    limit: Duration,
) -> Result<Box<dyn Wire>, Error> {
    let whole = async {
        let mut tcp = connect(server, limit)
            .await
            .map_err(|error| Error::Unreachable { server: server.url.clone(), why: error.to_string() })?;
        if server.security == Security::StartTls {
            start_tls(server, &mut tcp).await?;
        }
        let wire: Box<dyn Wire> = match (server.security, tls) {
            (Security::Plain, _) => Box::new(tcp),
            (_, Some(tls)) => Box::new(
                TlsConnector::from(Arc::clone(tls))
                    .connect(server.name.clone(), tcp)
                    .await
                    .map_err(|error| Error::Tls { server: server.url.clone(), why: error.to_string() })?,
            ),
            (_, None) => {
                return Err(Error::Tls { server: server.url.clone(), why: "no authorities".to_owned() });
            }
        };
        Ok(wire)
    };
    match tokio::time::timeout(limit, whole).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::TimedOut { server: server.url.clone(), doing: "connecting", limit }),
    }
}

/// Tries each address of the host. They share the time, so that one dead address cannot use up all of it.
async fn connect(server: &Server, limit: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<_> = tokio::net::lookup_host((server.host.as_str(), server.port)).await?.collect();
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                // A firewall that forgets an idle connection would otherwise cost the next sign-in its whole limit.
                SockRef::from(&stream)
                    .set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{address} does not answer")),
        }
    }
    Err(last)
}

/// Asks for TLS (RFC 4511 §4.14). Exactly one message is read, so nothing that an attacker sent in clear text after it
/// can be taken for something said under TLS.
async fn start_tls(server: &Server, tcp: &mut TcpStream) -> Result<(), Error> {
    let lost = |why: String| Error::Lost { server: server.url.clone(), doing: "asking for StartTLS", why };
    let request = request::message(1, &[], request::start_tls);
    tcp.write_all(&request).await.map_err(|error| lost(error.to_string()))?;
    let message = match guard::read_message(tcp).await {
        Ok(Some(message)) => message,
        Ok(None) => return Err(lost("the server closed it".to_owned())),
        Err(broken) => return Err(lost(broken.to_string())),
    };
    let answer = Answer::read(message).filter(|answer| answer.operation == answer::EXTENDED);
    match answer.and_then(|answer| answer.outcome()) {
        Some(outcome) if outcome.code == 0 => Ok(()),
        Some(outcome) => {
            let (server, code, text) = (server.url.clone(), outcome.code, diagnostic::clean(&outcome.text));
            Err(Error::StartTls { server, code, text })
        }
        None => Err(lost("the answer is not one to StartTLS".to_owned())),
    }
}
