//! People's signed-in browsers. The browser holds a random secret in a cookie, the store its hash; everything about a
//! session follows from when the password was asked, so being looked at writes nothing.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::audit::Deed;
use crate::console::cookie;
use crate::principal::Principal;
use crate::secret;
use crate::store::{Account, SelfServiceSession, Store, StoreError, Tx};
use crate::time::Timestamp;

/// The age that ends a session: time enough to set up a client with the page beside it.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// How long after the password was asked something may be changed.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// A session about to begin.
pub(super) struct Opening {
    secret: Zeroizing<String>,
    row: SelfServiceSession,
    /// The session that this browser held before; it ends here.
    instead_of: Option<[u8; 32]>,
}

/// The hash of the secret that a browser shows.
pub(super) fn shown(headers: &HeaderMap) -> Option<[u8; 32]> {
    cookie::read_secret(headers, cookie::PERSON).map(secret::digest)
}

/// The session behind a cookie, if it is not over.
pub(super) async fn find(
    store: &Store,
    shown: Option<[u8; 32]>,
    now: Timestamp,
) -> Result<Option<SelfServiceSession>, StoreError> {
    let Some(hash) = shown else { return Ok(None) };
    let row = store.read(move |view| view.self_service_session(&hash)).await?;
    Ok(row.filter(|row| now.since(row.proved_at) < LONGEST))
}

/// Whether a password asked then is enough to change something now.
pub(super) fn is_fresh(proved_at: Timestamp, now: Timestamp) -> bool {
    now.since(proved_at) < FRESH
}

impl Opening {
    pub(super) fn of(account: &Account, instead_of: Option<[u8; 32]>, now: Timestamp) -> Self {
        let csrf = secret::one_time().to_string();
        let row = SelfServiceSession { account: account.id, csrf, proved_at: now };
        Self { secret: secret::one_time(), row, instead_of }
    }

    /// Keeps the session, and who signed in from where.
    pub(super) fn keep(
        &self,
        tx: &mut Tx,
        who: &Principal,
        name: &str,
        facts: Value,
    ) -> Result<(), StoreError> {
        if let Some(old) = &self.instead_of {
            tx.drop_self_service_session(old)?;
        }
        tx.put_self_service_session(&secret::digest(&self.secret), &self.row)?;
        tx.remember(Deed::new(who, "self-service.sign-in", name).with(facts), self.row.proved_at)
    }

    /// Hands the secret to the browser. To be done after the commit.
    pub(super) fn hand_over(&self, response: &mut Response) {
        cookie::set(response, cookie::PERSON, &self.secret);
        cookie::clear(response, cookie::BEFORE);
    }
}

/// Ends a browser's session at its owner's wish.
pub(super) async fn end(
    store: &Store,
    who: &Principal,
    name: &str,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<(), StoreError> {
    let deed = Deed::new(who, "self-service.sign-out", name).with(json!({}));
    store.write(move |tx| tx.drop_self_service_session(&hash).and_then(|()| tx.remember(deed, now))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_enough_for_five_minutes() {
        let now = Timestamp::from_micros(1_795_226_400_000_000);
        assert!(is_fresh(now.before(Duration::from_secs(299)), now));
        assert!(!is_fresh(now.before(Duration::from_secs(300)), now));
    }

    #[tokio::test]
    async fn a_session_ends_after_half_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db"), 1).unwrap();
        let now = Timestamp::from_micros(1_795_226_400_000_000);
        let row = SelfServiceSession {
            account: crate::id::AccountId::GUEST,
            csrf: "c".into(),
            proved_at: now.before(Duration::from_secs(1_799)),
        };
        store.write(move |tx| tx.put_self_service_session(&[7; 32], &row)).await.unwrap();
        assert!(find(&store, Some([7; 32]), now).await.unwrap().is_some());
        let later = now.after(Duration::from_secs(1));
        assert!(find(&store, Some([7; 32]), later).await.unwrap().is_none());
        assert!(find(&store, Some([8; 32]), now).await.unwrap().is_none());
    }
}
