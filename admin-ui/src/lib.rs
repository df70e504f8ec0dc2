//! The pages of an admin console: views, their templates, and the few assets they need.
//! A page is a struct of ready values beside a template of the same name: fill it, call
//! [`Page::render`], send the string. Pages work without JavaScript and under
//! [`CONTENT_SECURITY_POLICY`]; where values come from and who may see them is the caller's affair.

// What every page wears.
mod assets;
mod chrome;
mod download;
mod moment;
mod paging;
mod qr;
mod secret;
mod state;

// Before the door.
pub mod link;
pub mod sign_in;
pub mod signed_out;

// For everybody: one's own certificates.
pub mod self_service;

// One screen each.
pub mod account;
pub mod accounts;
pub mod audit;
pub mod certificate;
pub mod certificates;
pub mod confirm;
pub mod enrol;
pub mod enrolled;
pub mod keys;
pub mod message;
pub mod outbox;
pub mod overview;
pub mod peer;
pub mod peers;
pub mod pending;
pub mod revoke;
pub mod room;
pub mod rooms;
pub mod sessions;

pub use askama::{Error as RenderError, Template as Page};
pub use assets::{Asset, CONTENT_SECURITY_POLICY, asset};
pub use chrome::{Chrome, Flash, Nav};
pub use download::Download;
pub use paging::{Choice, Paging};
pub use qr::Qr;
pub use secret::Secret;
pub use state::{AccountState, CertificateState, EnvelopeState, Health, SessionState, Source, Tone, Verdict};

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
