//! Keys of a person: rows of its page, and removing one, after a question.

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::routing::post;
use chancery_admin_ui::Nav;
use chancery_admin_ui::confirm::Confirm;
use chancery_admin_ui::keys::KeyRow;

use super::Console;
use super::account::Confirmation;
use super::flash::{Done, done};
use super::guard::Admin;
use super::page::{Answer, path, show};
use crate::api::KeyView;
use crate::directory::KeyRefused;
use crate::store::KeyId;
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/keys/{id}/remove", post(remove))
}

async fn remove(
    State(console): State<Console>,
    admin: Admin,
    Path(id): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Answer {
    let directory = &console.house.directory;
    let unknown = || KeyRefused::NoKey(id.clone());
    let id: KeyId = id.parse().map_err(|_| unknown())?;
    let key = directory.key(id).await?.ok_or_else(unknown)?;
    let account = directory.by_id(key.account).map(|account| account.name.clone());
    let back = account.as_deref().map_or("/accounts".into(), |name| path(&["accounts", name]));
    if !sent.is_given() {
        let (id, whose) = (id.to_string(), account.as_deref().unwrap_or("nobody"));
        return show(&Confirm {
            chrome: admin.chrome(Nav::Accounts, &[&["key", "remove", &id]]),
            question: format!("Remove the key {id} of {whose}?"),
            consequences: vec![
                "Every session that it opened is cut at once.".into(),
                "Nobody can sign in with it any more. It can be registered again.".into(),
            ],
            action: path(&["keys", &id, "remove"]),
            fields: Vec::new(),
            button: "Remove the key".into(),
            back,
        });
    }
    let (_, ended) = directory.remove_key(&admin.who, id, time::now()).await?;
    Ok(done(&back, Done::KeyRemoved, &ended.to_string()))
}

/// A key as the page of its account shows it.
pub(super) fn key_row(key: KeyView) -> KeyRow {
    KeyRow { id: key.id, name: key.name, kind: key.kind.into(), created_at: key.created_at.to_string() }
}
