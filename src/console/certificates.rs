//! The ledger as a list, and one certificate in full.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use chancery_admin_ui::certificate::Certificate as Page;
use chancery_admin_ui::certificates::{CertificateRow, Certificates};
use chancery_admin_ui::{CertificateState, Choice, Download, Nav, Paging};
use serde::Deserialize;

use super::Console;
use super::enrol::file_stem;
use super::guard::Admin;
use super::page::{Answer, ENTRIES, distance, moment, readable, show, window};
use crate::api::Refused;
use crate::enrollment;
use crate::store::{self, Certificate, LedgerFilter, Standing, StoreError};
use crate::time::{self, Timestamp};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/certificates", get(list)).route("/certificates/{serial}", get(look))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    state: String,
    account: String,
    page: Option<u32>,
}

/// The states to filter by: what the address says, what the person reads, what the ledger is asked.
const STATES: [(&str, &str, Standing); 5] = [
    ("valid", "In force", Standing::InForce),
    ("expiring", "In force, ending soon", Standing::Ending),
    ("expired", "Expired", Standing::Expired),
    ("revoked", "Revoked", Standing::Revoked),
    ("reserved", "Reserved, not signed", Standing::Intended),
];

async fn list(State(console): State<Console>, admin: Admin, Query(asked): Query<Asked>) -> Answer {
    let (account, now) = (asked.account.trim(), time::now());
    let standing = STATES.iter().find(|(value, ..)| *value == asked.state).map(|(.., standing)| *standing);
    let owner = console.house.directory.find(account).map(|account| account.id);
    let (lines, paging) = match (account.is_empty(), owner) {
        (false, None) => (Vec::new(), Paging::whole(0)),
        (_, owner) => page_of(&console, LedgerFilter { account: owner, standing }, asked.page, now).await?,
    };
    let command: &[&str] = match account.is_empty() {
        true => &["cert", "list"],
        false => &["cert", "list", "--account", account],
    };
    show(&Certificates {
        chrome: admin.chrome(Nav::Certificates, &[command]),
        states: choices("Every state", STATES.iter().map(|(value, label, _)| (*value, *label)), &asked.state),
        account: account.into(),
        rows: lines.iter().map(|line| ledger_row(line, now)).collect(),
        paging,
        pending: console.house.enrollment.pending(now).await?.len() as u64,
    })
}

async fn page_of(
    console: &Console,
    filter: LedgerFilter,
    wanted: Option<u32>,
    now: Timestamp,
) -> Result<(Vec<Certificate>, Paging), StoreError> {
    let read = move |view: &mut store::View| {
        let total = usize::try_from(view.ledger_count(filter, now)?).unwrap_or_default();
        let (range, paging) = window(wanted, total);
        Ok((view.ledger_page(filter, range.start as i64, ENTRIES as i64, now)?, paging))
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
