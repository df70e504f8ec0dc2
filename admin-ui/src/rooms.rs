//! Named memberships, as a list.

use crate::{Chrome, Page, Paging, paging};

/// `GET /rooms?page=`; the form posts `room` and `group` to `/rooms/new`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "rooms.html")]
pub struct Rooms {
    /// The surroundings.
    pub chrome: Chrome,
    /// The rooms on this page.
    pub rows: Vec<RoomRow>,
    /// Which page this is.
    pub paging: Paging,
    /// The name as last typed, shown again after a refusal.
    pub draft: String,
    /// And the group.
    pub draft_group: String,
    /// Why it was refused; empty at first.
    pub problem: String,
}

/// One room in a list.
#[derive(Clone, Debug, Default)]
pub struct RoomRow {
    /// The room's name in topics.
    pub room: String,
    /// How many members it has.
    pub members: u64,
    /// The group of the directory whose people are members; empty for none.
    pub group: String,
    /// RFC 3339.
    pub created_at: String,
}

impl Rooms {
    fn base(&self) -> String {
        paging::base("/rooms", &[])
    }
}
