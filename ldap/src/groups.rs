//! Groups: entries that name their members.

use std::collections::HashSet;

use uuid::Uuid;

use crate::assertion::{Extensible, Filter};
use crate::connector::{Connector, Inner};
use crate::diagnostic;
use crate::entry::Entry;
use crate::error::Error;
use crate::link::Link;
use crate::people::{Person, Skipped, id_attributes, read_id};
use crate::request::Scope;
use crate::search::{Amount, Found, Search};
use crate::settings::{AttributeMap, Settings};

/// One group. Groups within groups are members like others; [`Nesting`](crate::Nesting) resolves them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The key that stays when the group is renamed.
    pub id: Uuid,
    /// Where the entry stands today.
    pub dn: String,
    /// Its `cn`.
    pub name: String,
    /// Names of the members' entries (`member`, `uniqueMember`).
    pub members: Vec<String>,
    /// Logins of the members, in groups of the RFC 2307 kind (`memberUid`).
    pub member_logins: Vec<String>,
}

/// Every group, and those that cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupListing {
    /// In the server's order.
    pub groups: Vec<Group>,
    /// Groups that are there but cannot be used: they are not empty.
    pub skipped: Vec<Skipped>,
}

impl Connector {
    /// Every group that `group_filter` lets through; none without a filter. A list that the server did not finish is an
    /// error.
    pub async fn groups(&self) -> Result<GroupListing, Error> {
        let inner = self.ready().await;
        let Some(filter) = inner.group_filter.clone() else { return Ok(GroupListing::default()) };
        let amount = Amount::All { page: inner.settings.page_size };
        let found = inner.search(&group_search(&inner.settings, filter, amount)).await?;
        inner.list_groups(found).await
    }

    /// Every group that a person is in, directly or by groups within groups, as the directory has it at this moment.
    ///
    /// Active Directory is asked once, by the rule for chains (MS-ADTS §3.1.1.3.4.4.3); it is asked of nobody else, since
    /// other servers answer it with success and nothing. Elsewhere we walk upwards, level by level, each group once.
    pub async fn groups_of(&self, person: &Person) -> Result<GroupListing, Error> {
        let inner = self.ready().await;
        let Some(filter) = &inner.group_filter else { return Ok(GroupListing::default()) };
        let root = inner.search(&Search::root_dse()).await?.entries.pop();
        if root.is_some_and(|root| root.has("supportedCapabilities", ACTIVE_DIRECTORY)) {
            return inner.groups_where(filter, in_chain(&person.dn)).await;
        }
        inner.walk_up(filter, &person.dn, &person.login).await
    }
}

impl Inner {
    async fn walk_up(&self, filter: &Filter, dn: &str, login: &str) -> Result<GroupListing, Error> {
        let mut listing = GroupListing::default();
        let mut seen = HashSet::new();
        let mut level = names_member(dn).to_vec();
        level.push(Filter::equal("memberUid", login));
        for _ in 0..DEEPEST {
            let mut above = Vec::new();
            for names in level.chunks(NAMES_IN_ONE_FILTER) {
                let found = self.groups_where(filter, Filter::Any(names.to_vec())).await?;
                listing.skipped.extend(found.skipped);
                for group in found.groups.into_iter().filter(|group| seen.insert(group.id)) {
                    above.extend(names_member(&group.dn));
                    listing.groups.push(group);
                }
            }
            if above.is_empty() {
                return Ok(listing);
            }
            level = above;
        }
        Ok(listing)
    }

    async fn groups_where(&self, filter: &Filter, and: Filter) -> Result<GroupListing, Error> {
        let filter = filter.clone().and(and);
        let amount = Amount::All { page: self.settings.page_size };
        let found = self.search(&group_search(&self.settings, filter, amount)).await?;
        self.list_groups(found).await
    }

