//! The frontier: the right edge of the tree, all that the next append has to know.

use super::{
    Hash,
    hash::{node_hash, root_over},
};
use crate::Failure;

/// A tree of known size, remembered by the roots of the perfect trees that it consists of: one for each bit set in
/// its size, the largest first. An append costs one hash on average, and no more than 64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

/// A hash to be kept for later proofs. It never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// 0 for a leaf; a row of level 1 is the root over 256 leaves, of level 2 over 65,536.
    pub level: u32,
    /// The place in its level, counted from 0.
    pub place: u64,
    /// The hash.
    pub hash: Hash,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// Appends one leaf. The rows to keep are the leaf's own, and those of higher levels that it completed.
    pub fn append(&mut self, leaf: Hash) -> Vec<Row> {
        let mut rows = vec![Row { level: 0, place: self.size, hash: leaf }];
        let mut peak = leaf;
        // As one is added to a number in binary: what is full is carried into the next digit.
        for height in 1..=self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            peak = node_hash(&left, &peak);
            if height.is_multiple_of(STRIDE) {
                rows.push(Row { level: height / STRIDE, place: self.size >> height, hash: peak });
            }
        }
        self.peaks.push(peak);
        self.size += 1;
        rows
    }

    /// The number of leaves, and the place of the next one.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree (RFC 9162 §2.1.1).
    pub fn root(&self) -> Hash {
        root_over(&self.peaks)
    }

    /// The frontier for one row of a table: eight bytes of size, then the hashes; at most 2 kB.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.peaks.iter().flat_map(Hash::as_bytes));
        bytes
    }

    /// Takes back what [`to_bytes`](Self::to_bytes) gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Frontier, Failure> {
        let broken = Failure::Log("the frontier is not of the length that its size demands");
        let Some((size, peaks)) = bytes.split_first_chunk() else { return Err(broken) };
        let size = u64::from_be_bytes(*size);
        if size > LARGEST {
            return Err(Failure::Log("the frontier is of a tree that cannot have grown"));
        }
        let (peaks, rest) = peaks.as_chunks();
        if peaks.len() != size.count_ones() as usize || !rest.is_empty() {
            return Err(broken);
        }
        Ok(Frontier { size, peaks: peaks.iter().map(|peak| Hash::from(*peak)).collect() })
    }
}

/// Of the heights of the tree only each eighth is kept. Keeping all would double the rows of an append; a proof now
/// reads some hundred rows instead of some twenty, side by side. It is the height of the tiles in which others
/// publish their logs (C2SP tlog-tiles).
pub(super) const STRIDE: u32 = 8;
/// What a database counts up to, and no log ever has.
const LARGEST: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::leaf_hash;

    #[test]
    fn an_append_gives_its_leaf_and_each_256th_one_more() {
        let mut frontier = Frontier::new();
        let mut levels = [0; 3];
        for place in 0..65_536 {
            let leaf = leaf_hash(&u64::to_be_bytes(place));
            let rows = frontier.append(leaf);
            assert_eq!(rows[0], Row { level: 0, place, hash: leaf });
            for row in rows {
                assert_eq!(row.place, levels[row.level as usize]);
                levels[row.level as usize] += 1;
            }
        }
        assert_eq!(levels, [65_536, 256, 1]);
        assert_eq!(frontier.to_bytes().len(), 8 + 32);
    }

    #[test]
    fn a_frontier_survives_its_bytes_and_other_bytes_are_none() {
        let mut frontier = Frontier::new();
        for size in 0..300_u64 {
            let bytes = frontier.to_bytes();
            assert_eq!(Frontier::from_bytes(&bytes).expect("sound"), frontier);
            assert!(Frontier::from_bytes(&bytes[1..]).is_err());
            assert!(Frontier::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
            assert!(Frontier::from_bytes(&[&bytes[..], &[0; 32]].concat()).is_err());
            frontier.append(leaf_hash(&size.to_be_bytes()));
        }
        assert!(Frontier::from_bytes(&[]).is_err());
        assert!(Frontier::from_bytes(&[0xFF; 8 + 64 * 32]).is_err());
    }
}
