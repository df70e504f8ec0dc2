//! The guard of the self-service page: finds out which person asks, before any screen is asked.
//!
//! Strangers get as far as the sign-in and the page behind a phone's code. A screen that takes a [`Person`] is for
//! looking; one that takes a [`Proven`] may change something, for the password was asked a moment ago.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::ALLOW;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use chancery_admin_ui::self_service::sign_in::SignIn;
use chancery_admin_ui::{Chrome, Flash};
use zeroize::Zeroizing;

use super::session;
use crate::console::csrf::{self, Before};
use crate::console::guard::{address, trouble_of};
use crate::console::page::{self, Trouble};
use crate::console::{Console, cookie, flash};
use crate::directory::Directory;
use crate::principal::Principal;
use crate::store::Account;
use crate::time::{self, Timestamp};

/// The screens for everybody.
const OPEN: [&str; 2] = ["/enroll/sign-in", "/enroll/phone/{code}"];

/// Whoever asks.
pub(super) struct Visitor {
    /// `None` is a stranger. Otherwise an account that may act at this moment, and when its password was asked.
    pub(super) person: Option<(Arc<Account>, Timestamp)>,
    /// The session of this browser, by the hash of its secret.
    pub(super) session: Option<[u8; 32]>,
    pub(super) address: IpAddr,
    csrf: Zeroizing<String>,
    flash: Option<Flash>,
    domain: String,
    /// A secret that a stranger's browser has to be given.
    before: Option<Zeroizing<String>>,
}

/// Somebody who is signed in.
pub(super) struct Person {
    pub(super) who: Principal,
    pub(super) account: Arc<Account>,
    pub(super) visitor: Arc<Visitor>,
}

/// Somebody who has just shown to be who they are.
pub(super) struct Proven(pub(super) Person);

/// Stands between the door and the screens.
pub(super) async fn guard(State(console): State<Console>, request: Request, next: Next) -> Response {
    let visitor = match Visitor::meet(&console, request.headers(), address(&request)).await {
        Ok(visitor) => Arc::new(visitor),
        Err(trouble) => return page::told(trouble, Chrome::default(), page::step("Try again", "/enroll")),
    };
    let shows_flash = visitor.flash.is_some();
    let mut response = match admit(request, &visitor).await {
        Ok(request) => next.run(request).await,
        Err(response) => response,
    };
    if let Some(trouble) = trouble_of(&mut response) {
        let allowed = response.headers_mut().remove(ALLOW);
        response = page::told(trouble, visitor.chrome(), page::step("Go to your certificates", "/enroll"));
        response.headers_mut().extend(allowed.map(|methods| (ALLOW, methods)));
    }
    if shows_flash && !response.status().is_redirection() {
        cookie::clear(&mut response, cookie::FLASH);
    }
    if let Some(before) = &visitor.before {
        cookie::set(&mut response, cookie::BEFORE, before);
    }
    response
}

async fn admit(request: Request, visitor: &Arc<Visitor>) -> Result<Request, Response> {
    let path = request.extensions().get::<MatchedPath>();
    let is_open = path.is_some_and(|path| OPEN.contains(&path.as_str()));
    if visitor.person.is_none() && !is_open {
        return Err(Redirect::to("/enroll/sign-in").into_response());
    }
    let mut request = csrf::check(request, &visitor.csrf).await.map_err(IntoResponse::into_response)?;
    request.extensions_mut().insert(visitor.clone());
    Ok(request)
}

impl Visitor {
    /// Looks at the cookies of whoever asks. Somebody who may no longer act is a stranger.
    async fn meet(console: &Console, headers: &HeaderMap, address: IpAddr) -> Result<Self, Trouble> {
        let session = session::shown(headers);
        let found = session::find(&console.house.store, session, time::now()).await?;
        let found = found.and_then(|row| Some((console.house.directory.by_id(row.account)?, row)));
        let (person, csrf, before) = match found {
            Some((account, row)) if account.disabled().is_none() => {
                (Some((account, row.proved_at)), Zeroizing::new(row.csrf), None)
            }
            _ => {
                let Before { csrf, fresh } = csrf::before(headers);
                (None, csrf, fresh)
            }
        };
        let (flash, domain) = (flash::waiting(headers), console.house.facts.domain.clone());
        Ok(Self { person, session, address, csrf, flash, domain, before })
    }

    /// What surrounds a page for this visitor.
    pub(super) fn chrome(&self) -> Chrome {
        Chrome {
            domain: self.domain.clone(),
            person: self.person.as_ref().map(|(account, _)| account.name.clone()).unwrap_or_default(),
            csrf: self.csrf.as_str().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            flash: self.flash.clone(),
            ..Chrome::default()
        }
    }

    /// The sign-in, for somebody whose password was asked too long ago.
    fn ask_again(&self, name: &str) -> Response {
        let form = SignIn { chrome: self.chrome(), name: name.into(), again: true, problem: String::new() };
        page::show_as(StatusCode::FORBIDDEN, &form).unwrap_or_else(IntoResponse::into_response)
    }
}

impl<S: Sync> FromRequestParts<S> for Person {
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Redirect> {
        let visitor = parts.extensions.get::<Arc<Visitor>>().cloned();
        let found = visitor.and_then(|visitor| Some((visitor.person.as_ref()?.0.clone(), visitor)));
        let (account, visitor) = found.ok_or_else(|| Redirect::to("/enroll/sign-in"))?;
        Ok(Self { who: Directory::principal(&account), account, visitor })
    }
}

impl<S: Sync> FromRequestParts<S> for Proven {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let person = Person::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        match &person.visitor.person {
            Some((_, proved_at)) if session::is_fresh(*proved_at, time::now()) => Ok(Self(person)),
            _ => Err(person.visitor.ask_again(&person.account.name)),
        }
    }
}
