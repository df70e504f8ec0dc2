//! The one-time link: an admin's first way in, and the way back in.
//!
//! Looking at the link uses nothing up, so neither a mail scanner nor a reload can; the form does, together with the
//! new admin and the session, in one unit of work.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router};
use chancery_admin_ui::link::{LEAST_PASSWORD, Link as Page};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::Console;
use super::flash::{Done, done};
use super::guard::Visitor;
use super::page::{Answer, Trouble, show, show_as, step};
use super::session::Opening;
use super::sign_in::admin_name;
use crate::api::Refused;
use crate::audit::Deed;
use crate::principal::Principal;
use crate::secret;
use crate::store::{Link, StoreError, Tx};
use crate::time::{self, Timestamp};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/link/{token}", get(form).post(use_up))
}

#[derive(Deserialize)]
struct Sent {
    name: String,
    password: Zeroizing<String>,
    again: Zeroizing<String>,
}

async fn form(
    State(console): State<Console>,
    Extension(visitor): Extension<Arc<Visitor>>,
    Path(token): Path<Zeroizing<String>>,
) -> Answer {
    look(&console, secret::digest(&token), time::now()).await?;
    show(&page(&visitor, &token, String::new(), String::new()))
}

/// Judge what was typed, see that the link is good before the costly hash, then use it.
async fn use_up(
    State(console): State<Console>,
    Extension(visitor): Extension<Arc<Visitor>>,
    Path(token): Path<Zeroizing<String>>,
    Form(sent): Form<Sent>,
) -> Answer {
    let (hash, now) = (secret::digest(&token), time::now());
    look(&console, hash, now).await?;
    if let Some(problem) = judge(&sent) {
        let page = page(&visitor, &token, sent.name, problem);
        return show_as(StatusCode::BAD_REQUEST, &page);
    }
    let name = admin_name(&sent.name);
    let hashed = secret::hash_password(sent.password).await;
    let phc = hashed.map_err(|error| Refused::Failed(error.to_string()))?;

    let opening = Arc::new(Opening::of(&name, None, visitor.session, now));
    let (keep, facts) = (opening.clone(), json!({ "by": "one-time link", "address": visitor.address }));
    let admin = name.clone();
    let unit = move |tx: &mut Tx| -> Result<Link, StoreError> {
        let link = tx.use_console_link(&hash, now)?;
        if link == Link::Good {
            appoint(tx, &admin, &phc, now)?;
            keep.keep(tx, facts)?;
        }
        Ok(link)
    };
    match console.house.store.write(unit).await? {
        Link::Good => {
            let mut response = done("/", Done::SignedIn, &name);
            opening.hand_over(&mut response);
            Ok(response)
        }
        Link::Dead => Err(dead()),
    }
}

async fn look(console: &Console, hash: [u8; 32], now: Timestamp) -> Result<(), Trouble> {
    match console.house.store.read(move |view| view.console_link(&hash, now)).await? {
        Link::Good => Ok(()),
        Link::Dead => Err(dead()),
    }
}

/// Makes an admin, or gives one a new password.
fn appoint(tx: &mut Tx, name: &str, phc: &str, now: Timestamp) -> Result<(), StoreError> {
    let deed = if tx.admin_password(name)?.is_some() { "admin.set-password" } else { "admin.create" };
    tx.put_admin(name, phc, now)?;
    let who = Principal::Admin(name.into());
    tx.remember(Deed::new(&who, deed, name).with(json!({ "by": "one-time link" })), now)
}

/// What is wrong with a name and a password, as a sentence.
fn judge(sent: &Sent) -> Option<String> {
    let name = sent.name.trim();
    if !(1..=64).contains(&name.chars().count()) || name.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Some("The admin name takes 1 to 64 characters without spaces.".into());
    }
    if sent.password.chars().count() < LEAST_PASSWORD {
        return Some(format!("The password is too short: at least {LEAST_PASSWORD} characters."));
    }
    (sent.password != sent.again).then(|| "The two passwords are not the same.".into())
}

fn page(visitor: &Visitor, token: &str, name: String, problem: String) -> Page {
    Page { chrome: visitor.chrome(None, &[]), token: token.into(), name, expires_at: String::new(), problem }
}

fn dead() -> Trouble {
    let what = "The link was used, is too old, or was never given out.";
    let again = step("On the host, sudo chancery admin link prints a new one", "");
    Trouble::new(StatusCode::NOT_FOUND, "This link no longer works", what).and(again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str, password: &str, again: &str) -> Option<String> {
        let (password, again) = (Zeroizing::new(password.to_owned()), Zeroizing::new(again.to_owned()));
        judge(&Sent { name: name.into(), password, again })
    }

    #[test]
    fn a_password_has_twelve_characters_and_is_typed_twice() {
        assert_eq!(judged("ada", "correct horse", "correct horse"), None);
        assert!(judged("ada", "eleven char", "eleven char").is_some_and(|why| why.contains("at least 12")));
        assert!(
            judged("ada", "correct horse", "correct house").is_some_and(|why| why.contains("not the same"))
        );
    }

    #[test]
    fn an_admin_has_a_name_that_can_be_typed() {
        for name in ["", "  ", "two words", "line\nbreak", &"a".repeat(65)] {
            assert!(judged(name, "correct horse", "correct horse").is_some(), "{name:?}");
        }
    }
}
