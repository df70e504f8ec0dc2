//! What a phone sees that was shown a code: one certificate for the code's owner, without a password.
//!
//! Looking uses nothing up, so neither a preview nor a reload can.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router};
use chancery_admin_ui::Chrome;
use chancery_admin_ui::self_service::ways::Ways;
use zeroize::Zeroizing;

use super::guard::Visitor;
use super::handover::{self, Wanted};
use super::quota;
use crate::console::Console;
use crate::console::enrol::file_stem;
use crate::console::page::{Answer, Trouble, path, show_as};
use crate::enrollment::Refused;
use crate::principal::Principal;
use crate::store::Account;
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/enroll/phone/{code}", get(ways).post(enrol))
}

async fn ways(
    State(console): State<Console>,
    Extension(visitor): Extension<Arc<Visitor>>,
    Path(code): Path<Zeroizing<String>>,
) -> Answer {
    let account = console.house.enrollment.owner_of_code(&code, time::now()).await.map_err(dead)?;
    page(&visitor, &account, &code, String::new(), StatusCode::OK)
}

async fn enrol(
    State(console): State<Console>,
    Extension(visitor): Extension<Arc<Visitor>>,
    Path(code): Path<Zeroizing<String>>,
    Form(wanted): Form<Wanted>,
) -> Answer {
    let (enrollment, request, now) = (&console.house.enrollment, wanted.request()?, time::now());
    let account = enrollment.owner_of_code(&code, now).await.map_err(dead)?;
    quota::check(&console, &Principal::Guest, &account, now).await?;
    match enrollment.enroll_by_code(&code, request, now).await {
        Ok(enrolled) => handover::show(&console, &visitor, &account, enrolled, &wanted, "").await,
        Err(refused @ Refused::DeadToken) => Err(dead(refused)),
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            page(&visitor, &account, &code, problem, status)
        }
    }
}

fn page(visitor: &Visitor, account: &Account, code: &str, problem: String, status: StatusCode) -> Answer {
    let ways = Ways {
        // The code's owner is not signed in here, and whoever is signed in is not the point.
        chrome: Chrome { person: String::new(), ..visitor.chrome() },
        action: path(&["enroll", "phone", code]),
        account: account.name.clone(),
        file: file_stem(&account.name),
        renews: String::new(),
        for_mail: false,
        problem,
    };
    show_as(status, &ways)
}

fn dead(refused: Refused) -> Trouble {
    match refused {
        Refused::DeadToken | Refused::Gone => {
            let what = "It was used, is too old, or was never given out. Show a new one on your computer.";
            Trouble::new(StatusCode::NOT_FOUND, "This code no longer works", what)
        }
        refused => refused.into(),
    }
}
