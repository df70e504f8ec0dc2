//! A file handed over inside the page that announces it.
//!
//! The bytes ride in a `data:` address, so the server need not keep a PKCS#12 file anywhere between
//! making it and the click, and the link works without JavaScript.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

/// A file name and the address that holds the file's bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Download {
    file_name: String,
    href: String,
}

impl Download {
    /// Wraps `bytes` as a file. `media_type` is an IANA media type such as `application/x-pkcs12`;
    /// `file_name` is what the browser proposes when it saves.
    pub fn new(file_name: impl Into<String>, media_type: &str, bytes: &[u8]) -> Self {
        let href = format!("data:{media_type};base64,{}", STANDARD.encode(bytes));
        Self { file_name: file_name.into(), href }
    }

    /// The name that the browser proposes.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// The address for the link.
    pub(crate) fn href(&self) -> &str {
        &self.href
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.href.is_empty()
    }
}

// The bytes may hold a private key: only the name may reach a log.
impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("file_name", &self.file_name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_holds_the_bytes_and_the_log_does_not() {
        let file = Download::new("alice.p12", "application/x-pkcs12", b"key");
        assert_eq!(file.href(), "data:application/x-pkcs12;base64,a2V5");
        assert!(!format!("{file:?}").contains("a2V5"));
    }
}
