//! The console: the admin site.

pub(crate) fn router(_house: crate::api::House) -> axum::Router {
    axum::Router::new()
}
