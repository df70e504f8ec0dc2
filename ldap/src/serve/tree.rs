//! The tree: the suffix, `ou=people` below it, and one entry below that for each person.

use super::name::{self, Name, Part};
use super::schema::Attribute;

/// Where the directory stands among all directories.
#[derive(Clone, Debug)]
pub struct Tree {
    suffix: String,
    people: String,
    name: Name,
}

/// What a name names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Root,
    Subschema,
    Suffix,
    People,
    /// The uid of whoever would have that name.
    Person(&'a str),
    /// Nothing; the nearest entry above it is this one, if there is any (matchedDN, RFC 4511 §4.1.9).
    Nowhere(&'a str),
}

/// The name of the entry that holds the schema.
pub(super) const SUBSCHEMA: &str = "cn=subschema";

impl Tree {
    /// Reads a suffix such as `dc=corp,dc=example`. Its first part is `dc`, `o` or `ou`; the error says what is wrong.
    pub fn new(suffix: &str) -> Result<Self, String> {
        let name = Name::parse(suffix).filter(|name| !name.0.is_empty());
        let name = name.ok_or_else(|| {
            format!("\"{suffix}\" is not a name (RFC 4514); write one such as \"dc=corp,dc=example\"")
        })?;
        match name.0[0].only() {
            Some((Attribute::Dc | Attribute::O | Attribute::Ou, value)) if !value.trim().is_empty() => {}
            _ => return Err(format!("\"{suffix}\" begins with something other than dc, o or ou")),
        }
        let suffix = suffix.trim().to_owned();
        Ok(Self { people: format!("ou=people,{suffix}"), suffix, name })
    }

    /// The name of the whole tree, as it was given.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// The name of the entry above all people.
    pub fn people(&self) -> &str {
        &self.people
    }

    /// The name of a person's entry.
    pub fn person(&self, uid: &str) -> String {
        format!("uid={},{}", name::escape(uid), self.people)
    }

    /// The parts of the suffix, from the first one up.
    pub(super) fn parts(&self) -> &[Part] {
        &self.name.0
    }

    pub(super) fn place<'a>(&'a self, name: &'a Name) -> Place<'a> {
        if name.0.is_empty() {
            return Place::Root;
        }
        let one = |part: &Part, attribute, value: &str| {
            *part == Part(vec![(name::Kind::Known(attribute), value.to_owned())])
        };
        let Some(below) = name.0.strip_suffix(self.parts()) else {
            return match name.0.as_slice() {
                [part] if one(part, Attribute::Cn, "subschema") => Place::Subschema,
                _ => Place::Nowhere(""),
            };
        };
        let Some((first, below)) = below.split_last() else { return Place::Suffix };
        if !one(first, Attribute::Ou, "people") {
            return Place::Nowhere(&self.suffix);
        }
        match below {
            [] => Place::People,
            [part] => match part.only() {
                Some((Attribute::Uid, uid)) => Place::Person(uid),
                _ => Place::Nowhere(&self.people),
            },
            _ => Place::Nowhere(&self.people),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_place() {
        let tree = Tree::new("dc=corp,dc=example").unwrap();
        let check = |text: &str, place: Place<'_>| {
            assert_eq!(tree.place(&Name::parse(text).unwrap()), place, "{text}");
        };
        check("", Place::Root);
        check("CN=Subschema", Place::Subschema);
        check("DC=Corp,DC=Example", Place::Suffix);
        check("ou=People, dc=corp, dc=example", Place::People);
        check("uid=Alice,ou=people,dc=corp,dc=example", Place::Person("Alice"));
        check("cn=Alice,ou=people,dc=corp,dc=example", Place::Nowhere("ou=people,dc=corp,dc=example"));
        check("uid=a+cn=b,ou=people,dc=corp,dc=example", Place::Nowhere("ou=people,dc=corp,dc=example"));
        check("x=1,uid=a,ou=people,dc=corp,dc=example", Place::Nowhere("ou=people,dc=corp,dc=example"));
        check("ou=groups,dc=corp,dc=example", Place::Nowhere("dc=corp,dc=example"));
        check("dc=example", Place::Nowhere(""));
        check("dc=other,dc=example", Place::Nowhere(""));
    }

    #[test]
    fn a_suffix_that_no_entry_can_have_is_refused() {
        assert!(Tree::new("o=Corp, c=DE").is_ok());
        for wrong in ["", "corp", "cn=corp", "c=DE", "dc=a+o=b,dc=example"] {
            assert!(Tree::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_uid_of_any_characters_names_its_own_entry() {
        let tree = Tree::new("dc=corp,dc=example").unwrap();
        for uid in ["alice", "a,b", "a=b+c", " a ", "#1", "ä\"\\", "*"] {
            let name = Name::parse(&tree.person(uid)).unwrap();
            assert_eq!(tree.place(&name), Place::Person(uid));
        }
    }
}
