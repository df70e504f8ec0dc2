//! Foreign forms: whatever changes something must have been sent by a page of this site.
//!
//! Three questions, each of which a form on another site fails: does the browser say that the request comes from
//! here, does it name our origin, and does the form carry the token that only our pages know.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::cookie;
use super::page::Trouble;
use crate::audit::to_hex;
use crate::secret;

/// A larger form is not read.
pub(super) const LARGEST_FORM: usize = 64 * 1024;
/// How long a form may take to arrive.
const PATIENCE: Duration = Duration::from_secs(15);

/// What every form carries.
#[derive(Default, Deserialize)]
struct Token {
    #[serde(default)]
    csrf: Zeroizing<String>,
}

/// Lets a request pass that changes nothing, or that a page of this site sent; `token` is what that page was given.
pub(super) async fn check(request: Request, token: &str) -> Result<Request, Trouble> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    // HTTP/2 names the host in the request line (RFC 9113 §8.3.1).
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = authority.or_else(|| request.headers().get(HOST)?.to_str().ok().map(str::to_owned));
    from_here(request.headers(), host.as_deref()).map_err(Trouble::foreign)?;

    let (parts, body) = request.into_parts();
    // A form is sent in one go; whoever lingers holds a connection that others want.
    let body = match tokio::time::timeout(PATIENCE, to_bytes(body, LARGEST_FORM)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(Trouble::bare(StatusCode::PAYLOAD_TOO_LARGE)),
        Err(_) => return Err(Trouble::bare(StatusCode::REQUEST_TIMEOUT)),
    };
    let mut look = Request::new(Body::from(body.clone()));
    *look.method_mut() = Method::POST;
    if let Some(kind) = parts.headers.get(CONTENT_TYPE) {
        look.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    let sent = Form::<Token>::from_request(look, &()).await.map(|Form(sent)| sent).unwrap_or_default();
    if token.is_empty() || !bool::from(sent.csrf.as_bytes().ct_eq(token.as_bytes())) {
        return Err(Trouble::foreign(
            "The form did not carry the token of your session: it is too old, or another page sent it.",
        ));
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// What binds the forms before a sign-in to the browser that asked for them.
pub(super) struct Before {
    /// For the page: it follows from the browser's secret, and is never the secret itself.
    pub(super) csrf: Zeroizing<String>,
    /// A secret that the browser has to be given first.
    pub(super) fresh: Option<Zeroizing<String>>,
}

/// The secret that a stranger's browser holds, or a new one for it.
pub(super) fn before(headers: &HeaderMap) -> Before {
    let held = cookie::read_secret(headers, cookie::BEFORE).map(|held| Zeroizing::new(held.to_owned()));
    let fresh = held.is_none().then(secret::one_time);
    let secret = held.or_else(|| fresh.clone()).unwrap_or_default();
    let csrf = Zeroizing::new(to_hex(&secret::digest(&format!("form {}", secret.as_str()))));
    Before { csrf, fresh }
}

/// What the browser itself says about where a request comes from. Programs that say nothing are left to the token.
fn from_here(headers: &HeaderMap, host: Option<&str>) -> Result<(), &'static str> {
    let site = match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        None => None,
        Some(b"same-origin") => Some(true),
        Some(b"none") => Some(false),
        Some(_) => return Err("Your browser says that another site sent this form."),
    };
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    match (origin, host) {
        (None, _) => Ok(()),
        // Under our Referrer-Policy browsers hide the origin of our own forms as well (Fetch §3.1).
        (Some("null"), _) if site == Some(true) => Ok(()),
        (Some(origin), Some(host))
            if origin.strip_prefix("https://").is_some_and(|ours| ours.eq_ignore_ascii_case(host)) =>
        {
            Ok(())
        }
        _ => Err("This form was sent from an address that is not the console's."),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn says(site: Option<&'static str>, origin: Option<&'static str>) -> bool {
        let said = [(HeaderName::from_static("sec-fetch-site"), site), (ORIGIN, origin)];
        let headers = said
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::from_static(value?))))
            .collect();
        from_here(&headers, Some("console.example:8443")).is_ok()
    }

    #[test]
    fn only_what_comes_from_this_very_origin_passes() {
        let (here, elsewhere) = (Some("https://console.example:8443"), Some("https://evil.example:8443"));
        for (site, origin, passes) in [
            (None, None, true),
            (None, here, true),
            (Some("same-origin"), here, true),
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some("null"), true),
            (Some("none"), None, true),
            (Some("none"), Some("null"), false),
            (None, Some("null"), false),
            (Some("same-site"), here, false),
            (Some("cross-site"), here, false),
            (Some("cross-site"), None, false),
            (Some("nonsense"), None, false),
            (Some("same-origin"), elsewhere, false),
            (None, Some("http://console.example:8443"), false),
            (None, Some("https://console.example"), false),
            (None, Some("https://console.example:8443.evil.example"), false),
        ] {
            assert_eq!(says(site, origin), passes, "{site:?} {origin:?}");
        }
    }

    fn post(body: &'static str) -> Request {
        let request = Request::post("/accounts/new").header(HOST, "console.example:8443");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.body(Body::from(body)).unwrap()
    }

    #[tokio::test]
    async fn a_form_needs_its_token_and_arrives_whole() {
        let request = check(post("account=bob&csrf=secret"), "secret").await.ok().unwrap();
        assert_eq!(to_bytes(request.into_body(), 100).await.unwrap(), "account=bob&csrf=secret");
        for body in ["", "account=bob", "csrf=", "csrf=secre", "csrf=secretx", "csrf=x&csrf=secret"] {
            assert!(check(post(body), "secret").await.is_err(), "{body}");
        }
    }

    #[tokio::test]
    async fn another_kind_of_body_and_a_huge_one_are_refused() {
        let mut json = post("csrf=secret");
        json.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert!(check(json, "secret").await.is_err());
        let huge = Request::post("/").body(Body::from(vec![b'a'; LARGEST_FORM + 1])).unwrap();
        assert!(check(huge, "secret").await.is_err());
    }

    #[tokio::test]
    async fn looking_needs_no_token() {
        assert!(check(Request::get("/").body(Body::empty()).unwrap(), "secret").await.is_ok());
    }
}
