//! The one-time link: an admin's first way in, and the way back in.

use crate::{Chrome, Page, Secret};

/// `GET /link/{token}`. Looking consumes nothing; the form posts `name`, `password`, `again` and
/// `csrf` to the same path, and that consumes the link.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "link.html")]
pub struct Link {
    /// The surroundings, with an empty `admin`.
    pub chrome: Chrome,
    /// The secret part of the path.
    pub token: Secret,
    /// The admin name to propose.
    pub name: String,
    /// When the link dies, RFC 3339.
    pub expires_at: String,
    /// Why the last attempt was refused; empty at first.
    pub problem: String,
}

/// The least number of characters that an admin's password has (NIST SP 800-63B §3.1.1 asks for 8).
pub const LEAST_PASSWORD: usize = 12;
