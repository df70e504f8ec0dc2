//! The schema: which attributes and classes a server knows (RFC 4512 §4.2), and what was meant by a name that it does not.

use std::collections::HashSet;

use crate::assertion::Filter;
use crate::entry::Entry;
use crate::link::Link;
use crate::search::Search;
use crate::settings::{AttributeMap, Settings};

/// The names of what it knows, as it writes them.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    attributes: Vec<String>,
    classes: Vec<String>,
}

impl Schema {
    /// What a server says of itself; nothing where it does not show it.
    pub(crate) async fn at(root: &Entry, link: &Link) -> Option<Self> {
        let dn = root.text("subschemaSubentry").ok().flatten()?;
        let search = Search::entry("reading the schema", &dn, &["attributeTypes", "objectClasses"]);
        let entry = search.run(link).await.ok()?.entries.pop()?;
        let names = |attribute| entry.texts(attribute).iter().flat_map(|text| names(text)).collect();
        let schema = Self { attributes: names("attributeTypes"), classes: names("objectClasses") };
        (!schema.attributes.is_empty() && !schema.classes.is_empty()).then_some(schema)
    }

    /// What the settings name and the server does not know: where it stands, and what was meant. What is so by default may
    /// be unknown.
    pub(crate) fn unknown(&self, settings: &Settings, filters: &[(&str, &str, &Filter)]) -> Vec<String> {
        let mut all = Vec::new();
        for (key, text, filter) in filters {
            let attributes = filter.attributes();
            let attributes = attributes.iter().filter_map(|name| self.no_attribute(name));
            let classes = classes(filter);
            let classes = classes.iter().filter_map(|name| self.no_class(name));
            let found: HashSet<_> = attributes.chain(classes).collect();
            all.extend(found.into_iter().map(|unknown| match place(text, unknown.name) {
                Some(place) => format!("{key}, character {place}: {}", unknown.what()),
                None => format!("{key}: {}", unknown.what()),
            }));
        }
        let usual = AttributeMap::default();
        let usual: HashSet<_> = usual.keys().collect();
        let chosen = settings.attributes.keys().filter(|key| !usual.contains(key));
        let unknown = chosen.filter_map(|(key, name)| Some((key, self.no_attribute(name)?)));
        all.extend(unknown.map(|(key, unknown)| format!("{key}: {}", unknown.what())));
        all.sort();
        all
    }

    /// Of these attributes those that there are.
    pub(crate) fn known(&self, attributes: &[String]) -> Vec<String> {
        attributes.iter().filter(|name| is_known(&self.attributes, base(name))).cloned().collect()
    }

    fn no_attribute<'a>(&'a self, name: &'a str) -> Option<Unknown<'a>> {
        Unknown::among(&self.attributes, "attribute", base(name))
    }

    fn no_class<'a>(&'a self, name: &'a str) -> Option<Unknown<'a>> {
        Unknown::among(&self.classes, "class", name)
    }
}

/// A name that is none of the server's.
#[derive(PartialEq, Eq, Hash)]
struct Unknown<'a> {
    kind: &'static str,
    name: &'a str,
    meant: Option<&'a str>,
}

impl<'a> Unknown<'a> {
    fn among(known: &'a [String], kind: &'static str, name: &'a str) -> Option<Self> {
        (!is_known(known, name)).then(|| Self { kind, name, meant: nearest(known, name) })
    }

    fn what(&self) -> String {
        let Self { kind, name, meant } = self;
        match meant {
            Some(meant) => format!("the server knows no {kind} \"{name}\"; did you mean \"{meant}\"?"),
            None => format!("the server knows no {kind} \"{name}\", and none that is written much like it"),
        }
    }
}

/// An object identifier names things that need no other name.
fn is_known(known: &[String], name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_digit())
        || known.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// The name of an attribute without its options.
fn base(name: &str) -> &str {
    name.split(';').next().unwrap_or(name)
}

