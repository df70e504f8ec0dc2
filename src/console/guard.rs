//! The guard: finds out who asks before any screen is asked.
//!
//! Strangers get as far as the sign-in and the one-time link; a page that is not on that short list needs an admin,
//! so that a new screen is closed until somebody opens it on purpose. What changes something must come from a page of
//! this site. Every answer without a page of its own, whoever gave it, becomes one here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use chancery_admin_ui::message::Step;
use chancery_admin_ui::signed_out::SignedOut;
use chancery_admin_ui::{Chrome, Flash, Nav};
use zeroize::Zeroizing;

use super::csrf::Before;
use super::page::{self, Trouble};
use super::session::{self, Seat};
use super::{Console, cookie, csrf, flash};
use crate::principal::Principal;
use crate::time;

/// The screens for everybody. What has no screen at all is told to everybody as well.
const OPEN: [&str; 3] = ["/sign-in", "/sign-out", "/link/{token}"];

/// Whoever asks.
pub(super) struct Visitor {
    /// `None` is a stranger.
    pub(super) admin: Option<Arc<str>>,
    /// The session of this browser, by the hash of its secret.
    pub(super) session: Option<[u8; 32]>,
    pub(super) address: IpAddr,
    /// What its forms must carry.
    csrf: Zeroizing<String>,
    flash: Option<Flash>,
    domain: String,
    /// The session that the browser believes in has ended by itself.
    timed_out: bool,
    /// A secret that a stranger's browser has to be given.
    before: Option<Zeroizing<String>>,
}

/// An admin who asks; handlers that take one are for admins only.
pub(super) struct Admin {
    pub(super) who: Principal,
    pub(super) visitor: Arc<Visitor>,
}

/// Stands between the door and the screens.
pub(super) async fn guard(State(console): State<Console>, request: Request, next: Next) -> Response {
    let shows_flash = flash::waiting(request.headers()).is_some();
    let (visitor, admitted) =
        match Visitor::meet(&console, request.headers().clone(), address(&request)).await {
            Ok(visitor) => {
                let admitted = admit(request, &visitor).await;
                (visitor, admitted)
            }
            Err(trouble) => (Arc::new(Visitor::unknown(&console)), Err(trouble.into_response())),
        };
    let mut response = match admitted {
        Ok(request) => next.run(request).await,
        Err(response) => response,
    };
    if let Some(trouble) = trouble_of(&mut response) {
        let allowed = response.headers_mut().remove(ALLOW);
        response = page::told(trouble, visitor.chrome(None, &[]), visitor.way_back());
        response.headers_mut().extend(allowed.map(|methods| (ALLOW, methods)));
    }
    if shows_flash && !response.status().is_redirection() {
        cookie::clear(&mut response, cookie::FLASH);
    }
    visitor.finish(&mut response);
    response
}

async fn admit(request: Request, visitor: &Arc<Visitor>) -> Result<Request, Response> {
    if visitor.admin.is_none() && !is_open(&request) {
        return Err(visitor.turn_away());
    }
    let mut request = csrf::check(request, &visitor.csrf).await.map_err(IntoResponse::into_response)?;
    request.extensions_mut().insert(visitor.clone());
    Ok(request)
}

fn is_open(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    path.is_none_or(|path| OPEN.contains(&path.as_str()))
}

pub(super) fn address(request: &Request) -> IpAddr {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>();
    from.map_or(NOWHERE, |ConnectInfo(from)| from.ip())
}

/// What is to be told instead of an answer that has no page: ours, or the framework's, such as a form that does not
/// parse.
pub(super) fn trouble_of(response: &mut Response) -> Option<Trouble> {
    if let Some(trouble) = response.extensions_mut().remove::<Trouble>() {
        return Some(trouble);
    }
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    let has_page = kind.is_some_and(|kind| kind.starts_with(b"text/html"));
    ((status.is_client_error() || status.is_server_error()) && !has_page).then(|| Trouble::bare(status))
}

impl Visitor {
    /// Looks at the cookies and the address of whoever asks.
    async fn meet(console: &Console, headers: HeaderMap, address: IpAddr) -> Result<Arc<Self>, Trouble> {
        let session = session::shown(&headers);
        let known = Self { session, address, flash: flash::waiting(&headers), ..Self::unknown(console) };
        Ok(Arc::new(match session::seat(console, session, time::now()).await? {
            Seat::Taken { admin, csrf } => Self { admin: Some(admin), csrf, ..known },
            Seat::Empty => known.stranger(&headers, false),
            Seat::Over => known.stranger(&headers, true),
        }))
    }

    fn unknown(console: &Console) -> Self {
        Self {
            admin: None,
            session: None,
            address: NOWHERE,
            csrf: Zeroizing::default(),
            flash: None,
            domain: console.house.facts.domain.clone(),
            timed_out: false,
            before: None,
        }
    }

    fn stranger(self, headers: &HeaderMap, timed_out: bool) -> Self {
        let Before { csrf, fresh } = csrf::before(headers);
        Self { csrf, timed_out, before: fresh, session: None, ..self }
    }

    /// A stranger at a closed screen.
    fn turn_away(&self) -> Response {
        if !self.timed_out {
            return Redirect::to("/sign-in").into_response();
        }
        let page = SignedOut { chrome: self.chrome(None, &[]), timed_out: true };
        page::show_as(StatusCode::FORBIDDEN, &page).unwrap_or_else(IntoResponse::into_response)
    }

    fn way_back(&self) -> Step {
        match self.admin {
            Some(_) => page::step("Go to the overview", "/"),
            None => page::step("Go to the sign-in", "/sign-in"),
        }
    }

    /// Gives and takes the cookies that go with any answer.
    fn finish(&self, response: &mut Response) {
        if let Some(before) = &self.before {
            cookie::set(response, cookie::BEFORE, before);
        }
        if self.timed_out {
            cookie::clear(response, cookie::SESSION);
        }
    }

    /// What surrounds a page for this visitor, with the command lines that do the same.
    pub(super) fn chrome(&self, here: Option<Nav>, commands: &[&[&str]]) -> Chrome {
        Chrome {
            domain: self.domain.clone(),
            admin: self.admin.as_deref().unwrap_or_default().to_owned(),
            person: String::new(),
            csrf: self.csrf.as_str().into(),
            here,
            version: env!("CARGO_PKG_VERSION").into(),
            flash: self.flash.clone(),
            commands: commands.iter().map(|words| page::command_line("chancery", words)).collect(),
        }
    }
}

impl Admin {
    /// See [`Visitor::chrome`].
    pub(super) fn chrome(&self, here: Nav, commands: &[&[&str]]) -> Chrome {
        self.visitor.chrome(Some(here), commands)
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Redirect> {
        let visitor = parts.extensions.get::<Arc<Visitor>>().cloned();
        let admin = visitor.and_then(|visitor| Some((visitor.admin.clone()?, visitor)));
        let (name, visitor) = admin.ok_or_else(|| Redirect::to("/sign-in"))?;
        Ok(Self { who: Principal::Admin(name), visitor })
    }
}

/// The address of a visitor whose door did not tell it.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
