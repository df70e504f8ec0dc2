//! One-time tokens: who may have which certificate for once. Of the token itself only a hash is kept.

use diesel::prelude::*;

use super::kept::{Kept, statement};
use super::schema::{pending, token};
use super::{StoreError, Tx, View, bad_row, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// What a one-time token allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) account: AccountId,
    pub(crate) profile: String,
    /// The names that the directory does not know, such as a server's.
    pub(crate) names: Vec<String>,
}

/// A token under its own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedToken {
    pub(crate) hash: [u8; 32],
    pub(crate) allows: Token,
}

type Columns = (Vec<u8>, Vec<u8>, String, String);

/// So many wrong secrets under a token's name, and it is dead.
const MISSES: i32 = 5;

impl View {
    /// What a token allows; `None` when it is unknown, dead or too old, or used for anything but a request that waits.
    /// It is used up by [`Tx::use_token`] alone.
    pub(crate) fn token(&mut self, hash: &[u8; 32], now: Timestamp) -> Result<Option<Token>, StoreError> {
        let row: Option<Columns> = alive(now)
            .filter(token::hash.eq(hash.to_vec()))
            .select((token::hash, token::account, token::profile, token::names))
            .first(&mut self.conn)
            .optional()?;
        Ok(row.map(from_row).transpose()?.map(|found| found.allows))
    }

    /// The token of this name, under the same conditions.
    pub(crate) fn token_named(&mut self, id: &str, now: Timestamp) -> Result<Option<NamedToken>, StoreError> {
        let row: Option<Columns> = alive(now)
            .filter(token::id.eq(id.to_owned()))
            .select((token::hash, token::account, token::profile, token::names))
            .first(&mut self.conn)
            .optional()?;
        row.map(from_row).transpose()
    }
}

impl Tx {
    /// Keeps the name and the hash of a new token.
    pub(crate) fn put_token(
        &mut self,
        id: &str,
        hash: &[u8; 32],
        allows: &Token,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        diesel::insert_into(token::table)
            .values((
                token::hash.eq(&hash[..]),
                token::account.eq(&allows.account.to_bytes()[..]),
                token::profile.eq(&allows.profile),
                token::expires_at.eq(until.micros()),
                token::id.eq(id),
                token::names.eq(serde_json::json!(allows.names).to_string()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Uses a token up, once; `false` when it is unknown, used, dead or too old.
    pub(crate) fn use_token(&mut self, hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
        let values = [now.micros().into(), hash[..].into(), i64::from(MISSES).into(), now.micros().into()];
        Ok(Kept(Use, &values).run(&mut self.view.conn)? > 0)
    }

    /// Somebody came with the token's name and a wrong secret.
    pub(crate) fn miss_token(&mut self, hash: &[u8; 32]) -> Result<(), StoreError> {
        diesel::update(token::table.find(hash.to_vec()))
            .set(token::misses.eq(token::misses + 1))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}

statement!(
    Use,
    "UPDATE token SET used_at = ? WHERE hash = ? AND used_at IS NULL AND misses < ? AND expires_at > ?"
);

/// One that is bound to a request lives as long as the request, which alone it is good for.
fn alive(now: Timestamp) -> token::BoxedQuery<'static, diesel::sqlite::Sqlite> {
    let bound = pending::table
        .filter(pending::token.is_not_null())
        .filter(pending::expires_at.gt(now.micros()))
        .select(pending::token.assume_not_null());
    let fresh = token::used_at.is_null().and(token::expires_at.gt(now.micros()));
    token::table.filter(token::misses.lt(MISSES)).filter(fresh.or(token::hash.eq_any(bound))).into_boxed()
}

fn from_row((hash, account, profile, names): Columns) -> Result<NamedToken, StoreError> {
    let hash = hash.try_into().map_err(|_| bad_row("a token's hash of another length"))?;
    let names =
        serde_json::from_str(&names).map_err(|_| bad_row(format!("a token for the names {names}")))?;
    Ok(NamedToken { hash, allows: Token { account: AccountId::from_bytes(id16(account)?), profile, names } })
}
