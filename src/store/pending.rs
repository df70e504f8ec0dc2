//! Requests for certificates that were decided on and wait for an admin.
//!
//! Each is known by what it asks for, so that the same request sent again finds itself. One that is over stays until
//! its time is up, to tell whoever asks again what became of it.

use diesel::prelude::*;

use super::fixed::Waiting;
use super::schema::{certificate, pending};
use super::{StoreError, Tx, View, bad_row, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// A request that waits, or waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Account, profile, names and key, hashed; 32 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) account: AccountId,
    /// The account's.
    pub(crate) name: String,
    pub(crate) profile: String,
    /// The names that the directory does not know.
    pub(crate) names: Vec<String>,
    /// SubjectPublicKeyInfo in DER.
    pub(crate) spki: Vec<u8>,
    /// The protocol it came by.
    pub(crate) front: String,
    pub(crate) entitled: Entitled,
    pub(crate) state: PendingState,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// What entitles a request that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entitled {
    /// An admin asked for it.
    Admin,
    /// A one-time token, by its hash: used up, and bound to this request.
    Token([u8; 32]),
    /// The certificate of this serial.
    Certificate(String),
    /// A client of ACME.
    Client(String),
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PendingState {
    Waiting,
    /// It has this serial.
    Approved(String),
    Denied,
}

/// How a client of CMP asks again: the transaction, and the kind and number of its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) transaction: Vec<u8>,
    pub(crate) kind: String,
    pub(crate) number: i64,
}

type Columns = (
    (String, Vec<u8>, String, String, String, Vec<u8>, String),
    (Option<Vec<u8>>, Option<String>, Option<String>),
    (String, Option<String>, i64, i64),
);

macro_rules! columns {
    () => {
        (
            (
                pending::id,
                pending::account,
                pending::name,
                pending::profile,
                pending::names,
                pending::spki,
                pending::front,
            ),
            (pending::token, pending::certificate, pending::client),
            (pending::state, pending::serial, pending::created_at, pending::expires_at),
        )
    };
}

impl View {
    /// One request whose time is not up.
    pub(crate) fn pending(&mut self, id: &str, now: Timestamp) -> Result<Option<Pending>, StoreError> {
        let row: Option<Columns> = pending::table
            .find(id)
            .filter(pending::expires_at.gt(now.micros()))
            .select(columns!())
            .first(&mut self.conn)
            .optional()?;
        row.map(from_row).transpose()
    }

    /// All that wait, the oldest first.
    pub(crate) fn all_pending(&mut self, now: Timestamp) -> Result<Vec<Pending>, StoreError> {
        let rows: Vec<Columns> = pending::table
            .filter(Waiting)
            .filter(pending::expires_at.gt(now.micros()))
            .order(pending::created_at)
            .select(columns!())
            .load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }

    /// How many wait: of one account when given.
    pub(crate) fn count_pending(&mut self, of: Option<AccountId>, now: Timestamp) -> Result<i64, StoreError> {
        let mut wait =
            pending::table.filter(Waiting).filter(pending::expires_at.gt(now.micros())).into_boxed();
        if let Some(account) = of {
            wait = wait.filter(pending::account.eq(account.to_bytes().to_vec()));
        }
        Ok(wait.count().get_result(&mut self.conn)?)
    }

    /// The request that a transaction of CMP waits for, with its order.
    pub(crate) fn polled(
        &mut self,
        transaction: &[u8],
        now: Timestamp,
    ) -> Result<Option<(Pending, Poll)>, StoreError> {
        let row: Option<(Columns, Option<String>, Option<i64>)> = pending::table
            .filter(pending::poll.eq(transaction))
            .filter(pending::expires_at.gt(now.micros()))
            .select((columns!(), pending::poll_kind, pending::poll_number))
            .first(&mut self.conn)
            .optional()?;
        let Some((row, kind, number)) = row else { return Ok(None) };
        let (kind, number) = (kind.unwrap_or_default(), number.unwrap_or_default());
        Ok(Some((from_row(row)?, Poll { transaction: transaction.to_vec(), kind, number })))
    }
}

