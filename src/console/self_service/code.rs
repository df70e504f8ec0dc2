//! A code for a phone: an address with a token in it, as a picture. It holds no key: the phone makes or fetches its own.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use chancery_admin_ui::Qr;
use chancery_admin_ui::self_service::code::Code;

use super::guard::Proven;
use super::quota;
use crate::console::Console;
use crate::console::page::{Answer, show};
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/enroll/code", post(draw))
}

async fn draw(State(console): State<Console>, Proven(person): Proven) -> Answer {
    let now = time::now();
    quota::check(&console, &person.who, &person.account, now).await?;
    let drawn = console.house.enrollment.code(&person.who, now).await?;
    let url = format!("{}/enroll/phone/{}", console.house.facts.console_url, drawn.secret.as_str());
    show(&Code {
        chrome: person.visitor.chrome(),
        qr: Qr::of(&url),
        url: url.into(),
        expires_at: drawn.until.to_string(),
        fingerprint: console.house.enrollment.root_fingerprint(),
    })
}
