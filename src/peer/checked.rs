//! What a check of a domain found, what it means, and what to do next. Plain functions of verdicts.

use chancery_dns::{Domain, Srv, Tlsa, Verdict};
use serde::Serialize;

use super::{SERVICE, TRANSPORT};
use crate::time::Timestamp;

/// A domain as the DNS shows it at one moment.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) domain: Domain,
    /// Where its servers stand.
    pub(crate) srv: Verdict<Srv>,
    /// Its servers, the preferred ones first.
    pub(crate) targets: Vec<Target>,
    /// Whether the way to at least one server is proven in every link.
    pub(crate) usable: bool,
    /// When the proof for the preferred usable server ends.
    pub(crate) until: Option<Timestamp>,
    /// What this means and what to do next, for a person.
    pub(crate) explanation: String,
}

/// One server of a domain.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) target: String,
    pub(crate) port: u16,
    /// Which certificate it will show.
    pub(crate) tlsa: Verdict<Tlsa>,
    pub(crate) address: Verdict<std::net::IpAddr>,
}

impl Checked {
    pub(super) fn new(domain: &Domain, srv: Verdict<Srv>, targets: Vec<Target>) -> Self {
        let usable = targets.iter().find(|target| target.fault().is_none());
        let until = usable.and_then(|target| {
            let ends = [srv.deadline(), target.tlsa.deadline(), target.address.deadline()];
            // Signatures end on whole seconds, lifetimes wherever the clock of the question stood.
            ends.into_iter()
                .flatten()
                .min()
                .map(|end| Timestamp::from(end.replace_nanosecond(0).unwrap_or(end)))
        });
        let explanation = match (usable, until) {
            (Some(target), Some(until)) => proven(domain, target, until, &targets),
            _ if targets.is_empty() => no_server(domain, &srv),
            _ => {
                let faults: Vec<String> = targets.iter().filter_map(Target::fault).collect();
                format!("No server of {domain} can be used. {}", faults.join(" "))
            }
        };
        Self { domain: domain.clone(), usable: until.is_some(), until, explanation, srv, targets }
    }
}

fn proven(domain: &Domain, target: &Target, until: Timestamp, all: &[Target]) -> String {
    let faults: Vec<String> = all.iter().filter_map(Target::fault).collect();
    let others = if faults.is_empty() {
        String::new()
    } else {
        format!(" Of its other servers: {}", faults.join(" "))
    };
    format!(
        "{}:{} is proven to be the server of {domain}, with its address and its certificate, until {until}. \
         `chancery peer add {domain}` makes it a peer.{others}",
        target.target, target.port
    )
}

/// What to say of a domain of which no server is known.
fn no_server(domain: &Domain, srv: &Verdict<Srv>) -> String {
    let owner = domain.service(SERVICE, TRANSPORT);
    match srv {
        Verdict::Secure { .. } => {
            format!(
                "{domain} declares that it has no server for peers (SRV target \".\"). There is nothing to do."
            )
        }
        Verdict::ProvenAbsent => format!(
            "It is proven that {domain} has no server for peers. If it should have one, its admin publishes an SRV \
             record at {owner}."
        ),
        Verdict::Unsigned => format!(
            "{owner} is not protected by DNSSEC: anybody on the way could answer in its name, so it is not used. \
             The admin of {domain} signs the zone and has its DS record put into the parent zone."
        ),
        Verdict::Bogus { why } => format!(
            "The answer about {owner} fails validation: {why}. The zone is broken, or somebody forges answers; \
             nothing of it is used. The admin of {domain} repairs the zone; then check again."
        ),
        Verdict::Unreachable { why } => format!(
            "Nothing can be said about {domain} now: {why}. See that the resolver in [dns] servers answers; then \
             check again."
        ),
    }
}

impl Target {
    /// What keeps the server from being used and who can mend it; `None` when every link is proven.
    fn fault(&self) -> Option<String> {
        let Self { target, port, tlsa, address } = self;
        let owner = format!("_{port}.{TRANSPORT}.{target}");
        let certificate = match tlsa {
            Verdict::Secure { records, .. } if records.iter().any(is_usable) => None,
            Verdict::Secure { .. } => Some(format!(
                "its TLSA records at {owner} all lean on public authorities or are of unknown kinds; its admin \
                 publishes one that begins with 2 or 3, as 2 1 1"
            )),
            Verdict::ProvenAbsent => {
                Some(format!("no certificate is pinned; its admin publishes TLSA records at {owner}"))
            }
            other => unproven(other, &format!("the TLSA records at {owner}")),
        };
        let place = match address {
            Verdict::Secure { .. } => None,
            Verdict::ProvenAbsent => {
                Some("it has no address; its admin publishes A or AAAA records".to_owned())
            }
            other => unproven(other, "its address"),
        };
        let faults: Vec<String> = certificate.into_iter().chain(place).collect();
        (!faults.is_empty()).then(|| format!("{target}:{port}: {}.", faults.join("; ")))
    }
}

/// The three verdicts that are the same fault wherever they stand.
fn unproven<T>(verdict: &Verdict<T>, what: &str) -> Option<String> {
    match verdict {
        Verdict::Unsigned => {
            Some(format!("{what} lies in a zone without DNSSEC, which its admin has to sign"))
        }
        Verdict::Bogus { why } => {
            Some(format!("{what} fails validation ({why}), which its admin has to repair"))
        }
        Verdict::Unreachable { why } => Some(format!("{what} cannot be looked up now ({why}); check again")),
        Verdict::Secure { .. } | Verdict::ProvenAbsent => None,
    }
}

/// Usages 0 and 1 lean on public authorities, which the DNS was meant to replace here (RFC 7672 §3.1.3); a record of
/// an unknown kind proves nothing (RFC 7671 §10.2).
fn is_usable(tlsa: &Tlsa) -> bool {
    matches!((tlsa.usage, tlsa.selector, tlsa.matching), (2 | 3, 0 | 1, 0..=2))
}
