//! An entry as it came: its name and the values of its attributes, read where they stand.

use std::ops::Range;

use uuid::Uuid;

use crate::answer::Answer;
use crate::ber::{self, Elements, OCTETS, SEQUENCE, SET};
use crate::diagnostic;

/// Name and values. Attributes are found whatever the case of their names (RFC 4512 §2.5).
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    /// The message that it came in, and those with more of its values.
    bytes: Vec<u8>,
    attributes: Vec<Attribute>,
    /// Attributes of which values are missing, from which number on.
    cut: Vec<(String, u32)>,
}

/// Where an attribute stands in the bytes; one may come in several pieces.
#[derive(Debug)]
struct Attribute {
    name: Range<usize>,
    values: Range<usize>,
}

impl Entry {
    /// Reads a SearchResultEntry (RFC 4511 §4.5.2); the error is what can be said of its name.
    pub(crate) fn read(answer: Answer) -> Result<Self, String> {
        let (bytes, body) = answer.into_parts();
        let mut parts = Elements::of(&bytes[body]);
        let name = parts.value(OCTETS).ok_or_else(|| "an entry without a name".to_owned())?;
        let dn = ber::text(name).ok_or_else(|| diagnostic::clean(&String::from_utf8_lossy(name)))?;
        let mut entry = Self { dn, ..Self::default() };
        let read = parts.enter(SEQUENCE).and_then(|mut all| all.try_for_each(|one| entry.add(&bytes, one)));
        match read {
            Some(()) => Ok(Self { bytes, ..entry }),
            None => Err(entry.dn),
        }
    }

    fn add(&mut self, whole: &[u8], (tag, content): (u8, &[u8])) -> Option<()> {
        let mut parts = Elements::of(content);
        let description = parts.value(OCTETS).filter(|_| tag == SEQUENCE)?;
        let description = std::str::from_utf8(description).ok()?;
        let values = parts.value(SET)?;
        if Elements::of(values).any(|(tag, _)| tag != OCTETS) {
            return None;
        }
        let (name, option) = description.split_once(';').unwrap_or((description, ""));
        match option.to_ascii_lowercase().as_str() {
            "" | "binary" => {}
            // Active Directory sends long lists in ranges (MS-ADTS §3.1.1.3.1.3.3); `range=1500-*` is a last one.
            range if range.starts_with("range=") => match range.rsplit_once('-')?.1 {
                "*" => self.set_cut(name, None),
                last => self.set_cut(name, Some(last.parse::<u32>().ok()?.checked_add(1)?)),
            },
            // A name in another language is not the name that was asked for.
            _ => return Some(()),
        }
        let (name, values) = (ber::place(whole, name.as_bytes()), ber::place(whole, values));
        self.attributes.push(Attribute { name, values });
        Some(())
    }

    fn set_cut(&mut self, attribute: &str, next: Option<u32>) {
        self.cut.retain(|(name, _)| !name.eq_ignore_ascii_case(attribute));
        self.cut.extend(next.map(|next| (attribute.to_owned(), next)));
    }

    /// The pieces in which an attribute came, in their order.
    fn pieces(&self, attribute: &str) -> impl Iterator<Item = &Attribute> {
        let is_named =
            move |one: &&Attribute| self.bytes[one.name.clone()].eq_ignore_ascii_case(attribute.as_bytes());
        self.attributes.iter().filter(is_named)
    }

    /// The values as they came.
    pub(crate) fn values(&self, attribute: &str) -> impl Iterator<Item = &[u8]> {
        let read = |one: &Attribute| Elements::of(&self.bytes[one.values.clone()]);
        self.pieces(attribute).flat_map(read).map(|(_, value)| value)
    }

    fn first(&self, attribute: &str) -> Option<&[u8]> {
        self.values(attribute).next()
    }

    /// Every value as text, those that are not left out.
    pub(crate) fn texts(&self, attribute: &str) -> Vec<String> {
        self.values(attribute).filter_map(ber::text).collect()
    }

