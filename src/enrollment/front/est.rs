//! EST, enrolment over secure transport (RFC 7030, RFC 8951): PKCS#10 in, certs-only PKCS#7 out, both in base64.
//!
//! Who comes with a one-time token says so by HTTP Basic, the token's name and its secret; who renews shows the
//! certificate. A label in the path is the name of a profile (RFC 7030 §3.2.2): a token for another one is refused.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_ca as ca;
use zeroize::Zeroizing;

use super::Shown;
use crate::enrollment::{Brought, Enrolled, Enrollment, Refused};
use crate::principal::Principal;
use crate::time;

/// A request of 16 kB in base64, with its line ends.
const BODY: usize = 24 * 1024;
const FRONT: &str = "est";
const CERTIFICATES: &str = "application/pkcs7-mime; smime-type=certs-only";
/// No line of base64 begins with it.
const BOUNDARY: &str = "chancery-est";

pub(super) fn routes() -> Router<Enrollment> {
    let mut routes = Router::new();
    for base in ["/.well-known/est", "/.well-known/est/{label}"] {
        routes = routes
            .route(&format!("{base}/cacerts"), get(cacerts))
            .route(&format!("{base}/csrattrs"), get(csrattrs))
            .route(&format!("{base}/simpleenroll"), post(enroll))
            .route(&format!("{base}/simplereenroll"), post(reenroll))
            .route(&format!("{base}/serverkeygen"), post(make_key));
    }
    routes.layer(DefaultBodyLimit::max(BODY))
}

