//! Chancery: one daemon that joins a CHAT message broker to an organisation.
//!
//! This file is the map. Modules stand from roof to ground, and a module imports only modules listed below it
//! (`tests/tidy.rs` holds us to that). To understand the product read `chat/publish.rs`, how a message enters the
//! house, and `enrollment.rs`, how a device comes to its certificate; everything else serves one of the two.

// The order of this list carries meaning, so it is not to be sorted.
#![cfg_attr(rustfmt, rustfmt_skip)]

/// One file per verb group; every verb is one operation of the API.
mod cli;
/// Builds each part with the handles it uses; starts; drains in reverse order.
mod appliance;
/// Gathers each part's own settings; checks everything once; refuses unknown keys.
mod config;
/// Bytes in, bytes out: TCP, TLS, HTTPS, the control socket. Who is at the door.
mod door;
/// The admin site: rows of the store become views of `admin-ui`.
mod console;
/// The operations of the house as JSON.
mod api;
/// SPINE 2: submit, approve, issue, publish, renew, revoke.
mod enrollment;
/// What must leave the house: claim, try, settle.
mod outbox;
/// Other domains: prove them.
mod peer;
/// SPINE 1: publish; and inbox, receipts, rooms, presence, and who may do what.
mod chat;
/// Sign-in and sync of people and groups.
mod directory;
/// MQTT semantics: sessions, subscriptions, bells.
mod broker;
/// How the outside names things. Dialects translate, they decide nothing.
mod dialect;
/// What durable sessions are owed on plain topics, and what is retained: a log with group commit.
mod journal;
/// The protocol machine: packets, topics, one connection. No sockets, no clock.
mod mqtt;
/// Store and Tx; one file per noun; migrations. The only SQL in the house.
mod store;
/// Every deed worth remembering, chained.
mod audit;
/// Passwords and one-time secrets.
mod secret;
/// Who.
mod principal;
/// Which.
mod id;
/// What was counted since the house opened.
mod metrics;
/// When.
mod time;

/// Runs the command line: arguments in, an exit code out (0 done, 1 failure, 2 wrong usage, 3 refused, 4 not found,
/// 5 the daemon cannot be reached).
pub fn main() -> std::process::ExitCode {
    cli::main()
}
