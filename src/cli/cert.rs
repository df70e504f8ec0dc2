//! `cert`: certificates of people's devices, and the ledger of all that were issued.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, at, encode};
use super::enroll::Enroll;
use super::output::Output;
use super::table::cell;
use super::trouble::Trouble;
use crate::enrollment::check_proof;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The newest certificates, or those to which all that is given applies
    List(List),
    /// One certificate, with its PEM
    Show {
        #[arg(value_parser = serial)]
        serial: String,
    },
    /// Issue a certificate and write it, with what belongs to it, into a folder
    Enroll(Enroll),
    /// Print a one-time token with which a device enrols itself, by API, EST, CMP or ACME
    Token {
        #[arg(value_parser = super::named)]
        account: String,
        #[command(flatten)]
        grant: Grant,
    },
    /// Print the proof that a certificate is in the log, for others to check
    Prove {
        #[arg(value_parser = serial)]
        serial: String,
    },
    /// Check such a proof, without asking the daemon
    Verify {
        /// What `cert prove --json` printed
        #[arg(value_name = "FILE")]
        proof: PathBuf,
        /// The log's line, as `ca log` prints it, learnt elsewhere than from the proof
        #[arg(long, value_name = "LINE")]
        log: String,
        /// The certificate in PEM, when it is not to be the one in the proof's file
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
    /// Requests that wait for an admin to agree
    Pending,
    /// Agree to a request that waits: it is decided on again, and signed
    Approve {
        #[arg(value_parser = super::named)]
        request: String,
    },
    /// Refuse a request that waits
    Deny {
        #[arg(value_parser = super::named)]
        request: String,
    },
    /// Take a certificate back and end the sessions that showed it
    Revoke {
        #[arg(value_parser = serial)]
        serial: String,
        /// Such as key-compromise, superseded, affiliation-changed, cessation-of-operation
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Which certificates are listed.
#[derive(Args, Debug, Default)]
pub(super) struct List {
    /// Of one account
    #[arg(long, value_parser = super::named)]
    account: Option<String>,
    /// Whose serial begins with these digits
    #[arg(long, value_name = "HEX")]
    serial: Option<String>,
    /// With this text in one of their names, at least three letters
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// client, session, mail-signing, mail-encryption, device, server or peer
    #[arg(long)]
    profile: Option<String>,
    /// active, ending, expired, revoked or intended
    #[arg(long)]
    state: Option<String>,
    /// Which end before a day, a moment, or in a length of time, as in 30d
    #[arg(long, value_name = "TIME")]
    expires_before: Option<String>,
    /// Which end after it
    #[arg(long, value_name = "TIME")]
    expires_after: Option<String>,
    /// With this key: SHA-256 of the public key
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// How many, 1000 when not said
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
    /// Those that follow the one of this serial
    #[arg(long, value_parser = serial)]
    after: Option<String>,
}

impl List {
    fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        let wanted = self.limit.unwrap_or(1000) as usize;
        let limit = self.limit.map(|limit| limit.to_string());
        let query: String = [
            ("account", self.account),
            ("serial", self.serial),
            ("name", self.name),
            ("profile", self.profile),
            ("state", self.state),
            ("expires_before", self.expires_before),
            ("expires_after", self.expires_after),
            ("key", self.key),
            ("limit", limit),
            ("after", self.after),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("&{name}={}", encode(&value?))))
        .collect();
        let found = client.get(&format!("{}?{}", at(&["certificates"]), query.trim_start_matches('&')))?;
        let fields = ["serial", "account", "profile", "state", "not_before", "not_after"];
        out.list("certificates", &fields, &found)?;
        match found.as_array().filter(|rows| rows.len() == wanted && !out.json()).and_then(|rows| rows.last())
        {
            Some(last) => out.text(&format!("There may be more: --after {}\n", cell(&last["serial"]))),
            None => Ok(()),
        }
    }
}

/// Which certificate is meant.
#[derive(Args, Debug, Default)]
pub(super) struct Grant {
    /// client (when not said), session, mail-signing, mail-encryption, device, server or peer
    #[arg(long)]
    profile: Option<String>,
    /// A name that the directory does not know: a device's, a server's hosts and addresses, a peer's domain
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
}

impl Grant {
    pub(super) fn json(&self) -> Value {
        json!({ "profile": self.profile, "names": self.name })
    }
}

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::List(list) => list.run(client, out),
            Verb::Show { serial } => {
                let first = [
                    "serial",
                    "account",
                    "profile",
                    "state",
                    "reason",
                    "revoked_at",
                    "not_before",
                    "not_after",
                ];
                out.show(&first, &client.get(&at(&["certificates", &serial]))?)
            }
            Verb::Enroll(enroll) => enroll.run(client, out),
            Verb::Token { account, grant } => {
                let answer = client.post(&at(&["accounts", &account, "tokens"]), Some(&grant.json()))?;
                out.secret("token", &answer)
            }
            Verb::Prove { serial } => {
                out.show(&["log", "certificate", "proof"], &client.get(&at(&["log", "proof", &serial]))?)
            }
            Verb::Verify { proof, log, certificate } => verify(&proof, &log, certificate.as_deref(), out),
            Verb::Pending => {
                let fields = ["request", "account", "profile", "names", "front", "created_at", "expires_at"];
                out.list("requests", &fields, &client.get(&at(&["pending"]))?)
            }
            Verb::Approve { request } => {
                let answer = client.post(&at(&["pending", &request, "approve"]), None)?;
                out.done(&format!("approved: certificate {}", cell(&answer["serial"])), &answer)
            }
            Verb::Deny { request } => {
                let answer = client.post(&at(&["pending", &request, "deny"]), None)?;
                out.done("denied", &answer)
            }
            Verb::Revoke { serial, reason } => {
                let body = json!({ "reason": reason });
                let answer = client.post(&at(&["certificates", &serial, "revoke"]), Some(&body))?;
                let ended = match &answer["sessions_ended"] {
                    Value::Number(number) => format!("; sessions ended: {number}"),
                    _ => String::new(),
                };
                out.done(&format!("certificate {serial} is revoked{ended}"), &answer)
            }
        }
    }
}

/// Checks a proof against the log's line alone.
fn verify(proof: &Path, log: &str, certificate: Option<&Path>, out: &mut Output<'_>) -> Result<(), Trouble> {
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|error| Trouble::file("read", path, &error));
    let no_proof =
        || Trouble::Usage(format!("{}: this is not what `cert prove --json` prints", proof.display()));
    let bundle: Value = serde_json::from_str(&read(proof)?).map_err(|_| no_proof())?;
    let certificate = match certificate {
        Some(path) => read(path)?,
        None => bundle["certificate"].as_str().ok_or_else(no_proof)?.to_owned(),
    };
    match check_proof(log, &certificate, &bundle["proof"].to_string()) {
        Ok(size) => {
            let answer = json!({ "proven": true, "size": size });
            out.done(&format!("the certificate is one of the {size} in the log"), &answer)
        }
        Err(why) => Err(Trouble::Refused(format!("the proof does not hold: {why}"))),
    }
}

/// A serial as the ledger writes it, also when it is given with colons or in lower case as by openssl. Anything else
/// is left for the daemon not to find.
fn serial(text: &str) -> Result<String, String> {
    let text = super::named(text)?;
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    match !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
        true => Ok(digits.to_ascii_uppercase()),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_may_be_written_as_openssl_does() {
        assert_eq!(serial("0a:ff:01"), Ok("0AFF01".into()));
        assert_eq!(serial("no serial"), Ok("no serial".into()));
        assert!(serial("").is_err());
    }
}
