//! Registered keys: which account may sign in with which public key.

use std::fmt;
use std::str::FromStr;

use diesel::prelude::*;
use sha2::{Digest, Sha256};

use super::schema::key;
use super::{StoreError, Tx, View, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// Which key: the first 16 bytes of the SHA-256 of its SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), written as 32
/// lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyId([u8; 16]);

/// The text is not 32 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("not a key's id: 32 hexadecimal digits expected")]
pub(crate) struct NotAKeyId;

/// A public key that an account signs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) account: AccountId,
    /// For people; may be empty.
    pub(crate) name: String,
    /// SubjectPublicKeyInfo in DER.
    pub(crate) spki: Vec<u8>,
    pub(crate) created_at: Timestamp,
}

impl KeyId {
    /// The id of a key by its SubjectPublicKeyInfo.
    pub(crate) fn of(spki: &[u8]) -> Self {
        let mut id = [0; 16];
        id.iter_mut().zip(Sha256::digest(spki)).for_each(|(byte, hashed)| *byte = hashed);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        // Parsing a number would also take a sign.
        if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NotAKeyId);
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| NotAKeyId)
    }
}

type Columns = (Vec<u8>, Vec<u8>, String, Vec<u8>, i64);

impl View {
    /// Every key, or an account's, the oldest first.
    pub(crate) fn keys(&mut self, account: Option<AccountId>) -> Result<Vec<Key>, StoreError> {
        let mut query = key::table.order((key::created_at, key::id)).into_boxed();
        if let Some(account) = account {
            query = query.filter(key::account.eq(account.to_bytes().to_vec()));
        }
        let rows: Vec<Columns> = query.load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }

    /// One key.
    pub(crate) fn key(&mut self, id: KeyId) -> Result<Option<Key>, StoreError> {
        let row: Option<Columns> = key::table.find(id.0.to_vec()).first(&mut self.conn).optional()?;
        row.map(from_row).transpose()
    }
}

impl Tx {
    /// Adds a key that nobody has.
    pub(crate) fn add_key(&mut self, new: &Key) -> Result<(), StoreError> {
        diesel::insert_into(key::table)
            .values((
                key::id.eq(&new.id.0[..]),
                key::account.eq(&new.account.to_bytes()[..]),
                key::name.eq(&new.name),
                key::spki.eq(&new.spki),
                key::created_at.eq(new.created_at.micros()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Removes a key.
    pub(crate) fn remove_key(&mut self, id: KeyId) -> Result<(), StoreError> {
        diesel::delete(key::table.find(id.0.to_vec())).execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Removes every key of an account.
    pub(crate) fn remove_keys_of(&mut self, account: AccountId) -> Result<(), StoreError> {
        let mine = key::table.filter(key::account.eq(account.to_bytes().to_vec()));
        diesel::delete(mine).execute(&mut self.view.conn)?;
        Ok(())
    }
}

fn from_row((id, account, name, spki, created_at): Columns) -> Result<Key, StoreError> {
    let (id, account) = (KeyId(id16(id)?), AccountId::from_bytes(id16(account)?));
    Ok(Key { id, account, name, spki, created_at: Timestamp::from_micros(created_at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_half_a_hash_in_hexadecimal() {
        // `printf abc | sha256sum`, the first 32 digits.
        let id = KeyId::of(b"abc");
        assert_eq!(id.to_string(), "ba7816bf8f01cfea414140de5dae2223");
        assert_eq!("BA7816BF8F01CFEA414140DE5DAE2223".parse::<KeyId>().unwrap(), id);
        for wrong in ["", "ba7816bf", "+a7816bf8f01cfea414140de5dae2223", "ba7816bf8f01cfea414140de5dae222ä"]
        {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
    }
}
