//! The chained record of deeds.

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use chancery_admin_ui::Nav;
use chancery_admin_ui::audit::{Audit, AuditRow, Proof};
use serde::Deserialize;
use serde_json::Value;

use super::Console;
use super::guard::Admin;
use super::page::{Answer, ENTRIES, sentence, show, window};
use crate::audit::{Entry, Verified, to_hex};
use crate::store;
use crate::time::{self, Timestamp};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/audit", get(list))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    page: Option<u32>,
    verify: String,
}

async fn list(State(console): State<Console>, admin: Admin, Query(asked): Query<Asked>) -> Answer {
    let (words, wanted) = (asked.q.trim().to_owned(), asked.page);
    let read = move |view: &mut store::View| {
        let total = usize::try_from(view.audit_count(&words)?).unwrap_or_default();
        let (range, paging) = window(wanted, total);
        let entries = view.audit_page(&words, range.start as i64, ENTRIES as i64)?;
        Ok((view.audit_entries(None, 1)?.pop(), entries, paging))
    };
    let (newest, entries, paging) = console.house.store.read(read).await?;
    let proof = match asked.verify == "yes" {
        true => Some(proof(console.house.store.read(|view| view.verify_audit()).await?, time::now())),
        false => None,
    };
    show(&Audit {
        chrome: admin.chrome(Nav::Audit, &[&["audit", "list"], &["audit", "verify"]]),
        search: asked.q.trim().into(),
        rows: entries.into_iter().map(row).collect(),
        paging,
        head: newest.map(|entry| to_hex(&entry.hash)).unwrap_or_default(),
        proof,
    })
}

fn proof(found: Verified, now: Timestamp) -> Proof {
    let finding = match found.broken {
        Some(broken) => sentence(&broken),
        None => "Every entry follows from the one before it.".into(),
    };
    Proof { holds: found.intact, entries: found.entries.unsigned_abs(), finding, checked_at: now.to_string() }
}

fn row(entry: Entry) -> AuditRow {
    let details: Value = serde_json::from_str(&entry.details).unwrap_or_default();
    let detail = in_words(&details, &entry.subject);
    AuditRow {
        number: entry.seq.unsigned_abs(),
        at: entry.at.to_string(),
        refused: details.get("refused").is_some() || entry.deed.ends_with(".refuse"),
        who: entry.actor,
        deed: entry.deed,
        subject: entry.subject,
        detail,
        hash: to_hex(&entry.hash),
    }
}

/// The further facts of a deed in the words of a person; what names the subject once more is left out.
fn in_words(details: &Value, subject: &str) -> String {
    let Value::Object(facts) = details else { return String::new() };
    let told = facts.iter().filter_map(|(fact, value)| match value {
        Value::Null => None,
        Value::String(text) if text == subject => None,
        Value::Object(_) => Some(in_words(value, subject)),
        value => Some(format!("{}: {}", fact.replace('_', " "), word(value))),
    });
    told.filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn word(value: &Value) -> String {
    match value {
        // Nobody compares fingerprints by eye; what was hashed stands in the export.
        Value::String(hex) if hex.len() > SERIAL && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("{}…", hex.get(..16).unwrap_or_default())
        }
        Value::String(text) => day(text).unwrap_or(text).to_owned(),
        Value::Array(list) => list.iter().map(word).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Of a moment, the day.
fn day(text: &str) -> Option<&str> {
    let (day, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let digits = |text: &str, others: &str| text.chars().all(|c| c.is_ascii_digit() || others.contains(c));
    (day.len() == 10 && digits(day, "-") && digits(clock, ":.")).then_some(day)
}

/// Characters of a serial number, which is shown whole.
const SERIAL: usize = 40;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_facts_of_a_deed_read_as_words() {
        let fingerprint = "0123456789abcdef".repeat(4);
        let facts = json!({
            "not_after": "2026-11-21T09:30:00Z", "account": "bob", "names": ["a", "b"], "request": { "key": "brought" }, "count": 2, "none": null,
            "fingerprint": fingerprint, "empty": {},
        });
        let told = in_words(&facts, "bob");
        for words in [
            "not after: 2026-11-21",
            "names: a, b",
            "key: brought",
            "count: 2",
            "fingerprint: 0123456789abcdef…",
        ] {
            assert!(told.contains(words), "{told}");
        }
        assert!(!told.contains("·  ·") && !told.contains("bob"), "{told}");
        assert!(!told.contains("none"));
        assert_eq!(in_words(&json!({}), "bob"), "");
    }
}
