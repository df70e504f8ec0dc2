//! Directory servers: who is in the organisation, and is this their password?
//!
//! A [`Connector`] knows an ordered list of LDAP servers and keeps a connection to one of them. It answers four
//! questions: is the directory well ([`Connector::check`]), who is this ([`Connector::find`]), may they sign in
//! ([`Connector::sign_in`]), and who is there at all ([`Connector::people`], [`Connector::groups`]). It tells what
//! changes, as it happens ([`Connector::follow`]). It writes one thing, the certificate by which others encrypt to a
//! person ([`Connector::publish`]). It promises that every answer comes within a time limit, that a partial list is never
//! passed off as a whole one, and that nothing a server sends can bring the process down. What an employer does with the
//! people is the employer's affair.
//!
//! The other way round, [`serve`] is a read-only directory server's machine, for mail clients that look for addresses and
//! certificates.

mod answer;
mod assertion;
mod ber;
mod connector;
mod credentials;
mod diagnostic;
mod disabled;
mod entry;
mod error;
mod explain;
mod filter;
mod folding;
mod groups;
mod guard;
#[cfg(feature = "gssapi")]
mod kerberos;
mod link;
mod matching;
mod nesting;
mod people;
mod photo;
mod publish;
mod request;
mod rules;
mod schema;
mod search;
pub mod serve;
mod servers;
mod settings;
mod sign_in;
mod srv;
mod sync;
mod trust;
mod wire;

pub use connector::{Connector, Health};
pub use credentials::Credentials;
pub use disabled::Disabled;
pub use error::Error;
pub use explain::Seen;
pub use groups::{Group, GroupListing};
pub use nesting::{Key, Nesting};
pub use people::{Listing, Person, Skipped};
pub use photo::{LONGEST_PHOTO, Photo};
pub use publish::Published;
pub use rules::Rules;
pub use settings::{AttributeMap, Problem, Settings, SettingsError};
pub use sign_in::SignIn;
pub use sync::{Change, Changes, Follow, Kind, Protocol};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
