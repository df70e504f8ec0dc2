//! HTTP without TLS: CRL and CA certificates for everybody, and nothing else. Status must be readable by those who
//! cannot verify our certificates yet (RFC 5280 §8).

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Serves a router on plain TCP until told to stop.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    super::https::accept(listener, stop, move |stream| {
        let router = router.clone();
        async move { super::https::speak(stream, router).await }
    })
    .await;
}
