//! Matching rules: values as they are kept for comparison, and what they are compared with (RFC 4517).

use uuid::Uuid;

use super::name::Name;
use super::schema::{self, Attribute, Rule};
use crate::assertion::Pieces;
use crate::folding;
use crate::matching;

impl Rule {
    /// A value as it is compared; nothing where the rule has no such value, or where there is no rule.
    pub(super) fn prepare(self, value: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(value).ok()?;
        Some(match self {
            Self::Text => folding::value(text).into_bytes(),
            Self::Telephone => digits(folding::value(text).into_bytes()),
            Self::Identifier => identifier(text).into_bytes(),
            Self::Uuid => Uuid::try_parse(text).ok()?.to_string().into_bytes(),
            Self::Name => Name::parse(text)?.folded().into_bytes(),
            Self::Number => text.parse::<i64>().ok()?.to_string().into_bytes(),
            Self::None => return None,
        })
    }

    /// Pieces of a value; nothing where the rule knows only whole ones.
    pub(super) fn prepare_pieces(self, pieces: &Pieces) -> Option<Pieces> {
        let folded = matching::folded_pieces(pieces)?;
        match self {
            Self::Text => Some(folded),
            Self::Telephone => Some(Pieces {
                start: folded.start.map(digits),
                within: folded.within.into_iter().map(digits).collect(),
                end: folded.end.map(digits),
            }),
            _ => None,
        }
    }

    /// Whether values have an order. The standard gives names of people none; whoever asks for those from M to P
    /// means the order of caseIgnoreOrderingMatch.
    pub(super) fn has_order(self) -> bool {
        matches!(self, Self::Text | Self::Uuid)
    }

    /// Whether a rule that a filter names is the one by which these values are compared.
    pub(super) fn is_called(self, rule: &str) -> bool {
        let names: &[&str] = match self {
            Self::Text => {
                &["caseIgnoreMatch", "2.5.13.2", "caseIgnoreIA5Match", "1.3.6.1.4.1.1466.109.114.2"]
            }
            Self::Telephone => &["telephoneNumberMatch", "2.5.13.20"],
            Self::Identifier => &["objectIdentifierMatch", "2.5.13.0"],
            Self::Uuid => &["uuidMatch", "1.3.6.1.1.16.2"],
            Self::Name => &["distinguishedNameMatch", "2.5.13.1"],
            Self::Number => &["integerMatch", "2.5.13.14"],
            Self::None => &[],
        };
        names.iter().any(|name| name.eq_ignore_ascii_case(rule))
    }
}

/// A telephone number without spaces and hyphens (RFC 4518 §2.6.3).
fn digits(mut folded: Vec<u8>) -> Vec<u8> {
    folded.retain(|byte| !matches!(byte, b' ' | b'-'));
    folded
}

fn identifier(text: &str) -> String {
    let text = text.trim();
    let attribute = || Attribute::named(text).map(|attribute| attribute.definition().names[0]);
    schema::class(text).or_else(attribute).unwrap_or(text).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_value_has_its_own_idea_of_the_same() {
        let same = |rule: Rule, one: &str, other: &str| {
            rule.prepare(one.as_bytes()).is_some()
                && rule.prepare(one.as_bytes()) == rule.prepare(other.as_bytes())
        };
        assert!(same(Rule::Text, "Alice  Smith", "alice smith"));
        assert!(same(Rule::Telephone, "+49 30 123-45", "+493012345"));
        assert!(same(Rule::Identifier, "2.5.6.6", "PERSON"));
        assert!(same(
            Rule::Uuid,
            "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
        ));
        assert!(same(Rule::Name, "DC=Corp, dc=example", "dc=corp,dc=example"));
        assert!(same(Rule::Number, "3", "03"));
        assert_eq!(Rule::Uuid.prepare(b"alice"), None);
        assert_eq!(Rule::Text.prepare(b"\xff"), None);
        assert_eq!(Rule::None.prepare(b"a"), None);
    }
}