    /// The first value as trimmed text; an error when it is not text on one line of bearable length.
    pub(crate) fn text(&self, attribute: &str) -> Result<Option<String>, String> {
        let Some(value) = self.first(attribute) else { return Ok(None) };
        let text =
            std::str::from_utf8(value).map_err(|_| format!("{attribute} is not text in UTF-8"))?.trim();
        if text.chars().any(char::is_control) {
            return Err(format!("{attribute} holds control characters"));
        }
        if text.len() > LONGEST_TEXT {
            return Err(format!("{attribute} is longer than {LONGEST_TEXT} bytes"));
        }
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    /// The first value as a whole number.
    pub(crate) fn number(&self, attribute: &str) -> Result<Option<i64>, String> {
        let text = self.text(attribute)?;
        text.map(|text| text.parse().map_err(|_| format!("{attribute} is not a number"))).transpose()
    }

    /// Whether one of the values is this text, whatever its case.
    pub(crate) fn has(&self, attribute: &str, text: &str) -> bool {
        self.values(attribute).any(|value| value.eq_ignore_ascii_case(text.as_bytes()))
    }

    /// Whether the attribute came, be it without a value.
    pub(crate) fn holds(&self, attribute: &str) -> bool {
        self.pieces(attribute).next().is_some()
    }

    /// An attribute of which the server kept values back, and the number of the first that is missing.
    pub(crate) fn cut(&self) -> Option<(&str, u32)> {
        self.cut.first().map(|(name, next)| (name.as_str(), *next))
    }

    /// Adds the values of the next range, which came by themselves.
    pub(crate) fn extend(&mut self, attribute: &str, more: &Self) {
        let shift = self.bytes.len();
        let moved = |range: &Range<usize>| range.start + shift..range.end + shift;
        let pieces = more
            .pieces(attribute)
            .map(|one| Attribute { name: moved(&one.name), values: moved(&one.values) });
        self.attributes.extend(pieces);
        self.bytes.extend_from_slice(&more.bytes);
        let next = more.cut.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        self.set_cut(attribute, next.map(|(_, next)| *next));
    }

    /// The first value as an identifier, in the form of `entryUUID`, `objectGUID` or `nsUniqueId`.
    pub(crate) fn id(&self, attribute: &str) -> Result<Option<Uuid>, String> {
        let Some(value) = self.first(attribute) else { return Ok(None) };
        let id = match <[u8; 16]>::try_from(value) {
            // Microsoft writes the first three fields low byte first (MS-DTYP §2.3.4.2).
            Ok(bytes) if attribute.eq_ignore_ascii_case("objectGUID") => Some(Uuid::from_bytes_le(bytes)),
            Ok(bytes) => Some(Uuid::from_bytes(bytes)),
            // 389 Directory Server sets its hyphens elsewhere: 8-8-8-8.
            Err(_) => std::str::from_utf8(value).ok().and_then(|text| {
                Uuid::try_parse(text).or_else(|_| Uuid::try_parse(&text.replace('-', ""))).ok()
            }),
        };
        match id.filter(|id| !id.is_nil()) {
            Some(id) => Ok(Some(id)),
            None => Err(format!("{attribute} is not a unique identifier")),
        }
    }
}

const LONGEST_TEXT: usize = 512;

#[cfg(test)]
impl Entry {
    /// An entry for tests of its readers.
    pub(crate) fn of(dn: &str, attributes: &[(&str, &[u8])]) -> Self {
        Self::read(Answer::of_entry(dn, attributes)).expect("an entry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::ENTRY;

    const ID: &str = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";

    #[test]
    fn three_ways_to_write_an_identifier_are_one() {
        let id = Uuid::try_parse(ID).unwrap();
        let swapped = id.to_bytes_le();
        let entry = Entry::of(
            "cn=a",
            &[
                ("entryUUID", ID.as_bytes()),
                ("objectGUID", &swapped),
                ("nsUniqueId", b"f81d4fae-7dec11d0-a76500a0-c91e6bf6"),
                ("employeeNumber", b"17"),
            ],
        );
        for attribute in ["entryuuid", "ObjectGuid", "nsUniqueId"] {
            assert_eq!(entry.id(attribute), Ok(Some(id)), "{attribute}");
        }
        assert_eq!(entry.id("missing"), Ok(None));
        assert!(entry.id("employeeNumber").is_err());
    }

    #[test]
    fn an_answer_that_is_no_entry_is_unreadable_and_not_a_panic() {
        let read = |body: &[u8]| Entry::read(Answer::of(ENTRY, body)).map(|entry| entry.dn);
        assert_eq!(read(b"\x04\x04cn=a\x30\x00"), Ok("cn=a".to_owned()));
        assert!(read(b"").is_err() && read(b"\x02\x01\x00").is_err());
        assert_eq!(read(b"\x04\x04cn=a").unwrap_err(), "cn=a");
        assert!(read(b"\x04\x04cn=\xff\x30\x00").unwrap_err().starts_with("cn="));
        assert_eq!(read(b"\x04\x04cn=a\x30\x05\x04\x03uid").unwrap_err(), "cn=a");
        assert_eq!(read(b"\x04\x04cn=a\x30\x0b\x30\x09\x04\x02cn\x31\x03\x02\x01\x05").unwrap_err(), "cn=a");
    }

    #[test]
    fn a_list_in_ranges_is_one_list() {
        let mut group = Entry::of("cn=g", &[("member;range=0-1", b"a"), ("cn", b"g")]);
        assert_eq!((group.cut(), group.texts("member")), (Some(("member", 2)), vec!["a".to_owned()]));
        group.extend("member", &Entry::of("cn=g", &[("Member;Range=2-3", b"b"), ("cn", b"x")]));
        assert_eq!(group.cut(), Some(("member", 4)));
        group.extend("member", &Entry::of("cn=g", &[("member;range=4-*", b"c")]));
        assert_eq!((group.cut(), group.texts("MEMBER")), (None, ["a", "b", "c"].map(str::to_owned).to_vec()));
        assert_eq!(group.texts("cn"), ["g"]);
    }

    #[test]
    fn text_that_could_mislead_a_reader_is_refused() {
        let entry =
            Entry::of("cn=a", &[("uid", b"a\nb"), ("cn", b"\xff"), ("sn", b"  "), ("mail", b" a@b ")]);
        assert!(entry.text("uid").is_err() && entry.text("cn").is_err());
        assert_eq!((entry.text("sn"), entry.text("mail")), (Ok(None), Ok(Some("a@b".to_owned()))));
    }
}
