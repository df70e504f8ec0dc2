//! Requests that wait for an admin: approved or denied, each with one button.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use chancery_admin_ui::Nav;
use chancery_admin_ui::pending::{Pending as Page, PendingRow};

use super::Console;
use super::flash::{Done, done};
use super::guard::Admin;
use super::page::{Answer, Trouble, path, show_as};
use crate::api::PendingView;
use crate::enrollment::Refused;
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/pending", get(list))
        .route("/pending/{id}/approve", post(approve))
        .route("/pending/{id}/deny", post(deny))
}

async fn list(State(console): State<Console>, admin: Admin) -> Answer {
    page(&console, &admin, String::new(), StatusCode::OK).await
}

async fn approve(State(console): State<Console>, admin: Admin, Path(id): Path<String>) -> Answer {
    let approved = console.house.enrollment.approve(&admin.who, &id, time::now()).await;
    told(
        &console,
        &admin,
        approved.map(|serial| done(&path(&["certificates", &serial]), Done::Approved, &id)),
    )
    .await
}

async fn deny(State(console): State<Console>, admin: Admin, Path(id): Path<String>) -> Answer {
    let denied = console.house.enrollment.deny(&admin.who, &id, time::now()).await;
    told(&console, &admin, denied.map(|()| done("/pending", Done::Denied, &id))).await
}

/// A refusal comes back with the list.
async fn told(console: &Console, admin: &Admin, deed: Result<Response, Refused>) -> Answer {
    match deed {
        Ok(response) => Ok(response),
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            page(console, admin, problem, status).await
        }
    }
}

async fn page(console: &Console, admin: &Admin, problem: String, status: StatusCode) -> Answer {
    let pending = console.house.enrollment.pending(time::now()).await?;
    let row = |one: PendingView| PendingRow {
        id: one.request,
        account: one.account,
        profile: one.profile,
        names: one.names.join(", "),
        front: one.front,
        key: one.key,
        created_at: one.created_at.to_string(),
        expires_at: one.expires_at.to_string(),
    };
    let page = Page {
        chrome: admin.chrome(Nav::Certificates, &[&["cert", "pending"], &["cert", "approve", "REQUEST"]]),
        rows: pending.iter().map(PendingView::of).map(row).collect(),
        problem,
    };
    show_as(status, &page)
}
