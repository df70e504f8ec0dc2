//! Signed notes: a text, and below it who signed it (C2SP signed-note).

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{LogKey, LogRefusal, Origin};

/// A note taken apart. Nothing about it is proven.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Note<'a> {
    /// With its last line break, without the empty line below.
    text: &'a str,
    signatures: Vec<Signature<'a>>,
}

/// One line of signature.
#[derive(Debug, PartialEq, Eq)]
struct Signature<'a> {
    name: &'a str,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

impl<'a> Note<'a> {
    pub(super) fn parse(note: &'a str) -> Result<Note<'a>, LogRefusal> {
        if note.len() > LONGEST {
            return Err(LogRefusal::Malformed("a signed note has at most 128 kB"));
        }
        if note.chars().any(|sign| sign < ' ' && sign != '\n') {
            return Err(LogRefusal::Malformed("a signed note has no control characters"));
        }
        // The text itself may have empty lines; the last one divides.
        let Some(end) = note.rfind("\n\n") else {
            return Err(LogRefusal::Malformed("a signed note has an empty line above its signatures"));
        };
        let (text, below) = (&note[..=end], &note[end + 2..]);
        let signatures = below.split_inclusive('\n').map(Signature::parse).collect::<Option<Vec<_>>>();
        match signatures {
            Some(signatures) if !signatures.is_empty() => Ok(Note { text, signatures }),
            _ => Err(LogRefusal::Malformed("a signature is `— NAME BASE64`")),
        }
    }

    /// The text, if the log signed it. Signatures of others, witnesses perhaps, are passed over.
    pub(super) fn signed_by(&self, log: &LogKey) -> Result<&'a str, LogRefusal> {
        let is_own = |one: &&Signature<'_>| one.name == log.origin().as_str() && one.key_id == log.id();
        let mut own = self.signatures.iter().filter(is_own);
        let signature = own.next().ok_or(LogRefusal::Unsigned)?;
        // A thousand good ones would be a thousand verifications.
        if own.next().is_some() {
            return Err(LogRefusal::Malformed("the log signed twice"));
        }
        if log.verifies(self.text, &signature.bytes) { Ok(self.text) } else { Err(LogRefusal::BadSignature) }
    }
}

impl<'a> Signature<'a> {
    fn parse(line: &'a str) -> Option<Signature<'a>> {
        let (name, base64) = line.strip_prefix(DASH)?.strip_suffix('\n')?.split_once(' ')?;
        let bytes = STANDARD.decode(base64).ok()?;
        let (key_id, bytes) = bytes.split_first_chunk()?;
        (!name.is_empty() && !bytes.is_empty()).then(|| Signature {
            name,
            key_id: *key_id,
            bytes: bytes.to_vec(),
        })
    }
}

/// A whole note with one signature.
pub(super) fn write(text: &str, name: &Origin, key_id: [u8; 4], signature: &[u8]) -> String {
    format!("{text}\n{DASH}{name} {}\n", STANDARD.encode([&key_id, signature].concat()))
}

/// Room for sixteen witnesses with signatures of 5 kB, which a reader of notes must have (C2SP signed-note).
const LONGEST: usize = 128 * 1024;
const DASH: &str = "\u{2014} ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_apart_at_its_last_empty_line() {
        let origin: Origin = "log".parse().expect("a name");
        let note = write("one\n\ntwo\n", &origin, [1, 2, 3, 4], b"five");
        assert_eq!(note, "one\n\ntwo\n\n— log AQIDBGZpdmU=\n");
        let parsed = Note::parse(&note).expect("a note");
        assert_eq!(parsed.text, "one\n\ntwo\n");
        let signature = Signature { name: "log", key_id: [1, 2, 3, 4], bytes: b"five".to_vec() };
        assert_eq!(parsed.signatures, [signature]);
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for text in [
            "",
            "\n\n",
            "one\n",
            "one\n\n",
            "one\n\n— log AQIDBGZpdmU=",
            "one\n\n— log AQIDBA==\n",
            "one\n\n—  AQIDBGZpdmU=\n",
            "one\n\n- log AQIDBGZpdmU=\n",
            "one\n\n— log AQIDBGZpdmU= \n",
            "one\n\n— log AQIDBGZpdmU=\n— log\n",
            "one\r\n\n— log AQIDBGZpdmU=\n",
            "one\0\n\n— log AQIDBGZpdmU=\n",
        ] {
            assert!(Note::parse(text).is_err(), "{text:?}");
        }
        let long = format!("{}\n\n— log AQIDBGZpdmU=\n", "x".repeat(LONGEST));
        assert!(Note::parse(&long).is_err());
    }
}
