//! Matching: whether an entry in our hands passes a filter, judged by ourselves.
//!
//! Servers know the schema and we do not, so values are compared as most attributes of people are: whatever their case,
//! and as numbers where both sides are numbers. What cannot be judged in that way is refused when the filter is read.

use ldap3::asn1::{ASNTag as _, PL, StructureTag};
use ldap3::parse_filter;

use crate::entry::Entry;
use crate::filter;

/// A filter of RFC 4515, read.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Equal(String, Vec<u8>),
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    Present(String),
    /// The pieces between the asterisks; the first and the last may be empty.
    Like(String, Vec<Vec<u8>>),
    /// All of these bits, or one of them (MS-ADTS §3.1.1.3.4.4).
    Bits {
        attribute: String,
        bits: i64,
        all: bool,
    },
}

impl Filter {
    /// Reads a filter; the error says what of it cannot be judged here.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        filter::check(text)?;
        let tag = parse_filter(text).map_err(|()| format!("\"{text}\" is not a filter (RFC 4515)"))?;
        Self::read(tag.into_structure())
            .ok_or_else(|| format!("\"{text}\" uses a rule that only a server can judge; of those with a number, 1.2.840.113556.1.4.803 and .804 are known here"))
    }

    /// Reads what RFC 4511 §4.5.1.7 calls Filter.
    fn read(tag: StructureTag) -> Option<Self> {
        let id = tag.id;
        if id == 7 {
            return Some(Self::Present(text(tag)?));
        }
        let mut parts = tag.expect_constructed()?.into_iter();
        if let 0..=2 = id {
            let mut parts = parts.map(Self::read).collect::<Option<Vec<_>>>()?;
            return match id {
                0 => Some(Self::All(parts)),
                1 => Some(Self::Any(parts)),
                _ => Some(Self::Not(Box::new(parts.pop()?))),
            };
        }
        if id == 9 {
            return Self::extensible(parts.collect());
        }
        let attribute = text(parts.next()?)?;
        let value = parts.next()?;
        Some(match id {
            // The server's idea of "about" is its own; ours is equality.
            3 | 8 => Self::Equal(attribute, value.expect_primitive()?),
            4 => Self::Like(attribute, pieces(value.expect_constructed()?)?),
            5 => Self::AtLeast(attribute, value.expect_primitive()?),
            6 => Self::AtMost(attribute, value.expect_primitive()?),
            _ => return None,
        })
    }

    fn extensible(parts: Vec<StructureTag>) -> Option<Self> {
        let part = |id| {
            let found = parts.iter().find(|part| part.id == id);
            found.cloned().and_then(text)
        };
        let all = match part(1)?.as_str() {
            "1.2.840.113556.1.4.803" => true,
            "1.2.840.113556.1.4.804" => false,
            _ => return None,
        };
        Some(Self::Bits { attribute: part(2)?, bits: part(3)?.parse().ok()?, all })
    }

    /// Whether the entry passes. An attribute that it lacks matches nothing.
    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        let any = |attribute: &str, judge: &dyn Fn(&[u8]) -> bool| {
            entry.values(attribute).iter().any(|value| judge(value))
        };
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(entry)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(entry)),
            Self::Not(part) => !part.matches(entry),
            Self::Present(attribute) => !entry.values(attribute).is_empty(),
            Self::Equal(attribute, wanted) => any(attribute, &|value| compare(value, wanted).is_eq()),
            Self::AtLeast(attribute, least) => any(attribute, &|value| compare(value, least).is_ge()),
            Self::AtMost(attribute, most) => any(attribute, &|value| compare(value, most).is_le()),
            Self::Like(attribute, pieces) => any(attribute, &|value| is_like(&folded(value), pieces)),
            Self::Bits { attribute, bits, all } => any(attribute, &|value| {
                number(value)
                    .is_some_and(|value| if *all { value & bits == *bits } else { value & bits != 0 })
            }),
        }
    }

    /// Every attribute that it looks at.
    pub(crate) fn attributes(&self) -> Vec<String> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::attributes).collect(),
            Self::Not(part) => part.attributes(),
            Self::Equal(attribute, _)
            | Self::AtLeast(attribute, _)
            | Self::AtMost(attribute, _)
            | Self::Present(attribute)
            | Self::Like(attribute, _)
            | Self::Bits { attribute, .. } => vec![attribute.clone()],
        }
    }
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(tag.expect_primitive()?).ok()
}

