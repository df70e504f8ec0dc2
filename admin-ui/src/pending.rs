//! Requests that wait for an admin.

use crate::{Chrome, Page};

/// `GET /pending`; a row's buttons post to `/pending/{id}/approve` and `…/deny`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "pending.html")]
pub struct Pending {
    /// The surroundings.
    pub chrome: Chrome,
    /// The oldest first.
    pub rows: Vec<PendingRow>,
    /// Why the last deed was not done; empty when it was.
    pub problem: String,
}

/// One request.
#[derive(Clone, Debug, Default)]
pub struct PendingRow {
    /// The request's id.
    pub id: String,
    /// Who would own the certificate.
    pub account: String,
    /// The rules that it would be issued by, such as `server`.
    pub profile: String,
    /// Names besides those of the directory; empty where there are none.
    pub names: String,
    /// By which protocol it came, such as `est`.
    pub front: String,
    /// SHA-256 of the public key.
    pub key: String,
    /// RFC 3339.
    pub created_at: String,
    /// When it is forgotten, RFC 3339.
    pub expires_at: String,
}
