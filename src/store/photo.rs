//! Photos: what is shown of them, once it was made.

use diesel::prelude::*;

use super::kept::{Kept, statement};
use super::schema::photo;
use super::{StoreError, Tx, View, id16};
use crate::id::AccountId;

/// A photo, developed or not yet.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub(crate) struct Photo {
    /// Of the photo in the directory: the SHA-256 in lower-case hexadecimal.
    pub(crate) digest: String,
    /// What is shown.
    pub(crate) jpeg: Option<Vec<u8>>,
    /// Why it cannot be shown.
    pub(crate) why: Option<String>,
}

impl View {
    /// Somebody's photo.
    pub(crate) fn photo(&mut self, account: AccountId) -> Result<Option<Photo>, StoreError> {
        let row = photo::table.find(account.to_bytes().to_vec());
        Ok(row.select((photo::digest, photo::jpeg, photo::why)).first(&mut self.conn).optional()?)
    }

    /// Whose photo waits to be developed, after this person in the order of ids, and its digest.
    pub(crate) fn undeveloped(
        &mut self,
        after: Option<AccountId>,
    ) -> Result<Option<(AccountId, String)>, StoreError> {
        let after = after.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
        let row: Option<(Vec<u8>, String)> = photo::table
            .filter(photo::jpeg.is_null().and(photo::why.is_null()))
            .filter(photo::account.gt(after))
            .order(photo::account)
            .select((photo::account, photo::digest))
            .first(&mut self.conn)
            .optional()?;
        row.map(|(id, digest)| Ok((AccountId::from_bytes(id16(id)?), digest))).transpose()
    }
}

impl Tx {
    /// Somebody has this photo now, or none. One that they had before stays as it is developed.
    pub(super) fn put_photo(&mut self, account: AccountId, digest: Option<&str>) -> Result<(), StoreError> {
        let (id, conn) = (account.to_bytes(), &mut self.view.conn);
        match digest {
            Some(digest) => Kept(Put, &[id[..].into(), digest.into()]).run(conn)?,
            None => Kept(Remove, &[id[..].into()]).run(conn)?,
        };
        Ok(())
    }

    /// The photo of this digest is developed, or cannot be shown; nothing where somebody has another by now.
    pub(crate) fn develop(
        &mut self,
        account: AccountId,
        digest: &str,
        developed: Result<Vec<u8>, String>,
    ) -> Result<(), StoreError> {
        let row = photo::table.find(account.to_bytes().to_vec()).filter(photo::digest.eq(digest));
        diesel::update(row)
            .set((photo::jpeg.eq(developed.as_ref().ok()), photo::why.eq(developed.as_ref().err())))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}

statement!(
    Put,
    "INSERT INTO photo (account, digest) VALUES (?, ?) ON CONFLICT (account) DO UPDATE \
    SET digest = excluded.digest, jpeg = NULL, why = NULL WHERE digest <> excluded.digest"
);

statement!(Remove, "DELETE FROM photo WHERE account = ?");
