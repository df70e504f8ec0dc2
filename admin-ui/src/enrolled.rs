//! What an enrolment hands over, once.

use crate::{Chrome, Download, Page, Secret, certificates::CertificateRow};

/// The answer to `POST /accounts/{account}/enrol` when it succeeded. Nothing on it can be shown again.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "enrolled.html")]
pub struct Enrolled {
    /// The surroundings.
    pub chrome: Chrome,
    /// Whose it is.
    pub account: String,
    /// What there is to take away.
    pub handover: Handover,
    /// The command lines that use it, such as a `mosquitto_sub` that pastes and works.
    pub usage: Vec<String>,
}

/// What there is to take away.
#[derive(Clone, Debug)]
pub enum Handover {
    /// A certificate for a key that the person holds.
    Certificate {
        /// The new certificate.
        row: CertificateRow,
        /// The certificate, then its issuers, as a PEM file.
        chain: Download,
        /// The root certificate, as a PEM file.
        root: Download,
    },
    /// A certificate and its key in one file.
    Pkcs12 {
        /// The new certificate.
        row: CertificateRow,
        /// The file.
        file: Download,
        /// The root certificate, as a PEM file.
        root: Download,
        /// Opens the file; shown this once.
        password: Secret,
    },
    /// The right to enrol once.
    Token {
        /// The token; shown this once.
        token: Secret,
        /// When it dies, RFC 3339.
        expires_at: String,
        /// The root certificate, as a PEM file: the device knows the appliance by it.
        root: Download,
    },
}

impl Default for Handover {
    fn default() -> Self {
        Self::Token { token: Secret::default(), expires_at: String::new(), root: Download::default() }
    }
}
