//! Accounts: the list of people, and the form that adds one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use chancery_admin_ui::accounts::{AccountRow, Accounts, NewAccount as Draft};
use chancery_admin_ui::{AccountState, Nav, Source};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::flash::{Done, done};
use super::guard::Admin;
use super::page::{Answer, Trouble, path, show_as, window};
use super::{Console, account};
use crate::directory::NewAccount;
use crate::store::{self, Account, LedgerFilter, Standing};
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/accounts", get(list)).route("/accounts/new", post(add).get(account::called_new))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    page: Option<u32>,
}

#[derive(Deserialize)]
struct New {
    account: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    mail: String,
    #[serde(default)]
    password: Zeroizing<String>,
}

async fn list(State(console): State<Console>, admin: Admin, Query(asked): Query<Asked>) -> Answer {
    page(&console, &admin, asked, Draft::default(), StatusCode::OK).await
}

async fn add(State(console): State<Console>, admin: Admin, Form(new): Form<New>) -> Answer {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let account = NewAccount {
        name: new.account.clone(),
        display: given(&new.name),
        mail: given(&new.mail),
        password: Some(new.password).filter(|password| !password.is_empty()),
    };
    match console.house.directory.add(&admin.who, account, time::now()).await {
        Ok(added) => Ok(done(&path(&["accounts", &added.name]), Done::AccountAdded, &added.name)),
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            let draft = Draft { account: new.account, name: new.name, mail: new.mail, problem };
            page(&console, &admin, Asked::default(), draft, status).await
        }
    }
}

async fn page(console: &Console, admin: &Admin, asked: Asked, draft: Draft, status: StatusCode) -> Answer {
    let words = asked.q.trim().to_lowercase();
    let found = console.house.directory.all().into_iter().filter(|account| matches(account, &words));
    let found: Vec<Arc<Account>> = found.collect();
    let (range, paging) = window(asked.page, found.len());
    let shown = found.get(range).unwrap_or_default().to_vec();
    let page = Accounts {
        chrome: admin.chrome(Nav::Accounts, &[&["account", "list"]]),
        search: asked.q.trim().into(),
        rows: rows(console, shown).await?,
        paging,
        can_add: console.house.directory.ldap().is_none(),
        draft,
    };
    show_as(status, &page)
}

fn matches(account: &Account, words: &str) -> bool {
    let holds = |text: &str| text.to_lowercase().contains(words);
    holds(&account.name) || holds(&account.display) || account.mail.as_deref().is_some_and(holds)
}

/// People as lists show them, with what waits for them and what they hold.
pub(super) async fn rows(console: &Console, accounts: Vec<Arc<Account>>) -> Result<Vec<AccountRow>, Trouble> {
    let (ids, now) = (accounts.iter().map(|account| account.id).collect::<Vec<_>>(), time::now());
    let count = move |view: &mut store::View| {
        let counts = ids.iter().map(|id| {
            let in_force = LedgerFilter {
                account: Some(*id),
                standing: Some(Standing::InForce),
                ..LedgerFilter::default()
            };
            Ok((view.waiting(*id)?, view.ledger_count(&in_force, now)?))
        });
        counts.collect::<Result<Vec<_>, _>>()
    };
    let counts = console.house.store.read(count).await?;
    let row = |(account, (waiting, certificates)): (&Arc<Account>, (i64, i64))| AccountRow {
        account: account.name.clone(),
        name: account.display.clone(),
        mail: account.mail.clone().unwrap_or_default(),
        source: match account.source {
            store::Source::Builtin => Source::Builtin,
            store::Source::Ldap => Source::Ldap,
        },
        state: state(account),
        certificates: certificates.unsigned_abs(),
        sessions: console.house.broker.of(account.id).iter().filter(|session| session.is_live()).count()
            as u64,
        waiting: waiting.unsigned_abs(),
    };
    Ok(accounts.iter().zip(counts).map(row).collect())
}

fn state(account: &Account) -> AccountState {
    match (account.admin_disabled, &account.directory_disabled) {
        (true, _) => AccountState::Disabled,
        (false, Some(_)) => AccountState::DisabledByDirectory,
        (false, None) => AccountState::Active,
    }
}
