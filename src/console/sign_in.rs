//! Signing in with name and password, and signing out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use chancery_admin_ui::sign_in::SignIn as Page;
use chancery_admin_ui::signed_out::SignedOut;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::flash::{Done, done};
use super::guard::Visitor;
use super::page::{Answer, Trouble, retry_after, show, show_as};
use super::session::{self, Opening};
use super::{Console, cookie};
use crate::audit::Deed;
use crate::directory::SignIn;
use crate::principal::Principal;
use crate::secret;
use crate::store::StoreError;
use crate::time::{self, Timestamp};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/sign-in", get(form).post(sign_in)).route("/sign-out", post(sign_out))
}

#[derive(Deserialize)]
struct Sent {
    name: String,
    password: Zeroizing<String>,
}

async fn form(Extension(visitor): Extension<Arc<Visitor>>) -> Answer {
    if visitor.admin.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    show(&Page { chrome: visitor.chrome(None, &[&["admin", "link"]]), ..Page::default() })
}

async fn sign_in(
    State(console): State<Console>,
    Extension(visitor): Extension<Arc<Visitor>>,
    Form(sent): Form<Sent>,
) -> Answer {
    let name: String = admin_name(&sent.name);
    if let Err(wait) = console.knocks.admit(&name, visitor.address, time::monotonic()) {
        return too_often(&visitor, name, wait);
    }
    let asked = name.clone();
    let phc = console.house.store.read(move |view| view.admin_password(&asked)).await?;
    let (known, now) = (phc.is_some(), time::now());
    // An unknown name takes as long as a wrong password.
    if !secret::check_password(sent.password.clone(), phc).await {
        if !known && !console.house.facts.admin_groups.is_empty() {
            return sign_in_person(&console, &visitor, sent, now).await;
        }
        let why = if known { "wrong password" } else { "unknown name" };
        note_failure(&console, known.then_some(&*name), why, visitor.address, now).await?;
        return back(StatusCode::FORBIDDEN, &visitor, name, REFUSED.into());
    }
    console.knocks.forgive(&name, visitor.address);
    open(&console, &visitor, Opening::of(&name, None, visitor.session, now), &name, "password").await
}

/// Somebody whom the directory may have made an admin. Which of the refusals it was, only the audit says.
async fn sign_in_person(console: &Console, visitor: &Visitor, sent: Sent, now: Timestamp) -> Answer {
    let name = person_name(&sent.name);
    let directory = &console.house.directory;
    let why = match directory.sign_in(&name, sent.password, Some(visitor.address)).await {
        SignIn::Accepted(account) if console.is_admin(&account) => {
            console.knocks.forgive(&admin_name(&name), visitor.address);
            let opening = Opening::of(&account.name, Some(account.id), visitor.session, now);
            return open(console, visitor, opening, &account.name, "directory").await;
        }
        SignIn::Accepted(_) => "in no group of admins".to_owned(),
        SignIn::Throttled(wait) => return too_often(visitor, name, wait),
        SignIn::Unavailable(why) => {
            tracing::warn!(why, "a password could not be checked");
            let problem = "The directory cannot be asked now. Try again in a few minutes.";
            return back(StatusCode::SERVICE_UNAVAILABLE, visitor, name, problem.into());
        }
        SignIn::WrongPassword => "wrong password".to_owned(),
        SignIn::Unknown => "unknown name".to_owned(),
        SignIn::Disabled(why) => why,
    };
    let known = directory.find(&name).map(|account| account.name.clone());
    note_failure(console, known.as_deref(), &why, visitor.address, now).await?;
    back(StatusCode::FORBIDDEN, visitor, name, REFUSED.into())
}

async fn open(console: &Console, visitor: &Visitor, opening: Opening, name: &str, by: &str) -> Answer {
    let opening = Arc::new(opening);
    let (keep, facts) = (opening.clone(), json!({ "by": by, "address": visitor.address }));
    console.house.store.write(move |tx| keep.keep(tx, facts)).await?;
    let mut response = done("/", Done::SignedIn, name);
    opening.hand_over(&mut response);
    Ok(response)
}

const REFUSED: &str = "Name or password is wrong.";

async fn sign_out(State(console): State<Console>, Extension(visitor): Extension<Arc<Visitor>>) -> Answer {
    if let (Some(admin), Some(hash)) = (&visitor.admin, visitor.session) {
        session::end(&console.house.store, &Principal::Admin(admin.clone()), hash, time::now()).await?;
    }
    let chrome = chancery_admin_ui::Chrome { admin: String::new(), ..visitor.chrome(None, &[]) };
    let mut response = show(&SignedOut { chrome, timed_out: false })?;
    cookie::clear(&mut response, cookie::SESSION);
    Ok(response)
}

/// Names of admins are compared in lower case, and none is longer than 64 characters.
pub(super) fn admin_name(typed: &str) -> String {
    typed.trim().to_lowercase().chars().take(64).collect()
}

/// So are those of people, and mail addresses are the longest that directories take for one.
pub(super) fn person_name(typed: &str) -> String {
    typed.trim().to_lowercase().chars().take(254).collect()
}

fn too_often(visitor: &Visitor, name: String, wait: Duration) -> Answer {
    let problem = format!("Too many wrong passwords. Wait {} seconds, then try again.", wait.as_secs() + 1);
    let response = back(StatusCode::TOO_MANY_REQUESTS, visitor, name, problem)?;
    Ok((retry_after(wait), response).into_response())
}

fn back(status: StatusCode, visitor: &Visitor, name: String, problem: String) -> Result<Response, Trouble> {
    show_as(status, &Page { chrome: visitor.chrome(None, &[&["admin", "link"]]), name, problem })
}

/// A name that is nobody's is not written down: it may be a password typed into the wrong field.
async fn note_failure(
    console: &Console,
    name: Option<&str>,
    why: &str,
    from: IpAddr,
    now: Timestamp,
) -> Result<(), StoreError> {
    let deed = Deed::new(&Principal::System, "admin.sign-in", name.unwrap_or("unknown"))
        .with(json!({ "refused": why, "address": from }));
    console.house.store.write(move |tx| tx.remember(deed, now)).await
}
