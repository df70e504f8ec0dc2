//! Every deed worth remembering, chained: each entry's hash covers the one before it, so that an entry altered,
//! removed or slipped in shows.
//!
//! This file is the pure part: what an entry is and how the chain is computed and checked. The entries live in
//! `store/audit.rs` and are written in the same transaction as the deed. A chain alone proves self-consistency; the
//! head printed by `audit verify`, kept elsewhere, proves that no tail was cut.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::principal::Principal;
use crate::time::Timestamp;

/// What the first entry names as its predecessor.
pub(crate) const GENESIS: [u8; 32] = [0; 32];

/// A deed about to be remembered.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// Who did it, as [`Principal`] prints.
    pub(crate) actor: String,
    /// What was done: `noun.verb`, for example `certificate.revoke`.
    pub(crate) deed: &'static str,
    /// To whom or what.
    pub(crate) subject: String,
    /// Further facts as one JSON object. Never secrets.
    pub(crate) details: serde_json::Value,
}

impl Deed {
    /// A deed of `who` upon `subject`.
    pub(crate) fn new(who: &Principal, deed: &'static str, subject: impl Into<String>) -> Self {
        Self { actor: who.to_string(), deed, subject: subject.into(), details: serde_json::json!({}) }
    }

    /// The same with further facts.
    pub(crate) fn with(mut self, details: serde_json::Value) -> Self {
        self.details = details;
        self
    }
}

/// An entry as it stands in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// Position, from 1, without gaps.
    pub(crate) seq: i64,
    /// When.
    pub(crate) at: Timestamp,
    /// Who.
    pub(crate) actor: String,
    /// What.
    pub(crate) deed: String,
    /// To whom or what.
    pub(crate) subject: String,
    /// Further facts, JSON as it was hashed.
    pub(crate) details: String,
    /// The chain value after this entry, lower-case hex in JSON.
    #[serde(serialize_with = "hex")]
    pub(crate) hash: [u8; 32],
}

/// The outcome of checking a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Verified {
    /// Whether every entry follows from the one before.
    pub(crate) intact: bool,
    /// How many entries were read.
    pub(crate) entries: i64,
    /// The chain value of the last good entry, hex: keep it elsewhere.
    pub(crate) head: String,
    /// Where the chain breaks and how; `None` when intact.
    pub(crate) broken: Option<String>,
}

/// The chain value of an entry: SHA-256 over the previous value and each field with its length before it, so that no
/// two different entries hash the same bytes.
pub(crate) fn link(prev: &[u8; 32], seq: i64, at: Timestamp, fields: [&str; 4]) -> [u8; 32] {
    let mut sum = Sha256::new();
    sum.update(prev);
    sum.update(seq.to_be_bytes());
    sum.update(at.micros().to_be_bytes());
    for field in fields {
        sum.update((field.len() as u64).to_be_bytes());
        sum.update(field.as_bytes());
    }
    sum.finalize().into()
}

/// Walks a chain as it comes from the store.
pub(crate) struct Walk {
    prev: [u8; 32],
    seq: i64,
    broken: Option<String>,
}

impl Walk {
    /// At the beginning.
    pub(crate) fn new() -> Self {
        Self { prev: GENESIS, seq: 0, broken: None }
    }

    /// Takes the next entry; after the first break the rest is not judged.
    pub(crate) fn step(&mut self, entry: &Entry) {
        if self.broken.is_some() {
            return;
        }
        if entry.seq != self.seq + 1 {
            self.broken =
                Some(format!("entry {} is missing: {} follows {}", self.seq + 1, entry.seq, self.seq));
            return;
        }
        let fields = [&*entry.actor, &*entry.deed, &*entry.subject, &*entry.details];
        if link(&self.prev, entry.seq, entry.at, fields) != entry.hash {
            self.broken = Some(format!("entry {} was altered, or the one before it", entry.seq));
            return;
        }
        (self.prev, self.seq) = (entry.hash, entry.seq);
    }

    /// The verdict, given the head that the store keeps beside the entries.
    pub(crate) fn end(mut self, kept_head: Option<(i64, [u8; 32])>) -> Verified {
        let (seq, hash) = kept_head.unwrap_or((0, GENESIS));
        if self.broken.is_none() && (seq, hash) != (self.seq, self.prev) {
            self.broken = Some(format!("the chain ends at entry {} but {seq} were written", self.seq));
        }
        Verified {
            intact: self.broken.is_none(),
            entries: self.seq,
            head: to_hex(&self.prev),
            broken: self.broken,
        }
    }
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}

/// Lower-case hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn hex<S: serde::Serializer>(hash: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&to_hex(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(n: i64) -> Vec<Entry> {
        let mut prev = GENESIS;
        (1..=n)
            .map(|seq| {
                let at = Timestamp::from_micros(seq * 1000);
                let (actor, deed, subject, details) = ("admin:ada", "account.disable", "bob", "{}");
                prev = link(&prev, seq, at, [actor, deed, subject, details]);
                Entry {
                    seq,
                    at,
                    actor: actor.into(),
                    deed: deed.into(),
                    subject: subject.into(),
                    details: details.into(),
                    hash: prev,
                }
            })
            .collect()
    }

    fn check(entries: &[Entry], head: Option<(i64, [u8; 32])>) -> Verified {
        let mut walk = Walk::new();
        entries.iter().for_each(|entry| walk.step(entry));
        walk.end(head)
    }

    #[test]
    fn an_untouched_chain_is_intact() {
        let entries = chain(5);
        assert!(check(&entries, Some((5, entries[4].hash))).intact);
        assert!(check(&[], None).intact);
    }

    #[test]
    fn an_altered_removed_or_cut_entry_shows() {
        let entries = chain(5);
        let head = Some((5, entries[4].hash));
        let mut altered = entries.clone();
        altered[2].subject = "eve".into();
        assert!(check(&altered, head).broken.unwrap().contains("entry 3 was altered"));
        let mut removed = entries.clone();
        removed.remove(1);
        assert!(check(&removed, head).broken.unwrap().contains("entry 2 is missing"));
        assert!(check(&entries[..4], head).broken.unwrap().contains("ends at entry 4"));
    }
}
