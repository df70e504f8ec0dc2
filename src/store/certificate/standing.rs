//! The ledger as lists ask for it: by owner and by standing, a page at a time.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use super::{Certificate, CertificateState, Columns, StoreError, View, certificate, from_row};
use crate::id::AccountId;
use crate::time::Timestamp;

/// What a line of the ledger comes to at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A serial was accounted for; whether it was signed is not known.
    Intended,
    InForce,
    /// In force, with at most a third of its life left.
    Ending,
    Expired,
    Revoked,
}

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LedgerFilter {
    /// `None` is everybody, and the house itself.
    pub(crate) account: Option<AccountId>,
    /// [`Standing::InForce`] includes those that end soon.
    pub(crate) standing: Option<Standing>,
}

impl Certificate {
    /// What the line comes to now.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        let (left, life) = (self.not_after.since(now), self.not_after.since(self.not_before));
        match self.state {
            CertificateState::Revoked => Standing::Revoked,
            _ if left.is_zero() => Standing::Expired,
            CertificateState::Intended => Standing::Intended,
            CertificateState::Active if left * 3 <= life => Standing::Ending,
            CertificateState::Active => Standing::InForce,
        }
    }
}

impl View {
    /// How many lines are wanted.
    pub(crate) fn ledger_count(&mut self, wanted: LedgerFilter, now: Timestamp) -> Result<i64, StoreError> {
        Ok(filtered(wanted, now).count().get_result(&mut self.conn)?)
    }

    /// Some of the lines that are wanted: the newest first; where the end is what matters, the nearest end first.
    pub(crate) fn ledger_page(
        &mut self,
        wanted: LedgerFilter,
        offset: i64,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Certificate>, StoreError> {
        let query = filtered(wanted, now).offset(offset).limit(limit);
        let query = match wanted.standing {
            Some(Standing::Ending) => query.order((certificate::not_after.asc(), certificate::serial.asc())),
            _ => query.order((certificate::created_at.desc(), certificate::serial.desc())),
        };
        let rows: Vec<Columns> = query.select(columns!()).load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }
}

/// [`Certificate::standing`] as the database is asked.
fn filtered(wanted: LedgerFilter, now: Timestamp) -> certificate::BoxedQuery<'static, Sqlite> {
    let (mut query, now) = (certificate::table.into_boxed(), now.micros());
    if let Some(account) = wanted.account {
        query = query.filter(certificate::account.eq(account.to_bytes().to_vec()));
    }
    let stands = |query: certificate::BoxedQuery<'static, Sqlite>, state: &'static str| {
        query.filter(certificate::state.eq(state)).filter(certificate::not_after.gt(now))
    };
    match wanted.standing {
        None => query,
        Some(Standing::Intended) => stands(query, "intended"),
        Some(Standing::InForce) => stands(query, "active"),
        // 3 (not_after - now) ≤ not_after - not_before, with the columns on one side.
        Some(Standing::Ending) => stands(query, "active")
            .filter((certificate::not_after + certificate::not_after + certificate::not_before).le(now * 3)),
        Some(Standing::Expired) => {
            query.filter(certificate::state.ne("revoked")).filter(certificate::not_after.le(now))
        }
        Some(Standing::Revoked) => query.filter(certificate::state.eq("revoked")),
    }
}
