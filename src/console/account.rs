//! One person: card, certificates, sessions, and what an admin may do.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use chancery_admin_ui::Nav;
use chancery_admin_ui::account::Account as Page;
use chancery_admin_ui::confirm::Confirm;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::certificates::ledger_row;
use super::flash::{Done, done};
use super::guard::Admin;
use super::keys::key_row;
use super::page::{Answer, Trouble, path, readable, show, show_as};
use super::sessions::session_row;
use super::{Console, accounts};
use crate::api::{self, KeyView, Refused, SessionView};
use crate::store::{Account, Card};
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/accounts/{account}", get(look))
        .route("/accounts/{account}/photo", get(photo))
        .route("/accounts/{account}/password", post(set_password))
        .route("/accounts/{account}/enable", post(enable))
        .route("/accounts/{account}/disable", post(disable))
        .route("/accounts/{account}/remove", post(remove))
}

/// How many of the newest certificates the page shows.
const CERTIFICATES: i64 = 100;

#[derive(Deserialize)]
struct NewPassword {
    password: Zeroizing<String>,
}

/// The second half of a dangerous deed.
#[derive(Deserialize)]
pub(super) struct Confirmation {
    #[serde(default)]
    confirmed: String,
}

impl Confirmation {
    pub(super) fn is_given(&self) -> bool {
        self.confirmed == "yes"
    }
}

async fn look(State(console): State<Console>, admin: Admin, Path(name): Path<String>) -> Answer {
    page(&console, &admin, &name, String::new(), StatusCode::OK).await
}

async fn photo(
    State(console): State<Console>,
    _: Admin,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answer {
    Ok(api::photo(&console.house, &name, &headers).await?)
}

/// The person whose name is the word that the add form posts to.
pub(super) async fn called_new(State(console): State<Console>, admin: Admin) -> Answer {
    page(&console, &admin, "new", String::new(), StatusCode::OK).await
}

async fn set_password(
    State(console): State<Console>,
    admin: Admin,
    Path(name): Path<String>,
    Form(new): Form<NewPassword>,
) -> Answer {
    match console.house.directory.set_password(&admin.who, &name, new.password, time::now()).await {
        Ok(()) => Ok(done(&path(&["accounts", &name]), Done::PasswordSet, &name)),
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            page(&console, &admin, &name, problem, status).await
        }
    }
}

async fn enable(State(console): State<Console>, admin: Admin, Path(name): Path<String>) -> Answer {
    let account = console.house.directory.enable(&admin.who, &name, time::now()).await?;
    Ok(done(&path(&["accounts", &account.name]), Done::AccountEnabled, &account.name))
}

async fn disable(
    State(console): State<Console>,
    admin: Admin,
    Path(name): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Answer {
    let account = find(&console, &name)?;
    if !sent.is_given() {
        return show(&Confirm {
            chrome: admin.chrome(Nav::Accounts, &[&["account", "disable", &account.name]]),
            question: format!("Disable the account {}?", account.name),
            consequences: vec![
                cut(&console, &account),
                "New connections are refused, with a certificate as well as with a password.".into(),
                "Every certificate of the account is revoked: once enabled, its devices enrol again.".into(),
                "Messages go on waiting in the inbox.".into(),
            ],
            action: path(&["accounts", &account.name, "disable"]),
            fields: Vec::new(),
            button: format!("Disable {}", account.name),
            back: path(&["accounts", &account.name]),
        });
    }
    let now = time::now();
    console.house.directory.disable(&admin.who, &name, now).await?;
    console.house.enrollment.part_with_leavers(&admin.who, now).await?;
    Ok(done(&path(&["accounts", &account.name]), Done::AccountDisabled, &account.name))
}

async fn remove(
    State(console): State<Console>,
    admin: Admin,
    Path(name): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Answer {
    let account = find(&console, &name)?;
    if !sent.is_given() {
        return show(&Confirm {
            chrome: admin.chrome(Nav::Accounts, &[&["account", "remove", &account.name]]),
            question: format!("Remove the account {}?", account.name),
            consequences: vec![
                cut(&console, &account),
                "Every certificate of the account is revoked.".into(),
                "Its messages stay until the retention ends, as everybody's do.".into(),
                "It cannot be undone: the same name given again is another account.".into(),
            ],
            action: path(&["accounts", &account.name, "remove"]),
            fields: Vec::new(),
            button: format!("Remove {}", account.name),
            back: path(&["accounts", &account.name]),
        });
    }
    let now = time::now();
    let gone = console.house.directory.remove(&admin.who, &name, now).await?;
    console.house.enrollment.part_with_leavers(&admin.who, now).await?;
    Ok(done("/accounts", Done::AccountRemoved, &gone.name))
}

async fn page(console: &Console, admin: &Admin, name: &str, problem: String, status: StatusCode) -> Answer {
    let (account, now) = (find(console, name)?, time::now());
    let card = accounts::rows(console, vec![account.clone()]).await?.pop().unwrap_or_default();
    let certificates = console.house.enrollment.list(Some(account.id), CERTIFICATES).await?;
    let keys = console.house.directory.keys(Some(account.id)).await?;
    let sessions = SessionView::all(&console.house).await?;
    let mine = sessions.iter().filter(|session| session.account == account.name);
    let rooms = console.house.chat.rooms().await?;
    let page = Page {
        chrome: admin.chrome(
            Nav::Accounts,
            &[&["account", "show", &account.name], &["cert", "enroll", &account.name, "--out", "DIR"]],
        ),
        card,
        photo: is_shown(console, &account).await?,
        facts: facts(&account),
        groups: account.groups.clone(),
        rooms: rooms
            .into_iter()
            .filter(|room| room.members.contains(&account.id))
            .map(|room| room.name)
            .collect(),
        certificates: certificates.iter().map(|line| ledger_row(line, now)).collect(),
        keys: keys.iter().map(|key| key_row(KeyView::of(&console.house, key))).collect(),
        sessions: mine.map(session_row).collect(),
        problem,
    };
    show_as(status, &page)
}

fn facts(account: &Account) -> Vec<(String, String)> {
    let mut facts =
        vec![("Id".into(), account.id.to_urn()), ("Known since".into(), readable(account.created_at))];
    let Card { title, phone, locale, time_zone } = account.card();
    let known = [("Title", title), ("Phone", phone), ("Language", locale), ("Time zone", time_zone)];
    facts.extend(known.into_iter().filter_map(|(what, value)| Some((what.to_owned(), value?.into()))));
    if let Some(why) = &account.directory_disabled {
        facts.push(("Shut out by the directory".into(), why.as_ref().into()));
    }
    facts
}

/// Whether there is a photo to be shown.
pub(super) async fn is_shown(console: &Console, account: &Account) -> Result<bool, Refused> {
    Ok(account.photo().is_some()
        && console.house.directory.photo(account.id).await?.is_some_and(|photo| photo.jpeg.is_some()))
}

/// Somebody by name.
pub(super) fn find(console: &Console, name: &str) -> Result<Arc<Account>, Refused> {
    console.house.directory.find(name).ok_or_else(|| Refused::NotFound(format!("there is no account {name}")))
}

/// What becomes of the live sessions, as a sentence.
fn cut(console: &Console, account: &Account) -> String {
    match console.house.broker.of(account.id).iter().filter(|session| session.is_live()).count() {
        0 => "There is no live session to cut.".into(),
        1 => "One live session is cut at once.".into(),
        live => format!("{live} live sessions are cut at once."),
    }
}
