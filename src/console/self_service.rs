//! Self-service, `/enroll`: people get, renew and revoke their own certificates, and set up their devices.
//!
//! It shares dress, forms and pages with the console, and nothing that opens a door: people sign in with the password
//! of the directory, have cookies and sessions of their own, and act as their account, never as an admin. What changes
//! something wants the password of the last minutes. A phone comes with a code instead, good for one certificate.

mod code;
mod desk;
mod guard;
mod guide;
mod handover;
mod phone;
mod quota;
mod renew;
mod revoke;
mod session;
mod sign_in;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use super::{Console, csrf, page};

pub(super) fn router(console: Console) -> Router<Console> {
    Router::new()
        .merge(sign_in::routes())
        .merge(desk::routes())
        .merge(renew::routes())
        .merge(revoke::routes())
        .merge(code::routes())
        .merge(phone::routes())
        .method_not_allowed_fallback(page::not_that_way)
        .layer(DefaultBodyLimit::max(csrf::LARGEST_FORM))
        .layer(from_fn_with_state(console, guard::guard))
}
