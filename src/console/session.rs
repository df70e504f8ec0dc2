//! Signed-in browsers. The browser holds a random secret in a cookie, the store only its hash; a session ends by
//! itself after a quarter of an hour of silence, and eight hours after it began whatever happens.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Console, cookie};
use crate::audit::Deed;
use crate::id::AccountId;
use crate::principal::Principal;
use crate::secret;
use crate::store::{ConsoleSession, Store, StoreError, Tx};
use crate::time::Timestamp;

/// Silence that ends a session.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// The age that ends a session.
const LONGEST: Duration = Duration::from_secs(8 * 60 * 60);
/// A request is noted only so often, because each note is a write to the disk.
const NOTED: Duration = Duration::from_secs(30);

/// What a browser's cookie stands for.
pub(super) enum Seat {
    /// There is no cookie, or one that was never ours.
    Empty,
    /// The session has ended by itself.
    Over,
    Taken {
        admin: Arc<str>,
        csrf: Zeroizing<String>,
    },
}

/// A session about to begin: its secret goes to the browser, its hash to the store.
pub(super) struct Opening {
    secret: Zeroizing<String>,
    row: ConsoleSession,
    /// The session that this browser held before; it ends here.
    instead_of: Option<[u8; 32]>,
}

/// The hash of the secret that a browser shows.
pub(super) fn shown(headers: &HeaderMap) -> Option<[u8; 32]> {
    cookie::read_secret(headers, cookie::SESSION).map(secret::digest)
}

/// Who sits behind a cookie; being asked keeps the session alive. Somebody whom the directory made an admin is one for as
/// long as it does.
pub(super) async fn seat(
    console: &Console,
    shown: Option<[u8; 32]>,
    now: Timestamp,
) -> Result<Seat, StoreError> {
    let (store, directory) = (&console.house.store, &console.house.directory);
    let Some(hash) = shown else { return Ok(Seat::Empty) };
    let Some(row) = store.read(move |view| view.console_session(&hash)).await? else {
        return Ok(Seat::Empty);
    };
    let is_admin = |id| directory.by_id(id).is_some_and(|account| console.is_admin(&account));
    let stands = if row.account.is_none_or(is_admin) { judge(&row, now) } else { Standing::Over };
    match stands {
        Standing::Over => {
            store.write(move |tx| tx.drop_console_session(&hash)).await?;
            return Ok(Seat::Over);
        }
        Standing::Quiet => store.write(move |tx| tx.see_console_session(&hash, now)).await?,
        Standing::Lively => {}
    }
    Ok(Seat::Taken { admin: row.admin.into(), csrf: Zeroizing::new(row.csrf) })
}

#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// Heard of a moment ago.
    Lively,
    /// To be noted as heard of.
    Quiet,
    Over,
}

fn judge(row: &ConsoleSession, now: Timestamp) -> Standing {
    let silence = now.since(row.seen_at);
    if silence >= IDLE || now.since(row.created_at) >= LONGEST {
        return Standing::Over;
    }
    if silence >= NOTED { Standing::Quiet } else { Standing::Lively }
}

impl Opening {
    /// For an admin with a password of the console's own, or for a person of the directory.
    pub(super) fn of(
        admin: &str,
        account: Option<AccountId>,
        instead_of: Option<[u8; 32]>,
        now: Timestamp,
    ) -> Self {
        let csrf = secret::one_time().to_string();
        let row = ConsoleSession { admin: admin.into(), account, csrf, created_at: now, seen_at: now };
        Self { secret: secret::one_time(), row, instead_of }
    }

    /// Keeps the session, and who signed in from where.
    pub(super) fn keep(&self, tx: &mut Tx, facts: Value) -> Result<(), StoreError> {
        if let Some(old) = &self.instead_of {
            tx.drop_console_session(old)?;
        }
        let now = self.row.created_at;
        tx.put_console_session(&secret::digest(&self.secret), &self.row)?;
        let who = Principal::Admin(self.row.admin.as_str().into());
        tx.remember(Deed::new(&who, "admin.sign-in", &self.row.admin).with(facts), now)
    }

    /// Hands the secret to the browser. To be done after the commit.
    pub(super) fn hand_over(&self, response: &mut Response) {
        cookie::set(response, cookie::SESSION, &self.secret);
        cookie::clear(response, cookie::BEFORE);
    }
}

/// Ends a browser's session at its admin's wish.
pub(super) async fn end(
    store: &Store,
    who: &Principal,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<(), StoreError> {
    let deed = Deed::new(who, "admin.sign-out", "console").with(json!({}));
    store.write(move |tx| tx.drop_console_session(&hash).and_then(|()| tx.remember(deed, now))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(created_minutes_ago: u64, seen_seconds_ago: u64) -> Standing {
        let now = Timestamp::from_micros(1_795_226_400_000_000);
        let row = ConsoleSession {
            admin: "ada".into(),
            account: None,
            csrf: String::new(),
            created_at: now.before(Duration::from_secs(created_minutes_ago * 60)),
            seen_at: now.before(Duration::from_secs(seen_seconds_ago)),
        };
        judge(&row, now)
    }

    #[test]
    fn a_session_ends_after_a_quarter_of_an_hour_of_silence() {
        assert_eq!(judged(60, 15 * 60 - 1), Standing::Quiet);
        assert_eq!(judged(60, 15 * 60), Standing::Over);
    }

    #[test]
    fn a_session_ends_after_eight_hours_of_work() {
        assert_eq!(judged(8 * 60 - 1, 0), Standing::Lively);
        assert_eq!(judged(8 * 60, 0), Standing::Over);
    }

    #[test]
    fn a_busy_browser_does_not_wear_out_the_disk() {
        assert_eq!(judged(1, 29), Standing::Lively);
        assert_eq!(judged(1, 30), Standing::Quiet);
    }
}
