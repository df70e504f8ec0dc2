//! The ledger as lists ask for it: by owner and by standing, a page at a time.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use super::{Certificate, CertificateState, Columns, StoreError, View, certificate, from_row};
use crate::id::AccountId;
use crate::time::Timestamp;

/// What a line of the ledger comes to at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A serial was accounted for; whether it was signed is not known.
    Intended,
    InForce,
    /// In force, with at most a third of its life left.
    Ending,
    Expired,
    Revoked,
}

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LedgerFilter {
    /// `None` is everybody, and the house itself.
    pub(crate) account: Option<AccountId>,
    /// [`Standing::InForce`] includes those that end soon.
    pub(crate) standing: Option<Standing>,
}

impl Certificate {
    /// What the line comes to now.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        let (left, life) = (self.not_after.since(now), self.not_after.since(self.not_before));
        match self.state {
            CertificateState::Revoked => Standing::Revoked,
            _ if left.is_zero() => Standing::Expired,
            CertificateState::Intended => Standing::Intended,
            CertificateState::Active if left * 3 <= life => Standing::Ending,
            CertificateState::Active => Standing::InForce,
        }
    }
}

impl View {
    /// How many lines are wanted.
    pub(crate) fn ledger_count(&mut self, wanted: LedgerFilter, now: Timestamp) -> Result<i64, StoreError> {
        Ok(filtered(wanted, now).count().get_result(&mut self.conn)?)
    }

    /// Some of the lines that are wanted: the newest first; where the end is what matters, the nearest end first.
    pub(crate) fn ledger_page(
        &mut self,
        wanted: LedgerFilter,
        offset: i64,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Certificate>, StoreError> {
        let query = filtered(wanted, now).offset(offset).limit(limit);
        let query = match wanted.standing {
            Some(Standing::Ending) => query.order((certificate::not_after.asc(), certificate::serial.asc())),
            _ => query.order((certificate::created_at.desc(), certificate::serial.desc())),
        };
        let rows: Vec<Columns> = query.select(columns!()).load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }
}

/// [`Certificate::standing`] as the database is asked.
fn filtered(wanted: LedgerFilter, now: Timestamp) -> certificate::BoxedQuery<'static, Sqlite> {
    let (mut query, now) = (certificate::table.into_boxed(), now.micros());
    if let Some(account) = wanted.account {
        query = query.filter(certificate::account.eq(account.to_bytes().to_vec()));
    }
    let stands = |query: certificate::BoxedQuery<'static, Sqlite>, state: &'static str| {
        query.filter(certificate::state.eq(state)).filter(certificate::not_after.gt(now))
    };
    match wanted.standing {
        None => query,
        Some(Standing::Intended) => stands(query, "intended"),
        Some(Standing::InForce) => stands(query, "active"),
        // 3 (not_after - now) ≤ not_after - not_before, with the columns on one side.
        Some(Standing::Ending) => stands(query, "active")
            .filter((certificate::not_after + certificate::not_after + certificate::not_before).le(now * 3)),
        Some(Standing::Expired) => {
            query.filter(certificate::state.ne("revoked")).filter(certificate::not_after.le(now))
        }
        Some(Standing::Revoked) => query.filter(certificate::state.eq("revoked")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::{NewCertificate, Store, Tx};

    const DAY: Duration = Duration::from_secs(86_400);

    /// Certificates of ninety days at every age, as intended, active and revoked.
    fn fill(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
        for (age, state) in
            (0..100).flat_map(|age| ["intended", "active", "revoked"].map(|state| (age, state)))
        {
            let (serial, not_before) = (format!("{age:02X}{state}"), now.before(DAY * age));
            let new = NewCertificate {
                serial: serial.clone(),
                account: (age % 2 == 0).then_some(AccountId::GUEST),
                name: "bob".into(),
                profile: "client",
                issuer: 1,
                spki: [0; 32],
                not_before,
                not_after: not_before.after(DAY * 90),
            };
            tx.intend_certificate(&new, not_before)?;
            match state {
                "active" => tx.activate_certificate(&serial, b"", "bob")?,
                "revoked" => drop(tx.revoke_certificate(&serial, "superseded", now)?),
                _ => {}
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn the_database_and_the_house_agree_on_what_a_certificate_comes_to() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.db"), 1).unwrap();
        let now = crate::time::now();
        store.write(move |tx| fill(tx, now)).await.unwrap();
        let all = store.read(|view| view.certificates(None, 1000)).await.unwrap();
        let everything =
            [Standing::Intended, Standing::InForce, Standing::Ending, Standing::Expired, Standing::Revoked];
        for (standing, account) in
            everything.into_iter().flat_map(|one| [(one, None), (one, Some(AccountId::GUEST))])
        {
            let wanted = LedgerFilter { account, standing: Some(standing) };
            let fits = |line: &&Certificate| {
                let found = line.standing(now);
                let soon = standing == Standing::InForce && found == Standing::Ending;
                (found == standing || soon) && (account.is_none() || line.account == account)
            };
            let expected = all.iter().filter(fits).count();
            let read = move |view: &mut View| {
                Ok((view.ledger_count(wanted, now)?, view.ledger_page(wanted, 5, 1000, now)?))
            };
            let (count, page) = store.read(read).await.unwrap();
            assert_eq!(count as usize, expected, "{wanted:?}");
            assert_eq!(page.len(), expected - 5, "{wanted:?}");
            assert!(page.iter().all(|line| fits(&line)), "{wanted:?}");
        }
    }
}
