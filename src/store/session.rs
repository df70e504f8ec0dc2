//! Durable sessions and their subscriptions: what must be there again after a restart.

use diesel::prelude::*;

use super::schema::{queue, session, subscription};
use super::{StoreError, Tx, View, id16};
use crate::id::{AccountId, SessionId};
use crate::time::Timestamp;

/// A durable session as the file keeps it.
#[derive(Clone, Debug)]
pub(crate) struct StoredSession {
    pub(crate) id: SessionId,
    pub(crate) account: AccountId,
    pub(crate) client_id: String,
    /// Seconds it outlives its connection; `u32::MAX` = for ever.
    pub(crate) expiry: u32,
    /// When its connection ended; `None` while connected, or when the house was killed.
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) subscriptions: Vec<StoredSubscription>,
}

/// One subscription of a durable session.
#[derive(Clone, Debug)]
pub(crate) struct StoredSubscription {
    pub(crate) filter: String,
    pub(crate) qos: u8,
    pub(crate) no_local: bool,
    pub(crate) identifier: Option<u32>,
}

type Row = (Vec<u8>, Vec<u8>, String, i64, Option<i64>, i64);

impl View {
    /// Every durable session with its subscriptions.
    pub(crate) fn sessions(&mut self) -> Result<Vec<StoredSession>, StoreError> {
        let rows: Vec<Row> = session::table.order(session::created_at).load(&mut self.conn)?;
        rows.into_iter()
            .map(|(id, account, client_id, expiry, ended_at, created_at)| {
                let id = SessionId::from_bytes(id16(id)?);
                Ok(StoredSession {
                    id,
                    account: AccountId::from_bytes(id16(account)?),
                    client_id,
                    expiry: u32::try_from(expiry).unwrap_or(u32::MAX),
                    ended_at: ended_at.map(Timestamp::from_micros),
                    created_at: Timestamp::from_micros(created_at),
                    subscriptions: self.subscriptions(id)?,
                })
            })
            .collect()
    }

    fn subscriptions(&mut self, of: SessionId) -> Result<Vec<StoredSubscription>, StoreError> {
        let rows: Vec<(String, i32, bool, Option<i64>)> = subscription::table
            .filter(subscription::session.eq(of.to_bytes().to_vec()))
            .select((
                subscription::filter,
                subscription::qos,
                subscription::no_local,
                subscription::identifier,
            ))
            .load(&mut self.conn)?;
        Ok(rows
            .into_iter()
            .map(|(filter, qos, no_local, identifier)| StoredSubscription {
                filter,
                qos: qos.clamp(0, 2) as u8,
                no_local,
                identifier: identifier.and_then(|id| u32::try_from(id).ok()),
            })
            .collect())
    }
}

impl Tx {
    /// A durable session begins or its connection is back.
    pub(crate) fn open_session(
        &mut self,
        id: SessionId,
        account: AccountId,
        client_id: &str,
        expiry: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        diesel::insert_into(session::table)
            .values((
                session::id.eq(&id.to_bytes()[..]),
                session::account.eq(&account.to_bytes()[..]),
                session::client_id.eq(client_id),
                session::expiry.eq(i64::from(expiry)),
                session::created_at.eq(now.micros()),
            ))
            .on_conflict(session::id)
            .do_update()
            .set((session::expiry.eq(i64::from(expiry)), session::ended_at.eq(None::<i64>)))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Its connection ended; the expiry (which DISCONNECT may have changed) runs from now.
    pub(crate) fn end_session(
        &mut self,
        id: SessionId,
        expiry: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        diesel::update(session::table.find(id.to_bytes().to_vec()))
            .set((session::ended_at.eq(now.micros()), session::expiry.eq(i64::from(expiry))))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// The session, its subscriptions and its queue are gone.
    pub(crate) fn drop_session(&mut self, id: SessionId) -> Result<(), StoreError> {
        let id = id.to_bytes().to_vec();
        diesel::delete(queue::table.filter(queue::session.eq(id.clone()))).execute(&mut self.view.conn)?;
        diesel::delete(session::table.find(id)).execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Adds a subscription or replaces the one with the same filter.
    pub(crate) fn put_subscription(
        &mut self,
        of: SessionId,
        new: &StoredSubscription,
    ) -> Result<(), StoreError> {
        let options = (
            subscription::qos.eq(i32::from(new.qos)),
            subscription::no_local.eq(new.no_local),
            subscription::identifier.eq(new.identifier.map(i64::from)),
        );
        diesel::insert_into(subscription::table)
            .values((
                subscription::session.eq(&of.to_bytes()[..]),
                subscription::filter.eq(&new.filter),
                options,
            ))
            .on_conflict((subscription::session, subscription::filter))
            .do_update()
            .set(options)
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Removes a subscription; what it had queued stays owed (MQTT 5 §3.10.4).
    pub(crate) fn drop_subscription(&mut self, of: SessionId, filter: &str) -> Result<(), StoreError> {
        diesel::delete(subscription::table.find((of.to_bytes().to_vec(), filter)))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}
