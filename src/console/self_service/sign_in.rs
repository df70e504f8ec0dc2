//! Signing in with name and password of the directory, once more when that was a while ago, and signing out.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use axum::{Extension, Router};
use chancery_admin_ui::self_service::sign_in::SignIn as Page;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::guard::{Person, Visitor};
use super::session::{self, Opening};
use crate::audit::Deed;
use crate::console::flash::{Done, done};
use crate::console::page::{Answer, retry_after, show, show_as};
use crate::console::sign_in::person_name;
use crate::console::{Console, cookie};
use crate::directory::{Directory, SignIn};
use crate::principal::Principal;
use crate::store::StoreError;
use crate::time::{self, Timestamp};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/enroll/sign-in", get(form).post(sign_in)).route("/enroll/sign-out", post(sign_out))
}

#[derive(Deserialize)]
struct Sent {
    name: String,
    password: Zeroizing<String>,
}

async fn form(Extension(visitor): Extension<Arc<Visitor>>) -> Answer {
    match visitor.person {
        Some(_) => Ok(Redirect::to("/enroll").into_response()),
        None => show(&Page { chrome: visitor.chrome(), ..Page::default() }),
    }
}

/// The same question to the directory as at the doors of MQTT. Which of the refusals it was, only the audit says.
async fn sign_in(
    State(console): State<Console>,
    Extension(visitor): Extension<Arc<Visitor>>,
    Form(sent): Form<Sent>,
) -> Answer {
    let name = person_name(&sent.name);
    let now = time::now();
    let why = match console.house.directory.sign_in(&name, sent.password, Some(visitor.address)).await {
        SignIn::Accepted(account) => {
            let (who, known) = (Directory::principal(&account), account.name.clone());
            let opening = Arc::new(Opening::of(&account, visitor.session, now));
            let (keep, facts) = (opening.clone(), json!({ "address": visitor.address }));
            console.house.store.write(move |tx| keep.keep(tx, &who, &known, facts)).await?;
            let mut response = done("/enroll", Done::SignedIn, &account.display);
            opening.hand_over(&mut response);
            return Ok(response);
        }
        SignIn::Unavailable(why) => {
            tracing::warn!(why, "a password could not be checked");
            let problem = "The directory cannot be asked now. Try again in a few minutes.";
            return back(StatusCode::SERVICE_UNAVAILABLE, &visitor, name, problem);
        }
        SignIn::Throttled(wait) => {
            let why =
                format!("Too many wrong passwords. Wait {} seconds, then try again.", wait.as_secs() + 1);
            let response = back(StatusCode::TOO_MANY_REQUESTS, &visitor, name, why.as_str())?;
            return Ok((retry_after(wait), response).into_response());
        }
        SignIn::WrongPassword => "wrong password".to_owned(),
        SignIn::Unknown => "no such account".to_owned(),
        SignIn::Disabled(why) => why,
    };
    note_failure(&console, &name, why, visitor.address, now).await?;
    back(StatusCode::FORBIDDEN, &visitor, name, "Name or password is wrong, or the account may not sign in.")
}

async fn sign_out(State(console): State<Console>, person: Person) -> Answer {
    if let Some(hash) = person.visitor.session {
        session::end(&console.house.store, &person.who, &person.account.name, hash, time::now()).await?;
    }
    let mut response = Redirect::to("/enroll/sign-in").into_response();
    cookie::clear(&mut response, cookie::PERSON);
    Ok(response)
}

fn back(status: StatusCode, visitor: &Visitor, name: String, problem: &str) -> Answer {
    let (chrome, again) = (visitor.chrome(), visitor.person.is_some());
    show_as(status, &Page { chrome, name, again, problem: problem.into() })
}

/// A name that is nobody's is not written down: it may be a password typed into the wrong field.
async fn note_failure(
    console: &Console,
    name: &str,
    why: String,
    from: IpAddr,
    now: Timestamp,
) -> Result<(), StoreError> {
    let known = console.house.directory.find(name);
    let subject = known.map_or_else(|| "unknown".to_owned(), |account| account.name.clone());
    let deed = Deed::new(&Principal::System, "self-service.sign-in", subject)
        .with(json!({ "refused": why, "address": from }));
    console.house.store.write(move |tx| tx.remember(deed, now)).await
}
