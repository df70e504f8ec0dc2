//! `directory`: where people come from.

use clap::Subcommand;

use super::client::{Client, at};
use super::output::Output;
use super::table::cell;
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Connect, bind and look
    Test,
    /// Ask LDAP for everybody now
    Sync,
    /// Whom a sync would take away that is held because they are many
    Held,
    /// Let through the change that `directory held` shows
    Release {
        #[arg(value_parser = super::named)]
        change: String,
    },
}

const REPORT: &[&str] = &["people", "added", "changed", "removed", "cut_off"];

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
                out.show(REPORT, &answer)
            }
            Verb::Held => {
                let held = client.get(&at(&["directory", "held"]))?;
                if out.json() || held["change"].is_null() {
                    return out.done("nothing is held", &held);
                }
                out.list("people", &["account", "name", "why"], &held["leaving"])?;
                out.text(&format!(
                    "\nThese {} of {} active people would lose their certificates. If that is so: chancery directory \
                     release {}\n",
                    held["leaving"].as_array().map_or(0, Vec::len),
                    cell(&held["active"]),
                    cell(&held["change"]),
                ))
            }
            Verb::Release { change } => {
                let answer = client.post_patiently(&at(&["directory", "held", &change, "release"]))?;
                out.show(REPORT, &answer)
            }
        }
    }
}
