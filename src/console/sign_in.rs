//! Signing in with name and password, and signing out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use chancery_admin_ui::sign_in::SignIn;
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
    show(&SignIn { chrome: visitor.chrome(None, &[&["admin", "link"]]), ..SignIn::default() })
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
    if !secret::check_password(sent.password, phc).await {
        note_failure(&console, known.then_some(&*name), visitor.address, now).await?;
        return back(StatusCode::FORBIDDEN, &visitor, name, "Name or password is wrong.".into());
    }
    console.knocks.forgive(&name, visitor.address);

    let opening = Arc::new(Opening::of(&name, visitor.session, now));
    let (keep, facts) = (opening.clone(), json!({ "by": "password", "address": visitor.address }));
    console.house.store.write(move |tx| keep.keep(tx, facts)).await?;
    let mut response = done("/", Done::SignedIn, &name);
    opening.hand_over(&mut response);
    Ok(response)
}

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

fn too_often(visitor: &Visitor, name: String, wait: Duration) -> Answer {
    let problem = format!("Too many wrong passwords. Wait {} seconds, then try again.", wait.as_secs() + 1);
    let response = back(StatusCode::TOO_MANY_REQUESTS, visitor, name, problem)?;
    Ok((retry_after(wait), response).into_response())
}

fn back(status: StatusCode, visitor: &Visitor, name: String, problem: String) -> Result<Response, Trouble> {
    show_as(status, &SignIn { chrome: visitor.chrome(None, &[&["admin", "link"]]), name, problem })
}

/// A name that is nobody's is not written down: it may be a password typed into the wrong field.
async fn note_failure(
    console: &Console,
    name: Option<&str>,
    from: IpAddr,
    now: Timestamp,
) -> Result<(), StoreError> {
    let why = if name.is_some() { "wrong password" } else { "unknown name" };
    let deed = Deed::new(&Principal::System, "admin.sign-in", name.unwrap_or("unknown"))
        .with(json!({ "refused": why, "address": from }));
    console.house.store.write(move |tx| tx.remember(deed, now)).await
}
