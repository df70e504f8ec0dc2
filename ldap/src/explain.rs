//! Explaining: what the directory has under a login, and what of it decides.

use std::collections::HashSet;

use time::OffsetDateTime;

use crate::assertion::Filter;
use crate::connector::Connector;
use crate::entry::Entry;
use crate::error::Error;
use crate::groups::GroupListing;
use crate::people::{Person, people_search};
use crate::search::Amount;

/// An entry with the login, let through or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it stands.
    pub dn: String,
    /// Whether `user_filter` lets it through.
    pub passes: bool,
    /// What is looked at, with the values as text, and of photos their length; what the service account may not read is
    /// not there.
    pub attributes: Vec<(String, Vec<String>)>,
    /// What is read from it, or why it cannot be used.
    pub person: Result<Person, String>,
    /// The groups it is in, near and far, where there is a `group_filter`.
    pub groups: GroupListing,
}

/// More with one login are a mistake that a few of them show.
const MOST: u8 = 10;

impl Connector {
    /// Every entry below the base with this login, asked for at this moment. `now` decides who has expired.
    pub async fn explain(&self, login: &str, now: OffsetDateTime) -> Result<Vec<Seen>, Error> {
        let (inner, judge) = (self.ready().await, self.judge());
        let settings = &inner.settings;
        let is_theirs = Filter::equal(&settings.attributes.login, login);
        let search = |filter| people_search(settings, &judge, filter, Amount::AtMost(MOST));
        let passing = inner.user_filter.clone().and(is_theirs.clone());
        let passing = inner.search(&search(passing)).await?.entries;
        let passing: HashSet<String> = passing.into_iter().map(|entry| entry.dn).collect();
        let looked_at = search(is_theirs);
        let see = |entry: Entry| Seen {
            passes: passing.contains(&entry.dn),
            attributes: shown(&entry, &looked_at.attributes, settings.attributes.photo.as_deref()),
            person: Person::read(&entry, &settings.attributes, &judge, now),
            groups: GroupListing::default(),
            dn: entry.dn,
        };
        let found = inner.search(&looked_at).await?.entries;
        let mut all: Vec<_> = found.into_iter().map(see).collect();
        for seen in &mut all {
            if let Ok(person) = &seen.person {
                seen.groups = self.groups_of(person).await?;
            }
        }
        Ok(all)
    }
}

fn shown(entry: &Entry, looked_at: &[String], photo: Option<&str>) -> Vec<(String, Vec<String>)> {
    let text = |attribute: &String| match entry.id(attribute) {
        Ok(Some(id)) if attribute.to_ascii_lowercase().ends_with("id") => vec![id.to_string()],
        _ if Some(attribute.as_str()) == photo => {
            entry.values(attribute).map(|value| format!("{} bytes", value.len())).collect()
        }
        _ => entry.values(attribute).map(|value| String::from_utf8_lossy(value).into_owned()).collect(),
    };
    let present = looked_at.iter().filter(|attribute| entry.values(attribute).next().is_some());
    present.map(|attribute| (attribute.clone(), text(attribute))).collect()
}
