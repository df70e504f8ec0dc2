//! Taking one's own certificate back, after a question.

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use chancery_admin_ui::self_service::revoke::{Revoke, reasons};
use serde::Deserialize;

use super::desk::{connected, purpose};
use super::guard::{Person, Proven};
use crate::api::Refused;
use crate::console::Console;
use crate::console::certificates::{find, ledger_row};
use crate::console::flash::{Done, done};
use crate::console::page::{Answer, Trouble, show_as};
use crate::store::Certificate;
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/enroll/certificates/{serial}/revoke", get(question).post(revoke))
}

#[derive(Deserialize)]
struct Sent {
    reason: String,
}

async fn question(State(console): State<Console>, person: Person, Path(serial): Path<String>) -> Answer {
    page(&console, &person, &serial, String::new(), StatusCode::OK).await
}

/// Whose it is, is decided where everybody's revocations are.
async fn revoke(
    State(console): State<Console>,
    Proven(person): Proven,
    Path(serial): Path<String>,
    Form(sent): Form<Sent>,
) -> Answer {
    match console.house.enrollment.revoke(&person.who, &serial, &sent.reason, time::now()).await {
        Ok(ended) => Ok(done("/enroll", Done::Revoked, &ended.to_string())),
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            page(&console, &person, &serial, problem, status).await
        }
    }
}

async fn page(
    console: &Console,
    person: &Person,
    serial: &str,
    problem: String,
    status: StatusCode,
) -> Answer {
    let line = own_line(console, person, serial).await?;
    let connected = connected(console, person.account.id);
    let page = Revoke {
        chrome: person.visitor.chrome(),
        purpose: purpose(&line.profile).to_owned(),
        row: ledger_row(&line, time::now()),
        reasons: reasons(),
        live_sessions: connected.get(&line.serial).copied().unwrap_or_default(),
        problem,
    };
    show_as(status, &page)
}

/// A line of the ledger that is the person's; other people's are not there.
pub(super) async fn own_line(
    console: &Console,
    person: &Person,
    serial: &str,
) -> Result<Certificate, Refused> {
    let line = find(console, serial).await?;
    match line.account == Some(person.account.id) {
        true => Ok(line),
        false => Err(Refused::NotFound(format!("there is no certificate {serial}"))),
    }
}
