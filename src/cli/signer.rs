//! Verbs of the process that holds the CA key: `signer`, which runs it, and `signer init`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Common;
use super::founding::{self, Under};
use super::local;
use super::output::Output;
use super::trouble::Trouble;
use crate::appliance;
use crate::config::Config;
use crate::time;

/// Without a verb it runs in the foreground, at `--socket`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Signer {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Where the keys and the book are [default: as configured]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the authority in the signer's own state folder; `chancery init` takes its certificates from there
    Init(Init),
}

#[derive(Args, Debug)]
struct Init {
    /// The organisation's domain: what stands after the @ of its people
    #[arg(long, value_parser = super::named)]
    domain: String,
    /// Where the keys and the book are kept [default: as configured]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(flatten)]
    under: Under,
}

impl Signer {
    pub(super) fn run(self, common: Common, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self.verb {
            Some(Verb::Init(init)) => init.run(common.config, out),
            None => {
                let config = Config::load_for_signer(common.config_path());
                let config = config.map_err(|problems| Trouble::Usage(problems.to_string()))?;
                let socket = common.socket.or_else(|| config.authority.signer.clone());
                let socket = socket.ok_or_else(|| Trouble::Usage(NO_SOCKET.into()))?;
                appliance::log(&config);
                local::run_to_end(appliance::signer(config, socket, self.state))
            }
        }
    }
}

impl Init {
    fn run(self, config: Option<PathBuf>, out: &mut Output<'_>) -> Result<(), Trouble> {
        let founding = self.under.read()?;
        let made = appliance::found_signer(&self.domain, config, self.state, founding, time::now());
        let made = made.map_err(|error| local::not_made(&error))?;
        if let Some(asked) = &made.asked {
            return founding::show_request(&made.config, &made.state_dir, asked, out);
        }
        out.show(&["config", "state_dir"], &json!({ "config": made.config, "state_dir": made.state_dir }))?;
        if out.json() {
            return Ok(());
        }
        let unused = if made.is_used { "" } else { UNUSED };
        let root = made.state_dir.join("authority/root.key");
        let offline = if root.exists() { format!("{} {OFFLINE}\n", root.display()) } else { String::new() };
        out.text(&format!("\n{unused}{NEXT}\n{offline}"))
    }
}

const NO_SOCKET: &str = "where to listen: give --socket PATH, or [authority] signer in the configuration";
const UNUSED: &str =
    "Say signer = \"/run/chancery-signer/signer.sock\" under [authority] in the configuration.\n";
const NEXT: &str = "Start the signer, then run `chancery init`, which takes the certificates from it.";
const OFFLINE: &str =
    "is needed once a year, for the root's own list: move it offline, with a copy of the passphrase.";
