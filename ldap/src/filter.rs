//! Filters: which entries are meant (RFC 4515).
//!
//! What a stranger typed becomes a value that matches only itself; what the administrator wrote is read once, and an
//! error names the place.

use ldap3::{ldap_escape, parse_filter};

/// The people of `among` whose `attribute` is exactly `value`.
pub(crate) fn equals(among: &str, attribute: &str, value: &str) -> String {
    // Parentheses, asterisk, backslash and NUL are escaped (RFC 4515 §3), so a login such as `*)(uid=*` finds nobody.
    format!("(&{among}({attribute}={}))", ldap_escape(value))
}

/// Says what is wrong with a filter, and at which character.
pub(crate) fn check(filter: &str) -> Result<(), String> {
    if !filter.starts_with('(') {
        return Err(format!(
            "\"{filter}\" is not a filter: it begins with a parenthesis, as in \"(objectClass=person)\""
        ));
    }
    let mut open = Vec::new();
    for (place, character) in filter.chars().enumerate() {
        match character {
            '(' => open.push(place + 1),
            ')' if open.pop().is_none() => {
                return Err(format!("the parenthesis at character {} closes nothing", place + 1));
            }
            _ => {}
        }
        // The parser descends once for each level.
        if open.len() > DEEPEST {
            return Err(format!("at character {} more than {DEEPEST} parentheses are open", place + 1));
        }
    }
    if let Some(place) = open.pop() {
        return Err(format!("the parenthesis at character {place} is never closed"));
    }
    parse_filter(filter).map(|_| ()).map_err(|()| format!("\"{filter}\" is not a filter (RFC 4515)"))
}

const DEEPEST: usize = 32;

#[cfg(test)]
mod tests {
    use ldap3::asn1::{ASNTag, PL};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mistake_is_shown_with_its_place() {
        assert_eq!(check("(objectClass=person)"), Ok(()));
        assert_eq!(check("(&(objectClass=person)(!(uid=root)))"), Ok(()));
        assert!(check("(&(a=b)(c=d)").unwrap_err().contains("character 1 is never closed"));
        assert!(check("(a=b))").unwrap_err().contains("character 6 closes nothing"));
        assert!(check("objectClass=person").unwrap_err().contains("begins with"));
        assert!(check("(objectClass)").is_err());
        assert!(check(&"(&".repeat(4000)).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_typed_matches_only_itself(login in any::<String>()) {
            let tag = parse_filter(equals("(a=b)", "uid", &login)).unwrap().into_structure();
            let PL::C(both) = tag.payload else { panic!("not a conjunction") };
            let PL::C(equality) = &both[1].payload else { panic!("not an equality") };
            prop_assert_eq!(both.len(), 2);
            prop_assert_eq!(&equality[1].payload, &PL::P(login.into_bytes()));
        }
    }
}
