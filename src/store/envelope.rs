//! Envelopes: what must leave the house, one recipient's trip each.

use std::time::Duration;

use diesel::dsl::{count_star, max};
use diesel::prelude::*;

use super::fixed::{Open, StillWaiting};
use super::message::fate;
use super::schema::{envelope, inbox, mark, message};
use super::{StoreError, Tx, View, bad_row, id16};
use crate::id::{AccountId, EnvelopeId, MessageId};
use crate::time::Timestamp;

/// How far a trip has come. The last three are ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnvelopeState {
    Waiting,
    Sending,
    Deferred,
    Delivered,
    Bounced,
    Cancelled,
}

impl EnvelopeState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            EnvelopeState::Waiting => "waiting",
            EnvelopeState::Sending => "sending",
            EnvelopeState::Deferred => "deferred",
            EnvelopeState::Delivered => "delivered",
            EnvelopeState::Bounced => "bounced",
            EnvelopeState::Cancelled => "cancelled",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        use EnvelopeState::*;
        [Waiting, Sending, Deferred, Delivered, Bounced, Cancelled]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| bad_row(format!("an envelope in state {text}")))
    }
}

/// One recipient's trip.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) id: EnvelopeId,
    pub(crate) account: AccountId,
    /// Mail address.
    pub(crate) recipient: String,
    pub(crate) route: String,
    pub(crate) state: EnvelopeState,
    /// How many messages the notice tells of.
    pub(crate) waiting: i64,
    pub(crate) attempts: i32,
    pub(crate) next_at: Timestamp,
    pub(crate) detail: Option<String>,
    pub(crate) created_at: Timestamp,
}

type Columns = (Vec<u8>, Vec<u8>, String, String, String, i64, i32, i64, Option<String>, i64);
macro_rules! columns {
    () => {
        (
            envelope::id,
            envelope::account,
            envelope::recipient,
            envelope::route,
            envelope::state,
            envelope::waiting,
            envelope::attempts,
            envelope::next_at,
            envelope::detail,
            envelope::created_at,
        )
    };
}

/// What an account waits for and was not told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Untold {
    /// Senders (wire names) with how many messages each.
    pub(crate) senders: Vec<(String, i64)>,
    /// The last of these messages in the order of commit.
    pub(crate) upto: i64,
}

impl Untold {
    /// How many messages there are.
    pub(crate) fn count(&self) -> i64 {
        self.senders.iter().map(|(_, messages)| messages).sum()
    }
}

/// A message with its author, who is to hear of it.
pub(crate) type Authored = (MessageId, AccountId);

/// The sweep's place in the order of commit.
pub(super) const SWEPT: &str = "outbox.swept";
/// How many messages one sweep looks at, so that it never holds the writer for long.
const SWEEP: i64 = 5000;

impl View {
    /// The newest envelopes first.
    pub(crate) fn envelopes(&mut self, limit: i64) -> Result<Vec<Envelope>, StoreError> {
        let rows: Vec<Columns> = envelope::table
            .order(envelope::created_at.desc())
            .limit(limit)
            .select(columns!())
            .load(&mut self.conn)?;
        rows.into_iter().map(from_row).collect()
    }

    /// One envelope.
    pub(crate) fn envelope(&mut self, id: EnvelopeId) -> Result<Option<Envelope>, StoreError> {
        let row: Option<Columns> = envelope::table
            .find(id.to_bytes().to_vec())
            .select(columns!())
            .first(&mut self.conn)
            .optional()?;
        row.map(from_row).transpose()
    }

    /// What an account waits for and was not told of, most talkative senders first.
    pub(crate) fn untold(&mut self, account: AccountId) -> Result<Untold, StoreError> {
        let mut rows: Vec<(String, i64, Option<i64>)> = inbox::table
            .inner_join(message::table)
            .filter(inbox::account.eq(account.to_bytes().to_vec()))
            .filter(inbox::fate.eq(fate::STORED))
            // Says what the partial index says, which `= STORED` alone would not use.
            .filter(StillWaiting)
            .group_by(message::sender)
            .select((message::sender, count_star(), max(message::seq)))
            .load(&mut self.conn)?;
        rows.sort_by(|(a, more, _), (b, less, _)| less.cmp(more).then_with(|| a.cmp(b)));
        let upto = rows.iter().filter_map(|(_, _, last)| *last).max().unwrap_or(0);
        let senders = rows.into_iter().map(|(sender, messages, _)| (sender, messages)).collect();
        Ok(Untold { senders, upto })
    }

