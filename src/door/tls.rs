//! TLS at the doors: one server certificate, client certificates wanted but not demanded, nothing resumed.
//!
//! rustls does not verify the client again when a session is resumed, so a ticket could bring a revoked certificate
//! back; the doors that look at certificates therefore issue none. The configuration is swapped as a whole when the
//! server certificate changes, and nobody is dropped for it.

use std::io;
use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{Acceptor, ClientHello, NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    CertificateError, CipherSuite, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::enrollment::{Enrollment, Presented, ServerCertificate};

/// The TLS side of the doors; cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    configs: Arc<ArcSwap<Configs>>,
    enrollment: Enrollment,
    alpn: &'static [&'static str],
}

/// The same server, with its wish for a client certificate and without.
struct Configs {
    asking: Arc<ServerConfig>,
    unasking: Arc<ServerConfig>,
}

impl Tls {
    /// For the doors of one kind; `alpn` in order of preference (RFC 7301), empty for none.
    pub(crate) fn new(
        enrollment: &Enrollment,
        server: &ServerCertificate,
        alpn: &'static [&'static str],
    ) -> Result<Self> {
        let configs = Arc::new(ArcSwap::from_pointee(Configs::new(enrollment, server, alpn)?));
        Ok(Self { configs, enrollment: enrollment.clone(), alpn })
    }

    /// Uses another server certificate from the next handshake on.
    pub(crate) fn replace(&self, server: &ServerCertificate) -> Result<()> {
        self.configs.store(Arc::new(Configs::new(&self.enrollment, server, self.alpn)?));
        Ok(())
    }

    /// Shakes hands; gives the stream and the certificate that the client showed. How long that may take is the
    /// caller's affair.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<(TlsStream<S>, Option<Presented>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = TlsAcceptor::from(self.current()).accept(stream).await?;
        let presented = self.presented(stream.get_ref().1.peer_certificates())?;
        Ok((stream, presented))
    }

    /// The same, but a browser's WebSocket is asked for no certificate: browsers of the Chromium family give a WebSocket
    /// up that is asked, unless a certificate was chosen on a visit of the same address before.
    pub(super) async fn accept_sparing_browsers<S>(
        &self,
        stream: S,
    ) -> io::Result<(TlsStream<S>, Option<Presented>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let configs = self.configs.load_full();
        let config = match is_browsers_websocket(&begun.client_hello()) {
            true => configs.unasking.clone(),
            false => configs.asking.clone(),
        };
        let stream = begun.into_stream(config).await?;
        let presented = self.presented(stream.get_ref().1.peer_certificates())?;
        Ok((stream, presented))
    }

    /// What the next handshake is made with.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.configs.load().asking.clone()
    }

    /// Whose certificate a client showed, the chain proven.
    pub(super) fn presented(&self, chain: Option<&[CertificateDer<'_>]>) -> io::Result<Option<Presented>> {
        let Some(leaf) = chain.and_then(<[_]>::first) else { return Ok(None) };
        // A certificate that names nobody is not the same as none: it was meant to be somebody's.
        let nobody = || io::Error::other("the client certificate names no account of this house");
        self.enrollment.identify(leaf).ok_or_else(nobody).map(Some)
    }
}

/// Only browsers send reserved values among their cipher suites (GREASE, RFC 8701), and for a WebSocket they offer
/// HTTP/1.1 alone.
fn is_browsers_websocket(hello: &ClientHello<'_>) -> bool {
    let reserved = |suite: &CipherSuite| u16::from(*suite) & 0x0F0F == 0x0A0A;
    let offered: Vec<&[u8]> = hello.alpn().into_iter().flatten().collect();
    hello.cipher_suites().iter().any(reserved) && offered == [b"http/1.1"]
}

impl Configs {
    fn new(enrollment: &Enrollment, server: &ServerCertificate, alpn: &[&str]) -> Result<Self> {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        // Strong enough, and lighter: with the suite that most clients prefer, SHA-384 took 6 % of a handshake.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        let provider = Arc::new(provider);
        let ledgered = Arc::new(Ledgered::new(enrollment, &provider)?);
        Ok(Self {
            asking: Arc::new(config(&provider, ledgered, server, alpn)?),
            unasking: Arc::new(config(&provider, Arc::new(NoClientAuth), server, alpn)?),
        })
    }
}

fn config(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ClientCertVerifier>,
    server: &ServerCertificate,
    alpn: &[&str],
) -> Result<ServerConfig> {
    let chain = server.chain_der.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server.key_pkcs8_der.to_vec()));
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .with_client_cert_verifier(verifier)
        .with_single_cert_with_ocsp(chain, key, server.staple.clone())
        .context("the server certificate and its key do not fit together")?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.ignore_client_order = true;
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}

/// The chain is proven by webpki, then the ledger's index is asked.
#[derive(Debug)]
struct Ledgered {
    /// Whom the client is told that we trust. A configuration that knows a new issuing CA replaces this one soon.
    hints: Vec<DistinguishedName>,
    proof: ArcSwap<Proof>,
    provider: Arc<CryptoProvider>,
    enrollment: Enrollment,
}

/// What proves a chain, as long as this issuing CA is the newest.
#[derive(Debug)]
struct Proof {
    newest: String,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Ledgered {
    fn new(enrollment: &Enrollment, provider: &Arc<CryptoProvider>) -> Result<Self> {
        let proof = Proof::new(enrollment, provider)?;
        let hints = proof.verifier.root_hint_subjects().to_vec();
        let (provider, enrollment) = (provider.clone(), enrollment.clone());
        Ok(Self { hints, proof: ArcSwap::from_pointee(proof), provider, enrollment })
    }

    /// The one of the moment: whoever has the first certificate of a new issuing CA may come at once.
    fn proof(&self) -> Result<Arc<Proof>, rustls::Error> {
        let proof = self.proof.load_full();
        if proof.newest == self.enrollment.issuer_id() {
            return Ok(proof);
        }
        let proof = Proof::new(&self.enrollment, &self.provider);
        let proof = Arc::new(proof.map_err(|why| rustls::Error::General(why.to_string()))?);
        self.proof.store(proof.clone());
        Ok(proof)
    }
}

impl Proof {
    /// The issuing CAs are anchors of their own, so that clients which send no chain are understood too.
    fn new(enrollment: &Enrollment, provider: &Arc<CryptoProvider>) -> Result<Self> {
        let newest = enrollment.issuer_id();
        let mut roots = RootCertStore::empty();
        for der in enrollment.authorities_der() {
            roots.add(CertificateDer::from(der)).context("the authority's own certificate")?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()
            .context("client verification")?;
        Ok(Self { newest, verifier })
    }
}

impl ClientCertVerifier for Ledgered {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
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
        let verified = self.proof()?.verifier.verify_client_cert(leaf, intermediates, now)?;
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
        self.proof.load().verifier.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.proof.load().verifier.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.proof.load().verifier.supported_verify_schemes()
    }
}
