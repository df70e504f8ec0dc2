//! The log of what was issued: rows of a Merkle tree and its right edge. What they mean, the authority knows.

use diesel::prelude::*;

use super::schema::{certificate, log_edge, log_row};
use super::{StoreError, Tx, View, bad_row};

/// One row: how high, where, and the hash.
pub(crate) type LogRow = (i64, i64, [u8; 32]);

/// The right edge of the tree, and the largest size that was signed.
pub(crate) struct LogEdge {
    pub(crate) edge: Vec<u8>,
    pub(crate) published: i64,
}

impl View {
    /// Where the log ends.
    pub(crate) fn log_edge(&mut self) -> Result<LogEdge, StoreError> {
        let (edge, published) =
            log_edge::table.select((log_edge::edge, log_edge::published)).first(&mut self.conn)?;
        Ok(LogEdge { edge, published })
    }

    /// Hashes of consecutive rows.
    pub(crate) fn log_rows(
        &mut self,
        level: i64,
        first: i64,
        count: i64,
    ) -> Result<Vec<[u8; 32]>, StoreError> {
        let rows: Vec<Vec<u8>> = log_row::table
            .filter(log_row::level.eq(level))
            .filter(log_row::place.ge(first))
            .filter(log_row::place.lt(first.saturating_add(count)))
            .order(log_row::place)
            .select(log_row::hash)
            .load(&mut self.conn)?;
        let hash = |row: Vec<u8>| row.try_into().map_err(|_| bad_row("a hash of another length"));
        rows.into_iter().map(hash).collect()
    }

    /// Where a certificate stands in the log, and the certificate.
    pub(crate) fn logged(&mut self, serial: &str) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
        let row: Option<(Option<i64>, Option<Vec<u8>>)> = certificate::table
            .find(serial)
            .select((certificate::log_place, certificate::der))
            .first(&mut self.conn)
            .optional()?;
        Ok(row.and_then(|(place, der)| place.zip(der)))
    }

    /// Certificates from a place of the log on.
    pub(crate) fn logged_from(&mut self, first: i64, limit: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows: Vec<(Option<i64>, Option<Vec<u8>>)> = certificate::table
            .filter(certificate::log_place.ge(first))
            .order(certificate::log_place)
            .limit(limit)
            .select((certificate::log_place, certificate::der))
            .load(&mut self.conn)?;
        Ok(rows.into_iter().filter_map(|(place, der)| place.zip(der)).collect())
    }

    /// Certificates that were signed before there was a log, the oldest first.
    pub(crate) fn unlogged(&mut self, limit: i64) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows: Vec<(String, Option<Vec<u8>>)> = certificate::table
            .filter(certificate::log_place.is_null())
            .filter(certificate::der.is_not_null())
            .order((certificate::created_at, certificate::serial))
            .limit(limit)
            .select((certificate::serial, certificate::der))
            .load(&mut self.conn)?;
        Ok(rows.into_iter().filter_map(|(serial, der)| Some((serial, der?))).collect())
    }
}

impl Tx {
    /// The log has grown by one: the rows that this completes and the edge after it.
    pub(crate) fn grow_log(&mut self, rows: &[LogRow], edge: &[u8]) -> Result<(), StoreError> {
        for (level, at, hash) in rows {
            diesel::insert_into(log_row::table)
                .values((log_row::level.eq(level), log_row::place.eq(at), log_row::hash.eq(&hash[..])))
                .execute(&mut self.view.conn)?;
        }
        self.set_edge(edge);
        Ok(())
    }

    /// Where a certificate stands in the log that was signed before.
    pub(crate) fn set_log_place(&mut self, serial: &str, place: i64) -> Result<(), StoreError> {
        diesel::update(certificate::table.find(serial))
            .set(certificate::log_place.eq(place))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// A size is about to be signed; `false` when a larger one was signed before: this is an older copy of the store.
    pub(crate) fn publish_log(&mut self, size: i64) -> Result<bool, StoreError> {
        let row = log_edge::table.filter(log_edge::published.le(size));
        let changed = diesel::update(row).set(log_edge::published.eq(size)).execute(&mut self.view.conn)?;
        Ok(changed > 0)
    }
}
