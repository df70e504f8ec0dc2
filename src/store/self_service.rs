//! Browsers that are signed in at the self-service page.

use diesel::prelude::*;

use super::schema::self_service_session;
use super::{StoreError, Tx, View, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// A signed-in browser.
#[derive(Clone, Debug)]
pub(crate) struct SelfServiceSession {
    pub(crate) account: AccountId,
    /// The token that each of its forms must carry.
    pub(crate) csrf: String,
    /// When the password was asked.
    pub(crate) proved_at: Timestamp,
}

impl View {
    /// The browser that holds this cookie.
    pub(crate) fn self_service_session(
        &mut self,
        hash: &[u8; 32],
    ) -> Result<Option<SelfServiceSession>, StoreError> {
        let row: Option<(Vec<u8>, String, i64)> = self_service_session::table
            .find(hash.to_vec())
            .select((
                self_service_session::account,
                self_service_session::csrf,
                self_service_session::proved_at,
            ))
            .first(&mut self.conn)
            .optional()?;
        row.map(|(account, csrf, proved_at)| {
            let account = AccountId::from_bytes(id16(account)?);
            Ok(SelfServiceSession { account, csrf, proved_at: Timestamp::from_micros(proved_at) })
        })
        .transpose()
    }
}

impl Tx {
    /// A browser signed in.
    pub(crate) fn put_self_service_session(
        &mut self,
        hash: &[u8; 32],
        new: &SelfServiceSession,
    ) -> Result<(), StoreError> {
        diesel::insert_into(self_service_session::table)
            .values((
                self_service_session::hash.eq(&hash[..]),
                self_service_session::account.eq(&new.account.to_bytes()[..]),
                self_service_session::csrf.eq(&new.csrf),
                self_service_session::proved_at.eq(new.proved_at.micros()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// A browser signed out.
    pub(crate) fn drop_self_service_session(&mut self, hash: &[u8; 32]) -> Result<(), StoreError> {
        diesel::delete(self_service_session::table.find(hash.to_vec())).execute(&mut self.view.conn)?;
        Ok(())
    }
}
