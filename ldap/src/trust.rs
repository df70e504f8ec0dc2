//! Trust: which authorities may vouch for a directory server, and by what we vouch for ourselves.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate of our own, and its key.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(crate) fn read(chain: &Path, key: &Path) -> Result<Self, String> {
        let cannot = |file: &Path, why: String| format!("{} cannot be used: {why}", file.display());
        let certificates = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect);
        let certificates: Vec<_> = certificates.map_err(|error| cannot(chain, error.to_string()))?;
        if certificates.is_empty() {
            return Err(cannot(chain, "it holds no certificate in PEM form".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| cannot(key, error.to_string()))?;
        Ok(Self { chain: certificates, key })
    }
}

/// TLS 1.2 and 1.3 towards servers that an authority of `ca_file`, or of the system, vouches for.
pub(crate) fn client_config(
    ca_file: Option<&Path>,
    identity: Option<Identity>,
) -> Result<Arc<ClientConfig>, String> {
    let roots = match ca_file {
        Some(file) => read(file)?,
        None => SYSTEM_BUNDLES.iter().find_map(|file| read(Path::new(file)).ok()).ok_or_else(|| {
            "this system has no list of authorities; install ca-certificates, or name the authority's PEM file".to_owned()
        })?,
    };
    // The provider is named, because a process-wide default need not exist in a stranger's program.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match identity {
        None => Ok(config.with_no_client_auth()),
        Some(Identity { chain, key }) => config.with_client_auth_cert(chain, key),
    };
    config.map(Arc::new).map_err(|error| format!("the client certificate cannot be used: {error}"))
}

/// Where distributions keep their authorities: Debian and Arch, Fedora and RHEL, SUSE, Alpine.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

fn read(file: &Path) -> Result<RootCertStore, String> {
    let cannot = |why: String| format!("{} cannot be used: {why}", file.display());
    let mut roots = RootCertStore::empty();
    let bytes = std::fs::read(file).map_err(|error| cannot(error.to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| cannot(error.to_string()))?;
        // System lists hold certificates of every age; those that the library cannot read simply vouch for nobody.
        roots.add_parsable_certificates([certificate]);
    }
    if roots.is_empty() { Err(cannot("it holds no certificate in PEM form".to_owned())) } else { Ok(roots) }
}
