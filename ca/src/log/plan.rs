//! Plans: which rows a proof is made of, and the proof made of them (RFC 9162 §2.1.3.1, §2.1.4.1).
//!
//! A proof is a list of hashes, each the root over some leaves that stand side by side. Such leaves fall into perfect
//! trees, and a perfect tree is the root over at most 128 consecutive rows of one level.

use std::ops::Range;

use super::{
    Hash, LogRefusal,
    frontier::STRIDE,
    hash::{node_hash, root_over},
};
use crate::Failure;

/// What is to be read for one proof, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For each hash of the proof the leaves under it.
    hashes: Vec<Range<u64>>,
}

/// Consecutive rows of one level, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The level of the rows.
    pub level: u32,
    /// The place of the first.
    pub first: u64,
    /// How many: a power of two, at most 128.
    pub count: u64,
}

impl Plan {
    /// The proof that the leaf at `index` is in the tree of this size; refused where it is not.
    pub fn inclusion(index: u64, size: u64) -> Result<Plan, LogRefusal> {
        if index >= size {
            return Err(LogRefusal::Beyond);
        }
        let (mut hashes, mut tree) = (Vec::new(), 0..size);
        while tree.end - tree.start > 1 {
            let [left, right] = halves(&tree);
            let (into, beside) = if left.contains(&index) { (left, right) } else { (right, left) };
            hashes.push(beside);
            tree = into;
        }
        // It was found from the root down; a proof leads up.
        hashes.reverse();
        Ok(Plan { hashes })
    }

    /// The proof that the tree of size `new` grew out of the one of size `old`; refused where the new one is smaller.
    /// There is nothing to prove, and the proof is empty, where both are equal or the old one had no leaves.
    pub fn consistency(old: u64, new: u64) -> Result<Plan, LogRefusal> {
        if old > new {
            return Err(LogRefusal::Beyond);
        }
        let (mut hashes, mut tree) = (Vec::new(), 0..new);
        while old > 0 && old != tree.end {
            let [left, right] = halves(&tree);
            let (into, beside) = if old <= left.end { (left, right) } else { (right, left) };
            hashes.push(beside);
            tree = into;
        }
        // What ends where the old tree ended is either the old tree itself, whose root is known, or a part of it.
        if tree.start > 0 {
            hashes.push(tree);
        }
        hashes.reverse();
        Ok(Plan { hashes })
    }

    /// The rows to read, in the order in which [`prove`](Self::prove) wants their hashes: some hundred of them, in
    /// some dozen spans.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        self.hashes.iter().cloned().flat_map(spans)
    }

    /// The proof, from the hashes of all rows in all spans. It fails where there are too few or too many of them.
    pub fn prove(&self, rows: &[Hash]) -> Result<Vec<Hash>, Failure> {
        let mut rest = rows;
        let mut proof = Vec::with_capacity(self.hashes.len());
        for leaves in &self.hashes {
            let mut peaks = Vec::new();
            for span in spans(leaves.clone()) {
                let split = usize::try_from(span.count).ok().and_then(|count| rest.split_at_checked(count));
                let (read, more) = split.ok_or(Failure::Log("rows are missing"))?;
                peaks.push(perfect_root(read));
                rest = more;
            }
            proof.push(root_over(&peaks));
        }
        if !rest.is_empty() {
            return Err(Failure::Log("there are more rows than the proof needs"));
        }
        Ok(proof)
    }
}

/// A tree of two or more leaves, cut where the largest power of two below their number is (RFC 9162 §2.1.1).
fn halves(tree: &Range<u64>) -> [Range<u64>; 2] {
    let middle = tree.start + (1 << (tree.end - tree.start - 1).ilog2());
    [tree.start..middle, middle..tree.end]
}