    /// The envelope of an account that has not come to an end.
    pub(crate) fn open_envelope(&mut self, account: AccountId) -> Result<Option<EnvelopeId>, StoreError> {
        let id: Option<Vec<u8>> = envelope::table
            .filter(envelope::account.eq(account.to_bytes().to_vec()))
            .filter(Open)
            .select(envelope::id)
            .first(&mut self.conn)
            .optional()?;
        id.map(|id| Ok(EnvelopeId::from_bytes(id16(id)?))).transpose()
    }

    /// Of what the account was not told up to `upto`, that of which the bounce of this envelope is news: not what an
    /// earlier bounce reported already.
    pub(crate) fn news_of_bounce(
        &mut self,
        bounced: &Envelope,
        upto: i64,
    ) -> Result<Vec<Authored>, StoreError> {
        let account = bounced.account.to_bytes().to_vec();
        let reported: Option<i64> = envelope::table
            .filter(envelope::account.eq(account.clone()))
            .filter(envelope::state.eq("bounced"))
            .filter(envelope::id.ne(bounced.id.to_bytes().to_vec()))
            .select(max(envelope::next_at))
            .first(&mut self.conn)?;
        let rows: Vec<(Vec<u8>, Vec<u8>)> = inbox::table
            .inner_join(message::table)
            .filter(inbox::account.eq(account))
            .filter(inbox::fate.eq(fate::STORED))
            .filter(StillWaiting)
            .filter(inbox::message.le(upto))
            .filter(message::at.ge(reported.unwrap_or(i64::MIN)))
            .order(message::seq)
            .select((message::id, message::author))
            .load(&mut self.conn)?;
        rows.into_iter().map(authored).collect()
    }
}

impl Tx {
    /// Accounts owed something for longer than `grace` that the sweep has not seen yet; `None` when it is up to date.
    /// Moves the sweep's place.
    pub(crate) fn overdue_accounts(
        &mut self,
        grace: Duration,
        now: Timestamp,
    ) -> Result<Option<Vec<AccountId>>, StoreError> {
        let conn = &mut self.view.conn;
        let place: Option<i64> = mark::table.find(SWEPT).select(mark::value).first(conn).optional()?;
        let place = place.unwrap_or(0);
        let after = message::table
            .filter(message::seq.gt(place))
            .order(message::seq)
            .select((message::seq, message::at));
        // What a wrong clock dated into the future does not hold up what follows it.
        let (ripe, absurd) = (now.before(grace).micros(), now.after(grace).micros());
        let is_ripe = |(_, at): &(i64, i64)| *at <= ripe || *at > absurd;
        // Most of the time the next message is not ripe; then that one row is all that is read.
        let next: Option<(i64, i64)> = after.first(conn).optional()?;
        if !next.as_ref().is_some_and(is_ripe) {
            return Ok(None);
        }
        let rows: Vec<(i64, i64)> = after.limit(SWEEP).load(conn)?;
        let last = rows.into_iter().take_while(is_ripe).last().map_or(place, |(seq, _)| seq);
        let owed: Vec<Vec<u8>> = inbox::table
            .filter(inbox::message.gt(place))
            .filter(inbox::message.le(last))
            .filter(inbox::fate.eq(fate::STORED))
            .select(inbox::account)
            .distinct()
            .load(conn)?;
        self.set_mark(SWEPT, last)?;
        owed.into_iter().map(|id| Ok(AccountId::from_bytes(id16(id)?))).collect::<Result<_, _>>().map(Some)
    }

