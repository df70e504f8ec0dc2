//! Aligned tables for people, and JSON values as text that is safe on a terminal.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;

/// What stands where there is nothing.
const NOTHING: &str = "-";
const GAP: &str = "  ";

/// Columns of equal width under their heads, two spaces apart, no space at the end of a line. Every row is taken to
/// be as long as the head. A character counts as one place.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|field| field.replace('_', " ").to_uppercase()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in [&head].into_iter().chain(rows) {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join(GAP).trim_end());
        text.push('\n');
    }
    text
}

/// A table of these fields of each object.
pub(super) fn objects(fields: &[&str], rows: &[Value]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| fields.iter().map(|field| cell(&row[*field])).collect()).collect();
    table(fields, &rows)
}

/// A value on one line.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => NOTHING.into(),
        Value::String(text) => plain(text).into_owned(),
        Value::Array(values) if values.is_empty() => NOTHING.into(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(_) => plain(&value.to_string()).into_owned(),
    }
}

/// The text with everything escaped that could steer a terminal or make it lie about the order of letters: client
/// ids and names are chosen by others.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if steers(character) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "{}", character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Controls, and the marks that turn the direction of writing (Unicode UAX #9 §2).
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_spaces() {
        let rows = [
            json!({ "account": "bob", "since_when": 1 }),
            json!({ "account": "Zoë-Mëi", "since_when": null }),
        ];
        let expected = "ACCOUNT  SINCE WHEN\nbob      1\nZoë-Mëi  -\n";
        assert_eq!(objects(&["account", "since_when"], &rows), expected);
    }

    #[test]
    fn a_table_without_rows_is_its_head() {
        assert_eq!(objects(&["a", "bc"], &[]), "A  BC\n");
    }

    #[test]
    fn a_missing_field_is_a_dash() {
        assert_eq!(objects(&["a", "b"], &[json!({ "a": "" }), json!(7)]), "A  B\n-  -\n-  -\n");
    }

    #[test]
    fn values_are_words_for_people() {
        assert_eq!(cell(&json!(["alice", "bob"])), "alice, bob");
        assert_eq!(cell(&json!(true)), "yes");
        assert_eq!(cell(&json!([])), "-");
        assert_eq!(cell(&json!({ "a": 1 })), "{\"a\":1}");
    }

    #[test]
    fn a_client_id_cannot_steer_the_terminal() {
        assert_eq!(cell(&json!("a\u{1b}]0;x\u{7}\nb\u{202e}c")), "a\\u{1b}]0;x\\u{7}\\u{a}b\\u{202e}c");
    }
}