/// The perfect trees over these leaves, the largest first, each as the rows under it.
fn spans(mut leaves: Range<u64>) -> impl Iterator<Item = Span> {
    std::iter::from_fn(move || {
        let height = (leaves.end - leaves.start).checked_ilog2()?;
        let level = height / STRIDE;
        let span = Span { level, first: leaves.start >> (level * STRIDE), count: 1 << (height % STRIDE) };
        leaves.start += 1 << height;
        Some(span)
    })
}

/// The root over as many hashes as a power of two.
fn perfect_root(row: &[Hash]) -> Hash {
    match row {
        [] => Hash::of_nothing(),
        [hash] => *hash,
        _ => {
            let (left, right) = row.split_at(row.len() / 2);
            node_hash(&perfect_root(left), &perfect_root(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(plan: &Plan) -> Vec<(u32, u64, u64)> {
        plan.spans().map(|span| (span.level, span.first, span.count)).collect()
    }

    #[test]
    fn the_examples_of_rfc_9162_are_planned_as_they_stand() {
        // §2.1.5: a tree of seven leaves a to f and j, whose proofs are drawn there.
        let inclusion = |index| read(&Plan::inclusion(index, 7).expect("inside"));
        assert_eq!(inclusion(0), [(0, 1, 1), (0, 2, 2), (0, 4, 2), (0, 6, 1)]);
        assert_eq!(inclusion(3), [(0, 2, 1), (0, 0, 2), (0, 4, 2), (0, 6, 1)]);
        assert_eq!(inclusion(4), [(0, 5, 1), (0, 6, 1), (0, 0, 4)]);
        assert_eq!(inclusion(6), [(0, 4, 2), (0, 0, 4)]);
        let consistency = |old| read(&Plan::consistency(old, 7).expect("grown"));
        assert_eq!(consistency(3), [(0, 2, 1), (0, 3, 1), (0, 0, 2), (0, 4, 2), (0, 6, 1)]);
        assert_eq!(consistency(4), [(0, 4, 2), (0, 6, 1)]);
        assert_eq!(consistency(6), [(0, 4, 2), (0, 6, 1), (0, 0, 4)]);
        assert_eq!(consistency(7), []);
        assert_eq!(consistency(0), []);
    }

    #[test]
    fn large_trees_are_read_by_levels() {
        assert_eq!(
            read(&Plan::inclusion(0, 65_536 + 256).expect("inside")),
            [1, 2, 4, 8, 16, 32, 64, 128]
                .map(|count| (0, count, count))
                .into_iter()
                .chain([1, 2, 4, 8, 16, 32, 64, 128].map(|count| (1, count, count)))
                .chain([(1, 256, 1)])
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn what_is_beyond_the_tree_is_refused() {
        for (index, size) in [(0, 0), (1, 1), (7, 7), (u64::MAX, u64::MAX), (u64::MAX, 0)] {
            assert_eq!(Plan::inclusion(index, size), Err(LogRefusal::Beyond));
        }
        assert_eq!(Plan::consistency(8, 7), Err(LogRefusal::Beyond));
        assert_eq!(Plan::consistency(u64::MAX, 0), Err(LogRefusal::Beyond));
    }

    #[test]
    fn the_largest_numbers_have_a_plan() {
        for index in [0, 1, u64::MAX / 2, u64::MAX - 1] {
            let plan = Plan::inclusion(index, u64::MAX).expect("inside");
            assert!(plan.spans().count() < 64 * 64);
            let plan = Plan::consistency(index, u64::MAX).expect("grown");
            assert!(plan.spans().all(|span| span.count <= 128));
        }
    }

    #[test]
    fn a_proof_is_made_of_all_its_rows_and_of_no_others() {
        let plan = Plan::inclusion(4, 7).expect("inside");
        let rows = [Hash::of_nothing(); 7];
        assert!(plan.prove(&rows[..6]).is_ok());
        assert!(plan.prove(&rows[..5]).is_err());
        assert!(plan.prove(&rows).is_err());
    }
}
