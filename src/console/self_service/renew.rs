//! Renewing one's own certificate: the same kind again, with a new key.

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use chancery_admin_ui::self_service::ways::Ways;

use super::guard::{Person, Proven};
use super::handover::{self, Wanted};
use super::quota;
use super::revoke::own_line;
use crate::console::Console;
use crate::console::enrol::file_stem;
use crate::console::page::{Answer, Trouble, path, show_as};
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/enroll/certificates/{serial}/renew", get(ways).post(renew))
}

async fn ways(State(console): State<Console>, person: Person, Path(serial): Path<String>) -> Answer {
    page(&console, &person, &serial, String::new(), StatusCode::OK).await
}

async fn renew(
    State(console): State<Console>,
    Proven(person): Proven,
    Path(serial): Path<String>,
    Form(wanted): Form<Wanted>,
) -> Answer {
    let (enrollment, request, now) = (&console.house.enrollment, wanted.request()?, time::now());
    quota::check(&console, &person.who, &person.account, now).await?;
    match enrollment.renew_self(&person.who, &serial, request, now).await {
        Ok(enrolled) => {
            handover::show(&console, &person.visitor, &person.account, enrolled, &wanted, &serial).await
        }
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
    let ways = Ways {
        chrome: person.visitor.chrome(),
        action: path(&["enroll", "certificates", &line.serial, "renew"]),
        account: person.account.name.clone(),
        file: file_stem(&person.account.name),
        renews: line.serial,
        for_mail: line.profile != "client",
        problem,
    };
    show_as(status, &ways)
}
