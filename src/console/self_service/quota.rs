//! The quota: how many certificates this page gives an account, whoever drives its browser. The ledger is never to be
//! filled from here; whoever needs more asks an admin, or uses a protocol made for many devices.

use std::time::Duration;

use axum::http::StatusCode;

use crate::console::Console;
use crate::console::page::Trouble;
use crate::principal::Principal;
use crate::store::Account;
use crate::time::Timestamp;

/// Within [`HOUR`]: more than anybody has devices.
const MOST: usize = 20;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Whether the account may have one more now; if not, that is audited.
pub(super) async fn check(
    console: &Console,
    who: &Principal,
    account: &Account,
    now: Timestamp,
) -> Result<(), Trouble> {
    let newest = console.house.enrollment.list(Some(account.id), MOST as i64).await?;
    if newest.iter().filter(|line| now.since(line.created_at) < HOUR).count() < MOST {
        return Ok(());
    }
    let why = format!("{} got {MOST} certificates within the hour: wait, or ask an admin", account.name);
    console.house.enrollment.turned_away(who, "self-service", why.as_str(), now).await;
    Err(Trouble::new(StatusCode::TOO_MANY_REQUESTS, "That is enough for now", format!("{why}.")))
}
