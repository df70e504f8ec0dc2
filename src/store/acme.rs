//! Clients of ACME: their keys, what each may order, and the orders.

use diesel::prelude::*;

use super::schema::{acme_account, acme_order};
use super::{StoreError, Tx, View, bad_row, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// A client: a key that was bound to what a token granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AcmeAccount {
    pub(crate) id: String,
    /// Of the key (RFC 7638).
    pub(crate) thumbprint: String,
    /// JWK.
    pub(crate) key: String,
    pub(crate) account: AccountId,
    pub(crate) profile: String,
    pub(crate) names: Vec<String>,
    pub(crate) contact: Vec<String>,
    pub(crate) deactivated: bool,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AcmeOrder {
    pub(crate) id: String,
    /// Whose, by the client's id.
    pub(crate) client: String,
    /// Type and value of each.
    pub(crate) identifiers: Vec<(String, String)>,
    pub(crate) state: AcmeOrderState,
    /// The certificate that the new one is to replace, by its serial.
    pub(crate) replaces: Option<String>,
    /// The certificate that came of it.
    pub(crate) serial: Option<String>,
    /// The request that it waits for, if an admin has to decide.
    pub(crate) pending: Option<String>,
    pub(crate) expires_at: Timestamp,
}

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcmeOrderState {
    Ready,
    Processing,
    Valid,
    /// An admin denied it, or nobody decided in time; not kept as such.
    Invalid,
}

type AccountColumns = (String, String, String, Vec<u8>, String, String, String, bool);
type OrderColumns = (String, String, String, String, Option<String>, Option<String>, Option<String>, i64);

macro_rules! account_columns {
    () => {
        (
            acme_account::id,
            acme_account::thumbprint,
            acme_account::key,
            acme_account::account,
            acme_account::profile,
            acme_account::names,
            acme_account::contact,
            acme_account::deactivated,
        )
    };
}

macro_rules! order_columns {
    () => {
        (
            acme_order::id,
            acme_order::acme_account,
            acme_order::identifiers,
            acme_order::state,
            acme_order::replaces,
            acme_order::serial,
            acme_order::pending,
            acme_order::expires_at,
        )
    };
}

impl View {
    /// A client by its id.
    pub(crate) fn acme_account(&mut self, id: &str) -> Result<Option<AcmeAccount>, StoreError> {
        let row = acme_account::table.find(id).select(account_columns!()).first(&mut self.conn).optional()?;
        row.map(account).transpose()
    }

    /// The client that has this key.
    pub(crate) fn acme_account_of(&mut self, thumbprint: &str) -> Result<Option<AcmeAccount>, StoreError> {
        let row = acme_account::table
            .filter(acme_account::thumbprint.eq(thumbprint))
            .select(account_columns!())
            .first(&mut self.conn)
            .optional()?;
        row.map(account).transpose()
    }

    /// An order by its id.
    pub(crate) fn acme_order(&mut self, id: &str) -> Result<Option<AcmeOrder>, StoreError> {
        let row = acme_order::table.find(id).select(order_columns!()).first(&mut self.conn).optional()?;
        row.map(order).transpose()
    }

    /// A client's orders that can still be read, the newest first.
    pub(crate) fn acme_orders(
        &mut self,
        client: &str,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        Ok(acme_order::table
            .filter(acme_order::acme_account.eq(client))
            .filter(acme_order::expires_at.gt(now.micros()))
            .order(acme_order::expires_at.desc())
            .limit(limit)
            .select(acme_order::id)
            .load(&mut self.conn)?)
    }

    /// Whether this client ordered the certificate.
    pub(crate) fn acme_ordered(&mut self, client: &str, serial: &str) -> Result<bool, StoreError> {
        let mine = acme_order::table
            .filter(acme_order::serial.eq(serial))
            .filter(acme_order::acme_account.eq(client));
        Ok(mine.count().get_result::<i64>(&mut self.conn)? > 0)
    }

    /// Whether the certificate has a successor.
    pub(crate) fn acme_replaced(&mut self, serial: &str) -> Result<bool, StoreError> {
        let after =
            acme_order::table.filter(acme_order::replaces.eq(serial)).filter(acme_order::state.eq("valid"));
        Ok(after.count().get_result::<i64>(&mut self.conn)? > 0)
    }
}

impl Tx {
    /// Keeps a new client.
    pub(crate) fn put_acme_account(&mut self, new: &AcmeAccount, now: Timestamp) -> Result<(), StoreError> {
        diesel::insert_into(acme_account::table)
            .values((
                acme_account::id.eq(&new.id),
                acme_account::thumbprint.eq(&new.thumbprint),
                acme_account::key.eq(&new.key),
                acme_account::account.eq(&new.account.to_bytes()[..]),
                acme_account::profile.eq(&new.profile),
                acme_account::names.eq(serde_json::json!(new.names).to_string()),
                acme_account::contact.eq(serde_json::json!(new.contact).to_string()),
                acme_account::deactivated.eq(false),
                acme_account::created_at.eq(now.micros()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Gives a client another key.
    pub(crate) fn set_acme_key(&mut self, id: &str, thumbprint: &str, key: &str) -> Result<(), StoreError> {
        diesel::update(acme_account::table.find(id))
            .set((acme_account::thumbprint.eq(thumbprint), acme_account::key.eq(key)))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Notes other contacts of a client.
    pub(crate) fn set_acme_contact(&mut self, id: &str, contact: &[String]) -> Result<(), StoreError> {
        diesel::update(acme_account::table.find(id))
            .set(acme_account::contact.eq(serde_json::json!(contact).to_string()))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Ends a client.
    pub(crate) fn deactivate_acme_account(&mut self, id: &str) -> Result<(), StoreError> {
        diesel::update(acme_account::table.find(id))
            .set(acme_account::deactivated.eq(true))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Keeps a new order.
    pub(crate) fn put_acme_order(&mut self, new: &AcmeOrder) -> Result<(), StoreError> {
        diesel::insert_into(acme_order::table)
            .values((
                acme_order::id.eq(&new.id),
                acme_order::acme_account.eq(&new.client),
                acme_order::identifiers.eq(serde_json::json!(new.identifiers).to_string()),
                acme_order::state.eq(new.state.as_str()),
                acme_order::replaces.eq(&new.replaces),
                acme_order::expires_at.eq(new.expires_at.micros()),
            ))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// Takes an order in hand; `false` when somebody else did, or it is over.
    pub(crate) fn begin_acme_order(&mut self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let ready = acme_order::table
            .find(id)
            .filter(acme_order::state.eq("ready"))
            .filter(acme_order::expires_at.gt(now.micros()));
        let begun =
            diesel::update(ready).set(acme_order::state.eq("processing")).execute(&mut self.view.conn)?;
        Ok(begun > 0)
    }

    /// An order that was in hand waits for a request that an admin decides on, as long as that one does.
    pub(crate) fn suspend_acme_order(
        &mut self,
        id: &str,
        pending: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        diesel::update(acme_order::table.find(id))
            .set((acme_order::pending.eq(pending), acme_order::expires_at.eq(until.micros())))
            .execute(&mut self.view.conn)?;
        Ok(())
    }

    /// An order that was in hand has its certificate, or waits for another request.
    pub(crate) fn end_acme_order(&mut self, id: &str, serial: Option<&str>) -> Result<(), StoreError> {
        let state = if serial.is_some() { AcmeOrderState::Valid } else { AcmeOrderState::Ready };
        diesel::update(acme_order::table.find(id))
            .set((acme_order::state.eq(state.as_str()), acme_order::serial.eq(serial)))
            .execute(&mut self.view.conn)?;
        Ok(())
    }
}

impl AcmeOrderState {
    fn as_str(self) -> &'static str {
        match self {
            AcmeOrderState::Ready => "ready",
            AcmeOrderState::Processing | AcmeOrderState::Invalid => "processing",
            AcmeOrderState::Valid => "valid",
        }
    }
}

fn account(row: AccountColumns) -> Result<AcmeAccount, StoreError> {
    let (id, thumbprint, key, account, profile, names, contact, deactivated) = row;
    let list =
        |text: &str| serde_json::from_str(text).map_err(|_| bad_row("a list of texts in another form"));
    Ok(AcmeAccount {
        id,
        thumbprint,
        key,
        account: AccountId::from_bytes(id16(account)?),
        profile,
        names: list(&names)?,
        contact: list(&contact)?,
        deactivated,
    })
}

fn order(row: OrderColumns) -> Result<AcmeOrder, StoreError> {
    let (id, client, identifiers, state, replaces, serial, pending, expires_at) = row;
    Ok(AcmeOrder {
        id,
        client,
        identifiers: serde_json::from_str(&identifiers)
            .map_err(|_| bad_row("identifiers in another form"))?,
        state: match state.as_str() {
            "ready" => AcmeOrderState::Ready,
            "processing" => AcmeOrderState::Processing,
            "valid" => AcmeOrderState::Valid,
            other => return Err(bad_row(format!("an order in state {other}"))),
        },
        replaces,
        serial,
        pending,
        expires_at: Timestamp::from_micros(expires_at),
    })
}
