//! Verification: what a proof proves, by the arithmetic of RFC 9162 §2.1.3.2 and §2.1.4.2.
//!
//! Both walk from a leaf to the root with the place of the node that they hold, and the last place of its row. Any
//! numbers and any list of hashes may be asked about.

use super::{Hash, LogRefusal, node_hash};

/// Demands that the leaf stands at `index` in the tree of `size` leaves that has this root.
///
/// That the root is of a tree of this size is taken for granted: a proof can fit several sizes. Take both from one
/// signed checkpoint.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), LogRefusal> {
    if index >= size {
        return Err(LogRefusal::Beyond);
    }
    let mut walk = Walk { place: index, last: size - 1 };
    let mut found = *leaf;
    for beside in proof {
        found = match walk.step().ok_or(LogRefusal::NotIncluded)? {
            Side::Left => node_hash(beside, &found),
            Side::Right => node_hash(&found, beside),
        };
    }
    demand(walk.has_arrived() && found == *root, LogRefusal::NotIncluded)
}

/// Demands that the tree of `new_size` leaves with the root `new_root` begins with the leaves of the old one.
///
/// Beyond the RFC, whose sizes differ and are not 0: trees of the same size are consistent when their roots are
/// equal, and every tree grew out of the one without leaves. Both need no hashes. Sizes are taken for granted here too.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), LogRefusal> {
    if old_size > new_size {
        return Err(LogRefusal::Beyond);
    }
    if old_size == new_size {
        return demand(proof.is_empty() && old_root == new_root, LogRefusal::Inconsistent);
    }
    if old_size == 0 {
        return demand(proof.is_empty() && *old_root == Hash::of_nothing(), LogRefusal::Inconsistent);
    }
    // A perfect old tree is a node of the new one; otherwise the proof begins with the last perfect tree inside.
    let begun = if old_size.is_power_of_two() { Some((old_root, proof)) } else { proof.split_first() };
    let (first, rest) = begun.ok_or(LogRefusal::Inconsistent)?;
    let mut walk = Walk { place: old_size - 1, last: new_size - 1 };
    walk.skip_rows(walk.place.trailing_ones());
    let (mut old, mut new) = (*first, *first);
    for beside in rest {
        match walk.step().ok_or(LogRefusal::Inconsistent)? {
            Side::Left => {
                old = node_hash(beside, &old);
                new = node_hash(beside, &new);
            }
            Side::Right => new = node_hash(&new, beside),
        }
    }
    demand(walk.has_arrived() && old == *old_root && new == *new_root, LogRefusal::Inconsistent)
}

/// Where the next hash of a proof stands.
enum Side {
    Left,
    Right,
}

/// The way up: `fn` and `sn` of the RFC.
struct Walk {
    place: u64,
    last: u64,
}

impl Walk {
    /// To the node above; `None` at the root.
    fn step(&mut self) -> Option<Side> {
        if self.has_arrived() {
            return None;
        }
        let side = if self.place == self.last && self.place & 1 == 0 {
            // The last of its row and a left one has no neighbour: it moves up alone until it has.
            self.skip_rows(self.place.trailing_zeros());
            Side::Left
        } else if self.place & 1 == 1 {
            Side::Left
        } else {
            Side::Right
        };
        self.skip_rows(1);
        Some(side)
    }

    /// Fewer than 64 rows: a place other than 0 has no more zeros, and the place before the last no more ones.
    fn skip_rows(&mut self, rows: u32) {
        self.place >>= rows;
        self.last >>= rows;
    }

    fn has_arrived(&self) -> bool {
        self.last == 0
    }
}

fn demand(held: bool, otherwise: LogRefusal) -> Result<(), LogRefusal> {
    if held { Ok(()) } else { Err(otherwise) }
}
