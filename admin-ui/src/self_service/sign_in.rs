//! The sign-in of people, which is not the admins'.

use crate::{Chrome, Page};

/// `GET /enroll/sign-in`; posts `name`, `password` and `csrf` to the same path.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "self_service/sign_in.html")]
pub struct SignIn {
    /// The surroundings, before sign-in.
    pub chrome: Chrome,
    /// The name to show again after a refusal, or whose password is wanted once more.
    pub name: String,
    /// Somebody is signed in, and the password was asked too long ago for what is wanted.
    pub again: bool,
    /// Why the last attempt was refused; empty at first.
    pub problem: String,
}
