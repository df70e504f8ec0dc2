//! `session`: MQTT sessions, live ones and those that wait for their client.

use clap::Subcommand;

use super::client::{Client, at, encode};
use super::output::Output;
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Every session
    List {
        /// Only those that would get a message on this topic now
        #[arg(long)]
        topic: Option<String>,
    },
    /// One session with its subscriptions
    Show {
        #[arg(value_parser = super::named)]
        session: String,
    },
    /// End a live session; its client may come back
    Kick {
        #[arg(value_parser = super::named)]
        session: String,
    },
}

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::List { topic } => {
                let mut path = at(&["sessions"]);
                if let Some(topic) = topic {
                    path.push_str(&format!("?topic={}", encode(&topic)));
                }
                let fields =
                    ["session", "account", "client_id", "state", "queued", "door", "address", "since"];
                out.list("sessions", &fields, &client.get(&path)?)
            }
            Verb::Show { session } => {
                let first = [
                    "session",
                    "account",
                    "client_id",
                    "state",
                    "queued",
                    "owed",
                    "owed_bytes",
                    "in_flight",
                    "expiry_s",
                    "door",
                    "address",
                    "since",
                    "serial",
                ];
                out.show(&first, &client.get(&at(&["sessions", &session]))?)
            }
            Verb::Kick { session } => {
                let answer = client.delete(&at(&["sessions", &session]))?;
                let what = if answer["ended"] == false { "was not live" } else { "is ended" };
                out.done(&format!("session {session} {what}"), &answer)
            }
        }
    }
}
