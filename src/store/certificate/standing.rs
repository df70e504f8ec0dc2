//! The ledger as lists ask for it: by what stands in its lines and what they come to, a page at a time.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
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

/// Which lines are wanted: those to which all of it applies.
#[derive(Clone, Debug, Default)]
pub(crate) struct LedgerFilter {
    /// `None` is everybody, and the house itself.
    pub(crate) account: Option<AccountId>,
    /// [`Standing::InForce`] includes those that end soon.
    pub(crate) standing: Option<Standing>,
    pub(crate) profile: Option<String>,
    /// What the serial begins with, upper-case hex.
    pub(crate) serial: Option<String>,
    /// Part of a name, of at least three letters, in lower case.
    pub(crate) name: Option<String>,
    /// SHA-256 of the public key.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) ends_before: Option<Timestamp>,
    pub(crate) ends_after: Option<Timestamp>,
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
    pub(crate) fn ledger_count(&mut self, wanted: &LedgerFilter, now: Timestamp) -> Result<i64, StoreError> {
        Ok(filtered(wanted, now).count().get_result(&mut self.conn)?)
    }

    /// Some of the lines that are wanted: the newest first; where the end is what matters, the nearest end first.
    pub(crate) fn ledger_page(
        &mut self,
        wanted: &LedgerFilter,
        offset: i64,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Certificate>, StoreError> {
        let query = filtered(wanted, now).offset(offset).limit(limit).select(certificate::serial);
        let query = match wanted.standing {
            Some(Standing::Ending) => query.order((certificate::not_after.asc(), certificate::serial.asc())),
            _ => query.order((certificate::created_at.desc(), certificate::serial.desc())),
        };
        let serials = query.load(&mut self.conn)?;
        self.lines(serials)
    }

    /// The newest lines that are wanted; those older than this one when given.
    pub(crate) fn ledger_after(
        &mut self,
        wanted: &LedgerFilter,
        after: Option<&Certificate>,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Certificate>, StoreError> {
        let mut query = filtered(wanted, now).limit(limit).select(certificate::serial);
        if let Some(last) = after {
            let at = last.created_at.micros();
            let same = certificate::created_at.eq(at).and(certificate::serial.lt(last.serial.clone()));
            query =
                query.filter(certificate::created_at.le(at)).filter(certificate::created_at.lt(at).or(same));
        }
        let order = (certificate::created_at.desc(), certificate::serial.desc());
        let serials = query.order(order).load(&mut self.conn)?;
        self.lines(serials)
    }

    /// The lines themselves, in this order: filters and order are the index's affair, and this reads no more than it
    /// shows.
    fn lines(&mut self, serials: Vec<String>) -> Result<Vec<Certificate>, StoreError> {
        let mut found = HashMap::with_capacity(serials.len());
        for some in serials.chunks(CHUNK) {
            let rows: Vec<Columns> = certificate::table
                .filter(certificate::serial.eq_any(some))
                .select(columns!())
                .load(&mut self.conn)?;
            for row in rows {
                let line = from_row(row)?;
                found.insert(line.serial.clone(), line);
            }
        }
        Ok(serials.iter().filter_map(|serial| found.remove(serial)).collect())
    }
}

/// How many lines one statement names.
const CHUNK: usize = 500;

/// [`Certificate::standing`] and the rest as the database is asked.
fn filtered(wanted: &LedgerFilter, now: Timestamp) -> certificate::BoxedQuery<'static, Sqlite> {
    let mut query = standing(wanted.standing, now);
    if let Some(account) = wanted.account {
        query = query.filter(certificate::account.eq(account.to_bytes().to_vec()));
    }
    if let Some(profile) = &wanted.profile {
        query = query.filter(certificate::profile.eq(profile.clone()));
    }
    if let Some(beginning) = &wanted.serial {
        // No digit is above F.
        let above = format!("{beginning}G");
        query = query.filter(certificate::serial.ge(beginning.clone())).filter(certificate::serial.lt(above));
    }
    if let Some(key) = &wanted.key {
        query = query.filter(certificate::spki.eq(key.clone()));
    }
    if let Some(before) = wanted.ends_before {
        query = query.filter(certificate::not_after.le(before.micros()));
    }
    if let Some(after) = wanted.ends_after {
        query = query.filter(certificate::not_after.ge(after.micros()));
    }
    if let Some(part) = &wanted.name {
        // What stands for anything in a pattern is looked for by the second condition. With the plus the list's index is
        // gone through, and not the certificates of all that a common part was found in.
        let pattern = format!("%{}%", part.replace('%', "_"));
        let named = sql::<Bool>("+serial IN (SELECT serial FROM certificate_text WHERE names LIKE ")
            .bind::<Text, _>(pattern)
            .sql(" AND instr(names, ")
            .bind::<Text, _>(part.clone())
            .sql("))");
        query = query.filter(named);
    }
    query
}

fn standing(wanted: Option<Standing>, now: Timestamp) -> certificate::BoxedQuery<'static, Sqlite> {
    let (query, now) = (certificate::table.into_boxed(), now.micros());
    let stands = |query: certificate::BoxedQuery<'static, Sqlite>, state: &'static str| {
        query.filter(certificate::state.eq(state)).filter(certificate::not_after.gt(now))
    };
    match wanted {
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
                "active" => tx.activate_certificate(&serial, b"", "bob", age.into())?,
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
            let wanted = LedgerFilter { account, standing: Some(standing), ..LedgerFilter::default() };
            let fits = |line: &&Certificate| {
                let found = line.standing(now);
                let soon = standing == Standing::InForce && found == Standing::Ending;
                (found == standing || soon) && (account.is_none() || line.account == account)
            };
            let expected = all.iter().filter(fits).count();
            let read = move |view: &mut View| {
                Ok((view.ledger_count(&wanted, now)?, view.ledger_page(&wanted, 5, 1000, now)?))
            };
            let (count, page) = store.read(read).await.unwrap();
            assert_eq!(count as usize, expected, "{standing:?}");
            assert_eq!(page.len(), expected - 5, "{standing:?}");
            assert!(page.iter().all(|line| fits(&line)), "{standing:?}");
        }
    }
    /// A hundred thousand lines over two years, of three profiles, in every state.
    const MANY: &str = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
        INSERT INTO certificate
            (serial, account, name, profile, state, spki, not_before, not_after, der, created_at, names)
        SELECT printf('%08X%08X', (i * 2654435761) % 4294967296, i), randomblob(16), 'p' || (i % 5000),
            CASE WHEN i % 50 = 0 THEN 'server' WHEN i % 9 = 0 THEN 'device' ELSE 'client' END,
            CASE WHEN i % 40 = 0 THEN 'revoked' ELSE 'active' END, randomblob(32), i * 630000000,
            i * 630000000 + 7776000000000, randomblob(900), i * 630000000,
            'host' || i || '.corp.example' || char(10) || 'p' || (i % 5000) || '@corp.example' FROM n";

    /// No search reads the certificates themselves to find out whether they are wanted.
    #[tokio::test]
    async fn every_search_among_a_hundred_thousand_lines_has_an_index() {
        #[derive(QueryableByName)]
        struct Step {
            #[diesel(sql_type = Text)]
            detail: String,
        }
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.db"), 1).unwrap();
        let fill = |tx: &mut Tx| -> Result<(), StoreError> {
            let conn = &mut tx.view.conn;
            diesel::sql_query(MANY).execute(conn)?;
            let index = "INSERT INTO certificate_text (serial, names) SELECT serial, names FROM certificate";
            diesel::sql_query(index).execute(conn)?;
            Ok(())
        };
        store.write(fill).await.unwrap();
        let now = Timestamp::from_micros(63_000_000_000_000);
        let none = LedgerFilter::default;
        let searches = [
            (none(), 1000),
            (LedgerFilter { account: Some(AccountId::GUEST), ..none() }, 0),
            (LedgerFilter { profile: Some("server".into()), ..none() }, 1000),
            (LedgerFilter { profile: Some("peer".into()), ..none() }, 0),
            (LedgerFilter { serial: Some("0000000000".into()), ..none() }, 1),
            (LedgerFilter { name: Some("host99999.corp".into()), ..none() }, 1),
            (LedgerFilter { name: Some("p4999@".into()), ..none() }, 20),
            (LedgerFilter { key: Some(vec![0; 32]), ..none() }, 0),
            (LedgerFilter { standing: Some(Standing::Revoked), ..none() }, 1000),
            (LedgerFilter { standing: Some(Standing::Intended), ..none() }, 0),
            (LedgerFilter { ends_before: Some(Timestamp::from_micros(0)), ..none() }, 0),
            (LedgerFilter { ends_after: Some(now), ..none() }, 1000),
        ];
        for (wanted, expected) in searches {
            let told = format!("{wanted:?}");
            let look = move |view: &mut View| {
                let order = (certificate::created_at.desc(), certificate::serial.desc());
                let query = filtered(&wanted, now).order(order).limit(1000).select(certificate::serial);
                let text = diesel::debug_query::<Sqlite, _>(&query).to_string();
                let text = text.split(" -- binds").next().unwrap_or_default().to_owned();
                let plan = format!("EXPLAIN QUERY PLAN {text}");
                let steps: Vec<Step> = diesel::sql_query(plan).load(&mut view.conn)?;
                Ok((steps, view.ledger_after(&wanted, None, 1000, now)?.len()))
            };
            let (steps, found) = store.read(look).await.unwrap();
            let plan: Vec<String> = steps.into_iter().map(|step| step.detail).collect();
            assert_eq!(found, expected, "{told}");
            for step in plan.iter().filter(|step| step.contains(" certificate ")) {
                let by_key = step.contains("(serial>? AND serial<?)") || step.contains("certificate_spki");
                assert!(by_key || step.contains("COVERING INDEX"), "{told}: {plan:?}");
            }
        }
    }
}
