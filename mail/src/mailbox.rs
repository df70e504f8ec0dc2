//! Mailbox: one address, parsed once and trusted afterwards.
//!
//! It follows the grammar and the limits of RFC 5321 (§4.1.2, §4.5.3.1) and, for names in other scripts, RFC 6531.
//! Routes, comments and display names are not part of an address. No mailbox holds a control character.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use lettre::Address;
use serde::{Deserialize, Serialize};

use crate::error::{MailError, shortened};

/// An address such as `alice@corp.example`. The domain is kept in lower case, the local part as it was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox(Address);

impl Mailbox {
    /// Parses an address.
    ///
    /// # Errors
    /// [`MailError::Mailbox`] names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, MailError> {
        let refuse = |why| MailError::Mailbox { text: shortened(text), why };
        // A local part may quote an `@`, a domain never holds one.
        let (local, domain) = text.rsplit_once('@').ok_or_else(|| refuse("there is no @"))?;
        check_local(local).map_err(refuse)?;
        check_domain(domain).map_err(refuse)?;
        if text.len() > MAX_ADDRESS {
            return Err(refuse("it is longer than 254 octets"));
        }
        let address = Address::new(local, domain.to_lowercase());
        address.map(Self).map_err(|_| refuse("its domain is not a domain"))
    }

    /// What stands before the `@`, with its quotes if it has any.
    pub fn local(&self) -> &str {
        self.0.user()
    }

    /// What stands after the `@`, in lower case.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// Whether a relay must offer SMTPUTF8 (RFC 6531) to carry mail for this address.
    pub fn needs_utf8(&self) -> bool {
        !<Address as AsRef<str>>::as_ref(&self.0).is_ascii()
    }

    pub(crate) fn address(&self) -> Address {
        self.0.clone()
    }
}

/// RFC 5321 §4.1.2: Dot-string or Quoted-string.
fn check_local(local: &str) -> Result<(), &'static str> {
    if local.is_empty() {
        return Err("nothing stands before the @");
    }
    if local.len() > MAX_LOCAL {
        return Err("the part before the @ is longer than 64 octets");
    }
    match local.strip_prefix('"') {
        Some(rest) => check_quoted(rest.strip_suffix('"').ok_or("a quote is not closed")?),
        None if local.split('.').all(is_atom) => Ok(()),
        None => Err("the part before the @ has a character or a dot where none may stand"),
    }
}

fn check_quoted(inner: &str) -> Result<(), &'static str> {
    let mut letters = inner.chars();
    if inner.is_empty() {
        return Err("nothing stands before the @");
    }
    while let Some(letter) = letters.next() {
        let fits = match letter {
            '\\' => letters.next().is_some_and(|escaped| (' '..='~').contains(&escaped)),
            '"' => false,
            _ => (' '..='~').contains(&letter) || letter.is_alphanumeric(),
        };
        if !fits {
            return Err("a quoted part holds a character that must not stand there");
        }
    }
    Ok(())
}

fn is_atom(atom: &str) -> bool {
    !atom.is_empty() && atom.chars().all(|letter| letter.is_alphanumeric() || ATEXT.contains(letter))
}

/// RFC 5321 §4.1.2: Domain or address-literal.
fn check_domain(domain: &str) -> Result<(), &'static str> {
    if let Some(literal) = domain.strip_prefix('[') {
        let literal = literal.strip_suffix(']').ok_or("a bracket is not closed")?;
        return match literal.strip_prefix("IPv6:") {
            Some(v6) => v6.parse::<Ipv6Addr>().map(drop).map_err(|_| "its domain is not an IPv6 address"),
            None => literal.parse::<Ipv4Addr>().map(drop).map_err(|_| "its domain is not an IPv4 address"),
        };
    }
    if domain.split('.').all(is_label) { Ok(()) } else { Err("its domain is not a domain") }
}

/// A DNS label, or what becomes one after IDNA (RFC 5890 §2.3.2).
pub(crate) fn is_label(label: &str) -> bool {
    let inner = |letter: char| letter.is_alphanumeric() || letter == '-';
    (1..=MAX_LABEL).contains(&label.len())
        && label.chars().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for Mailbox {
    type Err = MailError;

    fn from_str(text: &str) -> Result<Self, MailError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Mailbox {
    type Error = MailError;

    fn try_from(text: String) -> Result<Self, MailError> {
        Self::parse(&text)
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.to_string()
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const ATEXT: &str = "!#$%&'*+-/=?^_`{|}~";
/// RFC 5321 §4.5.3.1.1.
const MAX_LOCAL: usize = 64;
/// RFC 5321 §4.5.3.1.3 allows a path of 256 octets, and two of them are the angle brackets.
const MAX_ADDRESS: usize = 254;
/// RFC 1035 §2.3.4.
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        Mailbox::parse(text).expect_err("this must be refused").to_string()
    }

    #[test]
    fn ordinary_addresses_are_kept_and_domains_lowered() {
        assert_eq!(
            Mailbox::parse("Alice.B+x@Corp.Example").expect("valid").to_string(),
            "Alice.B+x@corp.example"
        );
        for text in [
            "\"a b\"@corp.example",
            "\"a@b\"@corp.example",
            "x@[127.0.0.1]",
            "x@[IPv6:::1]",
            "jörg@köln.example",
        ] {
            assert_eq!(Mailbox::parse(text).expect(text).to_string().to_lowercase(), text.to_lowercase());
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_its_reason() {
        assert!(refused("alice").contains("there is no @"));
        assert!(refused("@corp.example").contains("nothing stands before"));
        assert!(refused(&format!("{}@corp.example", "a".repeat(65))).contains("64 octets"));
        assert!(refused(&format!("a@{}", vec!["b".repeat(60); 5].join("."))).contains("254 octets"));
        for text in [
            "a..b@c",
            ".a@c",
            "a@",
            "a@-b",
            "a@b..c",
            "a b@c",
            "<a@b>",
            "A <a@b>",
            "a@b>",
            "\"a@b",
            "a@[1.2.3]",
        ] {
            refused(text);
        }
    }

    #[test]
    fn no_address_smuggles_a_second_command() {
        for text in
            ["a@b\r\nRCPT TO:<c@d>", "a\r\n@b", "a\0@b", "\"a\r\nb\"@c", "a@b\n", "a@b>\u{0}", "\"\u{7f}\"@c"]
        {
            refused(text);
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_passes_prints_and_parses_again(text in "\\PC{0,12}@?\\PC{0,12}|[a-z.@\"\\\\ \r\n<>\\[\\]]{0,24}") {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                let printed = mailbox.to_string();
                prop_assert!(!printed.chars().any(char::is_control));
                prop_assert!(printed.len() <= MAX_ADDRESS + 64);
                prop_assert_eq!(Mailbox::parse(&printed).expect("a printed mailbox parses"), mailbox);
            }
        }

        #[test]
        fn a_plain_name_at_a_plain_domain_is_always_an_address(local in "[a-z0-9+_-]{1,64}", domain in "[a-z0-9]{1,20}(\\.[a-z0-9]{1,20}){0,3}") {
            let text = format!("{local}@{domain}");
            prop_assert_eq!(Mailbox::parse(&text).expect("valid").to_string(), text);
        }
    }
}
