//! Photos: what is shown of somebody, to whoever may see the account.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{House, Refused};
use crate::store::Photo;

pub(super) fn routes() -> Router<House> {
    Router::new().route("/api/v1/accounts/{account}/photo", get(show))
}

async fn show(
    State(house): State<House>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    photo(&house, &name, &headers).await
}

/// The photo of an account as a JPEG, unless whoever asks has it.
pub(crate) async fn photo(house: &House, name: &str, asked: &HeaderMap) -> Result<Response, Refused> {
    let none = |why: String| Refused::NotFound(why);
    let account = house.directory.find(name).ok_or_else(|| none(format!("there is no account {name}")))?;
    let name = &account.name;
    let Photo { digest, jpeg, why } = house
        .directory
        .photo(account.id)
        .await?
        .ok_or_else(|| none(format!("the directory has no photo of {name}")))?;
    let jpeg = match (jpeg, why) {
        (Some(jpeg), _) => jpeg,
        (None, Some(why)) => return Err(none(format!("{name} cannot be shown: {why}"))),
        (None, None) => return Err(none(format!("the photo of {name} is not developed yet"))),
    };
    let etag = format!("\"{digest}\"");
    let is_known = asked.get(IF_NONE_MATCH).is_some_and(|tag| tag == etag.as_str());
    // Asked for each time, so that nobody sees it who may no longer.
    let kept = [(CACHE_CONTROL, "private, no-cache".to_owned()), (ETAG, etag)];
    let kind = [(CONTENT_TYPE, "image/jpeg"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok(match is_known {
        true => (StatusCode::NOT_MODIFIED, kept).into_response(),
        false => (kept, kind, jpeg).into_response(),
    })
}
