//! Other domains that an admin allowed, with the last verdict on each.

use diesel::prelude::*;

use super::schema::peer;
use super::{StoreError, Tx, View};
use crate::time::Timestamp;

/// An allowed domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) domain: String,
    pub(crate) checked_at: Option<Timestamp>,
    /// JSON of the last check.
    pub(crate) verdict: Option<String>,
    pub(crate) created_at: Timestamp,
}

impl View {
    /// Every allowed domain, by name.
    pub(crate) fn peers(&mut self) -> Result<Vec<Peer>, StoreError> {
        let rows: Vec<(String, Option<i64>, Option<String>, i64)> =
            peer::table.order(peer::domain).load(&mut self.conn)?;
        Ok(rows
            .into_iter()
            .map(|(domain, checked_at, verdict, created_at)| Peer {
                domain,
                checked_at: checked_at.map(Timestamp::from_micros),
                verdict,
                created_at: Timestamp::from_micros(created_at),
            })
            .collect())
    }
}

impl Tx {
    /// `false` when it is allowed already.
    pub(crate) fn add_peer(&mut self, domain: &str, now: Timestamp) -> Result<bool, StoreError> {
        let made = diesel::insert_into(peer::table)
            .values((peer::domain.eq(domain), peer::created_at.eq(now.micros())))
            .on_conflict_do_nothing()
            .execute(&mut self.view.conn)?;
        Ok(made > 0)
    }

    /// `false` when there is none.
    pub(crate) fn remove_peer(&mut self, domain: &str) -> Result<bool, StoreError> {
        Ok(diesel::delete(peer::table.find(domain)).execute(&mut self.view.conn)? > 0)
    }

    /// Keeps the result of a check; a domain that is not allowed is left alone.
    pub(crate) fn note_verdict(
        &mut self,
        domain: &str,
        verdict: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        diesel::update(peer::table.find(domain))
            .set((peer::verdict.eq(verdict), peer::checked_at.eq(now.micros())))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}
