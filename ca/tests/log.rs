//! The log from outside: the trees of the standard, proofs that hold and proofs that do not, and strangers who check.

mod checkpoint;
mod hostile;
mod keeper;
mod proof;
mod tree;
