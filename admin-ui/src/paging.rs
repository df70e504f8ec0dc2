//! Which part of a long list is on the screen, and which choices a form offers.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// One page of a list: counted from 1, with `total` entries on all `pages` together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// The page shown, from 1.
    pub page: u32,
    /// How many pages there are.
    pub pages: u32,
    /// How many entries there are on all pages.
    pub total: u64,
}

impl Paging {
    /// Everything fits on one page.
    pub fn whole(total: u64) -> Self {
        Self { page: 1, pages: 1, total }
    }

    pub(crate) fn previous(&self) -> Option<u32> {
        (self.page > 1).then(|| self.page - 1)
    }

    pub(crate) fn next(&self) -> Option<u32> {
        (self.page < self.pages).then(|| self.page + 1)
    }
}

/// One option of a select: what is sent, what is read, whether it stands selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The value that the form sends.
    pub value: String,
    /// The words that the person reads.
    pub label: String,
    /// Whether it is selected when the page opens.
    pub chosen: bool,
}

impl Choice {
    /// An option that is not selected.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), chosen: false }
    }
}

/// `path?name=value&…&`, ready for `page=N`; empty values are left out.
pub(crate) fn base(path: &str, filters: &[(&str, &str)]) -> String {
    let mut base = format!("{path}?");
    for (name, value) in filters.iter().filter(|(_, value)| !value.is_empty()) {
        base.extend([name, "="]);
        base.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        base.push('&');
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_has_no_previous_and_the_last_no_next() {
        let first = Paging { page: 1, pages: 2, total: 60 };
        assert_eq!((first.previous(), first.next()), (None, Some(2)));
        let last = Paging { page: 2, ..first };
        assert_eq!((last.previous(), last.next()), (Some(1), None));
        assert_eq!((Paging::default().previous(), Paging::default().next()), (None, None));
    }

    #[test]
    fn a_filter_is_kept_from_page_to_page() {
        assert_eq!(base("/accounts", &[("q", "a&b=c"), ("state", "")]), "/accounts?q=a%26b%3Dc&");
    }
}
