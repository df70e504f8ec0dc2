//! Acceptance tests: what the house promises, told as sentences and heard only through its doors.
//!
//! Each test has a [`town::Town`] of its own: the real daemon with the real neighbours it needs, on free loopback
//! ports and in a temporary folder. `tidy` looks at the source instead: the rules of the house as tests.

mod acme;
mod admins;
mod agreement;
mod approval;
mod audit;
mod bad_input;
mod ceremony;
mod certificates;
mod chat;
mod cli;
mod cmp;
mod conformance;
mod console;
mod demo;
mod directory;
mod dns;
mod doors;
mod durability;
mod est;
mod flow;
mod follow;
mod hostile;
mod inventory;
#[cfg(feature = "gssapi")]
mod kerberos;
mod keys;
mod kills;
mod ldaps;
mod limits;
mod mail;
mod metrics;
mod ocsp;
mod owed;
mod pace;
mod photos;
mod pkcs11;
mod preview;
mod reload;
mod roll;
mod self_service;
mod shards;
mod signer;
mod smime;
mod tidy;
mod town;
mod trouble;
