//! TLS at the doors: one server certificate, client certificates wanted but not demanded, nothing resumed.
//!
//! rustls does not verify the client again when a session is resumed, so a ticket could bring a revoked certificate
//! back; the doors that look at certificates therefore issue none. The configuration is swapped as a whole when the
//! server certificate changes, and nobody is dropped for it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::enrollment::{Enrollment, Presented, ServerCertificate};

/// The TLS side of the doors; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ArcSwap<ServerConfig>>,
    enrollment: Enrollment,
    alpn: &'static [&'static str],
    /// How long a handshake may take.
    patience: Duration,
}

impl Tls {
    /// For the doors of one kind; `alpn` in order of preference (RFC 7301), empty for none.
    pub(crate) fn new(
        enrollment: &Enrollment,
        server: &ServerCertificate,
        alpn: &'static [&'static str],
        patience: Duration,
    ) -> Result<Self> {
        let config = Arc::new(ArcSwap::from_pointee(config(enrollment, server, alpn)?));
        Ok(Self { config, enrollment: enrollment.clone(), alpn, patience })
    }

    /// Uses another server certificate from the next handshake on.
    pub(crate) fn replace(&self, server: &ServerCertificate) -> Result<()> {
        self.config.store(Arc::new(config(&self.enrollment, server, self.alpn)?));
        Ok(())
    }

    /// Shakes hands; gives the stream and the certificate that the client showed.
    pub(crate) async fn accept<S>(&self, stream: S) -> std::io::Result<(TlsStream<S>, Option<Presented>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.config.load_full());
        let stream = tokio::time::timeout(self.patience, acceptor.accept(stream)).await??;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let presented = shown.and_then(|leaf| self.enrollment.identify(leaf));
        // A certificate that names nobody is not the same as none: it was meant to be somebody's.
        if shown.is_some() && presented.is_none() {
            return Err(std::io::Error::other("the client certificate names no account of this house"));
        }
        Ok((stream, presented))
    }
}

fn config(enrollment: &Enrollment, server: &ServerCertificate, alpn: &[&str]) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        Arc::new(Ledgered { inner: chain_verifier(enrollment, &provider)?, enrollment: enrollment.clone() });
    let chain = server.chain_der.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server.key_pkcs8_der.to_vec()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .context("the server certificate and its key do not fit together")?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}

/// The issuing CA is an anchor of its own, so that clients which send no chain are understood too.
fn chain_verifier(
    enrollment: &Enrollment,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for der in enrollment.chain_der() {
        roots.add(CertificateDer::from(der)).context("the authority's own certificate")?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .context("client verification")
}

/// The chain is proven by webpki, then the ledger's index is asked.
#[derive(Debug)]
struct Ledgered {
    inner: Arc<dyn ClientCertVerifier>,
    enrollment: Enrollment,
}

impl ClientCertVerifier for Ledgered {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.inner.verify_client_cert(leaf, intermediates, now)?;
        match self.enrollment.identify(leaf) {
            Some(shown) if self.enrollment.is_revoked(&shown.serial) => Err(CertificateError::Revoked.into()),
            _ => Ok(verified),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
