//! `ca`: the authority that issues certificates.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Common;
use super::ceremony::Root;
use super::client::at;
use super::founding;
use super::output::{Output, pem};
use super::table::cell;
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Who issues, until when, and the certificates to trust
    Show,
    /// Print the current list of revoked certificates, as PEM
    Crl {
        /// As DER
        #[arg(long)]
        der: bool,
    },
    /// Make and use a root in a folder, on a host without network
    Root(Box<Root>),
    /// Have another issuing CA sign from now on; where the root is elsewhere, make a request for it
    Roll,
    /// Take over what a root that is elsewhere has signed, in PEM
    Adopt {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// The log of issued certificates: the line by which it is known, and its size and root, signed
    Log {
        /// Build it anew from every certificate and compare
        #[arg(long)]
        check: bool,
    },
}

impl Verb {
    pub(super) fn run(self, common: &Common, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::Show => {
                out.show(&["issuer", "key_id", "not_after", "crl"], &common.client()?.get(&at(&["ca"]))?)
            }
            Verb::Roll => {
                let answer = common.client()?.post(&at(&["ca", "roll"]), None)?;
                out.show(&["issuer", "key_id", "not_after"], &answer)?;
                match (&answer["request"], out.json()) {
                    (Value::String(_), false) => {
                        out.text(&founding::next(&answer["public_url"], "chancery ca adopt issuing-N.pem"))
                    }
                    _ => Ok(()),
                }
            }
            Verb::Adopt { file } => {
                let brought = json!({ "pem": founding::text(&file)? });
                out.show(&["issuer", "list"], &common.client()?.post(&at(&["ca", "adopt"]), Some(&brought))?)
            }
            // The ceremony alone asks no daemon.
            Verb::Root(root) => root.run(out),
            Verb::Log { check: false } => {
                out.show(&["log", "checkpoint"], &common.client()?.get(&at(&["log"]))?)
            }
            Verb::Log { check: true } => {
                let answer = common.client()?.get_patiently(&at(&["log", "check"]))?;
                out.show(&["intact", "size", "root", "broken"], &answer)?;
                match answer["intact"] == true {
                    true => Ok(()),
                    false => Err(Trouble::Failed(format!("the log is broken: {}", cell(&answer["broken"])))),
                }
            }
            Verb::Crl { der: true } if out.json() => {
                Err(Trouble::Usage("--der is not JSON: choose one of both".into()))
            }
            Verb::Crl { der } => {
                let crl = common.client()?.get_bytes(&at(&["ca", "crl"]))?;
                match der {
                    true => out.bytes(&crl),
                    false if out.json() => out.value(&json!({ "crl": pem("X509 CRL", &crl) })),
                    false => out.text(&pem("X509 CRL", &crl)),
                }
            }
        }
    }
}
