//! Filters: which entries are meant, as an administrator writes it (RFC 4515). An error names the place.

use crate::assertion::{Extensible, Filter, Pieces};

/// Reads a filter, or says what is wrong with it and at which character. Between the parts of a filter there may be
/// white space, so that a long one can stand on several lines.
pub(crate) fn parse(text: &str) -> Result<Filter, String> {
    let mut reader = Reader { text, at: 0, open: 0 };
    reader.skip_space();
    if !reader.rest().starts_with('(') {
        return Err(format!(
            "\"{text}\" is not a filter: it begins with a parenthesis, as in \"(objectClass=person)\""
        ));
    }
    let filter = reader.filter()?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(filter),
        Some(')') => Err(format!("the parenthesis at character {} closes nothing", reader.place(reader.at))),
        Some(_) => Err(format!("at character {} the filter is over", reader.place(reader.at))),
    }
}

/// Whoever reads a filter, we or a server, descends once for each level.
const DEEPEST: usize = 32;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    open: usize,
}

impl<'a> Reader<'a> {
    /// What begins at a parenthesis and ends at the one that closes it.
    fn filter(&mut self) -> Result<Filter, String> {
        let start = self.at;
        if self.open == DEEPEST {
            return Err(format!(
                "at character {} more than {DEEPEST} parentheses are open",
                self.place(start)
            ));
        }
        self.at += 1;
        self.open += 1;
        let filter = match self.peek() {
            Some('&') => Filter::All(self.parts()?),
            Some('|') => Filter::Any(self.parts()?),
            Some('!') => {
                let at = self.at;
                let one = <[Filter; 1]>::try_from(self.parts()?);
                let [one] =
                    one.map_err(|_| format!("the ! at character {} is about one filter", self.place(at)))?;
                Filter::Not(Box::new(one))
            }
            _ => self.comparison()?,
        };
        match self.peek() {
            Some(')') => self.at += 1,
            None => {
                return Err(format!("the parenthesis at character {} is never closed", self.place(start)));
            }
            Some(_) => return Err(format!("at character {} a parenthesis is expected", self.place(self.at))),
        }
        self.open -= 1;
        Ok(filter)
    }

    /// What stands between the sign here and the closing parenthesis.
    fn parts(&mut self) -> Result<Vec<Filter>, String> {
        self.at += 1;
        let mut parts = Vec::new();
        loop {
            self.skip_space();
            if self.peek() != Some('(') {
                return Ok(parts);
            }
            parts.push(self.filter()?);
        }
    }

    fn comparison(&mut self) -> Result<Filter, String> {
        let start = self.at;
        let all = self.rest();
        let all = &all[..all.find(['(', ')']).unwrap_or(all.len())];
        let sign = all.find('=').ok_or_else(|| {
            format!("at character {} a comparison is expected, such as \"uid=alice\"", self.place(start))
        })?;
        let (left, value) = (&all[..sign], &all[sign + 1..]);
        self.at += sign + 1;
        let filter = match left.chars().last() {
            Some('~') => Filter::About(self.attribute(start, &left[..sign - 1])?, self.value(value)?),
            Some('>') => Filter::AtLeast(self.attribute(start, &left[..sign - 1])?, self.value(value)?),
            Some('<') => Filter::AtMost(self.attribute(start, &left[..sign - 1])?, self.value(value)?),
            Some(':') => self.extensible(start, &left[..sign - 1], value)?,
            _ if value == "*" => Filter::Present(self.attribute(start, left)?),
            _ if value.contains('*') => Filter::Like(self.attribute(start, left)?, self.pieces(value)?),
            _ => Filter::Equal(self.attribute(start, left)?, self.value(value)?),
        };
        self.at += value.len();
        Ok(filter)
    }

    /// `attribute:dn:rule:=value`, of which any but one of attribute and rule may be missing.
    fn extensible(&self, start: usize, left: &str, value: &str) -> Result<Filter, String> {
        let mut parts = left.split(':');
        let attribute = parts.next().filter(|attribute| !attribute.is_empty());
        let mut rest: Vec<&str> = parts.collect();
        let dn = rest.first().is_some_and(|part| part.eq_ignore_ascii_case("dn"));
        if dn {
            rest.remove(0);
        }
        let rule = rest.pop();
        if !rest.is_empty() || (attribute.is_none() && rule.is_none()) {
            return Err(format!("at character {} an attribute or a rule is expected", self.place(start)));
        }
        Ok(Filter::Extensible(Extensible {
            rule: rule.map(|rule| self.attribute(start, rule)).transpose()?,
            attribute: attribute.map(|attribute| self.attribute(start, attribute)).transpose()?,
            value: self.value(value)?,
            dn,
        }))
    }

    /// A name or an object identifier, with options.
    fn attribute(&self, start: usize, name: &str) -> Result<String, String> {
        let fits = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
        if !name.split(';').all(|part| !part.is_empty() && part.chars().all(fits)) {
            let place = self.place(start);
            return Err(format!(
                "at character {place} an attribute is expected, and \"{name}\" is no name of one"
            ));
        }
        Ok(name.to_owned())
    }

