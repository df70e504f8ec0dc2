//! One entry of the directory, whoever's it is: by its name, with what is needed to judge and to send it.

use super::answer::{Code, Outcome};
use super::block::{self, Block};
use super::directory::Directory;
use super::entry::Entry;
use super::name::Name;
use super::test::Test;
use super::tree::Place;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Root,
    Subschema,
    Suffix,
    People,
    /// The place of a person.
    Person(usize),
}

impl Target {
    /// Finds what a name names. To whoever has not signed in, only the root and the schema are shown.
    pub(super) fn find(directory: &Directory, dn: &str, signed_in: bool) -> Result<Self, Outcome> {
        let name =
            Name::parse(dn).ok_or(Outcome::new(Code::InvalidDnSyntax, "this is not a name (RFC 4514)"))?;
        let place = directory.tree().place(&name);
        if !signed_in && !matches!(place, Place::Root | Place::Subschema) {
            return Err(Outcome::new(Code::InsufficientAccessRights, "sign in first"));
        }
        let nothing = |matched: &str| Outcome {
            matched: matched.to_owned(),
            ..Outcome::new(Code::NoSuchObject, "there is no such entry")
        };
        Ok(match place {
            Place::Root => Self::Root,
            Place::Subschema => Self::Subschema,
            Place::Suffix => Self::Suffix,
            Place::People => Self::People,
            Place::Person(uid) => {
                Self::Person(directory.find(uid).ok_or_else(|| nothing(directory.tree().people()))?)
            }
            Place::Nowhere(matched) => return Err(nothing(matched)),
        })
    }

    pub(super) fn entry(self, directory: &Directory) -> Option<(&Entry, &Block)> {
        match self {
            Self::Root => Some(directory.fixed().root.parts()),
            Self::Subschema => Some(directory.fixed().subschema.parts()),
            Self::Suffix => Some(directory.fixed().suffix.parts()),
            Self::People => Some(directory.fixed().people.parts()),
            Self::Person(place) => Some((directory.entry(place)?, directory.block(place / block::SIZE)?)),
        }
    }

    /// Whether it passes.
    pub(super) fn passes(self, directory: &Directory, test: &Test) -> bool {
        let bit = if let Self::Person(place) = self { place % block::SIZE } else { 0 };
        self.entry(directory).is_some_and(|(_, block)| block.judge(test)[bit / 64] >> (bit % 64) & 1 == 1)
    }
}
