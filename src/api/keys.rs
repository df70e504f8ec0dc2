//! Keys that accounts sign in with.

use axum::extract::{Path, Query, State};
use axum::response::Json;
use axum::routing::{delete, get};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, House, Refused};
use crate::directory::{KeyRefused, PublicKey};
use crate::id::AccountId;
use crate::principal::Principal;
use crate::store::{Key, KeyId};
use crate::time::{self, Timestamp};

/// A key as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyView {
    /// The first 16 bytes of the SHA-256 of the SubjectPublicKeyInfo, in lower-case hex.
    pub(crate) id: String,
    /// The account's name; `None` when its directory has it no more.
    pub(crate) account: Option<String>,
    pub(crate) name: String,
    /// `P-256` or `Ed25519`.
    pub(crate) kind: &'static str,
    pub(crate) created_at: Timestamp,
}

impl KeyView {
    pub(crate) fn of(house: &House, key: &Key) -> Self {
        Self {
            id: key.id.to_string(),
            account: house.directory.by_id(key.account).map(|account| account.name.clone()),
            name: key.name.clone(),
            kind: PublicKey::from_spki(&key.spki).map_or("unknown", |public| public.kind().name()),
            created_at: key.created_at,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    /// PEM.
    key: String,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    account: Option<String>,
}

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/keys", get(list))
        .route("/api/v1/keys/{id}", delete(remove))
        .route("/api/v1/accounts/{account}/keys", get(list_of).post(add))
        .route("/api/v1/accounts/{account}/keys/{id}", delete(remove_of))
}

async fn list(State(house): State<House>, Query(of): Query<Of>) -> Answer<Vec<KeyView>> {
    let account = of.account.map(|name| find(&house, &name)).transpose()?;
    let keys = house.directory.keys(account).await?;
    Ok(Json(keys.iter().map(|key| KeyView::of(&house, key)).collect()))
}

async fn list_of(State(house): State<House>, Path(account): Path<String>) -> Answer<Vec<KeyView>> {
    list(State(house), Query(Of { account: Some(account) })).await
}

async fn add(
    State(house): State<House>,
    Path(account): Path<String>,
    Json(new): Json<Add>,
) -> Answer<KeyView> {
    let name = new.name.unwrap_or_default();
    let key = house.directory.add_key(&Principal::Host, &account, &new.key, &name, time::now()).await?;
    Ok(Json(KeyView::of(&house, &key)))
}

async fn remove(State(house): State<House>, Path(id): Path<String>) -> Answer<Value> {
    let id: KeyId = id.parse().map_err(|_| KeyRefused::NoKey(id))?;
    let (key, ended) = house.directory.remove_key(&Principal::Host, id, time::now()).await?;
    let mut view = json!(KeyView::of(&house, &key));
    view["sessions_ended"] = json!(ended);
    Ok(Json(view))
}

async fn remove_of(State(house): State<House>, Path((account, id)): Path<(String, String)>) -> Answer<Value> {
    let mine = house.directory.keys(Some(find(&house, &account)?)).await?;
    match mine.iter().any(|key| key.id.to_string().eq_ignore_ascii_case(&id)) {
        true => remove(State(house), Path(id)).await,
        false => Err(KeyRefused::NoKey(id).into()),
    }
}

fn find(house: &House, name: &str) -> Result<AccountId, Refused> {
    let found = house.directory.find(name).map(|account| account.id);
    found.ok_or_else(|| KeyRefused::NoAccount(name.into()).into())
}

impl From<KeyRefused> for Refused {
    fn from(refused: KeyRefused) -> Self {
        use KeyRefused as Why;
        let sentence = refused.to_string();
        match refused {
            Why::NoAccount(_) | Why::NoKey(_) => Refused::NotFound(sentence),
            Why::NotAKey(_) | Why::BadName => Refused::BadRequest(sentence),
            Why::NotAllowed(_) | Why::Disabled { .. } | Why::Known(_) | Why::Taken | Why::TooMany => {
                Refused::Forbidden(sentence)
            }
            Why::Store(_) => Refused::Failed(sentence),
        }
    }
}
