//! The ledger as a list, and one certificate in full.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use chancery_admin_ui::certificate::Certificate as Page;
use chancery_admin_ui::certificates::{CertificateRow, Certificates, Search as Shown};
use chancery_admin_ui::{CertificateState, Choice, Download, Nav, Paging};

use super::Console;
use super::enrol::file_stem;
use super::guard::Admin;
use super::page::{Answer, ENTRIES, Trouble, distance, moment, readable, show, show_as, window};
use crate::api::{Refused, Search};
use crate::enrollment;
use crate::store::{self, Certificate, LedgerFilter, Standing, StoreError};
use crate::time::{self, Timestamp};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/certificates", get(list)).route("/certificates/{serial}", get(look))
}

/// The states to filter by: what the address says, what the person reads.
const STATES: [(&str, &str); 5] = [
    ("active", "In force"),
    ("ending", "In force, ending soon"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
    ("intended", "Reserved, not signed"),
];

async fn list(
    State(console): State<Console>,
    admin: Admin,
    Query(mut asked): Query<BTreeMap<String, String>>,
) -> Answer {
    let (page, now) = (asked.remove("page").and_then(|page| page.parse().ok()), time::now());
    let search = Search::read(&asked)?;
    let (found, status, problem) = match search.filter(&console.house, now) {
        Ok(wanted) => (page_of(&console, wanted, page, now).await?, StatusCode::OK, String::new()),
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            ((Vec::new(), Paging::whole(0)), status, problem)
        }
    };
    let (lines, paging) = found;
    let command = command(&search);
    let page = Certificates {
        chrome: admin.chrome(Nav::Certificates, &[&command.iter().map(String::as_str).collect::<Vec<_>>()]),
        states: choices("Every state", STATES.into_iter(), &search.state),
        search: shown(search),
        problem,
        rows: lines.iter().map(|line| ledger_row(line, now)).collect(),
        paging,
        pending: console.house.enrollment.pending(now).await?.len() as u64,
    };
    show_as(status, &page)
}

/// The same search on the command line.
fn command(search: &Search) -> Vec<String> {
    let option = |(name, value): (&str, &str)| [format!("--{}", name.replace('_', "-")), value.to_owned()];
    ["cert", "list"].map(str::to_owned).into_iter().chain(search.given().flat_map(option)).collect()
}

fn shown(search: Search) -> Shown {
    let Search { account, name, serial, profile, expires_before, expires_after, key, .. } = search;
    Shown { account, name, serial, profile, expires_before, expires_after, key }
}

async fn page_of(
    console: &Console,
    filter: LedgerFilter,
    wanted: Option<u32>,
    now: Timestamp,
) -> Result<(Vec<Certificate>, Paging), StoreError> {
    let read = move |view: &mut store::View| {
        let total = usize::try_from(view.ledger_count(&filter, now)?).unwrap_or_default();
        let (range, paging) = window(wanted, total);
        Ok((view.ledger_page(&filter, range.start as i64, ENTRIES as i64, now)?, paging))
    };
    console.house.store.read(read).await
}

async fn look(State(console): State<Console>, admin: Admin, Path(serial): Path<String>) -> Answer {
    let line = find(&console, &serial).await?;
    let said = line.der.as_deref().and_then(enrollment::read);
    let pem = said.as_ref().map(|said| said.pem.clone()).unwrap_or_default();
    let mut facts = vec![("Entered in the ledger".to_owned(), readable(line.created_at))];
    let (names, said) = said.map(|said| (said.names, said.facts)).unwrap_or_default();
    facts.extend(said.into_iter().map(|(label, value)| (label.to_owned(), value)));
    show(&Page {
        chrome: admin
            .chrome(Nav::Certificates, &[&["cert", "show", &line.serial], &["cert", "revoke", &line.serial]]),
        row: ledger_row(&line, time::now()),
        names: names.into_iter().map(|(label, value)| (label.to_owned(), value)).collect(),
        facts,
        revoked_at: moment(line.revoked_at),
        reason: line.reason.clone().unwrap_or_default(),
        download: match pem.is_empty() {
            true => Download::default(),
            false => Download::new(file_name(&line), PEM, pem.as_bytes()),
        },
        pem,
    })
}

/// Told apart from the other certificates of the same name.
fn file_name(line: &Certificate) -> String {
    format!("{}-{}.pem", file_stem(&line.name), line.serial.get(..8).unwrap_or(&line.serial))
}

/// One line of the ledger.
pub(super) async fn find(console: &Console, serial: &str) -> Result<Certificate, Refused> {
    let line = console.house.enrollment.show(serial).await?;
    line.ok_or_else(|| Refused::NotFound(format!("there is no certificate {serial}")))
}

/// A line of the ledger as lists show it.
pub(super) fn ledger_row(line: &Certificate, now: Timestamp) -> CertificateRow {
    let state = match line.standing(now) {
        Standing::InForce => CertificateState::Valid,
        Standing::Ending => CertificateState::Expiring,
        Standing::Expired => CertificateState::Expired,
        Standing::Revoked => CertificateState::Revoked,
        Standing::Intended => CertificateState::Reserved,
    };
    CertificateRow {
        serial: line.serial.clone(),
        account: line.account.map(|_| line.name.clone()).unwrap_or_default(),
        profile: line.profile.clone(),
        state,
        not_before: line.not_before.to_string(),
        not_after: line.not_after.to_string(),
        remaining: match state {
            CertificateState::Revoked => String::new(),
            _ => distance(line.not_after, now),
        },
    }
}

/// The options of a filter, the first of which is no filter.
pub(super) fn choices<'a>(
    all: &'a str,
    options: impl Iterator<Item = (&'a str, &'a str)>,
    chosen: &str,
) -> Vec<Choice> {
    let options = std::iter::once(("", all)).chain(options);
    options.map(|(value, label)| Choice { chosen: value == chosen, ..Choice::new(value, label) }).collect()
}

/// The media type of PEM files (RFC 8555 §9.1).
pub(super) const PEM: &str = "application/pem-certificate-chain";
