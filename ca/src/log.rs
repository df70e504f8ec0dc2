//! The log: an append-only Merkle tree over every certificate issued (RFC 9162 §2.1), and its proofs.
//!
//! **Appending.** [`leaf_hash`] names a certificate. A [`Frontier`] is the tree's right edge and all that an append
//! needs; it gives the [`Row`]s to keep: the leaf, and one more for each 256.
//!
//! **Proving.** A [`Plan`] says which rows a proof is made of, as [`Span`]s of consecutive ones, and makes it from
//! them: that a certificate is in the tree, or that a tree grew out of a smaller one.
//!
//! **Vouching.** A [`Checkpoint`] says how large the tree was and what its root; the log signs it as a text that
//! `openssl` can check. A [`LogKey`] is what the others know of the log: its [`Origin`] and its public key.
//!
//! **Checking.** A [`Proof`] travels with one certificate and is checked without the log. [`verify_inclusion`] and
//! [`verify_consistency`] are its arithmetic. What does not hold is a [`LogRefusal`].
//!
//! Rows, edge and checkpoints are kept by the caller, who appends in the transaction in which a certificate is noted
//! as signed, and never signs a checkpoint of a tree that he did not commit.

mod checkpoint;
mod frontier;
mod hash;
mod key;
mod note;
mod origin;
mod plan;
mod proof;
mod refusal;
mod verify;

pub use checkpoint::Checkpoint;
pub use frontier::{Frontier, Row};
pub use hash::{Hash, leaf_hash, node_hash};
pub use key::LogKey;
pub use origin::Origin;
pub use plan::{Plan, Span};
pub use proof::Proof;
pub use refusal::LogRefusal;
pub use verify::{verify_consistency, verify_inclusion};
