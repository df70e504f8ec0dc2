//! `directory`: where people come from.

use clap::Subcommand;

use super::client::{Client, at};
use super::output::Output;
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Connect, bind and look
    Test,
    /// Ask LDAP for everybody now
    Sync,
}

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::Test => {
                let answer = client.get_patiently(&at(&["directory", "test"]))?;
                out.show(&["kind", "ok", "server", "security"], &answer)?;
                match answer["ok"].as_bool() {
                    Some(false) => Err(Trouble::Failed(
                        "the directory answers but shows no people: check base, user_filter and what bind_dn may read"
                            .into(),
                    )),
                    _ => Ok(()),
                }
            }
            Verb::Sync => {
                let answer = client.post_patiently(&at(&["directory", "sync"]))?;
                out.show(&["people", "added", "changed", "removed", "cut_off"], &answer)
            }
        }
    }
}
