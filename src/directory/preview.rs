//! Preview: what a sync would do, under the settings of now or under others, without doing it.

use std::sync::Arc;

use chancery_ldap::Connector;
use serde::Serialize;

use super::difference::{Difference, SyncReport};
use super::ldap::{SyncError, list};
use super::people::People;
use super::picture::Picture;
use crate::store::{Account, AccountDraft, AccountEntry};
use crate::time::Timestamp;

/// The whole difference.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Preview {
    #[serde(flatten)]
    pub(crate) report: SyncReport,
    /// Whether it would wait for an admin, because it takes many people away.
    pub(crate) held: bool,
    /// By account.
    pub(crate) changes: Vec<Line>,
}

/// What would become of somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Line {
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) what: What,
    /// Such as `mail: a@corp.example → b@corp.example` or `group: +ops`.
    pub(crate) details: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    Add,
    Change,
    Disable,
    Enable,
    Remove,
}

impl Preview {
    /// Of a house whose directory is built in so far.
    pub(super) async fn of_the_first(
        connector: &Connector,
        people: &People,
        now: Timestamp,
    ) -> Result<Self, SyncError> {
        let told = list(connector, people).await?;
        Ok(Self::of(&Difference::of(people, &Picture::default(), &told, now)?, people, false))
    }

    pub(super) fn of(difference: &Difference, people: &People, held: bool) -> Self {
        let gone = difference.gone.iter().map(|account| Line {
            account: account.name.clone(),
            name: account.display.clone(),
            what: What::Remove,
            details: Vec::new(),
        });
        let put = difference.put().map(|draft| line(people.by_id(draft.id).as_deref(), draft));
        let mut changes: Vec<_> = gone.chain(put).collect();
        changes.sort();
        Self { report: difference.report.clone(), held, changes }
    }
}

fn line(known: Option<&Account>, draft: &AccountDraft) -> Line {
    let line = |what, details| Line {
        account: known.map_or(&draft.name, |account| &account.name).clone(),
        name: draft.display.clone(),
        what,
        details,
    };
    let why = draft.directory_disabled.as_deref();
    let Some(known) = known else { return line(What::Add, why.into_iter().map(str::to_owned).collect()) };
    let what = match (&known.directory_disabled, &why) {
        (None, Some(_)) => What::Disable,
        (Some(_), None) => What::Enable,
        _ => What::Change,
    };
    let or_none = |text: Option<&str>| text.unwrap_or("none").to_owned();
    fn entry(entry: &Option<Arc<AccountEntry>>) -> Option<&str> {
        entry.as_ref().map(|entry| entry.dn.as_str())
    }
    let mut details: Vec<String> = [
        ("account", known.name.clone(), draft.name.clone()),
        ("name", known.display.clone(), draft.display.clone()),
        ("mail", or_none(known.mail.as_deref()), or_none(draft.mail.as_deref())),
        ("disabled", or_none(known.directory_disabled.as_deref()), or_none(why)),
        ("entry", or_none(entry(&known.entry)), or_none(entry(&draft.entry))),
    ]
    .into_iter()
    .filter(|(_, old, new)| old != new)
    .map(|(what, old, new)| format!("{what}: {old} → {new}"))
    .collect();
    if known.card() != draft.entry.as_ref().map(|entry| entry.card.clone()).unwrap_or_default() {
        details.push("card: title, phone, locale or time zone".into());
    }
    if known.photo() != draft.photo() {
        details.push("photo".into());
    }
    let missing = |from: &[String], to: &[String], sign| -> Vec<String> {
        from.iter().filter(|group| !to.contains(group)).map(|group| format!("group: {sign}{group}")).collect()
    };
    details.extend(missing(&draft.groups, &known.groups, '+'));
    details.extend(missing(&known.groups, &draft.groups, '-'));
    line(what, details)
}
