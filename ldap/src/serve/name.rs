//! Names of entries: written as RFC 4514 says, compared without regard to case and spaces.

use super::schema::Attribute;
use crate::folding;

/// A distinguished name, read: its parts from the entry up to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) Vec<Part>);

/// A relative distinguished name, of one attribute or of several.
#[derive(Clone, Debug)]
pub(super) struct Part(pub(super) Vec<(Kind, String)>);

/// The attribute of a part. One that nothing here has still has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Known(Attribute),
    Other(String),
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        let same = |one: &(Kind, String), two: &(Kind, String)| {
            one.0 == two.0 && folding::value(&one.1) == folding::value(&two.1)
        };
        self.0.len() == other.0.len() && self.0.iter().all(|one| other.0.iter().any(|two| same(one, two)))
    }
}

impl Eq for Part {}

impl Part {
    /// Attribute and value, if it has but one.
    pub(super) fn only(&self) -> Option<(Attribute, &str)> {
        match self.0.as_slice() {
            [(Kind::Known(attribute), value)] => Some((*attribute, value)),
            _ => None,
        }
    }
}

impl Name {
    /// Reads a name; nothing if it is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim_start_matches(' ');
        let mut name = Self(Vec::new());
        if rest.is_empty() {
            return Some(name);
        }
        let mut part = Part(Vec::new());
        loop {
            let (kind, value) = rest.split_once('=')?;
            let (value, after) = read_value(value)?;
            part.0.push((read_kind(kind.trim_matches(' '))?, value));
            let mut separator = after.chars();
            let next = separator.next();
            rest = separator.as_str();
            if next != Some('+') {
                name.0.push(std::mem::replace(&mut part, Part(Vec::new())));
            }
            match next {
                Some(',' | '+') => {}
                None => return Some(name),
                Some(_) => return None,
            }
        }
    }
}

impl Name {
    /// One text for all spellings of a name, for comparison alone.
    pub(super) fn folded(&self) -> String {
        let mut folded = String::new();
        for part in &self.0 {
            let mut values: Vec<_> =
                part.0.iter().map(|(kind, value)| format!("{kind:?}={}", folding::value(value))).collect();
            values.sort();
            folded += &format!("{values:?}");
        }
        folded
    }
}

fn read_kind(text: &str) -> Option<Kind> {
    let named = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let numbered = text.starts_with(|first: char| first.is_ascii_digit());
    let allowed = |character: char| match numbered {
        true => character.is_ascii_digit() || character == '.',
        false => character.is_ascii_alphanumeric() || character == '-',
    };
    if !(named || numbered) || !text.chars().all(allowed) {
        return None;
    }
    Some(match Attribute::named(text) {
        Some(attribute) => Kind::Known(attribute),
        None => Kind::Other(text.to_ascii_lowercase()),
    })
}

/// The value that the text begins with, and what follows it.
fn read_value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches(' ');
    if let Some(digits) = text.strip_prefix('#') {
        let end = digits.find([',', '+', ' ']).unwrap_or(digits.len());
        let (digits, after) = digits.split_at(end);
        return Some((read_hexadecimal(digits)?, after.trim_start_matches(' ')));
    }
    let mut bytes = Vec::new();
    // Where the value ends, spaces that were not escaped set aside.
    let mut solid = 0;
    let mut at = 0;
    let source = text.as_bytes();
    while let Some(&byte) = source.get(at) {
        at += 1;
        match byte {
            b',' | b'+' => {
                at -= 1;
                break;
            }
            b'"' | b';' | b'<' | b'>' | 0 => return None,
            b'\\' => {
                let pair = source.get(at..at + 2).and_then(read_pair);
                match (pair, source.get(at)?) {
                    (Some(byte), _) => {
                        bytes.push(byte);
                        at += 2;
                    }
                    (
                        None,
                        special @ (b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\'),
                    ) => {
                        bytes.push(*special);
                        at += 1;
                    }
                    _ => return None,
                }
                solid = bytes.len();
            }
            other => {
                bytes.push(other);
                solid = if other == b' ' { solid } else { bytes.len() };
            }
        }
    }
    bytes.truncate(solid);
    Some((String::from_utf8(bytes).ok()?, text.get(at..)?))
}

/// `#` and the BER of a string (RFC 4514 §2.4).
fn read_hexadecimal(digits: &str) -> Option<String> {
    let bytes = digits.as_bytes().chunks(2).map(read_pair).collect::<Option<Vec<_>>>()?;
    // OCTET STRING, UTF8String, PrintableString, IA5String, all short.
    let [0x04 | 0x0c | 0x13 | 0x16, length @ 0..=0x7f, value @ ..] = bytes.as_slice() else { return None };
    (value.len() == usize::from(*length)).then(|| String::from_utf8(value.to_vec()).ok())?
}

fn read_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let [high, low] = pair else { return None };
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// A value so that it can stand in a name (RFC 4514 §2.4).
pub(super) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (at, character) in value.char_indices() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => escaped.extend(['\\', character]),
            '#' if at == 0 => escaped.push_str("\\#"),
            ' ' if at == 0 || at == last => escaped.push_str("\\ "),
            '\0' => escaped.push_str("\\00"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Name {
        Name::parse(text).unwrap_or_else(|| panic!("{text} is a name"))
    }

    #[test]
    fn spellings_of_one_name_are_one_name() {
        let name = parse("uid=alice,ou=people,dc=corp,dc=example");
        for other in [
            "UID=Alice,OU=People,DC=corp,DC=example",
            " uid = alice , ou=  people, dc=corp,dc=example ",
            "userid=alice,organizationalUnitName=people,domainComponent=corp,dc=example",
            "0.9.2342.19200300.100.1.1=alice,2.5.4.11=people,dc=corp,dc=example",
            "uid=\\61l\\69ce,ou=people,dc=corp,dc=example",
            "uid=#0405616c696365,ou=people,dc=corp,dc=example",
        ] {
            assert_eq!(parse(other), name, "{other}");
        }
        assert_ne!(parse("uid=alice,ou=people,dc=corp"), name);
        assert_eq!(parse("uid=a+cn=b"), parse("CN=B+UID=A"));
        assert_ne!(parse("uid=a+cn=b"), parse("uid=a,cn=b"));
        assert_eq!(parse("").0.len(), 0);
    }

    #[test]
    fn escapes_are_what_they_stand_for() {
        let value = |text: &str| parse(text).0[0].0[0].1.clone();
        assert_eq!(value("cn=Smith\\, Alice"), "Smith, Alice");
        assert_eq!(value("cn=a\\20"), "a ");
        assert_eq!(value("cn=a\\ "), "a ");
        assert_eq!(value("cn=L\\C3\\BCbeck"), "Lübeck");
        assert_eq!(value("cn=a=b"), "a=b");
        assert_eq!(value("cn="), "");
    }

    #[test]
    fn what_is_no_name_is_nothing() {
        for text in [
            "alice",
            "=a",
            "uid=a,",
            "uid=a,,b=c",
            "uid=\\",
            "uid=\\zz",
            "uid=\"a\"",
            "1a=b",
            "uid=\\ff",
            "uid=#04",
            "ü=a",
        ] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_escaped_value_is_read_back(value in any::<String>()) {
            let name = parse(&format!("cn={},dc=example", escape(&value)));
            prop_assert_eq!(&name.0[0].0[0].1, &value);
            prop_assert_eq!(name.0.len(), 2);
        }

        #[test]
        fn any_text_is_a_name_or_is_not(text in any::<String>()) {
            let _ = Name::parse(&text);
        }
    }
}
