//! HTTPS: the console and the API, each connection in its own task with the handshake in it.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt;

use super::tcp;
use super::tls::Tls;
use crate::enrollment::Shown;

/// Connections at one web door; browsers keep a handful each.
const MOST: usize = 2048;
/// How long a browser's handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A client that has not sent its request by then is gone.
const HEADERS: Duration = Duration::from_secs(15);
/// No connection lasts longer, whatever it does: browsers open another.
const LONGEST: Duration = Duration::from_secs(600);

/// Serves a router over TLS until told to stop.
pub(crate) async fn serve(listener: TcpListener, tls: Tls, router: Router, stop: watch::Receiver<bool>) {
    accept(listener, stop, move |stream| {
        let (tls, router) = (tls.clone(), router.clone());
        async move {
            let from = stream.peer_addr().ok();
            let shaken = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await;
            match shaken.map_err(std::io::Error::from).flatten() {
                Ok((stream, certificate)) => {
                    let router = router.map_request(move |mut request: Request<_>| {
                        request.extensions_mut().insert(Shown(certificate.clone()));
                        if let Some(from) = from {
                            request.extensions_mut().insert(ConnectInfo(from));
                        }
                        request
                    });
                    speak(stream, router).await;
                }
                Err(error) => tracing::debug!(door = "https", %error, "a handshake failed"),
            }
        }
    })
    .await;
}

/// Accepts web connections; when told to stop, those that are open are dropped: a browser asks again.
pub(super) async fn accept<F, W>(listener: TcpListener, stop: watch::Receiver<bool>, serve: F)
where
    F: Fn(TcpStream) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    let told = stop.clone();
    tcp::accept(listener, MOST, stop, move |stream, _| {
        let (served, mut told) = (serve(stream), told.clone());
        async move {
            tokio::select! {
                () = served => {}
                _ = told.changed() => {}
            }
        }
    })
    .await;
}

/// Speaks HTTP/1.1 on a stream. HTTP/2 would spare a console nothing, and has no bound on how long a silent client
/// may stay.
pub(super) async fn speak<S, T>(stream: S, service: T)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T: tower::Service<Request, Response = axum::response::Response, Error = std::convert::Infallible>
        + Clone
        + Send
        + 'static,
    T::Future: Send + 'static,
{
    let service = service.map_request(|request: hyper::Request<Incoming>| request.map(axum::body::Body::new));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Ok(Err(error)) = tokio::time::timeout(LONGEST, served).await {
        tracing::debug!(%error, "a web connection ended badly");
    }
}
