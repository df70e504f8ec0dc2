//! A value that a page must show but a log must not.

use std::fmt;

use zeroize::Zeroizing;

/// Text for the person at the screen only: a CSRF token, a password shown once. Its memory is
/// wiped on drop, and `Debug` prints no part of it. `Display` is what the template writes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: Into<String>> From<S> for Secret {
    fn from(text: S) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_on_the_page_and_hidden_from_the_log() {
        let password = Secret::from("correct horse");
        assert_eq!(password.to_string(), "correct horse");
        assert!(!format!("{password:?}").contains("horse"));
    }
}
