//! Trees and proofs: what others compute, what the standard defines, and what must not pass.

use std::cell::RefCell;

use chancery_ca::log::{
    Frontier, Hash, LogRefusal, leaf_hash, node_hash, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

use super::keeper::{Keeper, Standard, leaf};

/// The leaves with which implementations of Certificate Transparency are compared.
const KNOWN: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
/// The root over the first none, one, two and so on of them.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(hash: &Hash) -> String {
    hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hexes(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(hex).collect()
}

#[test]
fn the_known_leaves_have_the_known_roots() {
    let mut frontier = Frontier::new();
    assert_eq!(hex(&frontier.root()), ROOTS[0]);
    for (leaf, expected) in KNOWN.iter().zip(&ROOTS[1..]) {
        frontier.append(leaf_hash(leaf));
        assert_eq!(hex(&frontier.root()), *expected);
    }
}

#[test]
fn the_known_leaves_have_the_known_proofs() {
    let mut keeper = Keeper::default();
    KNOWN.iter().for_each(|leaf| keeper.append(leaf_hash(leaf)));
    let inclusion = |index| hexes(&keeper.inclusion(index, 8).expect("inside"));
    assert_eq!(
        inclusion(0),
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]
    );
    assert_eq!(
        inclusion(5),
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    let consistency = |old, new| hexes(&keeper.consistency(old, new).expect("grown"));
    assert_eq!(
        consistency(6, 8),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    assert_eq!(
        consistency(2, 5),
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ]
    );
}

#[test]
fn each_small_tree_is_the_one_that_the_standard_defines() {
    let mut standard = Standard::default();
    let mut keeper = Keeper::default();
    for size in 1..=130 {
        keeper.append(leaf(size - 1));
        let root = keeper.frontier.root();
        assert_eq!(root, standard.root(0..size));
        for index in 0..size {
            let proof = keeper.inclusion(index, size).expect("inside");
            assert_eq!(proof, standard.path(index, 0..size), "{index} of {size}");
            assert_eq!(
                verify_inclusion(&leaf(index), index, size, &proof, &root),
                Ok(()),
                "{index} of {size}"
            );
        }
        for old in 0..=size {
            let proof = keeper.consistency(old, size).expect("grown");
            assert!(old == 0 || proof == standard.subproof(old, 0..size, true), "{old} to {size}");
            let old_root = standard.root(0..old);
            assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()), "{old} to {size}");
        }
    }
}

#[test]
fn no_part_of_an_inclusion_proof_can_be_changed() {
    let mut standard = Standard::default();
    let keeper = Keeper::with(40);
    for size in 1..=40 {
        let root = standard.root(0..size);
        for index in 0..size {
            let own = leaf(index);
            let proof = keeper.inclusion(index, size).expect("inside");
            let refused = |leaf: &Hash, index, proof: &[Hash], root: &Hash| {
                verify_inclusion(leaf, index, size, proof, root).is_err()
            };
            for other in (0..50).filter(|other| *other != index) {
                assert!(refused(&own, other, &proof, &root), "{index} as {other} of {size}");
                assert!(refused(&leaf(other), index, &proof, &root), "{other} as {index} of {size}");
            }
            for altered in alterations(&proof) {
                assert!(refused(&own, index, &altered, &root), "{index} of {size}");
            }
            // A size is as good as its root: both stand in one checkpoint.
            for other in (index + 1..=40).filter(|other| *other != size) {
                let root = standard.root(0..other);
                let held = verify_inclusion(&own, index, other, &proof, &root);
                assert_eq!(held, Err(LogRefusal::NotIncluded), "{index} of {size} as of {other}");
            }
        }
    }
}

#[test]
fn no_part_of_a_consistency_proof_can_be_changed() {
    let mut standard = Standard::default();
    let roots: Vec<Hash> = (0..=40).map(|size| standard.root(0..size)).collect();
    let keeper = Keeper::with(40);
    for new in 0..=40 {
        for old in 0..=new {
            let proof = keeper.consistency(old, new).expect("grown");
            let (old_root, new_root) = (standard.root(0..old), standard.root(0..new));
            let refused = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
                verify_consistency(old, old_root, new, new_root, proof).is_err()
            };
            for altered in alterations(&proof) {
                assert!(refused(&old_root, &new_root, &altered), "{old} to {new}");
            }
            for other in &roots {
                assert!(*other == old_root || refused(other, &new_root, &proof), "{old} to {new}");
                // Whatever there is grew out of nothing.
                assert!(
                    old == 0 || *other == new_root || refused(&old_root, other, &proof),
                    "{old} to {new}"
                );
            }
        }
    }
}