/// The name that is the fewest slips away, if they are not more than a third of it.
fn nearest<'a>(known: &'a [String], name: &str) -> Option<&'a str> {
    let slips = |one: &str| strsim::osa_distance(&one.to_lowercase(), &name.to_lowercase());
    let all = known.iter().map(|one| (slips(one), one.as_str()));
    all.filter(|(slips, _)| *slips <= name.len().div_ceil(3)).min().map(|(_, one)| one)
}

/// The names in a description, as in `( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )` (RFC 4512 §4.1).
fn names(description: &str) -> impl Iterator<Item = String> {
    let after = description.split_once("NAME").map_or("", |(_, after)| after.trim_start());
    let list = match after.strip_prefix('(') {
        Some(several) => several.split(')').next().unwrap_or_default(),
        None => after.split_inclusive('\'').nth(1).unwrap_or_default(),
    };
    list.split('\'').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The classes that a filter asks for.
fn classes(filter: &Filter) -> Vec<String> {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().flat_map(classes).collect(),
        Filter::Not(part) => classes(part),
        Filter::Equal(attribute, value) if attribute.eq_ignore_ascii_case("objectClass") => {
            vec![String::from_utf8_lossy(value).into_owned()]
        }
        _ => Vec::new(),
    }
}

/// At which character of a filter a name stands, as a whole word.
fn place(text: &str, name: &str) -> Option<usize> {
    let is_part =
        |character: Option<char>| character.is_some_and(|one| one.is_alphanumeric() || "-_".contains(one));
    let whole = |(at, found): &(usize, &str)| {
        !is_part(text[..*at].chars().last()) && !is_part(text[at + found.len()..].chars().next())
    };
    text.match_indices(name).find(whole).map(|(at, _)| text[..at].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter;

    #[test]
    fn names_are_read_from_every_form_of_description() {
        let read = |text: &str| names(text).collect::<Vec<_>>();
        assert_eq!(read("( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'it' SUP name )"), ["cn", "commonName"]);
        assert_eq!(read("( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) )"), ["person"]);
        assert!(read("( 1.2.3 DESC 'nameless' )").is_empty() && read("NAME").is_empty());
    }

    fn unknown(user_filter: &str, attributes: AttributeMap) -> Vec<String> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let schema = Schema {
            attributes: own(&["objectClass", "cn", "uid", "mail", "telephoneNumber"]),
            classes: own(&["person", "inetOrgPerson", "organizationalPerson"]),
        };
        let filter = filter::parse(user_filter).unwrap();
        let settings = Settings { attributes, ..Settings::default() };
        schema.unknown(&settings, &[("user_filter", user_filter, &filter)])
    }

    #[test]
    fn what_may_be_asked_for_is_what_is_known_whatever_its_case_and_options() {
        let schema = Schema { attributes: vec!["userCertificate".to_owned()], classes: Vec::new() };
        let asked = ["usercertificate;binary", "userAccountControl", "2.5.4.3"].map(str::to_owned);
        assert_eq!(schema.known(&asked), ["usercertificate;binary", "2.5.4.3"]);
    }

    #[test]
    fn a_slip_is_shown_with_its_place_and_what_was_meant() {
        let usual = AttributeMap::default;
        assert_eq!(unknown("(&(objectclass=inetOrgPerson)(!(UID=x))(2.5.4.3=y))", usual()), [""; 0]);
        assert_eq!(
            unknown("(&(objectClass=inetOrgPersn)(usd=1)(salary>=9))", usual()),
            [
                "user_filter, character 16: the server knows no class \"inetOrgPersn\"; did you mean \"inetOrgPerson\"?",
                "user_filter, character 30: the server knows no attribute \"usd\"; did you mean \"uid\"?",
                "user_filter, character 37: the server knows no attribute \"salary\", and none that is written much like it",
            ]
        );
        let map = AttributeMap { phone: "telefonNumber".to_owned(), ..usual() };
        let phone = "attributes.phone: the server knows no attribute \"telefonNumber\"; did you mean \"telephoneNumber\"?";
        assert_eq!(
            unknown("(uid=*)", map),
            [phone],
            "preferredLanguage, which is unknown too, is only the default"
        );
    }
}
