//! What the DNS says about another domain, and how far that may be trusted.
//!
//! [`TrustedDns`] asks a resolver, validates every answer itself (RFC 4035) and returns a [`Verdict`]. Only a
//! [`Verdict::Secure`] carries records, and it carries them with the moment after which they prove nothing. The
//! craft decides no policy: what to do about a domain that is unsigned or broken is its employer's affair.
//!
//! ```no_run
//! # async fn ask(now: time::OffsetDateTime) -> Result<(), Box<dyn std::error::Error>> {
//! use chancery_dns::{Domain, Settings, TrustedDns, Verdict};
//!
//! let dns = TrustedDns::new(Settings::default())?;
//! let peer: Domain = "peer-a.example".parse()?;
//! match dns.srv(&peer.service("_syn-fed", "_tcp"), now).await {
//!     Verdict::Secure { records, deadline } => println!("{} servers until {deadline}", records.len()),
//!     other => println!("{}: {}", other.label(), other.why().unwrap_or("")),
//! }
//! # Ok(()) }
//! ```

mod domain;
mod trusted;
mod verdict;

pub use domain::{Domain, NotADomain};
pub use trusted::{Settings, SetupError, TrustedDns};
pub use verdict::{Srv, Tlsa, Verdict};
