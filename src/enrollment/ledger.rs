//! The ledger, read: one line, the newest, or those that somebody searches for.

use chancery_ca as ca;

use super::{Enrollment, Refused};
use crate::id::AccountId;
use crate::store::{Certificate, LedgerFilter, StoreError};
use crate::time::Timestamp;

impl Enrollment {
    /// The newest lines of the ledger; of one account when given.
    pub(crate) async fn list(
        &self,
        account: Option<AccountId>,
        limit: i64,
    ) -> Result<Vec<Certificate>, StoreError> {
        self.store.read(move |view| view.certificates(account, limit)).await
    }

    /// The newest lines of the ledger that are wanted; those after the line of this serial when given.
    pub(crate) async fn search(
        &self,
        wanted: LedgerFilter,
        after: Option<Certificate>,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Certificate>, StoreError> {
        self.store.read(move |view| view.ledger_after(&wanted, after.as_ref(), limit, now)).await
    }

    /// One line of the ledger; the serial in either case, with or without colons.
    pub(crate) async fn show(&self, serial: &str) -> Result<Option<Certificate>, StoreError> {
        let Ok(serial) = canonical(serial) else { return Ok(None) };
        self.store.read(move |view| view.certificate(&serial)).await
    }
}

/// A serial as the ledger writes it.
pub(super) fn canonical(serial: &str) -> Result<String, Refused> {
    serial
        .parse::<ca::Serial>()
        .map(|parsed| parsed.to_string())
        .map_err(|_| Refused::NoCertificate(serial.into()))
}
