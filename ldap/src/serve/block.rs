//! A block: the values of up to 1,024 entries side by side, one run of bytes for each attribute.
//!
//! A comparison goes through all values of an attribute at once and answers with one bit for each entry, so that a
//! search for part of a name reads memory in order and allocates nothing.

use std::sync::Arc;

use super::entry::{Attributes, Draft};
use super::schema::Attribute;
use super::test::{How, Item, SEPARATOR, Test};

/// Entries of one block.
pub(super) const SIZE: usize = 1024;

/// One bit for each entry of a block.
pub(super) type Bits = [u64; SIZE / 64];

const NONE: Bits = [0; SIZE / 64];
const EVERY: Bits = [!0; SIZE / 64];

#[derive(Debug)]
pub(super) struct Block {
    count: usize,
    columns: Vec<(Attribute, Column)>,
    common: Arc<Common>,
}

/// What all entries of a block have: their object classes, and the name of the entry above them.
#[derive(Debug, Default)]
pub(super) struct Common {
    pub(super) attributes: Attributes,
    values: Vec<(Attribute, Vec<u8>)>,
    above: Vec<(Attribute, Vec<u8>)>,
}

/// The values of one attribute, each between separators, with the place of the separator behind it and its entry.
#[derive(Debug)]
struct Column {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    owners: Vec<u16>,
    present: Bits,
}

impl Common {
    /// `above` are the parts of the names of all entries, but for each one's own.
    pub(super) fn new(
        texts: &[(Attribute, String)],
        above: impl IntoIterator<Item = (Attribute, String)>,
    ) -> Self {
        let prepared = |(attribute, value): (Attribute, String)| {
            Some((attribute, attribute.definition().rule.prepare(value.as_bytes())?))
        };
        Self {
            attributes: Attributes::new(texts),
            values: texts.iter().cloned().filter_map(prepared).collect(),
            above: above.into_iter().filter_map(prepared).collect(),
        }
    }

    fn passes(&self, item: &Item) -> bool {
        let passes = |values: &[(Attribute, Vec<u8>)]| {
            values.iter().any(|(attribute, value)| *attribute == item.attribute && item.how.accepts(value))
        };
        passes(&self.values) || item.dn && passes(&self.above)
    }
}

impl Block {
    /// Of at most [`SIZE`] entries.
    pub(super) fn new(drafts: &[Draft], common: Arc<Common>) -> Self {
        let mut block = Self { count: drafts.len().min(SIZE), columns: Vec::new(), common };
        for (place, draft) in drafts.iter().take(SIZE).enumerate() {
            for (attribute, value) in &draft.texts {
                let prepared = attribute.definition().rule.prepare(value.as_bytes());
                block.column(*attribute).add(place, prepared.as_deref());
            }
            for (attribute, _) in &draft.binary {
                block.column(*attribute).add(place, None);
            }
        }
        for (_, column) in &mut block.columns {
            column.bytes.shrink_to_fit();
            column.ends.shrink_to_fit();
            column.owners.shrink_to_fit();
        }
        block
    }

    fn column(&mut self, attribute: Attribute) -> &mut Column {
        let place = self.columns.iter().position(|(known, _)| *known == attribute);
        let place = place.unwrap_or_else(|| {
            self.columns.push((attribute, Column::new()));
            self.columns.len() - 1
        });
        &mut self.columns[place].1
    }

    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    /// Which entries pass.
    pub(super) fn judge(&self, test: &Test) -> Bits {
        let mut bits = self.read(test);
        for (place, word) in bits.iter_mut().enumerate() {
            let below = self.count.saturating_sub(place * 64).min(64);
            *word &= u64::MAX.checked_shr(64 - u32::try_from(below).unwrap_or(0)).unwrap_or(0);
        }
        bits
    }

    fn read(&self, test: &Test) -> Bits {
        match test {
            Test::Constant(true) => EVERY,
            Test::Constant(false) => NONE,
            Test::Not(part) => self.read(part).map(|word| !word),
            Test::All(parts) => {
                let mut bits = EVERY;
                for part in parts {
                    combine(&mut bits, &self.read(part), |one, other| one & other);
                    if bits == NONE {
                        break;
                    }
                }
                bits
            }
            Test::Any(parts) => {
                let mut bits = NONE;
                for part in parts {
                    combine(&mut bits, &self.read(part), |one, other| one | other);
                }
                bits
            }
            Test::Item(item) if self.common.passes(item) => EVERY,
            Test::Item(item) => {
                let column = self.columns.iter().find(|(attribute, _)| *attribute == item.attribute);
                column.map_or(NONE, |(_, column)| column.judge(&item.how))
            }
        }
    }
}

fn combine(bits: &mut Bits, other: &Bits, how: impl Fn(u64, u64) -> u64) {
    bits.iter_mut().zip(other).for_each(|(one, other)| *one = how(*one, *other));
}

impl Column {
    fn new() -> Self {
        Self { bytes: vec![SEPARATOR], ends: Vec::new(), owners: Vec::new(), present: NONE }
    }

    fn add(&mut self, owner: usize, prepared: Option<&[u8]>) {
        self.present[owner / 64] |= 1 << (owner % 64);
        let Some(value) = prepared else { return };
        self.bytes.extend_from_slice(value);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        self.owners.push(u16::try_from(owner).unwrap_or(u16::MAX));
        self.bytes.push(SEPARATOR);
    }

    fn judge(&self, how: &How) -> Bits {
        match how {
            How::Present => self.present,
            How::Equal(_, finder) => self.found(|bytes| finder.find(bytes), |_| true),
            How::Like { bare: true, longest, .. } => self.found(|bytes| longest.find(bytes), |_| true),
            How::Like { longest, .. } => self.found(|bytes| longest.find(bytes), |value| how.accepts(value)),
            How::AtLeast(_) | How::AtMost(_) => self.found(|_| Some(0), |value| how.accepts(value)),
        }
    }

    /// The entries of all values in which `find` finds something and which `accepts` takes.
    fn found(&self, find: impl Fn(&[u8]) -> Option<usize>, accepts: impl Fn(&[u8]) -> bool) -> Bits {
        let mut bits = NONE;
        // Where to look on, and how many values lie before.
        let (mut at, mut value) = (0, 0);
        while let Some(hit) = find(&self.bytes[at..]) {
            // A hit may begin with the separator in front of its value.
            let behind = |end: &u32| *end as usize <= at + hit;
            if self.ends.get(value).is_some_and(behind) {
                value += self.ends[value..].partition_point(behind);
            }
            let Some(&end) = self.ends.get(value) else { break };
            let start = value.checked_sub(1).map_or(0, |before| self.ends[before] as usize) + 1;
            let end = end as usize;
            if accepts(&self.bytes[start..end]) {
                let owner = usize::from(self.owners[value]);
                bits[owner / 64] |= 1 << (owner % 64);
            }
            at = end;
            value += 1;
        }
        bits
    }
}
