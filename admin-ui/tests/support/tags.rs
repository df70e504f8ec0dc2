//! Reads the tags of a page, as a browser would see them.

/// One start tag: its name and attributes, values as written.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Tag {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Every start and end tag in order; an end tag's name begins with a slash.
pub(crate) fn tags(html: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with('!') {
            continue;
        }
        let (tag, after) = one(rest);
        found.push(tag);
        rest = after;
    }
    found
}

fn one(text: &str) -> (Tag, &str) {
    let end = text.find(|c: char| c.is_whitespace() || c == '>').expect("a tag ends");
    let name = text[..end].trim_end_matches('/').to_ascii_lowercase();
    let mut attributes = Vec::new();
    let mut rest = text[end..].trim_start();
    while !rest.starts_with('>') {
        if let Some(close) = rest.strip_prefix("/>") {
            return (Tag { name, attributes }, close);
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=>".contains(c)).expect("an attribute ends");
        let key = rest[..end].to_ascii_lowercase();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let close = quoted.find('"').expect("a quote closes");
            value = quoted[..close].to_owned();
            rest = &quoted[close + 1..];
        } else {
            assert!(!rest.starts_with('='), "an attribute without quotes: {key}");
        }
        attributes.push((key, value));
        rest = rest.trim_start();
    }
    (Tag { name, attributes }, &rest[1..])
}
