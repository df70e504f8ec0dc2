//! Groups: entries that name their members.

use ldap3::Scope;
use uuid::Uuid;

use crate::connector::Connector;
use crate::diagnostic;
use crate::entry::Entry;
use crate::error::Error;
use crate::people::{Skipped, read_id};
use crate::search::{Amount, Search};
use crate::settings::AttributeMap;

/// One group. Groups within groups are members like others; nothing is resolved here.
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
        self.supervised("listing groups", |inner| async move {
            let settings = &inner.settings;
            let Some(filter) = settings.group_filter.clone() else { return Ok(GroupListing::default()) };
            let mut attributes = MEMBERS.map(str::to_owned).to_vec();
            attributes
                .extend(crate::people::id_attributes(&settings.attributes).iter().map(ToString::to_string));
            attributes.extend(["cn".to_owned(), "memberUid".to_owned()]);
            let search = Search {
                doing: "searching for groups",
                base: settings.base.clone(),
                scope: Scope::Subtree,
                filter,
                attributes,
                amount: Amount::All { page: settings.page_size },
            };
            let found = inner.search(&search).await?;
            let mut listing = GroupListing::default();
            for dn in found.unreadable {
                listing.skipped.push(Skipped { dn, id: None, why: "it is not readable".to_owned() });
            }
            for entry in found.entries {
                match Group::read(&entry, &settings.attributes) {
                    Ok(group) => listing.groups.push(group),
                    Err(why) => {
                        let id = read_id(&entry, &settings.attributes).ok().flatten();
                        listing.skipped.push(Skipped { dn: diagnostic::clean(&entry.dn), id, why });
                    }
                }
            }
            Ok(listing)
        })
        .await
    }
}

const MEMBERS: [&str; 2] = ["member", "uniqueMember"];

impl Group {
    fn read(entry: &Entry, map: &AttributeMap) -> Result<Self, String> {
        if let Some(attribute) = MEMBERS.iter().find(|attribute| entry.is_cut(attribute)) {
            return Err(format!(
                "the server sends only some of its values of {attribute}; read memberOf instead"
            ));
        }
        Ok(Self {
            id: read_id(entry, map)?.ok_or_else(|| "it has no id".to_owned())?,
            dn: entry.dn.clone(),
            name: entry.text("cn")?.ok_or_else(|| "it has no cn".to_owned())?,
            members: MEMBERS.iter().flat_map(|attribute| entry.texts(attribute)).collect(),
            member_logins: entry.texts("memberUid"),
        })
    }
}
