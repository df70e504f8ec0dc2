//! TLS towards the relay: whom to trust, and whose name to expect.

use std::fs;
use std::io;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::MailError;

/// Everything that is needed to protect a connection to one host.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// Trusts the authorities in `ca_pem` alone, or else those of this machine.
    pub(super) fn new(host: &str, ca_pem: Option<&[u8]>) -> Result<Self, MailError> {
        let roots = match ca_pem {
            Some(pem) => given_roots(pem)?,
            None => machine_roots()?,
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Protects the connection, or fails; there is no third way.
    pub(super) async fn protect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

fn given_roots(pem: &[u8]) -> Result<RootCertStore, MailError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| MailError::Ca(error.to_string()))?;
        roots.add(certificate).map_err(|error| MailError::Ca(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(MailError::Ca("there is none".to_owned()));
    }
    Ok(roots)
}

/// The first bundle that this machine has. An odd certificate in it is passed over, as other programs do.
fn machine_roots() -> Result<RootCertStore, MailError> {
    for bundle in BUNDLES {
        let Ok(pem) = fs::read(bundle) else { continue };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
        if !roots.is_empty() {
            return Ok(roots);
        }
    }
    Err(MailError::NoRoots)
}

/// Debian and Arch; Fedora and RHEL; SUSE; Alpine and the BSDs. The environment variables that other programs read here
/// would let a service's surroundings decide whom it trusts.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
