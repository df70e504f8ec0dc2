//! The entries that are there without anybody: the root, the schema, the suffix, and the one above all people.

use std::sync::Arc;

use super::block::{Block, Common};
use super::card::Allowed;
use super::entry::{Draft, Entry};
use super::oid;
use super::schema::{self, Attribute};
use super::tree::{SUBSCHEMA, Tree};

/// One entry in a block of its own.
#[derive(Debug)]
pub(super) struct Single {
    entry: Entry,
    block: Block,
}

#[derive(Debug)]
pub(super) struct Fixed {
    /// What the server is (RFC 4512 §5.1).
    pub(super) root: Single,
    /// What its words mean (RFC 4512 §4.2).
    pub(super) subschema: Single,
    pub(super) suffix: Single,
    pub(super) people: Single,
}

impl Fixed {
    pub(super) fn new(tree: &Tree, allowed: Allowed) -> Self {
        Self {
            root: root(tree),
            subschema: subschema(allowed),
            suffix: suffix(tree),
            people: Single::new(
                tree.people(),
                &["top", "organizationalUnit"],
                vec![(Attribute::Ou, "people".to_owned())],
                above(tree),
            ),
        }
    }

    /// What all people's entries share.
    pub(super) fn common_of_people(tree: &Tree) -> Common {
        let above = above(tree).chain([(Attribute::Ou, "people".to_owned())]);
        Common::new(&classes(&["top", "person", "organizationalPerson", "inetOrgPerson"]), above)
    }
}

impl Single {
    fn new(
        dn: &str,
        names: &[&str],
        texts: Vec<(Attribute, String)>,
        above: impl IntoIterator<Item = (Attribute, String)>,
    ) -> Self {
        let draft = Draft { dn: dn.to_owned(), texts, binary: Vec::new() };
        let common = Arc::new(Common::new(&classes(names), above));
        Self { block: Block::new(std::slice::from_ref(&draft), common), entry: Entry::new(draft) }
    }

    pub(super) fn parts(&self) -> (&Entry, &Block) {
        (&self.entry, &self.block)
    }
}

fn classes(names: &[&str]) -> Vec<(Attribute, String)> {
    let classes = names.iter().map(|name| (Attribute::ObjectClass, (*name).to_owned()));
    classes.chain([(Attribute::SubschemaSubentry, SUBSCHEMA.to_owned())]).collect()
}

/// The parts of the suffix as values, for filters that look at names.
fn above(tree: &Tree) -> impl Iterator<Item = (Attribute, String)> {
    let parts = tree.parts().iter().filter_map(|part| part.only());
    parts.map(|(attribute, value)| (attribute, value.to_owned()))
}

fn root(tree: &Tree) -> Single {
    let mut texts = vec![(Attribute::NamingContexts, tree.suffix().to_owned())];
    let mut say = |attribute, values: &[&str]| {
        texts.extend(values.iter().map(|value| (attribute, (*value).to_owned())));
    };
    say(Attribute::SupportedControl, &[oid::PAGED_RESULTS, oid::MANAGE_DSA_IT]);
    say(Attribute::SupportedExtension, &[oid::WHO_AM_I]);
    say(Attribute::SupportedFeatures, &[oid::ALL_OPERATIONAL, oid::TRUE_FALSE_FILTERS]);
    say(Attribute::SupportedLdapVersion, &["3"]);
    say(Attribute::SupportedSaslMechanisms, &["EXTERNAL"]);
    say(Attribute::VendorName, &["Chancery"]);
    Single::new("", &["top"], texts, [])
}

fn subschema(allowed: Allowed) -> Single {
    let served = |attribute: &Attribute| allowed.has(*attribute);
    let attributes = Attribute::ALL.into_iter().filter(served);
    let attributes = attributes.map(|attribute| (Attribute::Types, attribute.description()));
    let classes = schema::classes(|attribute| allowed.has(attribute));
    let classes = classes.into_iter().map(|class| (Attribute::Classes, class));
    let cn = (Attribute::Cn, "subschema".to_owned());
    Single::new(
        SUBSCHEMA,
        &["top", "subschema"],
        [cn].into_iter().chain(classes).chain(attributes).collect(),
        [],
    )
}

fn suffix(tree: &Tree) -> Single {
    let own: Vec<_> = above(tree).take(1).collect();
    let class = match own.first() {
        Some((Attribute::O, _)) => "organization",
        Some((Attribute::Ou, _)) => "organizationalUnit",
        _ => "domain",
    };
    Single::new(tree.suffix(), &["top", class], own, above(tree).skip(1))
}
