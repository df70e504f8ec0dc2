//! Where a message came from: enough of each client's last publications to know one that is sent again.
//!
//! After a broken connection a client sends again what it has no acknowledgement for, marked DUP (MQTT 5 §4.4). If
//! that publication was committed and only its acknowledgement was lost, storing it again would make two messages of
//! one. A packet identifier alone does not tell, because clients use it again; so the digest of topic and payload
//! must agree too, and the first must be among the client's publications of its last [`RECENT`].

use std::time::Duration;

use diesel::prelude::*;

use super::kept::{Kept, statement};
use super::schema::origin;
use super::{StoreError, Tx, View, id16};
use crate::id::{AccountId, MessageId};
use crate::time::Timestamp;

/// How much of a client's past may still be unacknowledged in its eyes.
const RECENT: Duration = Duration::from_secs(30);

/// One publication of a client.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) account: AccountId,
    pub(crate) client_id: std::sync::Arc<str>,
    /// MQTT packet identifier.
    pub(crate) packet: u16,
    /// Of topic and payload.
    pub(crate) digest: [u8; 16],
}

impl Tx {
    /// Remembers what a client's packet became.
    pub(crate) fn remember_origin(
        &mut self,
        from: &Origin,
        id: MessageId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (account, message) = (from.account.to_bytes(), id.to_bytes());
        let values = [
            account[..].into(),
            (*from.client_id).into(),
            i64::from(from.packet).into(),
            from.digest[..].into(),
            message[..].into(),
            now.micros().into(),
        ];
        Kept(Put, &values).run(&mut self.view.conn)?;
        Ok(())
    }
}

statement!(
    Put,
    "INSERT OR REPLACE INTO origin (account, client_id, packet, digest, message, at) VALUES (?, ?, ?, ?, ?, ?)"
);

impl View {
    /// The message that this publication already became, if it is one sent again.
    pub(crate) fn sent_before(&mut self, from: &Origin) -> Result<Option<MessageId>, StoreError> {
        let of_client = origin::table
            .filter(origin::account.eq(from.account.to_bytes().to_vec()))
            .filter(origin::client_id.eq(from.client_id.to_string()));
        let row: Option<(Vec<u8>, i64)> = of_client
            .clone()
            .filter(origin::packet.eq(i32::from(from.packet)))
            .filter(origin::digest.eq(from.digest.to_vec()))
            .select((origin::message, origin::at))
            .first(&mut self.conn)
            .optional()?;
        let Some((id, at)) = row else { return Ok(None) };
        let newest: Option<i64> = of_client.select(diesel::dsl::max(origin::at)).first(&mut self.conn)?;
        let recent = Timestamp::from_micros(newest.unwrap_or(at)).before(RECENT);
        Ok(if Timestamp::from_micros(at) >= recent { Some(MessageId::from_bytes(id16(id)?)) } else { None })
    }
}
