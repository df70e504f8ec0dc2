//! One object for people: `key: value` lines, then what needs more than a line.

use serde_json::{Map, Value};

use super::table::{cell, objects, plain};

/// The object's fields as aligned `key: value` lines, those named in `first` before the others. What is nested is
/// written `outer.inner`; lists of objects become tables, and texts of several lines (PEM) stand as they are, last.
pub(super) fn details(object: &Value, first: &[&str]) -> String {
    let mut page = Page::default();
    if let Value::Object(fields) = object {
        page.gather("", fields, first);
    }
    page.print()
}

#[derive(Default)]
struct Page {
    lines: Vec<(String, String)>,
    /// Key and text, with its line ends.
    blocks: Vec<(String, String)>,
}

impl Page {
    fn gather(&mut self, prefix: &str, fields: &Map<String, Value>, first: &[&str]) {
        let named = first.iter().filter_map(|name| fields.get_key_value(*name));
        let others = fields.iter().filter(|(name, _)| !first.contains(&name.as_str()));
        for (name, value) in named.chain(others) {
            let key = plain(&format!("{prefix}{name}")).into_owned();
            match value {
                Value::Object(inner) if !inner.is_empty() => self.gather(&format!("{key}."), inner, &[]),
                Value::Array(rows) if rows.iter().any(Value::is_object) => {
                    self.blocks.push((key, rows_of(rows)))
                }
                Value::String(text) if text.trim_end().contains('\n') => {
                    let text: String = text.lines().map(|line| format!("{}\n", plain(line))).collect();
                    self.blocks.push((key, text));
                }
                Value::String(text) => self.lines.push((key, cell(&Value::from(text.trim_end())))),
                other => self.lines.push((key, cell(other))),
            }
        }
    }

    fn print(&self) -> String {
        let width = self.lines.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0) + 1;
        let lines = self.lines.iter().map(|(key, value)| format!("{:width$} {value}\n", format!("{key}:")));
        let blocks = self.blocks.iter().map(|(key, text)| format!("\n{key}:\n{text}"));
        lines.chain(blocks).collect()
    }
}

/// A table of every field that any of the rows has, moved in.
fn rows_of(rows: &[Value]) -> String {
    let mut fields: Vec<&str> = Vec::new();
    for name in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !fields.contains(&name.as_str()) {
            fields.push(name);
        }
    }
    objects(&fields, rows).lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn named_fields_come_first_and_values_are_aligned() {
        let text = details(&json!({ "zone": 1, "a": null, "name": "Alice" }), &["name", "absent"]);
        assert_eq!(text, "name: Alice\na:    -\nzone: 1\n");
    }

    #[test]
    fn nested_objects_lists_and_pem_are_readable() {
        let object = json!({
            "certificate": "-----BEGIN\nAA\n-----END\n",
            "crl": { "number": 3 },
            "groups": ["ops"],
            "subscriptions": [{ "filter": "from/#", "qos": 1 }],
        });
        let expected = "crl.number: 3\ngroups:     ops\n\ncertificate:\n-----BEGIN\nAA\n-----END\n\n\
            subscriptions:\n  FILTER  QOS\n  from/#  1\n";
        assert_eq!(details(&object, &[]), expected);
    }
}
