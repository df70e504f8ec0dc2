//! The audit chain's rows, written in the same transaction as the deed.

use diesel::connection::SimpleConnection;
use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use super::schema::{audit, mark};
use super::tail::{AuditHead, HEAD};
use super::{StoreError, Tx, View, bad_row};
use crate::audit::{Deed, Entry, GENESIS, Verified, Walk, link};
use crate::time::Timestamp;

/// How many entries are read at once while the chain is walked.
const PAGE: i64 = 1000;

impl Tx {
    /// Remembers a deed at the end of the chain.
    pub(crate) fn remember(&mut self, deed: Deed, now: Timestamp) -> Result<(), StoreError> {
        let head = self.head()?;
        let (last, prev, latest) =
            head.map_or((0, GENESIS, now), |head| (head.seq, head.hash, head.latest.max(now)));
        let seq = last + 1;
        let details = deed.details.to_string();
        let hash = link(&prev, seq, now, [&deed.actor, deed.deed, &deed.subject, &details]);
        diesel::insert_into(audit::table)
            .values((
                audit::seq.eq(seq),
                audit::at.eq(now.micros()),
                audit::actor.eq(&deed.actor),
                audit::deed.eq(deed.deed),
                audit::subject.eq(&deed.subject),
                audit::details.eq(&details),
                audit::hash.eq(&hash[..]),
            ))
            .execute(&mut self.view.conn)?;
        self.set_head(AuditHead { seq, hash, latest });
        Ok(())
    }

    /// The latest time of all that is remembered.
    pub(crate) fn latest_deed(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.head()?.map(|head| head.latest))
    }

    /// Remembers a deed, after which no earlier one counts as later than `now`.
    pub(crate) fn accept_clock(&mut self, deed: Deed, now: Timestamp) -> Result<(), StoreError> {
        self.remember(deed, now)?;
        if let Some(head) = self.head()? {
            self.set_head(AuditHead { latest: now, ..head });
        }
        Ok(())
    }
}

impl View {
    /// Entries before `before` (or the newest), newest first.
    pub(crate) fn audit_entries(
        &mut self,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Entry>, StoreError> {
        let rows = audit::table
            .filter(audit::seq.lt(before.unwrap_or(i64::MAX)))
            .order(audit::seq.desc())
            .limit(limit)
            .load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }

    /// How many entries hold these words in actor, deed or subject; all of them when there are no words.
    pub(crate) fn audit_count(&mut self, words: &str) -> Result<i64, StoreError> {
        Ok(holding(words).count().get_result(&mut self.conn)?)
    }

    /// Some of the entries that hold these words, newest first.
    pub(crate) fn audit_page(
        &mut self,
        words: &str,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<Entry>, StoreError> {
        let rows =
            holding(words).order(audit::seq.desc()).offset(offset).limit(limit).load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }

    /// Walks the whole chain as it stood at one moment.
    pub(crate) fn verify_audit(&mut self) -> Result<Verified, StoreError> {
        self.conn.batch_execute("BEGIN")?;
        let verified = self.walk_audit();
        self.conn.batch_execute("COMMIT")?;
        verified
    }

    fn walk_audit(&mut self) -> Result<Verified, StoreError> {
        let head = self.audit_head()?.map(|head| (head.seq, head.hash));
        let (mut walk, mut after) = (Walk::new(), i64::MIN);
        loop {
            let rows: Vec<Row> = audit::table
                .filter(audit::seq.gt(after))
                .order(audit::seq)
                .limit(PAGE)
                .load(&mut self.conn)?;
            let Some(last) = rows.last() else { return Ok(walk.end(head)) };
            after = last.0;
            for row in rows {
                walk.step(&from_row(row)?);
            }
        }
    }

    pub(super) fn audit_head(&mut self) -> Result<Option<AuditHead>, StoreError> {
        let head: Option<(i64, Option<Vec<u8>>)> = mark::table
            .filter(mark::name.eq(HEAD))
            .select((mark::value, mark::data))
            .first(&mut self.conn)
            .optional()?;
        let Some((seq, data)) = head else { return Ok(None) };
        let data = data.unwrap_or_default();
        let (hash, latest) = data.split_at_checked(32).unwrap_or((&data, &[]));
        let latest = match latest.try_into() {
            Ok(latest) => i64::from_be_bytes(latest),
            // From before it was kept.
            Err(_) => audit::table.select(max(audit::at)).first::<Option<i64>>(&mut self.conn)?.unwrap_or(0),
        };
        Ok(Some(AuditHead { seq, hash: hash32(hash.to_vec())?, latest: Timestamp::from_micros(latest) }))
    }
}

fn holding(words: &str) -> audit::BoxedQuery<'static, Sqlite> {
    let all = audit::table.into_boxed();
    if words.is_empty() {
        return all;
    }
    let escaped = words.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let pattern = format!("%{escaped}%");
    let holds = audit::actor
        .like(pattern.clone())
        .escape('\\')
        .or(audit::deed.like(pattern.clone()).escape('\\'))
        .or(audit::subject.like(pattern).escape('\\'));
    all.filter(holds)
}

type Row = (i64, i64, String, String, String, String, Vec<u8>);

fn from_row((seq, at, actor, deed, subject, details, hash): Row) -> Result<Entry, StoreError> {
    let at = Timestamp::from_micros(at);
    Ok(Entry { seq, at, actor, deed, subject, details, hash: hash32(hash)? })
}

fn hash32(bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| bad_row("an audit hash that is not 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Principal;
    use crate::store::Store;

    #[tokio::test]
    async fn deeds_are_found_by_words_that_mean_nothing_but_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.db"), 1).unwrap();
        for subject in ["bob", "100%", "a_b", "a-b", r"c:\d"] {
            let deed = Deed::new(&Principal::Host, "account.add", subject);
            store.write(move |tx| tx.remember(deed, crate::time::now())).await.unwrap();
        }
        for (words, found) in [
            ("", 5),
            ("ACCOUNT.ADD", 5),
            ("host", 5),
            ("%", 1),
            ("a_b", 1),
            ("_", 1),
            (r"\", 1),
            ("carol", 0),
        ] {
            let read =
                move |view: &mut View| Ok((view.audit_count(words)?, view.audit_page(words, 0, 10)?.len()));
            assert_eq!(store.read(read).await.unwrap(), (found, found as usize), "{words:?}");
        }
        let oldest = store.read(|view| view.audit_page("", 4, 10)).await.unwrap();
        assert_eq!(oldest[0].subject, "bob");
    }
}
