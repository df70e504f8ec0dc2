//! What certificates name: kept beside them, so that they can be searched and compared without being read.
//!
//! An index of three letters each (FTS5's trigrams) finds parts of names; it says where to look, and LIKE looks.

use diesel::prelude::*;

use super::certificate;
use crate::store::{StoreError, Tx, View};

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
        self.index_later(serial, names);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::store::schema::certificate_text;
    use crate::store::{LedgerFilter, NewCertificate, Store, StoreError, Tx};
    use crate::time;

    use super::*;

    #[tokio::test]
    async fn what_was_signed_before_names_were_kept_is_named_and_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.db"), 1).unwrap();
        let now = time::now();
        let sign = move |tx: &mut Tx| -> Result<(), StoreError> {
            let new = NewCertificate {
                serial: "0A".into(),
                account: None,
                name: "web".into(),
                profile: "server",
                issuer: 1,
                spki: [0; 32],
                not_before: now,
                not_after: now,
            };
            tx.intend_certificate(&new, now)?;
            tx.activate_certificate("0A", b"der", "", 0)?;
            // As a store of before has it.
            diesel::update(certificate::table)
                .set(certificate::names.eq(None::<String>))
                .execute(&mut tx.view.conn)?;
            Ok(())
        };
        store.write(sign).await.unwrap();
        let unnamed = store.read(|view| view.unnamed(10)).await.unwrap();
        assert_eq!(unnamed, [("0A".to_owned(), b"der".to_vec())]);
        store.write(|tx| tx.set_names("0A", "web.corp.example")).await.unwrap();
        assert!(store.read(|view| view.unnamed(10)).await.unwrap().is_empty());
        let wanted = LedgerFilter { name: Some("corp.ex".into()), ..LedgerFilter::default() };
        let found = store.read(move |view| view.ledger_after(&wanted, None, 10, now)).await.unwrap();
        assert_eq!(found.len(), 1);
    }
    #[tokio::test]
    async fn what_a_refused_unit_named_is_not_indexed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.db"), 1).unwrap();
        let refuse = |tx: &mut Tx| -> Result<(), StoreError> {
            tx.set_names("0A", "web.corp.example")?;
            Err(StoreError::Closed)
        };
        store.write(refuse).await.unwrap_err();
        store.write(|tx| tx.set_names("0B", "mail.corp.example")).await.unwrap();
        let indexed = |view: &mut View| -> Result<Vec<String>, StoreError> {
            Ok(certificate_text::table.select(certificate_text::serial).load(&mut view.conn)?)
        };
        assert_eq!(store.read(indexed).await.unwrap(), ["0B"]);
    }
}
