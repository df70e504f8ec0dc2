//! One certificate, in full.

use crate::{Chrome, Download, Page, certificates::CertificateRow};

/// `GET /certificates/{serial}`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "certificate.html")]
pub struct Certificate {
    /// The surroundings.
    pub chrome: Chrome,
    /// What the list shows of it.
    pub row: CertificateRow,
    /// The names in it: kinds and values, such as "URI" and `urn:uuid:…`.
    pub names: Vec<(String, String)>,
    /// Issuer, key, fingerprints, who asked for it: labels and values.
    pub facts: Vec<(String, String)>,
    /// When it was revoked, RFC 3339; empty while it is not.
    pub revoked_at: String,
    /// Why it was revoked.
    pub reason: String,
    /// The certificate as PEM text; empty hides it.
    pub pem: String,
    /// The certificate as a file.
    pub download: Download,
}
