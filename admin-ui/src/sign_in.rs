//! The sign-in form.

use crate::{Chrome, Page};

/// `GET /sign-in`; posts `name`, `password` and `csrf` to the same path.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "sign_in.html")]
pub struct SignIn {
    /// The surroundings, with an empty `admin`.
    pub chrome: Chrome,
    /// The admin name to show again after a refusal.
    pub name: String,
    /// Why the last attempt was refused; empty at first.
    pub problem: String,
}
