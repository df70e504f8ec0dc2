//! The craft against real directory servers, and against some that misbehave on purpose.

mod connector;
mod mirror;
mod openldap;
#[path = "../../../src/tests/town/slapd.rs"]
mod slapd;
