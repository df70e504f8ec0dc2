//! Explaining: why somebody may act or may not, from the directory's own values to the answer that every door gives.

use std::collections::BTreeMap;

use chancery_ldap::Seen;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::Directory;
use super::thumbnail::{look, thumbnail};
use crate::time::Timestamp;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Explanation {
    pub(crate) account: String,
    /// As every door decides at this moment.
    pub(crate) may_act: bool,
    /// In one sentence.
    pub(crate) decision: String,
    /// What the house knows of them.
    pub(crate) known: Option<Known>,
    /// What the directory has under this login.
    pub(crate) entries: Vec<Found>,
    /// Why the directory could not be asked.
    pub(crate) trouble: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) source: &'static str,
    pub(crate) entry: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) disabled_by_an_admin: bool,
    pub(crate) disabled_by_the_directory: Option<String>,
    pub(crate) expires: Option<Timestamp>,
}

/// An entry with this login.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) dn: String,
    /// Whether `user_filter` lets it through.
    pub(crate) passes_user_filter: bool,
    /// Why it cannot be used.
    pub(crate) unusable: Option<String>,
    /// The rule that disables it.
    pub(crate) disabled: Option<String>,
    /// Names of its groups, near and far.
    pub(crate) groups: Vec<String>,
    /// Whether their photo can be shown.
    pub(crate) photo: Option<String>,
    /// What is looked at.
    pub(crate) attributes: BTreeMap<String, Vec<String>>,
}

impl Directory {
    /// Everything that decides about somebody, by account name or login.
    pub(crate) async fn explain(&self, name: &str, now: Timestamp) -> Explanation {
        let account = self.find(name);
        let login = account.as_ref().and_then(|account| account.entry.as_ref());
        let login = login.map_or_else(|| name.to_lowercase(), |entry| entry.login.clone());
        let asked = match &self.ldap {
            Some(ldap) => ldap.connector.explain(&login, now.to_offset()).await,
            None => Ok(Vec::new()),
        };
        let (entries, trouble) = match asked {
            Ok(seen) => {
                // Making a photo smaller takes its time.
                let found = spawn_blocking(|| seen.into_iter().map(Found::of).collect());
                (found.await.unwrap_or_default(), None)
            }
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let why = account.as_ref().map(|account| account.disabled().map(str::to_owned));
        let decision = match &why {
            Some(None) => "may act".to_owned(),
            Some(Some(why)) => format!("may not act: {why}"),
            None => format!("is nobody here{}", unknown(&entries)),
        };
        let known = account.map(|account| Known {
            id: account.id.to_string(),
            source: account.source.as_str(),
            entry: account.entry.as_ref().map(|entry| entry.dn.clone()),
            groups: account.groups.clone(),
            disabled_by_an_admin: account.admin_disabled,
            disabled_by_the_directory: account.directory_disabled.as_deref().map(str::to_owned),
            expires: account.entry.as_ref().and_then(|entry| entry.expires.as_deref()).map(|(end, _)| *end),
        });
        Explanation { account: name.into(), may_act: why == Some(None), decision, known, entries, trouble }
    }
}

/// Why an entry is no account.
fn unknown(entries: &[Found]) -> String {
    match entries {
        [] => String::new(),
        [one] if one.unusable.is_some() => {
            format!(": the entry {} cannot be used: {}", one.dn, one.unusable.clone().unwrap_or_default())
        }
        [one] if !one.passes_user_filter => {
            format!(": user_filter does not let the entry {} through", one.dn)
        }
        [one] => format!(": the entry {} was not brought in yet", one.dn),
        several => format!(": {} entries have this login", several.len()),
    }
}

impl Found {
    fn of(seen: Seen) -> Self {
        let photo = seen.person.as_ref().ok().and_then(|person| person.photo.as_ref());
        let photo = photo.map(|photo| match look(photo).and_then(thumbnail) {
            Ok(_) => "can be shown".into(),
            Err(why) => format!("cannot be shown: {why}"),
        });
        let (unusable, disabled) = match &seen.person {
            Ok(person) => (None, person.disabled.map(|rule| rule.to_string())),
            Err(why) => (Some(why.clone()), None),
        };
        let mut groups: Vec<_> = seen.groups.groups.into_iter().map(|group| group.name).collect();
        groups.sort();
        Self {
            dn: seen.dn,
            passes_user_filter: seen.passes,
            unusable,
            disabled,
            groups,
            photo,
            attributes: seen.attributes.into_iter().collect(),
        }
    }
}
