//! People: entries of the directory, read with the attribute map.

use std::collections::HashMap;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::assertion::Filter;
use crate::connector::Connector;
use crate::disabled::{self, Disabled, Verdict};
use crate::entry::Entry;
use crate::error::Error;
use crate::photo::Photo;
use crate::request::Scope;
use crate::rules::Judge;
use crate::search::{Amount, Found, Search};
use crate::settings::{AUTO, AttributeMap, Settings};

/// One person as the directory has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The key that stays when everything else changes.
    pub id: Uuid,
    /// Where the entry stands today. Changes with a rename or a move.
    pub dn: String,
    /// What they type to sign in, as the directory writes it. Directories find it whatever its case.
    pub login: String,
    /// What others see; the login where the entry has no name.
    pub name: String,
    /// Mail address, the first one.
    pub mail: Option<String>,
    /// Position in the organisation.
    pub title: Option<String>,
    /// Telephone number, the first one.
    pub phone: Option<String>,
    /// The language that they prefer, as in `de-AT` (RFC 2798 §2.7).
    pub locale: Option<String>,
    /// The time zone that they are in, as the directory writes it.
    pub time_zone: Option<String>,
    /// What they look like, where photos are asked for: not when somebody is found or signs in.
    pub photo: Option<Photo>,
    /// Names of the entries of their groups, where the server notes them with the person and there is no `group_filter`,
    /// by which groups themselves are read.
    pub groups: Vec<String>,
    /// Why the account may not be used, if so.
    pub disabled: Option<Disabled>,
    /// When time alone will disable an account that may be used today, without a word of the server, and by which rule.
    pub expires: Option<(OffsetDateTime, Disabled)>,
}

/// Everybody, and those who cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// No two with the same id, or with the same login.
    pub people: Vec<Person>,
    /// Entries that are there but cannot be used: their accounts are not gone.
    pub skipped: Vec<Skipped>,
    /// Parts of the tree that other servers hold; they were not visited.
    pub referrals: usize,
}

/// An entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub dn: String,
    /// Its key, where that at least is readable.
    pub id: Option<Uuid>,
    /// What is wrong with it.
    pub why: String,
}

impl Connector {
    /// The one person with this login, or nobody. `now` decides who has expired.
    ///
    /// Two entries with one login are [`Error::Malformed`]: neither can be told from the other.
    pub async fn find(&self, login: &str, now: OffsetDateTime) -> Result<Option<Person>, Error> {
        match self.look_up(login, now).await? {
            Match::One(person) => Ok(Some(*person)),
            Match::None => Ok(None),
            Match::Several(dn) => {
                let why = format!("another entry has the login {login:?} too");
                Err(Error::Malformed { dn, why })
            }
        }
    }

    /// Everybody that `user_filter` lets through. `now` decides who has expired.
    ///
    /// A list that the server did not finish is an error, never a short list.
    pub async fn people(&self, now: OffsetDateTime) -> Result<Listing, Error> {
        let (inner, judge) = (self.ready().await, self.judge());
        let amount = Amount::All { page: inner.settings.page() };
        let search = people_search(&inner.settings, &judge, inner.user_filter.clone(), amount);
        let found = inner.search(&search).await?;
        Ok(list(found, &inner.settings.attributes, &judge, now))
    }

    pub(crate) async fn look_up(&self, login: &str, now: OffsetDateTime) -> Result<Match, Error> {
        if login.is_empty() || login.len() > LONGEST_LOGIN {
            return Ok(Match::None);
        }
        let (inner, judge) = (self.ready().await, self.judge());
        let settings = &inner.settings;
        let is_theirs = Filter::equal(&settings.attributes.login, login);
        let filter = inner.user_filter.clone().and(is_theirs);
        // The second one shows that there are several. Photos are long, and nobody is known by them.
        let search = Search {
            attributes: known_by(settings, &judge),
            ..people_search(settings, &judge, filter, Amount::AtMost(2))
        };
        let mut found = inner.search(&search).await?;
        if let Some(dn) = found.unreadable.pop() {
            return Err(Error::Malformed { dn, why: "it is not readable".to_owned() });
        }
        let Some(entry) = found.entries.pop() else { return Ok(Match::None) };
        if !found.entries.is_empty() {
            return Ok(Match::Several(entry.dn));
        }
        match Person::read(&entry, &settings.attributes, &judge, now) {
            Ok(person) => Ok(Match::One(Box::new(person))),
            Err(why) => Err(Error::Malformed { dn: entry.dn, why }),
        }
    }
}

