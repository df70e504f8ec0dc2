//! `peer`: other domains, and what DNSSEC proves of them.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, at};
use super::output::Output;
use super::table::{cell, table};
use super::trouble::Trouble;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The domains that are allowed
    List,
    /// One of them, with what was last proven
    Show {
        #[arg(value_parser = super::named)]
        domain: String,
    },
    /// Allow a domain
    Add {
        #[arg(value_parser = super::named)]
        domain: String,
    },
    /// Allow it no longer
    Remove {
        #[arg(value_parser = super::named)]
        domain: String,
    },
    /// Ask the DNS now: where its servers are, and whether that is proven
    Check {
        #[arg(value_parser = super::named)]
        domain: String,
    },
}

impl Verb {
    pub(super) fn run(self, client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
        match self {
            Verb::List => {
                let answer = client.get(&at(&["peers"]))?;
                match &answer {
                    Value::Array(peers) if !out.json() => {
                        let rows: Vec<Value> = peers.iter().map(in_short).collect();
                        out.list(
                            "peers",
                            &["domain", "usable", "until", "checked_at", "created_at"],
                            &rows.into(),
                        )
                    }
                    answer => out.list("peers", &[], answer),
                }
            }
            Verb::Show { domain } => {
                let answer = client.get(&at(&["peers", &domain]))?;
                if out.json() {
                    return out.value(&answer);
                }
                let short = json!({
                    "domain": answer["domain"],
                    "created_at": answer["created_at"],
                    "checked_at": answer["checked_at"],
                });
                out.show(&["domain", "created_at", "checked_at"], &short)?;
                match last_check(&answer) {
                    Value::Null => out.text(&format!("\nnot checked yet: chancery peer check {domain}\n")),
                    checked => out.text(&format!("\n{}", verdicts(checked))),
                }
            }
            Verb::Add { domain } => {
                let answer = client.post(&at(&["peers"]), Some(&json!({ "domain": domain })))?;
                out.done(&format!("{domain} is a peer"), &answer)
            }
            Verb::Remove { domain } => {
                let answer = client.delete(&at(&["peers", &domain]))?;
                out.done(&format!("{domain} is no longer a peer"), &answer)
            }
            Verb::Check { domain } => {
                let answer = client.post_patiently(&at(&["peers", &domain, "check"]), None)?;
                if out.json() { out.value(&answer) } else { out.text(&verdicts(&answer)) }
            }
        }
    }
}

fn last_check(peer: &Value) -> &Value {
    peer.get("checked").or_else(|| peer.get("verdict")).unwrap_or(&Value::Null)
}

fn in_short(peer: &Value) -> Value {
    let checked = last_check(peer);
    json!({
        "domain": peer["domain"],
        "usable": checked["usable"],
        "until": checked["until"],
        "checked_at": peer["checked_at"],
        "created_at": peer["created_at"],
    })
}

/// What was proven, link by link: where the servers are, then for each its address and its certificate.
fn verdicts(checked: &Value) -> String {
    let mut rows = vec![row("SRV".into(), &checked["domain"], &checked["srv"])];
    for target in checked["targets"].as_array().into_iter().flatten() {
        let name = Value::from(format!("{}:{}", cell(&target["target"]), cell(&target["port"])));
        rows.push(row("address".into(), &name, &target["address"]));
        rows.push(row("TLSA".into(), &name, &target["tlsa"]));
    }
    let head = ["question", "of", "verdict", "deadline", "answer"];
    let (usable, explanation) = (cell(&checked["usable"]), cell(&checked["explanation"]));
    format!("{}\nusable: {usable}\n{explanation}\n", table(&head, &rows))
}

/// One verdict: the records where it has some, else why there are none.
fn row(question: String, of: &Value, verdict: &Value) -> Vec<String> {
    let records: Vec<String> = verdict["records"].as_array().into_iter().flatten().map(record).collect();
    let answer = if records.is_empty() { cell(&verdict["why"]) } else { records.join(", ") };
    vec![question, cell(of), cell(&verdict["verdict"]), cell(&verdict["deadline"]), answer]
}

/// A record as zone files write it (RFC 2782, RFC 6698 §2.2).
fn record(record: &Value) -> String {
    let fields: &[&str] = match record {
        Value::Object(fields) if fields.contains_key("priority") => &["priority", "weight", "port", "target"],
        Value::Object(fields) if fields.contains_key("usage") => &["usage", "selector", "matching", "data"],
        other => return cell(other),
    };
    fields.iter().map(|field| cell(&record[*field])).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_of_a_domain_has_its_line() {
        let checked = json!({
            "domain": "partner.example",
            "srv": { "verdict": "secure", "deadline": "T", "records": [
                { "priority": 0, "weight": 5, "port": 8885, "target": "mq.partner.example" }
            ] },
            "targets": [{
                "target": "mq.partner.example", "port": 8885,
                "tlsa": { "verdict": "bogus", "why": "signature expired" },
                "address": { "verdict": "secure", "records": ["192.0.2.1"] },
            }],
            "usable": false,
            "explanation": "No.",
        });
        let expected = "\
QUESTION  OF                       VERDICT  DEADLINE  ANSWER
SRV       partner.example          secure   T         0 5 8885 mq.partner.example
address   mq.partner.example:8885  secure   -         192.0.2.1
TLSA      mq.partner.example:8885  bogus    -         signature expired

usable: no
No.
";
        assert_eq!(verdicts(&checked), expected);
    }

    #[test]
    fn a_peer_that_was_never_checked_is_shown_without_a_verdict() {
        let short = in_short(&json!({ "domain": "partner.example", "checked": null }));
        assert_eq!((cell(&short["domain"]), cell(&short["usable"])), ("partner.example".into(), "-".into()));
    }
}
