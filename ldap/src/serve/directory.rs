//! A snapshot of everybody, made once and searched by many.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use super::block::{self, Block, Common};
use super::card::{Allowed, Card};
use super::entry::{Draft, Entry};
use super::fixed::Fixed;
use super::schema::Attribute;
use super::test::{How, Item, Test};
use super::tree::Tree;
use crate::folding;

/// Everybody as of one moment. Clones share it; whoever searches keeps the one they began with.
#[derive(Clone, Debug)]
pub struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tree: Tree,
    allowed: Allowed,
    fixed: Fixed,
    omitted: Vec<String>,
    entries: Vec<Entry>,
    blocks: Vec<Block>,
    /// Folded, in order: the place of a uid is the place of its entry.
    uids: Vec<Box<str>>,
    mail: Index,
}

impl Directory {
    /// Prepares every card. Cards without a uid, or with one that came before, are left out and told.
    pub fn new(tree: &Tree, allowed: Allowed, cards: impl IntoIterator<Item = Card>) -> Self {
        let mut cards: Vec<_> = cards.into_iter().map(|card| (folding::value(&card.uid), card)).collect();
        cards.sort_by(|one, other| one.0.cmp(&other.0));
        let common = Arc::new(Fixed::common_of_people(tree));
        let mut inner = Inner {
            tree: tree.clone(),
            allowed,
            fixed: Fixed::new(tree, allowed),
            omitted: Vec::new(),
            entries: Vec::with_capacity(cards.len()),
            blocks: Vec::with_capacity(cards.len() / block::SIZE + 1),
            uids: Vec::with_capacity(cards.len()),
            mail: Index::default(),
        };
        let mut drafts = Vec::with_capacity(block::SIZE);
        for (folded, card) in cards {
            let uid = card.uid.clone();
            let again = inner.uids.last().is_some_and(|last| **last == *folded);
            match card.draft(tree, allowed).filter(|_| !again) {
                Some(draft) => {
                    inner.mail.add(inner.uids.len(), &draft);
                    inner.uids.push(folded.into());
                    drafts.push(draft);
                }
                None => inner.omitted.push(uid),
            }
            if drafts.len() == block::SIZE {
                inner.add(&mut drafts, &common);
            }
        }
        inner.add(&mut drafts, &common);
        inner.mail.sort();
        Self(Arc::new(inner))
    }

    /// How many people it has.
    pub fn people(&self) -> usize {
        self.0.entries.len()
    }

    /// The uids of cards that were left out.
    pub fn omitted(&self) -> &[String] {
        &self.0.omitted
    }

    /// Where it stands.
    pub fn tree(&self) -> &Tree {
        &self.0.tree
    }

    pub(super) fn fixed(&self) -> &Fixed {
        &self.0.fixed
    }

    pub(super) fn entry(&self, place: usize) -> Option<&Entry> {
        self.0.entries.get(place)
    }

    pub(super) fn block(&self, number: usize) -> Option<&Block> {
        self.0.blocks.get(number)
    }

    pub(super) fn serves(&self, attribute: Attribute) -> bool {
        self.0.allowed.has(attribute)
    }

    pub(super) fn find(&self, uid: &str) -> Option<usize> {
        let folded = folding::value(uid);
        self.0.uids.binary_search_by(|known| (**known).cmp(&folded)).ok()
    }

    /// The folded uid of an entry, and the place of the first entry that comes after such a one.
    pub(super) fn folded_uid(&self, place: usize) -> Option<&str> {
        self.0.uids.get(place).map(AsRef::as_ref)
    }

    pub(super) fn after(&self, folded: &str) -> usize {
        self.0.uids.partition_point(|known| **known <= *folded)
    }

    /// The places of all who could pass, in order, where an index knows them. Some of them may not pass.
    pub(super) fn candidates(&self, test: &Test) -> Option<Vec<usize>> {
        match test {
            Test::Constant(false) => Some(Vec::new()),
            Test::Item(Item { attribute: Attribute::Uid, dn: false, how: How::Equal(value, _) }) => {
                let place = self.0.uids.binary_search_by(|known| known.as_bytes().cmp(value));
                Some(place.into_iter().collect())
            }
            Test::Item(Item { attribute: Attribute::Mail, dn: false, how: How::Equal(value, _) }) => {
                few(self.0.mail.find(value))
            }
            Test::All(parts) => parts.iter().filter_map(|part| self.candidates(part)).min_by_key(Vec::len),
            Test::Any(parts) => {
                let mut places = Vec::new();
                for part in parts {
                    places.extend(self.candidates(part)?);
                    places = few(places)?;
                }
                places.sort_unstable();
                places.dedup();
                Some(places)
            }
            _ => None,
        }
    }
}

impl Inner {
    fn add(&mut self, drafts: &mut Vec<Draft>, common: &Arc<Common>) {
        if !drafts.is_empty() {
            self.blocks.push(Block::new(drafts, Arc::clone(common)));
            self.entries.extend(drafts.drain(..).map(Entry::new));
        }
    }
}

/// So many that going through everybody costs no more are none.
fn few(places: Vec<usize>) -> Option<Vec<usize>> {
    (places.len() <= block::SIZE).then_some(places)
}

/// Who has a mail address: by its hash, so that it costs sixteen bytes and no address is kept twice.
#[derive(Debug, Default)]
struct Index(Vec<(u64, u32)>);

impl Index {
    fn add(&mut self, place: usize, draft: &Draft) {
        let Ok(place) = u32::try_from(place) else { return };
        let mail = draft.texts.iter().filter(|(attribute, _)| *attribute == Attribute::Mail);
        let prepared =
            mail.filter_map(|(attribute, value)| attribute.definition().rule.prepare(value.as_bytes()));
        self.0.extend(prepared.map(|value| (hash(&value), place)));
    }

    fn sort(&mut self) {
        self.0.sort_unstable();
        self.0.shrink_to_fit();
    }

    fn find(&self, prepared: &[u8]) -> Vec<usize> {
        let wanted = hash(prepared);
        let start = self.0.partition_point(|(hash, _)| *hash < wanted);
        let found = self.0[start..].iter().take_while(|(hash, _)| *hash == wanted);
        let mut places: Vec<_> = found.map(|(_, place)| *place as usize).collect();
        places.dedup();
        places
    }
}

fn hash(value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
