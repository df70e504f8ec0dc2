//! The four ways to a new certificate for an account.

use crate::{Chrome, Page};

/// `GET /accounts/{account}/enrol`. Each way is a form that posts `how` = `csr`, `pkcs12` or `token`
/// to the same path, `csr` with the request in the field `csr` (PEM).
///
/// A key made in the browser sends `how=csr` too: the script posts the form itself, shows the
/// answer (see [`crate::enrolled::Enrolled`]) in place, and adds the key that it kept.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "enrol.html")]
pub struct Enrol {
    /// The surroundings.
    pub chrome: Chrome,
    /// Whose certificate it will be.
    pub account: String,
    /// The person's name.
    pub name: String,
    /// The names that the certificate will carry: kinds and values, from the directory.
    pub names: Vec<(String, String)>,
    /// How long it will be in force, in words, such as "90 days".
    pub validity: String,
    /// The request as last pasted, shown again after a refusal.
    pub csr: String,
    /// Why the last attempt was refused; empty at first.
    pub problem: String,
}