/// The certificates of the issuing CAs and of the root (§4.1).
async fn cacerts(State(enrollment): State<Enrollment>) -> Response {
    let chain = enrollment.authorities_der();
    certificates(&chain.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// What a request should look like (§4.5).
async fn csrattrs() -> Response {
    encoded("application/csrattrs", &ca::csr_attributes())
}

/// A first certificate with a token, or one more with a certificate (§4.2.1).
async fn enroll(
    State(enrollment): State<Enrollment>,
    Extension(shown): Extension<Shown>,
    label: Option<Path<String>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let profile = label.as_ref().map(|Path(label)| label.as_str());
    let done = enrolled(&enrollment, &shown, profile, &headers, body).await;
    answered(&enrollment, done.and_then(alone)).await
}

async fn enrolled(
    enrollment: &Enrollment,
    shown: &Shown,
    profile: Option<&str>,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Enrolled, No> {
    let csr = request(headers, body)?;
    let Some(credentials) = credentials(headers) else {
        return renewed(enrollment, shown, profile, &csr).await;
    };
    let (id, secret) = credentials.split_once(':').ok_or(No::Credentials)?;
    let brought = Brought::Named(id, secret);
    Ok(enrollment.enroll_with_token(FRONT, brought, profile, &csr, time::now()).await?)
}

/// The same certificate again for whoever shows it (§4.2.2).
async fn reenroll(
    State(enrollment): State<Enrollment>,
    Extension(shown): Extension<Shown>,
    label: Option<Path<String>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let profile = label.as_ref().map(|Path(label)| label.as_str());
    let done = match request(&headers, body) {
        Ok(csr) => renewed(&enrollment, &shown, profile, &csr).await,
        Err(no) => Err(no),
    };
    answered(&enrollment, done.and_then(alone)).await
}

/// A certificate with a key that the house makes (§4.4), where the operator allows it.
async fn make_key(
    State(enrollment): State<Enrollment>,
    label: Option<Path<String>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let profile = label.as_ref().map(|Path(label)| label.as_str());
    let done = made(&enrollment, profile, &headers, body).await;
    answered(&enrollment, done.and_then(with_key)).await
}

async fn made(
    enrollment: &Enrollment,
    profile: Option<&str>,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Enrolled, No> {
    if !enrollment.makes_keys() {
        return Err(No::KeysAreMadeElsewhere);
    }
    let csr = request(headers, body)?;
    let credentials = credentials(headers).ok_or(No::Credentials)?;
    let (id, secret) = credentials.split_once(':').ok_or(No::Credentials)?;
    let brought = Brought::Named(id, secret);
    Ok(enrollment.make_with_token(FRONT, brought, profile, &csr, time::now()).await?)
}

/// Both in one answer (RFC 7030 §4.4.2): the key as PKCS#8, and the certificate.
fn with_key(enrolled: Enrolled) -> Result<Response, No> {
    let key = enrolled.key_pem.as_ref().ok_or(No::KeysAreMadeElsewhere)?;
    let key: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
    let part = |kind: &str, base64: &str| {
        format!(
            "--{BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n{base64}\r\n"
        )
    };
    let body = part("application/pkcs8", &key)
        + &part(CERTIFICATES, &STANDARD.encode(ca::certs_only(&[&enrolled.certificate])))
        + &format!("--{BOUNDARY}--\r\n");
    let kind = format!("multipart/mixed; boundary={BOUNDARY}");
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store".into())], body).into_response())
}

async fn renewed(
    enrollment: &Enrollment,
    shown: &Shown,
    profile: Option<&str>,
    csr: &[u8],
) -> Result<Enrolled, No> {
    let presented = shown.0.as_ref().ok_or(No::Credentials)?;
    Ok(enrollment.renew(FRONT, presented, profile, csr, time::now()).await?)
}

/// The certificate alone; its chain is what `cacerts` says (§4.2.3).
fn alone(enrolled: Enrolled) -> Result<Response, No> {
    Ok(certificates(&[&enrolled.certificate]))
}

/// A no that came before any decision is audited here.
async fn answered(enrollment: &Enrollment, done: Result<Response, No>) -> Response {
    let no = match done {
        Ok(response) => return response,
        Err(no) => no,
    };
    if let Some(why) = no.of_form() {
        enrollment.turned_away(&Principal::Guest, FRONT, why, time::now()).await;
    }
    no.into_response()
}

fn certificates(der: &[&[u8]]) -> Response {
    encoded(CERTIFICATES, &ca::certs_only(der))
}

/// One line of base64: not every client passes over line ends.
fn encoded(kind: &'static str, der: &[u8]) -> Response {
    ([(CONTENT_TYPE.as_str(), kind), ("content-transfer-encoding", "base64")], STANDARD.encode(der))
        .into_response()
}

/// The request: base64 with any line ends, whatever Content-Transfer-Encoding says (RFC 8951 §3.2); who sends DER or
/// PEM instead is understood as well.
fn request(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Vec<u8>, No> {
    let body = body.map_err(|_| No::Length)?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/pkcs10") {
        return Err(No::Kind);
    }
    if body.starts_with(b"0\x82") || body.starts_with(b"-----") {
        return Ok(body.to_vec());
    }
    let text: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(text).map_err(|_| No::Encoding)
}

/// What HTTP Basic says (RFC 7617), if anything.
fn credentials(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let (scheme, text) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let bytes = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(text.trim()).ok())??;
    String::from_utf8(bytes).ok().map(Zeroizing::new)
}

/// Why there is no certificate, as a status and a sentence (§4.2.3).
enum No {
    Credentials,
    Kind,
    Length,
    Encoding,
    KeysAreMadeElsewhere,
    Refused(Refused),
}

impl No {
    /// What was wrong with the form of the request, if it was that.
    fn of_form(&self) -> Option<&'static str> {
        match self {
            No::Credentials => Some(
                "bring a one-time token by HTTP Basic, its name and its secret, or show the certificate to renew",
            ),
            No::Kind => Some("send Content-Type: application/pkcs10"),
            No::Length => Some("a request of at most 16 kB is read"),
            No::Encoding => Some("the body is not base64 of a PKCS#10 request"),
            No::KeysAreMadeElsewhere => {
                Some("this house makes no keys for devices: make one there, and simpleenroll")
            }
            No::Refused(_) => None,
        }
    }
}

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        No::Refused(refused)
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let said = self.of_form().unwrap_or_default().to_owned();
        let retry = match &self {
            No::Refused(Refused::Waiting(wait)) => Some(wait.retry),
            _ => None,
        };
        let (status, said) = match self {
            No::Credentials => (StatusCode::UNAUTHORIZED, said),
            No::Kind => (StatusCode::UNSUPPORTED_MEDIA_TYPE, said),
            No::Length => (StatusCode::PAYLOAD_TOO_LARGE, said),
            No::Encoding => (StatusCode::BAD_REQUEST, said),
            No::KeysAreMadeElsewhere => (StatusCode::NOT_FOUND, said),
            No::Refused(refused) => (status(&refused), super::told(&refused, FRONT)),
        };
        let mut response =
            (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], said + "\n").into_response();
        if status == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Basic realm=\"one-time enrolment token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, realm);
        }
        if let Some(retry) = retry {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry.as_secs()));
        }
        response
    }
}

fn status(refused: &Refused) -> StatusCode {
    match refused {
        Refused::DeadToken => StatusCode::UNAUTHORIZED,
        Refused::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Refused::NotAllowed(_)
        | Refused::Gone
        | Refused::Disabled { .. }
        | Refused::Denied
        | Refused::Status(_) => StatusCode::FORBIDDEN,
        // The same request, sent again, gets the certificate (§4.2.3).
        Refused::Waiting(_) => StatusCode::ACCEPTED,
        Refused::ClockBack { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refused::Crowded => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    }
}
