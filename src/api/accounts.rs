//! Accounts: people, from whichever directory.

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Answer, House, Refused};
use crate::directory::NewAccount;
use crate::principal::Principal;
use crate::store::{Account, Card};
use crate::time::{self, Timestamp};

/// A person as lists show one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AccountView {
    pub(crate) account: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) mail: Option<String>,
    /// Title, phone, locale and time zone, where they are known.
    #[serde(flatten)]
    pub(crate) card: Card,
    /// Whether there is one.
    pub(crate) photo: bool,
    pub(crate) source: &'static str,
    /// `active` or `disabled`.
    pub(crate) state: &'static str,
    /// Why it is disabled.
    pub(crate) why: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) online: bool,
    /// Messages no device has acknowledged; only where one account is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<i64>,
    pub(crate) created_at: Timestamp,
}

impl AccountView {
    pub(crate) fn of(house: &House, account: &Account) -> Self {
        Self {
            account: account.name.clone(),
            id: account.id.to_urn(),
            name: account.display.clone(),
            mail: account.mail.clone(),
            card: account.card(),
            photo: account.photo().is_some(),
            source: account.source.as_str(),
            state: if account.disabled().is_some() { "disabled" } else { "active" },
            why: account.disabled().map(str::to_owned),
            groups: account.groups.clone(),
            online: house.broker.is_online(account.id),
            waiting: None,
            created_at: account.created_at,
        }
    }
}

/// A new account of the built-in directory.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    account: String,
    name: Option<String>,
    mail: Option<String>,
    password: Option<Zeroizing<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    password: Zeroizing<String>,
}

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/accounts", get(list).post(add))
        .route("/api/v1/accounts/{account}", get(show).delete(remove))
        .route("/api/v1/accounts/{account}/password", post(set_password))
        .route("/api/v1/accounts/{account}/disable", post(disable))
        .route("/api/v1/accounts/{account}/enable", post(enable))
}

async fn list(State(house): State<House>) -> Json<Vec<AccountView>> {
    Json(house.directory.all().iter().map(|account| AccountView::of(&house, account)).collect())
}

async fn show(State(house): State<House>, Path(name): Path<String>) -> Answer<AccountView> {
    let account = house
        .directory
        .find(&name)
        .ok_or_else(|| Refused::NotFound(format!("there is no account {name}")))?;
    let id = account.id;
    let waiting = house.store.read(move |view| view.waiting(id)).await?;
    Ok(Json(AccountView { waiting: Some(waiting), ..AccountView::of(&house, &account) }))
}

async fn add(State(house): State<House>, Json(new): Json<Add>) -> Answer<AccountView> {
    let new = NewAccount { name: new.account, display: new.name, mail: new.mail, password: new.password };
    let account = house.directory.add(&Principal::Host, new, time::now()).await?;
    Ok(Json(AccountView::of(&house, &account)))
}

async fn remove(State(house): State<House>, Path(name): Path<String>) -> Answer<AccountView> {
    let now = time::now();
    let account = house.directory.remove(&Principal::Host, &name, now).await?;
    house.enrollment.part_with_leavers(&Principal::Host, now).await?;
    Ok(Json(AccountView::of(&house, &account)))
}

async fn set_password(
    State(house): State<House>,
    Path(name): Path<String>,
    Json(new): Json<Password>,
) -> Answer<AccountView> {
    house.directory.set_password(&Principal::Host, &name, new.password, time::now()).await?;
    show(State(house), Path(name)).await
}

async fn disable(State(house): State<House>, Path(name): Path<String>) -> Answer<AccountView> {
    let now = time::now();
    let account = house.directory.disable(&Principal::Host, &name, now).await?;
    house.enrollment.part_with_leavers(&Principal::Host, now).await?;
    Ok(Json(AccountView::of(&house, &account)))
}

async fn enable(State(house): State<House>, Path(name): Path<String>) -> Answer<AccountView> {
    let account = house.directory.enable(&Principal::Host, &name, time::now()).await?;
    Ok(Json(AccountView::of(&house, &account)))
}
