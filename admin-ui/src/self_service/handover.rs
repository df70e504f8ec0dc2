//! What somebody takes away, once.

use super::Guide;
use crate::{Chrome, Download, Page, Secret, certificates::CertificateRow};

/// The answer to a form of [`super::desk::Desk`] or [`super::ways::Ways`] when it succeeded. A key that was made in the
/// browser is added there, by the script.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "self_service/handover.html")]
pub struct Handover {
    /// The surroundings.
    pub chrome: Chrome,
    /// The account as a part of file names.
    pub file: String,
    /// The new certificate.
    pub row: CertificateRow,
    /// What it is for, in words.
    pub purpose: String,
    /// The certificate, then its issuers, as a PEM file.
    pub chain: Download,
    /// The root certificate, as a PEM file.
    pub root: Download,
    /// Key and certificate in one file, and its password, where the house made the key.
    pub archive: Option<(Download, Secret)>,
    /// The archive is the weak kind.
    pub legacy: bool,
    /// The certificate that was renewed and still stands; empty for a first one.
    pub renewed: String,
    /// How clients are set up with it; `None` for one that is for mail.
    pub guide: Option<Guide>,
}
