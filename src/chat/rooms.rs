//! Rooms: named memberships, made and changed by whoever governs the house. A room may follow a group of the directory:
//! then its people are in it without being let in, for as long as they are in the group.

use serde_json::json;

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
    #[error("{account} is a member of {room} by the group {group}: take them out of it in the directory")]
    ByGroup { room: String, account: String, group: String },
    #[error("{0:?} is no group name: at most 256 characters, no control characters")]
    BadGroup(String),
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
        let room = self.store.read(move |view| view.room(&name)).await?.ok_or(Refusal::NotAllowed)?;
        let mut members = self.members(&room);
        if !members.contains(&me) {
            return Err(Refusal::NotAllowed);
        }
        members.retain(|member| *member != me);
        Ok(members)
    }

    /// Every room with its members, by whichever way they are in it.
    pub(crate) async fn rooms(&self) -> Result<Vec<Room>, StoreError> {
        let rooms = self.store.read(|view| view.rooms()).await?;
        let whole = |room: Room| Room { members: self.members(&room), ..room };
        Ok(rooms.into_iter().map(whole).collect())
    }

    /// One room, by its name in any case.
    pub(crate) async fn room(&self, name: &str) -> Result<Room, RoomRefused> {
        let asked = name.to_lowercase();
        let room = self.store.read(move |view| view.room(&asked)).await?;
        let room = room.ok_or_else(|| RoomRefused::NotFound(name.into()))?;
        Ok(Room { members: self.members(&room), ..room })
    }

    /// Each once.
    fn members(&self, room: &Room) -> Vec<AccountId> {
        let mut members = room.members.clone();
        members.extend(room.group.iter().flat_map(|group| self.directory.members_of(group)));
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Makes a room.
    pub(crate) async fn create_room(
        &self,
        who: &Principal,
        name: &str,
        group: Option<&str>,
        now: Timestamp,
    ) -> Result<(), RoomRefused> {
        let name = name.trim().to_lowercase();
        if !(1..=64).contains(&name.chars().count()) || name.chars().any(|c| c.is_control() || c == '/') {
            return Err(RoomRefused::BadName(name));
        }
        let group = group.map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned);
        if let Some(group) = &group
            && (group.chars().count() > 256 || group.chars().any(char::is_control))
        {
            return Err(RoomRefused::BadGroup(group.clone()));
        }
        let mut deed = Deed::new(who, "room.create", &name);
        if let Some(group) = &group {
            deed = deed.with(json!({ "group": group }));
        }
        self.store
            .write(move |tx| match tx.create_room(&name, group.as_deref(), now)? {
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
        let deed = Deed::new(who, "room.add", &room).with(json!({ "account": account }));
        let (account, chat) = (account.to_owned(), self.clone());
        self.store
            .write(move |tx| {
                let Some(known) = tx.room(&room)? else { return Err(RoomRefused::NotFound(room)) };
                if chat.members(&known).contains(&id) {
                    return Err(RoomRefused::MemberAlready { room, account });
                }
                tx.join_room(&room, id)?;
                Ok(tx.remember(deed, now)?)
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
        let deed = Deed::new(who, "room.remove", &room).with(json!({ "account": account }));
        let (account, directory) = (account.to_owned(), self.directory.clone());
        self.store
            .write(move |tx| {
                let group = tx.room(&room)?.and_then(|room| room.group);
                match group.filter(|group| directory.members_of(group).contains(&id)) {
                    Some(group) => Err(RoomRefused::ByGroup { room, account, group }),
                    None if tx.leave_room(&room, id)? => Ok(tx.remember(deed, now)?),
                    None => Err(RoomRefused::NoMember { room, account }),
                }
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
