//! Folding: text as matching compares it, whatever its case, its spaces, and how its accents are written (RFC 4518).
//!
//! A folded value begins and ends with one space and has two between words, so that pieces of it, folded for their
//! place, are found in it byte by byte.

use icu_normalizer::ComposingNormalizerBorrowed;

/// Where in a value a piece is looked for (RFC 4518 §2.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Start,
    Within,
    End,
}

/// A value, or what shall equal one.
pub(crate) fn value(text: &str) -> String {
    spaced(&mapped(text), true, true)
}

/// A piece of a value.
pub(crate) fn piece(text: &str, place: Place) -> String {
    let text = mapped(text);
    let (start, end) = (place == Place::Start, place == Place::End);
    match text.trim_matches(' ').is_empty() {
        true => " ".to_owned(),
        false => spaced(&text, start || text.starts_with(' '), end || text.ends_with(' ')),
    }
}

/// The words of a text with two spaces between them, and one before and after where that is wanted.
fn spaced(text: &str, before: bool, after: bool) -> String {
    let mut spaced = String::with_capacity(text.len() + 2);
    spaced.extend(before.then_some(' '));
    let mut first = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !first {
            spaced.push_str("  ");
        }
        first = false;
        spaced.push_str(word);
    }
    spaced.extend(after.then_some(' '));
    spaced
}

/// Every character as it is compared (RFC 4518 §2.2, §2.3).
fn mapped(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_ascii_lowercase();
    }
    let lower: String = text.chars().flat_map(character).collect();
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    // What a compatibility form stands for may be a capital, as in U+2122.
    let whole: String = normalizer.normalize(&lower).chars().flat_map(character).collect();
    normalizer.normalize(&whole).into_owned()
}

fn character(from: char) -> impl Iterator<Item = char> {
    let (one, lower, two) = match from {
        'ß' | 'ẞ' => (None, None, Some(['s', 's'])),
        'ς' => (Some('σ'), None, None),
        '\t'..='\r' | '\u{85}' => (Some(' '), None, None),
        // Hyphens that show only at the end of a line, joiners, marks of direction, variants of a glyph.
        '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' => (None, None, None),
        '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' => (None, None, None),
        '\u{feff}' | '\u{fffc}' => (None, None, None),
        other if other.is_control() => (None, None, None),
        other if other.is_whitespace() => (Some(' '), None, None),
        other => (None, Some(other.to_lowercase()), None),
    };
    one.into_iter().chain(lower.into_iter().flatten()).chain(two.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_take_for_the_same_is_the_same() {
        for (one, other) in [
            ("Alice Smith", "  aLICE   sMITH "),
            ("Müller", "mu\u{308}ller"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("Ａlice", "alice"),
            ("a\u{a0}b", "A\tB"),
            ("co\u{ad}op", "coop"),
            ("", "   "),
        ] {
            assert_eq!(value(one), value(other), "{one} and {other}");
        }
        assert_ne!(value("alice smith"), value("alicesmith"));
        assert_ne!(value("Muller"), value("Müller"));
    }

    #[test]
    fn spaces_at_the_edge_of_a_piece_stand_for_the_edge_of_a_word() {
        assert_eq!(value("Alice Smith"), " alice  smith ");
        assert_eq!(piece("Al", Place::Start), " al");
        assert_eq!(piece("ce ", Place::Within), "ce ");
        assert_eq!(piece("th", Place::End), "th ");
        assert_eq!(piece("e  s", Place::Within), "e  s");
        assert_eq!(piece("  ", Place::Within), " ");
        assert_eq!(value(""), "  ");
    }

    proptest! {
        #[test]
        fn a_folded_text_folds_to_itself(text in "\\PC{0,20}") {
            let once = value(&text);
            prop_assert_eq!(value(&once), once);
        }

        #[test]
        fn a_value_holds_its_own_words(words in proptest::collection::vec("[a-zA-ZäÖß]{1,6}", 1..5)) {
            let whole = value(&words.join("  "));
            prop_assert!(whole.starts_with(&piece(&words[0], Place::Start)));
            prop_assert!(whole.ends_with(&piece(&words[words.len() - 1], Place::End)));
            for word in &words {
                prop_assert!(whole.contains(&piece(word, Place::Within)));
            }
        }
    }
}
