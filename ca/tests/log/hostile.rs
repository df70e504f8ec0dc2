//! Bytes, texts and numbers that must not hurt.

use chancery_ca::log::{
    Checkpoint, Frontier, Hash, LogKey, LogRefusal, Origin, Plan, Proof, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

use super::{checkpoint::log_key, keeper::leaf};
use crate::workshop::key;

/// The numbers at which arithmetic breaks.
fn edges() -> Vec<u64> {
    let near = |power: u32| [(1 << power) - 1, 1 << power, (1 << power) + 1];
    let mut edges: Vec<u64> = [1, 8, 32, 62, 63].into_iter().flat_map(near).collect();
    edges.extend([0, u64::MAX - 2, u64::MAX - 1, u64::MAX]);
    edges
}

#[test]
fn no_number_and_no_length_of_proof_makes_a_verifier_panic() {
    let hash = leaf(0);
    for length in [0, 1, 2, 62, 63, 64, 65, 1000] {
        let proof = vec![hash; length];
        for first in edges() {
            for second in edges() {
                // Of a tree of one leaf the leaf is the root.
                let held = verify_inclusion(&hash, first, second, &proof, &hash);
                assert_eq!(held.is_ok(), (first, second, length) == (0, 1, 0), "{first} {second} {length}");
                let held = verify_consistency(first, &hash, second, &hash, &proof);
                assert_eq!(held.is_ok(), first == second && length == 0, "{first} {second} {length}");
            }
        }
    }
}

#[test]
fn no_number_makes_a_plan_long_or_panic() {
    for first in edges() {
        for second in edges() {
            for plan in [Plan::inclusion(first, second), Plan::consistency(first, second)] {
                let rows = plan.map(|plan| plan.spans().map(|span| span.count).sum::<u64>());
                assert!(rows.is_ok_and(|rows| rows < 64 * 64 * 8) || first >= second, "{first} {second}");
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_numbers_and_hashes_prove_nothing(
        first: u64,
        second: u64,
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
        roots: [[u8; 32]; 3],
    ) {
        let proof: Vec<Hash> = hashes.into_iter().map(Hash::from).collect();
        let [one, other, third] = roots.map(Hash::from);
        prop_assert!(verify_inclusion(&one, first, second, &proof, &other).is_err());
        prop_assert!(verify_consistency(first, &one, second, &third, &proof).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Proof::parse(&bytes).is_err());
        if let Ok(frontier) = Frontier::from_bytes(&bytes) {
            prop_assert_eq!(frontier.to_bytes(), bytes);
        }
    }

    #[test]
    fn arbitrary_notes_are_refused_without_panic(
        text in "(log\n|[0-9]{1,21}\n|[A-Za-z0-9+/=]{0,48}\n|— log [A-Za-z0-9+/=]{0,120}\n|\n|.{0,20}){0,12}",
    ) {
        let log = LOG.with(Clone::clone);
        prop_assert!(Checkpoint::open(&text, &log).is_err());
        prop_assert!(text.parse::<LogKey>().is_err());
    }

    #[test]
    fn a_well_formed_note_with_an_arbitrary_signature_is_refused(
        size: u64,
        root: [u8; 32],
        line in "[A-Za-z0-9+/]{8,120}",
    ) {
        let log = LOG.with(Clone::clone);
        let checkpoint = Checkpoint { origin: log.origin().clone(), size, root: root.into() };
        let note = format!("{checkpoint}\n— log {line}\n");
        let refusal = Checkpoint::open(&note, &log).expect_err("a refusal");
        prop_assert!(matches!(refusal, LogRefusal::Malformed(_) | LogRefusal::Unsigned | LogRefusal::BadSignature));
    }

    #[test]
    fn any_text_is_a_name_or_is_not(text in ".{0,300}") {
        if let Ok(origin) = text.parse::<Origin>() {
            prop_assert_eq!(origin.as_str(), &text);
        }
    }
}

thread_local! {
    static LOG: LogKey = log_key("log", &key());
}
