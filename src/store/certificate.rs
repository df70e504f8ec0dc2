//! The ledger: every certificate and its state.

use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::kept::{Kept, statement};
use super::schema::{account, certificate};
use super::{StoreError, Tx, View, bad_row, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// How far a certificate's life has come. `Intended` rows are committed before the key signs, so that no serial is
/// ever unaccounted for; after a crash they are treated as issued and can be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateState {
    Intended,
    Active,
    Revoked,
}

impl CertificateState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            CertificateState::Intended => "intended",
            CertificateState::Active => "active",
            CertificateState::Revoked => "revoked",
        }
    }
}

/// A line of the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// Upper-case hex.
    pub(crate) serial: String,
    /// `None` for the house's own certificates.
    pub(crate) account: Option<AccountId>,
    pub(crate) name: String,
    pub(crate) profile: String,
    /// Which issuing CA signed it, counted from 1.
    pub(crate) issuer: u32,
    pub(crate) state: CertificateState,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) der: Option<Vec<u8>>,
    pub(crate) reason: Option<String>,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
}

/// A certificate about to be signed.
#[derive(Clone, Debug)]
pub(crate) struct NewCertificate {
    pub(crate) serial: String,
    pub(crate) account: Option<AccountId>,
    pub(crate) name: String,
    pub(crate) profile: &'static str,
    /// Which issuing CA is to sign it.
    pub(crate) issuer: u32,
    /// SHA-256 of the public key (SubjectPublicKeyInfo).
    pub(crate) spki: [u8; 32],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

/// What a list says of a certificate that was revoked, and until when it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RevokedLine {
    /// Upper-case hex.
    pub(crate) serial: String,
    pub(crate) issuer: u32,
    pub(crate) at: Timestamp,
    pub(crate) reason: String,
    pub(crate) not_after: Timestamp,
}

type RevokedRow = (String, i32, Option<i64>, Option<String>, i64);

type Columns = (
    String,
    Option<Vec<u8>>,
    String,
    String,
    String,
    i64,
    i64,
    Option<Vec<u8>>,
    Option<String>,
    Option<i64>,
    i64,
    i32,
);

macro_rules! columns {
    () => {
        (
            certificate::serial,
            certificate::account,
            certificate::name,
            certificate::profile,
            certificate::state,
            certificate::not_before,
            certificate::not_after,
            certificate::der,
            certificate::reason,
            certificate::revoked_at,
            certificate::created_at,
            certificate::issuer,
        )
    };
}

mod names;
mod reminder;
mod standing;
pub(crate) use reminder::Ending;
pub(crate) use standing::{LedgerFilter, Standing};

impl View {
    /// The newest certificates first; of one account when given.
    pub(crate) fn certificates(
        &mut self,
        of: Option<AccountId>,
        limit: i64,
    ) -> Result<Vec<Certificate>, StoreError> {
        let mut query = certificate::table.into_boxed();
        if let Some(account) = of {
            query = query.filter(certificate::account.eq(account.to_bytes().to_vec()));
        }
        let rows: Vec<Columns> = query
            .order(certificate::created_at.desc())
            .limit(limit)
            .select(columns!())
            .load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }

    /// One line of the ledger.
    pub(crate) fn certificate(&mut self, serial: &str) -> Result<Option<Certificate>, StoreError> {
        let row: Option<Columns> =
            certificate::table.find(serial).select(columns!()).first(&mut self.conn).optional()?;
        row.map(from_row).transpose()
    }

    /// Everything revoked that was still valid at a time.
    pub(crate) fn revoked(&mut self, since: Timestamp) -> Result<Vec<RevokedLine>, StoreError> {
        let rows: Vec<RevokedRow> = certificate::table
            // Said outright: with a bound value SQLite would not know that the index of the revoked ones will do.
            .filter(sql::<Bool>("state = 'revoked'"))
            .filter(certificate::not_after.gt(since.micros()))
            .select((
                certificate::serial,
                certificate::issuer,
                certificate::revoked_at,
                certificate::reason,
                certificate::not_after,
            ))
            .load(&mut self.conn)?;
        let line = |(serial, issuer, at, reason, not_after): RevokedRow| RevokedLine {
            serial,
            issuer: issuer.unsigned_abs(),
            at: Timestamp::from_micros(at.unwrap_or_default()),
            reason: reason.unwrap_or_default(),
            not_after: Timestamp::from_micros(not_after),
        };
        Ok(rows.into_iter().map(line).collect())
    }

    /// When the last certificate ends that an issuing CA has signed, but for those by which it answers for itself.
    pub(crate) fn last_end(&mut self, issuer: u32) -> Result<Option<Timestamp>, StoreError> {
        let last: Option<i64> = certificate::table
            .filter(certificate::issuer.eq(signed(issuer)))
            .filter(certificate::profile.ne("ocsp-signer"))
            .select(max(certificate::not_after))
            .get_result(&mut self.conn)?;
        Ok(last.map(Timestamp::from_micros))
    }

