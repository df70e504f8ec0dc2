//! One room and its members.

use crate::{Chrome, Page, rooms::RoomRow};

/// `GET /rooms/{room}`; posts `account` to `…/add` and `…/remove`, and nothing more to `…/delete`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "room.html")]
pub struct Room {
    /// The surroundings.
    pub chrome: Chrome,
    /// What the list shows of it.
    pub row: RoomRow,
    /// Everyone in it.
    pub members: Vec<Member>,
    /// The account as last typed, shown again after a refusal.
    pub draft: String,
    /// Why it was refused; empty at first.
    pub problem: String,
}

/// One member.
#[derive(Clone, Debug, Default)]
pub struct Member {
    /// The account.
    pub account: String,
    /// The person's name.
    pub name: String,
}