/// `initial`, `any`, `final` (RFC 4511 §4.5.1.7.2) as the pieces between asterisks, folded.
fn pieces(tags: Vec<StructureTag>) -> Option<Vec<Vec<u8>>> {
    let mut pieces = Vec::new();
    let last = tags.len().checked_sub(1)?;
    for (place, tag) in tags.into_iter().enumerate() {
        let (id, PL::P(bytes)) = (tag.id, tag.payload) else { return None };
        if place == 0 && id != 0 {
            pieces.push(Vec::new());
        }
        pieces.push(folded(&bytes));
        if place == last && id != 2 {
            pieces.push(Vec::new());
        }
    }
    Some(pieces)
}

fn is_like(value: &[u8], pieces: &[Vec<u8>]) -> bool {
    let [first, middle @ .., last] = pieces else { return false };
    let Some(mut rest) = value.strip_prefix(first.as_slice()) else { return false };
    for piece in middle.iter().filter(|piece| !piece.is_empty()) {
        let Some(at) = rest.windows(piece.len()).position(|window| window == piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

fn compare(one: &[u8], other: &[u8]) -> std::cmp::Ordering {
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => folded(one).cmp(&folded(other)),
    }
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn folded(value: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(value) {
        Ok(text) => text.trim().to_lowercase().into_bytes(),
        Err(_) => value.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, expected: bool) {
        let entry = Entry::of(
            "uid=alice",
            &[
                ("uid", b"Alice"),
                ("employeeType", b"Contractor"),
                ("employeeType", b"on leave"),
                ("userAccountControl", b"514"),
                ("photo", b"\xff\xfe"),
                ("note", b"a*b(c)"),
            ],
        );
        assert_eq!(Filter::parse(filter).unwrap().matches(&entry), expected, "{filter}");
    }

    #[test]
    fn an_entry_is_judged_as_a_server_would() {
        check("(uid=alice)", true);
        check("(uid=bob)", false);
        check("(employeeType=ON LEAVE)", true);
        check("(!(employeeType=on leave))", false);
        check("(&(uid=alice)(employeeType=contractor))", true);
        check("(&(uid=alice)(employeeType=staff))", false);
        check("(|(uid=bob)(photo=*))", true);
        check("(!(mail=*))", true);
        check("(userAccountControl>=600)", false);
        check("(userAccountControl<=514)", true);
        check("(userAccountControl:1.2.840.113556.1.4.803:=2)", true);
        check("(userAccountControl:1.2.840.113556.1.4.803:=3)", false);
        check("(userAccountControl:1.2.840.113556.1.4.804:=3)", true);
        check("(note=a\\2ab\\28c\\29)", true);
        check("(&)", true);
        check("(|)", false);
    }

    #[test]
    fn asterisks_stand_for_anything_between() {
        check("(uid=al*)", true);
        check("(uid=*ice)", true);
        check("(uid=a*i*e)", true);
        check("(uid=*l*c*)", true);
        check("(uid=al*lice)", false);
        check("(employeeType=*leave*)", true);
        check("(uid=*z*)", false);
    }

    #[test]
    fn what_only_a_server_can_judge_is_refused() {
        let chain = Filter::parse("(memberOf:1.2.840.113556.1.4.1941:=cn=ops)").unwrap_err();
        assert!(chain.contains("only a server"), "{chain}");
        assert!(Filter::parse("(uid=a").unwrap_err().contains("never closed"));
        let filter = Filter::parse("(|(a=1)(!(&(b=*)(c=x*)(d>=1)(e<=2))))").unwrap();
        assert_eq!(filter.attributes(), ["a", "b", "c", "d", "e"]);
    }
}
