//! What certificates name: kept beside them, so that they can be searched and compared without being read.

use diesel::prelude::*;

use super::certificate;
use super::{StoreError, Tx, View};

impl View {
    /// Some certificates whose names are not kept yet: serial and DER.
    pub(crate) fn unnamed(&mut self, limit: i64) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        Ok(certificate::table
            .filter(certificate::names.is_null())
            .filter(certificate::der.is_not_null())
            .limit(limit)
            .select((certificate::serial, certificate::der.assume_not_null()))
            .load(&mut self.conn)?)
    }
}

impl Tx {
    /// Keeps the names of a certificate, each on a line of its own.
    pub(crate) fn set_names(&mut self, serial: &str, names: &str) -> Result<(), StoreError> {
        diesel::update(certificate::table.find(serial))
            .set(certificate::names.eq(names))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}
