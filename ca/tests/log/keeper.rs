//! A keeper: the rows of a log in memory, and the tree of the standard, written down as it is defined.

use std::{collections::HashMap, ops::Range};

use chancery_ca::log::{Frontier, Hash, LogRefusal, Plan, leaf_hash, node_hash};

#[derive(Default)]
pub(crate) struct Keeper {
    pub(crate) frontier: Frontier,
    /// By level, then by place.
    rows: Vec<Vec<Hash>>,
}

impl Keeper {
    /// A log of so many leaves.
    pub(crate) fn with(size: u64) -> Keeper {
        let mut keeper = Keeper::default();
        (0..size).for_each(|index| keeper.append(leaf(index)));
        keeper
    }

    pub(crate) fn append(&mut self, leaf: Hash) {
        // The frontier rests in a row of the database between two appends.
        self.frontier = Frontier::from_bytes(&self.frontier.to_bytes()).expect("sound");
        for row in self.frontier.append(leaf) {
            let level = row.level as usize;
            if level == self.rows.len() {
                self.rows.push(Vec::new());
            }
            assert_eq!(row.place, self.rows[level].len() as u64);
            self.rows[level].push(row.hash);
        }
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, LogRefusal> {
        Plan::inclusion(index, size).map(|plan| self.prove(&plan))
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, LogRefusal> {
        Plan::consistency(old, new).map(|plan| self.prove(&plan))
    }

    fn prove(&self, plan: &Plan) -> Vec<Hash> {
        let read = plan.spans().flat_map(|span| {
            let first = usize::try_from(span.first).expect("a row in memory");
            &self.rows[span.level as usize][first..][..usize::try_from(span.count).expect("at most 128")]
        });
        plan.prove(&read.copied().collect::<Vec<_>>()).expect("all rows")
    }
}

/// Some leaf, another one at each index.
pub(crate) fn leaf(index: u64) -> Hash {
    leaf_hash(&index.to_be_bytes())
}

/// The trees over the same leaves as the standard defines them, by recursion (RFC 9162 §2.1).
#[derive(Default)]
pub(crate) struct Standard {
    /// Each is computed once.
    roots: HashMap<Range<u64>, Hash>,
}

impl Standard {
    /// MTH (RFC 9162 §2.1.1).
    pub(crate) fn root(&mut self, leaves: Range<u64>) -> Hash {
        if let Some(root) = self.roots.get(&leaves) {
            return *root;
        }
        let root = match leaves.end - leaves.start {
            0 => Hash::of_nothing(),
            1 => leaf(leaves.start),
            _ => node_hash(&self.root(left(&leaves)), &self.root(right(&leaves))),
        };
        self.roots.insert(leaves, root);
        root
    }

    /// PATH (RFC 9162 §2.1.3.1).
    pub(crate) fn path(&mut self, index: u64, leaves: Range<u64>) -> Vec<Hash> {
        if leaves.end - leaves.start == 1 {
            Vec::new()
        } else if left(&leaves).contains(&index) {
            [self.path(index, left(&leaves)), vec![self.root(right(&leaves))]].concat()
        } else {
            [self.path(index, right(&leaves)), vec![self.root(left(&leaves))]].concat()
        }
    }

    /// SUBPROOF (RFC 9162 §2.1.4.1); the old tree ends before the leaf `old`.
    pub(crate) fn subproof(&mut self, old: u64, leaves: Range<u64>, known: bool) -> Vec<Hash> {
        if old == leaves.end {
            return if known { Vec::new() } else { vec![self.root(leaves)] };
        }
        if old <= left(&leaves).end {
            [self.subproof(old, left(&leaves), known), vec![self.root(right(&leaves))]].concat()
        } else {
            [self.subproof(old, right(&leaves), false), vec![self.root(left(&leaves))]].concat()
        }
    }
}

fn left(leaves: &Range<u64>) -> Range<u64> {
    leaves.start..leaves.start + middle(leaves)
}

fn right(leaves: &Range<u64>) -> Range<u64> {
    leaves.start + middle(leaves)..leaves.end
}

/// The largest power of two below their number.
fn middle(leaves: &Range<u64>) -> u64 {
    let mut middle = 1;
    while middle * 2 < leaves.end - leaves.start {
        middle *= 2;
    }
    middle
}