/// Who answers to a login.
pub(crate) enum Match {
    None,
    One(Box<Person>),
    Several(String),
}

const LONGEST_LOGIN: usize = 256;

/// Everything that a [`Person`] is read from.
pub(crate) fn people_attributes(settings: &Settings, judge: &Judge) -> Vec<String> {
    let mut attributes = known_by(settings, judge);
    attributes.extend(settings.attributes.photo.clone());
    attributes
}

/// The same but for the photo.
fn known_by(settings: &Settings, judge: &Judge) -> Vec<String> {
    let map = &settings.attributes;
    let mut attributes =
        [&map.login, &map.name, &map.mail, &map.title, &map.phone, &map.locale].map(String::clone).to_vec();
    attributes.extend(map.time_zone.clone());
    // Where groups are followed they say who is in them. OpenLDAP does not tell when it changes `memberOf`.
    if settings.group_filter.is_none() {
        attributes.push(map.groups.clone());
    }
    attributes.extend(id_attributes(map).map(str::to_owned));
    attributes.extend(disabled::ATTRIBUTES.map(str::to_owned));
    attributes.extend(judge.filter.iter().flat_map(Filter::attributes));
    attributes.sort_by_key(|attribute| attribute.to_ascii_lowercase());
    attributes.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    attributes
}

/// The people that pass `filter`, with everything that a [`Person`] is read from.
pub(crate) fn people_search(settings: &Settings, judge: &Judge, filter: Filter, amount: Amount) -> Search {
    Search {
        doing: "searching for people",
        base: settings.base.clone(),
        scope: Scope::Whole,
        filter,
        attributes: people_attributes(settings, judge),
        amount,
        controls: Vec::new(),
    }
}

/// Where the key may stand. 389 Directory Server always has `nsUniqueId` and may gain `entryUUID` later; in this order
/// such a change changes nobody's key.
pub(crate) fn id_attributes(map: &AttributeMap) -> impl Iterator<Item = &str> {
    let chosen = Some(map.id.as_str()).filter(|id| !id.eq_ignore_ascii_case(AUTO));
    let usual = if chosen.is_some() { &[][..] } else { &["nsUniqueId", "objectGUID", "entryUUID"] };
    usual.iter().copied().chain(chosen)
}

