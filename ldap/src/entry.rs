//! An entry as it came: its name and the values of its attributes.
//!
//! The protocol library's own reader panics on what it does not expect; this one says that the entry is unreadable.

use std::collections::HashMap;

use ldap3::asn1::{PL, StructureTag};
use uuid::Uuid;

use crate::diagnostic;

/// Name and values. Attributes are found whatever the case of their names (RFC 4512 §2.5).
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    values: HashMap<String, Vec<Vec<u8>>>,
    cut: HashMap<String, u32>,
}

impl Entry {
    /// Reads a SearchResultEntry (RFC 4511 §4.5.2); the error is what can be said of its name.
    pub(crate) fn read(tag: StructureTag) -> Result<Self, String> {
        let PL::C(parts) = tag.payload else { return Err("an entry without a name".to_owned()) };
        let mut parts = parts.into_iter();
        let name = match parts.next().map(|part| part.payload) {
            Some(PL::P(bytes)) => bytes,
            _ => return Err("an entry without a name".to_owned()),
        };
        let dn = String::from_utf8(name)
            .map_err(|error| diagnostic::clean(&String::from_utf8_lossy(error.as_bytes())))?;
        let Some(PL::C(attributes)) = parts.next().map(|part| part.payload) else { return Err(dn) };
        let mut entry = Self { dn, ..Self::default() };
        for attribute in attributes {
            if entry.add(attribute).is_none() {
                return Err(entry.dn);
            }
        }
        Ok(entry)
    }

    fn add(&mut self, attribute: StructureTag) -> Option<()> {
        let mut parts = attribute.expect_constructed()?.into_iter();
        let description = String::from_utf8(parts.next()?.expect_primitive()?).ok()?.to_ascii_lowercase();
        let values = parts.next()?.expect_constructed()?.into_iter();
        let values = values.map(StructureTag::expect_primitive).collect::<Option<Vec<_>>>()?;
        let (name, option) = description.split_once(';').unwrap_or((&description, ""));
        match option {
            "" | "binary" => {}
            // Active Directory sends long lists in ranges (MS-ADTS §3.1.1.3.1.3.3); `range=1500-*` is a last one.
            range if range.starts_with("range=") => {
                let (_, last) = range.strip_prefix("range=")?.split_once('-')?;
                match last {
                    "*" => self.cut.remove(name),
                    last => self.cut.insert(name.to_owned(), last.parse::<u32>().ok()?.checked_add(1)?),
                };
            }
            // A name in another language is not the name that was asked for.
            _ => return Some(()),
        }
        self.values.entry(name.to_owned()).or_default().extend(values);
        Some(())
    }

    /// The values as they came.
    pub(crate) fn values(&self, attribute: &str) -> &[Vec<u8>] {
        self.values.get(&attribute.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Every value as text, those that are not left out.
    pub(crate) fn texts(&self, attribute: &str) -> Vec<String> {
        self.values(attribute).iter().filter_map(|value| String::from_utf8(value.clone()).ok()).collect()
    }

    /// The first value as trimmed text; an error when it is not text on one line of bearable length.
    pub(crate) fn text(&self, attribute: &str) -> Result<Option<String>, String> {
        let Some(value) = self.values(attribute).first() else { return Ok(None) };
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
        self.values(attribute).iter().any(|value| value.eq_ignore_ascii_case(text.as_bytes()))
    }

    /// Whether the attribute came, be it without a value.
    pub(crate) fn holds(&self, attribute: &str) -> bool {
        self.values.contains_key(&attribute.to_ascii_lowercase())
    }

    /// An attribute of which the server kept values back, and the number of the first that is missing.
    pub(crate) fn cut(&self) -> Option<(&str, u32)> {
        self.cut.iter().next().map(|(name, next)| (name.as_str(), *next))
    }

    /// Adds the values of the next range, which came by themselves.
    pub(crate) fn extend(&mut self, attribute: &str, mut more: Self) {
        let values = more.values.remove(attribute).unwrap_or_default();
        self.values.entry(attribute.to_owned()).or_default().extend(values);
        match more.cut.remove(attribute) {
            Some(next) => self.cut.insert(attribute.to_owned(), next),
            None => self.cut.remove(attribute),
        };
    }

    /// The first value as an identifier, in the form of `entryUUID`, `objectGUID` or `nsUniqueId`.
    pub(crate) fn id(&self, attribute: &str) -> Result<Option<Uuid>, String> {
        let Some(value) = self.values(attribute).first() else { return Ok(None) };
        let id = match <[u8; 16]>::try_from(value.as_slice()) {
            // Microsoft writes the first three fields low byte first (MS-DTYP §2.3.4.2).
            Ok(bytes) if attribute.eq_ignore_ascii_case("objectGUID") => Some(Uuid::from_bytes_le(bytes)),
            Ok(bytes) => Some(Uuid::from_bytes(bytes)),
            // 389 Directory Server sets its hyphens elsewhere: 8-8-8-8.
            Err(_) => std::str::from_utf8(value).ok().and_then(|text| {
                let digits: String = text.chars().filter(|character| *character != '-').collect();
                Uuid::try_parse(&digits).ok()
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
        let mut entry = Self { dn: dn.to_owned(), ..Self::default() };
        for (name, value) in attributes {
            entry.values.entry(name.to_ascii_lowercase()).or_default().push(value.to_vec());
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        use ldap3::asn1::TagClass;
        let tag = |payload| StructureTag { class: TagClass::Application, id: 4, payload };
        let octets =
            |bytes: &[u8]| StructureTag { class: TagClass::Universal, id: 4, payload: PL::P(bytes.to_vec()) };
        assert!(Entry::read(tag(PL::P(vec![1]))).is_err());
        assert!(Entry::read(tag(PL::C(vec![]))).is_err());
        assert_eq!(Entry::read(tag(PL::C(vec![octets(b"cn=a")]))).unwrap_err(), "cn=a");
        assert!(Entry::read(tag(PL::C(vec![octets(b"cn=\xff")]))).unwrap_err().starts_with("cn="));
        let attributes = tag(PL::C(vec![octets(b"uid")]));
        assert_eq!(Entry::read(tag(PL::C(vec![octets(b"cn=a"), attributes]))).unwrap_err(), "cn=a");
    }

    #[test]
    fn text_that_could_mislead_a_reader_is_refused() {
        let entry =
            Entry::of("cn=a", &[("uid", b"a\nb"), ("cn", b"\xff"), ("sn", b"  "), ("mail", b" a@b ")]);
        assert!(entry.text("uid").is_err() && entry.text("cn").is_err());
        assert_eq!((entry.text("sn"), entry.text("mail")), (Ok(None), Ok(Some("a@b".to_owned()))));
    }
}
