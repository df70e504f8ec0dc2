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
    /// Whoever was let in one by one.
    pub(crate) members: Vec<AccountId>,
    /// The group of the directory that is in it as well.
    pub(crate) group: Option<String>,
    pub(crate) created_at: Timestamp,
}

impl View {
    /// Every room, by name.
    pub(crate) fn rooms(&mut self) -> Result<Vec<Room>, StoreError> {
        let rows: Vec<Row> = room::table.order(room::name).load(&mut self.conn)?;
        rows.into_iter().map(|row| self.room_of(row)).collect()
    }

    /// One room.
    pub(crate) fn room(&mut self, name: &str) -> Result<Option<Room>, StoreError> {
        let row: Option<Row> = room::table.find(name).first(&mut self.conn).optional()?;
        row.map(|row| self.room_of(row)).transpose()
    }

    fn room_of(&mut self, (name, created_at, group): Row) -> Result<Room, StoreError> {
        let members: Vec<Vec<u8>> = room_member::table
            .filter(room_member::room.eq(&name))
            .select(room_member::account)
            .load(&mut self.conn)?;
        let members = members.into_iter().map(|id| Ok(AccountId::from_bytes(id16(id)?)));
        let members = members.collect::<Result<_, StoreError>>()?;
        Ok(Room { name, members, group, created_at: Timestamp::from_micros(created_at) })
    }
}

type Row = (String, i64, Option<String>);

impl Tx {
    /// Makes a room; `false` when the name is taken.
    pub(crate) fn create_room(
        &mut self,
        name: &str,
        group: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let made = diesel::insert_into(room::table)
            .values((room::name.eq(name), room::created_at.eq(now.micros()), room::directory_group.eq(group)))
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
