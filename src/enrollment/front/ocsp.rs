//! OCSP over HTTP (RFC 6960 appendix A): POST with the request as body, GET with it in the path.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chancery_ca::{OcspRefusal, OcspRequest};

use crate::enrollment::Enrollment;
use crate::time;

/// RFC 6960 sets none; ours is the most that is parsed.
const BODY: usize = 4 * 1024;
const PATH: &str = "/ocsp";

pub(super) fn routes() -> Router<Enrollment> {
    Router::new()
        .route(PATH, post(posted))
        .route("/ocsp/{*request}", get(gotten))
        .layer(DefaultBodyLimit::max(BODY))
}

async fn posted(State(enrollment): State<Enrollment>, body: Result<Bytes, BytesRejection>) -> Response {
    let request = body.map_err(|_| OcspRefusal::MalformedRequest).and_then(|body| OcspRequest::parse(&body));
    answered(&enrollment, request, false).await
}

/// The path is taken as it was sent: the slashes of base64 may stand there as they are or escaped.
async fn gotten(State(enrollment): State<Enrollment>, OriginalUri(uri): OriginalUri) -> Response {
    let text = uri.path().strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    answered(&enrollment, OcspRequest::from_path(&text), true).await
}

/// Refusals are HTTP 200 as well: the answer is the one that the client reads (RFC 6960 appendix A.2).
async fn answered(
    enrollment: &Enrollment,
    request: Result<OcspRequest, OcspRefusal>,
    cacheable: bool,
) -> Response {
    let now = time::now();
    let answer = match request {
        Ok(request) => enrollment.ocsp(&request, now).await.map(|answer| (request.nonce().is_none(), answer)),
        Err(refusal) => Err(refusal),
    };
    let kind = (CONTENT_TYPE, "application/ocsp-response");
    match answer {
        // Nobody keeps an answer longer than a moment: a revocation is to be heard of soon (RFC 5019 §6.2).
        Ok((true, answer)) if cacheable => {
            let age = answer.next_update.since(now).as_secs().min(60);
            (
                [kind],
                [(CACHE_CONTROL, format!("max-age={age}, public, no-transform, must-revalidate"))],
                answer.der,
            )
                .into_response()
        }
        Ok((_, answer)) => ([kind, (CACHE_CONTROL, "no-store")], answer.der).into_response(),
        Err(refusal) => {
            (StatusCode::OK, [kind, (CACHE_CONTROL, "no-store")], refusal.to_der().to_vec()).into_response()
        }
    }
}
