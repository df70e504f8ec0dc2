//! The first screen: is everything well, and if not, what next.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use chancery_admin_ui::overview::{Door, Figure, Overview, Part};
use chancery_admin_ui::{Health, Nav};

use super::Console;
use super::certificates::ledger_row;
use super::guard::Admin;
use super::page::{Answer, distance, readable, sentence, show, span};
use crate::api::{self, Check, House, Status, Verdict};
use crate::audit::{Entry, to_hex};
use crate::store::{self, Certificate, LedgerFilter, Standing};
use crate::time::{self, Timestamp};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/", get(overview))
}

/// How many of the certificates that end soon are shown.
const ENDING: i64 = 10;

async fn overview(State(console): State<Console>, admin: Admin) -> Answer {
    let (house, now) = (&console.house, time::now());
    let (status, counts, peers) =
        (api::status(house).await?, counts(house, now).await?, house.peers.list().await?.len());
    let mut parts: Vec<Part> = status.checks.iter().map(|check| part(house, check, now)).collect();
    parts.extend([audit(counts.newest.as_ref()), sessions(&status), peers_part(peers)]);
    let health = worst(&parts);
    show(&Overview {
        chrome: admin.chrome(Nav::Overview, &[&["status"]]),
        summary: summary(health, &parts, &status),
        health,
        figures: vec![
            figure(status.accounts, ["account", "accounts"], Nav::Accounts),
            figure(counts.in_force, ["certificate in force", "certificates in force"], Nav::Certificates),
            figure(status.sessions.live, ["live session", "live sessions"], Nav::Sessions),
            figure(status.waiting, ["message waiting", "messages waiting"], Nav::Accounts),
            figure(peers, ["peer", "peers"], Nav::Peers),
        ],
        parts,
        doors: doors(house),
        expiring: counts.ending.iter().map(|line| ledger_row(line, now)).collect(),
    })
}

struct Counts {
    in_force: i64,
    ending: Vec<Certificate>,
    newest: Option<Entry>,
}

async fn counts(house: &House, now: Timestamp) -> Result<Counts, store::StoreError> {
    let of = |standing| LedgerFilter { standing: Some(standing), ..LedgerFilter::default() };
    let read = move |view: &mut store::View| {
        Ok(Counts {
            in_force: view.ledger_count(&of(Standing::InForce), now)?,
            ending: view.ledger_page(&of(Standing::Ending), 0, ENDING, now)?,
            newest: view.audit_entries(None, 1)?.pop(),
        })
    };
    house.store.read(read).await
}

fn part(house: &House, check: &Check, now: Timestamp) -> Part {
    let (name, href) = match check.part {
        "store" => ("Store", ""),
        "directory" => ("Directory", Nav::Accounts.href()),
        "outbox" => ("Outbox", Nav::Outbox.href()),
        "authority" => ("Authority", Nav::Certificates.href()),
        "requests" => ("Requests", "/pending"),
        other => (other, ""),
    };
    Part {
        name: name.into(),
        health: match check.verdict {
            Verdict::Ok => Health::Good,
            Verdict::Warn => Health::Warning,
            Verdict::Fail => Health::Bad,
        },
        summary: sentence(&check.what),
        facts: if check.part == "authority" { authority(house, now) } else { Vec::new() },
        advice: match check.next.is_empty() {
            true => String::new(),
            false => sentence(&check.next),
        },
        href: href.into(),
    }
}

fn authority(house: &House, now: Timestamp) -> Vec<(String, String)> {
    let crl = house.enrollment.crl_info();
    vec![
        ("Issuer".into(), house.enrollment.issuer_name()),
        ("CRL".into(), format!("number {}, certificates on it: {}", crl.number, crl.count)),
        ("CRL next update".into(), distance(crl.next_update, now)),
    ]
}