pub(crate) fn read_id(entry: &Entry, map: &AttributeMap) -> Result<Option<Uuid>, String> {
    for attribute in id_attributes(map) {
        if let Some(id) = entry.id(attribute)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

impl Person {
    pub(crate) fn read(
        entry: &Entry,
        map: &AttributeMap,
        judge: &Judge,
        now: OffsetDateTime,
    ) -> Result<Self, String> {
        if entry.dn.is_empty() {
            return Err("it has no name".to_owned());
        }
        let no_id = || format!("it has no {}", id_attributes(map).collect::<Vec<_>>().join(" or "));
        let id = read_id(entry, map)?.ok_or_else(no_id)?;
        let login = login(entry, map)?;
        let Verdict { disabled, expires } = Verdict::of(entry, judge, now)?;
        let name = entry.text(&map.name)?.unwrap_or_else(|| login.clone());
        // Nobody should be locked out for a badly written title.
        let said = |attribute: &str| entry.text(attribute).ok().flatten();
        Ok(Self {
            id,
            dn: entry.dn.clone(),
            name,
            mail: entry.text(&map.mail)?,
            title: said(&map.title),
            phone: said(&map.phone),
            locale: said(&map.locale),
            time_zone: map.time_zone.as_deref().and_then(said),
            photo: Photo::read(entry, map),
            groups: entry.texts(&map.groups),
            disabled,
            expires,
            login,
        })
    }
}

/// The login; of several, the one that the entry is named by, so that it does not change with the server's mood.
fn login(entry: &Entry, map: &AttributeMap) -> Result<String, String> {
    let chosen = if entry.values(&map.login).nth(1).is_some() {
        let mut logins = entry.texts(&map.login);
        logins.sort();
        let named = |login: &&String| {
            let start = format!("{}={login},", map.login).to_lowercase();
            entry.dn.to_lowercase().starts_with(&start)
        };
        logins.iter().find(named).or(logins.first()).map(|login| login.trim().to_owned())
    } else {
        entry.text(&map.login)?
    };
    let login = chosen.filter(|login| !login.is_empty()).ok_or_else(|| format!("it has no {}", map.login))?;
    if login.len() > LONGEST_LOGIN || login.chars().any(char::is_control) {
        return Err(format!("{} is too long or holds control characters", map.login));
    }
    Ok(login)
}

fn list(found: Found, map: &AttributeMap, judge: &Judge, now: OffsetDateTime) -> Listing {
    let mut listing = Listing { referrals: found.referrals, ..Listing::default() };
    for dn in found.unreadable {
        listing.skipped.push(Skipped { dn, id: None, why: "it is not readable".to_owned() });
    }
    let mut people = Vec::with_capacity(found.entries.len());
    for entry in found.entries {
        match Person::read(&entry, map, judge, now) {
            Ok(person) => people.push(person),
            Err(why) => {
                let id = read_id(&entry, map).ok().flatten();
                listing.skipped.push(Skipped { dn: entry.dn, id, why });
            }
        }
    }
    let mut ids = HashMap::new();
    let mut logins = HashMap::new();
    for person in &people {
        *ids.entry(person.id).or_insert(0) += 1;
        *logins.entry(person.login.to_lowercase()).or_insert(0) += 1;
    }
    // Which of two is meant cannot be known, and a guess could hand somebody's messages to somebody else.
    for person in people {
        let twice = if ids.get(&person.id).is_some_and(|count| *count > 1) {
            Some(format!("another entry has the id {} too", person.id))
        } else if logins.get(&person.login.to_lowercase()).is_some_and(|count| *count > 1) {
            Some(format!("another entry has the login {:?} too", person.login))
        } else {
            None
        };
        match twice {
            Some(why) => listing.skipped.push(Skipped { dn: person.dn, id: Some(person.id), why }),
            None => listing.people.push(person),
        }
    }
    listing
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn entry(uid: &str, id: &str) -> Entry {
        let dn = format!("uid={uid},ou=people");
        Entry::of(&dn, &[("uid", uid.as_bytes()), ("cn", b"Some Body"), ("entryUUID", id.as_bytes())])
    }

    #[test]
    fn entries_that_cannot_be_used_are_skipped_and_named() {
        let ids = ["1", "2", "3", "4"].map(|digit| format!("00000000-0000-4000-8000-00000000000{digit}"));
        let entries = vec![
            entry("alice", &ids[0]),
            Entry::of("cn=no login", &[("entryUUID", ids[1].as_bytes())]),
            Entry::of("cn=no id", &[("uid", b"x")]),
            Entry::of("cn=bad", &[("uid", b"\xff\xfe"), ("entryUUID", ids[1].as_bytes())]),
            entry("twin", &ids[2]),
            entry("Twin", &ids[3]),
            entry("one", &ids[1]),
            entry("other", &ids[1]),
        ];
        let found = Found { entries, unreadable: vec!["cn=broken".to_owned()], referrals: 1 };
        let listing = list(found, &AttributeMap::default(), &Judge::default(), NOW);
        assert_eq!(listing.people.iter().map(|p| p.login.as_str()).collect::<Vec<_>>(), ["alice"]);
        assert_eq!(listing.skipped.len(), 8);
        assert!(listing.skipped.iter().all(|skipped| !skipped.why.is_empty() && !skipped.dn.is_empty()));
        assert_eq!(listing.skipped[1].id.unwrap().to_string(), ids[1]);
    }

    #[test]
    fn of_several_logins_the_entrys_own_counts() {
        let mut attributes: Vec<(&str, &[u8])> = vec![("uid", b"a.adams"), ("uid", b"alice")];
        for dn in ["UID=Alice,ou=people", "cn=x"] {
            let expected = if dn == "cn=x" { "a.adams" } else { "alice" };
            assert_eq!(login(&Entry::of(dn, &attributes), &AttributeMap::default()).unwrap(), expected);
            attributes.reverse();
            assert_eq!(login(&Entry::of(dn, &attributes), &AttributeMap::default()).unwrap(), expected);
        }
    }
}
