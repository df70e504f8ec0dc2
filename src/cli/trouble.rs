//! What keeps a verb from being done, and the exit code that tells a script which kind it was.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use super::table::plain;

/// Why a verb was not done. The sentence says what, where, and what to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Something broke.
    Failed(String),
    /// The arguments or the configuration are wrong.
    Usage(String),
    /// A rule forbids it; nothing changed.
    Refused(String),
    NotFound(String),
    /// The daemon cannot be reached.
    Unreachable(String),
}

impl Trouble {
    /// The exit code; clap leaves with 2 of its own accord.
    pub(super) fn code(&self) -> u8 {
        match self {
            Trouble::Failed(_) => 1,
            Trouble::Usage(_) => 2,
            Trouble::Refused(_) => 3,
            Trouble::NotFound(_) => 4,
            Trouble::Unreachable(_) => 5,
        }
    }

    /// The kind of an answer that is not 2xx.
    pub(super) fn of_status(status: u16, sentence: String) -> Self {
        match status {
            400 => Trouble::Usage(sentence),
            403 | 409 | 422 => Trouble::Refused(sentence),
            404 => Trouble::NotFound(sentence),
            _ => Trouble::Failed(sentence),
        }
    }

    /// A file or folder of the caller that could not be read or written; `what` is as in "cannot write".
    pub(super) fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        Trouble::Failed(format!("cannot {what} {}: {error}", path.display()))
    }

    /// Says so on standard error, with nothing before it: problems of a configuration begin with file, line and column.
    pub(super) fn tell(&self) {
        // A closed standard error leaves the exit code to speak.
        let _ = writeln!(io::stderr().lock(), "{self}");
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Trouble::Failed(sentence)
        | Trouble::Usage(sentence)
        | Trouble::Refused(sentence)
        | Trouble::NotFound(sentence)
        | Trouble::Unreachable(sentence)) = self;
        // A sentence may quote what a stranger chose, such as a client id. Lines are ours: problems come as several.
        let mut lines = sentence.lines().map(plain);
        f.write_str(&lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| write!(f, "\n{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_api_becomes_its_exit_code() {
        let expected =
            [(400, 2), (403, 3), (409, 3), (422, 3), (404, 4), (401, 1), (405, 1), (500, 1), (503, 1)];
        for (status, code) in expected {
            assert_eq!(Trouble::of_status(status, String::new()).code(), code, "{status}");
        }
        assert_eq!(Trouble::Unreachable(String::new()).code(), 5);
    }

    #[test]
    fn a_sentence_cannot_steer_the_terminal() {
        let trouble = Trouble::NotFound("no session \u{1b}[2J\nof anybody".into());
        assert_eq!(trouble.to_string(), "no session \\u{1b}[2J\nof anybody");
    }
}