/// A proof with a hash changed, added, left out or moved.
fn alterations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut altered = Vec::new();
    for place in 0..=proof.len() {
        let mut longer = proof.to_vec();
        longer.insert(place, leaf(1000));
        altered.push(longer);
    }
    for place in 0..proof.len() {
        for bit in [0, 7, 100, 255] {
            let mut other = proof.to_vec();
            other[place] = flip(&other[place], bit);
            altered.push(other);
        }
        let mut shorter = proof.to_vec();
        shorter.remove(place);
        altered.push(shorter);
        let mut moved = proof.to_vec();
        moved.swap(0, place);
        altered.extend((place > 0).then_some(moved));
    }
    altered
}

fn flip(hash: &Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash::from(bytes)
}

#[test]
fn each_bit_of_a_proof_counts() {
    let keeper = Keeper::with(100);
    let (root, old_root) = (keeper.frontier.root(), Keeper::with(37).frontier.root());
    let inclusion = keeper.inclusion(99, 100).expect("inside");
    let consistency = keeper.consistency(37, 100).expect("grown");
    let flipped = |proof: &[Hash], place: usize| {
        let mut other = proof.to_vec();
        other[place / 256] = flip(&other[place / 256], place % 256);
        other
    };
    for place in 0..inclusion.len() * 256 {
        let other = flipped(&inclusion, place);
        assert_eq!(verify_inclusion(&leaf(99), 99, 100, &other, &root), Err(LogRefusal::NotIncluded));
    }
    for place in 0..consistency.len() * 256 {
        let other = flipped(&consistency, place);
        assert_eq!(verify_consistency(37, &old_root, 100, &root, &other), Err(LogRefusal::Inconsistent));
    }
}

#[test]
fn a_node_does_not_pass_for_a_leaf() {
    // The two leaves of a tree, offered as the one certificate of a smaller one.
    let both = [*leaf(0).as_bytes(), *leaf(1).as_bytes()].concat();
    let root = node_hash(&leaf(0), &leaf(1));
    assert_eq!(verify_inclusion(&leaf_hash(&both), 0, 1, &[], &root), Err(LogRefusal::NotIncluded));
}

#[test]
fn a_log_that_forgot_a_leaf_did_not_grow() {
    let keeper = Keeper::with(70);
    let mut forgetful = Keeper::with(30);
    (31..70).for_each(|index| forgetful.append(leaf(index)));
    let old_root = Keeper::with(50).frontier.root();
    let proof = forgetful.consistency(50, 69).expect("grown");
    let held = verify_consistency(50, &old_root, 69, &forgetful.frontier.root(), &proof);
    assert_eq!(held, Err(LogRefusal::Inconsistent));
    let proof = keeper.consistency(50, 70).expect("grown");
    assert_eq!(verify_consistency(50, &old_root, 70, &keeper.frontier.root(), &proof), Ok(()));
}

/// Some three levels of rows.
const MANY: u64 = 70_000;

thread_local! {
    static LARGE: RefCell<(Keeper, Standard)> = RefCell::new((Keeper::with(MANY), Standard::default()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn large_trees_prove_what_the_standard_defines(size in 1..=MANY, part in any::<prop::sample::Index>()) {
        LARGE.with_borrow_mut(|(keeper, standard)| {
            let index = part.index(size as usize) as u64;
            let root = standard.root(0..size);
            let proof = keeper.inclusion(index, size).expect("inside");
            prop_assert_eq!(&proof, &standard.path(index, 0..size));
            prop_assert_eq!(verify_inclusion(&leaf(index), index, size, &proof, &root), Ok(()));
            let old = index + 1;
            let proof = keeper.consistency(old, size).expect("grown");
            prop_assert_eq!(&proof, &standard.subproof(old, 0..size, true));
            let old_root = standard.root(0..old);
            prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
            Ok(())
        })?;
    }
}