    async fn list_groups(&self, found: Found) -> Result<GroupListing, Error> {
        let mut listing = GroupListing::default();
        for dn in found.unreadable {
            listing.skipped.push(Skipped { dn, id: None, why: "it is not readable".to_owned() });
        }
        for mut entry in found.entries {
            while let Some(search) = next_range(&entry) {
                add_range(&mut entry, self.search(&search).await?)?;
            }
            match Group::read(&entry, &self.settings.attributes) {
                Ok(group) => listing.groups.push(group),
                Err(why) => {
                    let id = read_id(&entry, &self.settings.attributes).ok().flatten();
                    listing.skipped.push(Skipped { dn: diagnostic::clean(&entry.dn), id, why });
                }
            }
        }
        Ok(listing)
    }
}

/// Somebody's groups may be in groups, and so on; more levels than this are a mistake.
pub(crate) const DEEPEST: usize = 32;
/// Each group is looked for under two attributes.
const NAMES_IN_ONE_FILTER: usize = 100;
/// The capability that only Active Directory and its like have (MS-ADTS §3.1.1.3.4.3.1).
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";
const MEMBERS: [&str; 2] = ["member", "uniqueMember"];

fn names_member(dn: &str) -> [Filter; 2] {
    MEMBERS.map(|attribute| Filter::equal(attribute, dn))
}

fn in_chain(dn: &str) -> Filter {
    let [member, _] = MEMBERS.map(str::to_owned);
    Filter::Extensible(Extensible {
        rule: Some(IN_CHAIN.to_owned()),
        attribute: Some(member),
        value: dn.into(),
        dn: false,
    })
}

/// Everything that a [`Group`] is read from.
pub(crate) fn group_attributes(settings: &Settings) -> Vec<String> {
    let mut attributes = MEMBERS.map(str::to_owned).to_vec();
    attributes.extend(id_attributes(&settings.attributes).map(str::to_owned));
    attributes.extend(["cn".to_owned(), "memberUid".to_owned()]);
    attributes
}

/// The groups that pass `filter`, with everything that a [`Group`] is read from.
pub(crate) fn group_search(settings: &Settings, filter: Filter, amount: Amount) -> Search {
    Search {
        doing: "searching for groups",
        base: settings.base.clone(),
        scope: Scope::Whole,
        filter,
        attributes: group_attributes(settings),
        amount,
        controls: Vec::new(),
    }
}

/// What asks for the values that Active Directory kept back (MS-ADTS §3.1.1.3.1.3.3).
fn next_range(entry: &Entry) -> Option<Search> {
    let (attribute, next) = entry.cut()?;
    Some(Search::entry("reading members", &entry.dn, &[&format!("{attribute};range={next}-*")]))
}

/// Adds them. A range without its values would never end.
fn add_range(entry: &mut Entry, found: Found) -> Result<(), Error> {
    let Some((attribute, next)) = entry.cut().map(|(attribute, next)| (attribute.to_owned(), next)) else {
        return Ok(());
    };
    let more = found.entries.into_iter().next().filter(|more| more.values(&attribute).next().is_some());
    let Some(more) = more.filter(|more| more.cut().is_none_or(|(_, after)| after > next)) else {
        let why = format!("its values of {attribute} end at {next} and should not");
        return Err(Error::Malformed { dn: entry.dn.clone(), why });
    };
    entry.extend(&attribute, &more);
    Ok(())
}

impl Group {
    /// Reads on, on this connection, until every member is there.
    pub(crate) async fn complete(entry: &mut Entry, link: &Link) -> Result<(), Error> {
        while let Some(search) = next_range(entry) {
            add_range(entry, search.run(link).await?)?;
        }
        Ok(())
    }

    pub(crate) fn read(entry: &Entry, map: &AttributeMap) -> Result<Self, String> {
        Ok(Self {
            id: read_id(entry, map)?.ok_or_else(|| "it has no id".to_owned())?,
            dn: entry.dn.clone(),
            name: entry.text("cn")?.ok_or_else(|| "it has no cn".to_owned())?,
            members: MEMBERS.iter().flat_map(|attribute| entry.texts(attribute)).collect(),
            member_logins: entry.texts("memberUid"),
        })
    }
}
