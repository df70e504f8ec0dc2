//! The page after signing out.

use crate::{Chrome, Page};

/// The answer to `POST /sign-out`, or to a request of a session that has ended.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "signed_out.html")]
pub struct SignedOut {
    /// The surroundings, with an empty `admin`.
    pub chrome: Chrome,
    /// Whether the session ended by itself, after too long a silence.
    pub timed_out: bool,
}
