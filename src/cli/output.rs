//! The one place that writes to standard output: text for people, or exactly one JSON value for programs.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::details::details;
use super::table::{cell, objects, plain};
use super::trouble::Trouble;

/// Where a verb prints. A reader that goes away (`| head`) is no trouble: the rest is dropped, so that the exit code
/// still tells how the verb went.
pub(super) struct Output<'a> {
    json: bool,
    to: Box<dyn Write + 'a>,
    closed: bool,
}

impl Output<'static> {
    /// Standard output. It is locked for each piece, not for good: a daemon in the foreground prints too.
    pub(super) fn standard(json: bool) -> Self {
        Self { json, to: Box::new(io::stdout()), closed: false }
    }
}

impl<'a> Output<'a> {
    /// The same onto something else.
    #[cfg(test)]
    pub(super) fn onto(to: impl Write + 'a, json: bool) -> Self {
        Self { json, to: Box::new(to), closed: false }
    }

    /// Whether a program reads.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Whether nobody reads any more.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// A list: an array, or a table of these fields; `noun` is their plural, for when there are none.
    pub(super) fn list(&mut self, noun: &str, fields: &[&str], answer: &Value) -> Result<(), Trouble> {
        let Value::Array(rows) = answer else {
            return Err(Trouble::Failed(format!(
                "the daemon's answer is no list of {noun}; are both of one version?"
            )));
        };
        match rows.as_slice() {
            _ if self.json => self.value(answer),
            [] => self.text(&format!("no {noun}\n")),
            rows => self.text(&objects(fields, rows)),
        }
    }

    /// One thing in full: an object, or `key: value` lines with those in `first` before the others.
    pub(super) fn show(&mut self, first: &[&str], answer: &Value) -> Result<(), Trouble> {
        if self.json { self.value(answer) } else { self.text(&details(answer, first)) }
    }

    /// A deed that was done: the daemon's object, or the sentence.
    pub(super) fn done(&mut self, sentence: &str, answer: &Value) -> Result<(), Trouble> {
        match answer {
            _ if !self.json => self.text(&format!("{}\n", plain(sentence))),
            Value::Null => self.value(&json!({ "done": true })),
            answer => self.value(answer),
        }
    }

    /// A one-time secret: the object, or the secret alone on the first line so that it can be cut out.
    pub(super) fn secret(&mut self, field: &str, answer: &Value) -> Result<(), Trouble> {
        match answer[field].as_str() {
            Some(secret) if !self.json => {
                let until = cell(&answer["expires_at"]);
                let name = answer["id"]
                    .as_str()
                    .map(|id| format!("Its name is {}. ", plain(id)))
                    .unwrap_or_default();
                self.text(&format!("{}\n{name}It works once, until {until}.\n", plain(secret)))
            }
            _ => self.show(&[], answer),
        }
    }

    /// One JSON value on a line of its own.
    pub(super) fn value(&mut self, value: &Value) -> Result<(), Trouble> {
        self.text(&format!("{value}\n"))
    }

    /// Text as it is.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Trouble> {
        self.bytes(text.as_bytes())
    }

    /// Bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if self.closed {
            return Ok(());
        }
        match self.to.write_all(bytes).and_then(|()| self.to.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            written => {
                written.map_err(|error| Trouble::Failed(format!("cannot write to standard output: {error}")))
            }
        }
    }
}

/// DER as text between two lines that say what it is (RFC 7468).
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(PEM_LINE) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// How long a line of PEM is.
const PEM_LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(json: bool, print: impl FnOnce(&mut Output<'_>) -> Result<(), Trouble>) -> String {
        let mut bytes = Vec::new();
        print(&mut Output::onto(&mut bytes, json)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_program_gets_the_answer_with_every_field_and_people_get_a_table() {
        let answer = json!([{ "account": "alice", "id": "x" }]);
        let list = |out: &mut Output<'_>| out.list("accounts", &["account"], &answer);
        assert_eq!(printed(true, list), "[{\"account\":\"alice\",\"id\":\"x\"}]\n");
        assert_eq!(printed(false, list), "ACCOUNT\nalice\n");
    }

    #[test]
    fn an_empty_list_is_an_empty_array_or_a_word() {
        let list = |out: &mut Output<'_>| out.list("rooms", &["room"], &json!([]));
        assert_eq!(printed(true, list), "[]\n");
        assert_eq!(printed(false, list), "no rooms\n");
    }

    #[test]
    fn a_deed_is_always_one_object_for_a_program() {
        assert_eq!(printed(true, |out| out.done("gone", &Value::Null)), "{\"done\":true}\n");
        assert_eq!(printed(false, |out| out.done("gone", &Value::Null)), "gone\n");
    }

    #[test]
    fn a_secret_stands_alone_on_the_first_line() {
        let answer = json!({ "token": "t", "expires_at": "T" });
        assert_eq!(printed(false, |out| out.secret("token", &answer)), "t\nIt works once, until T.\n");
        assert_eq!(
            printed(true, |out| out.secret("token", &answer)),
            "{\"expires_at\":\"T\",\"token\":\"t\"}\n"
        );
    }

    #[test]
    fn pem_lines_are_64_characters() {
        let text = pem("X509 CRL", &[0; 49]);
        let lengths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [26 - 2, 64, 4, 24 - 2]);
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_trouble_but_a_full_disk_is() {
        let mut left = Output::onto(Failing(io::ErrorKind::BrokenPipe), false);
        assert_eq!(left.text("x"), Ok(()));
        assert!(left.closed());
        let mut full = Output::onto(Failing(io::ErrorKind::StorageFull), false);
        assert_eq!(full.text("x").map_err(|trouble| trouble.code()), Err(1));
    }
}
