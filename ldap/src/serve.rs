//! Serving: a read-only directory of people, for mail clients that look for addresses and certificates.
//!
//! A [`Directory`] is a snapshot of everybody's [`Card`]; a [`Conversation`] is one connection's state, without socket,
//! TLS, clock or thread. The employer moves bytes, says who somebody is, and replaces the snapshot when people change.
//! It promises that nothing from outside panics or costs more than the [`Limits`], that what is not [`Allowed`] cannot
//! be found out, and that a long answer comes in pieces of bounded length.

mod answer;
mod block;
mod card;
mod conversation;
mod directory;
mod entry;
mod fixed;
mod input;
mod limits;
mod message;
mod name;
mod oid;
mod paging;
mod question;
mod rule;
mod schema;
mod search;
mod selection;
mod signing_in;
mod target;
mod test;
mod tree;

pub use card::{Allowed, Card};
pub use conversation::{Conversation, Next};
pub use directory::Directory;
pub use limits::Limits;
pub use question::{Identity, Login, Question, Verdict};
pub use tree::Tree;

#[cfg(test)]
mod tests;