impl Tx {
    /// Keeps a request; one of the same kind whose time is up makes room for it.
    pub(crate) fn put_pending(&mut self, new: &Pending) -> Result<(), StoreError> {
        let (mut token, mut certificate, mut client) = (None, None, None);
        match &new.entitled {
            Entitled::Admin => {}
            Entitled::Token(hash) => token = Some(&hash[..]),
            Entitled::Certificate(serial) => certificate = Some(serial),
            Entitled::Client(id) => client = Some(id),
        }
        diesel::replace_into(pending::table)
            .values((
                pending::id.eq(&new.id),
                pending::account.eq(&new.account.to_bytes()[..]),
                pending::name.eq(&new.name),
                pending::profile.eq(&new.profile),
                pending::names.eq(serde_json::json!(new.names).to_string()),
                pending::spki.eq(&new.spki),
                pending::front.eq(&new.front),
                pending::token.eq(token),
                pending::certificate.eq(certificate),
                pending::client.eq(client),
                pending::state.eq("waiting"),
                pending::created_at.eq(new.created_at.micros()),
                pending::expires_at.eq(new.expires_at.micros()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Notes in which transaction CMP asks again; the last one counts.
    pub(crate) fn set_poll(&mut self, id: &str, poll: &Poll) -> Result<(), StoreError> {
        diesel::update(pending::table.find(id))
            .set((
                pending::poll.eq(&poll.transaction),
                pending::poll_kind.eq(&poll.kind),
                pending::poll_number.eq(poll.number),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// The request has a serial; `false` when it does not wait any more.
    pub(crate) fn approve_pending(
        &mut self,
        id: &str,
        serial: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let waiting = waiting(id, now);
        let approved = diesel::update(waiting)
            .set((pending::state.eq("approved"), pending::serial.eq(serial)))
            .execute(&mut self.view.conn)?;
        Ok(approved > 0)
    }

    /// `false` when the request does not wait any more.
    pub(crate) fn deny_pending(&mut self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let denied =
            diesel::update(waiting(id, now)).set(pending::state.eq("denied")).execute(&mut self.view.conn)?;
        Ok(denied > 0)
    }

    /// Lets those wait again that were approved and never signed: the one with this serial, or all after a crash.
    pub(crate) fn reopen_pending(&mut self, serial: Option<&str>) -> Result<(), StoreError> {
        let lines = certificate::table.on(pending::serial.eq(certificate::serial.nullable()));
        let mut lost = pending::table
            .inner_join(lines)
            .filter(pending::state.eq("approved"))
            .filter(certificate::der.is_null())
            .select(pending::id)
            .into_boxed();
        if let Some(serial) = serial {
            lost = lost.filter(pending::serial.eq(serial.to_owned()));
        }
        let lost: Vec<String> = lost.load(&mut self.view.conn)?;
        diesel::update(pending::table.filter(pending::id.eq_any(lost)))
            .set((pending::state.eq("waiting"), pending::serial.eq(None::<String>)))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}

/// One that waits and whose time is not up.
#[diesel::dsl::auto_type]
fn waiting<'a>(id: &'a str, now: Timestamp) -> _ {
    let micros: i64 = now.micros();
    pending::table
        .filter(pending::id.eq(id))
        .filter(pending::state.eq("waiting"))
        .filter(pending::expires_at.gt(micros))
}

fn from_row(row: Columns) -> Result<Pending, StoreError> {
    let ((id, account, name, profile, names, spki, front), entitled, (state, serial, created_at, expires_at)) =
        row;
    Ok(Pending {
        id,
        account: AccountId::from_bytes(id16(account)?),
        name,
        profile,
        names: serde_json::from_str(&names).map_err(|_| bad_row("names in another form"))?,
        spki,
        front,
        entitled: match entitled {
            (Some(hash), ..) => {
                Entitled::Token(hash.try_into().map_err(|_| bad_row("a token's hash of another length"))?)
            }
            (_, Some(serial), _) => Entitled::Certificate(serial),
            (.., Some(client)) => Entitled::Client(client),
            (None, None, None) => Entitled::Admin,
        },
        state: match (state.as_str(), serial) {
            ("waiting", _) => PendingState::Waiting,
            ("approved", Some(serial)) => PendingState::Approved(serial),
            ("denied", _) => PendingState::Denied,
            (other, _) => return Err(bad_row(format!("a request in state {other}"))),
        },
        created_at: Timestamp::from_micros(created_at),
        expires_at: Timestamp::from_micros(expires_at),
    })
}
