//! Rooms: named memberships, made and changed by whoever governs the house.

use super::{Chat, Refusal};
use crate::audit::Deed;
use crate::id::AccountId;
use crate::principal::Principal;
use crate::store::{Room, StoreError};
use crate::time::Timestamp;

/// Why a room was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoomRefused {
    #[error("there is no room {0}")]
    NotFound(String),
    #[error("there is no account {0}")]
    NoAccount(String),
    #[error("there is a room {0} already")]
    Exists(String),
    #[error("{account} is a member of {room} already")]
    MemberAlready { room: String, account: String },
    #[error("{account} is no member of {room}")]
    NoMember { room: String, account: String },
    #[error("{0:?} is no room name: 1 to 64 characters, no control characters, no `/`")]
    BadName(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Chat {
    /// The other members of a room, for one of them; a room one is no member of might as well not be there.
    pub(super) async fn members_for(&self, who: &Principal, room: &str) -> Result<Vec<AccountId>, Refusal> {
        let me = who.account().ok_or(Refusal::NotAllowed)?;
        let name = room.to_owned();
        let mut members = self.store.read(move |view| view.room_members(&name)).await?;
        if !members.contains(&me) {
            return Err(Refusal::NotAllowed);
        }
        members.retain(|member| *member != me);
        Ok(members)
    }

    /// Every room with its members.
    pub(crate) async fn rooms(&self) -> Result<Vec<Room>, StoreError> {
        self.store.read(|view| view.rooms()).await
    }

    /// Makes a room.
    pub(crate) async fn create_room(
        &self,
        who: &Principal,
        name: &str,
        now: Timestamp,
    ) -> Result<(), RoomRefused> {
        let name = name.trim().to_lowercase();
        if !(1..=64).contains(&name.chars().count()) || name.chars().any(|c| c.is_control() || c == '/') {
            return Err(RoomRefused::BadName(name));
        }
        let deed = Deed::new(who, "room.create", &name);
        self.store
            .write(move |tx| match tx.create_room(&name, now)? {
                true => Ok(tx.remember(deed, now)?),
                false => Err(RoomRefused::Exists(name)),
            })
            .await
    }

    /// Deletes a room and its membership.
    pub(crate) async fn delete_room(
        &self,
        who: &Principal,
        name: &str,
        now: Timestamp,
    ) -> Result<(), RoomRefused> {
        let name = name.to_lowercase();
        let deed = Deed::new(who, "room.delete", &name);
        self.store
            .write(move |tx| match tx.delete_room(&name)? {
                true => Ok(tx.remember(deed, now)?),
                false => Err(RoomRefused::NotFound(name)),
            })
            .await
    }

    /// Makes an account a member.
    pub(crate) async fn add_member(
        &self,
        who: &Principal,
        room: &str,
        account: &str,
        now: Timestamp,
    ) -> Result<(), RoomRefused> {
        let (room, id) = (room.to_lowercase(), self.member_id(account)?);
        let deed = Deed::new(who, "room.add", &room).with(serde_json::json!({ "account": account }));
        let account = account.to_owned();
        self.store
            .write(move |tx| {
                if !tx.room_exists(&room)? {
                    return Err(RoomRefused::NotFound(room));
                }
                match tx.join_room(&room, id)? {
                    true => Ok(tx.remember(deed, now)?),
                    false => Err(RoomRefused::MemberAlready { room, account }),
                }
            })
            .await
    }

    /// Ends an account's membership.
    pub(crate) async fn remove_member(
        &self,
        who: &Principal,
        room: &str,
        account: &str,
        now: Timestamp,
    ) -> Result<(), RoomRefused> {
        let (room, id) = (room.to_lowercase(), self.member_id(account)?);
        let deed = Deed::new(who, "room.remove", &room).with(serde_json::json!({ "account": account }));
        let account = account.to_owned();
        self.store
            .write(move |tx| match tx.leave_room(&room, id)? {
                true => Ok(tx.remember(deed, now)?),
                false => Err(RoomRefused::NoMember { room, account }),
            })
            .await
    }

    fn member_id(&self, account: &str) -> Result<AccountId, RoomRefused> {
        self.directory
            .find(account)
            .map(|found| found.id)
            .ok_or_else(|| RoomRefused::NoAccount(account.into()))
    }
}
