//! Everything that somebody can do about their own certificates, on one page.

use super::Guide;
use crate::{Choice, Chrome, Page, certificates::CertificateRow};

/// `GET /enroll`. The ways post `how` = `csr` (with `csr`, PEM) or `pkcs12` (with `legacy` = `yes` for old software) to
/// the same path; `/enroll/code` makes a code for a phone; each certificate has `/enroll/certificates/{serial}/renew`
/// and `…/revoke`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "self_service/desk.html")]
pub struct Desk {
    /// The surroundings, with a `person`.
    pub chrome: Chrome,
    /// The account as a part of file names.
    pub file: String,
    /// The person's name.
    pub name: String,
    /// Whether there is a photo, at `/enroll/photo`.
    pub photo: bool,
    /// The names that a certificate will carry.
    pub names: Vec<(String, String)>,
    /// How long it will be in force, in words.
    pub validity: String,
    /// What an archive may be for, posted as `purpose`; nothing to choose when empty. A key made in the browser is a
    /// client's, for mail programs import archives alone.
    pub purposes: Vec<Choice>,
    /// The person's certificates, newest first.
    pub rows: Vec<Own>,
    /// How clients are set up.
    pub guide: Guide,
    /// Why the last attempt was refused; empty at first.
    pub problem: String,
}

/// One of the person's certificates.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// The certificate.
    pub row: CertificateRow,
    /// What it is for, in words.
    pub purpose: String,
    /// Live sessions that show it.
    pub sessions: u64,
    /// Whether the person may renew it alone.
    pub renewable: bool,
}
