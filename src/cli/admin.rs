//! `admin`: the way in when nobody can sign in.

use clap::Subcommand;

use super::client::{Client, at};
use super::output::Output;
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Print a fresh one-time link to the console
    Link,
}

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::Link => {
                let answer = client.post(&at(&["admin", "link"]), None)?;
                out.secret("link", &answer)
            }
        }
    }
}
