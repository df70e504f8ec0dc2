//! Mail: telling people who are away that something waits for them.
//!
//! A [`Notice`] is written, put into an [`Envelope`] for exactly one recipient, and carried by a [`Transport`]; every
//! trip ends in an [`Outcome`]. When to try again is the [`RetryTable`]'s word. Keeping envelopes between two tries,
//! and reading the clock, is the caller's affair: this craft stores nothing and asks no clock what time it is.

mod envelope;
mod error;
mod mailbox;
mod maildir;
mod notice;
mod relay;
mod retry;
mod smtp;
mod transport;

pub use envelope::{Envelope, Outcome, Scope};
pub use error::MailError;
pub use mailbox::Mailbox;
pub use maildir::Maildir;
pub use notice::{AutoSubmitted, ListId, MessageId, Notice};
pub use relay::{RelayUrl, Security, TlsPolicy};
pub use retry::RetryTable;
pub use smtp::{Credentials, Smtp, SmtpSettings};
pub use transport::Transport;
