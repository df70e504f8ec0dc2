//! The craft against real directory servers, and against some that misbehave on purpose.

mod active_directory;
mod connector;
mod door;
mod mirror;
mod openldap;
#[path = "../../../src/tests/town/samba.rs"]
mod samba;
mod serve;
#[path = "../../../src/tests/town/slapd.rs"]
mod slapd;
