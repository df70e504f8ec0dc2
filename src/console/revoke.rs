//! Taking a certificate back, after a question.

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use chancery_admin_ui::Nav;
use chancery_admin_ui::revoke::{Revoke, reasons};
use serde::Deserialize;

use super::Console;
use super::certificates::{find, ledger_row};
use super::flash::{Done, done};
use super::guard::Admin;
use super::page::{Answer, Trouble, path, show_as};
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/certificates/{serial}/revoke", get(question).post(revoke))
}

#[derive(Deserialize)]
struct Sent {
    reason: String,
}

async fn question(State(console): State<Console>, admin: Admin, Path(serial): Path<String>) -> Answer {
    page(&console, &admin, &serial, String::new(), StatusCode::OK).await
}

async fn revoke(
    State(console): State<Console>,
    admin: Admin,
    Path(serial): Path<String>,
    Form(sent): Form<Sent>,
) -> Answer {
    match console.house.enrollment.revoke(&admin.who, &serial, &sent.reason, time::now()).await {
        Ok(ended) => Ok(done(&path(&["certificates", &serial]), Done::Revoked, &ended.to_string())),
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            page(&console, &admin, &serial, problem, status).await
        }
    }
}

async fn page(console: &Console, admin: &Admin, serial: &str, problem: String, status: StatusCode) -> Answer {
    let line = find(console, serial).await?;
    let shows = |serial: &Option<String>| serial.as_ref() == Some(&line.serial);
    let live = console
        .house
        .broker
        .all()
        .iter()
        .filter(|one| one.live(|live| shows(&live.serial)) == Some(true))
        .count();
    let page = Revoke {
        chrome: admin.chrome(Nav::Certificates, &[&["cert", "revoke", &line.serial, "--reason", "REASON"]]),
        row: ledger_row(&line, time::now()),
        reasons: reasons(),
        live_sessions: live as u64,
        problem,
    };
    show_as(status, &page)
}
