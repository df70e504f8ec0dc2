//! What stands in the directory by our hand, and what should: certificates by which others encrypt mail.

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::schema::{certificate, published};
use super::{Certificate, StoreError, Tx, View, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// A certificate that stands, or may stand, in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) serial: String,
    /// Whether the directory has said yes.
    pub(crate) written: bool,
}

type Columns = (Option<Vec<u8>>, Option<Vec<u8>>, i64, i64);

/// A good certificate for encrypting mail to somebody.
#[derive(Clone, Debug)]
pub(crate) struct MailLine {
    pub(crate) account: AccountId,
    pub(crate) der: Vec<u8>,
    pub(crate) created_at: Timestamp,
    /// Last second of validity.
    pub(crate) not_after: Timestamp,
}

impl View {
    /// The good ones of an account for encrypting mail, newest first.
    pub(crate) fn mail_certificates(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<Certificate>, StoreError> {
        let good = good(now).filter(certificate::account.eq(account.to_bytes().to_vec()));
        let serials: Vec<String> =
            good.order(certificate::created_at.desc()).select(certificate::serial).load(&mut self.conn)?;
        let lines = serials.iter().filter_map(|serial| self.certificate(serial).transpose());
        lines.collect()
    }

    /// The good ones of everybody, in no order.
    pub(crate) fn all_mail_certificates(&mut self, now: Timestamp) -> Result<Vec<MailLine>, StoreError> {
        let columns =
            (certificate::account, certificate::der, certificate::created_at, certificate::not_after);
        let rows = good(now).select(columns).load_iter::<Columns, DefaultLoadingMode>(&mut self.conn)?;
        let mut lines = Vec::new();
        for row in rows {
            let (Some(account), Some(der), created_at, not_after) = row? else { continue };
            lines.push(MailLine {
                account: AccountId::from_bytes(id16(account)?),
                der,
                created_at: Timestamp::from_micros(created_at),
                not_after: Timestamp::from_micros(not_after),
            });
        }
        Ok(lines)
    }

    /// Everybody about whom the directory may have to be told something.
    pub(crate) fn accounts_to_publish(&mut self, now: Timestamp) -> Result<Vec<AccountId>, StoreError> {
        let mut ids: Vec<Vec<u8>> = published::table.select(published::account).load(&mut self.conn)?;
        let with: Vec<Option<Vec<u8>>> = good(now).select(certificate::account).load(&mut self.conn)?;
        ids.extend(with.into_iter().flatten());
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(|id| Ok(AccountId::from_bytes(id16(id)?))).collect()
    }

    /// What stands, or may stand, in the directory of an account's.
    pub(crate) fn published(&mut self, account: AccountId) -> Result<Vec<Published>, StoreError> {
        let rows: Vec<(String, i32)> = published::table
            .filter(published::account.eq(account.to_bytes().to_vec()))
            .select((published::serial, published::written))
            .load(&mut self.conn)?;
        Ok(rows.into_iter().map(|(serial, written)| Published { serial, written: written != 0 }).collect())
    }
}

impl Tx {
    /// Notes a certificate: before it is written to the directory, and again when that has said yes.
    pub(crate) fn put_published(
        &mut self,
        account: AccountId,
        serial: &str,
        written: bool,
    ) -> Result<(), StoreError> {
        let (id, written) = (account.to_bytes().to_vec(), i32::from(written));
        diesel::insert_into(published::table)
            .values((published::account.eq(id), published::serial.eq(serial), published::written.eq(written)))
            .on_conflict((published::account, published::serial))
            .do_update()
            .set(published::written.eq(written))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// A certificate stands there no more.
    pub(crate) fn drop_published(&mut self, account: AccountId, serial: &str) -> Result<(), StoreError> {
        let row = published::table.find((account.to_bytes().to_vec(), serial.to_owned()));
        diesel::delete(row).execute(&mut self.view.conn)?;
        Ok(())
    }
}

/// Signed, not taken back, begun and not over. The profile is said outright, as the index has it.
fn good(now: Timestamp) -> certificate::BoxedQuery<'static, diesel::sqlite::Sqlite> {
    certificate::table
        .filter(sql::<Bool>("profile = 'mail-encryption'"))
        .filter(certificate::state.eq("active"))
        .filter(certificate::not_before.le(now.micros()))
        .filter(certificate::not_after.gt(now.micros()))
        .into_boxed()
}