    /// What still stands of accounts that may not act any more, and whether the account is gone for good.
    pub(crate) fn left_standing(&mut self, now: Timestamp) -> Result<Vec<(Certificate, bool)>, StoreError> {
        let out: Vec<(Vec<u8>, Option<i64>)> = account::table
            .filter(account::removed_at.is_not_null())
            .or_filter(account::admin_disabled.eq(true))
            .or_filter(account::directory_disabled.is_not_null())
            .select((account::id, account::removed_at))
            .load(&mut self.conn)?;
        let mut standing = Vec::new();
        for (id, removed_at) in out {
            let rows: Vec<Columns> = certificate::table
                .filter(certificate::account.eq(id))
                .filter(certificate::state.ne("revoked"))
                .filter(certificate::not_after.gt(now.micros()))
                .select(columns!())
                .load(&mut self.conn)?;
            for row in rows {
                standing.push((from_row(row)?, removed_at.is_some()));
            }
        }
        Ok(standing)
    }

    /// Whose key this is, if it was ever certified for somebody, and whether that certificate was revoked.
    pub(crate) fn key_used_by(
        &mut self,
        spki: &[u8; 32],
    ) -> Result<Vec<(Option<AccountId>, bool)>, StoreError> {
        let rows: Vec<(Option<Vec<u8>>, String)> = certificate::table
            .filter(certificate::spki.eq(&spki[..]))
            .select((certificate::account, certificate::state))
            .load(&mut self.conn)?;
        rows.into_iter()
            .map(|(account, state)| {
                let account = account.map(id16).transpose()?.map(AccountId::from_bytes);
                Ok((account, state == "revoked"))
            })
            .collect()
    }
}

impl Tx {
    /// Accounts for a serial before the key signs it.
    pub(crate) fn intend_certificate(
        &mut self,
        new: &NewCertificate,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        diesel::insert_into(certificate::table)
            .values((
                certificate::serial.eq(&new.serial),
                certificate::account.eq(new.account.map(|id| id.to_bytes().to_vec())),
                certificate::name.eq(&new.name),
                certificate::profile.eq(new.profile),
                certificate::state.eq("intended"),
                certificate::spki.eq(&new.spki[..]),
                certificate::not_before.eq(new.not_before.micros()),
                certificate::not_after.eq(new.not_after.micros()),
                certificate::created_at.eq(now.micros()),
                certificate::issuer.eq(signed(new.issuer)),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// The key has signed it, with these names, and it stands at this place of the log. A serial revoked in between stays
    /// revoked.
    pub(crate) fn activate_certificate(
        &mut self,
        serial: &str,
        der: &[u8],
        names: &str,
        place: i64,
    ) -> Result<(), StoreError> {
        let values = [der.into(), names.into(), place.into(), serial.into()];
        Kept(Activate, &values).run(&mut self.view.conn)?;
        self.index_later(serial, names);
        Ok(())
    }

    /// `false` when it was revoked already or is not in the ledger.
    pub(crate) fn revoke_certificate(
        &mut self,
        serial: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = certificate::table.find(serial).filter(certificate::state.ne("revoked"));
        let changed = diesel::update(row)
            .set((
                certificate::state.eq("revoked"),
                certificate::reason.eq(reason),
                certificate::revoked_at.eq(now.micros()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(changed > 0)
    }
}

statement!(
    Activate,
    "UPDATE certificate SET der = ?, names = ?, log_place = ?, \
     state = CASE state WHEN 'intended' THEN 'active' ELSE state END WHERE serial = ?"
);

/// As the column has it.
fn signed(issuer: u32) -> i32 {
    i32::try_from(issuer).unwrap_or(i32::MAX)
}

fn from_row(row: Columns) -> Result<Certificate, StoreError> {
    let (
        serial,
        account,
        name,
        profile,
        state,
        not_before,
        not_after,
        der,
        reason,
        revoked_at,
        created_at,
        issuer,
    ) = row;
    Ok(Certificate {
        serial,
        account: account.map(id16).transpose()?.map(AccountId::from_bytes),
        name,
        profile,
        issuer: issuer.unsigned_abs(),
        state: match state.as_str() {
            "intended" => CertificateState::Intended,
            "active" => CertificateState::Active,
            "revoked" => CertificateState::Revoked,
            other => return Err(bad_row(format!("a certificate in state {other}"))),
        },
        not_before: Timestamp::from_micros(not_before),
        not_after: Timestamp::from_micros(not_after),
        der,
        reason,
        revoked_at: revoked_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(created_at),
    })
}
