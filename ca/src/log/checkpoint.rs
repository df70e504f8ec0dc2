//! Checkpoints: what a log vouches for (C2SP tlog-checkpoint).

use std::fmt;

use super::{Frontier, Hash, LogKey, LogRefusal, Origin, key, note, note::Note};
use crate::{Failure, KeyPair};

/// How large the tree of a log was, and what its root. Whoever holds a signed one can demand that everything shown to
/// him later agrees with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The checkpoint of a log as it stands.
    pub fn of(origin: Origin, frontier: &Frontier) -> Checkpoint {
        Checkpoint { origin, size: frontier.size(), root: frontier.root() }
    }

    /// The checkpoint as a signed note, which the key signs in the name of the log.
    ///
    /// Sign only what is committed. Two signed checkpoints that do not agree are the one thing that a log must never
    /// give away: they prove that it lied.
    pub fn sign(&self, key: &KeyPair) -> Result<String, Failure> {
        let text = self.to_string();
        let (key_id, signature) = key::sign(key, &text)?;
        Ok(note::write(&text, &self.origin, key_id, &signature))
    }

    /// Reads a signed note and demands that this log signed it, and about itself. Nothing else gives a checkpoint from
    /// a text: what was not proven cannot be read.
    pub fn open(note: &str, log: &LogKey) -> Result<Checkpoint, LogRefusal> {
        let checkpoint = Checkpoint::parse(Note::parse(note)?.signed_by(log)?)?;
        if checkpoint.origin == *log.origin() { Ok(checkpoint) } else { Err(LogRefusal::OtherLog) }
    }

    /// Three lines. A checkpoint may have more, but monitors cannot audit what stands there, and this log says no more.
    fn parse(text: &str) -> Result<Checkpoint, LogRefusal> {
        let malformed = LogRefusal::Malformed("a checkpoint has three lines: name, size, root");
        let mut lines = text.splitn(3, '\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(malformed);
        };
        let size = size.parse().map_err(|_| malformed)?;
        let root = root.strip_suffix('\n').ok_or(malformed)?.parse()?;
        let checkpoint = Checkpoint { origin: origin.parse()?, size, root };
        // A number has many spellings, of which one is right.
        if checkpoint.to_string() == text { Ok(checkpoint) } else { Err(malformed) }
    }
}

impl fmt::Display for Checkpoint {
    /// The text that is signed.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_read() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::parse(text).expect("a checkpoint");
        assert_eq!(checkpoint.origin.as_str(), "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.to_string(), text);
    }

    #[test]
    fn each_checkpoint_has_one_text() {
        let root = Hash::of_nothing();
        assert!(Checkpoint::parse(&format!("log\n0\n{root}\n")).is_ok());
        for text in [
            String::new(),
            "log\n0\n".to_owned(),
            format!("log\n0\n{root}"),
            format!("log\n00\n{root}\n"),
            format!("log\n+1\n{root}\n"),
            format!("log\n-1\n{root}\n"),
            format!("log\n18446744073709551616\n{root}\n"),
            format!("log\n0\n{root}\nmore\n"),
            format!("log\n0\n{root}\n\n"),
            format!("\n0\n{root}\n"),
            format!("my log\n0\n{root}\n"),
        ] {
            assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
        }
    }
}