    /// Makes a notice for the account unless one is on its way; not before `window` after its last one.
    pub(crate) fn put_in_outbox(
        &mut self,
        account: AccountId,
        recipient: &str,
        window: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.open_envelope(account)?.is_some() {
            return Ok(());
        }
        let last: Option<i64> = envelope::table
            .filter(envelope::account.eq(account.to_bytes().to_vec()))
            .filter(envelope::state.ne("cancelled"))
            .select(max(envelope::next_at))
            .first(&mut self.view.conn)?;
        let due = last.map_or(now, |at| now.max(Timestamp::from_micros(at).after(window)));
        diesel::insert_into(envelope::table)
            .values((
                envelope::id.eq(&EnvelopeId::new(now).to_bytes()[..]),
                envelope::account.eq(&account.to_bytes()[..]),
                envelope::recipient.eq(recipient),
                envelope::route.eq("mail"),
                envelope::state.eq("waiting"),
                envelope::waiting.eq(0),
                envelope::attempts.eq(0),
                envelope::next_at.eq(due.micros()),
                envelope::created_at.eq(now.micros()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Takes what is due, with a lease: if the house dies, the rows come due again when it ends.
    pub(crate) fn claim_due(
        &mut self,
        now: Timestamp,
        lease: Timestamp,
        limit: i64,
    ) -> Result<Vec<Envelope>, StoreError> {
        let due: Vec<Vec<u8>> = envelope::table
            .filter(Open)
            .filter(envelope::next_at.le(now.micros()))
            .filter(envelope::lease_until.is_null().or(envelope::lease_until.lt(now.micros())))
            .order(envelope::next_at)
            .limit(limit)
            .select(envelope::id)
            .load(&mut self.view.conn)?;
        due.into_iter()
            .map(|id| {
                let row: Columns = diesel::update(envelope::table.find(id))
                    .set((envelope::state.eq("sending"), envelope::lease_until.eq(lease.micros())))
                    .returning(columns!())
                    .get_result(&mut self.view.conn)?;
                from_row(row)
            })
            .collect()
    }

    /// Leases of a house that died: nobody else holds any, so all come due at once.
    pub(crate) fn free_leases(&mut self, now: Timestamp) -> Result<(), StoreError> {
        diesel::update(envelope::table.filter(envelope::state.eq("sending")))
            .set((
                envelope::state.eq("deferred"),
                envelope::next_at.eq(now.micros()),
                envelope::lease_until.eq(None::<i64>),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// The address that the envelope goes to from now on.
    pub(crate) fn readdress_envelope(&mut self, id: EnvelopeId, recipient: &str) -> Result<(), StoreError> {
        diesel::update(envelope::table.find(id.to_bytes().to_vec()))
            .set(envelope::recipient.eq(recipient))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Writes the result of a claim; gives the lease back. `next_at` matters for `Deferred`, and is the end otherwise.
    pub(crate) fn settle_envelope(
        &mut self,
        id: EnvelopeId,
        state: EnvelopeState,
        waiting: i64,
        next_at: Timestamp,
        detail: &str,
    ) -> Result<(), StoreError> {
        // What is cancelled was not tried.
        let tries = if state == EnvelopeState::Cancelled { 0 } else { 1 };
        diesel::update(envelope::table.find(id.to_bytes().to_vec()))
            .set((
                envelope::state.eq(state.as_str()),
                envelope::waiting.eq(waiting),
                envelope::attempts.eq(envelope::attempts + tries),
                envelope::next_at.eq(next_at.micros()),
                envelope::lease_until.eq(None::<i64>),
                envelope::detail.eq(detail),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Moves an envelope that is not being tried to `now` (retry) or to its end (cancel); `false` when it is.
    pub(crate) fn redirect_envelope(
        &mut self,
        id: EnvelopeId,
        to: EnvelopeState,
        detail: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let resting = envelope::table
            .find(id.to_bytes().to_vec())
            .filter(envelope::state.eq_any(["waiting", "deferred", "bounced"]));
        let changed = diesel::update(resting)
            .set((
                envelope::state.eq(to.as_str()),
                envelope::next_at.eq(now.micros()),
                envelope::detail.eq(detail),
            ))
            .execute(&mut self.view.conn)?;
        Ok(changed > 0)
    }

    /// The account was told of what it waits for up to `upto`; gives back whose messages these were, for the receipts.
    pub(crate) fn mark_mailed(&mut self, account: AccountId, upto: i64) -> Result<Vec<Authored>, StoreError> {
        let told = inbox::account
            .eq(account.to_bytes().to_vec())
            .and(inbox::fate.eq(fate::STORED))
            .and(StillWaiting)
            .and(inbox::message.le(upto));
        let rows: Vec<(Vec<u8>, Vec<u8>)> = inbox::table
            .inner_join(message::table)
            .filter(told.clone())
            .order(message::seq)
            .select((message::id, message::author))
            .load(&mut self.view.conn)?;
        diesel::update(inbox::table.filter(told))
            .set(inbox::fate.eq(fate::MAILED))
            .execute(&mut self.view.conn)?;
        rows.into_iter().map(authored).collect()
    }
}

fn authored((id, author): (Vec<u8>, Vec<u8>)) -> Result<Authored, StoreError> {
    Ok((MessageId::from_bytes(id16(id)?), AccountId::from_bytes(id16(author)?)))
}

fn from_row(row: Columns) -> Result<Envelope, StoreError> {
    let (id, account, recipient, route, state, waiting, attempts, next_at, detail, created_at) = row;
    Ok(Envelope {
        id: EnvelopeId::from_bytes(id16(id)?),
        account: AccountId::from_bytes(id16(account)?),
        recipient,
        route,
        state: EnvelopeState::parse(&state)?,
        waiting,
        attempts,
        next_at: Timestamp::from_micros(next_at),
        detail,
        created_at: Timestamp::from_micros(created_at),
    })
}
