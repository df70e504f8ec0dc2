//! Rooms: named memberships.

use diesel::prelude::*;

use super::schema::{room, room_member};
use super::{StoreError, Tx, View, id16};
use crate::id::AccountId;
use crate::time::Timestamp;

/// A room with its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) name: String,
    pub(crate) members: Vec<AccountId>,
    pub(crate) created_at: Timestamp,
}

impl View {
    /// Every room, by name.
    pub(crate) fn rooms(&mut self) -> Result<Vec<Room>, StoreError> {
        let rows: Vec<(String, i64)> = room::table.order(room::name).load(&mut self.conn)?;
        rows.into_iter()
            .map(|(name, created_at)| {
                let members = self.room_members(&name)?;
                Ok(Room { name, members, created_at: Timestamp::from_micros(created_at) })
            })
            .collect()
    }

    /// Whether there is such a room.
    pub(crate) fn room_exists(&mut self, name: &str) -> Result<bool, StoreError> {
        let found: i64 = room::table.filter(room::name.eq(name)).count().get_result(&mut self.conn)?;
        Ok(found > 0)
    }

    /// The members of a room; empty also when there is no such room.
    pub(crate) fn room_members(&mut self, name: &str) -> Result<Vec<AccountId>, StoreError> {
        let rows: Vec<Vec<u8>> = room_member::table
            .filter(room_member::room.eq(name))
            .select(room_member::account)
            .load(&mut self.conn)?;
        rows.into_iter().map(|id| Ok(AccountId::from_bytes(id16(id)?))).collect()
    }
}

impl Tx {
    /// Makes a room; `false` when the name is taken.
    pub(crate) fn create_room(&mut self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let made = diesel::insert_into(room::table)
            .values((room::name.eq(name), room::created_at.eq(now.micros())))
            .on_conflict_do_nothing()
            .execute(&mut self.view.conn)?;
        Ok(made > 0)
    }

    /// Deletes a room and its membership; what was said in it stays in the inboxes. `false` when there is none.
    pub(crate) fn delete_room(&mut self, name: &str) -> Result<bool, StoreError> {
        Ok(diesel::delete(room::table.find(name)).execute(&mut self.view.conn)? > 0)
    }

    /// `false` when the account is a member already.
    pub(crate) fn join_room(&mut self, name: &str, account: AccountId) -> Result<bool, StoreError> {
        let joined = diesel::insert_into(room_member::table)
            .values((room_member::room.eq(name), room_member::account.eq(&account.to_bytes()[..])))
            .on_conflict_do_nothing()
            .execute(&mut self.view.conn)?;
        Ok(joined > 0)
    }

    /// `false` when the account is no member.
    pub(crate) fn leave_room(&mut self, name: &str, account: AccountId) -> Result<bool, StoreError> {
        let row = room_member::table.find((name, account.to_bytes().to_vec()));
        Ok(diesel::delete(row).execute(&mut self.view.conn)? > 0)
    }
}
