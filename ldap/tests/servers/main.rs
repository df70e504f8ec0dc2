//! The craft against real directory servers, and against some that misbehave on purpose.

mod active_directory;
mod connector;
mod mirror;
mod openldap;
#[path = "../../../src/tests/town/samba.rs"]
mod samba;
#[path = "../../../src/tests/town/slapd.rs"]
mod slapd;