    fn pieces(&self, value: &str) -> Result<Pieces, String> {
        let pieces = value.split('*').map(|piece| self.value(piece)).collect::<Result<Vec<_>, _>>()?;
        let last = pieces.len() - 1;
        let mut all = Pieces::default();
        for (place, piece) in pieces.into_iter().enumerate().filter(|(_, piece)| !piece.is_empty()) {
            match place {
                0 => all.start = Some(piece),
                _ if place == last => all.end = Some(piece),
                _ => all.within.push(piece),
            }
        }
        Ok(all)
    }

    /// A value, in which a backslash and two hexadecimal digits stand for a byte (§3).
    fn value(&self, text: &str) -> Result<Vec<u8>, String> {
        let mut parts = text.split('\\');
        let mut value = parts.next().unwrap_or_default().as_bytes().to_vec();
        for part in parts {
            let digits = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(|| {
                format!(
                    "in the value at character {} two hexadecimal digits are expected after \\",
                    self.place(self.at)
                )
            })?;
            value.push(byte);
            value.extend_from_slice(&part.as_bytes()[2..]);
        }
        Ok(value)
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Which character this is, for people.
    fn place(&self, at: usize) -> usize {
        self.text[..at].chars().count() + 1
    }
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::{ASNTag as _, PL, StructureTag, TagClass};
    use proptest::prelude::*;

    use super::*;
    use crate::ber;

    #[test]
    fn a_mistake_is_shown_with_its_place() {
        let error = |text: &str| parse(text).unwrap_err();
        assert!(error("(&(a=b)(c=d)").contains("character 1 is never closed"));
        assert!(error("(a=b))").contains("character 6 closes nothing"));
        assert!(error("(a=b)(c=d)").contains("character 6 the filter is over"));
        assert!(error("objectClass=person").contains("begins with"));
        assert!(error("(|(a=b)(objectClass))").contains("character 9 a comparison is expected"));
        assert!(error("(ä=b)").contains("character 2 an attribute is expected"));
        assert!(error("(&(ü b=c))").contains("\"ü b\""));
        assert!(error("(!(a=b)(c=d))").contains("character 2 is about one"));
        assert!(error(r"(a=\4)").contains("character 4 two hexadecimal"));
        assert!(error("(a=(b))").contains("character 4 a parenthesis"));
        assert!(error("(:=x)").contains("an attribute or a rule"));
        assert!(error(&"(&".repeat(4000)).contains("more than 32"));
        assert!(error("").contains("begins with"));
    }

    #[test]
    fn a_long_filter_may_stand_on_several_lines() {
        let lines = "\n(&\n  (objectClass=person)\n  (!(uid=root))\n)\n";
        assert_eq!(parse(lines), parse("(&(objectClass=person)(!(uid=root)))"));
    }

    fn write(out: &mut Vec<u8>, tag: &StructureTag) {
        let number = u8::try_from(tag.id).unwrap() | if tag.class == TagClass::Context { 0x80 } else { 0 };
        let number = if tag.class == TagClass::Universal && tag.id == 16 { ber::SEQUENCE } else { number };
        match &tag.payload {
            PL::P(bytes) => ber::put(out, number, bytes),
            PL::C(parts) => {
                ber::wrap(out, number | 0x20, |out| parts.iter().for_each(|part| write(out, part)))
            }
        }
    }

    /// A filter that somebody may write, of any kind and depth.
    fn filters() -> impl Strategy<Value = String> {
        let value = r"([a-z0-9 äß@.,]|\\2a|\\28|\\00|\\c3){1,8}";
        let leaf = prop_oneof![
            ("[a-z][a-z0-9-]{0,6}(;[a-z]{1,4})?", "(=|~=|>=|<=)", value)
                .prop_map(|(name, sign, value)| format!("({name}{sign}{value})")),
            "[a-z]{1,8}".prop_map(|name| format!("({name}=*)")),
            ("[a-z]{1,8}", value, value).prop_map(|(name, a, b)| format!("({name}={a}*{b})")),
            ("[a-z]{1,8}", value, value).prop_map(|(name, a, b)| format!("({name}=*{a}*{b}*)")),
            ("[a-z]{1,8}", "(:dn|)(:1\\.2\\.840|)", value)
                .prop_map(|(name, rule, value)| format!("({name}{rule}:={value})")),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                ("[&|]", proptest::collection::vec(inner.clone(), 1..4))
                    .prop_map(|(sign, all)| format!("({sign}{})", all.concat())),
                inner.prop_map(|one| format!("(!{one})")),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_filter_travels_as_others_send_it_and_is_read_back(text in filters()) {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            let filter = parse(&text).unwrap();
            filter.write(&mut ours);
            write(&mut theirs, &ldap3::parse_filter(&text).unwrap().into_structure());
            prop_assert_eq!(&ours, &theirs, "{}", text);
            prop_assert_eq!(Filter::read(ber::Elements::of(&ours).next().unwrap()), Some(filter));
        }

        #[test]
        fn whatever_is_written_is_a_filter_or_a_mistake(text in "[(&|!)=*a:~\\\\ ]{0,24}") {
            let _ = parse(&text);
        }
    }
}
