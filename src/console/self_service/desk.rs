//! The desk: a person's certificates, the ways to one more, and how clients are set up with it.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use chancery_admin_ui::self_service::desk::{Desk, Own};
use chancery_admin_ui::{CertificateState, Choice};

use super::guard::{Person, Proven};
use super::handover::{self, Wanted};
use super::{guide, quota};
use crate::api;
use crate::console::Console;
use crate::console::account::is_shown;
use crate::console::certificates::ledger_row;
use crate::console::enrol::file_stem;
use crate::console::page::{Answer, Trouble, show_as, span};
use crate::enrollment::Grant;
use crate::id::AccountId;
use crate::store::{Account, Certificate};
use crate::time::{self, Timestamp};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/enroll", get(look).post(enrol)).route("/enroll/photo", get(photo))
}

/// How many of the newest certificates the page shows.
const CERTIFICATES: i64 = 100;
/// What people may have by themselves: the profile, and what it is for.
const PURPOSES: [(&str, &str); 3] = [
    ("client", "Messages on a device"),
    ("mail-signing", "Signing mail"),
    ("mail-encryption", "Reading encrypted mail"),
];

/// What a certificate is for, in words where people may have such a one by themselves.
pub(super) fn purpose(profile: &str) -> &str {
    PURPOSES.iter().find(|(known, _)| *known == profile).map_or(profile, |(_, words)| words)
}

async fn look(State(console): State<Console>, person: Person) -> Answer {
    page(&console, &person, String::new(), StatusCode::OK).await
}

async fn photo(State(console): State<Console>, person: Person, headers: HeaderMap) -> Answer {
    Ok(api::photo(&console.house, &person.account.name, &headers).await?)
}

async fn enrol(State(console): State<Console>, Proven(person): Proven, Form(wanted): Form<Wanted>) -> Answer {
    let (request, enrollment, now) = (wanted.request()?, &console.house.enrollment, time::now());
    quota::check(&console, &person.who, &person.account, now).await?;
    let enrolled = match Grant::of(wanted.purpose(), Vec::new()) {
        Ok(grant) => enrollment.enroll_self(&person.who, grant, request, now).await,
        Err(refused) => Err(refused),
    };
    match enrolled {
        Ok(enrolled) => {
            handover::show(&console, &person.visitor, &person.account, enrolled, &wanted, "").await
        }
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            page(&console, &person, problem, status).await
        }
    }
}

async fn page(console: &Console, person: &Person, problem: String, status: StatusCode) -> Answer {
    let (account, now) = (&person.account, time::now());
    let lines = console.house.enrollment.list(Some(account.id), CERTIFICATES).await?;
    let connected = connected(console, account.id);
    let rooms = rooms(console, account.id).await?;
    let desk = Desk {
        chrome: person.visitor.chrome(),
        file: file_stem(&account.name),
        name: account.display.clone(),
        photo: is_shown(console, account).await?,
        names: names(account),
        validity: span(console.house.enrollment.client_validity()),
        purposes: if account.mail.is_some() { purposes() } else { Vec::new() },
        rows: lines.iter().map(|line| own(line, &connected, now)).collect(),
        guide: guide::of(&console.house.facts, account, &rooms),
        problem,
    };
    show_as(status, &desk)
}

fn own(line: &Certificate, connected: &HashMap<String, u64>, now: Timestamp) -> Own {
    let row = ledger_row(line, now);
    let stands = matches!(row.state, CertificateState::Valid | CertificateState::Expiring);
    let renewable = stands && PURPOSES.iter().any(|(profile, _)| *profile == row.profile);
    Own {
        purpose: purpose(&row.profile).to_owned(),
        sessions: connected.get(&line.serial).copied().unwrap_or_default(),
        renewable,
        row,
    }
}

/// Live sessions of an account, by the serial of the certificate that they show.
pub(super) fn connected(console: &Console, account: AccountId) -> HashMap<String, u64> {
    let mut connected = HashMap::new();
    for session in console.house.broker.of(account) {
        if let Some(serial) = session.live(|live| live.serial.clone()).flatten() {
            *connected.entry(serial).or_default() += 1;
        }
    }
    connected
}

/// The rooms of an account, by name.
pub(super) async fn rooms(console: &Console, account: AccountId) -> Result<Vec<String>, Trouble> {
    let all = console.house.chat.rooms().await?;
    Ok(all.into_iter().filter(|room| room.members.contains(&account)).map(|room| room.name).collect())
}

fn names(account: &Account) -> Vec<(String, String)> {
    let mut names =
        vec![("Common name".to_owned(), account.name.clone()), ("URI".into(), account.id.to_urn())];
    names.extend(account.mail.clone().map(|mail| ("Mail".to_owned(), mail)));
    names
}

fn purposes() -> Vec<Choice> {
    PURPOSES.iter().map(|(value, label)| Choice::new(*value, *label)).collect()
}
