//! Admins of the console: one-time links, names and passwords, signed-in browsers.

use diesel::prelude::*;

use super::schema::{admin, console_link, console_session};
use super::{StoreError, Tx, View, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// What became of an attempt to use a one-time link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Good,
    /// Unknown, used or too old; which of these is nobody's business.
    Dead,
}

/// A signed-in browser.
#[derive(Clone, Debug)]
pub(crate) struct ConsoleSession {
    pub(crate) admin: String,
    /// The person whose groups make them an admin; nobody for an admin with a password of the console's own.
    pub(crate) account: Option<AccountId>,
    /// The token that each of its forms must carry.
    pub(crate) csrf: String,
    pub(crate) created_at: Timestamp,
    pub(crate) seen_at: Timestamp,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = console_session)]
struct Row {
    admin: String,
    account: Option<Vec<u8>>,
    csrf: String,
    created_at: i64,
    seen_at: i64,
}

impl View {
    /// Whether a link could still be used.
    pub(crate) fn console_link(&mut self, hash: &[u8; 32], now: Timestamp) -> Result<Link, StoreError> {
        let good: i64 = console_link::table
            .find(hash.to_vec())
            .filter(console_link::used_at.is_null())
            .filter(console_link::expires_at.gt(now.micros()))
            .count()
            .get_result(&mut self.conn)?;
        Ok(if good == 1 { Link::Good } else { Link::Dead })
    }

    /// The Argon2id string of an admin.
    pub(crate) fn admin_password(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(admin::table.find(name).select(admin::password).first(&mut self.conn).optional()?)
    }

    /// The browser that holds this cookie.
    pub(crate) fn console_session(&mut self, hash: &[u8; 32]) -> Result<Option<ConsoleSession>, StoreError> {
        let row: Option<Row> = console_session::table
            .find(hash.to_vec())
            .select(Row::as_select())
            .first(&mut self.conn)
            .optional()?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ConsoleSession {
            admin: row.admin,
            account: row.account.map(id16).transpose()?.map(AccountId::from_bytes),
            csrf: row.csrf,
            created_at: Timestamp::from_micros(row.created_at),
            seen_at: Timestamp::from_micros(row.seen_at),
        }))
    }
}

impl Tx {
    /// Keeps the hash of a new one-time link.
    pub(crate) fn put_console_link(&mut self, hash: &[u8; 32], until: Timestamp) -> Result<(), StoreError> {
        diesel::insert_into(console_link::table)
            .values((console_link::hash.eq(&hash[..]), console_link::expires_at.eq(until.micros())))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Uses a link up, once.
    pub(crate) fn use_console_link(&mut self, hash: &[u8; 32], now: Timestamp) -> Result<Link, StoreError> {
        let row = console_link::table
            .find(hash.to_vec())
            .filter(console_link::used_at.is_null())
            .filter(console_link::expires_at.gt(now.micros()));
        let used =
            diesel::update(row).set(console_link::used_at.eq(now.micros())).execute(&mut self.view.conn)?;
        Ok(if used == 1 { Link::Good } else { Link::Dead })
    }

    /// Makes an admin or gives one a new password; signed-in browsers of that admin are signed out.
    pub(crate) fn put_admin(&mut self, name: &str, phc: &str, now: Timestamp) -> Result<(), StoreError> {
        diesel::delete(console_session::table.filter(console_session::admin.eq(name)))
            .execute(&mut self.view.conn)?;
        diesel::insert_into(admin::table)
            .values((admin::name.eq(name), admin::password.eq(phc), admin::created_at.eq(now.micros())))
            .on_conflict(admin::name)
            .do_update()
            .set(admin::password.eq(phc))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// A browser signed in.
    pub(crate) fn put_console_session(
        &mut self,
        hash: &[u8; 32],
        new: &ConsoleSession,
    ) -> Result<(), StoreError> {
        diesel::insert_into(console_session::table)
            .values((
                console_session::hash.eq(&hash[..]),
                console_session::admin.eq(&new.admin),
                console_session::account.eq(new.account.map(|id| id.to_bytes().to_vec())),
                console_session::csrf.eq(&new.csrf),
                console_session::created_at.eq(new.created_at.micros()),
                console_session::seen_at.eq(new.seen_at.micros()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// A browser was heard of again.
    pub(crate) fn see_console_session(&mut self, hash: &[u8; 32], now: Timestamp) -> Result<(), StoreError> {
        diesel::update(console_session::table.find(hash.to_vec()))
            .set(console_session::seen_at.eq(now.micros()))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// A browser signed out.
    pub(crate) fn drop_console_session(&mut self, hash: &[u8; 32]) -> Result<(), StoreError> {
        diesel::delete(console_session::table.find(hash.to_vec())).execute(&mut self.view.conn)?;
        Ok(())
    }
}