fn audit(newest: Option<&Entry>) -> Part {
    let head = |entry: &Entry| format!("{}…", to_hex(&entry.hash[..6]));
    let facts = newest.map(|entry| {
        vec![
            ("Last deed".into(), format!("{} by {}", entry.deed, entry.actor)),
            ("On".into(), readable(entry.at)),
            ("Head".into(), head(entry)),
        ]
    });
    Part {
        name: "Audit".into(),
        summary: format!(
            "{} deeds are remembered, each chained to the one before.",
            newest.map_or(0, |entry| entry.seq)
        ),
        facts: facts.unwrap_or_default(),
        href: Nav::Audit.href().into(),
        ..Part::default()
    }
}

fn sessions(status: &Status) -> Part {
    Part {
        name: "Sessions".into(),
        summary: "Clients that are connected, and queues that wait for theirs.".into(),
        facts: vec![
            ("Live".into(), status.sessions.live.to_string()),
            ("Durable".into(), status.sessions.durable.to_string()),
        ],
        href: Nav::Sessions.href().into(),
        ..Part::default()
    }
}

fn peers_part(peers: usize) -> Part {
    Part {
        name: "Peers".into(),
        summary: match peers {
            0 => "No other domain is allowed.".into(),
            1 => "One other domain is allowed.".into(),
            many => format!("{many} other domains are allowed."),
        },
        href: Nav::Peers.href().into(),
        ..Part::default()
    }
}

fn worst(parts: &[Part]) -> Health {
    let rank = |health: Health| match health {
        Health::Off => 0,
        Health::Good => 1,
        Health::Warning => 2,
        Health::Bad => 3,
    };
    parts.iter().map(|part| part.health).max_by_key(|health| rank(*health)).unwrap_or_default()
}

fn summary(health: Health, parts: &[Part], status: &Status) -> String {
    let ill = |part: &&Part| matches!(part.health, Health::Warning | Health::Bad);
    let ill: Vec<_> = parts.iter().filter(ill).map(|part| part.name.as_str()).collect();
    let open = format!("{} has been open for {}.", status.domain, span(Duration::from_secs(status.uptime_s)));
    match health {
        Health::Good | Health::Off => format!("Everything works. {open}"),
        Health::Warning | Health::Bad => format!("To be looked at: {}. {open}", ill.join(", ")),
    }
}

fn doors(house: &House) -> Vec<Door> {
    let live = house.broker.all();
    let through = |door: &str| {
        live.iter().filter(|session| session.live(|live| live.door == door) == Some(true)).count() as u64
    };
    let door = |(name, address): (&&'static str, &std::net::SocketAddr)| {
        // Only the broker counts who is there.
        let (note, connections) = match *name {
            "mqtt" => ("MQTT 3.1.1 and 5, plain", Some(through(name))),
            "mqtts" => ("MQTT 3.1.1 and 5 over TLS", Some(through(name))),
            "ws" => ("MQTT over WebSocket, plain", Some(through(name))),
            "wss" => ("MQTT over WebSocket and TLS", Some(through(name))),
            "quic" => ("MQTT over QUIC", Some(through(name))),
            "ldaps" => ("People for mail clients, LDAP over TLS", None),
            "https" => ("Console, API, enrolment", None),
            "http" => ("CRL and CA certificates", None),
            _ => ("", None),
        };
        let (name, address, note) = ((*name).to_owned(), address.to_string(), note.into());
        Door { name, address, health: Health::Good, note, connections }
    };
    house.facts.doors.iter().map(door).collect()
}

/// A count with its word for one and for many.
fn figure(value: impl ToString, [one, many]: [&str; 2], list: Nav) -> Figure {
    let value = value.to_string();
    Figure { label: if value == "1" { one } else { many }.into(), value, href: list.href().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_as_well_as_its_worst_part() {
        let part = |health| Part { health, ..Part::default() };
        assert_eq!(worst(&[]), Health::Good);
        assert_eq!(worst(&[part(Health::Good), part(Health::Off)]), Health::Good);
        assert_eq!(worst(&[part(Health::Bad), part(Health::Warning), part(Health::Good)]), Health::Bad);
    }
}
