//! Passwords, read from a file or standard input: on a command line everybody on the host could read them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use super::trouble::Trouble;

/// Longer ones are a mistake, such as a wrong file.
const LONGEST: u64 = 4096;

/// Where a password comes from.
#[derive(Args, Debug)]
pub(super) struct PasswordFrom {
    /// Read the password from a file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordFrom {
    /// The password, if one is given.
    pub(super) fn read(&self) -> Result<Option<Zeroizing<String>>, Trouble> {
        match &self.password_file {
            Some(path) => {
                let file = File::open(path).map_err(|error| Trouble::file("read", path, &error))?;
                one(BufReader::new(file), &path.display().to_string()).map(Some)
            }
            None if self.password_stdin => ask("Password").map(Some),
            None => Ok(None),
        }
    }

    /// The password, from standard input where nothing else is given.
    pub(super) fn read_or_ask(&self) -> Result<Zeroizing<String>, Trouble> {
        self.read()?.map_or_else(|| ask("Password"), Ok)
    }
}

/// From standard input: all of it, or one line of a terminal.
pub(super) fn ask(what: &str) -> Result<Zeroizing<String>, Trouble> {
    let stdin = io::stdin().lock();
    if !stdin.is_terminal() {
        return one(stdin, "standard input");
    }
    // Hiding what is typed needs calls of the C library; whoever sees the screen is told instead.
    let _ = write!(io::stderr(), "{what} (it will be shown): ");
    let mut line = Zeroizing::new(Vec::new());
    let read = stdin.take(LONGEST + 1).read_until(b'\n', &mut line);
    read.map_err(|error| Trouble::Failed(format!("cannot read standard input: {error}")))?;
    one(line.as_slice(), "standard input")
}

/// One password: UTF-8, with or without a line end after it.
fn one(from: impl Read, place: &str) -> Result<Zeroizing<String>, Trouble> {
    // Room enough from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LONGEST as usize));
    let read = from.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| Trouble::Failed(format!("cannot read {place}: {error}")))?;
    let wrong = |why: &str| Trouble::Usage(format!("{place} does not hold a password: {why}"));
    if bytes.len() as u64 > LONGEST {
        return Err(wrong("it is longer than 4096 bytes"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not UTF-8"))?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    match text {
        "" => Err(wrong("it is empty")),
        text if text.contains(['\n', '\r', '\0']) => Err(wrong("it has more than one line")),
        text => Ok(Zeroizing::new(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String, u8> {
        one(bytes, "file").map(|password| password.to_string()).map_err(|trouble| trouble.code())
    }

    #[test]
    fn the_line_end_is_not_part_of_the_password_but_spaces_are() {
        assert_eq!(read(b" a b \n"), Ok(" a b ".into()));
        assert_eq!(read(b"a\r\n"), Ok("a".into()));
        assert_eq!(read("pässwörd".as_bytes()), Ok("pässwörd".into()));
    }

    #[test]
    fn what_is_no_password_is_wrong_usage() {
        for wrong in [&b""[..], b"\n", b"a\nb\n", b"\xff", &[b'a'; 5000]] {
            assert_eq!(read(wrong), Err(2));
        }
    }

    #[test]
    fn none_is_asked_for_where_none_is_needed() {
        assert!(PasswordFrom { password_file: None, password_stdin: false }.read().unwrap().is_none());
    }
}
