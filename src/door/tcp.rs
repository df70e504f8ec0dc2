//! Listening: sockets bound at start, each connection in a task of its own.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Connections that wait to be accepted; the kernel cuts it to its own maximum.
const BACKLOG: i32 = 4096;

/// After this long without a word the kernel asks whether the other side is there.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// Binds one address. A port of 0 takes a free one.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bind = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // `[::]` means everybody, also on systems that would keep IPv4 apart.
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    bind().with_context(|| {
        format!("cannot listen on {address}: is the port taken, or the address not this machine's?")
    })
}

/// Accepts until told to stop, then waits for the connections that are still open. At most `most` at a time; what
/// comes beyond waits in the backlog.
pub(crate) async fn accept<F, W>(
    listener: TcpListener,
    most: usize,
    mut stop: watch::Receiver<bool>,
    serve: F,
) where
    F: Fn(TcpStream, SocketAddr) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(most));
    let mut open = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    // Small packets must not wait for each other's acknowledgement.
                    let _ = stream.set_nodelay(true);
                    // A dead line shows even where a client asked for no keep-alive of its own.
                    let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
                    let served = serve(stream, from);
                    open.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others must end first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = open.join_next(), if !open.is_empty() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}
