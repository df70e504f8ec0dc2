//! The craft against real directory servers, and against some that misbehave on purpose.

mod active_directory;
mod connector;
#[path = "../../../src/tests/town/dirsrv.rs"]
mod dirsrv;
mod door;
mod ds389;
mod mirror;
#[path = "../../../src/tests/town/neighbour.rs"]
mod neighbour;
mod openldap;
#[path = "../../../src/tests/town/samba.rs"]
mod samba;
mod serve;
#[path = "../../../src/tests/town/slapd.rs"]
mod slapd;
mod srv;
