//! `room`: rooms and their members.

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::{Client, at};
use super::output::Output;
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Every room
    List,
    /// One room
    Show {
        #[arg(value_parser = super::named)]
        room: String,
    },
    /// Make a room
    Create {
        #[arg(value_parser = super::named)]
        room: String,
        /// A group of the directory whose people are in the room without being let in
        #[arg(long, value_parser = super::named)]
        group: Option<String>,
    },
    /// Let an account in
    Add(Member),
    /// Put an account out
    Remove(Member),
    /// Delete a room
    Delete {
        #[arg(value_parser = super::named)]
        room: String,
    },
}

#[derive(Args, Debug)]
pub(super) struct Member {
    #[arg(value_parser = super::named)]
    room: String,
    #[arg(value_parser = super::named)]
    account: String,
}

impl Member {
    fn path(&self) -> String {
        at(&["rooms", &self.room, "members", &self.account])
    }
}

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        let fields = ["room", "members", "group", "created_at"];
        match self {
            Verb::List => out.list("rooms", &fields, &client.get(&at(&["rooms"]))?),
            Verb::Show { room } => out.show(&fields, &client.get(&at(&["rooms", &room]))?),
            Verb::Create { room, group } => {
                let new = json!({ "room": room, "group": group });
                let answer = client.post(&at(&["rooms"]), Some(&new))?;
                // A group that is misspelt has no members.
                let members = answer["members"].as_array().map_or(0, Vec::len);
                let follows = group.map(|group| format!(" and follows {group}, of whom there are {members}"));
                out.done(&format!("the room {room} is made{}", follows.unwrap_or_default()), &answer)
            }
            Verb::Add(member) => {
                let answer = client.put(&member.path())?;
                out.done(&format!("{} is a member of {}", member.account, member.room), &answer)
            }
            Verb::Remove(member) => {
                let answer = client.delete(&member.path())?;
                out.done(&format!("{} is no longer a member of {}", member.account, member.room), &answer)
            }
            Verb::Delete { room } => {
                let answer = client.delete(&at(&["rooms", &room]))?;
                out.done(&format!("the room {room} is deleted"), &answer)
            }
        }
    }
}
