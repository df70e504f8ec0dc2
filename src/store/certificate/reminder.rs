//! Certificates that end soon, and whether their owners were told.

use diesel::prelude::*;

use super::certificate;
use super::{StoreError, Tx, View, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// A certificate that ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) serial: String,
    pub(crate) account: AccountId,
    pub(crate) profile: String,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// Each on a line of its own.
    pub(crate) names: String,
    created_at: Timestamp,
}

type Columns = (String, Vec<u8>, String, i64, i64, Option<String>, i64);

impl View {
    /// People's certificates with `left` or less to live, of which the owner was not told since they had more: the nearest
    /// end first, those behind `after` when given.
    pub(crate) fn ending(
        &mut self,
        left: i64,
        after: Option<&Ending>,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Ending>, StoreError> {
        let (end, serial) = after.map_or((now.micros(), ""), |last| (last.not_after.micros(), &last.serial));
        let behind = certificate::not_after.eq(end).and(certificate::serial.gt(serial));
        let rows: Vec<Columns> = certificate::table
            .filter(certificate::not_after.gt(now.micros()))
            .filter(certificate::not_after.gt(end).or(behind))
            .filter(certificate::not_after.gt(now.micros()))
            .filter(certificate::not_after.le(now.micros().saturating_add(left)))
            .filter(certificate::state.eq("active"))
            .filter(certificate::reminded.is_null().or(certificate::reminded.gt(left)))
            .filter(certificate::account.is_not_null())
            .order((certificate::not_after, certificate::serial))
            .limit(limit)
            .select((
                certificate::serial,
                certificate::account.assume_not_null(),
                certificate::profile,
                certificate::not_before,
                certificate::not_after,
                certificate::names,
                certificate::created_at,
            ))
            .load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }

    /// Whether a newer certificate of the same account and profile outlives this one; where the directory has no names
    /// for the profile, one of the same names.
    pub(crate) fn is_renewed(&mut self, old: &Ending) -> Result<bool, StoreError> {
        let mut newer = certificate::table
            .filter(certificate::account.eq(old.account.to_bytes().to_vec()))
            .filter(certificate::profile.eq(&old.profile))
            .filter(certificate::state.eq("active"))
            .filter(certificate::created_at.ge(old.created_at.micros()))
            .filter(certificate::not_after.gt(old.not_after.micros()))
            .into_boxed();
        if NAMED.contains(&old.profile.as_str()) {
            newer = newer.filter(certificate::names.eq(&old.names));
        }
        Ok(newer.count().get_result::<i64>(&mut self.conn)? > 0)
    }
}

impl Tx {
    /// The owner is told; `false` when that was done, or nothing stands any more.
    pub(crate) fn mark_reminded(&mut self, serial: &str, left: i64) -> Result<bool, StoreError> {
        let due = certificate::table
            .find(serial)
            .filter(certificate::state.eq("active"))
            .filter(certificate::reminded.is_null().or(certificate::reminded.gt(left)));
        Ok(diesel::update(due).set(certificate::reminded.eq(left)).execute(&mut self.view.conn)? > 0)
    }
}

/// Profiles of which an account may have several for different things.
const NAMED: [&str; 3] = ["device", "server", "peer"];

fn from_row(row: Columns) -> Result<Ending, StoreError> {
    let (serial, account, profile, not_before, not_after, names, created_at) = row;
    Ok(Ending {
        serial,
        account: AccountId::from_bytes(id16(account)?),
        profile,
        not_before: Timestamp::from_micros(not_before),
        not_after: Timestamp::from_micros(not_after),
        names: names.unwrap_or_default(),
        created_at: Timestamp::from_micros(created_at),
    })
}
