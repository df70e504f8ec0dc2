//! Origins: what a log is called.

use std::{fmt, str::FromStr};

use super::LogRefusal;

/// The name of a log, such as `pki.corp.example/log` (C2SP tlog-checkpoint): an address without a scheme, which need
/// not lead anywhere, but is nobody else's.
///
/// 1 to 255 visible ASCII characters without `+`. So it can also name the key that signs (C2SP signed-note), and no
/// two names look alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = LogRefusal;

    fn from_str(text: &str) -> Result<Origin, LogRefusal> {
        let sound = (1..=255).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+');
        let wrong = "a log is named by 1 to 255 visible ASCII characters without `+`";
        if sound { Ok(Origin(text.to_owned())) } else { Err(LogRefusal::Malformed(wrong)) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_visible_and_not_endless() {
        for name in ["pki.corp.example/log", "x", &"x".repeat(255)] {
            assert_eq!(name.parse::<Origin>().expect("a name").to_string(), name);
        }
        for name in ["", "a b", "a+b", "a\n1", "a\u{A0}b", "lög", &"x".repeat(256)] {
            assert!(name.parse::<Origin>().is_err(), "{name:?}");
        }
    }
}
