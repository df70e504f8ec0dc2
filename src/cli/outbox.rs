//! `outbox`: envelopes, what must leave the house.

use clap::Subcommand;

use super::client::{Client, at};
use super::output::Output;
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The newest envelopes
    List,
    /// One envelope, with why it is where it is
    Show {
        #[arg(value_parser = super::named)]
        id: String,
    },
    /// Try an envelope again now
    Retry {
        #[arg(value_parser = super::named)]
        id: String,
    },
    /// Give an envelope up
    Cancel {
        #[arg(value_parser = super::named)]
        id: String,
    },
}

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::List => {
                let fields = ["id", "account", "route", "state", "waiting", "attempts", "next_at", "detail"];
                out.list("envelopes", &fields, &client.get(&at(&["outbox"]))?)
            }
            Verb::Show { id } => {
                let first = [
                    "id",
                    "account",
                    "route",
                    "state",
                    "waiting",
                    "attempts",
                    "next_at",
                    "created_at",
                    "detail",
                ];
                out.show(&first, &client.get(&at(&["outbox", &id]))?)
            }
            Verb::Retry { id } => {
                let answer = client.post(&at(&["outbox", &id, "retry"]), None)?;
                out.done(&format!("envelope {id} is due now"), &answer)
            }
            Verb::Cancel { id } => {
                let answer = client.post(&at(&["outbox", &id, "cancel"]), None)?;
                out.done(&format!("envelope {id} is cancelled"), &answer)
            }
        }
    }
}
