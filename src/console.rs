//! The console: the admin site. One file for each screen, where rows of the house become views of `admin-ui`.
//!
//! Whoever asks meets the same three people at the entrance, in this order: `headers` dresses every answer, `guard`
//! finds out who asks and turns away strangers and foreign forms, and a screen answers. A screen decides nothing: each
//! deed is an operation of the house with the admin as who acts, the same that the API and the command line do. People
//! who are no admins have `self_service`, with an entrance of its own.

mod account;
mod accounts;
mod assets;
mod audit;
mod certificates;
mod cookie;
mod csrf;
mod enrol;
mod flash;
mod guard;
mod headers;
mod keys;
mod link;
mod outbox;
mod overview;
mod page;
mod peers;
mod pending;
mod revoke;
mod rooms;
mod self_service;
mod session;
mod sessions;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::api::House;
use crate::directory::Limiter;
use crate::store::Account;

/// Few admins share a network.
const WRONG_PER_NETWORK: usize = 20;

/// What screens work with.
#[derive(Clone)]
struct Console {
    house: House,
    /// Who tried admins' passwords lately.
    knocks: Arc<Limiter>,
}

impl Console {
    /// Whether somebody of the directory governs the house, at this moment.
    fn is_admin(&self, account: &Account) -> bool {
        let grants = |group: &String| self.house.facts.admin_groups.contains(group);
        account.disabled().is_none() && account.groups.iter().any(grants)
    }
}

/// The whole site, for the door `https`.
pub(crate) fn router(house: House) -> Router {
    let console = Console { house, knocks: Arc::new(Limiter::new(WRONG_PER_NETWORK)) };
    let screens = Router::new()
        .merge(sign_in::routes())
        .merge(link::routes())
        .merge(overview::routes())
        .merge(accounts::routes())
        .merge(account::routes())
        .merge(enrol::routes())
        .merge(certificates::routes())
        .merge(pending::routes())
        .merge(revoke::routes())
        .merge(keys::routes())
        .merge(sessions::routes())
        .merge(rooms::routes())
        .merge(outbox::routes())
        .merge(peers::routes())
        .merge(audit::routes())
        .fallback(page::nothing_here)
        .method_not_allowed_fallback(page::not_that_way)
        .layer(DefaultBodyLimit::max(csrf::LARGEST_FORM))
        .layer(from_fn_with_state(console.clone(), guard::guard));
    let people = self_service::router(console.clone());
    screens.merge(people).merge(assets::routes()).layer(from_fn(headers::dress)).with_state(console)
}
