//! `account`: people. Those from LDAP can only be disabled and enabled here.

use clap::Subcommand;
use serde_json::json;

use super::client::{Client, at};
use super::output::Output;
use super::password::PasswordFrom;
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Everybody
    List,
    /// One person, with what waits for them
    Show {
        #[arg(value_parser = super::named)]
        account: String,
    },
    /// Make a person in the built-in directory
    Add {
        #[arg(value_parser = super::named)]
        account: String,
        /// How others see the name
        #[arg(long, value_name = "DISPLAY")]
        name: Option<String>,
        /// Where notices go
        #[arg(long, value_name = "ADDRESS")]
        mail: Option<String>,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Set a password, read from standard input unless a file is given
    SetPassword {
        #[arg(value_parser = super::named)]
        account: String,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Refuse a person at every door, end their sessions and revoke their certificates
    Disable {
        #[arg(value_parser = super::named)]
        account: String,
    },
    /// Let a person in again
    Enable {
        #[arg(value_parser = super::named)]
        account: String,
    },
    /// Remove a person and revoke their certificates
    Remove {
        #[arg(value_parser = super::named)]
        account: String,
    },
}

const FIRST: &[&str] = &[
    "account",
    "name",
    "source",
    "state",
    "why",
    "mail",
    "title",
    "phone",
    "locale",
    "time_zone",
    "photo",
    "groups",
    "waiting",
];

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::List => {
                let fields = ["account", "name", "source", "state", "online", "mail", "groups"];
                out.list("accounts", &fields, &client.get(&at(&["accounts"]))?)
            }
            Verb::Show { account } => out.show(FIRST, &client.get(&at(&["accounts", &account]))?),
            Verb::Add { account, name, mail, password } => {
                let password = password.read()?;
                let password = password.as_ref().map(|password| password.as_str());
                let body = json!({ "account": account, "name": name, "mail": mail, "password": password });
                let answer = client.post(&at(&["accounts"]), Some(&body))?;
                out.done(&format!("{account} is added"), &answer)
            }
            Verb::SetPassword { account, password } => {
                let body = json!({ "password": password.read_or_ask()?.as_str() });
                let answer = client.post(&at(&["accounts", &account, "password"]), Some(&body))?;
                out.done(&format!("the password of {account} is set"), &answer)
            }
            Verb::Disable { account } => {
                let answer = client.post(&at(&["accounts", &account, "disable"]), None)?;
                out.done(&format!("{account} is disabled"), &answer)
            }
            Verb::Enable { account } => {
                let answer = client.post(&at(&["accounts", &account, "enable"]), None)?;
                out.done(&format!("{account} is enabled"), &answer)
            }
            Verb::Remove { account } => {
                let answer = client.delete(&at(&["accounts", &account]))?;
                out.done(&format!("{account} is removed"), &answer)
            }
        }
    }
}
